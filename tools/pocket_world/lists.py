"""Lists: shopping, packing and to-do lists for the base model, "List three fruits." for the chats."""

from __future__ import annotations

import random

from pocket_world.dressing import dress, write
from pocket_world.facts import DAYS, FAMILIES, THINGS
from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice, capitalise, with_articles

OUTSIDE = ("street", "harbour", "garden")  # a list of presents had better not hold a crane
COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5}

PROMPTS = (
    "List {count} {family}.",
    "Name {count} {family}.",
    "Give me {count} {family}.",
    "Write a list of {count} {family}.",
    "Make a list of {count} {family}.",
    "I need a list of {count} {family}.",
    "Can you list {count} {family}?",
    "Tell me {count} {family}.",
    "Please write down {count} {family}.",
    "Can you name {count} {family}?",
    "Write {count} {family}.",
    "Show me {count} {family}.",
    "Say {count} {family}.",
    "Find {count} {family} for me.",
    "Please give me a list with {count} {family}.",
    "What {count} {family} come to mind?",
    "Which {family} can you name? I need {count}.",
    "I am looking for {count} {family}.",
    "For school I need {count} {family}.",
    "What would be {count} {family}?",
    "In our game I must name {count} {family}. Can you help?",
    "Do you know {count} {family}?",
    "Would you list {count} {family}?",
    "I would like {count} {family}.",
    "My sister wants to know {count} {family}.",
    "Let me have {count} {family}.",
    "A list of {count} {family}, please.",
    "Which are {count} {family}?",
    "What {family} are there? Name {count}.",
    "Tell me the names of {count} {family}.",
    "Let me read {count} {family}.",
    "Put {count} {family} into a list.",
    "Could you write {count} {family} for me?",
    "Remember {count} {family} and write them down.",
    "What is a list of {count} {family}?",
    "Which {count} {family} can you list?",
)
HELD_OUT_PROMPTS = (
    "What are {count} {family}?",
    "Think of {count} {family}.",
    "Which {count} {family} do you know?",
    "I want to see {count} {family} in a list.",
    "Could you give me the names of {count} {family}?",
)

# What a family is called at the head of somebody's own list, where "fruits" alone would sound like a lesson.
HEADINGS = (
    "[Some|A few|{Name}'s favourite|Our list of] {family}",
    "{Family} for {name}",
    "{Family} that {name} [knows|likes|wrote down|learned about] [on {day}|at school|today|last week]",
)
THING_HEADINGS = (
    "[Things|What there is|All the things|What {name} found] in the {room}",
    "[To buy|Shopping list|Presents] for [the {room}|{name}]",
    "What {name} [counted|drew|saw|cleaned|sold at the market|wrote down] on {day}",
    "[Words|Things] for {name} to [learn|draw|find|count]",
)
PACKING_HEADINGS = (  # for what can be carried
    "What {name} [packed|lost|lent to a friend|wants for {his} birthday]",
    "[Packing list|Shopping list|Wish list|List] [of {name}|for {day}|for {name}]",
    "In {name}'s [bag|suitcase|basket]",
)
CARRIED = ("school", "toy box", "wardrobe")
TO_DO_HEADINGS = (
    "[To do|Jobs|Things to do] [on {day}|for {name}|this week|before the visit|today]",
    "[Jobs|Tasks|To do] for {day}",
)
TASKS = (
    "clean the {thing}",
    "find the {thing}",
    "mend the {thing}",
    "buy a new {thing}",
    "put the {thing} back",
    "ask {friend} for the {thing}",
    "take the {thing} to {friend}",
    "show {friend} the {thing}",
    "pay for the {thing}",
    "paint the {thing}",
    "look for the {thing} in the {room}",
    "write to {friend} about the {thing}",
    "sell the old {thing}",
    "dust the {thing}",
    "draw the {thing}",
)
THING_ITEMS = (
    "a {thing}",
    "the {thing}",
    "one [old|new|big|small|red|blue|green] {thing}",
    "a [clean|better|bigger|second] {thing}",
    "{friend}'s {thing}",
)
ENDINGS = ("[That is all|Nothing else] for {day}.", "{Name} wrote this list on {day}.", "The list is for {name}.")


