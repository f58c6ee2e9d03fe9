"""The tagger: spans lie where the words are, labels and spans are each other's reverse, F1 is strict."""

from __future__ import annotations

import pytest
from tiny_encoder import encoder

from workshop_utils.encoder.classify import held_out
from workshop_utils.encoder.tag import (
    LABELS,
    OTHERS,
    TYPES,
    Passage,
    Span,
    Tagger,
    WordList,
    f1,
    f1_interval,
    find,
    invented,
    labels,
    passages,
    spans_of,
)
from workshop_utils.pocket import words

SETS = {
    "train": passages("train", 150),
    "frames": passages("test", 150),
    "new words": passages("test", 150, new_words=True),
    "invented": invented(150),
}


@pytest.mark.parametrize("name", ["train", "frames", "new words"])
def test_spans_lie_where_the_words_are(name: str) -> None:
    for one in SETS[name]:
        assert one.spans
        for span in one.spans:
            word = one.text[span.start : span.end]
            around = one.text[max(0, span.start - 1) : span.start] + one.text[span.end : span.end + 1]
            assert not any(letter.isalpha() for letter in around), f"{word!r} is a part of a word in {one.text!r}"
            if span.kind == "name":
                assert word in words.PRONOUNS
        told = {word for kind in TYPES for word in one.words(kind)}
        left = find(one.text, {"name": words.PRONOUNS, "animal": (*words.ANIMALS, *words.BIRDS)})
        assert {one.text[span.start : span.end] for span in left} <= told, "a name or an animal was left out"


def test_new_words_are_in_no_training_passage() -> None:
    helpers = {*words.BIRDS, *OTHERS}  # minor characters, which are not drawn for a split
    seen, new = ({w for one in SETS[n] for kind in TYPES for w in one.words(kind)} for n in ("train", "new words"))
    assert not any(held_out(word) for word in seen - helpers)
    assert new - helpers
    assert not (new & seen) - helpers


def test_texts_are_in_one_split() -> None:
    assert not {one.text for one in SETS["train"]} & {one.text for one in SETS["frames"] + SETS["new words"]}


def test_invented_words_replace_every_span() -> None:
    for before, after in zip(passages("test", 150), SETS["invented"], strict=True):
        assert [span.kind for span in sorted(before.spans)] == [span.kind for span in sorted(after.spans)]
        assert not {w for k in TYPES for w in after.words(k)} & {w for k in TYPES for w in before.words(k)}


@pytest.mark.parametrize("name", SETS)
def test_labels_and_spans_are_each_others_reverse(name: str) -> None:
    _, tokenizer = encoder()
    for one in SETS[name]:
        offsets = tokenizer(one.text, return_offsets_mapping=True)["offset_mapping"]
        assert spans_of(labels(one.spans, offsets, one.text), offsets, one.text) == one.spans


def test_two_spans_of_a_kind_side_by_side_stay_two() -> None:
    b, i, o = LABELS.index("B-name"), LABELS.index("I-name"), 0
    text, offsets = "Tom Mia ran", [(0, 1), (1, 3), (3, 7), (7, 11)]
    assert spans_of([b, i, b, o], offsets, text) == {Span(0, 3, "name"), Span(4, 7, "name")}
    assert spans_of([i, i, o, o], offsets, text) == {Span(0, 3, "name")}  # an I that nothing began
    assert spans_of([b, b, i, i], [(0, 0), (0, 3), (3, 7), (0, 0)], text) == {Span(0, 7, "name")}  # [CLS] and [SEP]
    animal = LABELS.index("I-animal")
    assert spans_of([b, o, animal, o], offsets, text) == {Span(0, 3, "name"), Span(4, 7, "animal")}
    assert spans_of([b, animal, o, o], offsets, text) == {Span(0, 3, "name")}  # a word's first token decides
    assert spans_of([o, b, o, o], offsets, text) == frozenset()


def test_a_wrong_boundary_or_kind_does_not_count() -> None:
    wanted = [{Span(0, 3, "name"), Span(10, 20, "object")}]
    assert f1([wanted[0]], wanted) == 1.0
    assert f1([{Span(0, 3, "name"), Span(14, 20, "object")}], wanted) == 0.5
    assert f1([{Span(0, 3, "animal"), Span(10, 20, "object")}], wanted) == 0.5
    assert f1([{Span(0, 3, "name")}], wanted) == 2 / 3
    assert f1([[]], [[]]) == 0.0
    assert f1([[], wanted[0]], wanted * 2) == 2 / 3  # of all texts together, no mean
    assert f1_interval(wanted * 5, wanted * 5) == (1.0, 1.0)


def test_a_word_list_finds_what_it_was_shown_and_nothing_else() -> None:
    known = WordList([Passage("Tom saw a music box.", frozenset((Span(0, 3, "name"), Span(10, 19, "object"))))])
    assert known.find(["A music box for Tom, Tommy and Mia."]) == [{Span(2, 11, "object"), Span(16, 19, "name")}]
    assert WordList([]).find(["Tom"]) == [frozenset()]


def test_a_tagger_learns_what_it_is_shown() -> None:
    model, tokenizer = encoder()
    shown = passages("train", 24)
    tagger = Tagger(model, tokenizer, shown, steps=60, learning_rate=1e-2, batch_size=12)
    assert f1(tagger.find([one.text for one in shown]), [one.spans for one in shown]) > 0.7


def test_held_out_words_are_for_tests() -> None:
    with pytest.raises(ValueError, match="train, or test"):
        passages("train", 1, new_words=True)
