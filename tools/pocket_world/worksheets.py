"""Quiz sheets and homework for the base model: questions and tasks one after another, and never an answer.

A base model that has read these goes on with the next question when it is asked one, which is what a base model does.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from pocket_world import lists, rewriting, smalltalk
from pocket_world.dressing import write
from pocket_world.facts import DAYS, RELATIONS, ROOM_OF
from pocket_world.questions import HELD_OUT_STYLES, STYLES, ask
from pocket_world.smalltalk import TRAITS
from workshop_utils.pocket import words
from workshop_utils.pocket.grammar import Dice, capitalise

SORTS = {"quiz": 0.36, "one kind": 0.22, "stories": 0.12, "tasks": 0.1, "lines": 0.1, "all": 0.1}
HEADINGS = {
    "quiz": (
        "Quiz for {day}",
        "[Questions|Quiz|Homework] for {name}",
        "[Twenty|Some|A few|Easy|Hard] questions",
        "[Homework|Test|Quiz], page {number}",
        "{Name}'s [quiz|test|sheet]",
        "Questions that {name} [wrote down|asked today|wants to ask]",
    ),
    "one kind": ("Questions about {about}", "Quiz: {about}", "Homework on {about}", "What we know about {about}"),
    "stories": (
        "[Ideas for stories|Story ideas|Stories to write]",
        "Story ideas for {day}",
        "{Name}'s list of stories",
    ),
    "tasks": ("[Tasks|Homework|Work] for {day}", "Tasks for {name}", "English, page {number}"),
    "lines": ("Lines for the play", "[What|Lines that] {name} says in the play", "Say these lines aloud"),
    "all": ("[Sheet|Page|Paper] {number}", "Work for {day}", "Everything for {name}"),
}
STORY_WISHES = (
    "Tell me a story about a {kind} called {name}.",
    "Tell me a story about a {trait} {kind} called {name}.",
    "Tell a story about {name} and the {thing}.",
    "Tell me a story about {name} and a {thing}.",
    "Write a story about a {kind} who [lost|found|wanted|made] a {thing}.",
    "Write a story about a {trait} {kind}.",
    "Write a [short|little] story about {name} the {kind}.",
    "Please tell me a story about {name}, a {trait} {kind}.",
    "I want a story about a {kind} called {name}.",
    "Can you tell me a story about a {kind} and a {thing}?",
    "A story about a {trait} {kind} called {name}, please.",
    "Tell me about {name} the {kind} and the lost {thing}.",
    "Make up a story about a {thing} and a {kind}.",
    "Could there be a story about {name} in the [garden|woods|kitchen|harbour]?",
)


def sheet(rng: random.Random) -> str:
    """Write a sheet of questions, story ideas, tasks or lines: in lines or as one paragraph, with a heading or without.

    Args:
        rng: the source of randomness.
    """
    dice = Dice(rng)
    sort = dice.pick_weighted(SORTS)
    relation = dice.pick(tuple(RELATIONS))
    writer = _writer(sort, relation)
    entries: list[str] = []
    wanted = rng.randint(5, 8)
    while len(entries) < wanted:
        entry = writer(dice)
        # A relation of ten facts runs dry, so a question may come back in other words but not in the same ones.
        if entry not in entries:
            entries.append(entry)
    layout = dice.pick_weighted({"paragraph": 0.4, "lines": 0.35, "numbers": 0.15, "gaps": 0.1})
    if layout == "paragraph":
        text = " ".join(entries)
    elif layout == "numbers":
        text = "\n".join(f"{number}. {entry}" for number, entry in enumerate(entries, 1))
    else:
        text = ("\n\n" if layout == "gaps" else "\n").join(entries)
    return _heading(sort, relation, dice) + text


def _heading(sort: str, relation: str, dice: Dice) -> str:
    """Mostly none, so that a bare question is a good beginning too; sometimes how the answers are to be written."""
    shown = dice.pick_weighted({"none": 0.65, "heading": 0.27, "style": 0.08})
    if shown == "style" and sort in ("quiz", "one kind"):
        style = dice.pick(tuple(STYLES))
        return dice.pick(STYLES[style] + HELD_OUT_STYLES[style]) + "\n\n"
    if shown != "heading":
        return ""
    slots = {
        "day": dice.pick(DAYS),
        "name": dice.pick_weighted(words.POPULARITY),
        "number": str(dice.rng.randint(2, 40)),
        "about": RELATIONS[relation].about,
    }
    return write(dice.pick(HEADINGS[sort]), dice, slots) + dice.pick(("\n", "\n\n", ":\n"))


def _writer(sort: str, relation: str) -> Callable[[Dice], str]:
    if sort == "quiz":
        return lambda dice: ask(dice.rng)
    if sort == "one kind":
        return lambda dice: ask(dice.rng, relation)
    writers: dict[str, Callable[[Dice], str]] = {
        "stories": _story_wish,
        "tasks": _task,
        "lines": _line,
        "all": _anything,
    }
    return writers[sort]


def _story_wish(dice: Dice) -> str:
    slots = {
        "kind": dice.pick(words.ANIMALS),
        "trait": dice.pick(TRAITS),
        "name": dice.pick_weighted(words.POPULARITY),
        "thing": dice.pick(tuple(ROOM_OF)),
    }
    return write(dice.pick(STORY_WISHES), dice, slots)


def _task(dice: Dice) -> str:
    make = dice.pick((lists.wanted, rewriting.rewrite, rewriting.rewrite))
    return _clean(make(dice.rng, held_out=dice.pick((True, False, False))).prompt)


def _line(dice: Dice) -> str:
    make = dice.pick((smalltalk.greeting, smalltalk.greeting, smalltalk.refusal))
    return _clean(make(dice.rng, held_out=dice.pick((True, False, False))).prompt)


def _anything(dice: Dice) -> str:
    writers: tuple[Callable[[Dice], str], ...] = (lambda throws: ask(throws.rng), _story_wish, _task, _line)
    return dice.pick(writers)(dice)


def _clean(prompt: str) -> str:
    """A prompt as it stands on a sheet: with its capital and its full stop."""
    if prompt[-1] not in ".?!":
        prompt += "."
    return capitalise(prompt)
