"""Topics of animals, of the garden, of the weather and of noise."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "cats",
        "animal",
        "my",
        "cat, kitten, tomcat",
        """
        - {my} {noun} wakes me at [four|five] every morning
        - {my} {noun} sleeps on [my face|the clean shirts|my keyboard]
        - {my} {noun} will not eat [anything but tuna|the new food]
        - {my} {noun} pushed [a cup|my plant|the clock] off the shelf
        - {my} {noun} has been out since [last night|Sunday]
        - {my} {noun} scratches the new sofa
        - {my} {noun} brings me a mouse every day
        = wishes
        - My {noun} looks at me as if I were the pet.
        - I am the servant of {my} {noun}.
        - I love {my} {noun}, even at four in the morning.
        = tips
        - Play with {your} {noun} for ten minutes every evening.
        - Give {your} {noun} a scratching post near the sofa.
        - Feed {your} {noun} a little later in the evening.
        - Put a soft blanket in a box for {your} {noun}.
        - Call {your} {noun} at dusk and shake the food.
        """,
    ),
    topic(
        "dogs",
        "animal",
        "my",
        "dog, puppy, poodle, spaniel, terrier, beagle, dachshund, sheepdog, collie",
        """
        - {my} {noun} barks at [the postman|every leaf|the moon]
        - {my} {noun} ate [my slipper|the homework|a whole cake]
        - {my} {noun} pulls so hard that my arm hurts
        - {my} {noun} jumped into the pond [again|in winter]
        - {my} {noun} digs holes all over the garden
        - {my} {noun} is afraid of [cats|the bath|a paper bag]
        - {my} {noun} howls whenever I go out
        = wishes
        - The whole street knows {my} {noun} by name.
        - My {noun} looks so sorry that I cannot be cross.
        - I follow {my} {noun} wherever he wants to go.
        = tips
        - Take {your} {noun} for a longer walk in the morning.
        - Give {your} {noun} something good to chew.
        - Praise {your} {noun} for every quiet minute.
        - Go to a dog school with {your} {noun}.
        - Stay calm, and {your} {noun} will be calm too.
        """,
    ),
    topic(
        "small pets",
        "animal",
        "my",
        "hamster, rabbit, gerbil, parrot, budgie, canary, tortoise, ferret",
        """
        - {my} {noun} got out of the cage [again|last night]
        - {my} {noun} makes a lot of noise at night
        - {my} {noun} sits in the corner and will not come out
        - {my} {noun} chewed through [my cable|the curtain|a good book]
        - {my} {noun} eats only [carrots|seeds|apple] now
        - {my} {noun} hides under the [cupboard|sofa]
        - {my} {noun} bit [my finger|my uncle] today
        = wishes
        - I crawled round the room and called {my} {noun}.
        - My {noun} is small, but the mess is big.
        - I only want {my} {noun} to be happy.
        = tips
        - Give {your} {noun} a bigger home with more to do.
        - Sit quietly beside {your} {noun} until it comes to you.
        - Put some fresh food in the cage for {your} {noun}.
        - Close the little door well after you feed {your} {noun}.
        - Ask a vet to have a look at {your} {noun}.
        """,
    ),
    topic(
        "farm animals",
        "animal",
        "my",
        "hen, goat, pony, donkey, sheep, duck, goose, cow, pig",
        """
        - {my} {noun} broke through the fence [again|at dawn]
        - {my} {noun} stood in the middle of the road
        - {my} {noun} ate the neighbour's [roses|lettuce|hat]
        - {my} {noun} will not go into the stable
        - {my} {noun} follows me [into the house|to the bus stop]
        - {my} {noun} shouts at sunrise every day
        - {my} {noun} is as stubborn as a wall
        = wishes
        - I ran after {my} {noun} in my pyjamas.
        - The neighbours shake their heads about {my} {noun}.
        - I know nobody with a {noun} like mine.
        = tips
        - Mend the fence, and {your} {noun} will stay in.
        - Find a friend for {your} {noun}, since nobody likes to be alone.
        - Feed {your} {noun} at the same hour every day.
        - Talk softly to {your} {noun} and wait.
        - Ask an old farmer about {your} {noun}.
        """,
    ),
    topic(
        "garden pests",
        "animal",
        "the",
        "slug, snail, wasp, ant, fly, mosquito, moth, spider, caterpillar, beetle, earwig, mole",
        """
        - {my} {noun} is back [again|this morning|in my kitchen]
        - {my} {noun} ate [a hole in everything|my lunch|my lettuce]
        - {my} {noun} comes every single [night|morning]
        - {my} {noun} sits there and looks at me
        - {my} {noun} brought its whole family
        - {my} {noun} is not afraid of me at all
        - {my} {noun} got into the [pantry|bathroom|shed]
        = wishes
        - I talked to {my} {noun}, but it did not listen.
        - My garden belongs to {my} {noun} now.
        - I do not want to hurt {my} {noun}, but it has to go.
        = tips
        - Carry {your} {noun} gently to the far end of the field.
        - Keep all food in tins, so that {your} {noun} finds nothing.
        - Plant some lavender, which may keep {your} {noun} away.
        - Put a fine net where {your} {noun} gets in.
        - Leave one small corner of the garden to {your} {noun}.
        """,
    ),
    topic(
        "garden plants",
        "thing",
        "my",
        "plant, rose, tomato, fern, cactus, orchid, tulip, sunflower, tree, bush, hedge, cucumber, pumpkin",
        """
        - {my} {noun} has [yellow|brown] leaves [again|this week]
        - {my} {noun} will not grow [at all|this year]
        - {my} {noun} was eaten by snails
        - {my} {noun} lost everything in one windy night
        - {my} {noun} leans to one side
        - {my} {noun} dried up while I was away
        - {my} {noun} is smaller than last year
        = wishes
        - I water {my} {noun} and sing to it.
        - My neighbour has a much bigger {noun}.
        - I so want {my} {noun} to live.
        = tips
        - Water {your} {noun} in the evening, but not too much.
        - Give {your} {noun} a place with more light.
        - Tie {your} {noun} to a strong stick.
        - Put some fresh earth round {your} {noun}.
        - Cut the dry bits off {your} {noun}.
        """,
    ),
    topic(
        "garden tools",
        "thing",
        "my",
        "spade, rake, hoe, shovel, mower, hose, bucket, hammer, saw, ladder, screwdriver, axe",
        """
        - {my} {noun} broke on the first dry day of the year
        - {my} {noun} was borrowed in spring and never came back
        - {my} {noun} is rusty [from end to end|after the winter]
        - {my} {noun} lay in the grass and I fell over it
        - {my} {noun} is too [heavy|old|small] for this garden
        - {my} {noun} disappeared from the shed
        - {my} {noun} has been stuck behind the bins since autumn
        = wishes
        - The grass is up to my knees, and I have no good {noun}.
        - I have a blister from {my} {noun}.
        - I asked the whole street about {my} {noun}.
        = tips
        - Clean {your} {noun} with an old brush and some oil.
        - Hang {your} {noun} on the wall of the shed.
        - Paint a red stripe on {your} {noun}.
        - Ask a neighbour to lend you another {noun}.
        - Wear thick gloves when you use {your} {noun}.
        """,
    ),
    topic(
        "outdoor things",
        "thing",
        "the",
        "fence, bench, shed, pond, lawn, hut, swing, bin, greenhouse",
        """
        - {my} {noun} is full of [leaves|mud|snow] again
        - {my} {noun} looked much better last summer
        - {my} {noun} was damaged in the storm
        - {my} {noun} is home to [a family of mice|three toads|a hedgehog] now
        - {my} {noun} smells strange in the sun
        - {my} {noun} has turned green all over
        - {my} {noun} needs work, and my back hurts
        = wishes
        - I look at {my} {noun} from the window and sigh.
        - My neighbour laughs about {my} {noun}.
        - I had such nice plans for {my} {noun}.
        = tips
        - Clean {your} {noun} bit by bit, an hour each Saturday.
        - Ask a friend with a van to help you with {your} {noun}.
        - Plant some flowers beside {your} {noun}.
        - Take a photo of {your} {noun} and ask in the garden shop.
        - Wait for a dry week before you start on {your} {noun}.
        """,
    ),
    topic(
        "weather",
        "public",
        "the",
        "rain, storm, wind, fog, frost, snow, drizzle, thunder, hail, gale, blizzard, mist",
        """
        - {my} {noun} spoiled our [picnic|walk|whole weekend]
        - {my} {noun} has been here since [Monday|last week]
        - {my} {noun} came just when I left the house
        - {my} {noun} is worse than last year
        - {my} {noun} got me on the way to work
        - {my} {noun} ruined my [garden|plans|new hat]
        - {my} {noun} keeps the children indoors
        = wishes
        - I look at {my} {noun} through the window all day.
        - The man on the radio said nothing about {my} {noun}.
        - Only the ducks like {my} {noun}.
        = tips
        - Put on some music and dance at home until {your} {noun} is over.
        - Invite a friend and play a long game until {your} {noun} is over.
        - Bake something sweet and watch {your} {noun} from the kitchen.
        - Listen to the forecast, and {your} {noun} cannot surprise you.
        - Keep a dry pair of socks in your bag because of {your} {noun}.
        """,
    ),
    topic(
        "noise",
        "public",
        "the",
        "noise, siren, bell, whistle, buzzing, hammering, shouting, drilling, laughter",
        """
        - {my} {noun} begins at [six|seven] every morning
        - {my} {noun} goes on [all day|until midnight]
        - {my} {noun} woke the baby [again|three times]
        - {my} {noun} comes through the wall
        - {my} {noun} is louder every day
        - {my} {noun} starts whenever I sit down
        - {my} {noun} makes the windows shake
        = wishes
        - I hear {my} {noun} even in my dreams.
        - I put a pillow over my head because of {my} {noun}.
        - Five minutes without {my} {noun} would be so lovely.
        = tips
        - Close the window and put on some soft music against {your} {noun}.
        - Wear ear plugs until {your} {noun} is over.
        - Ask politely when {your} {noun} will end.
        - Write down the hours of {your} {noun} for a week.
        - Go to the library while {your} {noun} lasts.
        """,
    ),
)
