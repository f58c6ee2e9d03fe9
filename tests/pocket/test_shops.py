"""The shops' databases: what is held out stays apart, every query runs, and wordings leave nothing open."""

from __future__ import annotations

import sqlite3
from collections import Counter

import pytest

from workshop_utils.pocket import quality, shops
from workshop_utils.pocket.grammar import every_text


def test_there_are_enough_schemas_kinds_and_wordings() -> None:
    assert len(shops.shops()) >= 12
    assert len(shops.QUERIES) >= 8
    assert set(shops.wordings()) == {*shops.QUERIES, *(kind + shops.HELD_OUT for kind in shops.QUERIES)}
    for kind in shops.QUERIES:
        trained = {text for wording in shops.wordings()[kind] for text in every_text(wording)}
        new = {text for wording in shops.wordings()[kind + shops.HELD_OUT] for text in every_text(wording)}
        assert len(trained) >= 10
        assert len(new) >= 2
        assert not trained & new


def test_no_name_of_a_held_out_database_is_in_any_that_is_trained_on() -> None:
    names = set().union(*(shop.names for shop in shops.unseen())) - {"name"}
    for database in [*shops.known(), *shops.made_up(4000)]:
        assert not names & database.names


def test_made_up_names_are_words_and_mixtures_of_words() -> None:
    names, known = [name for shop in shops.made_up(500) for name in sorted(shop.names)], quality.known_words()
    assert 0.35 < sum(name not in known for name in names) / len(names) < 0.5
    assert all(name.isalpha() and name.islower() and 2 < len(name) < 11 for name in names)


def test_training_has_nothing_of_what_is_held_out_and_is_the_same_for_a_seed() -> None:
    train = shops.to_train(3000)
    queries, questions = {one.query for one in train}, {one.question for one in train}
    for of in ("questions", "databases", "wordings"):
        test = shops.to_test(200, of)
        assert len({(one.question, one.query) for one in test}) == 200
        assert not queries & {one.query for one in test}
        assert not questions & {one.question for one in test}
    assert train[:50] == shops.to_train(50)
    assert train[:50] != shops.to_train(50, seed=1)
    pairs = shops.to_train(40, together=2)
    assert [one.database for one in pairs[::2]] == [one.database for one in pairs[1::2]]
    joins = Counter(one.kind for one in train)
    assert joins["join"] > 1.5 * joins["equal"]


def test_every_query_runs_in_both_fillings_and_those_to_test_have_an_answer() -> None:
    asked = [(one, False) for one in shops.to_train(500)]
    asked += [(one, True) for of in ("questions", "databases", "wordings") for one in shops.to_test(100, of)]
    for one, answered in asked:
        for seed in (0, 1):
            connection = sqlite3.connect(":memory:")
            connection.executescript(one.database.filled(seed))
            rows = connection.execute(one.query).fetchall()
            assert connection.execute("pragma foreign_key_check").fetchall() == []
            connection.close()
            assert rows or seed or not answered


def test_what_cannot_be_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="choose questions, databases or wordings"):
        shops.to_test(1, "tables")
    with pytest.raises(ValueError, match="ask for fewer"):
        shops.to_test(500, "wordings", ["count"])
