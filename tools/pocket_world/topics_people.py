"""Topics of the people around us."""

from __future__ import annotations

from pocket_world.topics_form import topic

TOPICS = (
    topic(
        "neighbours",
        "person",
        "my",
        "neighbour, flatmate, roommate, lodger, tenant",
        """
        - {my} {noun} plays the drums [after midnight|every Sunday]
        - {my} {noun} never says hello [in the hall|on the stairs]
        - {my} {noun} slams the door [at six in the morning|day and night]
        - {my} {noun} leaves rubbish [in the hall|outside my door]
        - {my} {noun} cooks fish [every day|at midnight]
        - {my} {noun} sings in the shower, and always the same song
        - {my} {noun} complains about my [radio|shoes|plants]
        = wishes
        - The wall between me and {my} {noun} is very thin.
        - I want to be friends with {my} {noun}, but it is hard.
        - I know every sound that {my} {noun} makes.
        = tips
        - Bring {your} {noun} a small cake and have a friendly talk.
        - Ask {your} {noun} kindly for quiet after ten.
        - Write {your} {noun} a short, polite note.
        - Invite {your} {noun} for a cup of tea.
        - Agree on quiet hours with {your} {noun}.
        """,
    ),
    topic(
        "landlords",
        "person",
        "the",
        "landlord, caretaker, porter, janitor",
        """
        - {my} {noun} never [answers|rings back]
        - {my} {noun} promised to mend the heating in [May|spring]
        - {my} {noun} walks in without knocking
        - {my} {noun} lost my [key|letter|form]
        - {my} {noun} says that everything is fine when it is not
        - {my} {noun} shouts at the children [in the yard|on the stairs]
        = wishes
        - The whole house talks about {my} {noun}.
        - I wrote to {my} {noun} three times.
        - My pipes drip, and {my} {noun} drinks coffee.
        = tips
        - Write {your} {noun} a polite letter with the date on it.
        - Take photos and show them to {your} {noun}.
        - Ask the neighbours to talk to {your} {noun} together.
        - Thank {your} {noun} warmly when something gets done.
        """,
    ),
    topic(
        "boss",
        "person",
        "my",
        "boss, manager, supervisor, director, foreman",
        """
        - {my} {noun} sends me work [at midnight|on Sunday|in my lunch break]
        - {my} {noun} never says thanks
        - {my} {noun} wants everything by yesterday
        - {my} {noun} shouted at me in front of everybody
        - {my} {noun} forgot [my name|my holiday|what I do] again
        - {my} {noun} changes the plan [every hour|twice a day]
        - {my} {noun} took my idea and smiled
        = wishes
        - I dream about {my} {noun} at night.
        - Just once I want {my} {noun} to listen.
        - The whole office is afraid of {my} {noun}.
        = tips
        - Ask {your} {noun} for a quiet talk on a good day.
        - Write down what you did this week and show it to {your} {noun}.
        - Tell {your} {noun} calmly what you can do and by when.
        - Ask {your} {noun} which task comes first.
        - Leave your phone in a drawer at night, where {your} {noun} cannot reach you.
        """,
    ),
    topic(
        "colleagues",
        "person",
        "my",
        "colleague, assistant, secretary, trainee, helper",
        """
        - {my} {noun} talks [all day|through every meeting]
        - {my} {noun} eats my biscuits when I am out
        - {my} {noun} hums the same song from nine to five
        - {my} {noun} lost the papers that I needed
        - {my} {noun} is always ill on Mondays
        - {my} {noun} opens every window in winter
        - {my} {noun} takes my chair and my pens
        = wishes
        - I sit two feet away from {my} {noun}.
        - I cannot hear my own thoughts beside {my} {noun}.
        - I like {my} {noun}, but not every minute.
        = tips
        - Have a friendly chat with {your} {noun} over lunch.
        - Tell {your} {noun} in a calm voice what bothers you.
        - Share a tin of biscuits with {your} {noun}.
        - Make a small plan together with {your} {noun}.
        - Move your desk a little away from {your} {noun}.
        """,
    ),
    topic(
        "teachers",
        "person",
        "my",
        "teacher, tutor, headteacher, instructor, librarian, professor",
        """
        - {my} {noun} speaks so fast that I understand nothing
        - {my} {noun} gave us [twenty pages|ten tasks] for the weekend
        - {my} {noun} always asks me when I do not know
        - {my} {noun} lost my [notes|form|drawing]
        - {my} {noun} calls me by my brother's name
        - {my} {noun} was cross because I was [late|talking|laughing]
        - {my} {noun} never smiles at me
        = wishes
        - I blush whenever {my} {noun} looks at me.
        - I want {my} {noun} to like me.
        - My heart beats fast when {my} {noun} comes in.
        = tips
        - Ask {your} {noun} after the lesson to explain it again.
        - Tell {your} {noun} that you would like to do better.
        - Sit in the front row, close to {your} {noun}.
        - Thank {your} {noun} for something that you liked.
        - Write down your questions for {your} {noun}.
        """,
    ),
    topic(
        "friends",
        "person",
        "my",
        "friend, classmate, cousin, penfriend, teammate, playmate",
        """
        - {my} {noun} did not come to my party
        - {my} {noun} has not [written|called] for [two weeks|a month]
        - {my} {noun} told my secret to everybody
        - {my} {noun} is cross with me and will not say why
        - {my} {noun} is moving to another town
        - {my} {noun} borrowed my [bike|book|jumper] and lost it
        - {my} {noun} spends every day with somebody else
        = wishes
        - I miss {my} {noun} very much.
        - I only want to laugh with {my} {noun} again.
        - I sat alone at lunch without {my} {noun}.
        = tips
        - Tell {your} {noun} how you feel in a few simple words.
        - Invite {your} {noun} for a walk or a game.
        - Write {your} {noun} a letter by hand.
        - Give {your} {noun} a little time and then ask again.
        - Say sorry to {your} {noun} if something went wrong on your side.
        """,
    ),
    topic(
        "family",
        "person",
        "my",
        "brother, sister, uncle, aunt, nephew, niece, grandmother, grandfather, mother, father, husband, wife",
        """
        - {my} {noun} [snores|talks|sings] so loudly that the walls shake
        - {my} {noun} forgot my birthday [again|this year]
        - {my} {noun} thinks that I am still five years old
        - {my} {noun} burnt [the dinner|the cake|my toast] again
        - {my} {noun} ate the last piece of cake
        - {my} {noun} is cross about [a small thing|nothing at all]
        - {my} {noun} borrows my things and never asks
        = wishes
        - I love {my} {noun}, but today was hard.
        - We all tiptoe round {my} {noun}.
        - One quiet day with {my} {noun} would be so nice.
        = tips
        - Make {your} {noun} a cup of tea and have a quiet talk.
        - Tell {your} {noun} what you would like, in a kind voice.
        - Plan something nice together with {your} {noun}.
        - Let {your} {noun} have the last word, just for today.
        - Laugh about it together with {your} {noun}.
        """,
    ),
    topic(
        "children",
        "person",
        "my",
        "son, daughter, toddler, baby, grandson, granddaughter",
        """
        - {my} {noun} will not [sleep|go to bed|eat anything green]
        - {my} {noun} put [my shoe|a spoon|the soap] into the soup
        - {my} {noun} cries whenever I leave the room
        - {my} {noun} painted the [wall|cat|sofa] blue
        - {my} {noun} wakes up at five every morning
        - {my} {noun} says no to everything [today|this week]
        - {my} {noun} threw the breakfast on the floor
        = wishes
        - I have not slept since {my} {noun} learned to climb.
        - I love {my} {noun} more than anything, but I am so tired.
        - The house is a battlefield when {my} {noun} is awake.
        = tips
        - Read {your} {noun} the same short book every night.
        - Let {your} {noun} choose between two things.
        - Go out with {your} {noun} every day, even in the rain.
        - Ask a friend to play with {your} {noun} while you rest.
        - Praise {your} {noun} for every small good thing.
        """,
    ),
    topic(
        "guests",
        "person",
        "the",
        "guest, visitor, lady, gentleman, stranger",
        """
        - {my} {noun} stayed until two in the morning
        - {my} {noun} ate all the [cheese|cake|bread] and asked for more
        - {my} {noun} came two hours too early
        - {my} {noun} sat in my chair all evening
        - {my} {noun} told the same joke four times
        - {my} {noun} walked over the carpet in muddy boots
        = wishes
        - I smiled at {my} {noun} until my face hurt.
        - I hid in the kitchen from {my} {noun}.
        - The house is so quiet now that {my} {noun} is gone.
        = tips
        - Tell {your} {noun} at the start how long you have time.
        - Give {your} {noun} a small job in the kitchen.
        - Say kindly that you are tired, and {your} {noun} will understand.
        - Offer {your} {noun} a pair of warm slippers at the door.
        """,
    ),
    topic(
        "workmen",
        "person",
        "the",
        "plumber, builder, electrician, mechanic, decorator, painter, carpenter, cleaner",
        """
        - {my} {noun} did not come [today|again|on Monday]
        - {my} {noun} left the house full of dust
        - {my} {noun} came for an hour and drank four cups of tea
        - {my} {noun} says that it will take another week
        - {my} {noun} whistles the same tune all day
        - {my} {noun} sent me a bill that made me sit down
        - {my} {noun} mended one thing and broke another
        = wishes
        - I stayed at home all day for {my} {noun}.
        - I know the dog of {my} {noun} by name now.
        - Without {my} {noun} I have no kitchen.
        = tips
        - Ring {your} {noun} in the evening and ask for a firm day.
        - Ask {your} {noun} to write down what is left to do.
        - Agree on a price with {your} {noun} before the work starts.
        - Make {your} {noun} a list of all the small things.
        - Ask your friends about {your} {noun} and about others.
        """,
    ),
    topic(
        "health visits",
        "person",
        "my",
        "dentist, doctor, optician, nurse, hairdresser, barber, vet",
        """
        - {my} {noun} has no time for me until [June|next month]
        - {my} {noun} let me wait for two hours
        - {my} {noun} talked so much that I forgot my question
        - {my} {noun} moved to another town
        - {my} {noun} laughed when I told the whole story
        - {my} {noun} was cross because I was late
        = wishes
        - I am a little afraid of {my} {noun}.
        - I sat and read old magazines at the door of {my} {noun}.
        - I put off {my} {noun} for as long as I could.
        = tips
        - Write down your questions for {your} {noun} before you go.
        - Ask for the first hour of the day with {your} {noun}.
        - Take a good friend along to {your} {noun}.
        - Tell {your} {noun} openly what worries you.
        """,
    ),
)
