"""The rows of a data set of the hub: streamed, or read from the copy in WORKSHOP_HUB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workshop_utils.machine.sentences import one_line

CURE = "take the pocket profile, WORKSHOP_PROFILE=pocket, which needs no network, or point WORKSHOP_HUB at a local copy"


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
        ConnectionError, FileNotFoundError, ValueError: the hub cannot be reached; WORKSHOP_HUB is set and holds no
            copy; the copy is damaged.
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
