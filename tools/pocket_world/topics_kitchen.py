"""Topics of the kitchen and of the table."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "kitchen machines",
        "thing",
        "my",
        "kettle, toaster, oven, fridge, freezer, dishwasher, blender, microwave, mixer",
        """
        - {my} {noun} [stopped|gave up|went quiet] in the middle of [breakfast|lunch|dinner|the morning]
        - {my} {noun} hums [all night|like a bee|when nobody is in the kitchen]
        - {my} {noun} makes a [strange|loud|funny] noise every [morning|evening|Sunday]
        - {my} {noun} smells [of smoke|burnt|odd] [today|again]
        - {my} {noun} works only [on good days|every second day|when I push it]
        - {my} {noun} will not start [today|any more|this week]
        - {my} {noun} switches itself off after [a minute|two minutes|a short time]
        = wishes
        - So [breakfast|lunch|dinner] was [cold|late|bread and cheese] again, all because of {my} {noun}.
        - I only want {my} {noun} to [work|do its job] for one [week|month].
        - The kitchen feels [empty|sad|strange] without {my} {noun}.
        - A new {noun} costs [too much|more than I have].
        = tips
        - Check the plug of {your} {noun} first.
        - Switch {your} {noun} off, wait ten minutes and try again.
        - Ask a friend who likes machines to look at {your} {noun}.
        - Clean {your} {noun} with a damp cloth when it is cold and unplugged.
        - Look for the little book that came with {your} {noun}.
        """,
    ),
    topic(
        "pots and pans",
        "thing",
        "my",
        "pan, pot, saucepan, wok, casserole",
        """
        - {my} {noun} [burns|blackens] everything that I put in it
        - {my} {noun} is black [at the bottom|on one side|inside and out]
        - {my} {noun} sticks to [every egg|all the rice|whatever I cook]
        - {my} {noun} lost its handle [over dinner|last night|on Sunday]
        - {my} {noun} smells of [old fish|last week's onions|burnt milk]
        - {my} {noun} wobbles on the [stove|cooker] like a boat
        - {my} {noun} is too [big|small|heavy] for [one egg|my stove|my sink]
        = wishes
        - Tonight we eat [bread|salad|cold beans], for I cannot look at {my} {noun}.
        - I scrubbed {my} {noun} for an hour, and now my arm hurts.
        - A clean {noun} would make me happy.
        = tips
        - Fill {your} {noun} with hot water and let it soak overnight.
        - Scrub {your} {noun} gently with salt and half a lemon.
        - Use a smaller flame under {your} {noun}.
        - Put a little more oil in {your} {noun} before you cook.
        - Boil some water with vinegar in {your} {noun}.
        """,
    ),
    topic(
        "cups and plates",
        "thing",
        "my",
        "cup, mug, plate, bowl, teapot, jug, vase, saucer",
        """
        - {my} {noun} has a [long|thin|new] crack down the side
        - {my} {noun} fell off the table and [chipped|broke in two]
        - {my} {noun} slipped [out of my hands|off the shelf] this morning
        - {my} {noun} has a brown stain that will not go away
        - {my} {noun} lost a piece in the [sink|dishwater]
        - {my} {noun} leaks on the [table|new cloth|kitchen floor]
        - {my} {noun} is [never clean|always dirty] when I need it
        = wishes
        - I got {my} {noun} from my [granny|aunt|sister], so I am sad.
        - Nothing tastes right without {my} {noun}.
        - I would keep {my} {noun} for ever if I could.
        = tips
        - Try a little strong glue on {your} {noun} and let it dry for a day.
        - Rub {your} {noun} with baking soda and a soft cloth.
        - Keep {your} {noun} at the back of the shelf, where it is safe.
        - Use {your} {noun} for buttons and coins if it cannot be mended.
        - Wash {your} {noun} by hand from now on.
        """,
    ),
    topic(
        "kitchen tools",
        "thing",
        "my",
        "knife, fork, spoon, ladle, whisk, grater, sieve, peeler, spatula",
        """
        - {my} {noun} is [never|not] in the drawer when I cook
        - {my} {noun} is bent [like a banana|on one side|out of shape]
        - {my} {noun} fell behind the [cooker|fridge|cupboard]
        - {my} {noun} has gone rusty [over the winter|in the sink|in the drawer]
        - {my} {noun} lost its handle in the [soup|sink|dishwasher]
        - {my} {noun} is too [old|weak|short] for [real work|my big pot|a family meal]
        - {my} {noun} [hides|gets stuck] at the back of the drawer
        = wishes
        - I cooked with [my fingers|an old stick|a ruler] instead of {my} {noun}.
        - It is hard to cook without {my} {noun}.
        - All I ask is a {noun} that stays in its drawer.
        = tips
        - Give {your} {noun} its own place near the cooker.
        - Hang {your} {noun} on a hook where you can see it.
        - Dry {your} {noun} well after every wash.
        - Empty the whole drawer and give {your} {noun} more room.
        - Look for another {noun} at the market, since they are cheap there.
        """,
    ),
    topic(
        "cooking",
        "thing",
        "my",
        "soup, stew, pie, sauce, curry, pizza, omelette, risotto, porridge",
        """
        - {my} {noun} burnt while I [talked to a friend|read a book|looked out of the window]
        - {my} {noun} tastes of [nothing|soap|old socks|salt and nothing else]
        - {my} {noun} came out [too salty|much too dry|grey|far too hot]
        - {my} {noun} stuck to the bottom of the [pan|dish]
        - {my} {noun} was still cold in the middle
        - {my} {noun} took [three hours|all evening] and nobody liked it
        - {my} {noun} looks nothing like the picture in the book
        = wishes
        - Even the dog [left|would not touch] {my} {noun}.
        - My family ate {my} {noun} and said [nothing|not a word].
        - Next time I want {my} {noun} to taste [like Granny's|of something].
        = tips
        - Cook {your} {noun} more slowly and stir it now and then.
        - Taste {your} {noun} early and add the salt in small pinches.
        - Ask a friend to show you how they make their {noun}.
        - Set a timer so that {your} {noun} cannot burn.
        - Try some fresh herbs on {your} {noun} at the end.
        """,
    ),
    topic(
        "baking",
        "thing",
        "my",
        "cake, loaf, muffin, biscuit, tart, scone, pudding, pancake, bun",
        """
        - {my} {noun} is as [flat|hard] as a [stone|board]
        - {my} {noun} did not rise [at all|this time|again]
        - {my} {noun} is burnt [on top|on one side] and raw inside
        - {my} {noun} fell apart when I [touched|cut] it
        - {my} {noun} stuck to the tin and came out in crumbs
        - {my} {noun} is too dry to [eat|swallow] without tea
        - {my} {noun} tastes of [salt|flour|nothing], not of sugar
        = wishes
        - The birds got {my} {noun} in the end.
        - I wanted to take {my} {noun} to the [party|office|school fair].
        - A soft, sweet {noun} is all I wanted.
        = tips
        - Keep the oven closed while {your} {noun} bakes.
        - Put some butter on the tin before {your} {noun} goes in.
        - Bake {your} {noun} at a lower heat for a little longer.
        - Weigh everything for {your} {noun} instead of guessing.
        - Cover {your} {noun} with cream, and nobody will see.
        """,
    ),
    topic(
        "food bought",
        "thing",
        "my",
        "sandwich, salad, banana, apple, peach, melon, lemon, carrot, potato, onion",
        """
        - {my} {noun} went bad [after one day|before I could eat it|in my bag]
        - {my} {noun} was [brown inside|soft on one side|a little green] when I opened the bag
        - {my} {noun} fell on the [floor|pavement|carpet] before the first bite
        - {my} {noun} was eaten by somebody [at work|at home|in the office]
        - {my} {noun} tastes of [water|the fridge|nothing] this week
        - {my} {noun} got squashed [at the bottom of|in] my bag
        - {my} {noun} rolled under the [seat|cupboard|table] and stayed there
        = wishes
        - I was so hungry, and {my} {noun} was all I had.
        - Lunch without {my} {noun} is no lunch.
        - I think about {my} {noun} more than I want to.
        = tips
        - Keep {your} {noun} in a hard box next time.
        - Write your name on the bag with {your} {noun} in it.
        - Buy {your} {noun} on the day when you want to eat it.
        - Keep {your} {noun} in a cool, dark place.
        - Buy another {noun} on the way home and enjoy it slowly.
        """,
    ),
    topic(
        "drinks",
        "thing",
        "my",
        "tea, coffee, cocoa, juice, lemonade, milkshake",
        """
        - {my} {noun} was [cold|gone] before I could drink it
        - {my} {noun} went all over [my shirt|the table|the carpet]
        - {my} {noun} tastes [of soap|of metal|like dishwater] today
        - {my} {noun} is far too [weak|sweet|strong]
        - {my} {noun} had a fly in it
        - {my} {noun} was too [full|sweet|dear] and I spilt half of it
        - {my} {noun} left a ring on [the new table|my homework|a good book]
        = wishes
        - I cannot start the day without {my} {noun}.
        - All I wanted was {my} {noun} and [five quiet minutes|a good book].
        - Without {my} {noun} I am no good to anybody.
        = tips
        - Sit down with {your} {noun} and do nothing else for five minutes.
        - Put a lid on {your} {noun} so that it cannot spill.
        - Try {your} {noun} with a little less sugar.
        - Make {your} {noun} again with fresh, clean water.
        - Keep {your} {noun} away from your [books|papers] and it will do no harm.
        """,
    ),
    topic(
        "meals",
        "event",
        "my",
        "breakfast, lunch, dinner, supper, snack, dessert",
        """
        - {my} {noun} was [cold|burnt|late] again
        - {my} {noun} ended up on the [floor|carpet|neighbour's shirt]
        - {my} {noun} was eaten by [the dog|my brother|somebody else]
        - {my} {noun} was over after two bites
        - {my} {noun} tasted of [nothing|paper|old bread]
        - {my} {noun} went wrong when the phone rang
        - {my} {noun} was spoiled by a fly
        = wishes
        - I had been hungry for hours, and then came {my} {noun}.
        - I dream of a warm, quiet {noun}.
        - My stomach still asks about {my} {noun}.
        = tips
        - Switch off your phone before you sit down to {your} {noun}.
        - Invite a friend and share {your} {noun}.
        - Plan {your} {noun} on the evening before.
        - Sit down for {your} {noun} and eat slowly.
        - Keep some nuts and an apple in your bag in case {your} {noun} goes wrong.
        """,
    ),
)
