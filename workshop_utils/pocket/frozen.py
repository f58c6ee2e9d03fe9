"""What the generators of tools/pocket_world wrote once, for lessons to read: JSON Lines in texts/, one file per kind.

tools/freeze_pocket.py writes them, always the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

TEXTS = Path(__file__).parent / "texts"
T = TypeVar("T")


@cache
def rows(name: str) -> tuple[Any, ...]:
    """All rows of one file, in its order.

    Args:
        name: of the file, without ".jsonl".
    """
    text = (TEXTS / f"{name}.jsonl").read_text(encoding="utf-8")
    return tuple(json.loads(line) for line in text.rstrip("\n").split("\n"))


def first(n: int, kept: Sequence[T], what: str) -> list[T]:
    """The first n of what is kept.

    Args:
        n: how many.
        kept: all that there are.
        what: they are, for the message: "ordinary chats".

    Raises:
        ValueError: there are not so many, or n is negative.
    """
    if not 0 <= n <= len(kept):
        raise ValueError(f"n is {n}, and the package keeps {len(kept)} {what}: ask for 0 to {len(kept)}")
    return list(kept[:n])
