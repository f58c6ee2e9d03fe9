"""The exercises of lesson 08, text to SQL: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import itertools
import math
import random
import re
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes

# --- 08.1: two results


def same_result(expected: list[tuple[Any, ...]], found: list[tuple[Any, ...]], ordered: bool) -> bool:
    """Whether two results have the same rows, each as often; in the same order where it counts."""
    if ordered:
        return list(expected) == list(found)
    return Counter(expected) == Counter(found)


def _results(rng: random.Random) -> Iterator[Arguments]:
    names = rng.sample(["ball", "bear", "boat", "doll", "drum", "kite"], 4)
    rows = [(name, rng.randrange(1, 50)) for name in names]
    gaps = [(names[0], None), (names[1], 0), (names[2], 7), (None, 7)]
    twice = [*rows, rows[0], rows[0]]
    yield rows, rows[::-1], False  # another order, which does not count
    yield rows, rows[::-1], True
    yield rows, [*rows], True
    yield twice, rows, False  # one row three times, or once
    yield twice, [*rows, rows[0], rows[1]], False  # the same rows, and as many, but not as often
    yield gaps, gaps[::-1], False  # NULL and text cannot be sorted
    yield gaps, [(names[0], 0), *gaps[1:]], False  # NULL is not 0
    yield gaps, [*gaps[:3], (names[3], 7)], False
    yield [(names[0], "")], [(names[0], None)], False  # nor an empty text
    yield [(names[0], 2)], [(names[0], 2.0)], False  # one number, in two spellings
    yield rows, twice, False  # all that is expected, and more
    yield [(names[0], 1), (names[1], 2)], [(names[0], 2), (names[1], 1)], False  # each column alone is the same
    yield rows, [], False
    yield [], [], False


def _sorted(expected: list[Any], found: list[Any], ordered: bool) -> bool:
    return expected == found if ordered else sorted(expected) == sorted(found)


RESULTS: Mistakes = {
    "sets": (
        lambda expected, found, ordered: expected == found if ordered else set(expected) == set(found),
        "a set forgets how often a row occurs: `select colour` and `select distinct colour` would agree. Count rows.",
    ),
    "sorted": (
        _sorted,
        "sorted() fails where NULL (None) stands beside a number or a text. collections.Counter needs no order.",
    ),
    "always in order": (
        lambda expected, found, ordered: expected == found,
        "without ORDER BY a database may return its rows in any order: the order counts only where `ordered` is true.",
    ),
    "never in order": (
        lambda expected, found, ordered: Counter(expected) == Counter(found),
        "where `ordered` is true, the order of the rows is part of the answer.",
    ),
    "as many rows": (
        lambda expected, found, ordered: len(expected) == len(found),
        "you compare how many rows there are, and not what stands in them.",
    ),
    "more rows": (
        lambda expected, found, ordered: expected == found if ordered else not Counter(expected) - Counter(found),
        "you look for what is missing only: a row too many makes another result, too.",
    ),
    "each column alone": (
        lambda expected, found, ordered: (
            expected == found
            if ordered
            else len(expected) == len(found)
            and [Counter(c) for c in zip(*expected, strict=True)] == [Counter(c) for c in zip(*found, strict=True)]
        ),
        "you compare each column alone: what stands in one row belongs together. Count whole rows.",
    ),
    "sorted as text": (
        lambda expected, found, ordered: (
            expected == found if ordered else sorted(map(str, expected)) == sorted(map(str, found))
        ),
        "as texts 2 and 2.0 differ, although they are the same number: count the rows themselves.",
    ),
    "zero for NULL": (
        lambda expected, found, ordered: same_result(
            [tuple(value or 0 for value in row) for row in expected],
            [tuple(value or 0 for value in row) for row in found],
            ordered,
        ),
        "you take NULL (None) for 0. They are different values: a price of 0 is known, a price of NULL is not.",
    ),
}


# --- 08.2: what a query may do


_HARMLESS = ("avg", "count", "max", "min", "sum")


def is_allowed(action: int, name: str) -> bool:
    """Whether SQLite may do one thing for a query that a model wrote."""
    if action == sqlite3.SQLITE_FUNCTION:
        return name.lower() in _HARMLESS
    return action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)


def _actions(rng: random.Random) -> Iterator[Arguments]:
    cases = [
        (sqlite3.SQLITE_SELECT, ""),
        (sqlite3.SQLITE_READ, "price"),
        *((sqlite3.SQLITE_FUNCTION, name) for name in _HARMLESS),
        *((sqlite3.SQLITE_FUNCTION, name.upper()) for name in _HARMLESS),
        *((sqlite3.SQLITE_FUNCTION, name) for name in ("", "a", "like", "sumo", "total", "zeroblob", "group_concat")),
        (sqlite3.SQLITE_FUNCTION, "load_extension"),
        (sqlite3.SQLITE_FUNCTION, rng.choice(["readfile", "writefile", "randomblob"])),
        (sqlite3.SQLITE_DELETE, ""),
        (sqlite3.SQLITE_INSERT, ""),
        (sqlite3.SQLITE_UPDATE, "price"),
        (sqlite3.SQLITE_UPDATE, "count"),  # columns may be called so
        (sqlite3.SQLITE_DELETE, "max"),
        (sqlite3.SQLITE_DROP_TABLE, ""),
        (sqlite3.SQLITE_DROP_VIEW, ""),
        (sqlite3.SQLITE_CREATE_TRIGGER, ""),
        (sqlite3.SQLITE_ATTACH, ""),
        (sqlite3.SQLITE_DETACH, ""),
        (sqlite3.SQLITE_REINDEX, ""),
        (sqlite3.SQLITE_ANALYZE, ""),
        (sqlite3.SQLITE_SAVEPOINT, ""),
        (sqlite3.SQLITE_RECURSIVE, ""),
        (9999, ""),  # what a later SQLite may ask
        (sqlite3.SQLITE_PRAGMA, ""),
        (sqlite3.SQLITE_TRANSACTION, ""),
        (sqlite3.SQLITE_CREATE_VIEW, ""),
        (sqlite3.SQLITE_ALTER_TABLE, ""),
    ]
    yield from rng.sample(cases, len(cases))


_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
_CHANGES = (sqlite3.SQLITE_DELETE, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DROP_TABLE)
ACTIONS: Mistakes = {
    "a list of what is forbidden": (
        lambda action, name: action not in _CHANGES and name != "load_extension",
        "you list what is forbidden, so that all you did not think of is allowed, such as ATTACH, which opens files. "
        "List what is allowed.",
    ),
    "SELECT alone": (
        lambda action, name: action == sqlite3.SQLITE_SELECT,
        "SQLITE_SELECT alone reads no column: SQLITE_READ is asked for each, and SQLITE_FUNCTION for each function.",
    ),
    "no functions": (
        lambda action, name: action in _READS,
        "without functions there is no count, sum or average: allow the five that are named.",
    ),
    "every function": (
        lambda action, name: action in (*_READS, sqlite3.SQLITE_FUNCTION),
        "load_extension is a function, too, and loads code from a file: allow the five that are named and no other.",
    ),
    "small letters only": (
        lambda action, name: action in _READS or (action == sqlite3.SQLITE_FUNCTION and name in _HARMLESS),
        "SQL does not distinguish AVG from avg: compare name.lower().",
    ),
    "the name first": (
        lambda action, name: action in _READS or name.lower() in _HARMLESS,
        "a column may be called count, and an UPDATE of it has this name: look at the action first.",
    ),
    "a piece of a name": (
        lambda action, name: (
            action in _READS or (action == sqlite3.SQLITE_FUNCTION and name.lower() in "avg count max min sum")
        ),
        "in a text, `in` also finds pieces of a word, and the empty text: put the five names in a tuple or a list.",
    ),
    "the name alone": (
        lambda action, name: action in _READS or name.lower() in (*_HARMLESS, ""),
        "an empty name belongs to many actions, such as DELETE and ATTACH: look at the action first.",
    ),
}


# --- 08.3: how many questions


def questions_needed(share: float, points: float) -> int:
    """The smallest number of questions with which half a 95% interval is at most so many percentage points."""
    return math.ceil(share * (1 - share) * (1.96 / (points / 100)) ** 2)


def _shares(rng: random.Random) -> Iterator[Arguments]:
    yield from ((0.5, 5), (0.9, 3), (0.5, 2), (rng.uniform(0.15, 0.45), 10), (rng.uniform(0.6, 0.85), 2))


NEEDED: Mistakes = {
    "rounded down": (
        lambda share, points: math.floor(share * (1 - share) * (1.96 / (points / 100)) ** 2),
        "rounded down, the interval is a little too wide: math.ceil rounds up.",
    ),
    "one more": (
        lambda share, points: math.floor(share * (1 - share) * (1.96 / (points / 100)) ** 2) + 1,
        "where the formula gives a whole number, as 2401, that many are enough: math.ceil leaves it.",
    ),
    "points as shares": (
        lambda share, points: math.ceil(share * (1 - share) * (1.96 / points) ** 2),
        "`points` is in percentage points and `share` from 0 to 1: divide the points by 100.",
    ),
    "no square": (
        lambda share, points: math.ceil(share * (1 - share) * 1.96 / (points / 100)),
        "the square is missing: half the width falls with the root of n, so n grows with the square of 1.96 / width.",
    ),
    "no 1.96": (
        lambda share, points: math.ceil(share * (1 - share) / (points / 100) ** 2),
        "this is for one standard deviation, which covers 68%: 95% takes 1.96 of them.",
    ),
    "the share alone": (
        lambda share, points: math.ceil(share * (1.96 / (points / 100)) ** 2),
        "the variance of a hit or miss is share * (1 - share), not the share alone.",
    ),
    "the worst case": (
        lambda share, points: math.ceil(0.25 * (1.96 / (points / 100)) ** 2),
        "this is the number for a share of one half, whatever `share` is.",
    ),
}


# --- 08.4: sorting errors


def kind_of_error(gold: str, said: str, right: bool, error: str) -> str:
    """What kind of mistake a query has."""
    if right:
        return "right"
    if error:
        return "unknown name" if re.search("no such (table|column)", error) else "does not run"
    gold, said = (re.sub(r"'[^']*'|\b\d+\b", "?", query) for query in (gold, said))
    return "another value" if gold == said else "another query"


def _queries(rng: random.Random) -> Iterator[Arguments]:
    name, n = rng.choice(["toys", "books", "cakes"]), rng.randrange(5, 60)
    gold = f"select name from {name} where price > {n}"
    red = f"select name from {name} where colour = 'red'"
    yield gold, f"select {name}.name from {name} where {n} < price", True, ""
    yield gold, f"select name from {name}s where price > {n}", False, f"no such table: {name}s"
    yield gold, f"select nam from {name} where price > {n}", False, "no such column: nam"
    yield gold, f"select name from where price > {n}", False, 'near "where": syntax error'
    yield gold, "", False, "only a query that begins with SELECT or WITH may run"
    yield gold, gold.replace(str(n), str(n + 1)), False, ""
    yield red, red.replace("red", "blue"), False, ""
    yield gold, gold.replace(">", "<"), False, ""
    yield gold, gold.replace("name", "stock"), False, ""
    yield red, gold, False, ""
    two = red + " and size = 'small'"
    yield two, two.replace(" and ", " or "), False, ""  # what stands between two texts is no text
    yield two, two.replace("small", "New York"), False, ""
    yield f"{gold} limit 5", f"{gold} limit 5".replace(f"> {n}", f"> {n + 1}"), False, ""
    yield f"{gold} limit 5", f"{gold} limit 6", False, ""
    yield gold.replace(name, "t1"), gold.replace(name, "t2"), False, ""  # a digit of a name is no number


def _sorter(values: str = r"'[^']*'|\b\d+\b", names: str = "no such (table|column)", first: bool = True) -> Any:
    def sort(gold: str, said: str, right: bool, error: str) -> str:
        if right and first:
            return "right"
        if error:
            return "unknown name" if re.search(names, error) else "does not run"
        gold, said = (re.sub(values, "?", query) for query in (gold, said))
        return "another value" if gold == said else "another query"

    return sort


ERRORS: Mistakes = {
    "numbers alone": (
        _sorter(r"\b\d+\b"),
        "you replace the numbers only: 'red' and 'blue' are values as well.",
    ),
    "greedy": (
        _sorter(r"'.*'|\b\d+\b"),
        "'.*' reaches from the first quotation mark to the last one, over what stands between two texts: '[^']*'.",
    ),
    "one word": (
        _sorter(r"'\w+'|\b\d+\b"),
        "a text may have several words, as 'New York': take all between two quotation marks, '[^']*'.",
    ),
    "digits of names": (
        _sorter(r"'[^']*'|\d+"),
        "the digit of the table t1 is no number, and t2 is another table: \\b\\d+\\b finds whole numbers only.",
    ),
    "texts alone": (
        _sorter(r"'[^']*'"),
        "you replace the texts in quotation marks only: numbers are values as well.",
    ),
    "tables alone": (
        _sorter(names="no such table"),
        "a column that does not exist is an unknown name, too: the error says 'no such column'.",
    ),
    "columns alone": (
        _sorter(names="no such column"),
        "a table that does not exist is an unknown name, too: the error says 'no such table'.",
    ),
    "every error an unknown name": (
        _sorter(names=""),
        "you call each error an unknown name: look for 'no such table' or 'no such column' in it.",
    ),
    "letters": (
        _sorter(first=False),
        "a right query can have other letters than the gold one: ask for `right` first.",
    ),
    "values never compared": (
        _sorter("$^"),
        "replace numbers and texts by one sign in both queries: if they are equal then, only a value is wrong.",
    ),
}


# --- 08.5: a split


def split_by_database(rows: list[tuple[str, str]], percent: int) -> tuple[list[Any], list[Any]]:
    """Rows to train on and rows to test with: all rows of a database on the same side."""
    sides: tuple[list[Any], list[Any]] = ([], [])
    for row in rows:
        sides[zlib.crc32(row[0].encode()) % 100 < percent].append(row)
    return sides


def _pool(rng: random.Random) -> Iterator[Arguments]:
    for percent in (30, 50):
        databases = [f"CREATE TABLE t{rng.randrange(10_000)} (id, name);" for _ in range(12)]
        names = (f"CREATE TABLE u{rng.randrange(10**6)} (id, name);" for _ in itertools.count())
        databases.append(next(name for name in names if zlib.crc32(name.encode()) % 100 == percent))
        asked = [databases[-1], *(rng.choice(databases) for _ in range(39))]
        yield [(schema, f"How many {i}?") for i, schema in enumerate(asked)], percent


def _split_by(key: Any, below: bool = True) -> Any:
    def split(rows: list[tuple[str, str]], percent: int) -> tuple[list[Any], list[Any]]:
        sides: tuple[list[Any], list[Any]] = ([], [])
        for number, row in enumerate(rows):
            sides[(key(row, number) % 100 < percent) == below].append(row)
        return sides

    return split


SPLITS: Mistakes = {
    "by row": (
        _split_by(lambda row, number: zlib.crc32("".join(row).encode())),
        "you hash the whole row, so that one database is on both sides: hash row[0], the database, alone.",
    ),
    "by question": (
        _split_by(lambda row, number: zlib.crc32(row[1].encode())),
        "you hash the question, so that one database is on both sides: hash row[0], the database.",
    ),
    "the first ones": (
        lambda rows, percent: (
            rows[len(rows) * percent // 100 :],
            rows[: len(rows) * percent // 100],
        ),
        "you cut the list at a place, so that one database is on both sides: let the hash of the database decide.",
    ),
    "one too many": (
        lambda rows, percent: split_by_database(rows, percent + 1),
        "the remainders go from 0 to 99: `< percent` is true for so many of them, `<= percent` for one more.",
    ),
    "sides swapped": (
        lambda rows, percent: split_by_database(rows, percent)[::-1],
        "the sides are swapped: first the rows to train on, then the `percent` to test with.",
    ),
}


# --- 08.6: finding a leak


def leaked(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> list[int]:
    """The numbers of the test rows whose database occurs in training, whatever its blanks and capitals."""
    seen = {" ".join(schema.lower().split()) for schema, _ in train}
    return [i for i, (schema, _) in enumerate(test) if " ".join(schema.lower().split()) in seen]


def _sides(rng: random.Random) -> Iterator[Arguments]:
    for _ in range(3):
        a, b, c, d, e = (f"CREATE TABLE {name} (id INTEGER, price INTEGER);" for name in rng.sample("abcdefgh", 5))
        train = [(a, "How many?"), (b, "Which price?"), (c, "List all."), (a, "List all.")]
        test = [
            (a, "What is the sum?"),
            (b.lower(), "What is the sum?"),
            (c.replace(" ", "\n  "), "How many are there?"),
            (d, "How many?"),  # a question that was trained, to another database
            (e, "What is the sum?"),
            (b, "Which price?"),
            (a.replace("price", "stock"), "How many?"),  # a table of the same name with another column
            (c.replace("id INTEGER, price INTEGER", "price INTEGER, id INTEGER"), "How many?"),
        ]
        yield train, rng.sample(test, len(test))


def _found(train: list[Any], test: list[Any], key: Any) -> list[int]:
    seen = {key(row) for row in train}
    return [i for i, row in enumerate(test) if key(row) in seen]


LEAKS: Mistakes = {
    "letter for letter": (
        lambda train, test: _found(train, test, lambda row: row[0]),
        "you compare letter for letter: other blanks or capitals hide a database. lower() and split() first.",
    ),
    "capitals only": (
        lambda train, test: _found(train, test, lambda row: row[0].lower()),
        "blanks and line breaks still hide a database: ' '.join(text.split()) makes them alike.",
    ),
    "blanks only": (
        lambda train, test: _found(train, test, lambda row: " ".join(row[0].split())),
        "capitals still hide a database: SQL does not distinguish them, so lower() first.",
    ),
    "names of tables": (
        lambda train, test: _found(train, test, lambda row: row[0].lower().split()[2]),
        "you compare the names of the tables only: with other columns it is another schema.",
    ),
    "sorted letters": (
        lambda train, test: _found(train, test, lambda row: "".join(sorted("".join(row[0].lower().split())))),
        "sorted, two schemas with columns in another order look alike. Only blanks and capitals do not count.",
    ),
    "questions": (
        lambda train, test: _found(train, test, lambda row: row[1]),
        "you compare the questions: the same question to another database is no leak. Compare the schemas.",
    ),
    "whole rows": (
        lambda train, test: _found(train, test, lambda row: row),
        "you look for whole rows: another question to a database that was trained on is a leak, too.",
    ),
    "the rows": (
        lambda train, test: [test[i] for i in leaked(train, test)],
        "these are the rows themselves: return their numbers, the first row is 0.",
    ),
    "how many": (
        lambda train, test: len(leaked(train, test)),
        "this says how many there are: return their numbers, so that they can be looked at.",
    ),
}


EXERCISES = [
    Exercise(
        "08.1",
        "comparison",
        same_result,
        RESULTS,
        _results,
        praise="rows counted, and the order only where it was asked for: that is what 'the same result' means in SQL.",
    ),
    Exercise(
        "08.2",
        "list of what is allowed",
        is_allowed,
        ACTIONS,
        _actions,
        praise="a list of what is allowed stays short, and what you did not think of is refused.",
    ),
    Exercise(
        "08.3",
        "number of questions",
        questions_needed,
        NEEDED,
        _shares,
        praise="half the width takes four times as many questions.",
    ),
    Exercise(
        "08.4",
        "sorting",
        kind_of_error,
        ERRORS,
        _queries,
        praise="each kind of error has another cure: more names to copy, more kinds of question, or more wordings.",
    ),
    Exercise(
        "08.5",
        "split",
        split_by_database,
        SPLITS,
        _pool,
        praise="no database on both sides, and a row keeps its side in every run.",
    ),
    Exercise(
        "08.6",
        "detector",
        leaked,
        LEAKS,
        _sides,
        praise="run it before every test: a score on leaked rows says little about new databases.",
    ),
]
