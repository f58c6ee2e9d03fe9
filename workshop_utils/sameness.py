"""Compare a learner's result with the expected one, and say in a sentence where they part.

Used by checks.py. Knows numbers, text, lists, dictionaries, sets, NumPy arrays and torch tensors; imports none of them.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any


def same(
    got: Any, expected: Any, where: str = "your result", rtol: float | None = None, atol: float | None = None
) -> str | None:
    """Compare two results: their kind and shape first, then their values.

    Args:
        got: the learner's result.
        expected: the reference's result, which decides how they are compared.
        where: how to call the learner's result in the sentence.
        rtol: relative tolerance; 1e-5 for numbers and 1e-4 for tensors unless told.
        atol: absolute tolerance; 1e-8 for numbers and 1e-5 for tensors unless told.

    Returns:
        None if they are the same, else a sentence that says where they part.
    """
    if _is_array(expected):
        return _same_array(got, expected, where, 1e-4 if rtol is None else rtol, 1e-5 if atol is None else atol)
    if isinstance(expected, bool | str | bytes) or expected is None:
        return _same_plain(got, expected, where)
    if isinstance(expected, numbers.Number):
        return _same_number(got, expected, where, 1e-5 if rtol is None else rtol, 1e-8 if atol is None else atol)
    if isinstance(expected, Mapping):
        return _same_mapping(got, expected, where, rtol, atol)
    if isinstance(expected, list | tuple):
        return _same_sequence(got, expected, where, rtol, atol)
    if got == expected:
        return None
    return f"{where} is {short(got)}, it should be {short(expected)}."


def short(value: Any, width: int = 60) -> str:
    """Describe a value in a few words: small ones by their digits, tensors by their shape."""
    if _is_array(value):
        kind = "array" if type(value).__module__ == "numpy" else "tensor"
        dtype = str(value.dtype).removeprefix("torch.")
        if math.prod(value.shape) > 8:
            return f"a {kind} of shape {tuple(value.shape)} and type {dtype}"
        return f"a {kind} of type {dtype} with the values {_cut(_digits(value.tolist()), width)}"
    if isinstance(value, Exception):
        return f"an error ({type(value).__name__}: {value})"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value):
        return f"the function {value.__name__}" if hasattr(value, "__name__") else f"a {type(value).__name__}"
    if isinstance(value, list | tuple) and any(_is_array(item) for item in value):
        return f"a {type(value).__name__} of {len(value)}: {', '.join(short(item) for item in value[:3])}"
    text = _digits(value)
    if text.startswith("<") and " at 0x" in text:  # an object without a text of its own: its address helps nobody
        return f"a {type(value).__name__}"
    return _cut(text, width)


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def _digits(value: Any) -> str:
    """Write numbers with few digits, also inside lists."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(_digits(item) for item in value) + "]"
    return repr(value)


