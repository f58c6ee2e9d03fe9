"""Results are compared as SQL means them: as multisets, by type, in order only where the gold query orders."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workshop_utils.pocket import shops
from workshop_utils.sql import Result, Sandbox, Verdict, judge, same
from workshop_utils.sql.judge import is_ordered, plain

TOYS = [shops.shops()[0].filled(seed) for seed in (0, 1)]
GOLD = "select name from toys where price > 50 and colour = 'red'"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as made:
        yield made


def result(*rows: tuple, columns: int = 1) -> Result:
    return Result(tuple("c" * columns), rows)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ([(1,), (2,)], [(2,), (1,)], True),  # another order
        ([(1,), (1,), (2,)], [(1,), (2,), (2,)], False),  # as often
        ([(1,)], [(1,), (1,)], False),
        ([(2,)], [(2.0,)], True),
        ([(1,)], [("1",)], False),  # a number is no text
        ([(None,)], [(0,)], False),
        ([(None,)], [("",)], False),
        ([(None,)], [(None,)], True),
        ([("a",)], [("A",)], False),
        ([("a",)], [(b"a",)], False),
        ([(0.1 + 0.2,), (0.5,)], [(0.5,), (0.3,)], True),  # within the tolerance
        ([(33.3333333,)], [(33.33,)], False),  # rounded is another number
        ([(1e12,)], [(1e12 + 1,)], True),  # relative
        ([(10**12,)], [(10**12 + 1,)], False),
        ([(float("inf"),)], [(float("inf"),)], True),
        ([], [], True),
    ],
)
def test_same(one: list, other: list, equal: bool) -> None:
    assert same(result(*one), result(*other)) == equal


def test_order_counts_where_asked_and_columns_by_number_not_by_name() -> None:
    assert not same(result((1,), (2,)), result((2,), (1,)), ordered=True)
    assert same(result((1,), (2.0,)), result((1,), (2,)), ordered=True)
    assert not same(result(columns=1), result(columns=2))
    assert same(Result(("a",), ((1,),)), Result(("b",), ((1,),)))
    assert not same(result((1,)), Result(error="no such table"))


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("select a from t order by b", True),
        ("select a from t ORDER\n BY b limit 1", True),
        ("select a from (select a from t order by b limit 3)", False),
        ("select 'order by' from t", False),
        ("select a from t -- order by b", False),
        ("select rank() over (order by b) from t", False),
        ("select a from t where c in (select c from u order by d) order by a", True),
    ],
)
def test_is_ordered(query: str, ordered: bool) -> None:
    assert is_ordered(query) == ordered


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (GOLD, Verdict(True, True, True)),
        ("SELECT name  FROM toys WHERE price>50 AND colour = 'red';", Verdict(True, True, True)),
        ("select t.name from toys as t where colour = 'red' and not price <= 50", Verdict(True, True, False)),
        ("select name from toys where price > 50 and colour in ('red') order by name", Verdict(True, True, False)),
        ("select name from toys where price > 50 and colour = 'Red'", Verdict(True, False, False)),
        ("select name, price from toys where price > 50 and colour = 'red'", Verdict(True, False, False)),
        ("select name from toys where price > 50", Verdict(True, False, False)),
    ],
)
def test_a_query_is_judged_by_what_it_gives(said: str, verdict: Verdict, sandbox: Sandbox) -> None:
    assert judge(sandbox, TOYS, GOLD, said) == verdict


def test_what_does_not_run_says_why_and_a_second_filling_finds_what_one_misses(sandbox: Sandbox) -> None:
    found = judge(sandbox, TOYS, GOLD, "select title from toys")
    assert (found.valid, found.right, found.error) == (False, False, "no such column: title")
    highest = "select max(price) from toys"
    number = sandbox.run(TOYS[0], highest).rows[0][0]
    assert judge(sandbox, TOYS[:1], highest, f"select {number}").right
    assert not judge(sandbox, TOYS, highest, f"select {number}").right
    with pytest.raises(ValueError, match="gold query fails"):
        judge(sandbox, TOYS, "select x from toys", GOLD)


def test_letters() -> None:
    assert plain("SELECT a ,b FROM t WHERE c = 'It  Is' ;") == plain("select a, b from t where c='It  Is'")
    assert plain("select 'A'") != plain("select 'a'")
