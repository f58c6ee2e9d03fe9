"""The exercises of lesson 09, evaluation: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randn
from workshop_utils.exercises.sameness import same

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


# --- 09.2: could it be chance?


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
        "you compared the means once, over all prompts: the draws show how uncertain that answer is.",
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


# --- 09.3: perplexity


def perplexity(log_probabilities: list[float]) -> float:
    """e to the mean loss; the logarithms are natural ones."""
    return math.exp(-sum(log_probabilities) / len(log_probabilities))


def _log_probabilities(rng: random.Random) -> Iterator[Arguments]:
    for n in (4, 7, 12):
        yield ([math.log(rng.uniform(0.05, 0.9)) for _ in range(n)],)


PERPLEXITY: Mistakes = {
    "nats": (
        lambda logs: -sum(logs) / len(logs),
        "this is the mean loss in nats, as training shows it. Perplexity is math.exp of it.",
    ),
    "sign": (
        lambda logs: math.exp(sum(logs) / len(logs)),
        "a perplexity is never below 1. The loss is minus the logarithm: mind the sign.",
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
        "first the mean of the loss, then math.exp, and not the other way round.",
    ),
    "mean of the probabilities": (
        lambda logs: len(logs) / sum(map(math.exp, logs)),
        "you averaged the probabilities. Average the logarithms: a single token near 0 must hurt.",
    ),
}


# --- 09.4: eight bits, a scale per row


def quantise_rows(W: Any) -> tuple[Any, Any]:
    """A matrix (out, in) to whole numbers from -127 to 127, int8, and a scale for each row, (out,)."""
    scales = W.abs().amax(dim=1) / 127
    return (W / scales[:, None]).round().char(), scales  # char() is to(torch.int8)


def _matrices(rng: random.Random) -> Iterator[Arguments]:
    for size in (0.05, 2.0, 0.3):
        W = size * randn(rng, 6, 8) * (1 + 4 * randn(rng, 6, 1).abs())
        W[rng.randrange(6), rng.randrange(8)] = -20 * size  # an outlier, and negative
        yield (W,)


def _same_codes(got: Any, expected: Any) -> str | None:
    if not isinstance(got, tuple | list) or len(got) != 2:
        return "return two things, codes and scales: without the scales nobody can go back."
    dtype, other = (str(getattr(part, "dtype", type(part).__name__)).removeprefix("torch.") for part in got)
    if dtype != "int8" and other == "int8":
        return "your codes come second: return codes, scales, in this order."
    if dtype != "int8":
        return f"your codes are of type {dtype}: each code takes one byte, so round() and then to(torch.int8)."
    return same(got, expected)


ROWS: Mistakes = {
    "one scale": (
        lambda W: ((W / (W.abs().max() / 127)).round().char(), W.abs().max() / 127),
        "there is one scale for the whole matrix, so the outlier's row decides for all: a maximum for each row.",
    ),
    "by columns": (
        lambda W: ((W / (W.abs().amax(0) / 127)).round().char(), W.abs().amax(0) / 127),
        "your scales belong to columns. W is (out, in), and a channel is a row: amax(dim=1).",
    ),
    "no absolute value": (
        lambda W: ((W / (W.amax(1, True) / 127)).round().char(), W.amax(1) / 127),
        "the largest magnitude can be that of a negative weight: abs() before amax(), or its code does not fit.",
    ),
    "128": (
        lambda W: ((W / (W.abs().amax(1, True) / 128)).round().char(), W.abs().amax(1) / 128),
        "int8 ends at 127: with 128 steps the largest weight becomes -128, its sign turned round. Divide by 127.",
    ),
    "not rounded": (
        lambda W: ((W / (W.abs().amax(1, True) / 127)).char(), W.abs().amax(1) / 127),
        "to(torch.int8) cuts off towards 0, an error of up to a whole step: with round() first it is half a step.",
    ),
    "the maximum as scale": (
        lambda W: (quantise_rows(W)[0], W.abs().amax(1)),
        "your scales are the largest magnitudes. Code times scale should be the weight again: divide them by 127.",
    ),
    "127.5": (
        lambda W: (
            (W / (W.abs().amax(1, True) / 127.5)).round().clamp(-128, 127).char(),
            W.abs().amax(1) / 127.5,
        ),
        "you divided by 127.5, as torchao does, so that the codes fill -128 to 127. Here they go from -127 to 127: "
        "divide by 127.",
    ),
    "127.5 without a clamp": (
        lambda W: ((W / (W.abs().amax(1, True) / 127.5)).round().char(), W.abs().amax(1) / 127.5),
        "you divided by 127.5: a row's largest magnitude can round to 128, which int8 cannot hold, and the weight then "
        "comes back with the other sign. Here the codes go from -127 to 127: divide by 127.",
    ),
    "rounded down": (
        lambda W: ((W / (W.abs().amax(1, True) / 127)).floor().char(), W.abs().amax(1) / 127),
        "floor() always rounds down, an error of up to a whole step: round() goes to the nearest code.",
    ),
    "a column of scales": (
        lambda W: (quantise_rows(W)[0], quantise_rows(W)[1][:, None]),
        "your scales are right, and of the shape (out, 1), as the division needs them. Return them as (out,).",
    ),
    "upside down": (
        lambda W: (quantise_rows(W)[0], 1 / quantise_rows(W)[1]),
        "your scales are upside down: code times scale should be the weight again, so the largest magnitude / 127.",
    ),
    "the whole range": (
        lambda W: (
            (W / ((W.amax(1, True) - W.amin(1, True)) / 254)).round().clamp(-127, 127).char(),
            (W.amax(1) - W.amin(1)) / 254,
        ),
        "from the smallest to the largest weight: that range suits codes with a zero point. Here 0 stays 0, and the "
        "largest magnitude becomes 127 or -127.",
    ),
    "codes alone": (
        lambda W: quantise_rows(W)[0],
        "these are the codes. Return the scales with them: without them nobody can go back.",
    ),
}


# --- 09.5: the size of a block


def choose_block(errors: dict[int, float], limit: float) -> tuple[int, float]:
    """The largest block whose error is at most the limit, and the bits a weight then takes: 4, and its share of 16."""
    block = max(size for size, error in errors.items() if error <= limit)
    return block, 4 + 16 / block


def _block_errors(rng: random.Random) -> Iterator[Arguments]:
    def drawn() -> list[float]:
        return [round(0.05 + 0.01 * place + rng.uniform(0, 0.008), 4) for place in range(6)]

    blocks = (16, 32, 64, 128, 256, 512)
    for at in (2, 1):
        errors = drawn()
        yield dict(zip(blocks, errors, strict=True)), errors[at]  # the limit is met exactly
    errors = drawn()
    errors[2], errors[3] = errors[3], errors[2]  # a larger block may happen to have the smaller error
    yield dict(zip(blocks, errors, strict=True)), errors[2]
    yield dict(zip(blocks, errors, strict=True)), errors[2] - 0.0001  # allowed, not allowed, allowed
    yield dict(zip(blocks[::-1], drawn()[::-1], strict=True)), 0.0695  # the largest block first
    yield dict(zip(blocks, drawn(), strict=True)), 0.0595  # the smallest block alone


def _up_to_the_first_above(errors: dict[int, float], limit: float) -> tuple[int, float]:
    allowed = dict(itertools.takewhile(lambda row: row[1] <= limit, sorted(errors.items())))
    return choose_block(allowed, limit)


BLOCKS: Mistakes = {
    "smallest error": (
        lambda errors, limit: (min(errors, key=errors.__getitem__), 4 + 16 / min(errors, key=errors.__getitem__)),
        "that block has the smallest error, but also the most scales. The largest one within the limit was asked for.",
    ),
    "largest of all": (
        lambda errors, limit: (max(errors), 4 + 16 / max(errors)),
        "that is the largest block of all, and its error is above the limit.",
    ),
    "below the limit only": (
        lambda errors, limit: choose_block({b: e for b, e in errors.items() if e < limit}, limit),
        "a block whose error is exactly the limit is still allowed: <= and not <.",
    ),
    "nearest to the limit": (
        lambda errors, limit: (
            max((e, b) for b, e in errors.items() if e <= limit)[1],
            4 + 16 / max((e, b) for b, e in errors.items() if e <= limit)[1],
        ),
        "you chose the block whose error is nearest to the limit. The largest block within the limit was asked for.",
    ),
    "without the scale": (
        lambda errors, limit: (choose_block(errors, limit)[0], 4.0),
        "4 bits are the code alone: the scale of the block is stored as well, 16 bits for all its weights.",
    ),
    "share cut off": (
        lambda errors, limit: (choose_block(errors, limit)[0], 4 + 16 // choose_block(errors, limit)[0]),
        "16 // block cuts the share of the scale off to a whole number, mostly to 0: divide with /.",
    ),
    "the last one allowed": (
        lambda errors, limit: (
            [block for block, error in errors.items() if error <= limit][-1],
            4 + 16 / [block for block, error in errors.items() if error <= limit][-1],
        ),
        "you took the last allowed row of the table, whose order is not fixed: take the largest block, max().",
    ),
    "a scale a weight": (
        lambda errors, limit: (choose_block(errors, limit)[0], 20.0),
        "the 16 bits of a scale are shared by the whole block: divide them by its size.",
    ),
    "the scale alone": (
        lambda errors, limit: (choose_block(errors, limit)[0], 16 / choose_block(errors, limit)[0]),
        "that is a weight's share of the scale. Its own code takes 4 bits as well.",
    ),
    "the bits of a block": (
        lambda errors, limit: (choose_block(errors, limit)[0], 4 * choose_block(errors, limit)[0] + 16),
        "those are the bits of a whole block. How many are they for one weight?",
    ),
    "a 32-bit scale": (
        lambda errors, limit: (choose_block(errors, limit)[0], 4 + 32 / choose_block(errors, limit)[0]),
        "that is a scale of 32 bits for each block, as NF4 has it. Here a scale takes 16.",
    ),
    "the share upside down": (
        lambda errors, limit: (choose_block(errors, limit)[0], 4 + choose_block(errors, limit)[0] / 16),
        "the share is upside down: the 16 bits are divided by the weights of the block, and a larger block costs less.",
    ),
    "the wrong order": (
        lambda errors, limit: choose_block(errors, limit)[::-1],
        "your two results are right, in the wrong order: the block first, then the bits.",
    ),
    "its error": (
        lambda errors, limit: (errors[choose_block(errors, limit)[0]], choose_block(errors, limit)[1]),
        "that is the error of the block. Return its size, the key of the table.",
    ),
    "up to the first above": (
        lambda errors, limit: _up_to_the_first_above(errors, limit),
        "you stopped at the first block above the limit. A larger block can be within it again: look at all of them.",
    ),
    "the block alone": (
        lambda errors, limit: choose_block(errors, limit)[0],
        "return two things: the size of the block, and the bits that a weight takes with it.",
    ),
}


# --- 09.6: which one would you ship?


def ship(rows: list[dict[str, Any]], megabytes: float) -> str:
    """The fastest that fits and whose interval still reaches into that of the best score of the whole table."""
    best = max(rows, key=lambda row: row["score"])
    able = [row for row in rows if row["megabytes"] <= megabytes and row["high"] >= best["low"]]
    return str(max(able, key=lambda row: row["tokens_per_second"])["name"])


# Megabytes and tokens a second as shares of two numbers that are drawn; how far the score is below the best, and the
# half of its interval.
TABLE = {
    "float32": (3.9, 1.0, 0.0, 6.0),
    "bfloat16": (1.9, 1.3, 0.3, 6.0),
    "int8": (1.0, 2.0, 1.0, 6.0),  # just fits
    "int8 static": (0.9, 2.5, 4.0, 6.0),
    "int8 dynamic": (1.2, 4.0, 2.0, 6.0),
    "NF4": (0.55, 0.7, 1.4, 6.0),
    "GGUF Q4_0": (0.6, 3.0, 9.0, 5.0),  # its score lies below the best one's interval, but its own reaches into it
    "int4": (0.5, 3.5, 6.9, 0.4),  # a better score than Q4_0, and surely worse than the best: in the interval of int8
    "2 bits": (0.3, 5.0, 40.0, 5.0),
}

# Each of them tells one wrong rule apart.
CHANGES: list[dict[str, tuple[float, float, float, float]]] = [
    {"NF4": (0.55, 0.7, 1.4, 9.0)},  # its high is above that of the best score
    {"int8 dynamic": (1.2, 4.0, 2.0, 1.0)},  # its low is above that of the best score
    {"GGUF Q4_0": (0.6, 3.0, 9.0, 3.0)},  # its high is the low of the best score
    {"GGUF Q4_0": (0.97, 3.0, 9.0, 5.0), "int8 static": (0.7, 2.5, 4.0, 6.0)},  # not the fastest for its size
    {},
]


def _tables(rng: random.Random) -> Iterator[Arguments]:
    for change in CHANGES:
        best, limit, speed = round(rng.uniform(60, 80), 1), rng.randrange(200, 400), rng.randrange(20, 60)
        rows = []
        table = TABLE | change
        for name, (size, rate, below, half) in rng.sample(list(table.items()), len(table)):
            row = {"name": name, "megabytes": round(size * limit), "tokens_per_second": round(rate * speed)}
            score = round(best - below, 1)
            rows.append(row | {"score": score, "low": round(score - half, 1), "high": round(score + half, 1)})
        yield rows, limit
    yield rows, next(row["megabytes"] for row in rows if row["name"] == "GGUF Q4_0")  # it fits exactly


def _fastest(able: Callable[[dict[str, Any], dict[str, Any]], bool]) -> Callable[[list[dict[str, Any]], float], str]:
    """The fastest that fits, of the rows that hold out against the best of the table."""

    def wrong(rows: list[dict[str, Any]], megabytes: float) -> str:
        best = max(rows, key=lambda row: row["score"])
        fitting = [row for row in rows if row["megabytes"] <= megabytes and able(row, best)]
        return str(max(fitting, key=lambda row: row["tokens_per_second"])["name"])

    return wrong


def _smallest(rows: list[dict[str, Any]], megabytes: float) -> str:
    best = max(rows, key=lambda row: row["score"])
    return str(min((row for row in rows if row["high"] >= best["low"]), key=lambda row: row["megabytes"])["name"])


_LOST = "that row fits and is fast, but its quality is surely lost: its high lies far below the low of the best score."
_NARROW = (
    "that row is only a few points below the best of the table, and yet surely worse: its high lies below the low of "
    "the best score. The best one counts even if it does not fit itself."
)
SHIPPED: Mistakes = {
    "below the megabytes only": (
        lambda rows, limit: ship(rows, math.nextafter(limit, 0)),
        "a row that takes exactly the megabytes that there are still fits: <= and not <.",
    ),
    "touching is not enough": (
        _fastest(lambda row, best: row["high"] > best["low"]),
        "a row whose high is exactly the low of the best score does not lie below it: >= and not >.",
    ),
    "the best score": (
        lambda rows, limit: max(rows, key=lambda row: row["score"])["name"],
        "that row has the best score of all, but it does not fit: it would not even start.",
    ),
    "the fastest": (lambda rows, limit: max(rows, key=lambda row: row["tokens_per_second"])["name"], _LOST),
    "the smallest": (lambda rows, limit: min(rows, key=lambda row: row["megabytes"])["name"], _LOST),
    "any size": (
        lambda rows, limit: ship(rows, math.inf),
        "that row is fast and good enough, but it does not fit into the megabytes that there are.",
    ),
    "the best that fits": (
        lambda rows, limit: max(rows, key=lambda row: (row["megabytes"] <= limit, row["score"]))["name"],
        "that row has the best score of those that fit, but it is not the fastest that is good enough.",
    ),
    "compared with the best that fits": (
        lambda rows, limit: ship([row for row in rows if row["megabytes"] <= limit], limit),
        _NARROW,
    ),
    "a few points": (_fastest(lambda row, best: row["score"] >= best["score"] - 10), _NARROW),
    "the score inside": (
        _fastest(lambda row, best: row["score"] >= best["low"]),
        "a faster row that fits is not surely worse: its score may be low, but its interval reaches into that of the "
        "best. Compare each row's high with the low of the best score.",
    ),
    "the smallest that is good enough": (
        _smallest,
        "that row is the smallest that is not surely worse. As soon as it fits, the speed decides.",
    ),
    "the largest that fits": (
        lambda rows, limit: max((row["megabytes"], row["name"]) for row in rows if row["megabytes"] <= limit)[1],
        "that is the largest row that fits. Of those that are not surely worse, the fastest was asked for.",
    ),
    "the whole row": (
        lambda rows, limit: next(row for row in rows if row["name"] == ship(rows, limit)),
        'that is the right row, and its name was asked for: end with ["name"].',
    ),
    "its speed": (
        lambda rows, limit: next(row["tokens_per_second"] for row in rows if row["name"] == ship(rows, limit)),
        "that is the speed of the right row. Return its name: max() over the rows, with the speed as the key.",
    ),
}


def _best_by(column: str) -> Callable[[list[dict[str, Any]], float], str]:
    return lambda rows, limit: ship([row | {"score": row[column]} for row in rows], limit)


OTHER_SHIPPED = {
    "the best by its high": _best_by("high"),
    "the best by its low": _best_by("low"),
    "the fastest for its size": lambda rows, limit: ship(
        [row | {"tokens_per_second": row["tokens_per_second"] / row["megabytes"]} for row in rows], limit
    ),
}


EXERCISES = [
    Exercise(
        "09.1",
        "metric",
        stem_score,
        cases=_texts,
        praise="whole words, each idea once, by length. It measures vocabulary and not wisdom: now try to fool it.",
        mistakes=METRIC,
    ),
    Exercise(
        "09.2",
        "bootstrap",
        share_of_wins,
        cases=_draws,
        praise="the same prompts for both, drawn again and again: from 0.975 on, chance is an unlikely explanation.",
        mistakes=WINS,
    ),
    Exercise(
        "09.3",
        "perplexity",
        perplexity,
        cases=_log_probabilities,
        praise="as uncertain as a uniform choice among so many tokens, on average.",
        mistakes=PERPLEXITY,
    ),
    Exercise(
        "09.4",
        "scales",
        quantise_rows,
        cases=_matrices,
        compare=_same_codes,
        wrong={"floats": lambda W: (quantise_rows(W)[0].float(), quantise_rows(W)[1])},
        praise="one byte per weight, and an outlier spoils no row but its own.",
        mistakes=ROWS,
    ),
    Exercise(
        "09.5",
        "choice of a block",
        choose_block,
        mistakes=BLOCKS,
        cases=_block_errors,
        praise="large blocks save scales, small ones keep an outlier's damage small. GGUF's Q4_0 takes 32: 4.5 bits.",
    ),
    Exercise(
        "09.6",
        "choice",
        ship,
        mistakes=SHIPPED,
        wrong=OTHER_SHIPPED,
        cases=_tables,
        praise="it must fit, it must not be surely worse, and then speed decides.",
    ),
]
