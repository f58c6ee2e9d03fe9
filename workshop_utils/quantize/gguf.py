"""GGUF for the table: quality by what transformers reads from the file, speed by llama.cpp itself, on token ids."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workshop_utils.export import gguf
from workshop_utils.export.llama_cpp import LlamaCpp
from workshop_utils.quantize.floats import Data, Quantised, Unavailable
from workshop_utils.quantize.measure import Speed, check_room, timed

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel
    from workshop_utils.machine.profiles import Profile


def lack(model: LanguageModel, profile: Profile) -> str:
    """Why the model cannot be written as GGUF, "" if it can."""
    return gguf.lack_of(model.model)


def make(model: LanguageModel, profile: Profile, data: Data, kind: str = "q8_0") -> Quantised:
    """Write the model without its tokenizer into a temporary folder, and read it back.

    Args:
        model: in floats.
        profile: not needed.
        data: not needed.
        kind: "f32", "q8_0" or "q4_0".
    """
    keep = tempfile.TemporaryDirectory()
    file = Path(keep.name) / f"{kind}.gguf"
    try:
        gguf.write_gguf(model.model, None, file, kind, model.name)
    except ValueError as error:
        raise Unavailable(str(error)) from error
    return Quantised(gguf.read_gguf(file, model), file=file, file_bytes=gguf.table_and_rest(file), _keep=keep)


def speed(
    made: Quantised, prompt_ids: Sequence[int], new_tokens: int = 64, repeats: int = 3, country: str = ""
) -> Speed:
    """How fast llama.cpp writes with the file; as measure.decode_speed.

    Raises:
        Unavailable: llama.cpp is not installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise Unavailable("llama.cpp is not installed in Python: pip install xllamacpp (Linux, macOS, Windows)")
    check_room(made.model, len(prompt_ids), new_tokens, repeats)
    server = LlamaCpp(str(made.file), context=len(prompt_ids) + new_tokens)
    return timed(lambda: server.write(prompt_ids, new_tokens), new_tokens, repeats, country)
