"""Where do names, animals and objects stand in a text? A tagger on the encoder, beside a list of words.

Stories with their cast -> passages with spans -> a BIO label for each token -> F1 by span.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.encoder.classify import HELD_OUT_PLOTS, TRAINED_PLOTS, held_out
from workshop_utils.pocket import words
from workshop_utils.pocket.library import PLOTS
from workshop_utils.pocket.stories import Story, story

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

TYPES = ("name", "animal", "object")
LABELS = ("O", *(f"{place}-{kind}" for kind in TYPES for place in "BI"))
MAX_LENGTH, SENTENCES = 96, 2  # tokens, and sentences, of a passage
# Animals that stand in the plots' wordings themselves.
OTHERS = tuple(
    ["bee", "beetle", "beetles", "birds", "cat", "chicks", "cow", "cows", "duck", "fish", "snail", "snake", "whale"]
)
_SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z\"])|(?<=[.!?]\") (?=[A-Z\"])")


@dataclass(frozen=True, order=True)
class Span:
    """Characters start to end (exclusive) of a text, and what stands there: one of TYPES."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True)
class Passage:
    """A text and its spans."""

    text: str
    spans: frozenset[Span]

    def words(self, kind: str) -> set[str]:
        """The words of one kind in it."""
        return {self.text[span.start : span.end] for span in self.spans if span.kind == kind}


def find(text: str, known: Mapping[str, Iterable[str]]) -> frozenset[Span]:
    """Every place where one of some words stands, the longest where several begin.

    Args:
        text: to search.
        known: the words of each of TYPES, letter by letter as they stand there.
    """
    kinds = {word: kind for kind, some in known.items() for word in some}
    if not kinds:
        return frozenset()
    pattern = rf"\b(?:{'|'.join(map(re.escape, sorted(kinds, key=len, reverse=True)))})\b"
    return frozenset(Span(*hit.span(), kinds[hit.group()]) for hit in re.finditer(pattern, text))


def truth(told: Story) -> dict[str, list[str]]:
    """The words of a story that name somebody, an animal or its object, as the grammar knows them.

    No word is in two of these families, so that a word of the cast is what the cast says wherever it stands.
    """
    children = words.CHILD.values()
    return {
        "name": [name for name in (told.name, told.friend) if name],
        "animal": [*([] if told.kind in children else [told.kind]), *words.BIRDS, *OTHERS],
        "object": [told.object],
    }


def passages(split: str, n: int, seed: int = 0, new_words: bool = False) -> list[Passage]:
    """Two neighbouring sentences each of n stories, with their spans; at least one of them.

    Args:
        split: "train" or "test"; the plots, and so the wordings of what happens, belong to one split.
        n: how many.
        seed: another seed gives other passages.
        new_words: with names, heroes and objects of which none occurs in any training passage.

    Raises:
        ValueError: there is no such split, or training passages are asked for with held-out words.
    """
    if split not in ("train", "test") or (split == "train" and new_words):
        raise ValueError(f"split is {split!r}, new_words {new_words}: choose train, or test with new words or without")
    rng, found = random.Random(f"passages {split} {new_words} {seed}"), list[Passage]()
    plots = TRAINED_PLOTS if split == "train" else HELD_OUT_PLOTS
    trained_objects = {thing for name in TRAINED_PLOTS for thing in PLOTS[name].objects if not held_out(thing)}
    while len(found) < n:
        told = story(rng, rng.choice(plots))
        cast_ = [one for one in (told.name, told.friend) if one] + ([told.kind] if told.kind in words.ANIMALS else [])
        new = {held_out(one) for one in cast_} | {told.object not in trained_objects}
        if new != {new_words}:
            continue
        sentences = _SENTENCE_END.split(told.text)
        first = rng.randrange(len(sentences) - SENTENCES + 1)
        text = " ".join(sentences[first : first + SENTENCES])
        if spans := find(text, truth(told)):
            found.append(Passage(text, spans))
    return found


