"""Compare a learner's result with the expected one, say in a sentence where they differ, and give it the same form.

Used by checks.py. Equal values are the same in any sensible container: a list, a tuple, a NumPy array, a torch tensor.
Imports neither NumPy nor torch before a value of theirs comes along.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any


def same(got: Any, expected: Any, where: str = "your result") -> str | None:
    """Compare two results: their kind and shape first, then their values. Containers and widths do not matter.

    Numbers may differ by 1e-5 of their value or by 1e-8, those of tensors by 1e-4 or by 1e-5.

    Args:
        got: the learner's result.
        expected: the reference's result, which decides how they are compared.
        where: how to call the learner's result in the sentence.

    Returns:
        None if they are the same, else a sentence that says where they differ.
    """
    if _is_array(expected):
        return _same_array(got, expected, where)
    if isinstance(expected, bool | str | bytes) or expected is None:
        return _same_plain(got, expected, where)
    if isinstance(expected, numbers.Number):
        return _same_number(got, expected, where)
    if isinstance(expected, Mapping):
        return _same_mapping(got, expected, where)
    if isinstance(expected, list | tuple):
        return _same_sequence(got, expected, where)
    if got == expected:
        return None
    return f"{where} is {short(got)}, it should be {short(expected)}."


def short(value: Any, width: int = 60) -> str:
    """Describe a value in a few words: small ones by their digits, tensors by their shape."""
    if _is_array(value):
        sparse = getattr(value, "is_sparse", False)
        kind = "an array" if type(value).__module__ == "numpy" else "a sparse tensor" if sparse else "a tensor"
        dtype = str(value.dtype).removeprefix("torch.")
        if math.prod(value.shape) > 8 or sparse:
            return f"{kind} of shape {tuple(value.shape)} and type {dtype}"
        return f"{kind} of type {dtype} with the values {_cut(_digits(value.tolist()), width)}"
    if isinstance(value, Exception):
        return f"an error ({type(value).__name__}: {value})"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value):
        return f"the function {value.__name__}" if hasattr(value, "__name__") else _a(value)
    if isinstance(value, list | tuple) and any(_is_array(item) for item in value):
        return f"{_a(value)} of {len(value)}: {', '.join(short(item) for item in value[:3])}"
    try:
        text = _digits(value)
    except Exception:  # a list that contains itself, or an object whose __repr__ fails
        return _a(value)
    if text.startswith("<") and " at 0x" in text:  # an object without a text of its own: its address helps nobody
        return _a(value)
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
    """Turn a tensor, an array, a number or a nested list of them into a NumPy array, floats as float64."""
    import numpy as np

    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double().numpy() if value.dtype.is_floating_point else value.numpy()
    elif isinstance(value, list | tuple) and value:
        value = np.stack([_numpy(item) for item in value])
    array = np.asarray(value)
    return array.astype(np.float64) if _kind_of_dtype(array.dtype) == "float" else array


def _same_array(got: Any, expected: Any, where: str) -> str | None:
    """Compare tensors: shape, then kind, then values. Nested lists and numbers pass for tensors."""
    import numpy as np

    wanted = f"it should be a tensor of shape {tuple(expected.shape)}."
    if not (_is_array(got) or isinstance(got, list | tuple | numbers.Number)):
        return f"{where} is {short(got)}, {wanted}"
    try:
        mine, theirs = _numpy(got), _numpy(expected)
    except (TypeError, ValueError):  # rows of different lengths
        return f"{where} is {short(got)}, {wanted}"
    if mine.shape != theirs.shape:
        return f"{where} has shape {mine.shape}, it should be {theirs.shape}."
    kinds = {_kind_of_dtype(mine.dtype), _kind_of_dtype(theirs.dtype)}
    if len(kinds) > 1 and kinds != {"int", "float"}:
        return f"{where} is of type {mine.dtype}, it should be {theirs.dtype}."
    if _kind_of_dtype(theirs.dtype) != "float":
        close = mine == theirs
    else:
        if np.isnan(mine).any() and not np.isnan(theirs).any():
            n = int(np.isnan(mine).sum())
            return f"{where} holds {n} value{'s that are' if n > 1 else ' that is'} not a number (nan)."
        close = np.isclose(mine, theirs, rtol=1e-4, atol=1e-5, equal_nan=True)
    if close.all():
        return None
    if mine.ndim == 0:
        left, right = _apart(mine.item(), theirs.item())
        return f"{where} is {left}, it should be {right}."
    place = tuple(int(i) for i in np.argwhere(~close)[0])
    left, right = _apart(mine[place].item(), theirs[place].item())
    return (
        f"{int((~close).sum())} of the {close.size} values of {where} differ. "
        f"The first is at [{', '.join(map(str, place))}]: {left}, it should be {right}."
    )


def _apart(got: Any, expected: Any) -> tuple[str, str]:
    """Write two numbers with as many digits as they need to be told apart."""
    if not (isinstance(got, float) or isinstance(expected, float)):
        return str(got), str(expected)
    written = ((f"{got:.{digits}g}", f"{expected:.{digits}g}") for digits in (6, 9, 12, 17))
    return next((pair for pair in written if pair[0] != pair[1]), (repr(got), repr(expected)))


def _same_plain(got: Any, expected: Any, where: str) -> str | None:
    """Compare text, bytes, truth values and None, where the type counts too."""
    if _is_array(got) and got.ndim == 0 and _kind_of_dtype(got.dtype) == "bool":
        got = bool(got)
    if isinstance(expected, bool) and isinstance(got, int) and got in (0, 1):
        got = bool(got)
    if not isinstance(got, type(expected)):
        return f"{where} is {_typed(got)}, it should be {_typed(expected)}."
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


def _same_number(got: Any, expected: Any, where: str) -> str | None:
    """Compare two numbers. A tensor with a single value passes for a number, and 2.0 for 2."""
    if _is_array(got):
        if math.prod(got.shape) != 1 or got.ndim:
            return f"{where} is {short(got)}, it should be one number, about {_digits(expected)}."
        got = got.item()
    if isinstance(got, bool) or not isinstance(got, numbers.Number):
        return f"{where} is {_typed(got)}, it should be the number {_digits(expected)}."
    if isinstance(expected, numbers.Integral) and got != expected:
        whole = isinstance(got, numbers.Integral)
        return f"{where} is {_apart(got, expected)[0]}, it should be {'' if whole else 'the whole number '}{expected}."
    if isinstance(got, complex) and not isinstance(expected, complex):
        if got.imag:
            return f"{where} is {got}, it should be {_digits(expected)}."
        got = got.real
    if math.isclose(got, expected, rel_tol=1e-5, abs_tol=1e-8) or (math.isnan(got) and math.isnan(expected)):
        return None
    left, right = _apart(float(got), float(expected))
    return f"{where} is {left}, it should be {right}."


def _same_sequence(got: Any, expected: Any, where: str) -> str | None:
    """Compare lists item by item. Tuples, ranges, arrays and tensors pass for a list."""
    if not (isinstance(got, list | tuple | range) or (_is_array(got) and got.ndim)):
        return f"{where} is {_typed(got)}, it should be {_a(expected)} of {len(expected)} items."
    if _is_array(got) and len(got) != len(expected) and any(map(_is_array, expected)):
        return f"{where} is {short(got)}: return {len(expected)} things, as {_a(expected)}."
    for i, (mine, theirs) in enumerate(zip(got, expected, strict=False)):
        problem = same(mine, theirs, f"item {i} of {where}")
        if problem:
            return problem
    if len(got) != len(expected):
        return f"{where} has {len(got)} item{'s' * (len(got) != 1)}, it should have {len(expected)}."
    return None


def _same_mapping(got: Any, expected: Any, where: str) -> str | None:
    """Compare dictionaries: the keys first, then what stands under them."""
    if not isinstance(got, Mapping):
        return f"{where} is {_typed(got)}, it should be a dictionary with {len(expected)} keys."
    missing = [key for key in expected if key not in got]
    if missing:
        return f"{where} lacks the key {short(missing[0])}."
    extra = [key for key in got if key not in expected]
    if extra:
        return f"{where} has the key {short(extra[0])}, which should not be there."
    for key in expected:
        problem = same(got[key], expected[key], f"what {where} has under {short(key)}")
        if problem:
            return problem
    return None


def _a(value: Any) -> str:
    """Name the type of a value with its article."""
    return _article(type(value).__name__)


def _typed(value: Any) -> str:
    """Describe a value together with its type, unless the description says it."""
    text = short(value)
    return text if value is None or text.startswith(("a ", "an ", "the ")) else f"{text} ({_a(value)})"


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


# --- the same form


def in_form(value: Any, example: Any) -> Any:
    """Give a result the form of another: its container and its types, not its values.

    Args:
        value: a result, as in [1.0, 2.0].
        example: a result of the form that is wanted, as in a float32 tensor, of any length.

    Returns:
        The value itself if it has this form, else a converted one. Gradients flow through what is converted.

    Raises:
        TypeError: the value cannot have this form.
        ValueError: it would not be the same value any more, as 0.5 as an int.
    """
    if _is_array(example):
        return _array_in_form(value, example)
    if example is None and value is not None:
        raise TypeError(f"{short(value)} is not None")
    if isinstance(example, bool | str | bytes | numbers.Number):
        return _scalar_in_form(value, type(example))
    if isinstance(example, Mapping) and isinstance(value, Mapping):
        some = next(iter(example.values()), None)
        by_key = {key: in_form(item, example.get(key, some)) for key, item in value.items()}
        return value if all(by_key[key] is value[key] for key in value) else by_key
    if isinstance(example, list | tuple) and not isinstance(value, str | bytes | Mapping):
        items = list(value)
        examples = example if len(example) == len(items) else [*example[:1]] * len(items) or items
        made = list(map(in_form, items, examples))
        kept = isinstance(value, type(example)) and all(new is old for new, old in zip(made, items, strict=True))
        return value if kept else type(example)(made)
    if isinstance(value, type(example)):
        return value
    raise TypeError(f"{short(value)} cannot become {_a(example)}")


def converted(value: Any, example: Any) -> str | None:
    """Say in words what in_form() changes in a value, as in "a list to a float32 tensor"; None if nothing."""
    if in_form(value, example) is value:
        return None
    if isinstance(value, Mapping) and isinstance(example, Mapping):
        pairs = [(value[key], example[key]) for key in value if key in example]
    elif isinstance(value, list | tuple) and isinstance(example, type(value)):
        pairs = list(zip(value, example, strict=False))
    else:
        return f"{_form(value)} to {_form(example)}"
    return next((words for pair in pairs if (words := converted(*pair))), f"{_form(value)} to {_form(example)}")


def unchanged(left: Any, right: Any) -> bool:
    """Tell whether two draws of the same arguments are still equal, to the last bit. Modules are not looked into."""
    if type(left) is not type(right):
        return False
    if _is_array(left):
        import numpy as np

        return bool(np.array_equal(_numpy(left), _numpy(right), equal_nan=_kind_of_dtype(left.dtype) == "float"))
    if isinstance(left, Mapping):
        return list(left) == list(right) and all(unchanged(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(unchanged, left, right))
    return not isinstance(left, str | bytes | numbers.Number) or left == right or left != left  # nan is no change


def copied(value: Any) -> Any:
    """Copy tensors, arrays, lists and dictionaries, so that nobody who changes them changes the caller's."""
    if _is_array(value):
        return value.clone() if hasattr(value, "clone") else value.copy()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return type(value)(map(copied, value)) if type(value) in (list, tuple) else value


