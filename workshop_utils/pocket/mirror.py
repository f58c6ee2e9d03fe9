"""A world small enough to watch attention at work: a word, a sign, and the word again, as it is or backwards.

Lesson 03 trains on it for seconds. Every text has 18 characters, and every character is a token: "|....kite>etik....".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BEGIN, BLANK, ECHO, MIRROR = "|", ".", "=", ">"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALPHABET = BEGIN + BLANK + ECHO + MIRROR + LETTERS  # 30 characters: the place of each is its id
VOCAB_SIZE = 32  # the alphabet, padded to a multiple of 32
FRAME = 8  # a word has this many places; blanks fill those that it leaves free
SHORTEST = 3  # letters of the shortest word
LENGTH = 2 * FRAME + 2  # the begin sign, the word, the sign, the answer

# How often each letter stands in English text, in percent (Lewand, "Cryptological Mathematics").
PERCENT = (
    8.17, 1.49, 2.78, 4.25, 12.70, 2.23, 2.02, 6.09, 6.97, 0.15, 0.77, 4.03, 2.41,
    6.75, 7.51, 1.93, 0.10, 5.99, 6.33, 9.06, 2.76, 0.98, 2.36, 0.15, 1.97, 0.07,
)  # fmt: skip


def question(word: str, sign: str = MIRROR) -> str:
    """Write the half of a text that asks.

    Args:
        word: up to 8 letters from a to z.
        sign: ">" for backwards, "=" for the same again.

    Returns:
        10 characters, as in "|....kite>".

    Raises:
        ValueError: the word is too long, or holds something that is not in the alphabet.
    """
    word = word.lower()
    strange = sorted(set(word) - set(LETTERS))
    if strange or not 1 <= len(word) <= FRAME:
        raise ValueError(
            f"{word!r} does not fit into this small world: it knows words of 1 to {FRAME} letters, a to z"
            + (f", and not {''.join(strange)!r}" if strange else "")
        )
    return BEGIN + word.rjust(FRAME, BLANK) + sign


def text(word: str, sign: str = MIRROR) -> str:
    """Write a whole text: question and answer, 18 characters, as in "|....kite>etik....".

    Args:
        word: up to 8 letters from a to z.
        sign: ">" for backwards, "=" for the same again.
    """
    asked = question(word, sign)
    frame = asked[1:-1]
    return asked + (frame[::-1] if sign == MIRROR else frame)


def encode(characters: str) -> torch.Tensor:
    """Turn T characters into ids (T,)."""
    import torch

    return torch.tensor([ALPHABET.index(character) for character in characters])


def decode(ids: torch.Tensor) -> str:
    """Turn ids (T,) into T characters; "?" for the two ids that stand for nothing."""
    return "".join(ALPHABET[i] if i < len(ALPHABET) else "?" for i in ids.tolist())


def batch(n: int, generator: torch.Generator) -> torch.Tensor:
    """Draw n texts with random words, as ids (n, 18).

    Args:
        n: number of texts.
        generator: the source of randomness.
    """
    import torch

    first = len(ALPHABET) - len(LETTERS)
    letters = torch.multinomial(torch.tensor(PERCENT), n * FRAME, replacement=True, generator=generator) + first
    length = torch.randint(SHORTEST, FRAME + 1, (n, 1), generator=generator)
    blank = torch.arange(FRAME) < FRAME - length  # (n, 8): the free places stand in front
    word = letters.view(n, FRAME).masked_fill(blank, ALPHABET.index(BLANK))
    sign = ALPHABET.index(ECHO) + torch.randint(0, 2, (n, 1), generator=generator)
    answer = torch.where(sign == ALPHABET.index(MIRROR), word.flip(1), word)
    return torch.cat([torch.zeros(n, 1, dtype=torch.int64), word, sign, answer], dim=1)


def floor() -> float:
    """The best mean loss that is possible, in nats per token: the entropy of length, letters and sign.

    17 tokens of a text are predicted; the 8 of the answer follow from the rest.
    """
    total = sum(PERCENT)
    a_letter = -sum(p / total * math.log(p / total) for p in PERCENT)
    lengths = range(SHORTEST, FRAME + 1)
    entropy = math.log(len(lengths)) + sum(lengths) / len(lengths) * a_letter + math.log(2)
    return entropy / (LENGTH - 1)