def invented(n: int, seed: int = 0) -> list[Passage]:
    """Passages of held-out plots in which every name, animal and object is replaced by a word that does not exist.

    Nobody has read these words anywhere: what is found, is found by its surroundings and its capital.

    Args:
        n: how many.
        seed: of the passages and the words.
    """
    rng = random.Random(f"invented {seed}")
    parts = (
        ["b", "d", "fl", "gl", "k", "m", "pl", "sn", "tr", "w", "z"],
        "aeiou",
        ["lm", "mble", "rk", "zz"],
        ("", "y", "o", "er"),
    )

    def word() -> str:
        return "".join(rng.choice(part) for part in parts)

    found = []
    for one in passages("test", n, seed):
        new: dict[str, str] = {}
        text, end, spans = "", 0, set()
        for span in sorted(one.spans):
            text, old = text + one.text[end : span.start], one.text[span.start : span.end]
            written = new.setdefault(old, word().capitalize() if old[0].isupper() else word())
            spans.add(Span(len(text), len(text) + len(written), span.kind))
            text, end = text + written, span.end
        found.append(Passage(text + one.text[end:], frozenset(spans)))
    return found


# --- labels of tokens


def labels(spans: Iterable[Span], offsets: Sequence[tuple[int, int]], text: str) -> list[int]:
    """The BIO label of each token, as its number in LABELS.

    Args:
        spans: of the text.
        offsets: where each token begins and ends; a space in front of a word may belong to its token.
        text: that both are about.
    """
    found = [0] * len(offsets)
    for span in spans:
        inside = [i for i, (a, b) in enumerate(offsets) if _start(text, a, b) < span.end and b > span.start and b > a]
        for place, i in enumerate(inside):
            found[i] = LABELS.index(f"{'BI'[place > 0]}-{span.kind}")
    return found


def spans_of(numbers: Sequence[int], offsets: Sequence[tuple[int, int]], text: str) -> frozenset[Span]:
    """The spans that BIO labels tell of: the reverse of labels(). The first token of a word decides for all of it.

    An I behind another kind begins a span of its own.
    """
    found: list[Span] = []
    before = "O"
    for number, (a, b) in zip(numbers, offsets, strict=True):
        if b > a and not _begins(text, a, b):
            place, kind = "I", before
        else:
            place, _, kind = LABELS[number if b > a else 0].partition("-")  # special tokens stand nowhere
        if place == "I" and before == kind != "":
            found[-1] = Span(found[-1].start, b, kind)
        elif kind:
            found.append(Span(_start(text, a, b), b, kind))
        before = kind
    return frozenset(found)


def _start(text: str, a: int, b: int) -> int:
    """Where a token's first letter stands: behind the space that it may begin with."""
    return a + len(text[a:b]) - len(text[a:b].lstrip())


def _begins(text: str, a: int, b: int) -> bool:
    """Whether a token begins a word or stands outside of words; special tokens, which stand nowhere, do not."""
    first = _start(text, a, b)
    return b > a and not (text[max(0, first - 1) : first].isalpha() and text[first : first + 1].isalpha())


# --- taggers: anything with find(texts) -> the spans of each


class WordList:
    """The baseline: every word that was a name, an animal or an object in training, and no other."""

    def __init__(self, trained_on: Iterable[Passage]) -> None:
        listed = list(trained_on)
        self.known = {kind: set().union(*(one.words(kind) for one in listed)) for kind in TYPES}

    def find(self, texts: Sequence[str]) -> list[frozenset[Span]]:
        """The spans of each text."""
        return [find(text, self.known) for text in texts]


