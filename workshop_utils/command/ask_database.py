"""`workshop sql`: a question in plain words -> the tuned model's query -> the rows, read-only."""

from __future__ import annotations

from pathlib import Path

from workshop_utils.machine.hardware import short_path
from workshop_utils.machine.profiles import Profile
from workshop_utils.sql import Example, Result, Sandbox, answers

SHOWN = 20  # rows of a result at most


def ask(question: str, schema: Path, adapter: Path, profile: Profile) -> tuple[str, Result]:
    """The query that the tuned model writes, and what it gives.

    Args:
        question: in plain words.
        schema: a file of CREATE TABLE and INSERT statements, such as `sqlite3 shop.db .dump` prints.
        adapter: folder that the tuning of lesson 08 left.
        profile: says where to compute.

    Raises:
        ValueError: the file makes no table.
        AdapterError: there is no adapter for this model.
    """
    from workshop_utils.sql import form
    from workshop_utils.tuning import lora

    script = schema.read_text(encoding="utf-8")
    if not form.tables(script):
        raise ValueError(f"{short_path(schema)} makes no table: write CREATE TABLE statements, and INSERTs for rows")
    model = lora.load(lora.load_base(profile.models[1], profile), adapter)
    example = Example(question, "", form.statements(script), (script,))
    (query,) = answers(model, [example], compact=profile.name == "pocket")
    with Sandbox() as sandbox:
        return query, sandbox.run(script, query)


def as_table(result: Result) -> str:
    """The rows of a result under the names of their columns, or why there are none."""
    if result.error:
        return f"The query does not run: {result.error}"
    rows = [list(result.columns), *(["NULL" if v is None else str(v) for v in row] for row in result.rows[:SHOWN])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    n = len(result.rows)
    return "\n".join([*lines, f"({n} row{'s' * (n != 1)}{f', {SHOWN} shown' if n > SHOWN else ''})"])
