"""The Stoic score: ideas and not letters, for the length, and not for a list of keywords."""

from __future__ import annotations

import pytest

from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.lessons.stoic_scoring import IDEAS, KEYWORDS, ideas_in, keyword_score, stoic_score

SAYING = "Your kettle is outside your power, but your judgement of it is not. Bear it with courage, as nature asks."


def test_a_stoic_sentence_scores_high_and_everyday_talk_nothing() -> None:
    assert ideas_in(SAYING) == {"control", "judgement", "acceptance", "courage", "nature"}
    assert stoic_score(SAYING) == 100
    assert stoic_score("I am sorry about your kettle. You could ask the shop for a new one.") == 0
    assert stoic_score("") == 0


@pytest.mark.parametrize("text", ["a gentle reminder", "unnatural and uncontrolled", "a treasonous consoul"])
def test_letters_inside_other_words_do_not_count(text: str) -> None:
    assert ideas_in(text) == set()
    assert keyword_score(text) > 0 == stoic_score(text)


def test_a_list_of_keywords_is_perfect_for_the_naive_score_only() -> None:
    listed = ", ".join(KEYWORDS)
    assert keyword_score(listed) == 100
    assert stoic_score(listed) < 50 < stoic_score(SAYING)


def test_saying_one_idea_again_and_again_adds_nothing() -> None:
    once, often = (
        "Virtue is what counts in this and every other case of yours.",
        "Virtue is virtue and virtue is still virtue.",
    )
    assert ideas_in(once) == ideas_in(often) == {"virtue"}
    assert stoic_score(often) <= stoic_score(once)


def test_a_long_text_needs_more_ideas_than_a_short_one() -> None:
    assert stoic_score(f"{SAYING} {'We walked and talked about the weather and the bus. ' * 4}") < stoic_score(SAYING)


def test_it_tells_the_answers_of_the_set_from_ordinary_ones() -> None:
    by_hand, small = stoic_set.load(), stoic_run.in_small_words(60)
    means = [
        sum(stoic_score(pair.answer) for pair in pairs) / len(pairs)
        for pairs in (stoic_set.ordinary(40), by_hand, small)
    ]
    assert means[0] < 2
    assert means[1] > 40
    assert means[2] > 60
    assert all(stoic_score(pair.answer) > 0 for pair in (*by_hand, *small))


def test_ideas_do_not_overlap() -> None:
    stems = [stem for stems in IDEAS.values() for stem in stems]
    assert len(stems) == len(set(stems))
    for idea, own in IDEAS.items():
        for stem in own:
            assert ideas_in(stem) == {idea}, stem