class Tagger:
    """A pretrained encoder with a head for each token, trained on passages.

    Attributes:
        model: encoder and head.
        losses: before each update.
    """

    def __init__(
        self,
        encoder: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        trained_on: Sequence[Passage],
        steps: int = 160,
        learning_rate: float = 1.2e-3,
        batch_size: int = 16,
        seed: int = 0,
    ) -> None:
        """Train it.

        Args:
            encoder: of transformers, without a head; changed in place.
            tokenizer: that belongs to it, a fast one, for it must say where its tokens stand.
            trained_on: passages with their spans; 2,560 for one pass.
            steps: updates.
            learning_rate: at its peak.
            batch_size: passages in an update.
            seed: of the head and the order.
        """
        import torch.nn.functional as F

        from workshop_utils.encoder.heads import WithHead, fit, padded

        self.model, self._tokenizer = WithHead(encoder, len(LABELS), per_token=True, seed=seed), tokenizer
        self._device = next(encoder.parameters()).device
        targets = [self._targets(one) for one in trained_on]

        def loss_of(batch: list[int]) -> Any:
            scores = self._scores([trained_on[i].text for i in batch])  # (B, T, n_labels)
            wanted = padded([targets[i] for i in batch], -100).to(self._device)  # (B, T), -100 is not scored
            return F.cross_entropy(scores.flatten(0, 1), wanted.flatten())

        self.losses = fit(self.model, len(trained_on), loss_of, steps, learning_rate, batch_size, seed)

    def _targets(self, one: Passage) -> list[int]:
        """The label of each token that begins a word, -100 for the others."""
        offsets = self._offsets(one.text)
        numbers = labels(one.spans, offsets, one.text)
        return [number if _begins(one.text, *span) else -100 for number, span in zip(numbers, offsets, strict=True)]

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        read = cast(Any, self._tokenizer)(text, truncation=True, max_length=MAX_LENGTH, return_offsets_mapping=True)
        return [(int(a), int(b)) for a, b in read["offset_mapping"]]

    def _scores(self, texts: Sequence[str]) -> Any:
        from workshop_utils.encoder.heads import inputs

        return self.model(**inputs(self._tokenizer, texts, MAX_LENGTH, self._device))

    def find(self, texts: Sequence[str]) -> list[frozenset[Span]]:
        """The spans of each text."""
        import torch

        from workshop_utils.encoder.heads import by_length

        found: dict[int, frozenset[Span]] = {}
        with torch.inference_mode():
            for batch in by_length(texts):
                best = self._scores([texts[i] for i in batch]).argmax(-1).tolist()
                for i, row in zip(batch, best, strict=True):
                    offsets = self._offsets(texts[i])
                    found[i] = spans_of(row[: len(offsets)], offsets, texts[i])
        return [found[i] for i in range(len(texts))]


# --- how well


Spans = Sequence[Iterable[Span]]  # of each text


def _counts(found: Spans, wanted: Spans) -> list[tuple[int, int]]:
    """For each text twice the number of spans that are right, and how many were found and wanted."""
    pairs = ((set(a), set(b)) for a, b in zip(found, wanted, strict=True))
    return [(2 * len(a & b), len(a) + len(b)) for a, b in pairs]


def _f1(counts: Sequence[tuple[int, int]]) -> float:
    return sum(right for right, _ in counts) / max(1, sum(both for _, both in counts))


def f1(found: Spans, wanted: Spans) -> float:
    """F1 of all texts together; a span counts only where its kind and both its ends are right.

    Args:
        found: by a tagger, for each text.
        wanted: the true ones.
    """
    return _f1(_counts(found, wanted))


def f1_interval(found: Spans, wanted: Spans, resamples: int = 1000) -> tuple[float, float]:
    """The 95% interval of F1, from drawing the texts again and again with replacement (bootstrap)."""
    rng, counts = random.Random(0), _counts(found, wanted)
    drawn = sorted(_f1(rng.choices(counts, k=len(counts))) for _ in range(resamples))
    return drawn[int(0.025 * resamples)], drawn[int(0.975 * resamples) - 1]
