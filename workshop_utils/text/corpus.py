"""The corpus: where documents come from, and which of them are held out for validation.

prepare(profile) goes the whole way for the lessons: documents -> split_of -> token files.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tiktoken

from workshop_utils.machine.files import PARTIAL, write_text_atomically
from workshop_utils.machine.hardware import home
from workshop_utils.machine.hub_rows import CURE as CURE
from workshop_utils.machine.hub_rows import hub_rows
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
VAL_PERCENT = 2


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
