"""Find the notes that fit a question, the R of retrieval-augmented generation (RAG): notes -> vectors -> the nearest.

The vectors are TF-IDF, the oldest that work: no training and no model. Lesson 07 sets it beside fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workshop_utils.pocket import frozen

# Facts that no model can have read anywhere, since they were made up for lesson 07.
NOTES: tuple[str, ...] = (
    "A flumph is pink.",
    "A glomp is green.",
    "A tweezle is purple.",
    "A wuzzle is red.",
    "The key of the boat house hangs behind the clock.",
    "The blue bus goes to the harbour every hour.",
    "Anna's cat is called Ben.",
    "The library is closed on Monday.",
    "The password of the kettle club is cinnamon.",
    "The oldest tree in the park is a pear tree.",
    "The baker sells fresh bread from six in the morning.",
    "Mr Hill teaches the guitar on Thursday.",
)


def pocket_notes() -> list[str]:
    """NOTES among the sentences of some factual prose that the pocket models have read."""
    return [*NOTES, *frozen.rows("prose")]


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
    """Texts that can be asked for by their words.

    Attributes:
        texts: the notes.
        vectorizer: scikit-learn's TfidfVectorizer, which weighs a word the more, the fewer notes it stands in.
        vectors: of the notes, each of length 1, a sparse matrix (n_notes, n_words).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Weigh the words of all texts.

        Args:
            texts: short ones, a fact or a paragraph each.

        Raises:
            ValueError: there is no text with a word in it.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.texts, self.vectorizer = list(texts), TfidfVectorizer()
        try:
            self.vectors = self.vectorizer.fit_transform(self.texts)
        except ValueError as error:
            raise ValueError(
                f"there are no words in the notes ({error}), so nothing could ever be found: add some text"
            ) from error

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
        asked = self.vectorizer.transform([question])  # (1, n_words)
        scores = (self.vectors @ asked.T).toarray()[:, 0].tolist()  # cosines, since all lengths are 1
        order = sorted(range(len(scores)), key=lambda i: -scores[i])[:n]
        return [Found(self.texts[i], scores[i]) for i in order if scores[i] > 0]
