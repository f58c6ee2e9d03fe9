"""Stories about kindness: sharing, giving back, helping, mending, and playing for somebody."""

from __future__ import annotations

from workshop_utils.pocket.plots import plot
from workshop_utils.pocket.words import OUTDOORS, PLACES

PLOTS = (
    plot(
        "sharing",
        "there is only one {object}, and two are hungry",
        "bun, pear, apple, sandwich, plum, peach, cake, pie, pancake, biscuit, scone, tart, orange, banana, "
        "muffin, waffle",
        OUTDOORS,
        """
- {grown} gave {him} a [big|fat|lovely] {object} to take along, and {he} sat down {at} to eat it.
- {He} had a [big|fat|lovely] {object}, all for {himself}, and took it to {place} to eat it in peace.
- All [morning|day] {he} had looked forward to {his} {object}. {At}, {name} took it out at last.

- Then {friend} came by, looked at the {object}, looked at the sky, and said nothing.
- "Is that a {object}?" asked {friend}, who had [nothing|only a crust|no lunch].
- Just then {friend} sat down, too. Rumble, went a tummy. It was not {name}'s tummy.

- {name} held the {object} a little tighter. It was not very big.
- One {object} and two tummies: that was a hard sum.
- {name} turned away and took a tiny bite. Somehow the {object} did not taste of much.

= cut in two
- So {he} cut it in two. One half was bigger, and {he} gave it away.
- "Half for you, half for me," said {name}, and nobody counted the crumbs.

- Half a {object} with {friend}, thought {name}, is more than a whole one alone.
- And do you know, half a {object} was just enough for {name}.
- They ate the {object} side by side, {name} and {friend}, and swung their legs.

= bite by bite
- "[You bite, then I bite|First you, then me]," said {name}. Bite by bite it grew smaller and smaller.
- {name} held it out. "You first," {he} said. To and fro it went.

- Nobody would take the last crumb of the {object}. "You," said {name}. "No, you," said {friend}.
- Then a {bird} ate the last of the {object}, and {name} and {friend} laughed and laughed.
- The last bite of the {object} went to a {bird}, who sang for {name} and {friend}.
""",
    ),
    plot(
        "something found",
        "{name} has found a {object} that belongs to somebody",
        "key, ring, purse, coin, glove, shoe, brooch, locket, medal, mitten, slipper, pipe, comb, diary, bracelet, "
        "necklace",
        OUTDOORS,
        """
- One [fine|cool|bright] [morning|day], {name} saw something in the grass {at}. It was a [small|fine|pretty] {object}.
- {He} was [walking|skipping|running] about {at} when {he} trod on something. It was a [small|fine|pretty] {object}.
- {At} {he} sat down, and jumped up again. Under {him} lay a [small|fine|pretty] {object}.

- "It is mine now," thought {name}, and {he} liked the {object} very much.
- {name} [brushed|blew] off the dust and wanted to keep the {object} for ever.
- {name} looked to the left and to the right. Nobody had seen the {object} but {him}.

- "Finders are not keepers," said a {bird} on a branch.
- But a small thought would not go away: somebody was looking for this {object}.
- "What have you got there?" asked {grown}. "And who is sad without it?"

= the owner is near
- So {he} knocked at [three|five|ten] doors. At the last one stood the {folk}. "My {object}!"
- Then {he} saw the {folk} looking under every bush. "Is this your {object}?" asked {name}. It was!
- {name} asked everyone, until {he} came to the {folk}. "That is my {object}," said the {folk}.

- {name} had lost a {object} and found a friend.
- The {folk} hugged {name} twice, once for the {object} and once for being honest.
- {name} let go of the {object}, and felt as light as air.

= a note on a tree
- {name} hung a note on a tree. "Found," it said, "and kept safe." The next day {friend} came running.
- "Who has lost something?" called {name}. And out of a bush came {friend}.

- "When I lose my {object} again," said {friend}, "I hope that {name} finds it."
- "My {object}!" cried {friend}, and danced {name} round and round.
- {name} gave back the {object}, and {friend} would not go home until they had shared a cherry.
""",
    ),
    plot(
        "pennies",
        "{name} wants the {object} in the shop, and somebody else needs the money",
        "kite, drum, globe, robot, doll, boat, guitar, puppet, sledge, train, rocket, scooter, ship, castle, "
        "violin, wagon, lantern",
        (
            "harbour",
            "pier",
            "beach",
            "lake",
            "river",
            "canal",
            "park",
            "hill",
            "bridge",
            "shore",
            "stream",
            "mill",
            "jetty",
        ),
        """
- In the little shop {at} there was a [shiny|splendid|beautiful] {object}, and {he} looked at it every day.
- More than anything in the world, {name} wanted the {object} in the little shop {at}.
- {He} had saved [nine|ten|twelve] pennies for the {object} in the little shop {at}.

- {name} swept steps for weeks, and at last {he} had enough for the {object}.
- It had taken all summer, but today {he} would buy the {object}.
- "Today I shall have that {object}," said {name}, and ran all the way.

- But on the way {he} met {friend}, crying. "I have lost our bread money," said {friend}.
- But there on a step sat {friend}. "Our bread money fell down the drain," said {friend}.

- {name} looked at the pennies. {He} thought of the {object}. Then {he} looked at {friend}.
- {name} felt the pennies in {his} pocket. They were warm.

= made by hand
- "Here," said {name}, and gave them all away. The {object} would have to wait.
- {name} counted them out, every single one, and went home by another road.

- A week later {friend} brought a {object} made of sticks, and {name} liked it better than any other.
- A week later there was a {object} at the door, made by {friend}, and on it stood: for {name}.

= left at the door
- "Take them," said {name}. "It is only a {object}." And {he} only looked back once.
- "You need bread," said {name}, "and I can look at the {object} for nothing."

- The next morning the {object} stood at the door, and {name} never found out who had done it.
- "I saw you," said the {folk}, and put the {object} into the arms of {name}.
- On {his} birthday {grown} came in with the {object}. "For {name}," said {grown}.
""",
    ),
    plot(
        "an errand",
        "{name} must bring the {object} safely over the water",
        "parcel, letter, card, cake, basket, hamper, bundle, pie, pudding, blanket, loaf, box",
        tuple(place for place in PLACES if place not in ("river", "stream", "canal", "waterfall", "island", "bridge")),
        """
- {grown} gave {him} a {object}. "Take this to the {folk} {at}," said {grown}, "and do not [dawdle|drop it|run]."
- The {folk} {at} was waiting for a {object}, and {name} was to carry it there, all by {himself}.
- {He} had an important job. {He} was to bring a {object} to the {folk} {at}.

- But it had rained all [night|week], and the road was under water.
- Half way there {he} came to a puddle as wide as a house.
- But where was the road? There was nothing but water, with a duck on it.

- "What now?" {he} asked the {object}. It did not say.
- {name} looked at the water. {name} looked at the {object}. It must not get wet.
- {name} hugged the {object} and thought [hard|and thought].

= thrown and caught
- "Throw it to me!" called {friend}. One, two, three, up it flew, and {friend} caught it.
- {Friend} came along on an old door. "All aboard!" said {friend}, and off they went.

- "What a lovely {object}," said the {folk}, and there was warm milk for {name} and {friend}.
- The {object} was only a little bit damp. "Well done, {name}. Well done, {friend}," said the {folk}.

= carried high
- So {he} held it high above {his} head and waded through, step by step by step.
- {name} went the long way round, through nettles and mud, and never let go.

- "What a good {object}," said the {folk}, "and what a good {kind} to bring it!" {name} skipped all the way home.
- {name} was wet to the ears, but the {object} was dry. "Not a drop on it!" cried the {folk}.
- The {folk} took the {object} and bowed to {name}, as if {he} were the queen.
""",
    ),
    plot(
        "a friend is ill",
        "a friend is ill, and nobody may go in",
        "shell, pebble, flower, feather, apple, pear, plum, book, puzzle, picture, balloon, puppet, lemon, "
        "drawing, orange, conker",
        tuple(place for place in OUTDOORS if place not in ("cliff",)),
        """
- {Friend} had [a cold|spots|a bad cough], and it was no fun for {name} to play {at} alone.
- It was much too quiet {at} without {friend}, who was ill in bed, and {name} kicked at the ground.
- Every day {name} met {friend} {at}. But today nobody came, for {friend} was ill.

- "I shall bring {friend} a {object}," said {name}, and {he} chose the best one of all.
- Then {he} found a [small|lovely|fine] {object}. "{Friend} would like that," said {name}.

- But the door was shut. "You cannot go in," said {grown}. "You might catch it."
- "Not today," said {grown} at the door. "{Friend} must sleep."
- But there was a note on the door: no visitors. {name} read it twice.

= up at the window
- So {he} tied the {object} to a long stick and held it up to the window.
- {name} put the {object} at the window and pulled a [funny|silly] face.

- Inside, {friend} hugged the {object} and laughed, and {name} danced in the street.
- "A {object}!" called {friend}. And {name} could hear that the cough was better.

= waiting
- {name} kept the {object} safe for [three|five|ten] days.
- Every morning {he} came and asked, and {he} took the {object} home again.

- Then the door flew open, and out ran {friend}. "For you," said {name}, and held out the {object}.
- At last {friend} was well. {name} gave {friend} the {object} and a very long hug.
- "I thought of you all week," said {name}. "So did the {object}." And {friend} grinned.
""",
    ),
    plot(
        "mending",
        "the old {object} has stopped",
        "clock, pump, radio, tractor, toaster, engine, kettle, music box, organ, train, oven, mower",
        (
            "kitchen",
            "cellar",
            "barn",
            "attic",
            "farmyard",
            "cottage",
            "boathouse",
            "shed",
            "hall",
            "cabin",
            "garden",
            "mill",
        ),
        """
- The old {object} {at} had stopped. It had never stopped before.
- One [morning|day], the {object} {at} went [clank|bang|twang], and then it went no more.
- Everybody liked the old {object} {at}. But [on Monday|one day] it would not go.

- {grown} shook it. The {folk} shook it, too. The {object} did not move.
- "It is too old," said the {folk}. "We must throw the {object} away."
- {grown} looked inside and shook it. The {object} was as quiet as a stone.

- "May I try?" asked {name}. "You are too small," they said.
- {name} felt sorry for the {object}, and {he} [patted|stroked] it.
- "It is not too old," said {name}. "It is only sad." And {he} sat down beside it.

= something small inside
- But {he} could see into the smallest hole. Deep inside was a [snail|beetle|bee], fast asleep.
- {name} put {his} ear to it. Somebody was snoring! It was a [snail|beetle|bee].

- {name} carried the sleeper out to the grass, and the {object} began to go.
- "Good morning," whispered {name}. Out it came, and the {object} was as good as new.
- {He} tickled it until it came out. "Who mended the {object}?" they all asked, and {name} smiled.

= a kind word
- "You have worked so hard," {he} told it. "Have a rest, and then try again."
- {name} sang it a song. Then {he} gave it a very small push.

- Tick, said the {object}. Tick, tick, hum. "You only had to ask," said {name}.
- And the {object} began to go, slowly and then faster, and {name} jumped for joy.
- The {object} never stopped again, and {name} said good morning to it every day.
""",
    ),
    plot(
        "a concert",
        "{name} cannot play the {object} yet",
        "drum, flute, violin, trumpet, harp, guitar, banjo, fiddle, tuba, horn, cello, ukulele, recorder, piano",
        tuple(PLACES),
        """
- There was to be a concert {at}, and {he} wanted to play the {object}.
- {He} had a [new|old|second-hand] {object}, and on Sunday there was to be a concert {at}.
- "On Sunday I shall play my {object} {at}," {he} told everyone.

- But when {he} tried it, it went [squeak|screech|plonk|honk]. The cat ran up a tree.
- But the {object} only made a noise like a [hungry hen|cow in a bath].
- But {he} sounded like somebody falling down the stairs with a {object}.

- "Stupid {object}," said {name}, and sat with {his} back to it.
- "I shall never play it," said {name}, and pushed the {object} under the bed.
- {name} went red. How did other people play a {object}?

= every day a little
- "Again," said a {bird} in the tree. "But slower." {He} tried it slower.
- So every day {he} practised three notes, and the cat came back.
- "One note is enough for today," said {grown}. {He} learned one, and the next day another.

- On Sunday {name} played three notes on the {object}, and they were the right ones.
- Everyone clapped for {name}, and the {object} shone in the sun.
- "Who is that on the {object}?" they whispered. "It is our {name}," said {grown}.

= two together
- "I can only sing one note," said {friend}. "Then we are a band," said {name}.
- But {friend} liked the noise, and stamped along to it, one, two, one, two.

- It was such a funny song that {name}, {friend} and the {object} had to play it three times.
- {friend} sang and the {object} honked, and {name} had never been so happy.
- "More!" they shouted. So {name} played the {object} again, and {friend} took a bow.
""",
    ),
)
