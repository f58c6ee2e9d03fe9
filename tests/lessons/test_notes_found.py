"""What is found is what shares its rare words with the question."""

import pytest

from workshop_utils.lessons.notes import Notes, pocket_notes


def test_the_note_that_fits_is_found_among_the_sentences_of_the_pocket_corpus():
    notes = Notes(pocket_notes())
    assert len(set(notes.texts)) == len(notes.texts) > 300
    for question, found in {
        "What colour is a flumph?": "A flumph is pink.",
        "What colour is a wuzzle?": "A wuzzle is red.",
        "WHO TEACHES THE GUITAR": "Mr Hill teaches the guitar on Thursday.",
    }.items():
        assert notes.find(question) == [found]
    assert notes.find("quartz", n=3) == []
    with pytest.raises(ValueError, match="no note has a word"):
        Notes(["", "a"])
