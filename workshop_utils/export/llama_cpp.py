"""llama.cpp in this process: a GGUF file that answers, streams, and shows its tokens.

It can be talked to as a chat.LanguageModel can, so `workshop chat` takes either.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from workshop_utils.chat.template import Messages, conversation
from workshop_utils.machine.hardware import short_path

JSON = {"Content-Type": "application/json"}

# Bytes. Threads of smaller models wait for each other longer than they compute: on two cores lesson 10's files are
# several times slower with two threads than with one (THREADS = 2 in the lesson shows it).
SMALL = 64_000_000


class LlamaCpp:
    """llama.cpp's own server, which answers on this machine alone, with one file loaded.

    Attributes:
        name: of the file, without its ending.
        context: tokens that prompt and answer may have together.
        n_parameters: numbers in the file's weights.
        answers: whether the file has a chat template; else it continues text.
    """

    def __init__(self, path: Path | str, context: int = 4096) -> None:
        """Load a file, to compute with as many threads as torch, or with one where the file is small.

        Args:
            path: a GGUF file.
            context: as in the attribute; what the model was trained with if that is less.

        Raises:
            FileNotFoundError: there is no such file.
            ModuleNotFoundError: xllamacpp is not installed.
            ValueError: the file is no GGUF, or not one that this llama.cpp can load.
        """
        import torch

        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file at {short_path(Path(path))}: check the path")
        try:
            import xllamacpp
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                'llama.cpp is not installed here, and GGUF files need it: pip install "xllamacpp>=2026.10,<2027"'
            ) from error

        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx = context
        settings.n_parallel = 1
        threads = torch.get_num_threads() if Path(path).stat().st_size > SMALL else 1
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
        settings.verbosity = -1  # errors only
        self.name = Path(path).stem
        try:
            self._server = xllamacpp.Server(settings)
        except RuntimeError as error:
            raise ValueError(
                f"llama.cpp cannot load {short_path(Path(path))}: it is no whole GGUF file of a kind that it knows"
            ) from error
        about = self._ask("v1/models")["data"][0]["meta"]
        self.context, self.n_parameters = int(about["n_ctx"]), int(about["n_params"])
        # A file without a template is given ChatML's by llama.cpp, and does not know its marks.
        template, mark = str(self._ask("props")["chat_template"]), "<|im_start|>"
        self.answers = mark not in template or len(self.ids(mark)) == 1

    def write(self, ids: Sequence[int], new_tokens: int) -> float:
        """Go on from token ids, always with the likeliest token, and do not stop early.

        Args:
            ids: the prompt.
            new_tokens: how many to add.

        Returns:
            seconds, including reading the prompt.

        Raises:
            RuntimeError: the server refused, or wrote fewer.
        """
        asked = {"prompt": list(ids), "n_predict": new_tokens, "temperature": 0.0}
        began = time.perf_counter()
        answer = self._server.handle_completions(asked | {"ignore_eos": True, "cache_prompt": False})
        seconds = time.perf_counter() - began
        if "choices" not in answer or answer["usage"]["completion_tokens"] != new_tokens:
            raise RuntimeError(f"llama.cpp did not write {new_tokens} tokens after {len(ids)}: {answer}")
        return seconds

    def complete(self, ids: Sequence[int], max_new_tokens: int = 200) -> tuple[str, list[int], bool]:
        """Go on from token ids with the likeliest tokens until the model ends by itself.

        Returns:
            the text, its tokens without the one that ended it, and whether the model ended it.
        """
        asked = {"prompt": list(ids), "n_predict": max_new_tokens, "temperature": 0.0, "return_tokens": True}
        answer = self._ask("completion", **asked, cache_prompt=False)
        tokens, ended = list(answer["tokens"]), answer["stop_type"] == "eos"
        return str(answer["content"]), tokens[: len(tokens) - ended], ended

    def ids(self, text: str) -> list[int]:
        """The tokens that llama.cpp makes of a text; special tokens are found in it, none is put in front."""
        return list(self._ask("tokenize", content=text, add_special=False, parse_special=True)["tokens"])

    def rendered(self, messages: Messages) -> str:
        """The text that llama.cpp's own reading of the file's chat template makes of a conversation."""
        return str(self._ask("apply-template", messages=list(messages))["prompt"])

    def chat_ids(self, messages: Messages | str) -> list[int]:
        """The tokens of a conversation, with the beginning of the model's turn; or those of its last text."""
        said = conversation(messages) if isinstance(messages, str) else messages
        text = self.rendered(said) if self.answers else said[-1]["content"]
        return list(self._ask("tokenize", content=text, add_special=True, parse_special=True)["tokens"])

    def stream(
        self,
        messages: Messages | str,
        max_new_tokens: int = 200,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> Iterator[str]:
        """Answer in a chat, piece by piece, until the model ends its turn; or continue the last text.

        Args:
            messages: the conversation so far, or one thing that the user says.
            max_new_tokens: tokens of the reply at most.
            temperature: 0 is always the likeliest token.
            top_k: draw among the k likeliest tokens only.
            top_p: draw among the likeliest tokens that together have this probability.
            seed: of the sampling.

        Yields:
            pieces of text. Closing the generator stops llama.cpp.

        Raises:
            ValueError: the file holds no tokenizer, or the conversation is too long for it.
            RuntimeError: the server refuses for another reason.
        """
        if not (used := len(self.chat_ids(messages))):
            raise ValueError(f"{self.name} holds no tokenizer: it takes token ids, and no text")
        if used >= self.context:
            raise ValueError(f"the conversation has {used} tokens and {self.name} sees {self.context}: shorten it")
        said = conversation(messages) if isinstance(messages, str) else list(messages)
        asked: dict[str, Any] = {"max_tokens": max_new_tokens, "temperature": temperature, "stream": True}
        asked |= {"messages": said} if self.answers else {"prompt": said[-1]["content"]}
        begin = self._server.handle_chat_completions if self.answers else self._server.handle_completions
        # What is left out would be llama.cpp's own choice: 40 tokens, the likeliest 95%, none below 5%.
        asked |= {"top_k": top_k or 0, "top_p": top_p or 1.0, "min_p": 0.0, "seed": seed % 2**32, "cache_prompt": False}
        pieces: SimpleQueue[str | None] = SimpleQueue()
        left = Event()
        refused: list[object] = []

        def take(part: dict[str, Any]) -> bool:  # True stops it; an exception would be lost
            if "choices" not in part:
                refused.append(part)
            for choice in part.get("choices", ()):
                if piece := choice["delta"].get("content") if "delta" in choice else choice["text"]:
                    pieces.put(piece)
            return left.is_set()

        def run() -> None:
            try:
                answer = begin(asked, take)
                refused.extend([answer] if answer else [])
            except Exception as error:
                refused.append(error)
            pieces.put(None)

        writer = Thread(target=run, daemon=True)
        writer.start()
        try:
            while (piece := pieces.get()) is not None:
                yield piece
        finally:
            left.set()
            writer.join()
        if refused:
            raise RuntimeError(f"llama.cpp did not answer: {refused[0]}")

    def reply(self, messages: Messages | str, max_new_tokens: int = 200, **options: Any) -> str:
        """Answer in a chat, whole; options as in stream."""
        return "".join(self.stream(messages, max_new_tokens, **options))

    def _ask(self, what: str, **body: Any) -> dict[str, Any]:
        """Ask the server over its own address, which only this machine reaches."""
        address = f"{self._server.listening_address}/{what}"
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(urllib.request.Request(address, data, JSON), timeout=60) as answer:
            return dict(json.load(answer))
