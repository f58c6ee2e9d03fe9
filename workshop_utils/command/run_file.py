"""The JSON file that describes a whole run, for `workshop train --config FILE`, alone or under torchrun.

    {"gpt": {"n_layer": 6}, "training": {"steps": 500}, "data": {"text": "book.txt"}, "out": "run", "parallel": "ddp"}

Every part may be left out: the defaults of own_text.py, --text and --out take its place. "data" names a text, or token
files: {"train": "train.tokens", "val": "val.tokens", "tokenizer": "tokenizer.json"}, of which only the first is needed;
or a stream: {"stream": {"source": "corpus/*.parquet"}, "tokenizer": "tokenizer.json"}, with the fields of StreamPart.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from workshop_utils.gpt.config import Config, GPTConfig, Name, Percent, TrainConfig, Whole, unknown_names

if TYPE_CHECKING:
    import tiktoken

    from workshop_utils.training.batches import Batches

PARTS = ("gpt", "training", "data", "out", "parallel", "text_sha256")
CORPORA = ("text", "train", "stream")
JSON_KINDS = {list: "list", str: "string", int: "number", float: "number", bool: "true or false", type(None): "null"}
DATA = (*CORPORA, "val", "tokenizer")
TOKENIZER, TRAIN, VAL = "tokenizer.json", "train.tokens", "val.tokens"  # what is made of a text, in the run's folder


@dataclass(frozen=True)
class StreamPart(Config):
    """What "stream" says: the arguments of StreamingTokenDataset. The order's seed is that of "training"."""

    source: tuple[Name, ...]  # files, folders or patterns of .parquet or .jsonl, URLs, or data sets of the hub
    shuffle_buffer: Whole = 1000  # blocks that wait to be drawn from, in each process; 0 keeps the order
    text_column: Name = "text"  # where the text is
    val_percent: Percent = 2  # share of documents that are held out, chosen by a hash of each text
    val_blocks: Whole = 100  # how many blocks of them the validation loss is measured on; 0 measures nothing
    workers: Whole = 0  # processes that read ahead, for each process that trains
    storage_options: dict[str, Any] = field(default_factory=dict)  # of a remote file system, as in fsspec

    def __post_init__(self) -> None:
        if isinstance(self.source, str):
            object.__setattr__(self, "source", (self.source,))
        if not self.source or not isinstance(self.source, list | tuple):
            raise ValueError(
                f"source is {self.source!r}: name a file, a folder, a pattern or a URL, or a list of these"
            )
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
    if not isinstance(values, dict):
        raise ValueError(f'{path} is a JSON {JSON_KINDS[type(values)]}: write an object, {{"gpt": {{...}}, ...}}')
    unknown = unknown_names(values, PARTS)
    if unknown:
        raise ValueError(
            f'{path} must be {{"gpt": {{...}}, "training": {{...}}}}, with "data", "out" and "parallel" if you like'
            f", and has {unknown}: move its fields into these"
        )
    if not all(isinstance(values.get(part, {}), dict) for part in ("gpt", "training", "data")):
        raise ValueError(f'"gpt", "training" and "data" of {path} must be objects, as in {{"gpt": {{"n_layer": 6}}}}')
    for part in ("out", "parallel", "text_sha256"):
        if not isinstance(values.get(part, ""), str):
            raise ValueError(f'"{part}" of {path} is {json.dumps(values[part])}: write a string, as in "out": "run"')
    for part, kind, other in (("gpt", GPTConfig, "training"), ("training", TrainConfig, "gpt")):
        strays = [name for name in values.get(other, {}) if name in {field.name for field in fields(kind)}]
        if strays:
            raise ValueError(f'"{strays[0]}" stands in "{other}" of {path}: move it into "{part}"')
    data = values.get("data", {})
    kinds = {name: dict if name == "stream" else str for name in DATA}
    if set(data) - set(DATA) or not all(isinstance(value, kinds[name]) for name, value in data.items()):
        raise ValueError(
            f'"data" of {path} is {data}: name a text, {{"text": "book.txt"}}, or token files, {{"train": '
            '"train.tokens", "val": "val.tokens", "tokenizer": "tokenizer.json"}, or a stream, {"stream": '
            '{"source": "corpus/*.parquet"}, "tokenizer": "tokenizer.json"}'
        )
    for name, value in ({"out": values.get("out")} | data).items():
        if isinstance(value, str):
            _check_path(name, value, path)
    if data and sum(corpus in data for corpus in CORPORA) != 1:
        raise ValueError(f'"data" of {path} must have either "text", "train" or "stream": one corpus to learn from')
    if "stream" in data and ("tokenizer" not in data or "val" in data):
        raise ValueError(
            f'"data" of {path} must have "tokenizer" beside "stream", a file of save_tokenizer, and no "val": '
            "validation text comes from the stream itself, as val_percent and val_blocks say"
        )
    return values


