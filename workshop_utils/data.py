"""Documents and their way into token files: where texts come from, which split they belong to.

prepare(profile) goes the whole way once and is quick ever after. The token files themselves live in tokenfile.py.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tiktoken

from workshop_utils.files import PARTIAL, write_text_atomically
from workshop_utils.sentences import one_line
from workshop_utils.tokenfile import TokenFile
from workshop_utils.tokenise import write_token_file, write_token_files
from workshop_utils.tokens import fingerprint, for_profile

if TYPE_CHECKING:
    from workshop_utils.profiles import Profile
    from workshop_utils.streaming import StreamingTokenDataset

__all__ = [
    "StreamingTokenDataset",
    "TokenFile",
    "documents",
    "prepare",
    "read_text",
    "split_of",
    "write_token_file",
    "write_token_files",
]

TEXT_COLUMN = "text"
# For each data set of the hub: the name of its configuration, and where those files lie in a copy of it.
HUB_SETS: dict[str, tuple[str | None, str]] = {
    "roneneldan/TinyStories": (None, "."),
    "HuggingFaceFW/fineweb-edu": ("sample-10BT", "sample/10BT"),
}
CURE = "take the pocket profile, WORKSHOP_PROFILE=pocket, which needs no network, or point WORKSHOP_HUB at a local copy"
VAL_PERCENT = 2


def __getattr__(name: str) -> Any:
    """data.StreamingTokenDataset, which lives in streaming.py and itself needs this module."""
    if name == "StreamingTokenDataset":
        from workshop_utils.streaming import StreamingTokenDataset

        return StreamingTokenDataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def read_text(path: str | Path) -> str:
    """Read a text file, UTF-8, with \\n at the end of each line.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty or not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no text file at {path}: check the path")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start:,} is {content[error.start]:#04x}; save it as UTF-8 in your "
            f"editor, or convert it, for example: iconv -f latin1 -t utf-8 {path.name} > new.txt"
        ) from error
    if not text.strip():
        raise ValueError(f"{path} is empty: there is nothing to learn from, choose a file with text")
    return text.replace("\r\n", "\n")


def split_of(text: str, val_percent: int = VAL_PERCENT) -> str:
    """Say which split a document belongs to, the same on every machine and in every order.

    Args:
        text: the whole document, as it came from the source.
        val_percent: share of documents held out for validation, in percent (0 to 50).

    Returns:
        "train" or "val".

    Raises:
        ValueError: val_percent is out of range.

    Source: hashing the content instead of counting rows, so that a stream needs no index and a re-sharded
    data set keeps its split.
    """
    if not 0 <= val_percent <= 50:
        raise ValueError(f"val_percent is {val_percent}: choose 0 to 50, since validation text is never trained on")
    bucket = zlib.crc32(text.encode("utf-8", "surrogatepass")) % 100  # stable across processes, hash() is not
    return "val" if bucket < val_percent else "train"


def documents(profile: Profile, limit: int | None = None) -> Iterator[str]:
    """The texts that a profile trains on, one by one, never all in memory.

    Args:
        profile: its text is "stories" or a data set of the hub.
        limit: how many at most; None takes profile.n_documents.

    Raises:
        ConnectionError: the hub cannot be reached.
        ValueError: a row has no text, or the profile names an unknown source.
    """
    if limit is None:
        limit = profile.n_documents
    if profile.text == "stories":
        from workshop_utils.pocket import stories

        return stories.texts(limit, seed=0)
    if profile.text not in HUB_SETS:
        raise ValueError(f"the profile asks for the text {profile.text!r}: there are stories, {', '.join(HUB_SETS)}")
    return islice(_texts(_hub_rows(profile.text), profile.text), limit)


def _hub_rows(name: str) -> Iterator[dict[str, Any]]:
    """Stream the rows of a data set from WORKSHOP_HUB if it is set, else from the hub."""
    from workshop_utils import profiles

    configuration, folder = HUB_SETS[name]
    local = profiles.hub_folder()
    if local is not None:
        return _local_rows(local / name, folder)
    reachable, reason = profiles.hub_reachable()
    if not reachable:
        raise ConnectionError(f"{name} cannot be streamed from the hub ({reason}): {CURE}")
    return _streamed_rows(name, configuration)


