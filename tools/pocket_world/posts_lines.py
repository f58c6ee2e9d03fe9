"""The general sentences of the posts: they fit every noun, or every noun of a sort."""

from __future__ import annotations

from workshop_utils.pocket.grammar import Wording, parse


def lines(text: str) -> tuple[Wording, ...]:
    """Read one wording a line."""
    return tuple(parse(line.strip()) for line in text.strip().split("\n"))


OPENINGS = lines(
    """
    I have to [talk|write|complain] about {my} {noun}.
    Today I will [talk|write] about {my} {noun} and nothing else.
    [Today|This week|This morning] was all about {my} {noun}.
    It is {my} {noun} again.
    Oh, {my} {noun}!
    Oh, {my} {adjective} {noun}!
    Where do I begin with {my} {noun}?
    {My} {noun} and I are not friends [today|this week].
    Nothing makes me sigh like {my} {noun}.
    I woke up and thought of {my} {noun}.
    There is [trouble|bad news] with {my} {noun}.
    Another [day|week|morning], another story about {my} {noun}.
    I never wanted to complain about {my} {noun}, but here I am.
    I do not ask for much, only for a little luck with {my} {noun}.
    [Help|Oh dear|Well], {my} {noun}!
    This is a short post about {my} {noun}.
    """
)
TROUBLES = lines(
    """
    {Trouble}.
    {Trouble}!
    {Trouble}, and I am [cross|sad|so tired|not amused].
    The trouble is that {trouble}.
    Would anybody believe that {trouble}?
    It is true that {trouble}.
    I am [cross|sad|annoyed|unhappy] because {trouble}.
    My day was [bad|spoiled|long] because {trouble}.
    To be honest, {trouble}.
    I cannot believe it, {trouble}.
    """
)
# Questions into the air, which the post itself does not answer; the first few tell the trouble.
ASKED_TROUBLES = lines(
    """
    Does anybody know why {trouble}?
    Can anybody tell me why {trouble}?
    Has anybody else noticed that {trouble}?
    Who can explain to me why {trouble}?
    Is it my fault that {trouble}?
    """
)
QUESTIONS = lines(
    """
    Why is it always {my} {noun}?
    What is wrong with {my} {noun}?
    What did I ever do to deserve this {noun}?
    How long will this go on with {my} {noun}?
    Am I the only one who worries about {my} {noun}?
    Where will it end with {my} {noun}?
    Who else lies awake because of {my} {noun}?
    When will I have some luck with {my} {noun}?
    Does anybody want to hear more about {my} {noun}?
    Is it too much to ask for one good day with {my} {noun}?
    """
)
MIDDLES = {
    "any": lines(
        """
        My [sister|brother|aunt|uncle|neighbour] says that I talk only about {my} {noun}.
        I told my [sister|brother|aunt|uncle|mother] about {my} {noun}, and nobody was surprised.
        I [made some tea|sat on the stairs|went for a walk] and thought about {my} {noun}.
        I try to be calm about {my} {noun}, but it is hard.
        I sighed, ate a biscuit and thought of {my} {noun}.
        Everything else was fine today, only {my} {noun} was not.
        I laughed at first, but {my} {noun} is not funny any more.
        {My} {noun} has cost me [an hour|half a day|a whole evening].
        """
    ),
    "thing": lines(
        """
        I looked at {my} {noun} from every side.
        I said [nice|kind|rude] words to {my} {noun}, but nothing changed.
        My [sister|brother|neighbour] came, looked at {my} {noun} and [had to laugh|said nothing|went home again].
        I spent [an hour|all morning|half the day] with {my} {noun}.
        [Yesterday|Last week|On Sunday] {my} {noun} was still fine.
        I had plans for today, and then came {my} {noun}.
        """
    ),
    "public": lines(
        """
        Everybody [in town|in our street] talks about {my} {noun}.
        The people next to me were cross about {my} {noun} too.
        I wrote a long letter about {my} {noun} and did not send it.
        Nobody does anything about {my} {noun}.
        I thought of {my} {noun} all the way home.
        An old lady shook her head at {my} {noun}.
        """
    ),
    "person": lines(
        """
        I [smiled|nodded|counted to ten] and said nothing to {my} {noun}.
        Everybody else thinks that {my} {noun} is [lovely|so nice|very funny].
        I was friendly to {my} {noun} the whole time.
        I know that {my} {noun} means well.
        I wanted to talk to {my} {noun}, but I was too shy.
        Tomorrow I will see {my} {noun} again.
        """
    ),
    "animal": lines(
        """
        I tried to explain it to {my} {noun}.
        {My} {noun} only looked at me and did not care.
        I ran after {my} {noun} for [ten minutes|half an hour].
        {My} {noun} has no idea that I am cross.
        My [neighbour|sister|aunt] thinks that {my} {noun} is sweet.
        I think that {my} {noun} does it for fun.
        """
    ),
    "event": lines(
        """
        I had such high hopes for {my} {noun}.
        I had told everybody about {my} {noun}.
        My friends [laughed|shook their heads] when I told them about {my} {noun}.
        I sat in the kitchen and thought about {my} {noun}.
        I put on my best shirt for {my} {noun}.
        I drank two cups of tea and forgot {my} {noun} for a minute.
        """
    ),
    "ache": lines(
        """
        My friends are tired of hearing about {my} {noun}.
        Nobody feels sorry for me and {my} {noun}.
        I try not to think about {my} {noun}.
        My [mother|aunt|granny] has a lot to say about {my} {noun}.
        Everybody at work asks about {my} {noun}.
        I stayed at home with {my} {noun} and a book.
        """
    ),
}
CLOSES = lines(
    """
    That is all I have to say about {my} {noun}.
    I will [laugh|smile] about {my} {noun} one day, but not today.
    Tomorrow is another day, with or without {my} {noun}.
    I am [tired|fed up|sad|cross] and I blame {my} {noun}.
    For today I am done with {my} {noun}.
    Please, no more [jokes|questions] about {my} {noun}.
    If it goes on like this with {my} {noun}, I will [scream|stay in bed|cry|move to the moon].
    I needed to get this off my chest.
    Enough about {my} {noun}, I need some fresh air.
    I am going to bed now, and I will not think of {my} {noun}.
    So much for {my} {noun} and so much for this [day|week].
    Sometimes I think that {my} {noun} [hates me|is laughing at me].
    """
)
# Short pieces from a diary, in the voice of a Stoic who does not say so.
MUSINGS_FIRST = lines(
    """
    {My} {noun} is not in my power, but my judgement is.
    This morning I looked at {my} {noun} and thought about fate.
    Again {my} {noun} is a test of my patience and my virtue.
    I said to my soul: {my} {noun} is only {my} {noun}.
    What is {my} {noun} to a calm soul?
    Fortune gave me {my} {noun}, and fortune can take it back.
    When I woke up, {my} {noun} was an obstacle in my way.
    Today I will practise virtue, and {my} {noun} will be my teacher.
    {Trouble}, and I accept it with a calm soul.
    {Trouble}, but that is only what fate has sent.
    """
)
MUSINGS = lines(
    """
    Not {my} {noun} troubles me, but my opinion about {my} {noun}.
    All that happens with {my} {noun} is part of nature.
    The obstacle of {my} {noun} can become the way.
    Reason tells me that {my} {noun} is a small thing.
    In a hundred years {my} {noun} and I will both be gone, and nature will go on.
    I cannot command {my} {noun}, but I can command my own soul.
    I want to endure {my} {noun} without anger and without tears.
    Only my own virtue is good, and {my} {noun} cannot touch it.
    My desire for a better {noun} is what makes me poor.
    If I accept {my} {noun} as it is, I am free.
    Fate did not ask me about {my} {noun}, and it does not have to.
    With courage and reason I can bear {my} {noun}.
    The universe is large, and {my} {noun} is very small in it.
    {My} {noun} obeys nature, and so will I.
    To be cross with {my} {noun} is a poor judgement.
    """
)
MUSINGS_LAST = lines(
    """
    So let {my} {noun} be as it is, and let me be just and calm.
    This is enough wisdom for one day.
    Tomorrow I will look at {my} {noun} with a quiet mind.
    Let me do today what is in my power and leave the rest.
    A tranquil mind is better than any {noun}.
    This too will pass, and {my} {noun} with it.
    I close this book and wish {my} {noun} well.
    """
)
