"""Topics of the body, of sleep and of small aches."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "hair",
        "ache",
        "my",
        "hair, haircut, fringe, beard, moustache, ponytail, plait, parting",
        """
        - {my} {noun} is [much too short|crooked|never straight]
        - {my} {noun} looks [like a bird's nest|silly|like a broom]
        - {my} {noun} turned [green|orange] [in the pool|by mistake]
        - {my} {noun} is a mess [today|in this wind|every morning]
        - {my} {noun} makes the children giggle
        - {my} {noun} was my own idea, and it shows
        = wishes
        - I wear a hat until {my} {noun} looks better.
        - There is a photo tomorrow, and I have this {noun}.
        - I walked past the mirror and did not know {my} {noun}.
        = tips
        - Wash {your} {noun} gently and comb it while it is wet.
        - Give {your} {noun} two weeks, since everything grows.
        - Wear a nice hat over {your} {noun} for now.
        - Let a good barber look at {your} {noun}.
        - Laugh about {your} {noun} first, and the others will laugh with you.
        """,
    ),
    topic(
        "illness",
        "ache",
        "my",
        "cold, cough, headache, fever, toothache, backache, earache, hiccup",
        """
        - {my} {noun} will not go away
        - {my} {noun} came back [on Monday|last night|after one good day]
        - {my} {noun} kept me awake [all night|until four]
        - {my} {noun} is worse [in the evening|when I lie down]
        - {my} {noun} always comes [at the weekend|before a party]
        - {my} {noun} makes me slow and cross
        - {my} {noun} got worse in the rain
        = wishes
        - I lie on the sofa with {my} {noun} and feel sorry for myself.
        - Everybody is outside, and I have {my} {noun}.
        - I drank hot lemon, but {my} {noun} did not care.
        = tips
        - Rest and drink warm tea until {your} {noun} is gone.
        - Go to bed early with {your} {noun}.
        - See a doctor if {your} {noun} does not get better.
        - Stay at home with {your} {noun} and sleep a lot.
        - Keep warm and be gentle with yourself while {your} {noun} lasts.
        """,
    ),
    topic(
        "aching parts",
        "ache",
        "my",
        "knee, ankle, elbow, shoulder, wrist, toe, thumb, neck, back, foot, finger, heel",
        """
        - {my} {noun} hurts [when I walk|after every game|since I fell]
        - {my} {noun} is [stiff|sore] every morning
        - {my} {noun} has been blue and green since Sunday
        - {my} {noun} itches and I cannot scratch it
        - {my} {noun} cracks like a dry stick
        - {my} {noun} got stung by a wasp
        - {my} {noun} aches when the weather changes
        = wishes
        - I could not play because of {my} {noun}.
        - I sit and hold {my} {noun}.
        - I never thought about {my} {noun} before.
        = tips
        - Put something cool on {your} {noun} for ten minutes.
        - Rest {your} {noun} for a few days.
        - Show {your} {noun} to a doctor if it still hurts next week.
        - Rub {your} {noun} gently with a warm hand.
        - Move {your} {noun} slowly and only a little at first.
        """,
    ),
    topic(
        "sleep",
        "ache",
        "my",
        "sleep, nap, nightmare, dream, bedtime, night",
        """
        - {my} {noun} was ruined by [a fly|the neighbours|a barking dog]
        - {my} {noun} is never [long|quiet] enough
        - {my} {noun} was all about [tests|stairs|a big grey goose]
        - {my} {noun} ended at four this morning
        - {my} {noun} was spoiled by the heat
        - {my} {noun} is worse when the moon is full
        = wishes
        - I yawn all day because of {my} {noun}.
        - I lay there, looked at the ceiling and thought about {my} {noun}.
        - I put salt in my tea after {my} {noun}.
        = tips
        - Drink some warm milk in the evening, and {your} {noun} may be better.
        - Leave your phone outside, so that it cannot disturb {your} {noun}.
        - Open the window for a while before {your} {noun}.
        - Write {your} {noun} and your worries into a little book.
        - Keep your room dark and cool for {your} {noun}.
        """,
    ),
    topic(
        "exercise",
        "event",
        "my",
        "workout, jog, run, swim, walk, stroll",
        """
        - {my} {noun} was over after ten minutes
        - {my} {noun} made me so tired that I sat down on the road
        - {my} {noun} is harder than last year
        - {my} {noun} always ends at the bakery
        - {my} {noun} went badly [in the rain|again|today]
        - {my} {noun} makes everybody laugh at me
        = wishes
        - My legs feel like jelly after {my} {noun}.
        - A lady of eighty was better than me at {my} {noun}.
        - I tell everybody about {my} {noun}, but I hate it.
        = tips
        - Make {your} {noun} shorter, but do it every second day.
        - Ask a friend to join you for {your} {noun}.
        - Drink some water before and after {your} {noun}.
        - Plan {your} {noun} for the hour when you feel best.
        - Write down every {noun} and be proud of it.
        """,
    ),
)
