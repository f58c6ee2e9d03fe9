"""Queries that want to do harm: each is stopped in time, the database stays as it was, and the next query runs."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workshop_utils.pocket import shops
from workshop_utils.sql import Sandbox

SCHEMA = shops.shops()[0].filled()
COUNT = "select count(*) from toys"
FOREVER = "with recursive n(i) as (select 1 union all select i + 1 from n)"
MANY = ", ".join(f"toys t{i}" for i in range(9))
# FILE stands for one that is there, NEW for one that is not.
ATTACKS = {
    "drop a table": "drop table toys",
    "delete": "delete from toys",
    "update": "update toys set price = 0",
    "insert": "insert into toys(name) values ('x')",
    "replace": "replace into toys(id, name) values (1, 'x')",
    "insert from a select": "insert into toys select * from toys",
    "upsert": "insert into toys(id) values (1) on conflict(id) do update set price = 0",
    "alter": "alter table toys add column x",
    "rename": "alter table toys rename to gone",
    "create a table": "create table more(id)",
    "create from a select": "create table more as select * from toys",
    "create a temporary table": "create temp table more(id)",
    "create a view": "create view more as select * from toys",
    "create an index": "create index more on toys(price)",
    "create a trigger": "create trigger t after insert on toys begin delete from makers; end",
    "create a virtual table": "create virtual table more using fts5(text)",
    "attach a file": "attach 'FILE' as other",
    "attach a new file": "attach database 'NEW' as other",
    "attach by address": "attach 'file:NEW?mode=rwc' as other",
    "detach": "detach main",
    "vacuum into a file": "vacuum into 'NEW'",
    "vacuum": "vacuum",
    "pragma": "pragma writable_schema = on",
    "pragma that reads": "pragma table_info(toys)",
    "pragma that lists files": "pragma database_list",
    "pragma as a table": "select * from pragma_table_info('toys')",
    "pragma for a temporary folder": "pragma temp_store_directory = '/tmp'",
    "pragma that lifts read-only": "pragma query_only = off",
    "load an extension": "select load_extension('FILE')",
    "read a file": "select readfile('FILE')",
    "write a file": "select writefile('NEW', 'x')",
    "edit": "select edit('x', 'touch NEW')",
    "tokenizer of fts3": "select fts3_tokenizer('simple', x'0000000000000000')",
    "two statements": "select 1; drop table toys",
    "two selects": "select 1; select 2",
    "a statement behind a comment": "select 1 /* ; */ ; delete from toys --",
    "the catalogue": "select sql from sqlite_master",
    "the catalogue, new name": "select * from sqlite_schema",
    "write to the catalogue": "update sqlite_master set sql = ''",
    "begin a transaction": "begin immediate",
    "commit": "commit",
    "savepoint": "savepoint s",
    "analyze": "analyze",
    "reindex": "reindex",
    "explain": "explain select * from toys",
    "with, then delete": "with x as (select 1) delete from toys",
    "with, then insert": "with x as (select 1) insert into toys(name) select 'x' from x",
    "delete, returning": "delete from toys returning *",
    "a loop": f"{FOREVER} select count(*) from n",
    "a loop of rows": f"{FOREVER} select i from n",
    "a loop that grows": "with recursive n(s) as (select 'x' union all select s || s from n) select max(s) from n",
    "a huge join": f"select count(*) from {MANY}",
    "a huge join, sorted": f"select t0.name from {MANY} order by t0.price * t1.price * t2.price",
    "a huge text": "select group_concat(a.name || b.name || c.name) from toys a, toys b, toys c, toys d",
    "a huge blob": "select zeroblob(1000000000)",
    "random blobs": "select randomblob(1000000000)",
    "a wide format": "select printf('%.1000000000c', 'x')",
    "replace that grows": "select replace(replace(hex(zeroblob(40000)), '0', hex(zeroblob(9999))), '0', 'xxxxxxxx')",
    "a slow pattern": f"select count(*) from toys where '{'a' * 9000}' like '{'%a' * 4000}b'",
    "many rows": "select a.id from toys a, toys b, toys c",
    "deep brackets": f"select {'(' * 5000}1{')' * 5000}",
    "a long query": f"select {'1 + ' * 30_000}1",
    "nothing": "",
    "a comment": "-- nothing",
    "a semicolon": ";",
    "a zero byte": "select 1\0; drop table toys",
    "half a character": "select '\ud800'",
    "text that is no UTF-8": "select cast(x'ff' as text)",
    "no SQL": "I am sorry, I cannot answer that.",
    "a table that is not there": "select * from secrets",
    "an infinite number of unions": " union all ".join(["select 1"] * 2000),
    "a parameter": "select ?",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        made.run(SCHEMA, COUNT)  # it has started
        yield made


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_stopped_and_changes_nothing(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    there, new = tmp_path / "there.db", tmp_path / "new.db"
    there.write_text("secret")
    began = time.perf_counter()
    found = sandbox.run(SCHEMA, ATTACKS[name].replace("FILE", str(there)).replace("NEW", str(new)))
    assert time.perf_counter() - began < 3
    assert found.error
    assert not found.rows
    assert not found.changed
    assert there.read_text() == "secret"
    assert os.listdir(tmp_path) == ["there.db"]
    assert sandbox.run(SCHEMA, COUNT).rows == ((24,),)


def test_the_corpus_is_large_enough() -> None:
    assert len(ATTACKS) >= 40


HOSTILE_SCHEMAS = [
    "attach 'NEW' as other; create table other.t(id)",
    "attach 'foreign_keys' as other; create table other.t(id)",
    "pragma writable_schema = on",
    "vacuum into 'NEW'",
    f"create table t(id); {FOREVER} insert into t select i from n",
    "create table t(id); insert into t select load_extension('x')",
    "create table t(",
]


@pytest.mark.parametrize("schema", HOSTILE_SCHEMAS)
def test_a_schema_that_comes_from_a_stranger_does_no_harm_either(schema: str, sandbox: Sandbox, tmp_path: Path) -> None:
    began = time.perf_counter()
    assert sandbox.run(schema.replace("NEW", str(tmp_path / "new.db")), "select 1").error
    assert time.perf_counter() - began < 3
    assert not os.listdir(tmp_path)


def test_what_sqlite3_dumps_is_a_schema(sandbox: Sandbox) -> None:
    dump = f"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n{SCHEMA}\nCOMMIT;"
    assert sandbox.run(dump, COUNT).rows == ((24,),)


def test_ordinary_queries_run_each_in_a_fresh_database(sandbox: Sandbox) -> None:
    for query in (
        "select name from toys order by price desc limit 2",
        "with dear as (select * from toys where price > 50) select count(*) from dear",
        "-- a comment\nselect t.name, m.name from toys t join makers m on t.makers_id = m.id",
        "select colour, round(avg(price), 1) from toys group by colour having count(*) > 1",
        "select name, rank() over (order by price) from toys",
        "select name from toys where price > (select avg(price) from toys) union select name from makers",
        "select coalesce(null, 'none')",
    ):
        found = sandbox.run(SCHEMA, query)
        assert not found.error, query
        assert found.rows
    typed = sandbox.run(SCHEMA, "select 1, 1.5, 'a', null, x'00ff', 9e999")
    assert typed.rows == ((1, 1.5, "a", None, b"\x00\xff", float("inf")),)
    assert typed.columns[0] == "1"


def test_a_worker_that_hangs_or_dies_is_replaced() -> None:
    with Sandbox(seconds=0.3) as sandbox:
        assert sandbox.run(SCHEMA, COUNT).rows == ((24,),)
        first = sandbox._process
        first.kill()
        first.wait()
        assert sandbox.run(SCHEMA, COUNT).rows == ((24,),)
        assert sandbox._process is not first
        os.kill(sandbox._process.pid, signal.SIGSTOP)  # it cannot stop itself: the parent's clock must
        assert "more than 0.3 s" in sandbox.run(SCHEMA, COUNT).error
        assert sandbox.run(SCHEMA, COUNT).rows == ((24,),)
    assert sandbox._process is None


def test_four_hundred_queries_are_fast(sandbox: Sandbox) -> None:
    began = time.process_time()
    assert all(sandbox.run(SCHEMA, COUNT).rows for _ in range(400))
    assert time.process_time() - began < 3
