"""The exercises of lesson 09, evaluation: references, inputs, mistakes that people make. 09.4 to 09.6: pieces09.py."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Iterator

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes
from workshop_utils.exercises.pieces09 import PIECES

# --- 09.1: a metric


def stem_score(text: str, stems: list[str]) -> float:
    """Different stems that words of the text begin with, for every ten words, and 1 at most; 0 for no words."""
    words = _words(text)
    found = {stem for stem in stems if any(word.startswith(stem) for word in words)}
    return min(1.0, 10 * len(found) / len(words)) if words else 0.0


def _texts(rng: random.Random) -> Iterator[Arguments]:
    filler = ["you", "can", "look", "at", "the", "sky", "and", "go", "home", "with", "friends", "today"]
    said = ["A reminder of a ghost", "The virtues and virtue", "Mind the gap", "They are fated reasons"]
    for part in rng.sample(said, len(said)):
        yield f"{part} {' '.join(rng.choices(filler, k=rng.randrange(21, 30)))}.", ["mind", "virtue", "fate", "reason"]
    yield '"Mind" the (reason), look at the sky and go home with friends', ["mind", "virtue", "fate", "reason"]
    yield "Virtue: mind fate!", ["mind", "virtue", "fate", "reason"]
    yield "", ["mind", "virtue"]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def _per_ten(found: Collection[str], text: str) -> float:
    return _share(found, _words(text))


def _share(found: Collection[str], words: list[str]) -> float:
    return min(1.0, 10 * len(found) / max(1, len(words)))


def _begun(text: str, stems: list[str]) -> list[str]:
    return [stem for word in _words(text) for stem in stems if word.startswith(stem)]


METRIC: Mistakes = {
    "letters anywhere": (
        lambda text, stems: _per_ten({s for s in stems if s in text.lower()}, text),
        "'reminder' has the letters of 'mind', and nobody minds. Go through the words: word.startswith(stem).",
    ),
    "punctuation kept": (
        lambda text, stems: _share({s for s in stems for w in text.lower().split() if w.startswith(s)}, text.split()),
        "split() leaves quotation marks and brackets at the words, and '\"mind\"' does not begin with 'mind': take the "
        "letters only, re.findall(r'[a-z]+', text.lower()).",
    ),
    "every word counts": (
        lambda text, stems: _per_ten(_begun(text, stems), text),
        "the same stem counts once, however often it is said: collect the stems in a set.",
    ),
    "whole words only": (
        lambda text, stems: _per_ten({*_words(text)} & {*stems}, text),
        "'reasons' and 'fated' count, too: compare the beginning of each word with the stem.",
    ),
    "capitals missed": (
        lambda text, stems: _per_ten({s for s in stems if re.search(rf"\b{s}", text)}, text),
        "'Mind' at the beginning of a sentence is the same word: text.lower() first.",
    ),
    "length ignored": (
        lambda text, stems: float(len({*_begun(text, stems)})),
        "that is the number of stems, and a long text finds more by chance: how many are there for every ten words?",
    ),
    "the share of one word": (
        lambda text, stems: len({*_begun(text, stems)}) / max(1, len(_words(text))),
        "that is how many stems there are for one word. The score counts them for ten.",
    ),
    "not capped": (
        lambda text, stems: 10 * len({*_begun(text, stems)}) / max(1, len(_words(text))),
        "three words can have more than one stem for every ten words: 1 is the most, min(1.0, ...).",
    ),
    "empty text": (
        lambda text, stems: min(1.0, 10 * len({*_begun(text, stems)}) / len(_words(text))),
        "a reply can be empty, and then there are no words to divide by: it scores 0.",
    ),
}


# --- 09.3: perplexity


def perplexity(log_probabilities: list[float]) -> float:
    """e to the mean surprise; the logarithms are natural ones."""
    return math.exp(-sum(log_probabilities) / len(log_probabilities))


def _log_probabilities(rng: random.Random) -> Iterator[Arguments]:
    for n in (4, 7, 12):
        yield ([math.log(rng.uniform(0.05, 0.9)) for _ in range(n)],)


PERPLEXITY: Mistakes = {
    "nats": (
        lambda logs: -sum(logs) / len(logs),
        "this is the mean surprise in nats, the loss that training shows: math.exp makes a number of choices of it.",
    ),
    "sign": (
        lambda logs: math.exp(sum(logs) / len(logs)),
        "a perplexity is never below 1. Surprise is minus the logarithm: mind the sign.",
    ),
    "sum": (
        lambda logs: math.exp(-sum(logs)),
        "you took the sum over all tokens, so a longer text would always look worse: take the mean.",
    ),
    "bits": (
        lambda logs: 2 ** (-sum(logs) / len(logs)),
        "2 to the power of nats mixes two units: these are natural logarithms, so math.exp.",
    ),
    "mean of the choices": (
        lambda logs: sum(math.exp(-one) for one in logs) / len(logs),
        "first the mean of the surprise, then math.exp, and not the other way round.",
    ),
    "mean of the probabilities": (
        lambda logs: len(logs) / sum(map(math.exp, logs)),
        "you averaged the probabilities. Average the logarithms: a single token near 0 must hurt.",
    ),
}


# --- 09.2: could it be luck?


def share_of_wins(a: list[float], b: list[float], draws: list[list[int]]) -> float:
    """In which share of the draws, each a list of prompts, the mean score of b is above that of a."""
    wins = [sum(b[i] for i in draw) / len(draw) > sum(a[i] for i in draw) / len(draw) for draw in draws]
    return sum(wins) / len(wins)


def _draws(rng: random.Random) -> Iterator[Arguments]:
    for n in (5, 6, 8):
        a = [rng.randrange(0, 100) for _ in range(n)]
        b = [score + rng.choice((-25, -10, 5, 12, 30)) for score in a]
        b[:3] = a[0], a[1] + 12, a[2] - 25
        draws = [[rng.randrange(n) for _ in range(n)] for _ in range(600)]
        yield a, b, draws + [[0] * n] * 31 + [[1] * n] * 17 + [[2] * n] * 3  # ties, wins and defeats for certain


def _unpaired(a: list[float], b: list[float], draws: list[list[int]]) -> float:
    pairs = zip(draws, [*draws[1:], draws[0]], strict=True)
    return sum(sum(b[i] for i in one) > sum(a[i] for i in other) for one, other in pairs) / len(draws)


WINS: Mistakes = {
    "the count": (
        lambda a, b, draws: share_of_wins(a, b, draws) * len(draws),
        "that is how many draws b wins: divide by the number of draws.",
    ),
    "ties win": (
        lambda a, b, draws: 1 - share_of_wins(b, a, draws),
        "a tie is no win: the mean of b must be above that of a, > and not >=.",
    ),
    "the wrong way round": (
        lambda a, b, draws: share_of_wins(b, a, draws),
        "that is the share of draws in which a wins, and b was asked for.",
    ),
    "prompts": (
        lambda a, b, draws: sum(y > x for x, y in zip(a, b, strict=True)) / len(a),
        "you counted prompts. Compare two means for each draw.",
    ),
    "no draws": (
        lambda a, b, draws: float(sum(b) > sum(a)),
        "you compared the means once, over all prompts: the draws show how shaky that answer is.",
    ),
    "not paired": (
        _unpaired,
        "a and b answer different prompts here, and hard prompts look like a bad model: one draw for both.",
    ),
    "each prompt once": (
        lambda a, b, draws: share_of_wins(a, b, [sorted(set(draw)) for draw in draws]),
        "a prompt counts as often as it was drawn: go through the list of indices, not through a set of it.",
    ),
}

EXERCISES = [
    *PIECES,
    Exercise(
        "09.1",
        "metric",
        stem_score,
        cases=_texts,
        praise="whole words, each idea once, by length. It measures vocabulary and no wisdom: now try to fool it.",
        mistakes=METRIC,
    ),
    Exercise(
        "09.3",
        "perplexity",
        perplexity,
        cases=_log_probabilities,
        praise="as if the model had thrown a die with so many sides for every token.",
        mistakes=PERPLEXITY,
    ),
    Exercise(
        "09.2",
        "bootstrap",
        share_of_wins,
        cases=_draws,
        praise="the same prompts for both, drawn again and again: from 0.975 on, luck is a poor explanation.",
        mistakes=WINS,
    ),
]
