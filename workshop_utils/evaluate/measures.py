"""Is it better? What lesson 09 measures of a model: perplexity, variety, right answers, leaks.

Texts, conversations or prompts -> a model -> numbers with an item each, which intervals.py can compare in pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat import template as chat
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.losses import batch_of
from workshop_utils.chat.template import IGNORED, Encoded
from workshop_utils.evaluate.overlap import Exchange, overlaps, words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from workshop_utils.pocket.chat_types import Chat

LONGEST = 1024  # tokens of a window unless told: the bets on a vocabulary of 256,000 fill a gigabyte at this length
SEPARATOR = "<|endoftext|>"  # what begins a text for families without a beginning-of-sequence token, Qwen and GPT-2


# --- surprise


@dataclass(frozen=True)
class Perplexity:
    """How surprised a model was by texts.

    Attributes:
        nats: its surprise at all tokens together.
        perplexity: e to the mean surprise of a token: as if it chose among so many tokens each time. Only models with
            the same tokenizer can be compared by it.
        bits_per_byte: its surprise in bits over the bytes of the texts: tokenizers can be compared by it.
        tokens: that were predicted.
        bytes: of the texts in UTF-8.
        each: the mean surprise of a token in each text, in nats, for intervals.bootstrap and intervals.paired.
    """

    nats: float
    perplexity: float
    bits_per_byte: float
    tokens: int
    bytes: int
    each: list[float] = field(repr=False, default_factory=list)

    def __str__(self) -> str:
        return (
            f"perplexity {self.perplexity:.4g} a token, {self.bits_per_byte:.4f} bits a byte "
            f"({self.tokens:,} tokens, {self.bytes:,} bytes)"
        )


def perplexity(
    model: LanguageModel,
    texts: Sequence[str],
    context: int | None = None,
    stride: int | None = None,
    batch_size: int = 8,
) -> Perplexity:
    """How surprised a model is by plain texts: every token is predicted once, the first one from the BOS token alone.

    A text that is longer than the context is read in windows. Each begins stride tokens after the one before and
    predicts only the tokens that are new in it, so each token has at least context - stride tokens of the past before
    it, where there are so many. A smaller stride is nearer to the truth, and slower.

    Args:
        model: with or without an adapter.
        texts: plain, without a chat template. A BOS token that is already written in front is not repeated.
        context: tokens that it looks at, at most; None for all it can, but not more than 1,024.
        stride: tokens from one window to the next, 1 to context; half the context if None.
        batch_size: windows at a time. It does not change the result, except of a model whose activations are quantised
            by the range of a whole batch: there take 1.

    Raises:
        ValueError: a text is empty, context or stride do not fit, or the tokenizer has no token to begin a text with.

    Source: the sliding window of transformers' page "Perplexity of fixed-length models"; for models without a BOS
    token the one that separates documents, as in EleutherAI's lm-evaluation-harness.
    """
    _check_texts(texts)
    context = min(model.context, LONGEST) if context is None else context
    if not 1 <= context <= model.context:
        raise ValueError(
            f"context is {context}, and {model.name} looks at 1 to {model.context} tokens: it never learnt the places "
            "beyond, choose a context among these"
        )
    stride = max(1, context // 2) if stride is None else stride
    if not 1 <= stride <= context:
        raise ValueError(
            f"stride is {stride} and context is {context}: with a larger stride than context some tokens would never "
            "be predicted, choose 1 to context"
        )
    begin = _begin_id(model)
    bos = str(model.tokenizer.bos_token or "")
    plain = [text.removeprefix(bos) for text in texts]
    windows, owners = [], []
    for number, text in enumerate(plain):
        ids = list(model.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
        if not ids:
            raise ValueError(f"text {number} is empty: there is nothing to predict in it, leave it out")
        for window in _windows([begin, *ids], context, stride):
            windows.append(window)
            owners.append(number)
    return _perplexity(model, windows, owners, [len(text.encode()) for text in plain], batch_size)


def reply_perplexity(model: LanguageModel, conversations: Sequence[chat.Messages], batch_size: int = 8) -> Perplexity:
    """How surprised a model is by the replies in conversations, with the tokens that end them; the rest is read only.

    Args:
        model: with a chat template.
        conversations: messages; the last one is the assistant's.
        batch_size: conversations at a time, as in perplexity.

    Returns:
        its bytes are those of the texts that chat.encode marks, without the special tokens that end them.

    Raises:
        ValueError: there is none, or one is no conversation or too long; the message names it.
    """
    if not conversations:
        raise ValueError("there are no conversations: without a reply nothing can be measured, give at least one")
    rows = [chat.encode(model.tokenizer, talk, model.context, row=number) for number, talk in enumerate(conversations)]
    sizes = [_marked_bytes(model.tokenizer, row) for row in rows]
    return _perplexity(model, rows, range(len(rows)), sizes, batch_size)


def _marked_bytes(tokenizer: PreTrainedTokenizerBase, row: Encoded) -> int:
    """The bytes that the marked tokens of a row stand for; a token that ends a turn stands for none."""
    ends = set(chat.stop_ids(tokenizer))
    marked = [token for token, on in zip(row.ids, row.trained, strict=True) if on and token not in ends]
    text = tokenizer.decode(marked, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return len(str(text).encode())


def _check_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise ValueError("texts is one text, and would be read letter by letter: put it into a list, [text]")
    if not len(texts):
        raise ValueError("there are no texts: without one nothing can be measured, give at least one")


def _begin_id(model: LanguageModel) -> int:
    """The token that a text begins with: BOS, or what parts documents where a family has none."""
    tokenizer = model.tokenizer
    for found in (tokenizer.bos_token_id, tokenizer.get_vocab().get(SEPARATOR), tokenizer.eos_token_id):
        if found is not None:
            return int(found)
    raise ValueError(
        f"the tokenizer of {model.name} has no token to begin a text with (no BOS, {SEPARATOR} or EOS), so the first "
        "token cannot be predicted: set its bos_token"
    )


def _windows(ids: Sequence[int], context: int, stride: int) -> list[Encoded]:
    """Cut a text into windows of at most context tokens to read and one more to predict; what is new is marked."""
    found, done = [], 1  # the first token is given
    for start in range(0, len(ids), stride):
        end = min(start + context + 1, len(ids))
        found.append(Encoded(list(ids[start:end]), [at >= done for at in range(start, end)]))
        done = end
        if end == len(ids):
            break
    return found


def _perplexity(
    model: LanguageModel, rows: Sequence[Encoded], owners: Sequence[int], sizes: Sequence[int], batch_size: int
) -> Perplexity:
    """Add up the surprise of rows, each of which belongs to the item whose number is in owners."""
    nats: list[list[float]] = [[] for _ in sizes]
    tokens = [0] * len(sizes)
    for owner, row, surprise in zip(owners, rows, _surprise(model, rows, batch_size), strict=True):
        nats[owner].append(surprise)
        tokens[owner] += sum(row.trained)
    total = math.fsum(surprise for parts in nats for surprise in parts)
    each = [math.fsum(parts) / n for parts, n in zip(nats, tokens, strict=True)]
    bits = total / math.log(2) / sum(sizes)
    return Perplexity(total, math.exp(total / sum(tokens)), bits, sum(tokens), sum(sizes), each)


def _surprise(model: LanguageModel, rows: Sequence[Encoded], batch_size: int) -> list[float]:
    """The summed surprise of each row at its marked tokens, in nats."""
    import torch
    from torch.nn.functional import cross_entropy

    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: at least one row must be read at a time")
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].ids))  # rows of one length together: little padding
    found = [0.0] * len(rows)
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size]
        ids, mask, labels = batch_of([rows[i] for i in numbers], model._pad_id(), model.model.device)
        with torch.inference_mode():
            # The last token is never read: nothing after it is predicted, and a full window would not fit.
            logits = cast(Any, model.model)(input_ids=ids[:, :-1], attention_mask=mask[:, :-1]).logits  # (B, T, V)
            for place, i in enumerate(numbers):  # one row at a time: in float32 a large vocabulary is heavy
                wanted = labels[place, 1:]
                loss = cross_entropy(logits[place].float(), wanted, ignore_index=IGNORED, reduction="none")
                found[i] = float(loss.double().sum())
    return found


# --- variety and right answers


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
    """The share of runs of n words that have stood in the same text before, on average: near 1 in a loop.

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
    _check_texts(texts)
    if n < 1:
        raise ValueError(f"n is {n}: a run has at least one word")
    said = [words(text) for text in texts]
    found = [[tuple(one[at : at + n]) for at in range(len(one) - n + 1)] for one in said if len(one) >= n]
    if not found:
        raise ValueError(
            f"none of the {len(texts)} texts has {n} words, so there is nothing to count: take a smaller n"
        )
    return found


