"""A chat in the terminal: `workshop chat`. Words appear as the model writes them.

The model remembers nothing: the whole conversation is sent again at each turn, and what no longer fits is forgotten.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from workshop_utils.chat import template as chat
from workshop_utils.machine.files import forgiving

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel

GREETING = "Say something. /new begins a new conversation, /bye (or Ctrl-D) ends it."


class Talk:
    """A conversation with a model that is sent whole at each turn, the oldest turns left out when it gets too long."""

    def __init__(
        self,
        model: LanguageModel,
        system: str = "",
        max_new_tokens: int = 200,
        temperature: float = 0.7,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> None:
        """Begin a conversation.

        Args:
            model: an instruction-tuned one.
            system: an instruction for the whole conversation.
            max_new_tokens: tokens of a reply at most.
            temperature: as in LanguageModel.generate, as top_k and top_p.
            top_k: draw among the k likeliest tokens only.
            top_p: draw among the likeliest tokens that together have this probability.
            seed: of the sampling; each turn has its own.
        """
        self.model, self.system, self.max_new_tokens, self.seed = model, system, max_new_tokens, seed
        self.sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        self.said: list[str] = []  # user and model in turn
        self.forgotten = 0  # exchanges that no longer fitted

    def new(self) -> None:
        """Forget everything."""
        self.said, self.forgotten = [], 0

    def ask(self, text: str) -> Iterator[str]:
        """Say something, and get the reply piece by piece; it is remembered when the last piece has come.

        Args:
            text: what the user says.

        Raises:
            ValueError: the text alone is longer than what the model sees.
        """
        before = self.said, self.forgotten
        self.said = [*self.said, text.strip()]
        try:
            self._make_room()
            pieces = []
            turn = len(self.said) // 2 + self.forgotten
            options = {**self.sampling, "seed": (self.seed + turn) % 2**32}
            for piece in self.model.stream(self._messages(), self.max_new_tokens, **options):
                pieces.append(piece)
                yield piece
        except BaseException:  # stopped or refused: as if it had not been said
            self.said, self.forgotten = before
            raise
        self.said = [*self.said, "".join(pieces).strip()]

    def _messages(self) -> list[dict[str, str]]:
        return chat.conversation(*self.said, system=self.system)

    def _make_room(self) -> None:
        """Leave out the oldest exchanges until the conversation and a reply fit into what the model sees."""
        while True:
            needed = len(self.model.chat_ids(self._messages()))
            if needed + self.max_new_tokens <= self.model.context:
                return
            if len(self.said) < 3:
                if needed < self.model.context - 8:
                    return  # alone it fits, only the reply has to be shorter
                raise ValueError(
                    f"what you said is {needed} tokens long and {self.model.name} sees {self.model.context}: say it "
                    "shorter"
                )
            self.said, self.forgotten = self.said[2:], self.forgotten + 1


def converse(talk: Talk, lines: TextIO, out: TextIO, interactive: bool) -> None:
    """Read what is said, line by line, and write the replies, until the lines end.

    Args:
        talk: the conversation.
        lines: what the user types.
        out: where the replies go.
        interactive: show a prompt, and say how to leave.
    """
    lines, out = forgiving(lines), forgiving(out)
    if interactive:
        print(f"{talk.model.name}, {talk.model.n_parameters:,} parameters. {GREETING}", file=out)
    while True:
        if interactive:
            print("\nyou    ", end="", file=out, flush=True)
        line = lines.readline()
        if not line or line.strip() == "/bye":
            return
        if line.strip() == "/new":
            talk.new()
        elif line.strip():
            _reply(talk, line, out, "model  " if interactive else "")


def _reply(talk: Talk, line: str, out: TextIO, label: str) -> None:
    print(label, end="", file=out, flush=True)
    before = talk.forgotten
    try:
        for piece in talk.ask(line):
            print(piece, end="", file=out, flush=True)
    except ValueError as error:
        print(error, end="", file=out)
    print(file=out, flush=True)
    if talk.forgotten > before:
        print(f"       (the first {talk.forgotten} exchanges no longer fit and are forgotten)", file=sys.stderr)
