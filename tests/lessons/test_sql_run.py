"""What lesson 08 trains on and tests with: nothing of a test set is trained, and the hub's rows take the same form."""

from dataclasses import replace

import pytest
import tiny_hub

from workshop_utils.lessons.sql_run import by_kind, data_for, kind_of
from workshop_utils.machine.profiles import choose
from workshop_utils.sql import Example, messages


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch):
    monkeypatch.setenv("WORKSHOP_HURRY", "1")


def test_in_the_pocket_profile_the_sets_hold_out_what_they_say():
    data = data_for(choose("pocket"))
    assert list(data.sets) == ["questions", "wordings", "databases"]
    asked = {talk[i]["content"] for talk in data.train for i in range(0, len(talk), 2)}
    assert not asked & {messages(one)[0]["content"] for some in data.sets.values() for one in some}
    assert len(data.schemas) == 2 * len(data.train)
    assert not set(data.schemas) & {one.schema for one in data.sets["databases"]}
    assert data.compact
    assert data.new_rows
    tested = {(one.schema, one.query) for one in data.sets["databases"]}
    assert not tested & {(one.schema, one.query) for one in data.new_rows}


def test_elsewhere_they_are_rows_of_the_hub_whose_gold_query_gives_something(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    tiny_hub.save_text_to_sql(tmp_path / tiny_hub.HUB_SET)
    data = data_for(replace(choose("pocket"), name="t4"))
    (examples,) = data.sets.values()
    assert examples[0].schema in data.sets["questions and databases"][0].databases[0]
    assert data.train[0][1]["content"].startswith("select")
    assert not data.compact
    assert {one.kind for one in examples} <= {"join", "group", "total", "order", "select"}


def test_kinds_are_told_by_the_words_of_the_query_and_counted():
    queries = [
        "SELECT a FROM t JOIN u",
        "select a, count(*) from t group by a",
        "select sum(a) from t",
        "select a from t",
    ]
    assert [*map(kind_of, queries)] == ["join", "group", "total", "select"]
    examples = [Example("", query, "", (), kind_of(query)) for query in queries[2:] + queries[3:]]
    assert by_kind(examples, [True, False, True]) == {"total": (1, 1), "select": (1, 2)}
