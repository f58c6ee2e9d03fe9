"""A small classifier as a judge: words counted and weighed, learnt from what the models may learn from, too.

Training pairs and ordinary replies -> TF-IDF -> logistic regression, tried on topics that it has not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from workshop_utils.evaluate.intervals import wilson
from workshop_utils.evaluate.judges import Verdict
from workshop_utils.pocket import frozen


@dataclass(frozen=True)
class Example:
    """A text that the classifier learns from.

    Attributes:
        text: an answer.
        stoic: whether a Stoic gives it.
        topic: what it is about; a topic is never on both sides of a cross-validation.
        kind: where it comes from.
    """

    text: str
    stoic: bool
    topic: str
    kind: str


def examples() -> list[Example]:
    """What the classifier learns from: Stoic answers, by hand and in small words, and as many ordinary replies.

    Returns:
        examples about trained topics only: neither the Stoic set's held-out topics nor the nouns that
        stoic_run.in_small_words holds out are the topic of one.
    """
    return [Example(**row) for row in frozen.rows("judge_examples")]


class ClassifierJudge:
    """Logistic regression over words (TF-IDF): which answer is likelier a Stoic's?

    It sees the voice alone, neither the complaint nor the order of the words: an answer about something else, or a
    list of fine words, can win. It is the same on every machine, and has no position bias.

    Attributes:
        accuracy: share of the examples that it got right while it had not seen their topic.
        interval: of the accuracy, 95%, as if the texts were independent.
        by_kind: the same share for each kind of example, and how many there are.
        topics: what it learnt from.
    """

    name = "classifier"

    def __init__(
        self,
        learnt: Sequence[Example] | None = None,
        held_out: Collection[str] = (),
        margin: float = 0.1,
        folds: int = 5,
        seed: int = 0,
        quiet: bool = False,
    ) -> None:
        """Cross-validate, then learn from everything.

        Args:
            learnt: what to learn from; examples() if None.
            held_out: topics that models are tested on, which none of the examples may be about.
            margin: a tie below this difference of the two probabilities.
            folds: of the cross-validation, which never parts the examples of one topic.
            seed: of the folds.
            quiet: do not print the accuracy.

        Raises:
            ValueError: a topic is held out, one side is missing, or there are fewer topics of a side than folds.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline

        learnt = examples() if learnt is None else learnt
        self.margin, self.topics = margin, frozenset(example.topic for example in learnt)
        _check_examples(learnt, held_out, folds)
        texts, labels = [example.text for example in learnt], [int(example.stoic) for example in learnt]
        self._model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))
        parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        groups = [example.topic for example in learnt]
        guessed = cross_val_predict(self._model, texts, labels, groups=groups, cv=parts)
        right = [bool(guess == label) for guess, label in zip(guessed, labels, strict=True)]
        self.accuracy = sum(right) / len(right)
        self.interval = wilson(self.accuracy, len(right))
        self.by_kind: dict[str, tuple[float, int]] = {}
        for kind in dict.fromkeys(example.kind for example in learnt):
            of_kind = [ok for ok, example in zip(right, learnt, strict=True) if example.kind == kind]
            self.by_kind[kind] = (sum(of_kind) / len(of_kind), len(of_kind))
        self._model.fit(texts, labels)
        if not quiet:
            print(self)

    def __str__(self) -> str:
        low, high = self.interval
        kinds = ", ".join(f"{kind} {share:.0%} of {n}" for kind, (share, n) in self.by_kind.items())
        return (
            f"{self.name}: right about {self.accuracy:.1%} of the texts on topics that it had not seen (95% interval "
            f"{low:.1%} to {high:.1%}; {kinds})"
        )

    def stoic(self, text: str) -> float:
        """How likely a Stoic wrote a text, 0 to 1."""
        return float(self._model.predict_proba([text])[0, 1])

    def judge(self, prompt: str, first: str, second: str) -> Verdict:
        """Which answer is likelier a Stoic's.

        Args:
            prompt: is not looked at.
            first: one answer.
            second: the other.
        """
        one, other = self.stoic(first), self.stoic(second)
        said = f"{one:.2f} against {other:.2f}"
        if one == other or abs(one - other) < self.margin:
            return Verdict("tie", said)
        return Verdict("first" if one > other else "second", said)


def _check_examples(learnt: Sequence[Example], held_out: Collection[str], folds: int) -> None:
    leaked = sorted({example.topic for example in learnt} & set(held_out))
    if leaked:
        raise ValueError(
            f"examples are about {', '.join(leaked)}, which are held out: a judge that has learnt from what "
            "is tested knows the answers; leave them out"
        )
    for stoic in (True, False):
        topics = {example.topic for example in learnt if example.stoic == stoic}
        if len(topics) < folds:
            raise ValueError(
                f"the {'Stoic' if stoic else 'ordinary'} examples have {len(topics)} topics, and {folds} folds need at "
                "least as many: add examples, or take fewer folds"
            )
