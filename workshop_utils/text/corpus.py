"""The corpus: where documents come from, and which of them are held out for validation.

prepare(profile) goes the whole way for the lessons: documents -> split_of -> token files.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tiktoken

from workshop_utils.machine.files import PARTIAL, write_text_atomically
from workshop_utils.machine.sentences import one_line
from workshop_utils.text.token_file import TokenFile, write_token_files
from workshop_utils.text.tokenizer import fingerprint, for_profile

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

TEXT_COLUMN = "text"
# For each data set of the hub: the name of its configuration, and where those files lie in a copy of it.
HUB_SETS: dict[str, tuple[str | None, str]] = {
    "roneneldan/TinyStories": (None, "."),
    "HuggingFaceFW/fineweb-edu": ("sample-10BT", "sample/10BT"),
}
CURE = "take the pocket profile, WORKSHOP_PROFILE=pocket, which needs no network, or point WORKSHOP_HUB at a local copy"
VAL_PERCENT = 2
PIECE = 1_000_000  # bytes that are decoded at once: as a string a text can take four times its size

# --- the documents of a profile ------------------------------------------------------------------------------------


def documents(profile: Profile, limit: int | None = None) -> Iterator[str]:
    """The texts that a profile trains on, one by one, never all in memory.

    Args:
        profile: its text is "stories" or a data set of the hub.
        limit: how many at most; None takes profile.n_documents.

    Raises:
        ConnectionError: the hub cannot be reached.
        FileNotFoundError: WORKSHOP_HUB is set and holds no copy.
        ValueError: the copy is damaged.
    """
    limit = profile.n_documents if limit is None else limit
    if profile.text == "stories":
        from workshop_utils.pocket import stories

        return stories.texts(limit, seed=0)
    rows = hub_rows(profile.text, (TEXT_COLUMN,), *HUB_SETS[profile.text])
    return (row[TEXT_COLUMN] for row in islice(rows, limit))


def hub_rows(
    name: str, columns: Sequence[str], configuration: str | None = None, folder: str = ".", split: str = "train"
) -> Iterator[dict[str, Any]]:
    """The rows of a data set, from WORKSHOP_HUB's copy if that is set, else streamed from the hub.

    Args:
        name: on the hub.
        columns: that each row must have.
        configuration: its name on the hub, if there are several.
        folder: where those files lie in a copy.
        split: "train", "validation" or "test".

    Raises:
        ConnectionError, FileNotFoundError, ValueError: as in documents.
    """
    from workshop_utils.machine import hub

    local = hub.hub_folder()
    if local is None:
        reachable, reason = hub.hub_reachable()
        if not reachable:
            raise ConnectionError(f"{name} cannot be streamed from the hub ({reason}): {CURE}")
    files = _copied_files(local / name, folder, split) if local is not None else None

    from datasets import load_dataset
    from httpx import HTTPError

    try:
        if files is None:
            rows = load_dataset(name, configuration, split=split, streaming=True)
        else:
            rows = load_dataset("parquet", data_files=files, split="train", streaming=True)
        for row in rows:
            yield {column: row[column] for column in columns}
    except KeyError as error:
        raise ValueError(f"{name} has no column {error}: is it another data set in WORKSHOP_HUB?") from error
    except (OSError, ValueError, HTTPError) as error:  # pyarrow's errors are ValueErrors
        what = one_line(error)
        if local is None:
            raise ConnectionError(f"the hub stopped sending {name} ({what}): try again, or {CURE}") from error
        raise ValueError(f"a file in {local / name} is damaged ({what}): copy it again") from error


def _copied_files(root: Path, folder: str, split: str) -> list[str]:
    """The files of a split in a local copy, laid out like the hub's or flat."""
    within = root / folder if (root / folder).is_dir() else root
    named = {path: re.search(r"(?<![a-z])(validation|test)(?![a-z])", path.name) for path in within.rglob("*.parquet")}
    found = sorted(path for path, other in named.items() if (other[1] if other else "train") == split)
    if not found:
        which = "training" if split == "train" else split
        raise FileNotFoundError(
            f"WORKSHOP_HUB is set, but there is no .parquet file of the {which} split in {within}: copy the data set "
            "there, or unset WORKSHOP_HUB to stream it from the hub"
        )
    return [str(path) for path in found]


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


