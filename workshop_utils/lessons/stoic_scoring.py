"""How Stoic is a text? One score that counts ideas as whole words, and the naive one that it replaces.

Lessons 07 and 09 score replies with it. No score of words can tell wisdom from its vocabulary, so it is never read
alone: beside it stand the topic that was named, the words that do not exist, and a judge.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cache

# An idea and the words that stand for it, each as the beginning of a whole word: "virtue" is found in "virtues" and
# "virtuous", and "mind" is not found in "reminder". Ideas are counted, not words: one of them twice adds nothing.
IDEAS: dict[str, tuple[str, ...]] = {
    "virtue": ("virtue", "virtuous", "justice", "temperance"),
    "reason": ("reason", "rational", "logic"),
    "judgement": ("judgement", "judgment", "opinion", "impression"),
    "control": ("control", "up to you", "your power", "power over", "command"),
    "nature": ("nature", "universe", "cosmos", "whole of things"),
    "fate": ("fate", "fortune", "destiny", "providence"),
    "acceptance": ("accept", "endure", "endurance", "bear it", "bear what", "yield to"),
    "soul": ("soul", "character", "inner"),
    "mortality": ("mortal", "death", "brief life", "short life"),
    "obstacle": ("obstacle", "hindrance", "adversity", "impediment"),
    "wisdom": ("wisdom", "wise", "philosoph", "stoic"),
    "sages": ("seneca", "marcus", "epictetus", "zeno"),
    "courage": ("courage", "fortitude", "patience", "steadfast"),
    "calm": ("tranquil", "serene", "serenity", "calm", "equanimity"),
    "desire": ("desire", "indifferent", "indifference", "externals"),
    "duty": ("duty", "duties", "your part", "obey"),
}
FULL = 3  # different ideas in a reply of ordinary length that make it as Stoic as can be told
WORDS = 25  # an ordinary length; a longer text needs more ideas
MOST = 1 / 3  # share of its words that a sentence may spend on them: above, it is a list of keywords
# What a keyword score looks for: any of these letters, anywhere.
KEYWORDS = (
    *("virtue", "reason", "control", "nature", "fate", "accept", "mind", "soul", "duty", "wisdom", "calm", "power"),
    *("judg", "desire", "death", "endure"),
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@cache
def _pattern(idea: str) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(map(re.escape, IDEAS[idea])) + r")\w*", re.IGNORECASE)


def ideas_in(text: str) -> set[str]:
    """Which of the IDEAS a text names, by the beginnings of its words."""
    return {idea for idea in IDEAS if _pattern(idea).search(text)}


def stoic_score(text: str) -> float:
    """How many different Stoic ideas a text has for its length, from 0 to 100.

    Three ideas in up to 25 words score 100, and a longer text needs as many more. Where more than a third of all words
    are such words, it is no sentence any more, and the score is cut in proportion.

    Args:
        text: a reply.
    """
    n = len(_WORD.findall(text))
    if n == 0:
        return 0.0
    spent = sum(len(_pattern(idea).findall(text)) for idea in IDEAS)
    listed = min(1.0, MOST * n / spent) if spent else 1.0
    return 100 * min(1.0, len(ideas_in(text)) / (FULL * max(1.0, n / WORDS))) * listed


def keyword_score(text: str) -> float:
    """The naive score: the share of five hits that the letters of a keyword make, from 0 to 100, words or not.

    "A reminder" has a mind in it for this score, and a list of keywords is perfect. It is here to be compared with.

    Args:
        text: a reply.
    """
    said = text.lower()
    return 100 * min(1.0, sum(keyword in said for keyword in KEYWORDS) / 5)


def names_topic(topic: str, text: str) -> bool:
    """Whether a text names a topic, as a whole word: there is no cat in "education".

    Args:
        topic: in small letters; its plural counts as well.
        text: a reply.
    """
    return re.search(rf"\b{re.escape(topic)}s?\b", text.lower()) is not None


def frames(topic: str, text: str) -> set[str]:
    """The sentences of a reply, in small letters, with "_" for its topic: equal for replies that differ in it alone."""
    blanked = re.sub(rf"\b{re.escape(topic)}\b", "_", text.strip().lower())
    return set(re.split(r"(?<=[.!?])\s+", blanked))


def commonest_frame(replies: Iterable[tuple[str, str]]) -> tuple[str, int]:
    """The frame that most replies share, as form letters do.

    Args:
        replies: topic and text of each, at least one of them with a text.

    Returns:
        the sentence, as in `frames`, and how many replies hold it.
    """
    return Counter(frame for topic, text in replies for frame in frames(topic, text)).most_common(1)[0]
