"""How an exercise recognises a mistake by its result: wrong answers, each with the sentence for whoever gave it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workshop_utils.sameness import same

Arguments = tuple[Any, ...]
Mistakes = dict[str, tuple[Callable[..., Any], str]]


def known(mistakes: Mistakes) -> dict[str, Any]:
    """What an Exercise needs to tell mistakes by their results: the wrong answers, and a hint that looks for them.

    Args:
        mistakes: a wrong answer and the sentence for whoever made it, by a few words that name it.
    """

    def hint(args: Arguments, got: Any, expected: Any) -> str | None:
        return next((told for wrong, told in mistakes.values() if _as_wrong(wrong, args, got)), None)

    return {"wrong": {name: wrong for name, (wrong, _) in mistakes.items()}, "hint": hint}


def _as_wrong(wrong: Callable[..., Any], args: Arguments, got: Any) -> bool:
    """Whether a wrong answer gives the same, be it a result or an error."""
    try:
        made = wrong(*args)
    except Exception as error:  # an answer can be wrong in that it raises
        return type(got) is type(error)
    return same(got, made) is None
