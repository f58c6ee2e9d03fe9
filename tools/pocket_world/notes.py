"""Notes to read: a fact that nobody could know stands in front of a question, and the reply takes it from there.

This is what a model needs for retrieval-augmented generation (RAG): to copy from the prompt instead of remembering.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass

from pocket_world.dressing import dress, write
from pocket_world.reading import read, sections
from pocket_world.topics import MASS, NOUNS, TOPICS
from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice
from workshop_utils.pocket.plots import manuscripts

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
FAMILIES = {
    name: Family(head["answer"], *(sections(body)[part] for part in ("notes", "questions", "held out", "replies")))
    for name, head, body in manuscripts(read("notes"))
}
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
