"""More ways to ask for every relation, which are met in chats only: here animals and the wide world.

The base model's worksheets keep to the few wordings of the facts themselves, so its corpus does not change with these.
A wording stands here for its grammar rather than for its words, so that a model learns to look for what is asked. The
held-out wordings stay out of it, and whatever begins like one.
"""

from __future__ import annotations

from pocket_world.facts_asked_more import BLOCKS
from pocket_world.facts_relation import Relation

FRAMES = (
    "Somebody asked me {clause}.",
    "I can never remember {clause}.",
    "My teacher wants to hear {clause}.",
    "I have a question: {clause}?",
    "In our quiz they ask {clause}.",
    "Have they taught you {clause}?",
    "Nobody here can tell me {clause}.",
    "Let me hear {clause}.",
)

_BLOCKS = {
    "young": """
    Name the young of a {subject}.
    Is there a word for the young of a {subject}?
    A {subject} has a young one. What do we call it?
    A {subject} was small once. What was it called then?
    My sister asks what the baby of a {subject} is called.
    If a {subject} had a baby, which word would we use for it?
    What is a {subject} before it has grown up?
    The young of a {subject}: which word is right?
    The mother is a {subject}. What is her baby?
    Which young animal grows up to be a {subject}?
    Give me the word for a baby {subject}.
    """,
    "home": """
    Name the home of a {subject}.
    Is there a word for the home of a {subject}?
    A {subject} is on its way home. To what sort of home?
    I want to draw the home of a {subject}. What must I draw?
    People live in houses. What sort of house does a {subject} have?
    The home of a {subject}: what is its name?
    If I were a {subject}, what would my home be called?
    My brother asks what sort of home is right for a {subject}.
    Which home is made for a {subject}?
    Give me the word for the home of a {subject}.
    What would you call the home that belongs to a {subject}?
    """,
    "habitat": """
    A {subject}: where does it live?
    Name the place where a {subject} lives.
    I have never met a {subject}. Where does it live?
    If I were a {subject}, where would I live?
    My class wants to find a {subject}. Where shall we look?
    Does a {subject} live in the sea, in the woods or somewhere else?
    I am drawing a {subject}. What place do I draw around it?
    Where do animals like the {subject} live?
    The {subject} has its place in nature. Where is that?
    Where might I meet a {subject}?
    Tell the children where a {subject} lives.
    """,
    "sound": """
    Make a noise like a {subject}.
    I hear a {subject}. What does it sound like?
    A {subject} opens its mouth. Which sound comes out?
    A {subject}: how does it sound?
    If a {subject} could talk to me, what would it say?
    My little brother plays a {subject}. Which sound must he make?
    How do people write the noise of a {subject}?
    Name the noise that a {subject} makes.
    Is there a word for the sound that a {subject} makes?
    A {subject} calls its friends. Which sound do they hear?
    Every animal has its sound. Which one does the {subject} have?
    """,
    "legs": """
    A {subject} has how many legs?
    I want to draw a {subject}. How many legs does it need?
    Does a {subject} have two legs, four legs or another number?
    Name the number of legs that a {subject} has.
    My cousin asks about the legs of a {subject}. How many has it?
    Here comes a {subject}. With how many legs?
    Has a {subject} got any legs, and how many?
    Some animals have many legs. How many has the {subject}?
    Legs of a {subject}: how many?
    I am making a {subject} of clay. How many legs shall I make?
    If you were a {subject}, how many legs would you have?
    """,
    "food": """
    I want to feed a {subject}. What do I give it?
    A {subject}: what does it eat?
    Name the food of a {subject}.
    What is on the plate of a {subject}?
    A {subject} opens its mouth to eat. What goes in?
    My aunt feeds a {subject}. Which food does she bring?
    If I had a {subject}, what would I feed it?
    Which food is right for a {subject}?
    All animals eat something. What is it for a {subject}?
    Here is lunch for a {subject}. What is it?
    Give me the favourite food of a {subject}.
    """,
    "kind": """
    Is a {subject} a bird, a fish, an insect or something else?
    A {subject}: what kind of animal is it?
    Name the kind of animal that a {subject} is.
    Here is a {subject}. What kind of animal do I see?
    Bird, fish, insect, mammal, reptile or amphibian: which is a {subject}?
    My cousin asks what sort of creature a {subject} is.
    A {subject} is an animal, but of what kind?
    If a {subject} is an animal, what sort is it?
    We sort the animals by kind. What is the {subject}?
    In the animal book, under which kind do I find a {subject}?
    Dad calls the {subject} an animal. What kind does he mean?
    """,
    "coat": """
    Does a {subject} have fur, feathers, scales or something else?
    A {subject} needs no coat from a shop. What covers it?
    A {subject}: what is it covered with?
    Name what covers a {subject} from head to tail.
    My brother stroked a {subject}. What was under his hand?
    I want to draw the coat of a {subject}. What do I draw?
    What does a {subject} wear all over its body?
    If I were a {subject}, what would cover me?
    Every animal has its coat. What is it for a {subject}?
    Which of these covers a {subject}: fur, wool, feathers, scales or spines?
    What sort of coat does a {subject} have?
    """,
    "maker": """
    I see {subject}. Which animal was at work here?
    {subject}: the work of which animal?
    An animal makes {subject}. Which animal is meant?
    I need an animal that makes {subject}. Which one do I take?
    If I want {subject}, which animal must I ask?
    My teacher asks which of the animals makes {subject}.
    Is there an animal that makes {subject}?
    Tell us which animal we need for {subject}.
    Some animals can make things. Which of them makes {subject}?
    What animal knows how to make {subject}?
    Here is a riddle: which animal makes {subject}?
    """,
    "capital": """
    {subject}: what is its capital?
    {subject} has a capital city. What is it called?
    Of all the cities in {subject}, which is the capital?
    I want to see the capital of {subject}. Which city is that?
    My uncle lives in the capital of {subject}. In which city does he live?
    Give me the name of the capital city of {subject}.
    If I were in the capital of {subject}, where would I be?
    Look at a map of {subject}. Which city is the capital?
    Every country has a capital. What is it in {subject}?
    Which city do people in {subject} call their capital?
    Quiz time: the capital of {subject} is which city?
    """,
    "job": """
    Our neighbour works as a {subject}. What work is that?
    A {subject}: what sort of work is that?
    If I were a {subject}, what would I do all day?
    The {subject} goes to work in the morning. To do what?
    When I grow up, I shall be a {subject}. What will I do?
    Name what a {subject} does at work.
    What has a {subject} learned to do?
    What work is done by a {subject}?
    Here comes the {subject}. What is this person's work?
    In our play I am a {subject}. What must I do?
    What can a {subject} do better than other people?
    """,
    "who": """
    Somebody {subject}. Who is it?
    My neighbour {subject}. What is the word for this job?
    Name the person who {subject}.
    Here is somebody who {subject}. Who might that be?
    Is there a word for somebody who {subject}?
    I am looking for somebody who {subject}. Who is that?
    This person {subject} all day. Who is it?
    If somebody {subject}, what job is it?
    Of all the people at work, who {subject}?
    I want to be one who {subject}. What must I become?
    On the list of jobs, who {subject}?
    Here is a riddle: who {subject}?
    """,
    "place": """
    A {subject}: what do people do in such a place?
    We are going to a {subject}. What shall we do there?
    Somebody is on the way to a {subject}. What for?
    My family went to the {subject}. What did we do there?
    If I go to a {subject}, what will I do?
    Name one reason to go to a {subject}.
    A {subject} is a place. What is it meant for?
    Which kind of place is a {subject}?
    My cousin has never been to a {subject}. What could she do there?
    People come to a {subject} every day. To do what?
    Dad takes us to the {subject}. What do we want there?
    """,
    "grows": """
    {subject}: where do they grow?
    Name the place where {subject} grow.
    Somebody planted {subject}. Where will they grow?
    On bushes, on vines, in water or elsewhere: where do {subject} grow?
    I have a basket of {subject}. Where did they grow?
    If I were looking for {subject}, where would I see them grow?
    I am drawing {subject} as they grow. Where do I put them?
    Tell the class where {subject} grow.
    Where does a gardener see {subject} grow?
    Every plant has its place to grow. What is it for {subject}?
    In what sort of place do {subject} grow?
    """,
    "travel": """
    A {subject}: where does it travel?
    I am watching a {subject} go by. Where does it move?
    Where is the right place to move with a {subject}?
    My brother has a toy {subject}. Where would a real one move?
    Name the place that a {subject} needs for moving.
    If I had a {subject}, where would it move along?
    Where must a {subject} be so that it can move?
    I am drawing a {subject} on its way. Where do I draw it?
    Things travel in many ways. Where does the {subject} travel?
    There goes a {subject}! Where is it moving?
    Our teacher asks where the {subject} travels along.
    """,
    "body": """
    I want to {subject}. What part of my body do I use?
    Name the part of the body that lets us {subject}.
    To {subject}, what part of the body do I need?
    If somebody cannot {subject}, which part of the body is ill?
    My baby brother learns to {subject}. What does he do it with?
    What has everybody got to {subject} with?
    Is it the eyes, the ears or another part that we {subject} with?
    A robot wants to {subject} like us. Which part does it need?
    The body has a part to {subject} with. Which part?
    We all {subject}. With which part of the body?
    {subject}: what do people do that with?
    """,
}

FURTHER: dict[str, tuple[str, ...]] = {
    name: tuple(line.strip() for line in block.strip().splitlines()) for name, block in (_BLOCKS | BLOCKS).items()
}


def questions(relation: Relation) -> tuple[str, ...]:
    """All the ways to ask that a chat model is trained on, those of the relation first.

    Args:
        relation: what is asked about.

    Raises:
        KeyError: nobody has written further wordings for this relation.
    """
    framed = (frame.replace("{clause}", relation.clause) for frame in FRAMES)
    return (*relation.questions, *FURTHER[relation.name], *framed)
