"""The kinds of text: splits without overlap, a baseline that sees no order, and a classifier that can be trained."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from tiny_encoder import encoder

from workshop_utils.encoder import classify
from workshop_utils.encoder.classify import Classifier, Labelled, bag_of_words, hits, kinds
from workshop_utils.encoder.heads import mean_pool


def test_every_kind_comes_equally_often_and_no_text_is_in_both_splits() -> None:
    trained, tested = kinds("train", 400), kinds("test", 400)
    for some in (trained, tested):
        assert Counter(one.label for one in some) == dict.fromkeys(classify.KINDS, 100)
    assert not {one.text for one in trained} & {one.text for one in tested}


def test_the_plots_of_the_stories_belong_to_one_split() -> None:
    assert not set(classify.TRAINED_PLOTS) & set(classify.HELD_OUT_PLOTS)
    assert min(len(classify.TRAINED_PLOTS), len(classify.HELD_OUT_PLOTS)) >= 5


def test_wordings_of_letters_belong_to_one_split() -> None:
    said = {split: {one.text for one in kinds(split, 400) if one.label == "letter"} for split in ("train", "test")}
    # the line above the name: what a letter ends with
    byes = {split: {text.split("\n")[-2] for text in some} for split, some in said.items()}
    assert byes["train"]
    assert byes["test"]
    assert not byes["train"] & byes["test"]


def test_a_split_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="train or test"):
        kinds("val", 4)
    with pytest.raises(ValueError, match="ask for 0 to"):
        kinds("test", 4000)


def test_hits_of_a_bag_of_words_are_counted_right() -> None:
    easy = [Labelled("red sun", "a"), Labelled("blue moon", "b")] * 3
    model = bag_of_words(easy)
    assert hits(model, [Labelled("red", "a"), Labelled("moon", "b"), Labelled("sun", "b")]) == [True, True, False]


def test_padding_counts_for_nothing_in_the_mean() -> None:
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [100.0, 100.0]]])
    assert mean_pool(hidden, torch.tensor([[1, 1, 0]])).tolist() == [[2.0, 3.0]]


def test_a_classifier_learns_what_it_is_shown_and_is_the_same_again() -> None:
    examples = kinds("train", 40)
    made = []
    for _ in range(2):
        model, tokenizer = encoder()
        made.append(Classifier(model, tokenizer, examples, steps=30, learning_rate=3e-3, batch_size=16))
    assert sum(hits(made[0], examples)) >= 36
    assert made[0].losses == made[1].losses
