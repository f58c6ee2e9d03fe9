"""The Stoic score: ideas and not letters, for the length, and not for a list of keywords."""

from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.lessons.stoic_scoring import (
    KEYWORDS,
    commonest_frame,
    ideas_in,
    keyword_score,
    names_topic,
    stoic_score,
)

SAYING = "Your kettle is outside your power, but your judgement of it is not. Bear it with courage, as nature asks."


def test_a_stoic_sentence_scores_high_and_nothing_else_does():
    assert ideas_in(SAYING) == {"control", "judgement", "acceptance", "courage", "nature"}
    assert stoic_score(SAYING) == 100
    assert stoic_score(f"{SAYING} {'We walked and talked about the weather and the bus. ' * 4}") < 100
    assert stoic_score("I am sorry about your kettle. You could ask the shop for a new one.") == stoic_score("") == 0
    for text in ("a gentle reminder", "unnatural and uncontrolled", "a treasonous consoul"):  # letters within words
        assert keyword_score(text) > 0 == stoic_score(text)
    assert keyword_score(", ".join(KEYWORDS)) == 100
    assert stoic_score(", ".join(KEYWORDS)) < 50
    once, often = "Virtue counts in this and every other case of yours.", "Virtue is virtue and virtue is still virtue."
    assert stoic_score(often) <= stoic_score(once) < 50


def test_it_tells_the_answers_of_the_sets_from_ordinary_ones():
    def scores(pairs):
        return [stoic_score(pair.answer) for pair in pairs]

    ordinary, by_hand, small = map(scores, (stoic_set.ordinary(40), stoic_set.load(), stoic_run.in_small_words(60)))
    assert sum(ordinary) / len(ordinary) < 2
    assert sum(by_hand) / len(by_hand) > 40
    assert sum(small) / len(small) > 60
    assert min(by_hand + small) > 0


def test_a_topic_is_named_by_a_whole_word_and_a_frame_is_counted_once_a_reply():
    assert names_topic("cat", "Cats obey nature.")
    assert not names_topic("cat", "Education is all.")
    replies = [
        ("cat", "A cat obeys. A cat obeys. Bear it."),
        ("bus", "A bus obeys!"),
        ("hat", "a hat obeys."),
        ("cup", ""),
    ]
    assert commonest_frame(replies) == ("a _ obeys.", 2)
