"""The pairs of lesson 07 in small words: complaints written by hand, and two or three Stoic thoughts on each.

The thoughts are those of stoa.py, which the base model has read in letters, diaries and tales; none stands in more than
two pairs. What is held out was written by hand as a whole, about other nouns, and none of its sentences is trained on.
"""

from __future__ import annotations

import random
from collections import Counter

from pocket_world import stoa, stoic
from pocket_world.reading import read, sections
from pocket_world.topics import NOUNS, TOPICS, Speaker
from workshop_utils.lessons.stoic_set import Pair
from workshop_utils.pocket.grammar import Dice, Slot, Wording, every_text

MIN_WORDS, MAX_WORDS, MOST_USES = 14, 42, 2
# So short and so general that a tuned model would say them to everything.
_TOO_EASY = frozenset(
    one
    for one in stoic.LAST
    if next(every_text(one)).startswith(("The obstacle is", "The patient soul", "A free soul"))
) | frozenset(one for one in stoic.SECOND if next(every_text(one)).startswith(("The obstacle of", "A [wise", "A wise")))


def held_out() -> list[Pair]:
    """Complaints and answers by hand, about nouns of which no Stoic text speaks."""
    return [Pair(prompt, answer, noun) for noun, prompt, answer in _rows("held out")]


def trained() -> list[Pair]:
    """Complaints by hand, each with an answer put together from thoughts that fit it."""
    dice = Dice(random.Random("pairs 0"))
    uses: Counter[Wording] = Counter()
    found = []
    for noun, prompt in _rows("pairs"):
        speaker = Speaker(TOPICS[NOUNS[noun]], noun, dice)
        chosen, answer = _answer(speaker, uses)
        uses.update(chosen)
        found.append(Pair(prompt, answer, noun))
    return found


def _answer(speaker: Speaker, uses: Counter[Wording]) -> tuple[list[Wording], str]:
    """A thought about the thing, then a general one or two: among those that were used least."""
    dice, known = speaker.dice, stoa.preferred(speaker.topic.name)
    general = tuple(one for one in (*stoa.ANY, *stoic.SECOND, *stoic.LAST) if one not in _TOO_EASY)
    while True:
        first = _least(known["own"] or known["sort"], uses, dice)
        others = [_least(known["sort"] + general, uses, dice) for _ in range(dice.pick((1, 1, 2)))]
        chosen = [first, *others]
        if dice.rng.random() < 0.3:
            chosen.reverse()
        text = " ".join(stoa.said(speaker, one, "your") for one in chosen)
        named = any(Slot("noun") in one for one in chosen)
        fits = MIN_WORDS <= len(text.split()) <= MAX_WORDS and len(stoic.stems_in(text)) > 1
        if fits and named and len(set(chosen)) == len(chosen) and max(uses[one] for one in chosen) < MOST_USES:
            return chosen, text


def _least(wordings: tuple[Wording, ...], uses: Counter[Wording], dice: Dice) -> Wording:
    """One of them, of those that still may be used, with those that never were first."""
    fresh = [one for one in wordings if uses[one] == 0]
    left = [one for one in wordings if uses[one] < MOST_USES]
    return dice.pick(fresh if fresh and dice.rng.random() < 0.8 else left or wordings)


def _rows(part: str) -> list[list[str]]:
    _, _, text = read("pairs").partition("\n\n")
    return [row.split(" | ") for row in sections(text)[part]]
