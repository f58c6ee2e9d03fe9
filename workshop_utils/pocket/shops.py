"""Small shops' databases with questions to them and the SQL that answers each, for lesson 08.

Databases: 16 that tools/pocket_world/shops.py made from real words, kept as texts/shops.jsonl, and any number of
made-up ones, their names random words or mixtures of two. Questions: 17 kinds, in wordings of texts/sql_wordings.txt.
"""

from __future__ import annotations

import random
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

from workshop_utils.pocket import frozen
from workshop_utils.pocket.grammar import Dice, Wording, expand, parse

SHOW = (
    "Show|List|Give me|Tell me|Find|Print|I want|I need|I would like|Please show|Let me see|Write down|Can you show me"
)
HELD_OUT = ", held out"  # marks the wordings that are never trained on
# The gold query of each kind, in the order of the wordings' file.
QUERIES = {
    "select": "select {col} from {table}",
    "more": "select {col} from {table} where {num} > {n}",
    "less": "select {col} from {table} where {num} < {n}",
    "equal": "select {col} from {table} where {text} = '{value}'",
    "rising": "select {col} from {table} order by {num}",
    "falling": "select {col} from {table} order by {num} desc",
    "highest": "select {col} from {table} order by {num} desc limit {k}",
    "lowest": "select {col} from {table} order by {num} limit {k}",
    "count": "select count(*) from {table}",
    "count where": "select count(*) from {table} where {text} = '{value}'",
    "sum": "select sum({num}) from {table}",
    "average": "select avg({num}) from {table}",
    "group": "select {text}, count(*) from {table} group by {text}",
    "group average": "select {text}, avg({num}) from {table} group by {text}",
    "having": "select {text} from {table} group by {text} having count(*) > {k}",
    "join": "select a.{col} from {table} a join {other} b on a.{other}_id = b.id where b.{their} = '{value}'",
    "join list": "select a.{col}, b.{their} from {table} a join {other} b on a.{other}_id = b.id",
}
JOINS = ("join", "join list")
# Words of SQL, which name nothing here.
_WORDS = (
    "abort action add after all always analyze and any are as asc avg before begin between both but by cascade "
    "case cast check column commit conflict count create cross current date default delete desc distinct do drop "
    "each else end escape except exclude exists fail filter first following for foreign from full generated glob "
    "group having how if ignore in index inner insert instead intersect into is isnull join key last left like "
    "limit many match max min more natural no not nothing null nulls of offset on only or order others outer over "
    "partition plan primary query raise range references release rename replace restrict right row rows savepoint "
    "select set show sum table temp than the their then ties to total trigger union unique update using values "
    "view virtual what when where which whose window with without "
)
WORDS = frozenset(_WORDS.split())
NUMBERS = range(1, 100)
N_ROWS = (24, 10)  # of the first table and of the one it refers to


@dataclass(frozen=True)
class Table:
    """One table, which has a column `id` besides those listed.

    Attributes:
        name: in the plural.
        columns: for each column the words that it may hold; none where it holds whole numbers.
        refers: the table that its last column, <refers>_id, leads to; "" where it has none.
    """

    name: str
    columns: dict[str, tuple[str, ...]]
    refers: str = ""

    def create(self) -> str:
        """The CREATE TABLE statement."""
        parts = ["id INTEGER PRIMARY KEY", *(f"{c} {'TEXT' if w else 'INTEGER'}" for c, w in self.columns.items())]
        parts += [f"{self.refers}_id INTEGER REFERENCES {self.refers}(id)"] if self.refers else []
        return f"CREATE TABLE {self.name} ({', '.join(parts)});"


