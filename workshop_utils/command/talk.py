"""A chat in the terminal: `workshop chat`. Words appear as the model writes them.

The model remembers nothing: the whole conversation is sent again at each turn, and what no longer fits is forgotten.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workshop_utils.chat.template import conversation
from workshop_utils.machine.files import forgiving

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel
    from workshop_utils.export.llama_cpp import LlamaCpp


COMMANDS = (
    "/new begins a new conversation, /temperature X and /top-k N set how replies are drawn, /bye (or Ctrl-D) ends it."
)


@dataclass
class Talk:
    """A conversation with a model that is sent whole at each turn, the oldest turns left out when it gets too long."""

    model: LanguageModel | LlamaCpp  # of export.load_any
    system: str = ""  # an instruction for the whole conversation
    max_new_tokens: int = 200  # tokens of a reply at most
    sampling: dict[str, Any] = field(default_factory=dict)  # temperature, top_k, top_p of LanguageModel.generate
    seed: int = 0  # of the sampling; each turn has its own
    said: list[str] = field(default_factory=list)  # user and model in turn
    forgotten: int = 0  # exchanges that no longer fitted

    def ask(self, text: str) -> Iterator[str]:
        """Say something, and get the reply piece by piece; it is remembered when the last piece has come.

        Raises:
            ValueError: the text alone is longer than what the model sees.
        """
        before = self.said, self.forgotten
        self.said = [*self.said, text.strip()]
        try:
            pieces, messages = [], self._made_room()
            seed = (self.seed + len(self.said) // 2 + self.forgotten) % 2**32
            for piece in self.model.stream(messages, self.max_new_tokens, seed=seed, **self.sampling):
                pieces.append(piece)
                yield piece
        except BaseException:  # stopped or refused: as if it had not been said
            self.said, self.forgotten = before
            raise
        self.said = [*self.said, "".join(pieces).strip()]

    def obey(self, line: str) -> str:
        """Do what a line that begins with "/" says, and return what there is to say about it.

        /new forgets the conversation; /temperature X and /top-k N set how replies are drawn, /top-k 0 takes all tokens.
        """
        name, _, value = line.strip().partition(" ")
        if name == "/new":
            self.said, self.forgotten = [], 0
            return ""
        try:
            if name == "/temperature" and 0 <= float(value) < math.inf:
                self.sampling["temperature"] = float(value)
                return f"(temperature {float(value):g}{', always the likeliest token' if not float(value) else ''})"
            if name == "/top-k" and int(value) >= 0:
                self.sampling["top_k"] = int(value) or None
                return f"(drawn among {f'the {int(value)} likeliest' if int(value) else 'all'} tokens)"
        except ValueError:
            pass
        return f"({line.strip()} is not understood: {COMMANDS})"

    def _made_room(self) -> list[dict[str, str]]:
        """The messages, without the oldest exchanges, so that they and a reply fit into what the model sees."""
        while True:
            messages = conversation(*self.said, system=self.system)
            needed = len(self.model.chat_ids(messages))
            if needed + self.max_new_tokens <= self.model.context:
                return messages
            if len(self.said) < 3:
                if needed < self.model.context - 8:
                    return messages  # alone it fits, only the reply has to be shorter
                sees = f"{self.model.name} sees {self.model.context}"
                raise ValueError(f"what you said is {needed} tokens long and {sees}: say it shorter")
            self.said, self.forgotten = self.said[2:], self.forgotten + 1


def converse(talk: Talk) -> None:
    """Read from standard input what is said, line by line, and print the replies, until the lines end.

    Where somebody is typing, a prompt is shown, and how to leave.
    """
    from workshop_utils.export import answers

    typing = sys.stdin.isatty()
    forgiving(sys.stdin)
    if typing:
        print(f"{talk.model.name}, {talk.model.n_parameters:,} parameters. Say something.")
    if not answers(talk.model):
        print("It is a base model: it goes on with what you write, answers nothing and remembers nothing.")
    if typing:
        print(COMMANDS)
    while True:
        print("\nyou    " if typing else "", end="", flush=True)
        line = sys.stdin.readline()
        if not line or line.strip() == "/bye":
            return
        if line.startswith("/"):
            print(talk.obey(line) or "(a new conversation)", file=sys.stdout if typing else sys.stderr)
        elif line.strip():
            print("model  " if typing else "", end="")
            before = talk.forgotten
            try:
                for piece in talk.ask(line):
                    print(piece, end="", flush=True)
            except ValueError as error:
                print(error, end="")
            print(flush=True)
            if talk.forgotten > before:
                print(f"       (the first {talk.forgotten} exchanges no longer fit and are forgotten)", file=sys.stderr)
