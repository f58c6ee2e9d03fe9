"""A small classifier as a judge: words counted and weighed, trained on what the models may be trained on, too.

Training pairs and ordinary replies -> TF-IDF -> logistic regression, tried on topics that it has not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from workshop_utils.evaluate.intervals import wilson
from workshop_utils.evaluate.judges import Judgement
from workshop_utils.pocket import frozen

MARGIN = 0.1  # a tie below this difference of the two probabilities
FOLDS = 5  # of the cross-validation


@dataclass(frozen=True)
class Example:
    """A text that the classifier is trained on.

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
    """What the classifier is trained on: Stoic answers, by hand and in small words, and as many ordinary replies.

    Returns:
        examples about trained topics only: neither the Stoic set's held-out topics nor the nouns that
        stoic_run.in_small_words holds out are the topic of one.
    """
    return [Example(**row) for row in frozen.rows("judge_examples")]


class ClassifierJudge:
    """Logistic regression over words (TF-IDF): which answer is likelier a Stoic's?

    It sees the style alone, neither the complaint nor the order of the words: an answer about something else, or a
    list of fine words, can win. It is the same on every machine, and has no position bias.

    Attributes:
        accuracy: share of the examples that it got right while it had not seen their topic.
        interval: of the accuracy, 95%, as if the texts were independent.
        by_kind: the same share for each kind of example, and how many there are.
        topics: what it was trained on.
    """

    name = "classifier"

    def __init__(self, trained_on: Sequence[Example] = (), held_out: Collection[str] = (), quiet: bool = False) -> None:
        """Cross-validate, never with the examples of one topic on both sides, then train on everything.

        Args:
            trained_on: the examples; examples() if there are none.
            held_out: topics that models are tested on, which none of the examples may be about.
            quiet: do not print the accuracy.

        Raises:
            ValueError: a topic is held out, or there are fewer topics than folds.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
        from sklearn.pipeline import make_pipeline

        trained_on = trained_on or examples()
        topics = [example.topic for example in trained_on]
        self.topics = frozenset(topics)
        if leaked := sorted(self.topics & set(held_out)):
            raise ValueError(
                f"examples are about {', '.join(leaked)}, which are held out: a judge that was trained on what is "
                "tested knows the answers; leave them out"
            )
        texts, labels = [example.text for example in trained_on], [int(example.stoic) for example in trained_on]
        self._model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
        guessed = cross_val_predict(self._model, texts, labels, groups=topics, cv=folds)
        right = [bool(guess == label) for guess, label in zip(guessed, labels, strict=True)]
        self.accuracy = sum(right) / len(right)
        self.interval = wilson(self.accuracy, len(right))
        self.by_kind: dict[str, tuple[float, int]] = {}
        for kind in dict.fromkeys(example.kind for example in trained_on):
            of_kind = [ok for ok, example in zip(right, trained_on, strict=True) if example.kind == kind]
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

    def judge(self, prompt: str, first: str, second: str) -> Judgement:
        """Which answer is likelier a Stoic's.

        Args:
            prompt: is not looked at.
            first: one answer.
            second: the other.
        """
        one, other = (float(chance) for chance in self._model.predict_proba([first, second])[:, 1])
        said = f"{one:.2f} against {other:.2f}"
        if abs(one - other) < MARGIN:
            return Judgement("tie", said)
        return Judgement("first" if one > other else "second", said)
