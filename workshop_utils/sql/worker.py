"""The process in which queries run: reads one request a line, answers with one line. Standard library alone.

sandbox.py starts it as a script, so that it imports nothing of ours, and kills it when it does not answer.
"""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import time
from contextlib import closing, suppress
from typing import Any

# What a query may call: nothing here reads a file, loads code or sets anything.
_FUNCTIONS = (
    "abs avg ceil ceiling char coalesce concat concat_ws count cume_dist date datetime dense_rank exp first_value "
    "floor glob group_concat hex ifnull iif instr julianday lag last_value lead length like likelihood likely ln "
    "log lower ltrim max min mod nth_value ntile nullif percent_rank pow power quote rank replace round "
    "row_number rtrim sign sqrt strftime string_agg substr substring sum time total trim typeof unicode unixepoch "
    "unlikely upper "
)
FUNCTIONS = frozenset(_FUNCTIONS.split())
SELECTS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE)
# What a schema may not do, although it may make tables and fill them; a dump begins with PRAGMA foreign_keys=OFF.
NOT_IN_SCHEMA = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA)
INTERNAL = ("sqlite_", "pragma_", "dbstat", "bytecode", "tables_used", "fts", "rtree", "temp.")  # no tables of the user
BEGINS = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*\(*\s*(?:select|with|values)\b", re.IGNORECASE | re.DOTALL)
LENGTH, QUERY_LENGTH, STEPS = 100_000, 20_000, 1000  # of a value, of a query; SQLite's steps between looks at the clock


class Refused(Exception):
    """A query that is not allowed."""


def limit_process(megabytes: int) -> None:
    """No files, no more memory than told, no core dump. Windows has no such limits."""
    with suppress(ImportError):
        import resource

        wanted = {"RLIMIT_AS": megabytes << 20, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0, "RLIMIT_NPROC": 0}
        for name, most in wanted.items():
            with suppress(ValueError, OSError, AttributeError):
                resource.setrlimit(getattr(resource, name), (most, most))


def query_only(action: int, first: str | None, second: str | None, *_: Any) -> int:
    """SQLite's authorizer while a query is compiled: reading tables and harmless functions, and nothing else."""
    if action == sqlite3.SQLITE_FUNCTION:
        allowed = str(second).lower() in FUNCTIONS
    elif action == sqlite3.SQLITE_READ:
        allowed = not str(first).lower().startswith(INTERNAL)
    else:
        allowed = action in SELECTS
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def schema_only(action: int, first: str | None, second: str | None, *_: Any) -> int:
    """SQLite's authorizer while the schema is made, which may come from a stranger's data set."""
    if action == sqlite3.SQLITE_PRAGMA and first == "foreign_keys":
        return sqlite3.SQLITE_OK
    denied = action in NOT_IN_SCHEMA or (action == sqlite3.SQLITE_FUNCTION and str(second).lower() not in FUNCTIONS)
    return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request: a query in a fresh database in memory."""
    deadline = time.monotonic() + request["seconds"]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 50 * LENGTH)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
        connection.set_authorizer(schema_only)
        try:
            connection.executescript(request["schema"])
        except (sqlite3.Error, ValueError, MemoryError) as error:
            return {"error": f"the schema fails: {error}"}
        connection.set_authorizer(None)
        connection.execute("PRAGMA query_only = ON")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LENGTH)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100)
        before = connection.serialize()
        connection.set_authorizer(query_only)
        try:
            result = rows(connection, request["query"], request["rows"])
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError, MemoryError, Refused) as error:
            result = {"error": str(error) or type(error).__name__}
        connection.set_authorizer(None)
        return result | {"changed": connection.serialize() != before}


def rows(connection: sqlite3.Connection, query: str, most: int) -> dict[str, Any]:
    """The columns and rows of one SELECT.

    Raises:
        Refused: it is none, or gives too much.
    """
    if len(query) > QUERY_LENGTH:
        raise Refused(f"the query has {len(query):,} characters, and {QUERY_LENGTH:,} are allowed")
    if not BEGINS.match(query):
        raise Refused("only a query that begins with SELECT or WITH may run")
    cursor = connection.execute(query)
    found, room = [], 10 * LENGTH  # characters in all
    for row in cursor:
        found.append([{"hex": value.hex()} if isinstance(value, bytes) else value for value in row])
        room -= sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(found) > most or room < 0:
            raise Refused(f"the result is too large: at most {most:,} rows and {10 * LENGTH:,} characters are allowed")
    return {"columns": [column[0] for column in cursor.description], "rows": found}


def main() -> None:
    """Answer until the input ends."""
    limit_process(int(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