def listing(rng: random.Random) -> str:
    """Write somebody's list, with a heading and one item a line.

    Args:
        rng: the source of randomness.
    """
    dice = Dice(rng)
    name = dice.pick_weighted(words.POPULARITY)
    family, sort = dice.pick(tuple(FAMILIES)), dice.pick(("family", "things", "to do"))
    room = dice.pick(tuple(room for room in THINGS if room not in OUTSIDE))
    slots = {
        "name": name,
        "his": words.FORMS[words.PRONOUNS[name]]["his"],
        "day": dice.pick(DAYS),
        "family": family,
        "room": room,
    }
    if sort == "family":
        heading = write(dice.pick(HEADINGS), dice, slots)
        items = rng.sample(FAMILIES[family], rng.randint(6, min(10, len(FAMILIES[family]))))
    elif sort == "things":
        headings = THING_HEADINGS + PACKING_HEADINGS if room in CARRIED else THING_HEADINGS
        heading = write(dice.pick(headings), dice, slots)
        shape = dice.pick((*THING_ITEMS[:2], "mixed", "{thing}"))
        items = [_item(shape, thing, dice) for thing in rng.sample(THINGS[room], rng.randint(6, 10))]
    else:
        heading = write(dice.pick(TO_DO_HEADINGS), dice, slots)
        items = _to_do(dice, room)
    mark = dice.pick(("- ", "- ", "- ", "* ", ""))
    lines = [heading + dice.pick((":", "", ":")), *(mark + with_articles(item) for item in items)]
    if dice.pick((True, False, False, False)):
        lines.append(write(dice.pick(ENDINGS), dice, slots))
    return "\n".join(lines)


def _item(shape: str, thing: str, dice: Dice) -> str:
    shape = dice.pick(THING_ITEMS) if shape == "mixed" else shape
    text = write(shape, dice, {"thing": thing, "friend": dice.pick_weighted(words.POPULARITY)})
    return text if shape.startswith("{friend}") else text[0].lower() + text[1:]


def _to_do(dice: Dice, room: str) -> list[str]:
    """Two to four things, each met more than once: looked for, cleaned and put back, as things are."""
    things = dice.rng.sample(THINGS[room], 2)
    tasks = dice.rng.sample(TASKS, dice.rng.randint(6, 9))
    friend = dice.pick_weighted(words.POPULARITY)
    return [
        capitalise(with_articles(task.format(thing=things[n * 2 // len(tasks)], room=room, friend=friend)))
        for n, task in enumerate(tasks)
    ]


def wanted(rng: random.Random, held_out: bool = False) -> Chat:
    """A request for a short list, and the list.

    Args:
        rng: the source of randomness.
        held_out: ask in the wordings that are kept out of training.
    """
    dice = Dice(rng)
    count = dice.pick(tuple(COUNTS))
    family = dice.pick(tuple(FAMILIES))
    shown = dice.pick((count, count, count, count, str(COUNTS[count])))
    prompt = write(dice.pick(HELD_OUT_PROMPTS if held_out else PROMPTS), dice, {"count": shown, "family": family})
    members = FAMILIES[family]
    # in the order of the family, so that nothing is easily said twice
    items = [members[place] for place in sorted(rng.sample(range(len(members)), COUNTS[count]))]
    reply = "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))
    return Chat("list", dress(prompt, dice), reply, {"family": family, "count": str(COUNTS[count])})


def right(family: str, count: int, reply: str) -> bool:
    """Whether a reply is a numbered list of so many different members of the family, and nothing else.

    Args:
        family: one of FAMILIES.
        count: how many were asked for.
        reply: what the model wrote.

    Raises:
        KeyError: there is no such family.
    """
    members = {member.lower() for member in FAMILIES[family]}
    lines = reply.strip().splitlines()
    items = [line.partition(". ")[2].strip().lower() for line in lines]
    numbered = all(line.startswith(f"{number}. ") for number, line in enumerate(lines, 1))
    return numbered and len(items) == count and len(set(items)) == count and set(items) <= members
