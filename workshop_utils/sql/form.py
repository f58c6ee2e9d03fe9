"""How a schema, a question and a query are written for the model, and back.

Pocket models get a compact form: each word with its leading blank, since " toys" and "toys" are different tokens, and a
schema without types. Other models get CREATE TABLE and standard SQL.
"""

from __future__ import annotations

import re

STRING = r"'(?:[^']|'')*'"
_TABLE = re.compile(
    r"CREATE TABLE (?:IF NOT EXISTS )?[\"`\[]?(\w+)[\"`\]]?\s*\((.*?)\)\s*(?:;|$)", re.IGNORECASE | re.DOTALL
)
_NO_COLUMN = ("primary", "foreign", "unique", "check", "constraint")


def tables(schema: str) -> dict[str, list[str]]:
    """The columns of each table, read from CREATE TABLE statements; whatever else stands there is left out.

    Args:
        schema: statements, each ended by a semicolon.
    """
    found = {}
    for name, inside in _TABLE.findall(schema):
        while (flat := re.sub(r"\([^()]*\)", "", inside)) != inside:  # REFERENCES makers(id), DECIMAL(5, 2)
            inside = flat
        words = [re.findall(r"\w+", part) for part in inside.split(",")]
        found[name] = [part[0] for part in words if part and part[0].lower() not in _NO_COLUMN]
    return found


def statements(script: str) -> str:
    """The CREATE TABLE statements of a script."""
    return "\n".join(f"{found[0].strip().rstrip(';')};" for found in _TABLE.finditer(script))


def prompt(schema: str, question: str, compact: bool = True) -> str:
    """What the model is asked.

    Args:
        schema: CREATE TABLE statements.
        question: about the database, in plain words.
        compact: the pocket form; else the statements themselves.
    """
    if not compact:
        return f"Write one SQLite query that answers the question.\n\n{schema.strip()}\n\nQuestion: {question}"
    listed = "\n".join(f" {name}: {', '.join(columns)}" for name, columns in tables(schema).items())
    return f"Tables:\n{listed}\n{question}"


def compact(query: str) -> str:
    """A query in the pocket form: a blank before each word, also after a bracket, a dot or a quote, and a final ";".

    Args:
        query: standard SQL.
    """
    return re.sub(r"(?<=[(.'])(?=\w)", " ", query) + ";"


def standard(reply: str) -> str:
    """A model's reply as SQL: without a code fence and a semicolon, and the blanks of the pocket form taken out.

    Args:
        reply: as it was written.
    """
    fenced = re.search(r"```(?:\w*\n)?(.*?)(?:```|$)", reply, re.DOTALL)
    text = (fenced[1] if fenced else reply).strip().rstrip("; \n")
    parts = re.split(f"({STRING})", text)  # every second one is a string
    parts[::2] = [re.sub(r"(?<=[(.]) (?=\w)", "", part) for part in parts[::2]]
    parts[1::2] = [re.sub(r"^' (?=\S)", "'", part) for part in parts[1::2]]
    return "".join(parts)
