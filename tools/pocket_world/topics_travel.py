"""Topics of the way to work, of shops and of holidays."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "buses and trains",
        "public",
        "the",
        "bus, train, tram, ferry, plane, coach, taxi",
        """
        - {my} {noun} was [twenty minutes|half an hour|an hour] late [again|this morning]
        - {my} {noun} left [early|without me|right in front of my nose]
        - {my} {noun} did not come [at all|this morning]
        - {my} {noun} stopped in the middle of nowhere
        - {my} {noun} was so full that [I stood on one leg|nobody could breathe]
        - {my} {noun} smelled of [wet dog|old cheese|somebody's lunch]
        - {my} {noun} took the long way round
        = wishes
        - I was late for work, thanks to {my} {noun}.
        - I stood in the cold and waited for {my} {noun}.
        - A snail is faster than {my} {noun}.
        = tips
        - Leave a little earlier, so that {your} {noun} cannot hurry you.
        - Take a good book along for {your} {noun}.
        - Look up when {your} {noun} leaves before you go out.
        - Ask somebody at work to share a ride instead of {your} {noun}.
        - Write down how late {your} {noun} is and send it to the office.
        """,
    ),
    topic(
        "cars",
        "thing",
        "my",
        "car, van, truck, minibus, scooter, motorbike, tractor",
        """
        - {my} {noun} will not start [in the cold|this morning|again]
        - {my} {noun} makes a [strange|loud] noise on every hill
        - {my} {noun} has a flat tyre [again|for the third time]
        - {my} {noun} broke down [in a tunnel|in the rain|far from home]
        - {my} {noun} drinks more fuel than [a bus|I can pay for]
        - {my} {noun} has a new scratch and nobody saw a thing
        - {my} {noun} smells of [fish|petrol|wet dog]
        = wishes
        - I pushed {my} {noun} home, and it was uphill.
        - I have to walk to work until {my} {noun} is mended.
        - The garage and {my} {noun} are old friends by now.
        = tips
        - Have the battery of {your} {noun} checked.
        - Take {your} {noun} to a garage that a friend likes.
        - Look at the oil and the tyres of {your} {noun}.
        - Leave {your} {noun} at home for a day and walk.
        - Write down when {your} {noun} makes the noise and tell the garage.
        """,
    ),
    topic(
        "bicycles",
        "thing",
        "my",
        "bicycle, bike, tricycle, pram, trolley, pushchair, wheelbarrow",
        """
        - {my} {noun} has a flat tyre [again|every Monday]
        - {my} {noun} squeaks like a [mouse|pig] all the way
        - {my} {noun} lost a wheel [on the hill|outside the school]
        - {my} {noun} pulls to the left [all the time|on every path]
        - {my} {noun} has been rusty since the rain
        - {my} {noun} disappeared from [the yard|the shed|outside the shop]
        - {my} {noun} is as heavy as [a piano|a cow]
        = wishes
        - I carried {my} {noun} up the stairs.
        - People turn round when I come with {my} {noun}.
        - Everywhere is far away without {my} {noun}.
        = tips
        - Put some oil on the wheels of {your} {noun}.
        - Pump up the tyres of {your} {noun} every week.
        - Keep {your} {noun} in a dry place at night.
        - Lock {your} {noun} to something strong.
        - Take {your} {noun} to the repair shop on the corner.
        """,
    ),
    topic(
        "roads",
        "public",
        "the",
        "road, street, pavement, crossing, path, roundabout, motorway, bridge",
        """
        - {my} {noun} is closed [again|for three weeks|until spring]
        - {my} {noun} is full of holes
        - {my} {noun} is one long puddle [today|after the rain]
        - {my} {noun} was so [busy|crowded] that nothing moved
        - {my} {noun} is as slippery as an ice rink
        - {my} {noun} is dug up every single summer
        - {my} {noun} was blocked by [a lorry|sheep|a fallen tree]
        = wishes
        - I now walk twice as far because of {my} {noun}.
        - There are only red signs on {my} {noun}.
        - Somebody in the town hall must hate {my} {noun}.
        = tips
        - Look for a quiet way round {your} {noun}.
        - Write to the town hall about {your} {noun}.
        - Leave ten minutes earlier while {your} {noun} is like this.
        - Wear good boots on {your} {noun}.
        - Ask a neighbour how they get past {your} {noun}.
        """,
    ),
    topic(
        "lifts",
        "public",
        "the",
        "lift, escalator, elevator, staircase, corridor, entrance",
        """
        - {my} {noun} is out of order [again|since Monday|this week]
        - {my} {noun} is always full when I am in a hurry
        - {my} {noun} smells of [old soup|paint|cabbage]
        - {my} {noun} was closed for cleaning [all morning|until noon]
        - {my} {noun} is so dark that I see nothing
        - {my} {noun} groans at night and wakes the whole house
        = wishes
        - I live on the fifth floor, and I think about {my} {noun} a lot.
        - I met all my neighbours because of {my} {noun}.
        - The shopping felt twice as heavy without {my} {noun}.
        = tips
        - Ask the caretaker when {your} {noun} will be mended.
        - Put a friendly note beside {your} {noun} for the others.
        - Look for another way in while {your} {noun} is closed.
        - Ask the neighbours to write about {your} {noun} together with you.
        """,
    ),
    topic(
        "shops",
        "public",
        "the",
        "shop, supermarket, market, queue, till, checkout",
        """
        - {my} {noun} was [so full|a nightmare] on Saturday
        - {my} {noun} moved like a snail [today|all morning]
        - {my} {noun} closed just when I came to the front
        - {my} {noun} is slower every week
        - {my} {noun} is so loud that my ears ring
        - {my} {noun} took my whole lunch break
        - {my} {noun} was in chaos before the holidays
        = wishes
        - All I wanted was [milk|one lemon], and I stood at {my} {noun} for an hour.
        - My ice cream melted while I was at {my} {noun}.
        - I forgot the bread and went back to {my} {noun} twice.
        = tips
        - Go to {your} {noun} early in the morning.
        - Write a short list before you go to {your} {noun}.
        - Take some music along to {your} {noun}.
        - Try {your} {noun} on a weekday, when it is quiet.
        - Ask a neighbour to share the trip to {your} {noun}.
        """,
    ),
    topic(
        "town places",
        "public",
        "the",
        "library, museum, park, zoo, cinema, theatre, pool, bakery, restaurant, playground",
        """
        - {my} {noun} was closed when I got there
        - {my} {noun} is so [crowded|noisy] at the weekend
        - {my} {noun} costs more [every year|than last summer]
        - {my} {noun} was full of [school classes|shouting people]
        - {my} {noun} had no free seat [at all|on Sunday]
        - {my} {noun} is not what it was
        - {my} {noun} opens [too late|only three days a week]
        = wishes
        - I had looked forward to {my} {noun} all week.
        - I walked an hour to {my} {noun}, and then home again.
        - We used to love {my} {noun}.
        = tips
        - Look up the hours of {your} {noun} before you leave.
        - Go to {your} {noun} on a rainy weekday.
        - Tell the people at {your} {noun} kindly what you think.
        - Take a snack along to {your} {noun}.
        - Find out who else loves {your} {noun} and go together.
        """,
    ),
    topic(
        "holidays",
        "event",
        "my",
        "holiday, trip, journey, flight, weekend, outing, cruise, hike, voyage",
        """
        - {my} {noun} was [cancelled|called off] [at the last minute|this morning]
        - {my} {noun} was one long [rain shower|wait]
        - {my} {noun} went wrong from the first [hour|minute]
        - {my} {noun} cost twice as much as I thought
        - {my} {noun} was over before I could rest
        - {my} {noun} left me more tired than before
        - {my} {noun} begins tomorrow and nothing is packed
        = wishes
        - I had looked forward to {my} {noun} for months.
        - I sent no postcards from {my} {noun}.
        - I need a rest from {my} {noun}.
        = tips
        - Write a list for {your} {noun} and tick things off.
        - Plan one lazy hour for every busy one of {your} {noun}.
        - Look at the photos of {your} {noun} in a month, and you will laugh.
        - Tell a friend the funny side of {your} {noun}.
        - Put a warm jumper and some biscuits in your bag for {your} {noun}.
        """,
    ),
    topic(
        "places to stay",
        "thing",
        "my",
        "hotel, room, flat, cottage, hostel, apartment, campsite",
        """
        - {my} {noun} is right beside a [busy road|railway|church bell]
        - {my} {noun} looks nothing like the photos
        - {my} {noun} is cold and [smells of paint|has no hot water]
        - {my} {noun} is full of [ants|flies|mosquitoes]
        - {my} {noun} is so far from everything that [no bus goes there|I got lost]
        - {my} {noun} is too small for two people and a suitcase
        - {my} {noun} was given to somebody else
        = wishes
        - I sleep in my coat in {my} {noun}.
        - Everybody hears every word in {my} {noun}.
        - I counted the days until I could leave {my} {noun}.
        = tips
        - Ask kindly for something better than {your} {noun}.
        - Sleep with ear plugs in {your} {noun}.
        - Put some flowers on the table, and {your} {noun} will feel like home.
        - Write down what is wrong with {your} {noun} and show it to the owner.
        - Spend the day outside and use {your} {noun} only for sleeping.
        """,
    ),
    topic(
        "camping",
        "thing",
        "my",
        "tent, hammock, canoe, raft, dinghy, caravan",
        """
        - {my} {noun} has a hole in the wrong place
        - {my} {noun} filled with rain [in the night|before breakfast]
        - {my} {noun} fell down [at midnight|with me in it]
        - {my} {noun} is [damp|full of sand|full of leaves] again
        - {my} {noun} was tied up with a rope, and now it is gone
        - {my} {noun} smells of [mud|old fish|wet socks]
        = wishes
        - I spent a wet night because of {my} {noun}.
        - Everybody at the lake knows {my} {noun} now.
        - Next summer I will leave {my} {noun} at home.
        = tips
        - Dry {your} {noun} in the sun for a whole day.
        - Mend {your} {noun} with a strong patch.
        - Look for flat, dry ground near the trees for {your} {noun}.
        - Try out {your} {noun} at home before the next trip.
        - Use a better rope for {your} {noun}.
        """,
    ),
)
