"""What is found is what shares its rare words with the question."""

import math

import pytest

from workshop_utils.retrieve import NOTES, Notes


@pytest.mark.parametrize(
    ("question", "part"),
    [
        ("What colour is a flumph?", "flumph is pink"),
        ("When can I go to the library?", "library"),
        ("Where is the key of the boat house?", "behind the clock"),
        ("What is Anna's cat called?", "Ben"),
        ("WHO TEACHES THE GUITAR", "Mr Hill"),
    ],
)
def test_the_note_that_fits_comes_first(question, part):
    found = Notes(NOTES).find(question, n=3)
    assert part in found[0].text
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_vectors_are_those_of_scikit_learn():
    # TfidfVectorizer().fit(["the cat sat", "the dog"]), by its documented formula: ln((1 + n) / (1 + df)) + 1, length 1
    notes = Notes(["the cat sat", "the dog"])
    rare, common = math.log(3 / 2) + 1, 1.0
    length = math.sqrt(2 * rare**2 + common**2)
    assert notes.vectors[0] == pytest.approx({"the": common / length, "cat": rare / length, "sat": rare / length})
    assert notes.find("the cat sat")[0].score == pytest.approx(1)


def test_a_rare_word_counts_more_than_a_common_one():
    notes = Notes(["the cat and the hat", "a dog and the dog", "the end"])
    assert notes.find("the dog")[0].text == "a dog and the dog"


def test_what_shares_no_word_is_not_found():
    assert Notes(NOTES).find("zebra quartz", n=3) == []
    assert Notes(NOTES).find("") == []


def test_what_makes_no_sense_is_told():
    with pytest.raises(ValueError, match="no words in the notes"):
        Notes(["", "?!"])
    with pytest.raises(ValueError, match="n is 0"):
        Notes(NOTES).find("cat", n=0)
