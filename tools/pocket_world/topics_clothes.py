"""Topics of what one wears and carries, and of what one loses."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "laundry",
        "thing",
        "my",
        "shirt, jumper, skirt, dress, blouse, cardigan, sock, vest, towel, apron",
        """
        - {my} {noun} turned [pink|grey|green] in the wash
        - {my} {noun} came out of the wash much too small
        - {my} {noun} never dries [in this weather|in winter|on the line]
        - {my} {noun} has a hole [again|in the middle|right at the front]
        - {my} {noun} still smells [damp|of smoke|of the cupboard] after two washes
        - {my} {noun} vanished somewhere between the basket and the line
        - {my} {noun} has a stain [of jam|of ink|of red sauce] that will not go
        = wishes
        - It was my best {noun} too.
        - I washed {my} {noun} three times, and my hands are red.
        - Now {my} {noun} would fit [a doll|a cat|a teddy bear].
        = tips
        - Wash {your} {noun} in cold water next time.
        - Soak {your} {noun} in soapy water overnight.
        - Hang {your} {noun} up in the fresh air for a day.
        - Wash {your} {noun} only with things of the same colour.
        - Sew a little patch on {your} {noun} and make it look cheerful.
        """,
    ),
    topic(
        "coats",
        "thing",
        "my",
        "coat, jacket, raincoat, hoodie, anorak, fleece",
        """
        - the zip of {my} {noun} is stuck [halfway|at the top] again
        - {my} {noun} lost [a button|its last button|two buttons] on the way home
        - {my} {noun} lets the rain in at the [back|neck|shoulders]
        - {my} {noun} is too thin for this [wind|winter|morning]
        - {my} {noun} has been too [tight|short] since [Christmas|last winter]
        - {my} {noun} has a hole in its pocket
        - {my} {noun} was gone when I left the [party|office|restaurant]
        = wishes
        - I shiver at every bus stop in {my} {noun}.
        - Winter is long without a good {noun}.
        - Everything falls out of {my} {noun} these days.
        = tips
        - Rub a little soap on the zip of {your} {noun}.
        - Take {your} {noun} to the tailor, who can mend it in a day.
        - Wear a thick jumper under {your} {noun}.
        - Sew your name inside {your} {noun}.
        - Look in the second-hand shop for another {noun}.
        """,
    ),
    topic(
        "shoes",
        "thing",
        "my",
        "shoe, boot, sandal, slipper, trainer, clog",
        """
        - {my} left {noun} [pinches|hurts] [at every step|on the stairs|all day]
        - {my} {noun} has a hole [in the sole|at the toe]
        - {my} {noun} squeaks [when I walk|in every quiet room|like a mouse]
        - {my} {noun} came apart in the [rain|middle of the street|park]
        - {my} {noun} is [soaking wet|full of sand|full of water] again
        - {my} right {noun} is gone, and only the left one is here
        - {my} {noun} smells so bad that [it sleeps outside|the dog ran away]
        = wishes
        - Now I walk with one wet foot because of {my} {noun}.
        - Everybody looks at {my} {noun} on the bus.
        - A {noun} that fits would make me so happy.
        = tips
        - Fill {your} {noun} with old newspaper overnight.
        - Take {your} {noun} to the cobbler on Saturday.
        - Wear {your} {noun} at home for an hour a day until it is soft.
        - Put a soft insole in {your} {noun}.
        - Let {your} {noun} dry slowly, far from the fire.
        """,
    ),
    topic(
        "hats and gloves",
        "thing",
        "my",
        "hat, scarf, glove, cap, mitten, belt, tie, bonnet",
        """
        - {my} {noun} [is lost|went missing] again [this week|today]
        - {my} {noun} stayed behind on the [bus|train|park bench]
        - {my} {noun} itches [all day|like mad|as if it were full of ants]
        - {my} {noun} is too [loose|tight|small] for me
        - {my} {noun} has come apart at [one end|the edge]
        - {my} {noun} blew into the [river|pond|road] this morning
        - {my} {noun} makes everybody [laugh|stare] at me
        = wishes
        - My aunt made {my} {noun}, and she will ask about it.
        - I feel cold and silly without {my} {noun}.
        - This is the third {noun} this winter.
        = tips
        - Ask at the lost property office about {your} {noun}.
        - Sew a little label with your name into {your} {noun}.
        - Keep {your} {noun} in the same pocket every day.
        - Wash {your} {noun} gently and let it dry flat.
        - Ask a friend who can sew to look at {your} {noun}.
        """,
    ),
    topic(
        "bags",
        "thing",
        "my",
        "bag, backpack, suitcase, handbag, rucksack, satchel, purse, wallet",
        """
        - {my} {noun} [split|burst] open in the middle of the [street|station]
        - {my} {noun} is so full that it will not close
        - {my} {noun} has a broken [zip|clasp|seam]
        - {my} {noun} was left behind [on the train|in the park|under a seat]
        - {my} {noun} swallows everything that I [need|look for]
        - {my} {noun} weighs more than [a small child|I do]
        - {my} {noun} is full of [crumbs|old tickets|sand|paper]
        = wishes
        - It took me ten minutes to find my keys in {my} {noun}.
        - I sat on {my} {noun}, but it would not close.
        - My whole life is in {my} {noun}.
        = tips
        - Empty {your} {noun} on the table and put back only half.
        - Put a bright ribbon on {your} {noun} so that you see it at once.
        - Ask the cobbler to mend {your} {noun}.
        - Ring the lost property office and describe {your} {noun}.
        - Use a small pouch for the little things in {your} {noun}.
        """,
    ),
    topic(
        "small lost things",
        "thing",
        "my",
        "key, ring, passport, ticket, badge, bracelet, necklace, earring, brooch, card",
        """
        - {my} {noun} is nowhere to be found
        - {my} {noun} was in my pocket, and now it is gone
        - {my} {noun} fell [down a drain|through a crack in the floor|behind the sofa]
        - {my} {noun} disappears whenever I am [late|in a hurry]
        - {my} {noun} is not [in the drawer|on the hook|on the shelf] where it lives
        - {my} {noun} stayed [at the hotel|at my sister's house|in my other coat]
        - {my} {noun} is bent [since I sat on it|at one corner]
        = wishes
        - I turned out [every pocket|the whole house], but no {noun}.
        - Without {my} {noun} I cannot go anywhere.
        - I would bake a cake for whoever finds {my} {noun}.
        = tips
        - Look for {your} {noun} in the pockets of yesterday's clothes.
        - Walk the same way again slowly and look for {your} {noun}.
        - Keep {your} {noun} in a bowl by the door from now on.
        - Ask in the last shop whether anybody found {your} {noun}.
        - Look for {your} {noun} under the cushions with a torch.
        """,
    ),
    topic(
        "clocks",
        "thing",
        "my",
        "clock, watch, alarm, timer, stopwatch",
        """
        - {my} {noun} [stopped|gave up] at [three|noon|midnight]
        - {my} {noun} is [ten minutes|half an hour|a whole hour] slow
        - {my} {noun} ticks so loudly that I cannot sleep
        - {my} {noun} went off at [four in the morning|the wrong time] again
        - {my} {noun} runs [fast|slow] whenever it is [cold|damp]
        - {my} {noun} is [never|not] right when it matters
        - {my} {noun} did not ring this morning
        = wishes
        - I was late for everything because of {my} {noun}.
        - I never know [the time|when to leave] with this {noun}.
        - The church bell is a better {noun} than mine.
        = tips
        - Put a fresh battery in {your} {noun}.
        - Put {your} {noun} in another room at night.
        - Set {your} {noun} again every Sunday evening.
        - Take {your} {noun} to the watchmaker in town.
        - Keep {your} {noun} away from the cold window.
        """,
    ),
    topic(
        "umbrellas",
        "thing",
        "my",
        "umbrella, parasol",
        """
        - {my} {noun} turned inside out in the [wind|first gust]
        - {my} {noun} stayed on the [bus|train] [again|without me]
        - {my} {noun} will not [open|close] any more
        - {my} {noun} has a hole [right over my nose|in the middle]
        - {my} {noun} lost two of its ribs
        - {my} {noun} is always at home when I need it
        = wishes
        - I came home as wet as a fish, thanks to {my} {noun}.
        - Every {noun} of mine gets lost in a week.
        - The rain laughs at {my} {noun}.
        = tips
        - Hang {your} {noun} on the door handle so that you see it.
        - Hold {your} {noun} into the wind, not away from it.
        - Tie your phone number to {your} {noun}.
        - Mend {your} {noun} with a little strong tape.
        """,
    ),
)
