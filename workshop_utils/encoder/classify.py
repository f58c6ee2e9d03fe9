"""Which kind of text is it? A classifier on the encoder beside a bag of words, and a task that takes word order.

Texts of the pocket world with their kinds -> training and held-out halves without a wording in common -> accuracy.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.pocket import frozen, words
from workshop_utils.pocket.grammar import capitalise
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


# Who helps whom, active and passive: {a} is named first. Whoever is {a} in "did" is the helper.
_ACTIVE = (
    "{a} helped {b}.",
    "{a} mended a cup for {b}.",
    "{a} carried {b} home.",
    "At last {a} found {b} in the fog.",
    "{a} gave {b} half of the bun.",
    "{a} gave a hand to {b}.",
    "In the garden {a} pulled {b} out of the mud.",
    "{a} came with a light, and {b} was glad.",
)
_PASSIVE = (
    "{a} was helped by {b}.",
    "{a} had a cup mended by {b}.",
    "{a} was carried home by {b}.",
    "At last {a} was found by {b} in the fog.",
    "{a} got half of the bun from {b}.",
    "{a} was given a hand by {b}.",
    "In the garden {a} was pulled out of the mud by {b}.",
    "{a} was glad, for {b} came with a light.",
)
HELPERS = ("boy", "girl")


def helpers(split: str, n: int, seed: int = 0, names: str = "") -> list[Labelled]:
    """Sentences in which a girl helps a boy or a boy a girl; each comes twice, with the two names exchanged.

    The words of the two are the same, so that whatever counts words sees no difference between the classes.

    Args:
        split: "train" or "test"; every fourth wording, and a quarter of the names, are held out.
        n: sentences, an even number.
        seed: of the names and the wordings.
        names: "train" gives the test sentences names of the training set; "" is the split's own.
    """
    rng = random.Random(f"helpers {split} {seed} {names}")
    frames = [
        (frame, active)
        for active, frames in ((True, _ACTIVE), (False, _PASSIVE))
        for i, frame in enumerate(frames)
        if (i % 4 == 3) == (split == "test")
    ]
    out = (names or split) == "test"
    hes, shes = ([one for one in some if held_out(one) is out] for some in (words.HE_NAMES, words.SHE_NAMES))
    found = []
    for _ in range(n // 2):
        frame, active = rng.choice(frames)
        he, she = rng.choice(hes), rng.choice(shes)
        found.append(Labelled(capitalise(frame.format(a=he, b=she)), "boy" if active else "girl"))
        found.append(Labelled(capitalise(frame.format(a=she, b=he)), "girl" if active else "boy"))
    return rng.sample(found, len(found))


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
