"""Topics of school and of work."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "homework",
        "thing",
        "my",
        "homework, essay, project, report, speech, worksheet, presentation, summary",
        """
        - {my} {noun} is due [tomorrow|on Monday|in an hour] and I have not begun
        - {my} {noun} was eaten by the [dog|goat|rabbit]
        - {my} {noun} is much too [long|short|difficult]
        - {my} {noun} got wet in my bag
        - {my} {noun} came back full of red ink
        - {my} {noun} takes me the whole weekend
        - {my} {noun} disappeared [overnight|on the way to school]
        = wishes
        - I have stared at {my} {noun} for two hours.
        - Everybody else has finished, and I sit over {my} {noun}.
        - I cannot go out to play because of {my} {noun}.
        = tips
        - Begin with the easiest part of {your} {noun}.
        - Work on {your} {noun} for twenty minutes and then take a break.
        - Ask a classmate to look at {your} {noun} with you.
        - Keep {your} {noun} in a folder with a lid.
        - Put your phone in another room and then start {your} {noun}.
        """,
    ),
    topic(
        "exams",
        "event",
        "the",
        "exam, test, quiz, audition, interview, dictation",
        """
        - {my} {noun} is [tomorrow|on Friday|next week] and I know nothing
        - {my} {noun} was [so hard|longer than I thought]
        - {my} {noun} had one question that nobody understood
        - {my} {noun} makes my hands shake
        - {my} {noun} went badly [today|this morning]
        - {my} {noun} was moved to my birthday
        - {my} {noun} went past me like a bad dream
        = wishes
        - My mouth was dry all through {my} {noun}.
        - I learned for days, and then {my} {noun} was different.
        - I cannot sleep before {my} {noun}.
        = tips
        - Learn a little every day before {your} {noun}.
        - Sleep well in the night before {your} {noun}.
        - Ask a friend to practise for {your} {noun} with you.
        - Breathe slowly three times when {your} {noun} begins.
        - Look at what went well in {your} {noun} too.
        """,
    ),
    topic(
        "meetings",
        "event",
        "the",
        "meeting, conference, call, workshop, briefing, seminar",
        """
        - {my} {noun} [took|lasted] [three hours|all morning] and nothing was decided
        - {my} {noun} is always right before lunch
        - {my} {noun} was moved [again|twice today|to Saturday]
        - {my} {noun} was so boring that I drew forty ducks
        - {my} {noun} began without me
        - {my} {noun} was only one person talking
        - {my} {noun} went on until the sun was down
        = wishes
        - My stomach rumbled all through {my} {noun}.
        - I fell asleep in {my} {noun} with my eyes open.
        - One short letter would do instead of {my} {noun}.
        = tips
        - Ask for a short list of topics before {your} {noun}.
        - Bring a clock to {your} {noun} and put it on the table.
        - Say your most important point first in {your} {noun}.
        - Take a short walk right after {your} {noun}.
        - Ask whether {your} {noun} could be held standing up.
        """,
    ),
    topic(
        "lessons",
        "event",
        "the",
        "lesson, class, course, lecture, training, rehearsal",
        """
        - {my} {noun} was [so boring|much too fast|too hard for me]
        - {my} {noun} begins so early that I am half asleep
        - {my} {noun} was cancelled and nobody told me
        - {my} {noun} was full of people who knew more than me
        - {my} {noun} takes place in the coldest room of the house
        - {my} {noun} went over my head
        = wishes
        - I looked out of the window all through {my} {noun}.
        - I forgot my pen and my notes for {my} {noun}.
        - My friends left {my} {noun}, and I am alone there.
        = tips
        - Read your notes once more on the day after {your} {noun}.
        - Find somebody to learn with after {your} {noun}.
        - Ask one question in every hour of {your} {noun}.
        - Sit near the front during {your} {noun}.
        """,
    ),
    topic(
        "job",
        "event",
        "my",
        "job, shift, commute, workday, break",
        """
        - {my} {noun} is [too long|the same every day|never as planned]
        - {my} {noun} leaves me [tired|cross|hungry] every evening
        - {my} {noun} was changed without a word
        - {my} {noun} is not what I was promised
        - {my} {noun} is noisy from start to end
        - {my} {noun} gets worse [every week|in winter]
        = wishes
        - I sigh every morning when I think about {my} {noun}.
        - My sister loves her work, but I only count the hours of {my} {noun}.
        - I have no time for my friends because of {my} {noun}.
        = tips
        - Write down what you like about {your} {noun} and what you do not.
        - Talk to somebody who has done {your} {noun} for years.
        - Plan something nice for after {your} {noun}.
        - Ask whether one small thing about {your} {noun} could change.
        """,
    ),
    topic(
        "plans and papers",
        "thing",
        "my",
        "list, timetable, calendar, plan, form, certificate, map, recipe",
        """
        - {my} {noun} is so long that it needs two pages
        - {my} {noun} makes no sense [at all|to me|any more]
        - {my} {noun} blew out of the window
        - {my} {noun} has a coffee stain on the most important line
        - {my} {noun} was lost between two other papers
        - {my} {noun} was wrong from the first line
        - {my} {noun} went through the wash in my pocket
        = wishes
        - I turned {my} {noun} round and round.
        - I wrote {my} {noun} in a hurry.
        - Nothing goes right without {my} {noun}.
        = tips
        - Copy {your} {noun} in large, clear letters.
        - Pin {your} {noun} to the kitchen wall.
        - Take a photo of {your} {noun} so that it cannot get lost.
        - Go through {your} {noun} line by line with a friend.
        - Keep {your} {noun} in a clear folder.
        """,
    ),
)