@dataclass(frozen=True)
class Database:
    """A shop's database: two tables, the first of which refers to the second."""

    name: str
    tables: tuple[Table, Table]
    held_out: bool = False

    @property
    def schema(self) -> str:
        """The CREATE TABLE statements."""
        return "\n".join(table.create() for table in self.tables)

    @property
    def names(self) -> set[str]:
        """Of its tables and columns."""
        return {name for table in self.tables for name in (table.name, *table.columns)}

    def filled(self, seed: int = 0) -> str:
        """The schema and rows, as a script for SQLite.

        Args:
            seed: of the rows: two databases with one schema tell equal queries from queries that only happen to agree.
                The numbers of a column all differ, so that no order is left open.
        """
        rng, lines = random.Random(f"rows {self.name} {seed}"), [self.schema]
        for table, n in zip(self.tables, N_ROWS, strict=True):
            columns = [[str(i + 1) for i in range(n)]]
            for words in table.columns.values():
                drawn = rng.choices(words, k=n) if words else rng.sample(NUMBERS, n)
                columns.append([f"'{one}'" if words else str(one) for one in drawn])
            columns += [[str(rng.randint(1, N_ROWS[1])) for _ in range(n)]] if table.refers else []
            rows = ", ".join(f"({', '.join(row)})" for row in zip(*columns, strict=True))
            lines.append(f"INSERT INTO {table.name} VALUES {rows};")
        return "\n".join(lines)


@dataclass(frozen=True)
class Asked:
    """A question to a database, the query that answers it, and its kind."""

    question: str
    query: str
    kind: str
    database: Database


@cache
def shops() -> tuple[Database, ...]:
    """The 16 databases of the package, of which six are held out from training."""

    def table(row: dict[str, Any]) -> Table:
        return Table(row["name"], {column: tuple(words) for column, words in row["columns"].items()}, row["refers"])

    return tuple(
        Database(row["name"], (table(row["tables"][0]), table(row["tables"][1])), row["held_out"])
        for row in frozen.rows("shops")
    )


def known() -> list[Database]:
    """The shops that may be trained on."""
    return [shop for shop in shops() if not shop.held_out]


def unseen() -> list[Database]:
    """The shops that are held out: no name in them, "name" and "id" apart, occurs in a database to train on."""
    return [shop for shop in shops() if shop.held_out]


def made_up(n: int, seed: int = 0) -> Iterator[Database]:
    """Databases whose names and values say nothing about each other, so that they must be copied.

    About half are words of the pocket vocabulary, the others the beginning of one such word and the end of another: a
    model that has copied words alone ends a new name like a word that it knows, and writes "distrobe" for "district".

    Args:
        n: how many.
        seed: of the draws.
    """
    rng = random.Random(f"made up {seed}")
    taken = WORDS.union(*(shop.names for shop in unseen()))
    words = [word for word in frozen.rows("known_words") if word.isalpha() and 2 < len(word) < 10 and word not in taken]
    real = sorted(set().union(*(shop.names for shop in known())))

    def drawn() -> str:
        one, other = rng.choice(words), rng.choice(words)
        crossed = one[: rng.randint(1, len(one) - 1)] + other[rng.randint(1, len(other) - 1) :]
        return one if rng.random() < 0.5 or not 2 < len(crossed) < 11 or crossed in taken else crossed

    for number in range(n):
        names: list[str] = []
        while len(names) < 12:
            one = drawn() if rng.random() < 0.8 else rng.choice(real)
            names += [one] if one not in names else []
        tables = []
        for name in (names.pop(), names.pop()):
            kinds = ["words"] * rng.randint(1, 3) + ["numbers"] * rng.randint(1, 2)
            columns = {names.pop(): [drawn() for _ in range(12)] if kind == "words" else () for kind in kinds}
            cased = {c: tuple(w.capitalize() if rng.random() < 0.3 else w for w in ws) for c, ws in columns.items()}
            order = rng.sample(list(cased), len(cased))
            tables.append(Table(name, {c: cased[c] for c in order}))
        first, second = tables
        yield Database(f"made up {number}", (Table(first.name, first.columns, second.name), second))


@cache
def wordings() -> dict[str, tuple[Wording, ...]]:
    """The wordings of each kind; those held out stand under the kind's name and HELD_OUT."""
    found: dict[str, list[Wording]] = {}
    for line in (frozen.TEXTS / "sql_wordings.txt").read_text(encoding="utf-8").split("\n"):
        if line.startswith("= "):
            lines = found.setdefault(line[2:], [])
        elif line.startswith("- "):
            lines.append(parse(line[2:].replace("<show>", f"[{SHOW}]")))
    return {kind: tuple(some) for kind, some in found.items()}