def questions_right(
    model: LanguageModel, chats: Sequence[Chat], max_new_tokens: int = 100, **options: Any
) -> list[bool]:
    """Ask a model, and say of each reply whether it is right.

    Args:
        model: with a chat template.
        chats: from pocket.quality.prompts("question", n), whose generators know what is true.
        max_new_tokens: of a reply.
        options: temperature, top_k, top_p, seed, batch_size, as in LanguageModel.generate.

    Raises:
        ValueError: a chat is of a kind that nothing can be checked in.
    """
    from workshop_utils.pocket import quality

    made = model.generate([model.chat_ids(one.prompt) for one in chats], max_new_tokens, **options)
    return [quality.answers(one, reply.text) for one, reply in zip(chats, made, strict=True)]


def leakage(train: Sequence[str | Exchange], test: Sequence[str | Exchange], n: int = 6) -> list[str]:
    """Find what a model may have seen before it was tested: a sentence for each run of words on both sides.

    Args:
        train: texts, or exchanges such as the pairs of the Stoic set.
        test: the same.
        n: words in a row that are too many in common.

    Returns:
        nothing where all is well.

    Raises:
        ValueError: n is below 2.

    Source: overlap.overlaps.
    """
    return [
        f"training row {i} and test row {j} share {shorten(run, 80, placeholder=' ...')!r}: a good result there may be "
        "remembered, take one of them out"
        for i, j, run in overlaps(train, test, n)
    ]
