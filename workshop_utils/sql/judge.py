"""Whether a query is right, judged by running it: results are compared, and not letters.

Gold query and the model's -> results in each filling of the schema -> valid, same result, same letters.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from workshop_utils.sql.form import STRING
from workshop_utils.sql.sandbox import Result, Sandbox, Value

TOLERANCE = 1e-6  # relative difference up to which two floats are equal, as averages of one column may be


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one query.

    Attributes:
        valid: it runs.
        right: it gives the gold query's result, in every filling of the schema.
        exact: it has the gold query's letters, but for blanks and capitals outside strings.
        error: why it does not run.
    """

    valid: bool
    right: bool
    exact: bool
    error: str = ""


def judge(sandbox: Sandbox, databases: Sequence[str], gold: str, said: str) -> Verdict:
    """Compare a query with the gold one by what they give.

    Args:
        sandbox: where both run.
        databases: scripts that make and fill one schema, with different rows: in a single filling, a wrong query can
            give the right result by chance.
        gold: the query that is right.
        said: the query to judge, from form.standard.

    Raises:
        ValueError: the gold query does not run, so nothing can be said.
    """
    valid, right, error = True, True, ""
    for database in databases:
        expected, found = sandbox.run(database, gold), sandbox.run(database, said)
        if expected.error:
            raise ValueError(f"the gold query fails ({expected.error}): {gold}")
        valid, error = valid and not found.error, error or found.error
        right = right and same(expected, found, is_ordered(gold))
    return Verdict(valid, right, plain(gold) == plain(said), error)


def same(expected: Result, found: Result, ordered: bool = False) -> bool:
    """Say whether two results are equal: the same rows, as often, with as many columns; their names do not count.

    Floats are equal within TOLERANCE, 2 and 2.0 too; a number and its digits as text differ, and so do NULL and 0.

    Args:
        expected: of the gold query.
        found: of the other one.
        ordered: whether the order of the rows counts.
    """
    if expected.error or found.error or len(expected.columns) != len(found.columns):
        return False
    if len(expected.rows) != len(found.rows):
        return False
    if ordered:
        return all(map(_same_row, expected.rows, found.rows))
    # What has no exact partner is tried against all that is left: floats may differ a little.
    wanted, left = Counter(map(_typed, expected.rows)), Counter(map(_typed, found.rows))
    missing, others = list((wanted - left).elements()), list((left - wanted).elements())
    for row in missing:
        partner = next((one for one in others if _same_row(_values(row), _values(one))), None)
        if partner is None:
            return False
        others.remove(partner)
    return True


def _typed(row: tuple[Value, ...]) -> tuple[tuple[str, Value], ...]:
    return tuple((type(value).__name__, value) for value in row)  # Counter alone would take 1 for 1.0


def _values(row: tuple[tuple[str, Value], ...]) -> tuple[Value, ...]:
    return tuple(value for _, value in row)


def _same_row(one: tuple[Value, ...], other: tuple[Value, ...]) -> bool:
    return all(map(_same_value, one, other))


def _same_value(one: Value, other: Value) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float) and float in (type(one), type(other)):
        return one == other or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=1e-9)
    return type(one) is type(other) and one == other


def is_ordered(query: str) -> bool:
    """Say whether a query orders its rows: ORDER BY outside of brackets and strings."""
    text = re.sub(rf"{STRING}|--[^\n]*|/\*.*?\*/", " ", query, flags=re.DOTALL)
    while (flat := re.sub(r"\([^()]*\)", " ", text)) != text:
        text = flat
    return re.search(r"\border\s+by\b", text, re.IGNORECASE) is not None


def plain(query: str) -> str:
    """A query for comparing letters: small letters and single blanks outside strings, none beside a sign."""
    parts = re.split(f"({STRING})", query.strip().rstrip("; \n"))
    parts[::2] = [re.sub(r"\s*([(),.<>=*])\s*", r"\1", " ".join(part.lower().split())) for part in parts[::2]]
    return "".join(parts).strip()
