"""Find the notes that fit a question, the R of retrieval-augmented generation (RAG): notes -> vectors -> the nearest.

The vectors are TF-IDF, the oldest that work: no training, no model, a page of arithmetic. Lesson 07 sets it beside
fine-tuning.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Facts that no model can have read anywhere, since they were made up for lesson 07.
NOTES: tuple[str, ...] = (
    "A flumph is pink.",
    "A glomp is green.",
    "A tweezle is blue.",
    "A wugg is red.",
    "The key of the boat house hangs behind the clock.",
    "The blue bus goes to the harbour every hour.",
    "Anna's cat is called Ben.",
    "The library is closed on Monday.",
    "The password of the kettle club is cinnamon.",
    "The oldest tree in the park is a pear tree.",
    "The baker sells fresh bread from six in the morning.",
    "Mr Hill teaches the guitar on Thursday.",
)
_WORD = re.compile(r"\b\w\w+\b")


@dataclass(frozen=True)
class Found:
    """A note that was found.

    Attributes:
        text: the note.
        score: how well it fits the question, from 0 (no word in common) to 1 (the same words).
    """

    text: str
    score: float


class Notes:
    """Texts that can be asked for by their words."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Weigh the words of all texts.

        Args:
            texts: short ones, a fact or a paragraph each.

        Raises:
            ValueError: there is no text with a word in it.

        Source: the formula of scikit-learn's TfidfVectorizer with its defaults, which gives the same vectors.
        """
        self.texts = list(texts)
        counts = [Counter(_words(text)) for text in self.texts]
        seen = Counter(word for count in counts for word in count)
        if not seen:
            raise ValueError("there are no words in the notes, so nothing could ever be found: add some text")
        # a word that stands in every note says nothing about any of them
        self.weights = {word: math.log((1 + len(counts)) / (1 + n)) + 1 for word, n in seen.items()}
        self.vectors = [self._vector(count) for count in counts]

    def find(self, question: str, n: int = 1) -> list[Found]:
        """The notes that fit a question best, the best one first; those without a word in common are left out.

        Args:
            question: any text.
            n: how many at most.

        Raises:
            ValueError: n is below 1.
        """
        if n < 1:
            raise ValueError(f"n is {n}: ask for at least one note")
        asked = self._vector(Counter(_words(question)))
        scores = [sum(weight * vector.get(word, 0.0) for word, weight in asked.items()) for vector in self.vectors]
        order = sorted(range(len(scores)), key=lambda i: -scores[i])[:n]
        return [Found(self.texts[i], scores[i]) for i in order if scores[i] > 0]

    def _vector(self, count: Counter[str]) -> dict[str, float]:
        """Weights of the known words, of length 1 together."""
        weights = {word: times * self.weights[word] for word, times in count.items() if word in self.weights}
        length = math.sqrt(sum(weight**2 for weight in weights.values()))
        return {word: weight / length for word, weight in weights.items()}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
