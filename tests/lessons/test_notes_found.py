"""What is found is what shares its rare words with the question."""

import pytest

from workshop_utils.lessons.notes import Notes, pocket_notes


def test_the_note_that_fits_is_found_among_the_sentences_of_the_pocket_corpus():
    notes = Notes(pocket_notes())
    assert len(set(notes.texts)) == len(notes.texts) > 300
    for question, found in {
        "What colour is a flumph?": "A flumph is pink.",
        "What colour is a wuzzle?": "A wuzzle is red.",
        "Where is the key of the boat house?": "The key of the boat house hangs behind the clock.",
        "WHO TEACHES THE GUITAR": "Mr Hill teaches the guitar on Thursday.",
    }.items():
        assert notes.find(question) == [found]


def test_a_rare_word_counts_more_than_a_common_one_and_none_in_common_finds_nothing():
    notes = Notes(["the cat and the hat", "a dog and the dog", "the end"])
    assert notes.find("the dog", n=3) == ["a dog and the dog", "the cat and the hat", "the end"]
    assert notes.find("zebra quartz", n=3) == notes.find("") == []
    with pytest.raises(ValueError, match="empty vocabulary"):
        Notes(["", "?!"])
