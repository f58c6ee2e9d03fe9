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
        ValueError: the question is empty, the file is no text, makes no table or does not run, or there is no adapter.
        AdapterError: the adapter is not for this model.
    """
    from workshop_utils.sql import form
    from workshop_utils.tuning import lora

    if not question.strip():
        raise ValueError('the question is empty: ask something, such as "How many toys are there?"')
    where = short_path(schema)
    try:
        script = schema.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        cure = "of a database, write the statements into a file first, sqlite3 shop.db .dump > shop.sql"
        raise ValueError(f"{where} is no text in UTF-8: {cure}") from error
    if not form.tables(script):
        raise ValueError(f"{where} makes no table: write CREATE TABLE statements, and INSERTs for rows")
    with Sandbox() as sandbox:
        if problem := sandbox.run(script, "select 1").error:
            raise ValueError(f"{where} cannot be used, {problem}: correct its statements, in SQLite's dialect")
    if not (adapter / lora.BELONGS).is_file():
        cure = "run lesson 08, which tunes one, or name its folder with --adapter"
        raise ValueError(f"{short_path(adapter)} holds no adapter: {cure}")
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
