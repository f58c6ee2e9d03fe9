"""Find the notes that fit a question, the R of retrieval-augmented generation (RAG): notes -> vectors -> the nearest.

The vectors are TF-IDF, the oldest that work: no training and no model. Lesson 07 sets it beside fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence

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


class Notes:
    """Texts that can be asked for by their words.

    Attributes:
        texts: the notes.
        vectorizer: scikit-learn's TfidfVectorizer: the fewer notes a word occurs in, the more it weighs.
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
            if "empty vocabulary" not in str(error):
                raise
            raise ValueError("no note has a word of two or more letters in it: give notes with words") from error

    def find(self, question: str, n: int = 1) -> list[str]:
        """The notes that fit a question best, the best one first; those without a word in common are left out.

        Args:
            question: any text.
            n: how many at most.
        """
        asked = self.vectorizer.transform([question])  # (1, n_words)
        scores = (self.vectors @ asked.T).toarray()[:, 0].tolist()  # cosines, since all lengths are 1
        order = sorted(range(len(scores)), key=lambda i: -scores[i])[:n]
        return [self.texts[i] for i in order if scores[i] > 0]
