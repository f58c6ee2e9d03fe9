"""A model on this machine as a judge: how likely it is to begin its reply with A, and how likely with B."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workshop_utils.evaluate.judges import Rubric, Verdict

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel


class LocalJudge:
    """A model on this machine, by the probability of the letter A against B as the first word of its reply.

    Small models prefer a letter or a position whatever stands there: look at first_share and position_flips first.
    """

    def __init__(
        self,
        model: LanguageModel,
        rubric: Rubric | None = None,
        margin: float = 0.1,
        least: float = 0.01,
        name: str = "",
    ) -> None:
        """Find the tokens of the two letters.

        Args:
            model: with a chat template.
            rubric: what is asked; the usual question if None.
            margin: a tie below this difference of the two probabilities, after they were scaled to a sum of 1.
            least: what A and B must have together. Below it the model wants to say something else: unparsed.
            name: in tables and pictures; the model's if empty.

        Raises:
            ValueError: margin or least is out of range, or the tokenizer does not tell the letters apart.
        """
        if not (0 <= margin < 1 and 0 <= least < 1):
            raise ValueError(f"margin is {margin} and least is {least}: both are probabilities from 0 to below 1")
        self.model, self.rubric, self.margin, self.least = model, rubric or Rubric(), margin, least
        self.name = name or model.name
        a, b = (list(model.tokenizer(letter, add_special_tokens=False)["input_ids"]) for letter in "AB")
        shared = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
        if shared is None:
            raise ValueError(
                f"the tokenizer of {model.name} writes A as {a} and B as {b}, so no token tells them apart and it "
                "cannot judge by letters: take another model, or ClassifierJudge"
            )
        self._before, self._letters = a[:shared], (a[shared], b[shared])  # some begin every word with the same token

    def judge(self, prompt: str, first: str, second: str) -> Verdict:
        """Which answer's letter is likelier; a question longer than the model's context counts as unparsed.

        Args:
            prompt: the complaint.
            first: shown as A.
            second: shown as B.
        """
        added = self.model.tokenizer.added_tokens_decoder.values()
        special = [token.content for token in added if token.special]  # would end the turn if an answer held one
        ids = self.model.chat_ids(self.rubric.asked(prompt, first, second, special)) + self._before
        if len(ids) >= self.model.context:
            return Verdict(None, f"the question has {len(ids)} tokens, and the model sees {self.model.context} at most")
        bets = self.model.next_tokens(ids)
        a, b = (float(bets[token]) for token in self._letters)
        said = f"A {a:.3g}, B {b:.3g}"
        if not a + b > self.least:  # also where they are not numbers
            return Verdict(None, f"{said}: the model wants to say something else")
        difference = (a - b) / (a + b)
        if abs(difference) < self.margin:
            return Verdict("tie", said)
        return Verdict("first" if difference > 0 else "second", said)
