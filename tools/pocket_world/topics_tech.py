"""Topics of computers, of the post and of paper."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "phones and computers",
        "thing",
        "my",
        "phone, tablet, laptop, computer, camera",
        """
        - {my} {noun} died in the middle of [a call|my work|the best part]
        - {my} {noun} is [slow|as slow as a snail] [today|since the update]
        - {my} {noun} fell [down the stairs|into the sink|on the pavement]
        - {my} {noun} freezes [every hour|whenever I am in a hurry]
        - {my} {noun} is full, although I saved only [ten photos|a few songs]
        - {my} {noun} never holds its charge [until lunch|for one hour]
        - {my} {noun} has a crack across the [screen|corner]
        = wishes
        - All my photos are on {my} {noun}.
        - I had not saved anything on {my} {noun}.
        - I feel lost without {my} {noun}.
        = tips
        - Turn {your} {noun} off and on again.
        - Save your photos first and then clear some space on {your} {noun}.
        - Charge {your} {noun} overnight with another cable.
        - Put a soft case on {your} {noun}.
        - Show {your} {noun} to the people in the repair shop.
        """,
    ),
    topic(
        "office machines",
        "thing",
        "the",
        "printer, copier, scanner, shredder, laminator",
        """
        - {my} {noun} eats [my paper|every second page]
        - {my} {noun} jams [every morning|when the boss is watching]
        - {my} {noun} says that it has no paper, but it is full
        - {my} {noun} blinks red and does nothing
        - {my} {noun} went on strike [before the meeting|five minutes before lunch]
        - {my} {noun} makes a noise like a [tractor|hungry goat]
        - {my} {noun} leaves black stripes on every page
        = wishes
        - My report is still inside {my} {noun}.
        - Everybody in the office hates {my} {noun}.
        - I wrote the whole page by hand because of {my} {noun}.
        = tips
        - Open the lid of {your} {noun} and look for a scrap of paper.
        - Switch {your} {noun} off and count to thirty.
        - Feed {your} {noun} fewer sheets at a time.
        - Clean the glass or the rollers of {your} {noun} with a dry cloth.
        - Ask who in the office knows {your} {noun} best.
        """,
    ),
    topic(
        "computer parts",
        "thing",
        "my",
        "keyboard, screen, charger, cable, headset, microphone, router",
        """
        - {my} {noun} [stopped working|gave up] [overnight|after one week]
        - {my} {noun} is [full of crumbs|dirty|sticky with juice]
        - {my} {noun} works only when I hold it at an angle
        - {my} {noun} was chewed by the [dog|cat|rabbit]
        - {my} {noun} comes loose [all the time|in every call]
        - {my} {noun} does not fit my new computer
        - {my} {noun} blinks at me and does nothing
        = wishes
        - I cannot work at all without {my} {noun}.
        - Nobody can hear or see me, thanks to {my} {noun}.
        - I have bought three of them, and still no good {noun}.
        = tips
        - Unplug {your} {noun}, wait and plug it in again.
        - Try {your} {noun} on a friend's computer.
        - Clean {your} {noun} with a dry brush.
        - Keep {your} {noun} away from drinks and pets.
        - Look at the little end of {your} {noun} for dust or a bent pin.
        """,
    ),
    topic(
        "online things",
        "thing",
        "the",
        "app, website, program, update, password, login",
        """
        - {my} {noun} does not work [today|on my phone|any more]
        - {my} {noun} changed overnight, and now I understand nothing
        - {my} {noun} takes [ten minutes|half the morning]
        - {my} {noun} gives me the same error [again and again|every day]
        - {my} {noun} threw away [my work|everything I typed]
        - {my} {noun} worked yesterday and is broken today
        - {my} {noun} drives me [up the wall|round the bend]
        = wishes
        - I tried {my} {noun} [five|ten|twenty] times.
        - Why does every {noun} hate me?
        - I was happy before {my} {noun} came along.
        = tips
        - Close everything and try {your} {noun} once more.
        - Try {your} {noun} on another computer.
        - Write down what {your} {noun} says and show it to a friend.
        - Wait an hour, since {your} {noun} may work again by itself.
        - Look at the help page of {your} {noun}.
        """,
    ),
    topic(
        "messages",
        "thing",
        "my",
        "email, message, letter, postcard, reply, invitation",
        """
        - {my} {noun} went to the wrong person
        - {my} {noun} is full of [silly mistakes|spelling mistakes]
        - {my} {noun} never arrived, and nobody knows where it is
        - {my} {noun} got no answer [for a week|at all]
        - {my} {noun} sounded [rude|cold], although I meant it kindly
        - {my} {noun} was gone before I had finished it
        - {my} {noun} took me two hours and is still only one line
        = wishes
        - I blush when I think about {my} {noun}.
        - Now the whole office laughs about {my} {noun}.
        - I want to write {my} {noun} once more, from the start.
        = tips
        - Read {your} {noun} aloud before you send it.
        - Write a short and friendly line to explain {your} {noun}.
        - Wait two more days and then send {your} {noun} again.
        - Let a friend read {your} {noun} first.
        - Keep {your} {noun} short and begin with something kind.
        """,
    ),
    topic(
        "parcels",
        "thing",
        "my",
        "parcel, package, delivery, order, packet, box",
        """
        - {my} {noun} was left in the rain [outside the door|behind the bins]
        - {my} {noun} went to the wrong [house|street|town]
        - {my} {noun} is [three days|two weeks] late
        - {my} {noun} arrived [squashed|half open|wet]
        - {my} {noun} came when I was in the [bath|shower]
        - {my} {noun} holds something that I never asked for
        - {my} {noun} has been on its way since [Monday|last month]
        = wishes
        - The present for [my sister|my mother] is in {my} {noun}.
        - I have waited at the window for {my} {noun} all day.
        - The postman shrugs when I ask about {my} {noun}.
        = tips
        - Ring the post office and give them the number of {your} {noun}.
        - Ask your neighbours whether they took in {your} {noun}.
        - Take a photo of {your} {noun} and send it to the shop.
        - Leave a note on the door about {your} {noun}.
        - Let {your} {noun} come to a friend who is at home all day.
        """,
    ),
    topic(
        "money",
        "thing",
        "my",
        "bill, rent, salary, budget, loan, pension, allowance",
        """
        - {my} {noun} looks [wrong|odd] this month
        - {my} {noun} makes me sigh every [month|Friday]
        - {my} {noun} is a mystery to me
        - {my} {noun} gives me a headache
        - {my} {noun} is a worry [again|this month]
        - {my} {noun} was not what I [hoped for|expected]
        - {my} {noun} keeps me awake [at night|until two]
        = wishes
        - I count my coins and think about {my} {noun}.
        - There will be no new shoes because of {my} {noun}.
        - I read the page about {my} {noun} three times.
        = tips
        - Write everything about {your} {noun} on one sheet of paper.
        - Ask somebody who is good with numbers to look at {your} {noun}.
        - Ring the office and ask about {your} {noun} in a friendly way.
        - Put a little money aside for {your} {noun} every week.
        - Keep all papers about {your} {noun} in one folder.
        """,
    ),
    topic(
        "books",
        "thing",
        "my",
        "book, novel, diary, magazine, notebook, dictionary, newspaper, atlas",
        """
        - {my} {noun} fell into the [bath|puddle|pond]
        - {my} {noun} has lost its last page
        - {my} {noun} is [torn|stained with jam|falling apart]
        - {my} {noun} disappeared from [my bag|the shelf|my desk]
        - {my} {noun} sends me to sleep after one page
        - {my} {noun} was borrowed by [a friend|my cousin] and never came back
        - {my} {noun} smells like [a wet dog|an old cellar]
        = wishes
        - Now I will never know how {my} {noun} ends.
        - I had {my} {noun} with me everywhere.
        - A quiet hour with {my} {noun} was all I wanted.
        = tips
        - Put {your} {noun} between two boards until it is dry and flat.
        - Mend {your} {noun} with thin, clear tape.
        - Ask in the library for another copy of {your} {noun}.
        - Write your name in {your} {noun}.
        - Keep {your} {noun} on a high, dry shelf.
        """,
    ),
    topic(
        "pens",
        "thing",
        "my",
        "pen, pencil, crayon, ruler, eraser, marker, stapler, paintbrush, sharpener",
        """
        - {my} {noun} broke in the middle of [a word|the lesson|a drawing]
        - {my} {noun} is always gone when I need it
        - {my} {noun} was taken by somebody in [my class|the office]
        - {my} {noun} rolled under the [cupboard|desk] and stayed there
        - {my} {noun} left a big [black|blue] mark on my [sleeve|shirt|bag]
        - {my} {noun} is too old to be of any use
        - {my} {noun} was chewed [by the dog|by my brother] until it split
        = wishes
        - I buy a new {noun} every week.
        - My desk is full, but there is no {noun} on it.
        - It was my favourite {noun} too.
        = tips
        - Tie {your} {noun} to your desk with a string.
        - Put your name on {your} {noun} with a small sticker.
        - Keep a second {noun} in your bag.
        - Keep {your} {noun} in a case with a lid.
        - Ask in your class whether anybody has seen {your} {noun}.
        """,
    ),
)
