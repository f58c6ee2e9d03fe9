"""Stories on demand: "Tell me a story about a brave fox called Mia", and the story, with the fox, the name and all."""

from __future__ import annotations

import random

from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import Dice, Slot, expand, parse, with_articles
from workshop_utils.pocket.stories import story

MOODS = (
    "brave", "shy", "happy", "clever", "hungry", "sleepy", "funny", "kind", "lazy", "proud", "lonely", "cheerful",
    "noisy", "patient", "tidy", "polite", "grumpy", "careful", "cheeky", "friendly", "little", "small", "young", "old",
)  # fmt: skip

# What cannot be said of somebody in that mood.
CLASHES = {
    **dict.fromkeys(("brave", "proud", "noisy", "cheeky", "friendly", "cheerful"), ("so shy", "wanted to be brave")),
    **dict.fromkeys(("patient", "sleepy", "lazy"), ("could not sit still",)),
    **dict.fromkeys(("grumpy", "shy"), ("laughed at everything",)),
    "lonely": ("laughed at everything",),
    "hungry": ("was always hungry",),
}

# Of a request: who the story is about, from much to little. A mood in the request comes back in the first sentence.
_WHO = tuple(
    map(
        parse,
        (
            "a {mood} {kind} called {name}",
            "a {mood} {kind} called {name}",
            "a {kind} called {name}",
            "a {kind} called {name}",
            "a {kind} named {name}",
            "{name} the {kind}",
            "a {mood} {kind}",
            "a {kind}",
        ),
    )
)
REQUESTS = tuple(
    map(
        parse,
        (
            "Tell me a story about {who}.",
            "Tell me a story about {who}.",
            "Tell me a [short|bedtime|little|nice] story about {who}.",
            "Please tell me a story about {who}.",
            "Can you tell me a story about {who}?",
            "Write a [|short ]story about {who}.",
            "I want [to hear ]a story about {who}.",
            "Hi, tell me a story about {who}",
            "A story about {who}, please.",
            "Could you write a story about {who}?",
            "Once more: tell a story about {who}!",
            "tell me a story about {who}",
            "Do you know a story about {who}?",
        ),
    )
)
HELD_OUT_REQUESTS = tuple(
    map(
        parse,
        (
            "Please write me a story about {who}.",
            "Make up a story about {who}.",
            "I would like a bedtime story about {who}, please.",
            "Hello! Can I hear a story about {who}?",
            "Read me a story about {who}.",
        ),
    )
)
ANY_STORY = tuple(
    map(parse, ("Tell me a [|short ]story.", "Please tell me [a|another] story.", "Do you know a story?"))
)

# {described} is "fox" or "brave fox", as it was asked for.
_OPENINGS = (
    "Once upon a time there was a {described} called {name}. {name} {trait}.",
    "Once upon a time there was a {described} called {name}, and {name} {trait}.",
    "Once there was a {described} called {name}. {name} {trait}.",
    "There was once a {described} called {name}, and {name} {trait}.",
    "Once upon a time there lived a {described}. {His} name was {name}, and {name} {trait}.",
)


def asked(rng: random.Random, held_out: bool = False) -> Chat:
    """A request for a story, and the story.

    Args:
        rng: the source of randomness.
        held_out: ask in wordings that no model is trained on.

    Returns:
        a Chat of kind "story"; truth holds the "kind" of animal that was asked for, and "name" and "mood" if they were.
    """
    dice = Dice(rng)
    who = dice.pick(_WHO)
    name = dice.pick(tuple(words.PRONOUNS))
    is_child = Slot("name") in who and dice.pick((True, False, False, False, False, False))
    kind = words.CHILD[words.PRONOUNS[name]] if is_child else dice.pick(words.ANIMALS)
    filling = {"kind": kind, "name": name, "mood": dice.pick(MOODS)}
    used: dict[str, str] = {}

    def fill(slot: str) -> str:
        used[slot] = filling[slot]
        return filling[slot]

    subject = expand(who, dice, fill)
    prompt = expand(dice.pick(HELD_OUT_REQUESTS if held_out else REQUESTS), dice, lambda slot: subject)
    described = f"{used['mood']} {{kind}}" if "mood" in used else "{kind}"
    openings = tuple(parse(opening.replace("{described}", described)) for opening in _OPENINGS)
    told = story(rng, name=used.get("name"), kind=kind, openings=openings)
    while any(phrase in told.text for phrase in CLASHES.get(used.get("mood", ""), ())):
        told = story(rng, name=used.get("name"), kind=kind, openings=openings)
    return Chat("story", with_articles(prompt), told.text, used)


def any_story(rng: random.Random, held_out: bool = False) -> Chat:
    """A request for just any story, and one of them."""
    del held_out  # there is hardly another way to ask for it
    dice = Dice(rng)
    return Chat("any story", expand(dice.pick(ANY_STORY), dice, str), story(rng).text)
