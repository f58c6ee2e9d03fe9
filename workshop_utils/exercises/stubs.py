"""Tell an untouched or unfinished exercise from a wrong one, and find the learner's line in a traceback.

Used by checks.py. A stub is a function whose body is still `...`; a blank is a `...` left inside a body.
"""

from __future__ import annotations

import ast
import dis
import inspect
import linecache
import textwrap
import traceback
from types import FunctionType
from typing import Any

_EMPTY_BODY = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "COPY_FREE_VARS"}


def is_blank(value: Any) -> bool:
    """Tell whether a value is nothing yet: None, `...` or NotImplemented."""
    return value is None or value is Ellipsis or value is NotImplemented


def is_stub(answer: Any) -> bool:
    """Tell whether nothing was written yet: blanks only, or a function whose body is `...`."""
    if isinstance(answer, list | tuple | dict) and answer:
        return all(is_blank(item) for item in (answer.values() if isinstance(answer, dict) else answer))
    return is_blank(answer) or (isinstance(answer, FunctionType) and _does_nothing(answer))


def is_unfinished(answer: Any, got: Any) -> bool:
    """Tell whether a first result shows that the stub was not filled in.

    Args:
        answer: the learner's function.
        got: what it returned on the first input, or the exception that it raised.

    Returns:
        True if a blank of the stub is still there; False if the learner wrote something, right or wrong. Nothing
        returned by code without a blank is a forgotten `return`, thus False.
    """
    if isinstance(got, NotImplementedError):
        return True
    if isinstance(got, TypeError | AttributeError) and ("'ellipsis'" in str(got) or "not ellipsis" in str(got)):
        return True
    if not isinstance(got, BaseException) and not is_blank(got):
        return False
    statement, value = _blanks(answer) if isinstance(answer, FunctionType) else (True, False)
    return value or (statement and not isinstance(got, BaseException))


def lines_of_error(answer: Any, error: BaseException) -> str:
    """Say which error the learner's code raised, and where in it.

    Args:
        answer: the learner's function.
        error: what it raised.

    Returns:
        A sentence with the error, and the learner's line if the error came from inside the code.
    """
    try:
        message = " ".join(str(error).split())
    except Exception:  # an error of the learner's own, whose __str__ fails
        message = ""
    said = f"{type(error).__name__}: {message[:200]}" if message else type(error).__name__
    file = answer.__code__.co_filename if isinstance(answer, FunctionType) else None
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if not frames:
        if isinstance(error, TypeError) and "() " in message and "argument" in message:
            return f"it cannot be called ({said}). Keep the arguments of the stub, their names and their order."
        return f"it raised {said}."
    line = linecache.getline(frames[-1].filename, frames[-1].lineno or 0)
    line = textwrap.shorten(line, 80, placeholder=" ...")
    return f"it raised {said}, in line {frames[-1].lineno}" + (f": `{line}`." if line else ".")


def _does_nothing(function: FunctionType) -> bool:
    """Tell whether a function's body is empty: `...`, `pass`, `return None`, or a docstring alone."""
    if _is_lambda(function) and ... not in function.__code__.co_consts:  # `lambda x: None` was written, not left out
        return False
    for step in dis.get_instructions(function):
        if step.opname not in _EMPTY_BODY:
            return False
        if step.opname in ("LOAD_CONST", "RETURN_CONST") and not is_blank(step.argval):
            return False
    return True


def _is_lambda(function: FunctionType) -> bool:
    return function.__name__ == "<lambda>"


def _blanks(function: FunctionType) -> tuple[bool, bool]:
    """Look for `...` in a function's source: as a statement, and as a value that is still to be filled in."""
    if _is_lambda(function):  # no stub is one, and its source is that of the whole statement around it
        return False, False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # no source at hand: assume that a blank is left, but no value
        return True, False
    index = {id(node) for part in ast.walk(tree) if isinstance(part, ast.Subscript) for node in ast.walk(part.slice)}
    statement = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    blanks = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value is Ellipsis]
    return (
        any(id(node) in statement for node in blanks),
        any(id(node) not in statement and id(node) not in index for node in blanks),
    )
