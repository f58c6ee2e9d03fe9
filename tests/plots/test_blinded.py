"""A blinded table does not tell which model wrote what before the reveal, and counts votes for the right one."""

import pytest

from workshop_utils.plots import blinded

PROMPTS, LEFT, RIGHT = ["one?", "two?", "three?", "four?"], ["a0", "a1", "a2", "a3"], ["b0", "b1", "b2", "b3"]


def test_the_table_does_not_tell_the_order_before_the_reveal():
    # The same two replies on the same sides, once by one model and once by the other: nothing may differ.
    both = [[blinded.Blind(["p"], [a], [b], seed=seed) for seed in range(50)] for a, b in ("xy", "yx")]
    one, other = (next(table for table in tables if table.items[0].left == "x") for tables in both)
    for table in (one, other):
        table.vote(0, "left")
        pages = (table._repr_html_(), repr(table), repr(table.items), str(table.votes))
        assert not any(name in page for page in pages for name in ("before", "after"))
    assert (one._repr_html_(), repr(one)) == (other._repr_html_(), repr(other))
    with pytest.raises(ValueError, match="vote first"):
        one.counts()
    assert one.reveal()._repr_html_() != other.reveal()._repr_html_()
    assert (one.counts()["before"], other.counts()["before"]) == (1, 0)


def test_sides_are_random_even_and_the_same_for_a_seed():
    orders = set()
    for seed in range(60):
        items = blinded.Blind(PROMPTS, LEFT, RIGHT, seed=seed).items
        assert items == blinded.Blind(PROMPTS, LEFT, RIGHT, seed=seed).items
        orders.add("".join(item.left[0] for item in items))
    assert orders == {"aabb", "abab", "abba", "baab", "baba", "bbaa"}


def test_votes_are_counted_for_the_model_that_they_meant():
    table = blinded.Blind(PROMPTS, LEFT, RIGHT, names=("small", "large"), seed=3)
    for i in (0, 1):
        table.vote(i, "right")
        table.vote(i, "left" if table.items[i].left.startswith("b") else "right")  # a vote may change: now for b
    table.vote(2, "tie")
    table.reveal()
    assert table.outcomes() == ["b", "b", "tie", None]
    assert table.counts() == {"small": 0, "large": 2, "tie": 1, "no vote": 1}
    assert all("small: 0, large: 2, tie: 1, no vote: 1" in page for page in (repr(table), table._repr_html_()))
    with pytest.raises(ValueError, match="would not be blind"):
        table.vote(3, "left")


def test_texts_are_shown_as_text_and_not_run():
    table = blinded.Blind(["<script>p"], ["<b>x"], ["a & b"], names=("<i>", "two"))
    for page in (table._repr_html_(), table.reveal()._repr_html_()):
        assert not any(tag in page for tag in ("<script>", "<b>x", "<i>"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: blinded.Blind(PROMPTS, LEFT[:3], RIGHT), "4 prompts, 3 replies and 4 others"),
        (lambda: blinded.Blind(PROMPTS, LEFT, RIGHT, names=("tie", "b")), "choose two different ones"),
        (lambda: blinded.Blind(PROMPTS, LEFT, RIGHT).vote(4, "left"), "the items are 0 to 3"),
    ],
)
def test_what_cannot_be_compared_or_counted_is_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()