def _is_array(value: Any) -> bool:
    """Tell whether a value is a tensor or an array, without importing torch or NumPy."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and hasattr(value, "tolist") and hasattr(value, "ndim")


def _kind_of_dtype(dtype: Any) -> str:
    name = str(dtype)
    return "bool" if "bool" in name else "float" if "float" in name else "int" if "int" in name else name


def _numpy(value: Any) -> Any:
    """Turn a tensor or an array into a NumPy array, floats as float64."""
    import numpy as np

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double().numpy() if value.dtype.is_floating_point else value.numpy()
    return np.asarray(value, dtype=np.float64) if _kind_of_dtype(value.dtype) == "float" else np.asarray(value)


def _same_array(got: Any, expected: Any, where: str, rtol: float, atol: float) -> str | None:
    """Compare tensors: shape, then type, then values."""
    import numpy as np

    if not _is_array(got):
        return f"{where} is {short(got)}, it should be a tensor of shape {tuple(expected.shape)}."
    if tuple(got.shape) != tuple(expected.shape):
        return f"{where} has shape {tuple(got.shape)}, it should be {tuple(expected.shape)}."
    if _kind_of_dtype(got.dtype) != _kind_of_dtype(expected.dtype):
        return f"{where} is of type {got.dtype}, it should be {expected.dtype}."
    mine, theirs = _numpy(got), _numpy(expected)
    if _kind_of_dtype(expected.dtype) != "float":
        close = mine == theirs
    else:
        if np.isnan(mine).any() and not np.isnan(theirs).any():
            return f"{where} holds {int(np.isnan(mine).sum())} values that are not a number (nan)."
        close = np.isclose(mine, theirs, rtol=rtol, atol=atol, equal_nan=True)
    if close.all():
        return None
    if mine.ndim == 0:
        return f"{where} is {mine.item():.6g}, it should be {theirs.item():.6g}."
    place = tuple(int(i) for i in np.argwhere(~close)[0])
    index = ", ".join(map(str, place))
    return (
        f"{int((~close).sum())} of the {close.size} values of {where} differ. "
        f"The first is at [{index}]: {mine[place].item():.6g}, it should be {theirs[place].item():.6g}."
    )


def _same_plain(got: Any, expected: Any, where: str) -> str | None:
    """Compare text, bytes, truth values and None, where the type counts too."""
    if type(got).__name__ in ("bool_", "bool") and isinstance(expected, bool):
        got = bool(got)
    if type(got) is not type(expected):
        return f"{where} is {short(got)} ({_a(got)}), it should be {short(expected)} ({_a(expected)})."
    if got == expected:
        return None
    if isinstance(expected, str | bytes) and len(expected) > 12:
        equal = (mine == theirs for mine, theirs in zip(got, expected, strict=False))
        at = next((i for i, e in enumerate(equal) if not e), min(len(got), len(expected)))
        return (
            f"{where} differs from character {at} on: "
            f"{got[at : at + 20]!r}, it should go on with {expected[at : at + 20]!r}."
        )
    return f"{where} is {short(got)}, it should be {short(expected)}."


def _same_number(got: Any, expected: Any, where: str, rtol: float, atol: float) -> str | None:
    """Compare two numbers. A tensor with a single value passes for a number."""
    if _is_array(got):
        if math.prod(got.shape) != 1 or got.ndim:
            return f"{where} is {short(got)}, it should be one number, about {_digits(expected)}."
        got = got.item()
    if isinstance(got, bool) or not isinstance(got, numbers.Number):
        return f"{where} is {short(got)} ({_a(got)}), it should be the number {_digits(expected)}."
    if isinstance(expected, numbers.Integral):
        if isinstance(got, numbers.Integral):
            return None if got == expected else f"{where} is {got}, it should be {expected}."
        return f"{where} is {short(got)} ({_a(got)}), it should be the whole number {expected} (an int)."
    if isinstance(got, complex) or isinstance(expected, complex):
        return None if got == expected else f"{where} is {got}, it should be {expected}."
    if math.isclose(got, expected, rel_tol=rtol, abs_tol=atol) or (math.isnan(got) and math.isnan(expected)):  # type: ignore[arg-type]
        return None
    return f"{where} is {_digits(float(got))}, it should be {_digits(float(expected))}."  # type: ignore[arg-type]


def _same_sequence(got: Any, expected: Any, where: str, rtol: float | None, atol: float | None) -> str | None:
    """Compare lists item by item. A tuple passes for a list."""
    if not isinstance(got, list | tuple):
        return f"{where} is {short(got)} ({_a(got)}), it should be {_a(expected)} of {len(expected)} items."
    for i, (mine, theirs) in enumerate(zip(got, expected, strict=False)):
        problem = same(mine, theirs, f"item {i} of {where}", rtol, atol)
        if problem:
            return problem
    if len(got) != len(expected):
        return f"{where} has {len(got)} items, it should have {len(expected)}."
    return None


def _same_mapping(got: Any, expected: Any, where: str, rtol: float | None, atol: float | None) -> str | None:
    """Compare dictionaries: the keys first, then what stands under them."""
    if not isinstance(got, Mapping):
        return f"{where} is {short(got)} ({_a(got)}), it should be a dictionary with {len(expected)} keys."
    missing = [key for key in expected if key not in got]
    if missing:
        return f"{where} lacks the key {short(missing[0])}."
    extra = [key for key in got if key not in expected]
    if extra:
        return f"{where} has the key {short(extra[0])}, which should not be there."
    for key in expected:
        problem = same(got[key], expected[key], f"what {where} has under {short(key)}", rtol, atol)
        if problem:
            return problem
    return None


def _a(value: Any) -> str:
    """Name the type of a value with its article."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
