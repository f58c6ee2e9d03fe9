"""Pieces of the sentences that refuse something: an error in one line, and what differs between then and now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def one_line(error: Exception) -> str:
    """An error's kind and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the settings of an earlier run and those of today, as "steps: 20 then, 21 now".

    Args:
        then: as they were written down.
        now: as they are.

    Returns:
        one text for each name with another value, in the order of `now`; a name that is missing on one side is None.
    """
    names = [*now, *(name for name in then if name not in now)]
    return [f"{name}: {then.get(name)} then, {now.get(name)} now" for name in names if then.get(name) != now.get(name)]