def held_out(query: str) -> bool:
    """Say whether a query belongs to the held-out questions: every fifth, by its text, so in whatever wording."""
    return zlib.crc32(query.encode()) % 5 == 0


def ask(database: Database, kind: str, rng: random.Random, new_wording: bool = False) -> Asked:
    """Draw a question of one kind.

    Args:
        database: to ask.
        kind: a key of QUERIES.
        rng: the source of randomness.
        new_wording: take a held-out wording.
    """
    dice = Dice(rng)
    first, second = database.tables
    table = first if kind in JOINS else dice.pick(database.tables)
    texts, numbers = _split(table)
    fills = {"table": table.name, "other": second.name, "text": dice.pick(texts), "num": dice.pick(numbers)}
    # What is shown differs from what it is chosen by.
    fills["col"] = dice.pick([c for c in table.columns if c not in (fills["text"], fills["num"])] or texts)
    fills["their"] = dice.pick(_split(second)[0] if kind == "join" else list(second.columns))
    words = second.columns[fills["their"]] if kind == "join" else table.columns[fills["text"]]
    fills["value"] = dice.pick(words or ("",))
    fills["n"], fills["k"] = str(rng.randint(5, 95)), str(rng.randint(2, 5))
    wording = dice.pick(wordings()[kind + HELD_OUT if new_wording else kind])
    question = " ".join(expand(wording, dice, fills.__getitem__).split())
    return Asked(question, QUERIES[kind].format(**fills), kind, database)


def _answered(one: Asked) -> bool:
    """Whether a database holds anything that answers: empty results would call many wrong queries right."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(one.database.filled())
        return bool(connection.execute(one.query).fetchall())


def _split(table: Table) -> tuple[list[str], list[str]]:
    """The columns with words, and those with numbers."""
    return [c for c, w in table.columns.items() if w], [c for c, w in table.columns.items() if not w]


def to_train(
    n: int, n_databases: int = 4000, share_known: float = 0.2, together: int = 1, seed: int = 0
) -> list[Asked]:
    """Questions to train on: no held-out database, question or wording among them.

    Args:
        n: how many.
        n_databases: made-up databases that they are put to; 0 leaves the known shops alone.
        share_known: of the questions, that are put to the known shops.
        together: so many in a row are put to the same database.
        seed: of databases and questions.
    """
    rng = random.Random(f"to train {seed}")
    found: list[Asked] = []
    databases, kinds = list(made_up(n_databases, seed)), [*QUERIES, *JOINS, "join"]  # joins are the hardest
    while len(found) < n:
        if len(found) % together == 0:
            database = rng.choice(databases if databases and rng.random() >= share_known else known())
        one = ask(database, rng.choice(kinds), rng)
        while held_out(one.query):
            one = ask(database, rng.choice(kinds), rng)
        found.append(one)
    return found


def to_test(n: int, of: str = "questions", kinds: Sequence[str] = (*QUERIES,), seed: int = 0) -> list[Asked]:
    """Questions that nobody trains on, none twice, the kinds in turn.

    Args:
        n: how many.
        of: what is held out: "questions" to known shops, "databases", or "wordings" of held-out questions.
        kinds: to take in turn.
        seed: of the draws.

    Raises:
        ValueError: there is no such set.
    """
    if of not in ("questions", "databases", "wordings"):
        raise ValueError(f"of is {of!r}: choose questions, databases or wordings")
    rng = random.Random(f"to test {of} {seed}")
    found: dict[tuple[str, str], Asked] = {}
    databases, left, misses = unseen() if of == "databases" else known(), list(kinds), 0
    while len(found) < n:
        if not left:
            raise ValueError(f"there are {len(found)} different questions of these kinds, not {n}: ask for fewer")
        kind = left[0]
        one = ask(rng.choice(databases), kind, rng, new_wording=of == "wordings")
        key = one.question, one.query
        if key in found or not (of == "databases" or held_out(one.query)) or not _answered(one):
            misses += 1
            if misses == 200:  # all questions of this kind are found
                misses, left = 0, left[1:]
            continue
        misses, left, found[key] = 0, [*left[1:], kind], one
    return list(found.values())