def _check_path(name: str, value: str, config: Path) -> None:
    """Refuse what is no path here: a folder would get a strange name, and be looked for in vain."""
    if not value.strip() or "\0" in value:
        raise ValueError(f'"{name}" of {config} is {value!r}: name a file or folder')
    if os.name != "nt" and ("\\" in value or PureWindowsPath(value).drive):
        raise ValueError(
            f'"{name}" of {config} is {value!r}, a path of Windows: write where it lies on this machine, with "/", as '
            f'in "{PureWindowsPath(value).name}", which works on Windows, too'
        )


def _stream_part(values: dict[str, Any], path: Path | None) -> StreamPart:
    if "source" not in values:
        raise ValueError(f'"stream" of {path} has no "source": say where the .parquet or .jsonl files are')
    return StreamPart.from_dict(values)


@dataclass(frozen=True)
class RunFile:
    """Where a run learns from and writes to: the command line's --text and --out, then the file's "data" and "out"."""

    out: Path
    text: Path | None = None  # a text; or else
    train: Path | None = None  # token files; or else
    stream: StreamPart | None = None  # files that are read, tokenised and shuffled while the model trains
    val: Path | None = None
    tokenizer: Path | None = None  # of token files or stream, kept beside the checkpoints for `workshop sample`
    parallel: str = "ddp"
    whole: bool = False  # whether the file names data and out: then it can be resumed by itself

    @classmethod
    def find(cls, text: Path | None, out: Path | None, config: Path | None, resume: bool = False) -> RunFile:
        """Put command line and file together; a run that is resumed has token files, if nothing else is named.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file makes no sense, or data or out is named nowhere.
        """
        from workshop_utils.training.processes import HOW

        given = read_json(config) if config is not None else {}
        data: dict[str, Any] = given.get("data", {}) if text is None else {"text": str(text)}
        if not data and resume and out is not None and (out / TRAIN).is_file():
            data = {"train": out / TRAIN, "val": out / VAL, "tokenizer": out / TOKENIZER}
        if not data:
            raise ValueError('there is nothing to learn from: give --text FILE, or "data" in the file of --config')
        if out is None and "out" not in given:
            raise ValueError('there is no folder to write to: give --out FOLDER, or "out" in the file of --config')
        parallel = given.get("parallel", "ddp")
        if parallel not in HOW:
            raise ValueError(f'"parallel" of {config} is {parallel!r}: choose one of {", ".join(HOW)}')
        paths = {name: Path(value) for name, value in data.items() if name != "stream"}
        stream = _stream_part(data["stream"], config) if "stream" in data else None
        whole = "data" in given and "out" in given
        return cls(out or Path(given["out"]), stream=stream, parallel=parallel, whole=whole, **paths)

    def open_data(
        self, gpt: GPTConfig, training: TrainConfig
    ) -> tuple[Batches, Batches | None, tiktoken.Encoding | None]:
        """What the run learns from and is measured on, and the tokenizer of both; of a stream, this process's share.

        Args:
            gpt: its block_size is that of a stream.
            training: its seed is that of a stream's order.

        Raises:
            FileNotFoundError, ValueError: as TokenFile, StreamingTokenDataset and load_tokenizer say.
        """
        from workshop_utils.text.corpus import TokenFile
        from workshop_utils.text.tokenizer import load_tokenizer

        if self.stream is not None:
            return self._open_stream(self.stream, gpt.block_size, training)
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

    def _open_stream(
        self, part: StreamPart, block_size: int, training: TrainConfig
    ) -> tuple[Batches, Batches | None, tiktoken.Encoding]:
        from workshop_utils.stream.dataset import StreamingTokenDataset
        from workshop_utils.text.tokenizer import load_tokenizer
        from workshop_utils.training.processes import world

        if training.rows != "windows":
            raise ValueError(
                f'rows is {training.rows!r}, and a stream comes as "windows", without ends: set it in "training", or '
                "write token files"
            )
        assert self.tokenizer is not None
        here, encoding = world(), load_tokenizer(self.tokenizer)
        train = StreamingTokenDataset(
            list(part.source),
            encoding,
            block_size,
            rank=here.rank,
            world_size=here.size,
            shuffle_buffer=part.shuffle_buffer,
            seed=training.seed,
            text_column=part.text_column,
            storage_options=part.storage_options,
            val_percent=part.val_percent,
            epochs=0,
            num_workers=part.workers,
        )
        held = train.held_out(part.val_blocks) if part.val_blocks and part.val_percent else None
        return train, held, encoding
