"""What is found is what shares its rare words with the question."""

import pytest

from workshop_utils.lessons.notes import NOTES, Notes, pocket_notes


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


def test_the_notes_are_found_among_the_sentences_of_the_pocket_corpus():
    notes = Notes(pocket_notes())
    assert len(notes.texts) > 300
    assert len(set(notes.texts)) == len(notes.texts)
    for animal, colour in (("flumph", "pink"), ("glomp", "green"), ("tweezle", "purple"), ("wuzzle", "red")):
        assert notes.find(f"What colour is a {animal}?")[0].text == f"A {animal} is {colour}."
