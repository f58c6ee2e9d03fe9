"""Stories out of doors: frost, water, seeds, rain, fog, the moon and the wind in the washing."""

from __future__ import annotations

from workshop_utils.pocket.plots import plot
from workshop_utils.pocket.words import OUTDOORS, SWIMMERS, WATERSIDE

PLOTS = (
    plot(
        "a cold day",
        "{name} has a {object} and somebody else has none",
        "scarf, coat, hat, jumper, cloak, shawl, blanket, bonnet, hood, jacket, cape",
        tuple(place for place in OUTDOORS if place not in ("greenhouse", "waterfall")),
        """
- One [frosty|snowy|icy] [morning|day], {name} set off for {place} in {his} [new|thick|warm|woolly] {object}.
- It was so cold {at} that the puddles creaked. {He} was glad of {his} [thick|red|woolly] {object}.
- {grown} had knitted {him} a [red|thick|stripy] {object}, and {he} wore it to {place} in the [snow|frost].

- There stood {friend}, who had no {object} and was [shivering|blue with cold|as cold as a stone].
- Along came {friend}, hopping from one foot to the other. {Friend} had no {object}.

- "I am not c-c-cold," said {friend}, through chattering teeth.
- "Where is your {object}?" asked {name}. "The wind took it," said {friend}.
- "What a lovely {object}," said {friend}, and sneezed.

= one for two
- "Come in, there is room for two," said {name}, and opened the {object} wide.
- So {name} wrapped the {object} round them both, and they walked on together.

- {name} and {friend} went home in one {object}, like a funny creature with two heads.
- "Left, right," said {name}, and the {object} went left and right.
- "Two in a {object} are warmer than one," said {name}, and {friend} stopped shivering.

= given away
- {name} took it off. "You have it," {he} said. "I shall run home."
- "Take mine," said {name}. "I can hop, and hopping is warm."
- {name} put it round {friend}. "There," {he} said. "It looks better on you."

- When {grown} heard of it, there was soon a new {object} for {name}.
- The next day {friend} brought back the {object}, with a handful of nuts in it for {name}.
- {name} ran all the way home without a {object}, and felt as warm as toast.
""",
    ),
    plot(
        "learning to swim",
        "the {object} floats away and {name} cannot swim",
        "boat, ball, raft, hat, hoop, basket, cap, bottle, ring, paddle, ship, balloon, oar, bucket",
        WATERSIDE,
        """
- {He} was afraid of deep water. {He} only sat {at} and played with {his} {object}.
- Everyone else {at} could swim. {name} only sat and played with {his} [red|yellow|blue|little] {object}.
- One [hot|sunny] day, {name} took {his} [red|yellow|blue|new] {object} to {place}.

- Then a [little|cheeky|sudden] wave tickled the {object} and carried it off.
- But the {object} floated away, farther and farther from the edge.
- Puff! The wind pushed the {object} out on the water.

- "Come back!" called {name}. The {object} did not come back.
- {name} put in one toe. Brrr! And the {object} went farther and farther.
- "I cannot swim," said {name}. "Not one bit."

= learning at once
- "Lie on the water like a leaf," said {grown}. "I have got you."
- {grown} waded in. "Kick your legs," said {grown}, "and blow bubbles."

- {name} kicked. {He} splashed. {He} swallowed [a little|a lot of] water. And then {he} was swimming!
- Kick, kick, kick, blow. {grown} let go, and {he} did not even notice.

- Ten more kicks, and {name} had the {object}. "Again!" {he} shouted.
- {name} came back with the {object} and a smile from ear to ear.
- "I went to fetch my {object}," {name} told everyone at supper, "and the water carried me."

= learning all summer
- Splash! {Friend} was already in the water, and brought it back.
- {Friend} swam out and brought it back. "It is easy," said {friend}.

- So every day they went in together, first up to the knees, and then up to the nose.
- "Teach me," said {name}. First {he} learned to float, and then to kick.

- By the end of the summer {name} swam so fast that the {object} could not keep up.
- By autumn {name} and {friend} raced the {object} out and back, and {name} won.
- And the next time the {object} floated away, {name} went after it like a fish.
""",
        not_for=SWIMMERS,
    ),
    plot(
        "a seed",
        "the {object} will not grow",
        "pumpkin, carrot, turnip, onion, cabbage, radish, leek, potato, melon, bean, beetroot, marrow, lettuce",
        ("garden", "orchard", "meadow", "field", "greenhouse", "farmyard", "valley", "courtyard", "hill"),
        """
- One spring [morning|day], {name} dug a [small|deep|round] hole {at} and planted a {object}.
- {grown} gave {him} something small and brown. "Put it in the ground {at}, and it will be a {object}."
- {He} wanted to grow the [biggest|best] {object} in the world, so {he} planted one {at}.

- The next [day|morning] {he} ran to look. There was no {object}. There was only mud.
- {name} waited [one day|two days|a week], and then {he} waited another. No {object}!
- "Grow!" {he} said to the {object}. Nothing moved.

- {name} [sang to it|stamped {his} foot|told it a story], but the ground stayed [bare|brown].
- "Is it asleep?" {he} asked {grown}. "It is busy," said {grown}. "It works in the dark."
- {name} wanted to dig it up and look. "Wait," said a {bird}. "Good things are slow."

= as big as can be
- Then it rained, and the sun came out, and up came a tiny green [tip|leaf].
- One morning there was a leaf, and then more leaves than {he} could count.
- {name} brought it water every [morning|evening], and at last there was something green.

- All summer it grew, until the {object} was bigger than {name}.
- {name} pulled, {grown} pulled {name}, and [pop|plop]! Out came the biggest {object} in the land.
- It took {name} and {grown} and {friend} to carry the {object} home.

= very small
- At last there was a {object}. It was no bigger than a thumb.
- At last {he} had a {object}, as small as a [button|berry].

- "It is the smallest {object} in the world!" said {name}, and laughed until {he} had hiccups.
- {name} cut it in four and gave everyone a piece. Never had a {object} tasted so good.
- "Hello, {object}," said {name}. "I was small once, too."
""",
    ),
    plot(
        "rain",
        "it rains, and everyone wants to come under the {object}",
        "umbrella, blanket, tray, box, sheet, cloak, raincoat, basket, coat, cape, parasol, tub",
        OUTDOORS,
        """
- {He} was {at} with a [big|old] {object} when [plip, plop|pitter, patter|drip, drop], it began to rain.
- One [grey|cloudy|dark] day it began to rain {at}, and {he} held {his} {object} over {his} head.
- The rain came down {at}, [all at once|harder and harder]. "I do not mind," {he} said. "I have my {object}."

- Under the {object} {he} was [quite dry|as dry as a bone].
- {name} sat under {his} {object} and listened to the drops.

- "May I come in?" asked a [wet|cold] {bird}. {name} moved up.
- "Is there room for one more?" asked a {bird}. "Yes," said {name}.

- Then {friend} came [running|splashing] by, and squeezed in, too.
- An ant came, and a beetle. "We are only small," they said, and in they went.
- Next came a snail, very slowly. {He} waited for it.

= too nice to leave
- {His} back got wet, but it was very jolly.
- They told each other stories, and nobody was cold.

- When the sun came out, nobody moved. "Once upon a time," said {name}, under the {object}.
- "It has stopped," said {name}. But they all stayed under the {object}, just a little longer.

= dancing in the rain
- At last only {his} nose was dry. So {he} stepped out.
- Soon there was no room for {him}. {He} went out and got wet from top to toe.

- {name} jumped in a puddle. Then they all came out from under the {object} and danced.
- "It is only water!" sang {name}, and the {object} was left alone in the grass.
- {name} turned the {object} upside down, and it was a bath for everyone.
""",
    ),
    plot(
        "fog",
        "{name} is lost in the fog",
        "whistle, bell, drum, horn, trumpet, rattle, gong, flute, fiddle, banjo, cowbell, bugle",
        tuple(place for place in OUTDOORS if place not in ("playground", "courtyard", "greenhouse", "market")),
        """
- {He} went to {place} with {his} [new|old|little|shiny] {object}, where nobody would mind the noise.
- One [autumn|grey|misty] [morning|evening], {name} went for a walk {at}, and took {his} {object} along.
- {He} was {at} with {his} [new|old|little|silver] {object}, going nowhere in particular.

- Then the fog came in, as white as [milk|wool]. {He} could not see {his} own feet.
- All at once there was fog everywhere. {He} could not see the sky.
- The fog came so quietly that {he} did not hear it.

- Which way was home? {name} turned left. {name} turned right. Everything was white.
- "Hello!" called {name}. The fog [swallowed it up|said nothing].
- {name} stood still and felt [very small|a little like crying|cold].

= heard from far away
- Then {he} remembered the {object}. Three times {he} made it sound, and three times more.
- So {he} made a great noise with the {object}, and then {he} listened.

- "Keep on!" called a voice. It was {grown}, far away. "I am coming!"
- Then {he} saw a little light. It was {grown}, coming nearer and nearer.

- {grown} followed the {object} all the way, and {name} ran straight into a hug.
- "I heard you," said {grown}. "Nobody plays the {object} like {name}."
- {name} held on to {grown} with one arm, and to the {object} with the other.

= two are lost together
- Then somebody sniffed, quite near. It was {friend}. "Do not cry," said {name}, "I have a {object}."
- And who was that? It was {friend}, lost too. "Take hold of my {object}," said {name}.

- They played a little tune. The fog listened and grew thin.
- They told each other jokes, very loudly.

- When the fog went, they were nearly home. "What a pity," said {name}, and played the {object} once more.
- {grown} heard the {object} from the door. "Supper!" And {name} and {friend} ran.
- Now {name} and {friend} never go out without the {object}, not even on sunny days.
""",
    ),
    plot(
        "the moon",
        "{name} wants to catch the moon in the {object}",
        "bucket, bowl, jar, cup, tub, dish, jug, pail, mug, basin, pot, barrel, kettle",
        tuple(place for place in OUTDOORS if place not in ("market", "greenhouse", "playground")),
        """
- One [clear|warm] night, {name} saw the moon {at}. "I shall take it home in a {object}," {he} said.
- {He} wanted the moon. So {he} took a [big|deep|blue] {object} to {place} in the dark.
- "I want the moon," {he} said, and {he} carried a [big|deep|blue] {object} to {place}.

- {name} climbed on a stone and held up the {object}. The moon stayed where it was.
- {name} ran after it with the {object}, but the moon ran, too.
- "Come down!" called {name}, and held up the {object}. The moon only smiled.

- {name} [jumped|waited|called] until {his} [legs|arms] were tired.
- {name} asked it nicely. {He} asked it again. Then {he} sang to it.

= caught in the water
- "Put some water in the {object}," said a sleepy {bird}, "and be very still."
- {name} was thirsty, so {he} filled the {object} with water and put it down.

- And there it lay, [round|white|small] and shining. {He} had the moon!
- {name} looked in, and there was the moon, so near that {he} could [touch it|kiss it].

- "Good night, moon," said {name}, and let it out of the {object}, back into the sky.
- {name} drank from the {object}, and went home with a bit of moon inside {him}.
- In the morning there was only water in the {object}. But {name} knew who had slept there.

= left for everyone
- "If you take it home," said {friend}, "what will everyone else look at?"
- "It is not a good idea," said a {bird}. "All of us need it to see by."

- {name} thought of [ships far out at sea|all the night birds|everyone who is afraid of the dark].
- {name} thought about it for a [long|good long] time.

- So {name} left the {object} in the grass, and in the morning it was full of dew.
- "Then I shall only look," said {name}, and put down the {object}.
- {name} took home an empty {object}, but the moon came along all the way.
""",
    ),
    plot(
        "washing day",
        "the wind has taken the {object} from the line",
        "sheet, shirt, sock, apron, towel, vest, jumper, hanky, scarf, bonnet, blanket, nightcap",
        (
            "garden",
            "meadow",
            "orchard",
            "field",
            "farmyard",
            "courtyard",
            "hill",
            "beach",
            "lighthouse",
            "moor",
            "island",
        ),
        """
- The washing hung {at}, and {he} had to watch the [white|blue|stripy] {object}.
- On washing day, {name} helped {grown} to hang up a [white|blue|stripy] {object} {at}.
- {At} hung {grown}'s [best|newest|Sunday] {object}. "You must watch it," said {grown}, and {name} did {his} best.

- The wind gave a [tug|great puff], the peg went [ping|pop], and off flew the {object}.
- [Flip, flap|Flap, flap]! The {object} danced and pulled, and away it went.
- {name} only looked away for a moment, and the {object} was gone.

- {name} ran after it, [over the hedge|through the mud|round the haystack], as fast as {he} could.
- "Stop that {object}!" shouted {name}, and waved {his} arms. The cows only looked up.
- Each time {he} nearly had it, it fluttered a little farther.

= a roof for a nest
- At last it came down right over a nest. "Please leave it," said a {bird}.
- It landed on a nest with [three|five] chicks in it. "May we keep it until it is warm?" asked a {bird}.

- So the {object} stayed there until [evening|the sun came out], and so did {name}.
- In the evening {name} brought the {object} home, with a small stone in it to say thank you.
- {name} told {grown} that the {object} was busy, and that was true.

= a ghost with two feet
- Then {friend} came round the corner, and it flew right over {friend}'s head. What a ghost!
- {Friend} was coming the other way and ran right into it. "Who put out the light?" asked {friend}.

- {name} laughed so much that {he} had to hold on to the {object}.
- They washed the {object} again, and this time {name} used [six|nine|twelve] pegs.
- {name} and {friend} carried the {object} home between them, like two soldiers.
""",
    ),
)