def _form(value: Any) -> str:
    if type(value).__module__ == "numpy" and type(value).__name__.startswith("bool"):
        return "a numpy bool"  # else "from a bool to a bool"
    if not _is_array(value) or not hasattr(value, "__setitem__"):  # a NumPy scalar is called by its type
        return _a(value)
    kind = "array" if type(value).__module__ == "numpy" else "tensor"
    return f"{_article(str(value.dtype).removeprefix('torch.'))} {kind}"


def _scalar_in_form(value: Any, kind: type) -> Any:
    if isinstance(value, kind) or (kind is float and isinstance(value, int)):
        return value
    if _is_array(value):
        value = value.item()
    if isinstance(value, complex) and not value.imag:
        value = value.real
    made = kind(value)
    # A fraction or a long double is rounded to a float, and no more than that.
    kept = made == value or made != made or (kind is float and math.isclose(made, value, rel_tol=1e-15))
    if not kept:
        raise ValueError(f"{short(value)} is not {_article(kind.__name__)}")
    return made


def _array_in_form(value: Any, example: Any) -> Any:
    if type(value) is type(example) and value.dtype == example.dtype:
        return value
    if not hasattr(example, "detach"):
        made = _numpy(value).astype(example.dtype)
        lost = _kind_of_dtype(example.dtype) == "int" and bool((made != _numpy(value)).any())
    else:
        import torch

        if isinstance(value, list | tuple) and any(_is_array(item) for item in value):
            value = torch.stack([_array_in_form(item, example) for item in value])
        old = value if torch.is_tensor(value) else torch.as_tensor(_numpy(value).copy())  # any strides and widths
        made = old.to(example.dtype)
        lost = not made.is_floating_point() and bool((made != old).any())
    if lost:
        raise ValueError(f"{short(value)} does not fit into {example.dtype}")
    return made
