"""Stories at home: things that break, boil over, growl in the night or come out crooked."""

from __future__ import annotations

from workshop_utils.pocket.plots import plot
from workshop_utils.pocket.words import INDOORS

_BEDROOMS = ("attic", "cabin", "cottage", "nursery", "barn", "boathouse", "stable", "playroom")

PLOTS = (
    plot(
        "broken crockery",
        "{name} has broken the {object}",
        "cup, mug, bowl, plate, jug, vase, pot, dish, lamp, mirror, glass, teapot, clock",
        INDOORS,
        """
- There was a [blue|white|spotty|flowery] {object} {at} that {grown} loved [very much|more than any other].
- {grown} had a [blue|flowery|very old] {object} {at}, and nobody was to run near it.
- One [wet|dull] [morning|day], {name} was [hopping|dancing|spinning|galloping] about {at}, much too near to {grown}'s
  [best|blue|old] {object}.

- {name} [spun|jumped] once too often, and [crash|smash]! The {object} lay in [three|five|six] pieces.
- Bump went {his} elbow, [crash|smash|clink] went the {object}.
- {name} only wanted to [look at it|touch it]. But the {object} slipped, and it broke [in two|into bits].

- {His} heart [thumped|sank]. {He} hid the pieces under the [rug|stairs].
- For a moment {name} thought of saying that the [wind|cat] had done it.
- {name} wanted to hide the {object}, or {himself}, or both.

- But {his} tummy felt [heavy|funny], so {he} went to find {grown}. "I broke it," {he} said.
- "{grown}, I broke your {object}," {he} said at last. "I am sorry."
- "It was me," {he} told {grown}. "I broke the {object}." And out came the tears.

= mended with glue
- {grown} gave {him} a hug. "Thank you for telling me," said {grown}. "Now fetch the glue."
- "Things break," said {grown}. "[Come|Now], we can mend it."
- "I broke one once, too," said {grown}, and took out a tube of glue.

- {name} held it very still, and soon the {object} was whole again.
- After that the {object} had a crack like a smile, and {name} thought it was prettier than before.
- One little bit was left over. {name} kept it, and {grown} kept the {object}.

= forgiven
- "It was only a {object}," said {grown}. "You are my {name}."
- "A {object} is only a {object}," said {grown}, "but the truth is a big thing."
- {grown} was sad, and then not sad any more. "You were brave to tell me," said {grown}.

- {name} gave {grown} two pennies for a new {object}, and {grown} kept them for ever.
- Together they made the bits of the {object} into a [sun|fish|snail], and {name} put in the last piece.
- The next day {name} and {grown} went out, hand in hand, to find another {object}.
""",
    ),
    plot(
        "cooking",
        "the {object} tastes wrong",
        "soup, stew, jam, curry, jelly, custard, toffee, broth, fudge, cocoa, gravy, porridge, syrup",
        ("kitchen", "cottage", "cabin", "bakery", "boathouse", "garden", "beach", "lighthouse", "orchard"),
        """
- One [cold|wet|grey] [morning|afternoon], {name} wanted to make {object}, the best {he} could.
- "Today I shall cook," {he} said [at breakfast|on Sunday], and {he} thought of the best {object} in the world.
- {He} had never made {object} before, but {he} had watched {grown} a hundred times.

- {At}, {name} stirred and stirred. [Plip, plop|Bubble, bubble|Blip, blop] went the {object}.
- {name} poured and stirred {at} until the {object} smelled [good|lovely].
- {At}, {name} put a bit of this and a bit of that into the {object}.
- Soon the {object} was bubbling away {at}, and {name} stood on a stool to stir it.

- Then {he} tasted it. [Oh dear|Ugh|Brrr]! It was like [rain|smoke|soap].
- But the first spoonful tasted of [nothing at all|old shoes|mud]. "Something is missing," said {name}.
- "[Pooh|Oh dear|Hmm]," said {name}, licking the spoon. "This {object} tastes of [nothing|soap|rain]."

= a friend knows what is missing
- {Friend} came by with [some honey|some mint|some butter]. "Try this," said {friend}.
- {name} asked {friend} to try it. "It only wants some [honey|butter|mint]," said {friend}.

- They stirred it in, and {name} and {friend} ate {object} until they had to lie down.
- Now the {object} was just right, and {name} let {friend} lick the spoon.
- "Two cooks are better than one," said {name}, and {friend} asked for more {object}.

= everybody adds a little
- There was a knock at the door. It was the {folk}, with a lump of butter.
- One by one the neighbours came, and each of them dropped something good into the {object}.
- "Let me see," said {grown}, and put in a pinch of this. The {folk} put in a spoon of that.

- By evening there was {object} for the whole street, and {name} had two helpings.
- "The secret is good neighbours," said {name}, and gave everyone a second helping of {object}.
- And from that day on, {name} made {object} every [Sunday|Friday], and never alone.
""",
    ),
    plot(
        "shadow",
        "the shadow of the {object} looks like a monster",
        "coat, hat, broom, kite, mop, bucket, teddy, robot, puppet, plant, basket, vase, drum, guitar, balloon, "
        "bag, scarf, umbrella",
        _BEDROOMS,
        """
- One [dark|moonlit|windy] night, {name} lay awake {at}. {His} {object} was [on a chair|by the window|on a shelf].
- Before bed, {name} left {his} {object} [on a chair|on a shelf|by the window] {at}, and thought no more about it.
- {He} was going to sleep {at}, with {his} [new|old|red|blue] {object} [at the foot of the bed|by the window|on a
  stool].

- In the middle of the night there was a [long|tall|huge|crooked] shadow on the wall. It had [horns|ears|arms].
- Then the moon came out, and there stood a [monster|giant|ghost] with [a hump|one arm|three ears].
- Something [dark|tall|crooked] was standing in the corner, and it [moved|nodded|looked at {him}].

- {name} pulled the covers over {his} [head|nose|ears]. "Go away," {he} whispered.
- {name} did not dare to [breathe|blink|call out].
- "I am not afraid of you," said {name}, in a very small voice.

= a brave look
- At last {he} put one foot on the floor. It was only the {object}!
- {name} counted to [three|ten] and jumped out of bed. And what was it? It was the {object}!

- "Oh, it is you," said {name} to the {object}, and slept like a stone.
- {name} turned the {object} to face the wall, and the monster went away.
- {name} made the {object} wave, just a little, and laughed until the bed shook.
- After that {name} said good night to the {object} every evening.

= someone comes with a light
- {grown} came in with a light. "Monsters are shy," said {grown}. But it was only the {object}.
- "Who is there?" asked {grown}, and turned on the light. There stood the {object} and blinked.
- {grown} took the monster down from its place. "Is this your {object}?" asked {grown}.

- "[Poor|Silly] {object}," said {name}. "It was afraid of the dark, too." And {he} took it into bed.
- They made the shadow of the {object} dance until {name} fell asleep.
- "Good night, {name}," said {grown}. "Good night, {object}." And the {object} did not say a word.
""",
    ),
    plot(
        "thunder",
        "{name} is afraid of the thunder",
        "blanket, teddy, pillow, lantern, torch, quilt, cushion, shawl, doll, rattle, puppet, coat",
        INDOORS,
        """
- One [hot|sticky|stuffy] [evening|night], {name} was {at} when the sky went as black as [ink|coal|pitch].
- All [day|afternoon] the air was still. Then, while {he} was {at}, it began to rumble.
- Something [big|enormous] was growling above the roof, and {he} sat very still {at}.

- [Boom|Crash|Bang]! {He} snatched {his} {object} and [crawled|dived] under the [table|stairs|bed].
- At the first [flash|bang], {he} ran to fetch {his} {object} and held on to it [tightly|with all {his} might].
- {name} hid behind {his} [old|warm|favourite] {object} and shook from top to toe.

= counting the thunder away
- "Count with me," said {grown}. "See the flash? One, two, three..." Boom!
- "Count after the flash," said {grown}. "The more you count, the farther away it is."
- {grown} came and sat down beside {him}. "It is only the clouds," said {grown}, "moving their beds about."

- They counted to three, and then to six, and then to nine. "It is going away," {he} told the {object}.
- The next bang was [smaller|farther away|only a grumble]. {He} peeped out from behind the {object}.
- One, two, three, they counted. {He} did not hold the {object} quite so tightly.

- By the time they got to [twelve|twenty|thirty], {name} was asleep, with the {object} under {his} chin.
- "Come back another day," called {name}, and {he} waved to the thunder with the {object}.
- Then there was only rain, and {name} tucked the {object} in and listened to it.

= braver for a friend
- Then something moved. It was {friend}, as pale as milk. "[Come here|Come in]," said {name}.
- But {friend} was even more frightened. "You can hold the {object}, too," said {name}.
- There, under the stairs, sat {friend}, crying. "We shall be frightened together," said {name}.

- They sang louder than the thunder, and the {object} was in the middle.
- Every time it went boom, they said boom to the {object}, and had to laugh.
- They gave the thunder a silly name and told it to the {object}.

- "We won," said {name}, when it was over. {Friend} and the {object} were already asleep.
- The thunder grumbled off home, and {name}, {friend} and the {object} slept until morning.
""",
    ),
    plot(
        "a noise in the box",
        "there is a noise in the {object}",
        "box, basket, bucket, barrel, drawer, bag, chest, trunk, sack, crate, tub, cupboard, suitcase, wardrobe",
        tuple(place for place in INDOORS if place != "library"),
        """
- {He} was [sweeping up|resting|tidying up] {at} when {he} heard a noise. It came from an old {object}.
- One [quiet|still] [morning|evening] there stood a [brown|strange|dusty] {object} {at}, and {he} had never seen it
  before.
- For years an old {object} had stood {at}, and {he} had never looked inside.

- [Scritch, scratch|Tap, tap, tap|Rustle, rustle|Squeak, squeak] went the {object}.
- Something inside the {object} went [scritch, scratch|tap, tap, tap|rustle, rustle].

- {name} [took two steps back|held {his} breath|stood quite still]. Was it a [ghost|snake|monster]?
- "Who is in there?" asked {name}. {His} voice shook. Nobody answered.
- "Perhaps it bites," thought {name}, and {he} tapped the {object} with a stick.

= a bird in need
- But it sounded so [sad|small|lonely] that {he} peeped inside. It was a baby {bird}, [cold|hungry|all alone].
- Slowly, slowly, {he} looked in. It was a baby {bird} with a sore wing.

- {name} kept it warm in the {object}, and every spring it came back to sing.
- "You can stay," said {name}, and {he} filled the {object} with hay. By evening the {bird} was singing.
- Very gently {name} carried the {object} out into the sun, and up and away flew the {bird}.

= a party of beetles
- {name} counted to three and looked. Five [black|green|shiny] beetles were having a birthday party in there!
- Then {he} looked inside, and what did {he} see? Ten beetles, dancing in a circle!

- "Only if I may sing, too," said {name}. So the {object} was full of songs.
- "Come in," said the beetles. So {name} put {his} head into the {object} and danced with {his} ears.
- {name} shut the {object} very quietly, and came back with crumbs for everyone.
""",
    ),
    plot(
        "a present",
        "the {object} for a birthday comes out crooked",
        "necklace, card, picture, crown, purse, box, cushion, mug, scarf, ring, puppet, basket, hat, lamp",
        ("shed", "attic", "kitchen", "barn", "cellar", "garden", "playroom", "meadow", "stable"),
        """
- It was nearly {grown}'s birthday, and {name} had no money. "I shall make a {object}," {he} said.
- For {grown}'s birthday {he} wanted to make a [special|beautiful|real] {object}, all by {himself}.
- "What would {grown} like best?" {he} thought. A {object}, of course!

- So {he} sat {at} with [paint|string|scissors] and [glue|wool|buttons], and set to work.
- {name} worked {at}, where nobody could see, for [two|three|four] whole days.
- {At} {he} cut and [glued|painted|tied], with {his} tongue between {his} teeth.

- But the {object} came out [crooked|lopsided|lumpy], with [glue|paint|a thumbprint] all over it.
- But it did not look like a {object}. It looked like a [squashed hen|cloud|puddle].
- "Oh," said {name}, when it was done. One side of the {object} was [longer|fatter] than the other.

= loved as it is
- "It is not very good," {he} whispered on the day, and held it out.
- {name} nearly hid it. But then the day came, and there was nothing else to give.

- "Every {object} in the shops is straight," said {grown}. "This one has [you|love] in it."
- {grown} said nothing for a long time. "Nobody ever made me a {object} before," said {grown}.

- And {grown} kept the {object} where everyone could see it, and {name} grew a little taller that day.
- {name} beamed, and the {object} was given the best place in the room.
- "May I have one next year, too?" asked {grown}. {name} already knew the next {object}.

= made beautiful together
- {Friend} looked at it this way and that. "It only wants a few [stars|spots|shells]," said {friend}.
- "Make it even funnier," said {friend}. "Give it [a face|a tail|spots]!"

- "How did you know I wanted a {object}?" asked {grown}, and {name} and {friend} grinned.
- When {grown} saw the {object}, there was one hug for {name} and another for {friend}.
- There was only one {object} like it, and {name} had blue paint on {his} ears for a week.
""",
    ),
    plot(
        "spoiled picture",
        "there is a blot on the {object}",
        "picture, painting, poster, map, card, drawing, mask, sign, banner, portrait, kite, letter, flag, fan",
        (*INDOORS, "garden", "park", "beach", "meadow", "bridge", "pier", "courtyard", "harbour", "hill", "orchard"),
        """
- {He} sat {at} and made a [big|beautiful|splendid] {object}, with a [yellow sun|red roof|blue sky] in the middle.
- One [wet|rainy|long] afternoon {he} sat down {at} to paint the [best|biggest|brightest] {object} in the world.
- {grown} wanted a new {object}, and {he} sat {at} with all {his} paints to make it.

- {name} was nearly done when {he} sneezed. Splat! A [blue|green|purple|black] blot fell on the {object}.
- Then the cat walked over it with [inky|muddy|wet] feet, right across the {object}.
- Then {his} elbow knocked over the paint. A [blue|green|brown|red] puddle ran across the {object}.

- "It is spoiled!" wailed {name}. {His} chin began to [shake|wobble].
- {name} nearly tore the {object} in two.
- "Now I must throw away my {object}," said {name}, and sniffed.

= the blot becomes something
- "Wait," said {grown}. "That is no blot. That is a [whale|cloud|ghost]."
- {name} shut one eye. It was not a blot. It was a [whale|cloud|ghost]!

- {name} gave it two eyes and a smile, and now the {object} was better than before.
- "It came all by itself," said {name}, when everyone asked about the {object}.
- So {name} hung up the {object}, and nobody ever knew about the blot but the cat.

= a hundred more
- {Friend} laughed. "Make another one," said {friend}. "Make a hundred!"
- "One blot looks lonely," said {friend}, who had seen it all. "Give it some friends."

- {name} and {friend} splashed every colour they had on it, until the {object} looked like a party.
- Soon the {object} was full of spots, and so were {name} and {friend}.
- They hung the {object} on the door, and everyone asked {name} for one just like it.
""",
    ),
)
