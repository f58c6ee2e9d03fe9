"""The shops' databases of lesson 08, from texts/shops.txt; the package keeps them as shops.jsonl."""

from __future__ import annotations

from dataclasses import asdict

from pocket_world.reading import read, sections
from workshop_utils.pocket.shops import Database, Table

MARK = "held out: "


def databases() -> list[Database]:
    """All of them, in the order of the file."""
    _, _, text = read("shops").partition("\n\n")
    return [_database(name, lines) for name, lines in sections(text).items() if name]


def _database(name: str, lines: tuple[str, ...]) -> Database:
    first, second = map(_table, lines)
    return Database(name.removeprefix(MARK), (first, second), name.startswith(MARK))


def _table(line: str) -> Table:
    """Read "toys: name = bear, kite; price; -> makers"."""
    name, _, rest = line.partition(": ")
    columns: dict[str, tuple[str, ...]] = {}
    refers = ""
    for part in rest.split("; "):
        column, _, words = part.partition(" = ")
        if column.startswith("-> "):
            refers = column[3:]
        else:
            columns[column] = tuple(words.split(", ")) if words else ()
    return Table(name, columns, refers)


def rows() -> list[dict[str, object]]:
    """The rows of shops.jsonl."""
    return [asdict(database) for database in databases()]