def _streamed_rows(name: str, configuration: str | None) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset
    from httpx import HTTPError

    try:
        yield from load_dataset(name, configuration, split="train", streaming=True)
    except (OSError, ValueError, HTTPError) as error:
        raise ConnectionError(f"the hub stopped sending {name} ({one_line(error)}): try again, or {CURE}") from error


def _local_rows(root: Path, folder: str) -> Iterator[dict[str, Any]]:
    """The rows of a local copy, laid out like the hub's or flat."""
    from datasets import load_dataset

    within = root / folder if (root / folder).is_dir() else root
    found = sorted(path for path in within.rglob("*.parquet") if not path.name.startswith(("validation", "test")))
    if not found:
        raise FileNotFoundError(
            f"WORKSHOP_HUB is set, but there is no .parquet file of the training split in {within}: copy the data set "
            "there, or unset WORKSHOP_HUB to stream it from the hub"
        )
    try:
        yield from load_dataset("parquet", data_files=[str(path) for path in found], split="train", streaming=True)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise ValueError(f"a file in {within} is damaged ({one_line(error)}): copy it again") from error


def _texts(rows: Iterable[dict[str, Any]], name: str) -> Iterator[str]:
    for index, row in enumerate(rows):
        if TEXT_COLUMN not in row:
            raise ValueError(
                f"row {index} of {name} has no column {TEXT_COLUMN!r}, only {', '.join(row)}: the data set has "
                "changed, or WORKSHOP_HUB holds something else"
            )
        text = row[TEXT_COLUMN]
        if not isinstance(text, str):
            raise ValueError(
                f"column {TEXT_COLUMN!r} of row {index} of {name} is a {type(text).__name__}, not a string: the data "
                "set is damaged there, fetch it again"
            )
        yield text


def prepare(profile: Profile) -> tuple[TokenFile, TokenFile, tiktoken.Encoding]:
    """Make the profile's token files, or find them made: documents -> split_of -> train and val.

    Args:
        profile: says which documents, how many, and which tokenizer.

    Returns:
        train, val, encoding. The files lie in the workshop's home, with their settings beside them, and are used again
        as long as the settings are the same.
    """
    from filelock import FileLock

    from workshop_utils.profiles import home

    encoding = for_profile(profile)
    settings = {
        "text": profile.text,
        "n_documents": profile.n_documents,
        "val_percent": VAL_PERCENT,
        "tokenizer": encoding.name,
        "fingerprint": fingerprint(encoding),
    }
    name = f"{profile.text.rpartition('/')[2].lower()}-{profile.n_documents}-{fingerprint(encoding)[:8]}"
    folder = home() / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # under torchrun one process makes the files and the others wait
        made = _made_before(folder, settings, encoding)
        if made is None:
            for leftover in folder.glob(f".*{PARTIAL}"):  # of a run that was killed
                leftover.unlink()
            paths = {"train": folder / "train.tokens", "val": folder / "val.tokens"}
            made = write_token_files(_watched(profile), paths, encoding, split_of)
            write_text_atomically(json.dumps(settings, indent=2) + "\n", folder / "settings.json")
    return made["train"], made["val"], encoding


def _watched(profile: Profile) -> Iterable[str]:
    """The documents, with a progress bar where they come over the network."""
    if profile.text == "stories":
        return documents(profile)
    from tqdm import tqdm

    return tqdm(documents(profile), total=profile.n_documents, desc=profile.text, unit=" documents")


def _made_before(folder: Path, settings: dict[str, Any], encoding: tiktoken.Encoding) -> dict[str, TokenFile] | None:
    """The two files, if they are there, whole, and of the same settings."""
    if not (folder / "settings.json").is_file():
        return None
    try:
        if json.loads((folder / "settings.json").read_text()) != settings:
            raise ValueError(f"the settings in {folder} are others")
        return {split: TokenFile(folder / f"{split}.tokens", encoding) for split in ("train", "val")}
    except (ValueError, FileNotFoundError) as error:
        print(f"{error}. The token files are made again.")
        return None
