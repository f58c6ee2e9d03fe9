"""Is it better? What lesson 09 measures of a model: perplexity, variety, right answers.

Conversations, texts or prompts -> a model -> numbers; where each item has one, intervals.py can compare two models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from workshop_utils.chat import template
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.losses import reply_loss
from workshop_utils.chat.template import Encoded, Messages
from workshop_utils.evaluate.overlap import runs_of, words
from workshop_utils.pocket.chat_types import Chat


@dataclass(frozen=True)
class Perplexity:
    """How well a model predicts texts.

    Attributes:
        perplexity: e to the mean loss of a token: as if it chose among so many tokens each time. Only models with the
            same tokenizer can be compared by it.
        bits_per_byte: its loss in bits over the bytes of the texts: models with different tokenizers can be compared.
        tokens: that were predicted.
        bytes: of the texts in UTF-8.
    """

    perplexity: float
    bits_per_byte: float
    tokens: int
    bytes: int


def reply_perplexity(model: LanguageModel, conversations: Sequence[Messages], batch_size: int = 8) -> Perplexity:
    """How well a model predicts the replies in conversations, and the tokens that end them; the rest is read only.

    Args:
        model: with a chat template; with or without an adapter.
        conversations: messages; the last one is the assistant's.
        batch_size: conversations at a time. It does not change the result, except of a model whose activations are
            quantised by the range of a whole batch: there take 1.

    Returns:
        its bytes are those of the texts that template.encode marks, without the special tokens that end them.

    Raises:
        ValueError: there is none, or one is no conversation or too long; the message names it.

    Source: bits per byte as in EleutherAI's lm-evaluation-harness.
    """
    if not conversations:
        raise ValueError("there are no conversations: without a reply nothing can be measured, give at least one")
    rows = [
        template.encode(model.tokenizer, talk, model.context, row=number) for number, talk in enumerate(conversations)
    ]
    loss = reply_loss(model, rows, batch_size)  # nats per token
    tokens, size = sum(sum(row.trained) for row in rows), sum(_marked_bytes(model, row) for row in rows)
    return Perplexity(math.exp(loss), loss * tokens / math.log(2) / size, tokens, size)


def _marked_bytes(model: LanguageModel, row: Encoded) -> int:
    """The bytes that the marked tokens of a row stand for; a token that ends a turn stands for none."""
    ends = set(template.stop_ids(model.tokenizer))
    marked = [token for token, on in zip(row.ids, row.trained, strict=True) if on and token not in ends]
    text = model.tokenizer.decode(marked, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return len(str(text).encode())


def distinct(texts: Sequence[str], n: int = 2) -> float:
    """The share of different runs of n words among all of all texts: near 0 where every text says the same.

    Args:
        texts: at least one with n words. Compare numbers over equally many texts only: more texts, more repeats.
        n: words in a run.

    Raises:
        ValueError: n is below 1, or no text has n words.

    Source: distinct-n, Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models", 2016.
    """
    runs = [run for text in _runs(texts, n) for run in text]
    return len(set(runs)) / len(runs)


def repetition(texts: Sequence[str], n: int = 4) -> float:
    """The share of runs of n words that occurred before in the same text, on average: near 1 in a loop.

    Args:
        texts: at least one with n words; shorter ones cannot repeat a run and are left out.
        n: words in a run.

    Raises:
        ValueError: n is below 1, or no text has n words.

    Source: seq-rep-n, Welleck et al., "Neural Text Generation with Unlikelihood Training", 2020.
    """
    shares = [1 - len(set(runs)) / len(runs) for runs in _runs(texts, n)]
    return sum(shares) / len(shares)


def _runs(texts: Sequence[str], n: int) -> list[list[tuple[str, ...]]]:
    """All runs of n words of each text that has some."""
    found = [] if isinstance(texts, str) or n < 1 else [runs for text in texts if (runs := runs_of(words(text), n))]
    if not found:
        raise ValueError(f"there is no run of {n} words to count: give a list of texts, some of which have {n} words")
    return found


def questions_right(model: LanguageModel, chats: Sequence[Chat], max_new_tokens: int = 100) -> list[bool]:
    """Ask a model, and say of each reply whether it is right.

    Args:
        model: with a chat template.
        chats: from pocket.quality.prompts("question", n), whose generators know what is true.
        max_new_tokens: of a reply.

    Raises:
        ValueError: a chat is of a kind that nothing can be checked in.
    """
    from workshop_utils.pocket import quality

    made = model.generate([model.chat_ids(one.prompt) for one in chats], max_new_tokens)
    return [quality.answers(one, reply.text) for one, reply in zip(chats, made, strict=True)]
