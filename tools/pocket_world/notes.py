"""Notes to read: a fact that nobody could know stands in front of a question, and the reply takes it from there.

This is what a model needs for retrieval-augmented generation (RAG): to copy from the prompt instead of remembering.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

from pocket_world.dressing import dress, write
from pocket_world.topics import MASS, NOUNS, TOPICS
from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November")
_COLOURS = ("red", "blue", "green", "yellow", "black", "white", "brown", "grey", "pink", "purple", "orange", "silver")
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "twenty")
_SHOPS = (
    *("library", "bakery", "museum", "cinema", "theatre", "zoo", "bank", "post office", "toy shop", "shoe shop"),
    *("market", "swimming pool", "town hall", "garage", "florist", "school", "farm shop", "book shop", "station"),
)
_ROOMS = (
    *("shed", "barn", "attic", "cellar", "cottage", "cabin", "hall", "greenhouse", "garage", "kitchen", "stable"),
    *("mill", "lighthouse", "boat", "garden gate", "post box", "cupboard", "piano", "bakery", "nursery"),
)
_SPOTS = tuple(
    f"{where} the {what}"
    for where in ("behind", "under", "above", "beside", "in", "on")
    for what in ("clock", "mat", "stove", "bench", "red box", "lamp", "flower pot", "mirror", "basket", "old chair")
)
_LESSONS = ("the guitar", "the piano", "chess", "cooking", "Spanish", "painting", "knitting", "dancing", "swimming")
_TEACHERS = tuple(
    f"{title} {name}" for title in ("Mr", "Mrs") for name in ("Hill", "Reed", "Stone", "Park", "Wood", "Lake", "Bell")
)
_PETS = ("cat", "dog", "pony", "rabbit", "hamster", "parrot", "goldfish", "kitten", "puppy", "tortoise", "hen")
_EDIBLE = (
    *("bread", "cheese", "honey", "soup", "apples", "plums", "nuts", "carrots", "rice", "cake", "porridge", "jam"),
    *("cinnamon", "pears", "beans", "noodles", "grass", "worms", "leaves", "fish", "moss", "snow", "buttons", "paper"),
)
_PASSWORDS = (
    *("cinnamon", "thunder", "apple", "window", "feather", "rocket", "pepper", "island", "velvet", "candle", "tiger"),
    *("pumpkin", "marble", "button", "winter", "lemon", "ribbon", "drum", "castle", "pickle", "cloud", "biscuit"),
)
_PLACES = tuple(f"{where} {place}" for place, where in words.PLACES.items())
_NAMES = tuple(words.PRONOUNS)
_THINGS = tuple(noun for noun, topic in NOUNS.items() if TOPICS[topic].sort == "thing" and noun not in MASS)

# An animal that does not exist: its name is put together anew each time, so that it can only be copied.
_HEADS = (
    *("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "bl", "br", "dr", "fl", "fr", "gl"),
    *("gr", "kr", "pl", "sl", "sm", "sn", "sp", "st", "tr", "tw", "sh"),
)
_VOWELS = ("a", "e", "i", "o", "u", "ee", "oo")
# Tails that no word to be ashamed of ends in.
_TAILS = ("l", "lp", "lsh", "mph", "mble", "sk", "zz", "bble", "zzle", "ddle", "rble", "mf", "mp", "lk", "sp")
_ENDS = ("", "", "", "y", "er", "o", "ie")


@dataclass(frozen=True)
class Family:
    """Notes of one kind.

    Attributes:
        answer: the slot that is asked for.
        notes: how a note says it.
        questions: ways to ask that a model is trained on.
        held_out_questions: ways to ask that it never sees in training.
        replies: the answer in a whole sentence.
    """

    answer: str
    notes: tuple[str, ...]
    questions: tuple[str, ...]
    held_out_questions: tuple[str, ...]
    replies: tuple[str, ...]


def _family(answer: str, notes: str, questions: str, held_out: str, replies: str) -> Family:
    parts = (tuple(map(str.strip, text.strip().splitlines())) for text in (notes, questions, held_out, replies))
    return Family(answer, *parts)


_VALUES: dict[str, tuple[str, ...]] = {
    "colour": _COLOURS,
    "food": _EDIBLE,
    "place": _PLACES,
    "number": _NUMBERS,
    "name": _NAMES,
    "friend": _NAMES,
    "pet": _PETS,
    "shop": _SHOPS,
    "day": _DAYS,
    "month": _MONTHS,
    "room": _ROOMS,
    "spot": _SPOTS,
    "club": _THINGS,
    "password": _PASSWORDS,
    "teacher": _TEACHERS,
    "lesson": _LESSONS,
    "goal": tuple(words.PLACES),
    "thing": _THINGS,
}
FAMILIES: dict[str, Family] = {
    "colour": _family(
        "colour",
        """
        A {beast} is {colour}.
        Every {beast} is {colour}.
        The {beast} is a {colour} animal.
        A {beast} has {colour} fur.
        """,
        """
        What colour is a {beast}?
        Which colour is a {beast}?
        Tell me the colour of a {beast}.
        What colour does a {beast} have?
        I saw a {beast}. What colour was it?
        """,
        """
        What is the colour of a {beast}?
        In which colour must I paint a {beast}?
        """,
        "A {beast} is {colour}.",
    ),
    "eats": _family(
        "food",
        """
        A {beast} eats {food}.
        The food of a {beast} is {food}.
        A hungry {beast} wants {food}.
        """,
        """
        What does a {beast} eat?
        What food does a {beast} need?
        What do I give a hungry {beast}?
        Tell me what a {beast} eats.
        """,
        """
        What is the food of a {beast}?
        What would a {beast} like for dinner?
        """,
        "A {beast} eats {food}.",
    ),
    "lives": _family(
        "place",
        """
        A {beast} lives {place}.
        The home of a {beast} is {place}.
        A {beast} sleeps {place}.
        """,
        """
        Where does a {beast} live?
        Where can I find a {beast}?
        Where is the home of a {beast}?
        Tell me where a {beast} lives.
        """,
        """
        Where must I look for a {beast}?
        In which place would a {beast} be?
        """,
        "A {beast} lives {place}.",
    ),
    "legs": _family(
        "number",
        """
        A {beast} has {number} legs.
        There are {number} legs on a {beast}.
        """,
        """
        How many legs does a {beast} have?
        How many legs are there on a {beast}?
        Tell me how many legs a {beast} has.
        """,
        """
        What is the number of legs of a {beast}?
        I count the legs of a {beast}. How many are there?
        """,
        "A {beast} has {number} legs.",
    ),
    "pet": _family(
        "friend",
        """
        {name}'s {pet} is called {friend}.
        {name} has a {pet} called {friend}.
        The name of {name}'s {pet} is {friend}.
        """,
        """
        What is {name}'s {pet} called?
        What is the name of {name}'s {pet}?
        How do I call {name}'s {pet}?
        Tell me the name of {name}'s {pet}.
        """,
        """
        {name} has a {pet}. What is its name?
        Which name has {name}'s {pet}?
        """,
        "{name}'s {pet} is called {friend}.",
    ),
    "closed": _family(
        "day",
        """
        The {shop} is closed on {day}.
        On {day} the {shop} is closed.
        Nobody works in the {shop} on {day}, and it is closed.
        """,
        """
        When is the {shop} closed?
        On which day is the {shop} closed?
        Which day must I not go to the {shop}?
        Tell me when the {shop} is closed.
        """,
        """
        What day of the week is the {shop} closed?
        I want to go to the {shop}. When is it closed?
        """,
        "The {shop} is closed on {day}.",
    ),
    "key": _family(
        "spot",
        """
        The key of the {room} is {spot}.
        The key of the {room} hangs {spot}.
        We keep the key of the {room} {spot}.
        """,
        """
        Where is the key of the {room}?
        Where do we keep the key of the {room}?
        Where can I find the key of the {room}?
        Tell me where the key of the {room} is.
        """,
        """
        I need the key of the {room}. Where is it?
        Where must I look for the key of the {room}?
        """,
        "The key of the {room} is {spot}.",
    ),
    "password": _family(
        "password",
        """
        The password of the {club} club is {password}.
        The {club} club has the password {password}.
        Say {password} at the door of the {club} club, for that is the password.
        """,
        """
        What is the password of the {club} club?
        Which password does the {club} club have?
        Tell me the password of the {club} club.
        """,
        """
        What must I say at the door of the {club} club?
        I forgot the password of the {club} club. What is it?
        """,
        "The password of the {club} club is {password}.",
    ),
    "teaches": _family(
        "day",
        """
        {teacher} teaches {lesson} on {day}.
        On {day} {teacher} teaches {lesson}.
        {lesson} with {teacher} is on {day}.
        """,
        """
        When does {teacher} teach {lesson}?
        On which day does {teacher} teach {lesson}?
        Tell me when {teacher} teaches {lesson}.
        """,
        """
        What day does {teacher} teach?
        When can I learn {lesson} with {teacher}?
        """,
        "{teacher} teaches {lesson} on {day}.",
    ),
    "bus": _family(
        "goal",
        """
        The {colour} bus goes to the {goal}.
        Take the {colour} bus to the {goal}.
        The {goal} is where the {colour} bus goes.
        """,
        """
        Where does the {colour} bus go?
        Where will the {colour} bus take me?
        Tell me where the {colour} bus goes.
        """,
        """
        If I take the {colour} bus, where do I go?
        What place does the {colour} bus go to?
        """,
        "The {colour} bus goes to the {goal}.",
    ),
    "price": _family(
        "number",
        """
        A {thing} costs {number} pounds.
        In our shop a {thing} costs {number} pounds.
        You can buy a {thing} for {number} pounds.
        """,
        """
        What does a {thing} cost?
        How much is a {thing}?
        How much does a {thing} cost?
        Tell me what a {thing} costs.
        """,
        """
        What is the price of a {thing}?
        How many pounds do I need for a {thing}?
        """,
        "A {thing} costs {number} pounds.",
    ),
    "likes": _family(
        "food",
        """
        {name} likes {food} best.
        What {name} likes best is {food}.
        {name} loves {food}.
        """,
        """
        What does {name} like best?
        What does {name} love?
        Tell me what {name} likes best.
        """,
        """
        What should I cook for {name}?
        What is it that {name} likes?
        """,
        "{name} likes {food} best.",
    ),
    "brings": _family(
        "name",
        """
        {name} brings the {thing} tomorrow.
        The {thing} comes with {name}.
        It is {name} who brings the {thing}.
        """,
        """
        Who brings the {thing}?
        Who will bring the {thing}?
        Tell me who brings the {thing}.
        """,
        """
        Which of us brings the {thing}?
        Whom must I ask about the {thing}?
        """,
        "{name} brings the {thing}.",
    ),
    "birthday": _family(
        "month",
        """
        {name} has a birthday in {month}.
        The birthday of {name} is in {month}.
        {name}'s birthday is in {month}.
        """,
        """
        When is {name}'s birthday?
        When is the birthday of {name}?
        In which month is {name}'s birthday?
        Tell me when {name} has a birthday.
        """,
        """
        What month is {name}'s birthday in?
        When do we bake a cake for {name}'s birthday?
        """,
        "{name}'s birthday is in {month}.",
    ),
}

# How notes and question stand together.
_LAYOUTS = (
    "{notes} {question}",
    "{notes} {question}",
    "{notes}\n{question}",
    "{notes}\n\n{question}",
    "Here is a note. {notes} {question}",
    "Read this: {notes}\n\n{question}",
    "I know this: {notes} {question}",
    "Note: {notes}\nQuestion: {question}",
    "It says here: {notes}\n{question}",
)
_HELD_OUT_LAYOUTS = (
    "{notes} {question}",
    "My notes say: {notes} {question}",
    "Use this.\n{notes}\n\n{question}",
)
_NEVER = frozenset(("flumph", "glomp", "tweezle", "wuzzle", "pimp", "gimp", "shamp"))  # lesson 07 keeps four of them


def beast(dice: Dice, held_out: bool = False) -> str:
    """The name of an animal that does not exist.

    Args:
        dice: puts it together.
        held_out: one of the fifth of all names that no model is trained on.
    """
    while True:
        tail = dice.pick(_TAILS)
        end = "" if tail.endswith("le") else dice.pick(_ENDS)
        name = dice.pick(_HEADS) + dice.pick(_VOWELS) + tail + end
        if name not in _NEVER and (zlib.crc32(name.encode()) % 5 == 0) == held_out:
            return name


def note(rng: random.Random, held_out: bool = False) -> Chat:
    """A note, or two of which only one helps, and a question that it answers.

    Args:
        rng: the source of randomness.
        held_out: ask in wordings, and about animals, that no model is trained on.

    Returns:
        a Chat of kind "note"; truth has the "answer", and "other", what the second note would have answered, "" if
        there is none.
    """
    dice = Dice(rng)
    name = dice.pick(tuple(FAMILIES))
    family, slots = FAMILIES[name], _slots(dice, held_out)
    asked = dice.pick(family.held_out_questions if held_out else family.questions)
    notes, other = [write(dice.pick(family.notes), dice, slots)], ""
    if dice.pick((True, False)):
        second = FAMILIES[dice.pick((name, dice.pick(tuple(FAMILIES))))]
        answer = slots[family.answer]
        while True:
            more = _slots(dice, held_out)
            other = more[second.answer]
            if not (set(more.values()) & set(slots.values()) or other in answer or answer in other):
                break
        notes.insert(dice.pick((0, 1)), write(dice.pick(second.notes), dice, more))
    question = dress(write(asked, dice, slots), dice, greet=False)
    layout = dice.pick(_HELD_OUT_LAYOUTS if held_out else _LAYOUTS)
    prompt = layout.format(notes=dice.pick((" ", "\n")).join(notes), question=question)
    reply = write(dice.pick(family.replies), dice, slots)
    return Chat("note", prompt, reply, {"family": name, "answer": slots[family.answer], "other": other})


def _slots(dice: Dice, held_out: bool) -> dict[str, str]:
    while True:
        slots = {slot: dice.pick(values) for slot, values in _VALUES.items()} | {"beast": beast(dice, held_out)}
        if slots["name"] != slots["friend"] and len(set(slots.values())) == len(slots):
            return slots
