"""Topics of the house and of the furniture in it."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "heating and cleaning machines",
        "thing",
        "my",
        "heater, boiler, washer, dryer, iron, fan",
        """
        - {my} {noun} [broke down|stopped working] on the [coldest|busiest] day of the year
        - {my} {noun} bangs and [rattles|shakes] like an old train
        - {my} {noun} will not get [hot|going] any more
        - {my} {noun} blew a fuse [last night|twice today]
        - {my} {noun} is [older than me|very old] and it shows
        - {my} {noun} smells [of hot dust|a little burnt]
        - {my} {noun} stops whenever I leave the room
        = wishes
        - I sit here in [two jumpers|my winter coat] and think about {my} {noun}.
        - The repair man looked at {my} {noun} and only shook his head.
        - I would love a quiet {noun}.
        = tips
        - Turn {your} {noun} off and let it rest for an hour.
        - Clean the dust out of {your} {noun} with a soft brush when it is unplugged.
        - Ring a repair man and describe the noise of {your} {noun}.
        - Check whether {your} {noun} still has a guarantee.
        - Make sure that {your} {noun} stands flat and has some air around it.
        """,
    ),
    topic(
        "bathroom",
        "thing",
        "my",
        "tap, shower, toilet, sink, bath, pipe, drain",
        """
        - {my} {noun} [drips|gurgles] all night long
        - {my} {noun} is blocked [again|with hair|completely]
        - {my} {noun} leaks [through the ceiling|onto the floor|a little more every day]
        - {my} {noun} has [no|hardly any] water today
        - {my} {noun} makes a noise like a [whale|sad cow|ghost]
        - {my} {noun} flooded the bathroom [this morning|last night]
        - {my} {noun} smells [bad|of old eggs|like a pond]
        = wishes
        - There is a bucket under {my} {noun} now.
        - I lie in bed and listen to {my} {noun}.
        - The plumber comes on [Friday|Thursday], and {my} {noun} does not care.
        = tips
        - Turn off the water before you touch {your} {noun}.
        - Clean {your} {noun} with hot water, vinegar and an old toothbrush.
        - Ring a plumber and tell them about {your} {noun}.
        - Put a bucket under {your} {noun} for the night.
        - Ask a handy neighbour to look at {your} {noun}.
        """,
    ),
    topic(
        "furniture",
        "thing",
        "my",
        "chair, table, desk, sofa, stool, shelf, cupboard, wardrobe, drawer, bookcase",
        """
        - {my} {noun} wobbles [when I look at it|at every touch]
        - {my} {noun} lost a screw [in the night|last week] and now it leans
        - {my} {noun} creaks [like an old ship|all day]
        - {my} {noun} is too [wide|big] for [the room|the corner|the door]
        - {my} {noun} has a deep scratch [on one side|right in front]
        - {my} {noun} came with three screws too few
        - {my} {noun} broke under [one book|the cat|a cup of tea]
        = wishes
        - There is a folded newspaper under {my} {noun} now.
        - I built {my} {noun} myself, and it shows.
        - My toe finds {my} {noun} every single night.
        = tips
        - Tighten every screw of {your} {noun} once more.
        - Put a piece of cork under {your} {noun}.
        - Rub a walnut over the scratch in {your} {noun}.
        - Ask a friend to help you with {your} {noun}, since four hands are better than two.
        - Move {your} {noun} closer to the wall.
        """,
    ),
    topic(
        "bedding",
        "thing",
        "my",
        "bed, mattress, pillow, blanket, duvet, quilt, cushion",
        """
        - {my} {noun} is as [hard as a board|lumpy as porridge|flat as a pancake]
        - {my} {noun} [slides|ends up] [on|to] the floor every night
        - {my} {noun} is full of [crumbs|dog hair|feathers and holes]
        - {my} {noun} is too [short|small] for me
        - {my} {noun} smells of [the cellar|wet dog|dust]
        - {my} {noun} has a hole, and [feathers|fluff] come out of it
        - {my} {noun} belongs to the cat now
        = wishes
        - I wake up with a stiff neck, thanks to {my} {noun}.
        - One good night in a soft {noun} would be heaven.
        - I counted sheep on {my} {noun} until four.
        = tips
        - Air {your} {noun} at the window every morning.
        - Turn {your} {noun} round once a month.
        - Sew up the hole in {your} {noun} before you sleep.
        - Put a clean cover on {your} {noun} tonight.
        - Give {your} {noun} a good shake outside.
        """,
    ),
    topic(
        "lamps",
        "thing",
        "my",
        "lamp, torch, lantern, light, bulb",
        """
        - {my} {noun} flickers [all evening|like a firefly|when it rains]
        - {my} {noun} went out [in the middle of a good book|just when I came home]
        - {my} {noun} is so [weak|dim] that I cannot read
        - {my} {noun} is much too bright [for my eyes|at night]
        - {my} {noun} buzzes like an angry fly
        - {my} {noun} died on the darkest night of the year
        - {my} {noun} goes on by itself at night
        = wishes
        - I walk into [doors|the wall|the table] without {my} {noun}.
        - Now I read in the [bathroom|hall], far from {my} {noun}.
        - A warm, steady {noun} is all I want.
        = tips
        - Let {your} {noun} cool down before you touch it.
        - Wipe the dust off {your} {noun}, since dust makes it dim.
        - Keep a spare {noun} in the cupboard.
        - Ask at the lamp shop what fits {your} {noun}.
        - Try {your} {noun} in another room.
        """,
    ),
    topic(
        "doors and windows",
        "thing",
        "the",
        "door, gate, window, lock, latch, shutter",
        """
        - {my} {noun} [sticks|squeaks] every time I come home
        - {my} {noun} bangs in the wind [all night|at three in the morning]
        - {my} {noun} will not [close|shut] properly
        - {my} {noun} has been stuck since the [rain|frost]
        - {my} {noun} came off its [hook|frame] today
        - {my} {noun} lets in the cold and every [fly|bit of wind]
        - {my} {noun} jammed while I stood outside [in my socks|with the shopping]
        = wishes
        - I have to kick {my} {noun} to get in.
        - The whole street hears {my} {noun}.
        - I only want {my} {noun} to open and shut.
        = tips
        - Put a drop of oil on {your} {noun}.
        - Rub some candle wax on {your} {noun} where it sticks.
        - Hold {your} {noun} in place with a piece of folded card for now.
        - Clean the edges of {your} {noun} with a dry brush.
        - Ask a carpenter to have a quick look at {your} {noun}.
        """,
    ),
    topic(
        "house",
        "thing",
        "the",
        "roof, wall, ceiling, floor, chimney, gutter, attic, cellar, balcony",
        """
        - {my} {noun} is [damp|wet] [again|after every storm]
        - {my} {noun} has a new crack as long as my arm
        - {my} {noun} smells of [mushrooms|old smoke|wet stone]
        - {my} {noun} looks [grey and tired|older every day]
        - {my} {noun} makes strange noises [at night|in the wind]
        - {my} {noun} needs paint, and I have no time
        - {my} {noun} is full of [spiders|dust|birds]
        = wishes
        - Visitors always look straight at {my} {noun}.
        - The builder looked at {my} {noun} and whistled.
        - I dream of a dry, clean {noun}.
        = tips
        - Ask two builders what they think about {your} {noun}.
        - Start with one small corner of {your} {noun}.
        - Take a photo of {your} {noun} every week, so that you see what changes.
        - Clean {your} {noun} on a dry day with a good brush.
        - Invite two friends and work on {your} {noun} together.
        """,
    ),
    topic(
        "television and radio",
        "thing",
        "my",
        "television, radio, stereo, remote, projector, speaker",
        """
        - {my} {noun} [crackles|goes quiet] at the best part
        - {my} {noun} switched itself on at midnight
        - {my} {noun} does nothing when I press the buttons
        - {my} {noun} hisses like a [goose|snake]
        - {my} {noun} works only when I stand on one leg
        - {my} {noun} has [a mind of its own|bad days] this week
        - {my} {noun} fell behind the [sofa|bookcase] and makes no sound now
        = wishes
        - I missed the end of the match because of {my} {noun}.
        - Our evenings are very [long|quiet] without {my} {noun}.
        - I talk to {my} {noun}, but it never listens.
        = tips
        - Take the plug or the batteries out of {your} {noun} and wait a minute.
        - Move {your} {noun} closer to the window.
        - Put fresh batteries in {your} {noun} or try another socket.
        - Wipe the dust from {your} {noun} with a dry cloth.
        - Ask a friend whether their {noun} does the same.
        """,
    ),
    topic(
        "decoration",
        "thing",
        "my",
        "carpet, rug, curtain, tapestry, picture, poster, frame",
        """
        - {my} {noun} hangs or lies crooked, whatever I do
        - {my} {noun} has lost its colour in the sun
        - {my} {noun} has a big [coffee|ink|mud] stain
        - {my} {noun} was chewed by the [dog|puppy]
        - {my} {noun} is too [large|dark] for [my room|the hall]
        - {my} {noun} came down [with a crash|in the night]
        - {my} {noun} is full of dust [again|two days after cleaning]
        = wishes
        - Every visitor looks at {my} {noun} first.
        - I paid a lot for {my} {noun}.
        - The room looks [bare|sad] without {my} {noun}.
        = tips
        - Try {your} {noun} on the other side of the room.
        - Clean {your} {noun} gently with a little soapy water.
        - Keep {your} {noun} out of the bright sun.
        - Ask somebody to hold {your} {noun} while you stand back and look.
        - Buy a small brush and use it on {your} {noun} every week.
        """,
    ),
)
