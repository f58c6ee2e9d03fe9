"""A model on this machine as a judge: how likely it is to begin its reply with A, and how likely with B."""

from __future__ import annotations

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.evaluate.judges import Judgement, Rubric

MARGIN = 0.1  # a tie below this difference of the two probabilities, after they were scaled to a sum of 1
LEAST = 0.01  # what A and B must have together: below it the model wants to say something else


class LocalJudge:
    """A model on this machine, by the probability of the letter A against B as the first word of its reply.

    Small models prefer a letter or a position whatever the answers say: look at first_share and position_flips first.
    """

    def __init__(self, model: LanguageModel, rubric: Rubric | None = None) -> None:
        """Find the tokens of the two letters.

        Args:
            model: with a chat template.
            rubric: what is asked; the usual question if None.

        Raises:
            ValueError: the tokenizer does not tell the letters apart.
        """
        self.model, self.rubric, self.name = model, rubric or Rubric(), model.name
        a, b = (list(model.tokenizer(letter, add_special_tokens=False)["input_ids"]) for letter in "AB")
        shared = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
        if shared is None:
            raise ValueError(
                f"the tokenizer of {model.name} writes A as {a} and B as {b}, so no token tells them apart and it "
                "cannot judge by letters: take another model, or ClassifierJudge"
            )
        self._before, self._letters = a[:shared], (a[shared], b[shared])  # some begin every word with the same token

    def judge(self, prompt: str, first: str, second: str) -> Judgement:
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
            said = f"the question has {len(ids)} tokens, and the model sees {self.model.context} at most"
            return Judgement(None, said)
        probabilities = self.model.next_tokens(ids)
        a, b = (float(probabilities[token]) for token in self._letters)
        said = f"A {a:.3g}, B {b:.3g}"
        if not a + b > LEAST:  # also where they are not numbers
            return Judgement(None, f"{said}: the model wants to say something else")
        difference = (a - b) / (a + b)
        if abs(difference) < MARGIN:
            return Judgement("tie", said)
        return Judgement("first" if difference > 0 else "second", said)
