"""Short factual prose for the base model, as in a child's first book of facts: it never answers anybody.

The facts are those that the chats ask for later (facts.py); many things are told about in similar sentences.
"""

from __future__ import annotations

import random

from pocket_world.dressing import write
from pocket_world.facts import ABOUT, DAYS, RELATIONS, ROOM_OF, THINGS, Relation
from workshop_utils.pocket import words
from workshop_utils.pocket.grammar import Dice

SORTS = {"animal": 0.2, "relation": 0.2, "facts": 0.2, "thing": 0.2, "two things": 0.07, "person": 0.06, "week": 0.07}
_ANIMAL_RELATIONS = {"young", "home", "habitat", "sound", "legs", "food", "kind", "coat"}
_ANIMALS = {
    subject: known
    for subject in ABOUT
    if len(known := [name for name in ABOUT[subject] if name in _ANIMAL_RELATIONS]) >= 3
}

ANIMAL_FILLERS = (
    "[Many|Some|Most] children like the {subject}.",
    "[Many|Some] people have seen a {subject}.",
    "There are [songs|stories|books|films] about the {subject}.",
    "A [young|small|hungry|tired] {subject} needs [rest|food|care|a safe place].",
    "It is not easy to draw a {subject}.",
    "The {subject} is [well known|quick to hide|clever in its own way|busy all day].",
    "At night the {subject} [rests|may be awake|keeps still].",
    "No {subject} is quite like another {subject}.",
)
INTRODUCTIONS = (
    "This [page|text|chapter|part] is about {about}.",
    "Here is [something|a little] about {about}.",
    "There is much to [say|learn|tell] about {about}.",
    "[Children learn|Everybody can learn] about {about} at school.",
    "",
    "",
)
REMARKS = (
    "That is [easy to remember|well known|true everywhere|an old fact|quite simple].",
    "[Most children|Many people|All teachers] know this.",
    "It has always been so.",
    "[{Name}'s teacher told the class about it|{Name} wrote it down|{Name} learned it at school].",
)
THING_OPENINGS = (
    "A {thing} [belongs|has its place] in the {room}.",
    "Almost every {room} has a {thing}.",
    "In the {room} there is often a {thing}.",
    "There is a {thing} in many a {room}.",
    "The {thing} is a common [thing|sight] in the {room}.",
    "This [page|text] is about the {thing}.",
)
THING_SENTENCES = (
    "A good {thing} lasts for [many|ten|twenty] years.",
    "An old {thing} is often the best {thing}.",
    "When a {thing} breaks, [somebody has to mend it|it can be mended|people buy a new {thing}].",
    "Some people have one {thing}, and others have [two|three|four].",
    "Nobody [knows|remembers] who made the first {thing}.",
    "The first {thing} was made a long time ago.",
    "Children learn to [write|spell|read] the word {thing} at school.",
    "In a picture of a {room}, there is often a {thing}.",
    "A small {thing} costs less than a big {thing}.",
    "A {thing} never [complains|gets tired|gets hungry|talks].",
    "Without its {thing}, the {room} would look empty.",
    "Whoever needs a {thing} looks in the {room} first.",
    "A clean {thing} looks better than a dirty {thing}.",
    "Not every {thing} is [red|blue|green|white|black|brown].",
    "[The newest|The oldest|The biggest|The smallest] {thing} is not always the best.",
    "In some towns the {thing} is as old as the streets.",
    "{Name} [has|once had|bought|borrowed|painted] a [red|blue|green|yellow|white|brown] {thing}.",
    "The {thing} of {name} is [old|new|small|big|heavy|light|shiny].",
    "A [lost|broken|borrowed] {thing} makes a lot of trouble.",
    "It takes [a day|a week|some time|some skill] to make a {thing}.",
)
TWO_THINGS = (
    "A {thing} is not a {other}.",
    "The {thing} belongs in the {room}, and the {other} belongs in the {other_room}.",
    "[{Name}|{Name}'s mother|{Name}'s father] has a {thing} and a {other}.",
    "The {thing} is [older|newer|cleaner|nicer] than the {other}.",
    "The {other} costs [more|less] than the {thing}.",
    "[Some|Many|Most] people need a {thing} more than a {other}.",
    "When the {thing} is [broken|lost], the {other} is no help.",
    "A {other} can [never|hardly] do the work of a {thing}.",
)
PERSON = (
    ("{Name} is a {job}.", "There is a {job} called {name}.", "The {job} in our town is called {name}."),
    ("A {job} is somebody who {does}.", "Like every {job}, {name} {does}."),
    (
        "{Name} gets up [early|at six|at seven|before the sun] [each day|every morning].",
        "For breakfast {name} has [bread and butter|an egg|porridge|toast and jam].",
        "{Name} walks to work [with a {thing}|in the rain or in the sun|every day].",
    ),
    (
        "{Name} {does} [from Monday to Friday|nearly every day|all year].",
        "At work {name} needs [a {thing}|good hands|time|a cup of tea].",
        "[The work of a {job} is|To be a {job} is] not always easy.",
    ),
    (
        "On {day} {name} [stays at home|visits Granny|rests|plays the {instrument}].",
        "In the evening {name} [reads|sings|sits by the fire|plays the {instrument}].",
    ),
    (
        "Everybody [likes|knows|greets] {name} the {job}.",
        "{Name} would not like to be anything but a {job}.",
        "One day {name} will teach somebody to be a {job}.",
    ),
)
DEEDS = (
    "buys a {thing}",
    "cleans the {thing}",
    "shows {friend} the {thing}",
    "lends the {thing} to {friend}",
    "gets the {thing} back from {friend}",
    "paints the {thing} [red|blue|green|white]",
    "loses the {thing} [in the grass|under the bed|on the way home]",
    "finds the {thing} again",
    "does not need the {thing}",
    "puts the {thing} [in the {room}|away]",
    "draws a picture of the {thing}",
    "writes a letter about the {thing}",
)


