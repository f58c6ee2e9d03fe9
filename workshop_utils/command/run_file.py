"""The JSON file that describes a whole run, for `workshop train --config FILE`, alone or under torchrun.

    {"gpt": {"n_layer": 6}, "training": {"steps": 500}, "data": {"text": "book.txt"}, "out": "run", "parallel": "ddp"}

Every part may be left out: the defaults of own_text.py, --text and --out take its place. "data" names a text, or token
files: {"train": "train.tokens", "val": "val.tokens", "tokenizer": "tokenizer.json"}, of which only the first is needed;
or a stream: {"stream": {"source": "corpus/*.parquet"}, "tokenizer": "tokenizer.json"}, with the fields of StreamPart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from workshop_utils.gpt.config import Config, GPTConfig, Name, Percent, TrainConfig, Whole, unknown_names
from workshop_utils.stream.readers import StreamSettings
from workshop_utils.text.tokenizer import TOKENIZER

if TYPE_CHECKING:
    import tiktoken

    from workshop_utils.training.batches import Batches

Kinds = Mapping[str, tuple[Any, str]]  # name -> the type of its values, and the words for it
OBJECT, STRING = (dict, "an object, {...}"), (str, 'a string, "..."')
PARTS: Kinds = dict.fromkeys(("gpt", "training", "data"), OBJECT) | dict.fromkeys(("out", "parallel"), STRING)
PARTS = {**PARTS, "text_sha256": STRING}  # so that a run's own config.json is such a file
DATA: Kinds = dict.fromkeys(("text", "train", "val", "tokenizer"), STRING) | {"stream": OBJECT}
PATHS = ("out", "text", "train", "val", "tokenizer")
TRAIN, VAL = "train.tokens", "val.tokens"  # what is made of a text, in the run's folder


@dataclass(frozen=True)
class StreamPart(Config):
    """What "stream" says, for StreamingTokenDataset. The order's seed is that of "training"."""

    source: tuple[Name, ...]  # files, folders or patterns of .parquet or .jsonl, URLs, or data sets of the hub
    shuffle_buffer: Whole = StreamSettings.shuffle_buffer  # blocks that wait to be drawn from; 0 keeps the order
    text_column: Name = StreamSettings.text_column  # where the text is
    val_percent: Percent = StreamSettings.val_percent  # share of documents that are held out, by a hash of each text
    val_blocks: Whole = 100  # how many blocks of them the validation loss is measured on; 0 measures nothing
    workers: Whole = 0  # processes that read ahead, for each process that trains
    storage_options: dict[str, Any] = field(default_factory=dict)  # of a remote file system, as in fsspec

    def __post_init__(self) -> None:
        if isinstance(self.source, str):
            object.__setattr__(self, "source", (self.source,))
        if not self.source:
            raise ValueError("source is empty: name a file, a folder, a pattern or a URL, or a list of these")
        super().__post_init__()


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
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise ValueError(
            f"{path} is no valid JSON ({error}): correct it there. The usual slips are a comma behind the last item, a "
            "comment, single quotes, and \\ in a path, which is written / or \\\\"
        ) from error
    _check_parts(values, PARTS, str(path))
    _check_parts(data := values.get("data", {}), DATA, f'"data" of {path}')
    if data and sum(corpus in data for corpus in ("text", "train", "stream")) != 1:
        raise ValueError(f'"data" of {path} must have either "text", "train" or "stream": one corpus to learn from')
    if "stream" in data and ("tokenizer" not in data or "val" in data or "source" not in data["stream"]):
        what = '"tokenizer" beside "stream", and no "val"; and "stream" must have a "source", as in "corpus/*.parquet"'
        raise ValueError(f'"data" of {path} must have {what}')
    if values.get("parallel", "ddp") not in ("ddp", "fsdp"):
        raise ValueError(f'"parallel" of {path} is {values["parallel"]!r}: choose one of ddp, fsdp')
    return values


