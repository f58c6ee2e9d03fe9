"""Pieces of the sentences that refuse something: an error in one line, what is behind it, what differs from before."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

# Variables whose values nobody may read in an output, and the places of keys in an address.
SECRET = re.compile(r"(TOKEN|KEY|SECRET|PASSWORD|PASSWD|CREDENTIALS)$")
IN_ADDRESSES = (
    (re.compile(r"(\w://)[^\s/'\"]+@"), r"\1***@"),  # up to the last @: a password may hold others
    (
        re.compile(r"([?&][\w.-]*(?:token|key|secret|passw|sig|credential)[\w.-]*=)[^\s&'\"]+", re.IGNORECASE),
        r"\1***",
    ),
    (re.compile(r"\b(hf_|sk-|gh[a-z]_|github_pat_)[\w-]{20,}"), r"\1***"),
    (re.compile(r"\b(AKIA)[A-Z0-9]{16}"), r"\1***"),
)


def without_secrets(text: str) -> str:
    """A text without passwords in addresses, without tokens, and without the values of variables that hold such."""
    for name, value in os.environ.items():
        if len(value) >= 8 and SECRET.search(name.upper()):
            text = text.replace(value, "***")
    for pattern, instead in IN_ADDRESSES:
        text = pattern.sub(instead, text)
    return text


def one_line(error: BaseException) -> str:
    """An error's kind and the first line of what it says."""
    said = str(error).splitlines()[0] if str(error) else "no reason given"
    return without_secrets(f"{type(error).__name__}: {said}")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, then its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def shown_cause(error: BaseException) -> BaseException | None:
    """An error for `raise ... from`; None where a traceback with it would show a secret."""
    return error if all(without_secrets(str(part)) == str(part) for part in causes(error)) else None


def http_status(error: BaseException) -> int | None:
    """The status code of the answer that an error of httpx, huggingface_hub or aiohttp is about; None without one."""
    for part in causes(error):
        status = getattr(getattr(part, "response", None), "status_code", getattr(part, "status", None))
        if isinstance(status, int):
            return status
    return None


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between the settings of an earlier run (then) and of today (now), as ["steps: 20 then, 21 now"].

    A name that is missing on one side is None there.
    """
    names = [*now, *(name for name in then if name not in now)]
    return [f"{name}: {then.get(name)} then, {now.get(name)} now" for name in names if then.get(name) != now.get(name)]
