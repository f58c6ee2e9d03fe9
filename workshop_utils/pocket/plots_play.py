"""Stories about play: toys that are lost, stuck, raced, ridden, built and worn."""

from __future__ import annotations

from workshop_utils.pocket.plots import plot
from workshop_utils.pocket.words import INDOORS, OUTDOORS, PLACES

PLOTS = (
    plot(
        "lost toy",
        "the {object} is lost",
        "teddy, doll, robot, marble, puppet, train, truck, rocket, tractor, whistle, ball, car, boat, drum",
        tuple(PLACES),
        """
- One [rainy|quiet|grey|sunny|chilly] [morning|afternoon], {name} could not find {his} [dear old|little red|best]
  {object}.
- {He} took {his} [little blue|dear old|shiny|best] {object} everywhere, but one [morning|day|evening] it was
  [gone|nowhere to be seen].
- On [Monday|Tuesday|Friday|Sunday], {name} reached for {his} [little yellow|dear old|best] {object}, and it was not
  there.

- {name} looked under the bed and behind the [door|sofa]. No {object}!
- {name} looked [high and low|in every corner]. No {object} [anywhere|at all]!
- "Have you seen my {object}?" {he} asked the cat. The cat only [yawned|blinked|stretched].

- "Where did you play [yesterday|last]?" asked {grown}.
- "[Let us think|Now then|Never mind]," said {grown}. "Where did you have it last?"
- "Lost things like to be looked for," said {grown}. "Where were you yesterday?"

- {name} [thought and thought|thought hard|shut {his} eyes and thought]. "{At}!" {he} [cried|shouted] at last.
- {name} went back in {his} mind, step by step, all the way to {place}.
- Then {he} remembered. {He} had been {at}!

= found where it was left
- They ran to look, and there was the {object}, [cold|dusty|muddy] but quite all right.
- And that is where the {object} was, just as {he} had left it.
- The first thing they saw there was the {object}, [a bit wet|a bit dusty], but safe.

- {name} hugged the {object} and would not let go until [bedtime|supper|the moon came up].
- "There you are!" said {name}, and {he} carried the {object} home [under one arm|in both arms|very gently].
- That night {name} fell asleep with the {object} [close by|under the covers|next to {him}].

= kept safe by somebody
- A [kind|cheerful] {bird} sat beside the {object}. "I kept it safe for you," said the {bird}.
- Somebody had found the {object} and put it [on a wall|on a step|on a tree stump], out of the wet.
- The {folk} was just picking up the {object}. "Is this yours?" asked the {folk}.

- "[Thank you|Oh, thank you|Thank you, thank you]!" said {name}, and {he} danced all the way home with the {object}.
- {name} said thank you [twice|three times], and took the {object} home in time for [tea|supper|bed].
- From then on, {name} put the {object} [back in its place|to bed|on the shelf] every evening.
""",
    ),
    plot(
        "stuck in a tree",
        "the {object} is stuck in a tree",
        "kite, balloon, ball, hat, cap, ribbon, flag, hanky, hoop, feather, scarf, bonnet",
        OUTDOORS,
        """
- One [breezy|windy|blowy] [morning|afternoon|day], {name} took {his} [new|best|bright red|bright yellow] {object} to
  {place}.
- [After breakfast|After lunch|On Saturday|When the wind blew], {name} ran to {place} with {his}
  [red|yellow|blue|striped] {object}.
- {He} was [playing|skipping|running about] {at} with {his} [new|favourite|spotty|stripy] {object}.

- [Whoosh|Puff], [up it went|away it flew], and it landed in the [tallest|highest|oldest] tree.
- The wind gave a great [puff|sneeze], and up went the {object}, right into a tree.
- A cheeky wind [took|snatched] the {object} and hung it on the highest branch.

- {name} jumped. {He} jumped again. {He} could not [reach it|even touch the lowest branch].
- {name} shook the tree, but only [leaves|acorns] came down.
- {name} asked the tree nicely. The tree [just rustled|did not answer|kept the {object}].

- "[Please|Oh, please] come down, {object}!" [called|begged] {name}.
- "[Oh no|Oh dear|Bother]," said {name}. "My poor {object}!"
- {name} sat down in the grass and looked up at the {object}. It looked very small.

= a bird brings it down
- [An old|A kind|A clever] {bird} was watching. "[Shall I help|May I]?" it asked, and gave the {object} a gentle push.
- Then a {bird} hopped along the branch. Peck, peck, peck, and the {object} was free.
- "Is this yours?" called a [sleepy|friendly] {bird} from the top of the tree, and it let the {object} drop.

- Down it floated, and {name} caught the {object} [in both arms|before it touched the ground].
- "Thank you!" called {name}, and {he} held the {object} [tightly|with both hands] all the way home.
- {name} [bowed|waved|clapped], and the {bird} bowed too. The {object} was home in time for tea.

= friends fetch it together
- Then {friend} came by with a long stick. Poke, poke, and out came the {object}.
- Along came {friend} with a ladder. Soon they had the {object}.
- "Let us shake it together," said {friend}. One, two, three, and down came the {object}.

- After that {name} and {friend} took turns with the {object} until [it was dark|supper time].
- "Two are taller than one," said {name}, and {he} let {friend} have the {object} first.
- {name} tied the {object} to a [long|good strong] string, and nobody had to climb again.
""",
    ),
    plot(
        "falling down",
        "the {object} falls down",
        "tower, castle, den, fort, hut, palace, igloo, rocket, ship, tent, tunnel",
        tuple(place for place in OUTDOORS if place not in ("waterfall", "fountain")),
        """
- One [fine|bright|cool] [day|morning], {name} began to build a [big|tall|huge|splendid] {object} {at}.
- "I shall build a {object}," {he} said [at breakfast|on Saturday|to {grown}], "the best one {at}!"
- {Friend} was {at} too, and {name} had a plan: a [real|great big|secret] {object}, just for the two of them.

- {name} worked all [morning|day] and did not stop [once|to eat|to rest].
- It grew and grew, until it was [taller|bigger] than {name}.
- {name} [pushed|carried] and [piled|patted] until the {object} was nearly done.

- Then [crash|bump|thump|whoops]! Down [came|fell] the {object}.
- Then came [the wind|a big wind|a gust of wind]. The {object} wobbled, and tumbled, and fell.
- One last piece, and [oh dear|crash|bump]! The {object} fell [flat|to bits].

- {name} sat down and [sighed|sniffed]. "It is no good," {he} said.
- "I give up," said {name}, and a [fat|small|cross] tear ran down {his} nose.
- For a while {name} said nothing at all. {He} only looked at {his} [feet|toes].

= built again, better
- "What does it stand on?" asked {grown}. So {name} began again, wide at the bottom this time.
- A {bird} hopped round it. "Big pieces first," it said. "I always build my nest that way."
- Then {he} rolled up {his} sleeves and began again, with the biggest pieces first.

- This time the {object} stood firm, even when {name} [leaned on it|jumped up and down].
- By evening the new {object} was done, and it did not wobble when {name} climbed inside.
- "Now blow, wind!" called {name}. The wind blew, and the {object} stayed right where it was.

= something new comes of it
- Then {he} saw it. Lying there like that, the {object} looked just like a [sleeping giant|great big bed|whale].
- "Wait," said {grown}. "Now it is a [bench|bus]! May I come aboard?"
- A [small|brown] {bird} came and sat on it, as if the {object} had been made for birds.

- "I meant to do that," said {name}, and {he} liked this {object} even better than the first.
- So {name} [laughed|had to laugh], and played on the fallen {object} until [it was dark|supper|the stars came out].
- {name} ate {his} supper on top of the {object} and thought it was the best one ever.
""",
    ),
    plot(
        "race",
        "somebody needs help in the middle of the race",
        "scooter, bike, cart, wagon, sledge, kart, barrow, trike, buggy, skateboard, tricycle",
        OUTDOORS,
        """
- There was to be a [great|big] race {at} on [Saturday|Sunday], and {he} polished {his} {object} [twice|until it
  shone].
- Every [year|spring|summer] there was a race {at}. This time {he} had a [new|very fast|bright red] {object}.
- "On your marks!" called the {folk}. {name} waited {at} with {his} [new|little|old] {object} and held {his} breath.

- Ready, steady, go! The {object} [shot away|flew along], and soon {he} was [in front|first|far ahead].
- Off they went! Nobody was [as fast as|faster than] {name} on {his} {object}.
- {name} went like the wind. The {object} [hummed|sang|rattled], and {his} ears blew back.

- Then {he} heard a [thump|cry]. {Friend} had landed in a ditch.
- But at the bend {friend} had tipped over and lay [in the nettles|in the mud|upside down].
- "Help!" called somebody. It was {friend}, stuck in a [hedge|prickly bush].

- {name} could see the finish. {He} could see {friend}. {He} turned the {object} round.
- "[Bother|Oh well]," said {name}, and {he} stopped the {object} at once.
- {name} did not think for long. {He} jumped off the {object} and ran back.

= last, and cheered the most
- "One, two, three, pull!" Soon {friend} was out, [muddy|dusty] but smiling. They came in last of all.
- {name} pulled and pulled until {friend} was free. By then the race was [over|won].
- It took a long time to get {friend} out, and everyone else went past.

- But how they cheered for {name} and that [muddy|dusty|slow] {object}!
- {name} did not win the race, but the {object} got the loudest cheer of the day.
- "That was the best race ever," said {friend}, and {name} gave the {object} a pat.

= home on one together
- "Hop on," said {name}. There was [just|only just] room for two.
- {name} moved up, and {friend} climbed on behind.
- "We shall go together," said {name}. It was a tight squeeze.

- So {name} and {friend} crossed the line on one {object}, both [laughing|first|last].
- "Who won?" asked {grown}. "The {object} won," said {name}, and {friend} agreed.
- {name} steered and {friend} pushed, and the {object} came home with two winners.
""",
    ),
    plot(
        "learning to ride",
        "{name} cannot stay on the {object}",
        "bike, scooter, skateboard, sledge, unicycle, trike, kart, pogo stick, hobby horse, wagon",
        tuple(place for place in OUTDOORS if place not in ("cliff", "waterfall", "fountain")),
        """
- {grown} gave {him} a [shiny|second-hand|bright red|sky-blue] {object}, and {he} took it to {place} to learn.
- One [fine|sunny|cool] [morning|day], {name} [pushed|dragged|carried] {his} new {object} all the way to {place}.
- Everybody {at} could ride a {object}, everybody but {name}. So {he} got one, too.

- {name} got on the {object} and fell off on the left. {He} got on again and fell off on the right.
- Wobble, wobble, [bump|crash|flop]! There {he} lay, with the {object} on top.
- The first time, {he} went one way and the {object} went the other.
- {name} fell off the {object} into a [puddle|bush|thistle], and then {he} did it again.

- "I shall never learn," said {name}, and [glared|scowled|frowned] at the {object}.
- {name} had a [scratched nose|sore knee|bump on the head] and wanted to go home.
- "[Silly|Horrid|Wicked] {object}," muttered {name}. The {object} said nothing.

= somebody holds on
- "I will hold you," said {grown}. "Look where you want to go, and not at your feet."
- Then {friend} came along. "Look at the [sky|far end|big tree]," said {friend}, "not at the ground."

- {name} [looked up|lifted {his} chin], and all at once the {object} ran straight on.
- {name} tried it. The {object} [wobbled|shook] once, and then it did not wobble any more.

- "Look, {name} can ride a {object}!" everybody shouted.
- Three times round the [big tree|old oak] went {name} and the {object}, and never fell.
- "Do not let go!" called {name}. But the {object} was running all by itself.

= never giving up
- "One more time," {he} told {himself}. "And then one more."
- But {he} came back [the next day|on Monday], and the day after that.
- {name} rubbed {his} knees, [sang a little song|counted to three], and got on again.

- On the [tenth|twentieth|hundredth] try, the {object} ran as straight as a arrow, and {name} shouted for joy.
- By [sunset|supper time|Sunday], {name} and the {object} went twice round the [big tree|old oak] without a wobble.
- "It was fun to fall, too," said {name} that night, and gave the {object} a [pat|kiss].
""",
    ),
    plot(
        "the play",
        "the {object} for the play is spoiled",
        "crown, cape, mask, wand, beard, cloak, wig, shield, sword, veil, helmet, hat",
        (*INDOORS, "garden", "park", "meadow", "orchard", "courtyard", "beach", "hill"),
        """
- There was going to be a play {at}, and {he} had a big part in it, with a [golden|silver|splendid|real] {object}.
- All week {he} had been learning {his} part for the play {at}. {He} even had a [golden|silver|paper] {object}.
- {He} was going to be in a play {at}. "I have four lines and a {object}," {he} told everyone.

- But just before it began, {he} sat on the {object}. [Crunch|Scrunch|Crack]!
- On {his} way there it [rained|poured], and the paper {object} went as soft as [butter|mud].
- But when {he} got there, there was no {object}. It was still at home, on the bed.

- "I cannot go on without a {object}," [whispered|sniffed] {name}.
- {name} felt [hot|cold] all over. No {object}, and everybody was waiting!
- "Oh, my poor {object}," said {name}, and {his} lip began to shake.

= a new one is made
- {Friend} picked [some ivy|some leaves|a bit of string] off the floor. "[Hold still|Quick|Watch this]," said
  {friend}.
- {grown} took an old newspaper. Snip, snap, fold, and it was done.

- When {name} came on with the new {object}, everybody [gasped|clapped|cheered].
- "What a splendid {object}!" they all whispered, and {name} did not forget a single word.
- It was a [crooked|funny] sort of {object}, but {name} stood up tall and said all four lines.

= done without it
- {name} took a deep breath. "[Shut your eyes|Please]," {he} told everyone, "and think of a {object}."
- "Then I shall pretend," said {name}, and {he} held up a {object} made of nothing at all.

- "That was the finest {object} I never saw," said {grown}, and {name} [laughed|bowed].
- And everybody saw that {object} as clearly as the moon. {name} had to bow [three|four|five] times.
- {name} bowed, and so did the {object} that was not there.
""",
    ),
)