def prepare(profile: Profile) -> tuple[TokenFile, TokenFile, tiktoken.Encoding]:
    """Make the profile's token files, or find them made: documents -> split_of -> train and val.

    Args:
        profile: says which documents, how many, and which tokenizer.

    Returns:
        train, val, encoding. The files lie in the workshop's home, with their settings beside them, and are used again
        as long as the settings are the same.
    """
    from filelock import FileLock
    from tqdm import tqdm

    from workshop_utils.machine.hardware import home

    encoding = for_profile(profile)
    settings = {"text": profile.text, "n_documents": profile.n_documents, "val_percent": VAL_PERCENT}
    settings |= {"tokenizer": encoding.name, "fingerprint": fingerprint(encoding)}
    name = f"{profile.text.rpartition('/')[2].lower()}-{profile.n_documents}-{fingerprint(encoding)[:8]}"
    folder = home() / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # under torchrun one process makes the files and the others wait
        made = _made_before(folder, settings, encoding)
        if made is None:
            for leftover in folder.glob(f".*{PARTIAL}"):  # of a run that was killed
                leftover.unlink()
            paths = {"train": folder / "train.tokens", "val": folder / "val.tokens"}
            quick = profile.text == "stories"  # the others come over the network
            texts = tqdm(documents(profile), profile.text, profile.n_documents, unit=" documents", disable=quick)
            made = write_token_files(texts, paths, encoding, split_of)
            write_text_atomically(json.dumps(settings, indent=2) + "\n", folder / "settings.json")
    return made["train"], made["val"], encoding


def _made_before(folder: Path, settings: dict[str, Any], encoding: tiktoken.Encoding) -> dict[str, TokenFile] | None:
    """The two files, if they are there, whole, and of the same settings."""
    if not (folder / "settings.json").is_file():
        return None
    try:
        if json.loads((folder / "settings.json").read_text()) != settings:
            raise ValueError(f"{folder} was made with other settings")
        return {split: TokenFile(folder / f"{split}.tokens", encoding) for split in ("train", "val")}
    except (ValueError, FileNotFoundError) as error:
        print(f"{error}. The token files are made again.")
        return None


# --- a text of one's own -------------------------------------------------------------------------------------------

# How files begin that are taken for texts: what they are, and the way to their text.
BINARY = (
    (b"%PDF-", "a PDF: copy its text into a .txt file"),
    (b"PK\x03\x04", "a ZIP archive, or a document of Word, Excel or an e-book reader: unpack it, or save it as .txt"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document: save it as plain text, UTF-8"),
    (b"{\\rtf", "a document in Rich Text Format: save it as plain text, UTF-8"),
    (b"\x1f\x8b", "a gzip file: unpack it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file: unpack it"),
    (b"PAR1", 'a Parquet file: name it as "stream" in the file of --config, or write its texts into a .txt file'),
    (b"SLMTOKEN", 'a token file of this workshop: name it as "train" in the file of --config'),
    (codecs.BOM_UTF16_LE, 'in UTF-16 (what Windows calls "Unicode"): save it as UTF-8'),
    (codecs.BOM_UTF16_BE, "in UTF-16: save it as UTF-8"),
)


def read_text(path: str | Path) -> str:
    """Read a text file, UTF-8, with \\n at the end of each line.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, not UTF-8, or no text file.
    """
    return read_utf8(Path(path)).decode()


def read_utf8(path: Path) -> bytes:
    """Read a text file as read_text does, but as UTF-8 bytes, which take less memory."""
    if not path.is_file():
        cure = "it is a folder: name one file" if path.is_dir() else "check the path"
        raise FileNotFoundError(f"there is no text file at {path}: {cure}")
    content = path.read_bytes()
    if not content.strip():
        raise ValueError(f"{path} is empty: choose a file with text")
    for start, what in BINARY:
        if content.startswith(start):
            raise ValueError(f"{path} is {what}")
    if b"\0" in content:
        raise ValueError(f"{path} holds {content.count(0):,} NUL bytes, and no text has any: save it as plain text")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        for _ in decoded(content):
            pass
    except UnicodeDecodeError as error:
        seen = error.object[max(0, error.start - 15) : error.start + 15].decode("cp1252", "replace")
        raise ValueError(
            f"{path} is not UTF-8: as Windows-1252, in which most older European texts are, a place in it reads "
            f"{seen!r}. Open it in an editor, in the encoding that looks right there, and save it as UTF-8"
        ) from error
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def decoded(content: bytes) -> Iterator[str]:
    """UTF-8 as strings of some length, one after the other."""
    return codecs.iterdecode((content[at : at + PIECE] for at in range(0, len(content), PIECE)), "utf-8")
