"""Which kind of text is it? A classifier on the encoder beside a bag of words.

Texts of the pocket world with their kinds -> training and held-out halves without a wording in common -> accuracy.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.pocket import frozen
from workshop_utils.pocket.library import PLOTS
from workshop_utils.pocket.stories import story

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline
    from torch import nn
    from transformers import PreTrainedTokenizerBase

KINDS = ("complaint", "letter", "question", "story")
MAX_LENGTH = 64  # tokens that a classifier reads of a text


@dataclass(frozen=True)
class Labelled:
    """A text and its class."""

    text: str
    label: str


def held_out(what: str) -> bool:
    """Whether a plot, a name or another word is kept out of training: a quarter of them is, always the same."""
    return zlib.crc32(f"encoder {what}".encode()) % 4 == 0


TRAINED_PLOTS, HELD_OUT_PLOTS = (tuple(name for name in PLOTS if held_out(name) is is_out) for is_out in (False, True))


def kinds(split: str, n: int, seed: int = 0) -> list[Labelled]:
    """Texts of the four KINDS, shuffled, as many of each.

    Args:
        split: "train" or "test"; they share neither wordings nor subjects. Complaints, letters and questions are
            frozen texts, stories are made up, of plots that belong to one split.
        n: texts in all.
        seed: of the stories, and of the order.

    Raises:
        ValueError: there is no such split, or the package does not keep so many texts.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}: choose train or test")
    rng, each = random.Random(f"kinds {split} {seed}"), -(-n // len(KINDS))
    found = []
    for kind in KINDS:
        if kind == "story":
            plots = HELD_OUT_PLOTS if split == "test" else TRAINED_PLOTS
            texts = [story(rng, rng.choice(plots)).text for _ in range(each)]
        else:
            rows = [row for row in frozen.rows("kinds") if row["kind"] == kind]
            kept = [row["text"] for row in rows if row["held_out"] is (split == "test")]
            texts = frozen.first(each, rng.sample(kept, len(kept)), f"texts of kind {kind} for {split}")
        found += [Labelled(text, kind) for text in texts]
    return rng.sample(found, len(found))[:n]


def bag_of_words(examples: Sequence[Labelled], longest: int = 1) -> Pipeline:
    """Train the baseline: words counted and weighed (TF-IDF), then logistic regression. No order of words.

    Args:
        examples: to train on.
        longest: 2 counts pairs of neighbouring words as well.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    vectors = TfidfVectorizer(ngram_range=(1, longest), sublinear_tf=True)
    model = make_pipeline(vectors, LogisticRegression(C=10, max_iter=1000))
    return model.fit([one.text for one in examples], [one.label for one in examples])


class Classifier:
    """A pretrained encoder with a head, trained on labelled texts.

    Attributes:
        labels: the classes, in the order of the scores.
        model: encoder and head.
        losses: before each update.
    """

    def __init__(
        self,
        encoder: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        examples: Sequence[Labelled],
        steps: int = 60,
        learning_rate: float = 2e-3,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        """Train it.

        Args:
            encoder: of transformers, without a head; changed in place.
            tokenizer: that belongs to it.
            examples: to train on.
            steps: updates.
            learning_rate: at its peak.
            batch_size: texts in an update.
            seed: of the head and the order.
        """
        import torch.nn.functional as F

        from workshop_utils.encoder.heads import WithHead, fit, inputs

        self.labels = tuple(sorted({one.label for one in examples}))
        self.model, self._tokenizer = WithHead(encoder, len(self.labels), seed=seed), tokenizer
        self._device = next(encoder.parameters()).device

        def loss_of(batch: list[int]) -> Any:
            import torch

            chosen = [examples[i] for i in batch]
            targets = torch.tensor([self.labels.index(one.label) for one in chosen], device=self._device)
            read = inputs(tokenizer, [one.text for one in chosen], MAX_LENGTH, self._device)
            return F.cross_entropy(self.model(**read), targets)

        self.losses = fit(self.model, len(examples), loss_of, steps, learning_rate, batch_size, seed)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The likeliest class of each text."""
        import torch

        from workshop_utils.encoder.heads import by_length, inputs

        found: dict[int, str] = {}
        with torch.inference_mode():
            for batch in by_length(texts):
                scores = self.model(**inputs(self._tokenizer, [texts[i] for i in batch], MAX_LENGTH, self._device))
                found |= {i: self.labels[best] for i, best in zip(batch, scores.argmax(-1).tolist(), strict=True)}
        return [found[i] for i in range(len(texts))]


def hits(model: Any, examples: Iterable[Labelled]) -> list[bool]:
    """Whether the model, a Classifier or a bag of words, gives each example its label."""
    listed = list(examples)
    guessed = cast("Sequence[str]", model.predict([one.text for one in listed]))
    return [str(guess) == one.label for guess, one in zip(guessed, listed, strict=True)]
