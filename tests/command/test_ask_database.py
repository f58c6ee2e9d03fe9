"""`workshop sql`: the query, then the rows as a table; what is wrong is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from workshop_utils.command import ask_database, cli
from workshop_utils.machine.profiles import choose
from workshop_utils.pocket import shops
from workshop_utils.sql import Result, attach
from workshop_utils.tuning import lora


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "toys.sql"
    path.write_text(shops.shops()[0].filled())
    return path


def test_a_question_becomes_a_query_and_a_table(
    schema: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("WORKSHOP_PROFILE", "pocket")
    lora.save(attach(lora.load_base("pocket-instruct", choose("pocket")), []), tmp_path / "sql")
    asked = ["sql", "How many toys are there?", "--schema", str(schema), "--adapter", str(tmp_path / "sql")]
    monkeypatch.setattr(ask_database, "answers", lambda model, examples, compact: ["select count(*) from toys"])
    assert cli.execute(asked) == 0
    assert capsys.readouterr().out == "select count(*) from toys\n\ncount(*)\n--------\n24\n(1 row)\n"
    monkeypatch.undo()
    monkeypatch.setenv("WORKSHOP_PROFILE", "pocket")
    assert cli.execute(asked) == 1  # the model has learnt nothing yet
    assert "does not run" in capsys.readouterr().out


def test_tables_of_many_rows_are_cut_and_null_is_named() -> None:
    shown = ask_database.as_table(Result(("a", "b"), tuple((i, None) for i in range(30))))
    assert shown.split("\n")[:3] == ["a   b", "--  ----", "0   NULL"]
    assert shown.endswith("(30 rows, 20 shown)")
    assert ask_database.as_table(Result(error="no such column: x")) == "The query does not run: no such column: x"


@pytest.mark.parametrize(
    ("question", "script", "words"),
    [
        ("How many?", b"select 1;", "makes no table"),
        ("How many?", b"", "makes no table"),
        ("How many?", b"SQLite format 3\0\xff", "is no text in UTF-8: of a database, write the statements"),
        ("How many?", b"create table t(x); insert into t values (1, 2);", "cannot be used, the schema fails: table t"),
        (" ", b"create table t(x);", "the question is empty"),
        ("How many?", b"create table t(x);", "holds no adapter: run lesson 08"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(
    question: str,
    script: bytes,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setenv("WORKSHOP_PROFILE", "pocket")
    path = tmp_path / "shop.sql"
    path.write_bytes(script)
    assert cli.execute(["sql", question, "--schema", str(path), "--adapter", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert cli.execute(["sql", question, "--schema", str(tmp_path / "none.sql")]) == 2