def prose(rng: random.Random) -> str:
    """Write a paragraph of facts around one theme: an animal, a thing, a person at work, a kind of fact, a week.

    Args:
        rng: the source of randomness.
    """
    dice = Dice(rng)
    return " ".join(sentence for sentence in _WRITERS[dice.pick_weighted(SORTS)](dice) if sentence)


def _animal(dice: Dice) -> list[str]:
    subject = dice.pick(tuple(_ANIMALS))
    known = dice.rng.sample(_ANIMALS[subject], min(len(_ANIMALS[subject]), dice.rng.randint(4, 6)))
    if "kind" in known and dice.pick((True, True, False)):
        known = ["kind", *(name for name in known if name != "kind")]
    told = [_stated(dice, RELATIONS[name], subject) for name in known]
    fillers = dice.rng.sample(ANIMAL_FILLERS, 3 if len(told) < 5 else 2)
    for filler in fillers:
        told.insert(dice.rng.randint(1, len(told)), write(filler, dice, {"subject": subject}))
    return told


def _relation(dice: Dice) -> list[str]:
    """One kind of fact, some subjects one after another, each in one wording or in two."""
    relation = RELATIONS[dice.pick(tuple(RELATIONS))]
    told = [write(dice.pick(INTRODUCTIONS), dice, {"about": relation.about})]
    for subject in dice.rng.sample(tuple(relation.facts), 4):
        told += _told(dice, relation, subject, dice.pick((1, 2, 2)))
    return told


def _facts(dice: Dice) -> list[str]:
    """One fact or two in all their wordings, with a remark, so that subject and answer stand close together often."""
    relation = RELATIONS[dice.pick_weighted({name: 15 + len(one.facts) for name, one in RELATIONS.items()})]
    told = []
    for subject in dice.rng.sample(tuple(relation.facts), 2):
        told += _told(dice, relation, subject, 3)
        if dice.pick((True, False)):
            told.append(write(dice.pick(REMARKS), dice, {"name": dice.pick_weighted(words.POPULARITY)}))
    return told


def _thing(dice: Dice) -> list[str]:
    thing = dice.pick(tuple(ROOM_OF))
    slots = {"thing": thing, "room": ROOM_OF[thing], "name": dice.pick_weighted(words.POPULARITY)}
    sentences = [dice.pick(THING_OPENINGS), *dice.rng.sample(THING_SENTENCES, dice.rng.randint(4, 6))]
    return [write(sentence, dice, slots) for sentence in sentences]


def _two_things(dice: Dice) -> list[str]:
    room, other_room = dice.rng.sample(tuple(THINGS), 2)
    slots = {
        "thing": dice.pick(THINGS[room]),
        "other": dice.pick(THINGS[other_room]),
        "room": room,
        "other_room": other_room,
        "name": dice.pick_weighted(words.POPULARITY),
    }
    return [write(sentence, dice, slots) for sentence in (*TWO_THINGS[:2], *dice.rng.sample(TWO_THINGS[2:], 3))]


def _person(dice: Dice) -> list[str]:
    job = dice.pick(tuple(RELATIONS["job"].facts))
    slots = {
        "name": dice.pick_weighted(words.POPULARITY),
        "job": job,
        "does": RELATIONS["job"].facts[job],
        "day": dice.pick(DAYS[5:]),
        "thing": dice.pick(THINGS["shed"] + THINGS["office"]),
        "instrument": dice.pick(("violin", "guitar", "flute", "piano", "drums", "trumpet")),
    }
    return [write(dice.pick(beat), dice, slots) for beat in PERSON]


def _week(dice: Dice) -> list[str]:
    """What somebody does with one thing, day after day in the right order."""
    thing = dice.pick(tuple(thing for room in ("kitchen", "shed", "toy box", "wardrobe") for thing in THINGS[room]))
    name, friend = dice.rng.sample(tuple(words.POPULARITY)[:40], 2)
    slots = {"thing": thing, "room": ROOM_OF[thing], "friend": friend}
    start, length = dice.rng.randrange(7), dice.rng.randint(4, 6)
    deeds = [DEEDS[0], *(DEEDS[n] for n in sorted(dice.rng.sample(range(1, len(DEEDS)), length - 1)))]
    return [
        write(f"On {DAYS[(start + n) % 7]} {{name}} {deed}.", dice, {"name": name, **slots})
        for n, deed in enumerate(deeds)
    ]


def _stated(dice: Dice, relation: Relation, subject: str) -> str:
    return _told(dice, relation, subject, 1)[0]


def _told(dice: Dice, relation: Relation, subject: str, how_many: int) -> list[str]:
    """A fact in so many of its wordings."""
    slots = {"subject": subject, "answer": relation.facts[subject]}
    return [write(wording, dice, slots) for wording in dice.rng.sample(relation.statements, how_many)]


_WRITERS = {
    "animal": _animal,
    "relation": _relation,
    "facts": _facts,
    "thing": _thing,
    "two things": _two_things,
    "person": _person,
    "week": _week,
}
