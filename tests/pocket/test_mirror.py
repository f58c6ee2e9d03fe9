"""The mirror world of lesson 03: its texts keep their rule, and its floor is the entropy of what is drawn."""

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
    assert texts(5, seed=1) != texts(5, seed=2)


def test_ids_and_characters_are_the_same_text():
    text = mirror.text("Kite")
    assert text == "|....kite>etik...."
    ids = mirror.encode(text)
    assert mirror.decode(ids) == text
    assert int(ids.max()) < len(mirror.ALPHABET) <= mirror.VOCAB_SIZE
    assert mirror.decode(torch.tensor([mirror.VOCAB_SIZE - 1])) == "?"


@pytest.mark.parametrize("word", ["", "telescope", "o'hara", "zoë"])
def test_a_word_that_does_not_fit_is_a_sentence(word):
    with pytest.raises(ValueError, match="words of 1 to 8 letters"):
        mirror.question(word)


def test_the_floor_is_the_entropy_of_the_drawn_texts():
    """A predictor that knows the generator, and looks the answer up, loses as much as floor() says."""
    shares = [percent / sum(mirror.PERCENT) for percent in mirror.PERCENT]
    lengths = mirror.FRAME - mirror.SHORTEST + 1
    words = [text[1:9].lstrip(".") for text in texts(4000)]
    nats = [-math.log(shares[mirror.LETTERS.index(letter)]) for word in words for letter in word]
    mean = math.log(lengths) + math.log(2) + sum(nats) / len(words)
    assert mean / (mirror.LENGTH - 1) == pytest.approx(mirror.floor(), abs=0.02)
    counts = Counter("".join(words))
    assert counts["e"] / counts.total() == pytest.approx(0.127, abs=0.01)
