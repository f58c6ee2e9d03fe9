"""Topics of play, music, sport and parties."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "instruments",
        "thing",
        "my",
        "guitar, piano, violin, flute, drum, trumpet, recorder, cello, banjo, harp, accordion",
        """
        - {my} {noun} sounds [like a sick cow|like a cat in the rain|awful] today
        - {my} {noun} is out of tune again
        - {my} {noun} is too loud for the neighbours
        - {my} {noun} fell over and got a crack
        - {my} {noun} squeaks at the most beautiful part
        - {my} {noun} stayed silent in front of everybody
        - {my} {noun} has stood in the corner since [spring|Christmas]
        = wishes
        - The dog howls when I play {my} {noun}.
        - I practise {my} {noun} every day, and nobody claps.
        - My fingers hurt from {my} {noun}.
        = tips
        - Play {your} {noun} slowly and quietly for ten minutes a day.
        - Let somebody in the music shop look at {your} {noun}.
        - Keep {your} {noun} away from heat and damp.
        - Play one easy song on {your} {noun} for a friend.
        - Agree with the neighbours on a good hour for {your} {noun}.
        """,
    ),
    topic(
        "groups",
        "public",
        "my",
        "choir, band, orchestra, club, team, group",
        """
        - {my} {noun} never begins on time
        - {my} {noun} lost [again|for the tenth time|against a village of ten people]
        - {my} {noun} quarrels about [everything|the colour of the shirts]
        - {my} {noun} chose the one day when I am busy
        - {my} {noun} has too few people [this year|again]
        - {my} {noun} laughed when I made a mistake
        - {my} {noun} meets in a room without heating
        = wishes
        - I went home early from {my} {noun}.
        - We used to have such fun in {my} {noun}.
        - I bring biscuits to {my} {noun}, and that is all they like about me.
        = tips
        - Tell {your} {noun} openly what you would like.
        - Bring a cake to {your} {noun} and talk over it.
        - Invite somebody new to {your} {noun}.
        - Offer to plan one evening for {your} {noun}.
        """,
    ),
    topic(
        "puzzles",
        "thing",
        "my",
        "puzzle, jigsaw, crossword, riddle, game, sudoku",
        """
        - {my} {noun} is too hard for me
        - {my} {noun} was finished by my brother when I was out
        - {my} {noun} has lain on the table for three weeks
        - {my} {noun} keeps me up [until midnight|half the night]
        - {my} {noun} was spoiled by the cat
        - {my} {noun} was so easy that I was done in a minute
        - {my} {noun} makes my whole family quarrel
        = wishes
        - I dream about {my} {noun} at night.
        - Only one little bit of {my} {noun} is left.
        - My tea went cold over {my} {noun}.
        = tips
        - Begin {your} {noun} at the edge, with the easy part.
        - Leave {your} {noun} alone for a night and come back to it.
        - Ask somebody to do {your} {noun} with you.
        - Sit at a bright window with {your} {noun}.
        - Look for an easier {noun} first.
        """,
    ),
    topic(
        "matches",
        "event",
        "the",
        "match, race, tournament, final, championship",
        """
        - {my} {noun} was lost in the last minute
        - {my} {noun} was stopped because of the rain
        - {my} {noun} was so slow that the birds fell asleep
        - {my} {noun} ended with a broken window
        - {my} {noun} began without our best player
        - {my} {noun} was over before I found my seat
        - {my} {noun} was spoiled by the mud
        = wishes
        - I shouted so much at {my} {noun} that I lost my voice.
        - We trained all year for {my} {noun}.
        - Nobody in our team wants to talk about {my} {noun}.
        = tips
        - Think of one good moment in {your} {noun}.
        - Shake hands with the others after {your} {noun}.
        - Train a little every week until the next {noun}.
        - Eat well and sleep well before the next {noun}.
        - Talk about {your} {noun} with your team and then let it go.
        """,
    ),
    topic(
        "sports things",
        "thing",
        "my",
        "ball, racket, bat, helmet, skateboard, sledge, frisbee, surfboard",
        """
        - {my} {noun} flew over the fence and never came back
        - {my} {noun} broke [in the first game|on the first day|in two]
        - {my} {noun} is too [big|small|heavy] for me
        - {my} {noun} was left out in the rain
        - {my} {noun} hit [the window|the teacher|a tree] by mistake
        - {my} {noun} was borrowed and came back dirty
        - {my} {noun} disappeared from the sports hall
        = wishes
        - I cannot play without {my} {noun}.
        - I saved up for {my} {noun} all summer.
        - Everybody else has a better {noun}.
        = tips
        - Write your name on {your} {noun} in large letters.
        - Ring the bell next door and ask about {your} {noun}.
        - Dry {your} {noun} with an old towel after every game.
        - Borrow another {noun} from the school for now.
        - Keep {your} {noun} in the hall, where it is dry.
        """,
    ),
    topic(
        "toys",
        "thing",
        "my",
        "doll, teddy, robot, puppet, kite, balloon, yoyo, marble",
        """
        - {my} {noun} got lost [in the park|on the bus|at the fair]
        - {my} {noun} was run over by a [bike|pram]
        - {my} {noun} is stuck in a tree
        - {my} {noun} was a present, and now it is broken
        - {my} {noun} fell into the [pond|soup|river]
        - {my} {noun} went home with another child
        - {my} {noun} was carried off by a dog
        = wishes
        - I cannot fall asleep without {my} {noun}.
        - I told {my} {noun} all my secrets.
        - No other {noun} is like mine.
        = tips
        - Put up a little notice with a picture of {your} {noun}.
        - Walk back to the place where you last had {your} {noun}.
        - Ask a grown-up with a long stick to help with {your} {noun}.
        - Draw a picture of {your} {noun} and hang it up.
        - Ask whether somebody has found {your} {noun}.
        """,
    ),
    topic(
        "handicraft",
        "thing",
        "my",
        "drawing, painting, poem, song, scrapbook, collage, model, sculpture",
        """
        - {my} {noun} looks nothing like what I had in mind
        - {my} {noun} was laughed at by [my brother|half my class]
        - {my} {noun} is still not finished after [a year|six months]
        - {my} {noun} got wet on the way to school
        - {my} {noun} was hung in the darkest corner
        - {my} {noun} is a secret, and somebody found it
        - {my} {noun} came out much sadder than I wanted
        = wishes
        - I worked on {my} {noun} the whole winter.
        - I hide {my} {noun} when visitors come.
        - One kind word about {my} {noun} would be enough.
        = tips
        - Put {your} {noun} away for a week and then look again.
        - Show {your} {noun} to somebody who is kind.
        - Keep {your} {noun} even if you do not like it today.
        - Try a second, smaller one beside {your} {noun}.
        - Work on {your} {noun} for only a quarter of an hour a day.
        """,
    ),
    topic(
        "parties",
        "event",
        "the",
        "party, wedding, picnic, barbecue, reunion, parade, fair, concert, dance",
        """
        - {my} {noun} was rained off
        - {my} {noun} was so loud that I went home early
        - {my} {noun} is on Saturday and I have nothing to wear
        - {my} {noun} ran out of food after [ten minutes|an hour]
        - {my} {noun} was full of people that I did not know
        - {my} {noun} ended with a quarrel about a chair
        - {my} {noun} is next week, and I was not invited
        = wishes
        - I stood alone in a corner at {my} {noun}.
        - I baked for two days for {my} {noun}.
        - I bought new shoes for {my} {noun}, and they hurt.
        = tips
        - Ask one friend to go to {your} {noun} with you.
        - Plan {your} {noun} with a list and start with the food.
        - Wear something to {your} {noun} that feels soft and warm.
        - Have a plan for rain on the day of {your} {noun}.
        - Talk to somebody at {your} {noun} who stands alone too.
        """,
    ),
    topic(
        "birthdays",
        "event",
        "my",
        "birthday, anniversary, graduation, jubilee, farewell",
        """
        - {my} {noun} was forgotten by everybody
        - {my} {noun} was spent in a traffic jam
        - {my} {noun} was quiet, far too quiet
        - {my} {noun} went wrong when the lights went out
        - {my} {noun} ended with a phone call about a broken pipe
        - {my} {noun} was eaten up by work
        = wishes
        - I sat at the table alone on the day of {my} {noun}.
        - I had a candle and a good book for {my} {noun}.
        - I told everybody that {my} {noun} did not matter, but it did.
        = tips
        - Invite two good friends and have {your} {noun} a second time.
        - Tell your family that {your} {noun} matters to you.
        - Make {your} {noun} a little bit special with flowers and music.
        - Plan {your} {noun} early and ask for help.
        """,
    ),
    topic(
        "presents",
        "thing",
        "the",
        "present, gift, bouquet, surprise, hamper, souvenir",
        """
        - {my} {noun} was the same as last year
        - {my} {noun} came [a week late|with somebody else's name on it]
        - {my} {noun} was meant for [my aunt|my teacher], and the dog found it
        - {my} {noun} looked [bigger|much nicer] in the shop
        - {my} {noun} is too big to wrap
        - {my} {noun} was not a secret for long
        - {my} {noun} cost all my money and nobody smiled
        = wishes
        - I had to smile and say that I loved {my} {noun}.
        - I hid {my} {noun} so well that I cannot find it.
        - I thought about {my} {noun} for weeks.
        = tips
        - Write a warm card to go with {your} {noun}.
        - Wrap {your} {noun} in a page of an old map.
        - Say thank you for {your} {noun}, since somebody meant it well.
        - Keep {your} {noun} in a high cupboard until the day.
        - Ask in the shop whether {your} {noun} can be changed.
        """,
    ),
    topic(
        "films and shows",
        "public",
        "the",
        "film, show, play, musical, programme, series, circus, exhibition",
        """
        - {my} {noun} was so boring that my neighbour snored
        - {my} {noun} was sold out when I came
        - {my} {noun} ended so badly that I shouted at the wall
        - {my} {noun} was far too long
        - {my} {noun} was spoiled by a man with a big hat
        - {my} {noun} was nothing like what people said
        - {my} {noun} was too sad for a Friday evening
        = wishes
        - I paid for two seats at {my} {noun}.
        - I ate all my sweets before {my} {noun} began.
        - Everybody else loved {my} {noun}.
        = tips
        - Ask a friend what they liked about {your} {noun}.
        - Book a seat early for the next {noun}.
        - Read a little about {your} {noun} before you go.
        - Sit at the end of a row at {your} {noun}, and you can leave.
        """,
    ),
)
