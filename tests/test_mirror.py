"""The mirror world of lesson 03: its texts keep their rule, and its floor is what the dice are really worth."""

import math
from collections import Counter

import pytest
import torch

from workshop_utils.pocket import mirror


def texts(n: int, seed: int = 0) -> list[str]:
    return [mirror.decode(row) for row in mirror.batch(n, torch.Generator().manual_seed(seed))]


def test_every_drawn_text_is_the_one_that_its_word_and_sign_ask_for():
    for text in texts(300):
        word, sign = text[1:9].lstrip("."), text[9]
        assert text == mirror.text(word, sign)
        assert mirror.SHORTEST <= len(word) <= mirror.FRAME
    assert {text[9] for text in texts(50)} == {"=", ">"}


def test_same_seed_same_texts_other_seed_other_texts():
    assert texts(5, seed=1) == texts(5, seed=1)
    assert texts(5, seed=1) != texts(5, seed=2)


def test_ids_and_characters_are_the_same_text():
    text = mirror.text("Kite")
    assert text == "|....kite>etik...."
    ids = mirror.encode(text)
    assert ids.shape == (mirror.LENGTH,)
    assert mirror.decode(ids) == text
    assert int(ids.max()) < len(mirror.ALPHABET) <= mirror.VOCAB_SIZE
    assert mirror.decode(torch.tensor([mirror.VOCAB_SIZE - 1])) == "?"


@pytest.mark.parametrize("word", ["", "telescope", "o'hara", "zoë"])
def test_a_word_that_does_not_fit_is_a_sentence(word):
    with pytest.raises(ValueError, match="words of 1 to 8 letters"):
        mirror.question(word)


def test_the_floor_is_the_entropy_of_the_drawn_texts():
    """A predictor that knows the dice, and looks the answer up, loses as much as floor() says."""
    shares = [percent / sum(mirror.PERCENT) for percent in mirror.PERCENT]
    lengths = mirror.FRAME - mirror.SHORTEST + 1
    total = 0.0
    drawn = texts(4000)
    for text in drawn:
        word = text[1:9].lstrip(".")
        total += math.log(lengths) + math.log(2) - sum(math.log(shares[mirror.LETTERS.index(c)]) for c in word)
    assert total / len(drawn) / (mirror.LENGTH - 1) == pytest.approx(mirror.floor(), abs=0.02)


def test_letters_come_as_often_as_in_english():
    counts = Counter("".join(text[1:9] for text in texts(3000)).replace(".", ""))
    assert counts["e"] / counts.total() == pytest.approx(0.127, abs=0.01)
    assert counts.most_common(1)[0][0] == "e"
