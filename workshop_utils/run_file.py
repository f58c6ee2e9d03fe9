"""The JSON file that describes a whole run, for `workshop train --config FILE`, alone or under torchrun.

    {"gpt": {"n_layer": 6}, "training": {"steps": 500}, "data": {"text": "book.txt"}, "out": "run", "parallel": "ddp"}

Every part may be left out: the defaults of own_text.py, --text and --out take its place. "data" names a text, or token
files: {"train": "train.tokens", "val": "val.tokens", "tokenizer": "tokenizer.json"}, of which only the first is needed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tiktoken

    from workshop_utils.data import TokenFile

PARTS = ("gpt", "training", "data", "out", "parallel", "text_sha256")
DATA = ("text", "train", "val", "tokenizer")


def read_json(path: Path) -> dict[str, Any]:
    """Read a config file, and make sure that its parts are what they should be.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON, or has other parts.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no config file at {path}: check the path")
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise ValueError(f"{path} is no valid JSON ({error}): correct it there") from error
    if not isinstance(values, dict) or set(values) - set(PARTS):
        raise ValueError(
            f'{path} must be {{"gpt": {{...}}, "training": {{...}}}}, with "data", "out" and "parallel" if you like: '
            "move its fields into these"
        )
    if not all(isinstance(values.get(part, {}), dict) for part in ("gpt", "training", "data")):
        raise ValueError(f'"gpt", "training" and "data" of {path} must be objects, as in {{"gpt": {{"n_layer": 6}}}}')
    if not all(isinstance(values.get(part, ""), str) for part in ("out", "parallel")):
        raise ValueError(f'"out" and "parallel" of {path} must be strings, as in "out": "run", "parallel": "ddp"')
    data = values.get("data", {})
    if set(data) - set(DATA) or not all(isinstance(value, str) for value in data.values()):
        raise ValueError(
            f'"data" of {path} is {data}: name a text, {{"text": "book.txt"}}, or token files, {{"train": '
            '"train.tokens", "val": "val.tokens", "tokenizer": "tokenizer.json"}}'
        )
    if ("text" in data) == ("train" in data) and data:
        raise ValueError(f'"data" of {path} must have either "text" or "train": one corpus to learn from')
    return values


@dataclass(frozen=True)
class RunFile:
    """Where a run learns from and writes to: the command line's --text and --out, then the file's "data" and "out"."""

    out: Path
    text: Path | None = None  # a text; or else
    train: Path | None = None  # token files
    val: Path | None = None
    tokenizer: Path | None = None  # of the token files, kept beside the checkpoints for `workshop sample`
    parallel: str = "ddp"
    whole: bool = False  # whether the file names data and out: then it can be resumed by itself

    @classmethod
    def find(cls, text: Path | None, out: Path | None, config: Path | None) -> RunFile:
        """Put command line and file together.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file makes no sense, or data or out is named nowhere.
        """
        from workshop_utils.distributed import HOW

        given = read_json(config) if config is not None else {}
        data = given.get("data", {}) if text is None else {"text": str(text)}
        if not data:
            raise ValueError('there is nothing to learn from: give --text FILE, or "data" in the file of --config')
        if out is None and "out" not in given:
            raise ValueError('there is no folder to write to: give --out FOLDER, or "out" in the file of --config')
        parallel = given.get("parallel", "ddp")
        if parallel not in HOW:
            raise ValueError(f'"parallel" of {config} is {parallel!r}: choose one of {", ".join(HOW)}')
        paths = {name: Path(value) for name, value in data.items()}
        whole = "data" in given and "out" in given
        return cls(out or Path(given["out"]), parallel=parallel, whole=whole, **paths)

    def open_tokens(self) -> tuple[TokenFile, TokenFile | None, tiktoken.Encoding | None]:
        """The token files that the run names, and their tokenizer.

        Raises:
            FileNotFoundError, ValueError: as TokenFile and load_tokenizer say.
        """
        from workshop_utils.data import TokenFile
        from workshop_utils.tokens import load_tokenizer

        assert self.train is not None
        encoding = load_tokenizer(self.tokenizer) if self.tokenizer is not None else None
        train = TokenFile(self.train, encoding)
        val = TokenFile(self.val, encoding) if self.val is not None else None
        if val is not None and val.fingerprint != train.fingerprint:
            raise ValueError(
                f"{self.val} was made with the tokenizer {val.tokenizer!r} ({val.fingerprint}) and {self.train} with "
                f"{train.tokenizer!r} ({train.fingerprint}): make both with the same one"
            )
        return train, val, encoding