def _check_parts(values: Any, kinds: Kinds, where: str) -> None:
    """Refuse unknown names, other kinds of values, and paths that are none on this machine."""
    if not isinstance(values, dict):
        raise ValueError(f'{where} is {json.dumps(values)[:60]}: write an object, {{"{next(iter(kinds))}": ...}}')
    if unknown := unknown_names(values, list(kinds)):
        raise ValueError(f"{where} has {unknown}: it may have {', '.join(kinds)}")
    for name, value in values.items():
        kind, words = kinds[name]
        if not isinstance(value, kind):
            raise ValueError(f'"{name}" of {where} is {json.dumps(value)[:60]}: write {words}')
        if name in PATHS and (not value.strip() or "\0" in value):
            raise ValueError(f'"{name}" of {where} is {value!r}: name a file or folder')
        if name in PATHS and os.name != "nt" and ("\\" in value or PureWindowsPath(value).drive):
            raise ValueError(f'"{name}" of {where} is {value!r}, a path of Windows: write where it lies here, with "/"')


@dataclass(frozen=True)
class RunFile:
    """What a run learns from and writes to, and what is given of its settings: command line and file together."""

    out: Path
    text: Path | None = None  # a text; or else
    train: Path | None = None  # token files; or else
    stream: StreamPart | None = None  # files that are read, tokenised and shuffled while the model trains
    val: Path | None = None
    tokenizer: Path | None = None  # of token files or stream, kept beside the checkpoints for `workshop sample`
    parallel: str = "ddp"
    gpt: dict[str, Any] = field(default_factory=dict)  # fields of GPTConfig
    training: dict[str, Any] = field(default_factory=dict)  # fields of TrainConfig

    @classmethod
    def find(
        cls, text: Path | None, out: Path | None, config: Path | None, resume: bool = False, steps: int | None = None
    ) -> RunFile:
        """Put command line and file together; a run that is resumed has token files, if nothing else is named.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file makes no sense, or data or out is named nowhere.
        """
        given = read_json(config) if config is not None else {}
        data: dict[str, Any] = given.get("data", {}) if text is None else {"text": text}
        out = out or (Path(given["out"]) if "out" in given else None)
        if not data and resume and out is not None and (out / TRAIN).is_file():
            data = {"train": out / TRAIN, "val": out / VAL, "tokenizer": out / TOKENIZER}
        if not data:
            raise ValueError('there is nothing to learn from: give --text FILE, or "data" in the file of --config')
        if out is None:
            raise ValueError('there is no folder to write to: give --out FOLDER, or "out" in the file of --config')
        training = given.get("training", {}) | ({"steps": steps} if steps is not None else {})
        parts: dict[str, Any] = {name: given[name] for name in ("gpt", "parallel") if name in given}
        for name, at in data.items():
            parts[name] = StreamPart.from_dict(at) if name == "stream" else Path(at)
        return cls(out, training=training, **parts)

    def open_data(
        self, gpt: GPTConfig, training: TrainConfig
    ) -> tuple[Batches, Batches | None, tiktoken.Encoding | None]:
        """What the run learns from and is measured on, and the tokenizer of both; of a stream, this process's share.

        A stream takes the block_size of gpt, and its order the seed of training.

        Raises:
            FileNotFoundError, ValueError: as TokenFile, StreamingTokenDataset and load_tokenizer say.
        """
        from workshop_utils.text.token_file import TokenFile
        from workshop_utils.text.tokenizer import load_tokenizer

        encoding = load_tokenizer(self.tokenizer) if self.tokenizer is not None else None
        if self.stream is not None:
            return *_open_stream(self.stream, encoding, gpt.block_size, training), encoding
        assert self.train is not None
        train = TokenFile(self.train, encoding)
        val = TokenFile(self.val, encoding) if self.val is not None else None
        if val is not None and val.fingerprint != train.fingerprint:
            raise ValueError(f"{self.val} was made with another tokenizer than {self.train}: make both with the same")
        return train, val, encoding


def _open_stream(part: StreamPart, encoding: Any, size: int, training: TrainConfig) -> tuple[Batches, Batches | None]:
    from workshop_utils.stream.dataset import StreamingTokenDataset
    from workshop_utils.training.processes import world

    if training.rows != "windows":
        raise ValueError(f'rows is {training.rows!r}, and a stream comes as "windows": set that in "training"')
    options = part.to_dict() | {"seed": training.seed, "rank": world().rank, "world_size": world().size, "epochs": 0}
    source, val_blocks, workers = (options.pop(name) for name in ("source", "val_blocks", "workers"))
    train = StreamingTokenDataset(list(source), encoding, size, num_workers=workers, **options)
    return train, train.held_out(val_blocks) if val_blocks and part.val_percent else None
