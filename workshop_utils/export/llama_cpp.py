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


class LlamaCpp:
    """llama.cpp's own server, which answers on this machine alone, with one file loaded.

    Attributes:
        name: of the file.
        context: tokens that prompt and answer may have together.
    """

    def __init__(self, path: Path | str, context: int = 512) -> None:
        """Load a file, to compute with as many threads as torch.

        Args:
            path: a GGUF file.
            context: as in the attribute; no more than the model was trained with.

        Raises:
            ImportError: xllamacpp is not installed.
            ValueError: the file is no GGUF, or not one that this llama.cpp can load.
        """
        import torch
        import xllamacpp

        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.n_ctx = context
        settings.n_parallel = 1
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = torch.get_num_threads()
        settings.verbosity = -1  # errors only
        self.name, self.context = Path(path).name, context
        try:
            self._server = xllamacpp.Server(settings)
        except RuntimeError as error:
            raise ValueError(
                f"llama.cpp cannot load {self.name}: it is no whole GGUF of a kind that it knows"
            ) from error

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

    def ids(self, text: str) -> list[int]:
        """The tokens that llama.cpp makes of a text; special tokens are found in it, none is put in front."""
        return list(self._post("tokenize", content=text, add_special=False, parse_special=True)["tokens"])

    def rendered(self, messages: Messages) -> str:
        """The text that llama.cpp's own reading of the file's chat template makes of a conversation."""
        return str(self._post("apply-template", messages=list(messages))["prompt"])

    def chat_ids(self, messages: Messages | str) -> list[int]:
        """The tokens of a conversation, with the beginning of the model's turn."""
        return self.ids(self.rendered(conversation(messages) if isinstance(messages, str) else messages))

    def stream(
        self,
        messages: Messages | str,
        max_new_tokens: int = 200,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
    ) -> Iterator[str]:
        """Answer in a chat, piece by piece, until the model ends its turn.

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
            RuntimeError: the server refuses, for example since the conversation is too long.
        """
        said = conversation(messages) if isinstance(messages, str) else list(messages)
        asked: dict[str, Any] = {"messages": said, "max_tokens": max_new_tokens, "temperature": temperature}
        # What is left out would be llama.cpp's own choice: 40 tokens, the likeliest 95%, none below 5%.
        asked |= {"top_k": top_k or 0, "top_p": top_p or 1.0, "min_p": 0.0, "seed": seed}
        pieces: SimpleQueue[str | None] = SimpleQueue()
        left, refused = Event(), []

        def take(part: dict[str, Any]) -> bool:  # True stops it; an exception would be lost
            if "choices" not in part:
                refused.append(part)
            for choice in part.get("choices", ()):
                if piece := choice["delta"].get("content"):
                    pieces.put(piece)
            return left.is_set()

        def run() -> None:
            try:
                answer = self._server.handle_chat_completions(asked | {"stream": True, "cache_prompt": False}, take)
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

    def _post(self, what: str, **body: Any) -> dict[str, Any]:
        """Ask the server over its own address, which only this machine reaches."""
        request = urllib.request.Request(
            f"{self._server.listening_address}/{what}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return dict(json.load(answer))
