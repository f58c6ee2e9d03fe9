"""How a trained model writes: draw a token from its probabilities, append it, ask again.

The second half of lesson 03 and the end of lesson 04. A key/value cache makes each new token cost one position.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from workshop_utils.kernels.decoding import fixed_step
from workshop_utils.kernels.graphs import worth_recording

if TYPE_CHECKING:
    import tiktoken

    from workshop_utils.gpt.model import GPT

COLDEST = 1e-6  # scores divided by less leave float32's range


def check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Refuse settings that nothing could be drawn with.

    Raises:
        ValueError: temperature neither 0 nor from COLDEST on, top_k below 1, or top_p outside (0, 1].
    """
    if temperature != 0 and not COLDEST <= temperature < math.inf:
        raise ValueError(f"temperature is {temperature}: choose 0 (always the likeliest token) or {COLDEST:g} or more")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}: at least one token must be left to draw from; None leaves all")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}: choose a probability above 0, up to 1")


def reshape(logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> Tensor:
    """Change the probabilities before a token is drawn: temperature first, then top-k, then top-p.

    Args:
        logits: scores (B, vocab_size).
        temperature: divides the scores; 0 leaves only the likeliest token.
        top_k: only the k likeliest tokens are left.
        top_p: only the likeliest tokens that together reach this probability are left (nucleus sampling).

    Returns:
        (B, vocab_size) scores in float32; their softmax is drawn from, and what was cut off is minus infinity.

    Raises:
        ValueError: as in check_sampling.

    Source: Fan et al., arXiv 1805.04833 (top-k); Holtzman et al., arXiv 1904.09751 (top-p). The order is that of
        transformers' generate.
    """
    check_sampling(temperature, top_k, top_p)
    if temperature == 0:
        likeliest = logits.argmax(dim=-1, keepdim=True)
        return torch.full_like(logits, float("-inf"), dtype=torch.float32).scatter(-1, likeliest, 0.0)
    scores = logits.float() / temperature
    if top_k is not None and top_k < scores.size(-1):
        scores = scores.masked_fill(scores < scores.topk(top_k).values[:, -1:], float("-inf"))
    if top_p is not None and top_p < 1:
        ranked, order = scores.softmax(dim=-1).sort(dim=-1, descending=True)
        cut = ranked.cumsum(dim=-1) - ranked >= top_p  # the first one always stays
        scores = scores.masked_fill(torch.zeros_like(cut).scatter(1, order, cut), float("-inf"))
    return scores


def sample_next(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw the next token of every row.

    Args:
        logits: scores (B, vocab_size).
        temperature: as in reshape; 0 takes the likeliest token.
        top_k: as in reshape.
        top_p: as in reshape.
        generator: source of the random numbers.

    Returns:
        (B,) token ids.

    Raises:
        ValueError: as in check_sampling, or the scores are not finite.
    """
    if not math.isfinite(logits.amax(dim=-1).sum(dtype=torch.float32)):
        raise ValueError(
            "the model's scores are not finite: its weights are broken, as after a training that diverged. Load an "
            "earlier checkpoint, or train again with a smaller learning_rate"
        )
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = reshape(logits, temperature, top_k, top_p).softmax(dim=-1)  # (B, vocab_size)
    return torch.multinomial(probs, num_samples=1, generator=generator).squeeze(1)


def stream(
    model: GPT,
    idx: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_token: int | None = None,
    generator: torch.Generator | None = None,
    use_cache: bool = True,
    fixed: bool | None = None,
) -> Iterator[Tensor]:
    """Continue every row of idx one token at a time, for showing text as it appears.

    Args:
        model: a trained GPT.
        idx: prompts (B, T), all of one length, T at least 1. Only the last block_size tokens are seen.
        max_new_tokens: how many tokens to add at most.
        temperature: above 1 bolder, below 1 more careful, 0 always the likeliest token (greedy).
        top_k: draw among the k likeliest tokens only.
        top_p: draw among the likeliest tokens that together have this probability.
        stop_token: a row that draws it stops, and goes on yielding it until all rows have stopped.
        generator: source of the random numbers, on the model's device; the same state gives the same text.
        use_cache: keep keys and values of earlier positions. The text is the same, only faster.
        fixed: keep them in tensors of fixed size, which a GPU replays as one CUDA graph; None does so on a GPU. False
            for a forward pass that prints or counts, since a graph runs no Python.

    Yields:
        (B,) the next token of every row.

    Raises:
        ValueError: an argument is out of range.
    """
    if idx.dim() != 2 or idx.size(1) == 0:
        raise ValueError(f"the prompt has shape {tuple(idx.shape)}: make it (batch, tokens), with at least one token")
    block_size = model.config.block_size
    cache, step, length = model.empty_cache() if use_cache else None, None, 0
    idx = new = idx[:, -block_size:]
    stopped = torch.zeros(idx.size(0), dtype=torch.bool, device=idx.device)
    was_training = model.training
    model.eval()
    try:
        for i in range(max_new_tokens):
            with torch.inference_mode():  # no_grad without its bookkeeping: in a small model a tenth of the time
                if cache is not None and length + new.size(1) <= block_size:
                    if i == 1 and (fixed or (fixed is None and worth_recording(model, new.device, max_new_tokens))):
                        step = fixed_step(lambda token, layers: model(token, cache=layers)[0], cache)
                    logits = step(new) if step is not None else model(new, cache=cache)[0]  # (B, 1, vocab_size)
                    length += new.size(1)
                else:  # the window is full and slides, so every position changes and nothing cached is valid
                    cache = None
                    logits, _ = model(idx)
                next_id = sample_next(logits[:, -1], temperature, top_k, top_p, generator)  # (B,)
                if stop_token is not None:
                    next_id = next_id.masked_fill(stopped, stop_token)
                    stopped = stopped | (next_id == stop_token)
                new = next_id[:, None]
                idx = torch.cat((idx, new), dim=1)[:, -block_size:]
            yield next_id.clone()  # what inference mode makes cannot be trained on, a copy made outside of it can
            if stop_token is not None and stopped.all():
                return
    finally:
        model.train(was_training)


def generate_text(
    model: GPT,
    encoding: tiktoken.Encoding,
    prompt: str = "",
    max_new_tokens: int = 200,
    temperature: float = 0.8,
    top_k: int | None = None,
    seed: int = 0,
    n: int = 1,
    document_start: bool = True,
) -> list[str]:
    """Write n texts that begin with the prompt.

    Args:
        model: a trained GPT.
        encoding: the tokenizer that it was trained with.
        prompt: how the text begins; may be empty. A blank at its end is left to the first token that is drawn: in the
            training text a word's token brings its own blank, and behind a blank alone no word ever stood.
        max_new_tokens: tokens to add at most; a text also ends at the end-of-text token.
        temperature: as in `stream`.
        top_k: as in `stream`.
        seed: of the random numbers; the same seed gives the same texts.
        n: how many texts, written side by side as one batch.
        document_start: put the end-of-text token in front, as training did: "a new document begins here".

    Returns:
        n texts, prompt included, end-of-text token not.

    Raises:
        ValueError: the prompt is empty and document_start is False, or the tokenizer has more tokens than the model.
    """
    if encoding.n_vocab > model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {encoding.n_vocab} tokens and the model {model.config.vocab_size}: it was trained with "
            "another one. Load the tokenizer that lies beside the checkpoint"
        )
    moved = prompt.endswith(" ") and max_new_tokens > 0 and (document_start or prompt != " ")
    read = prompt[:-1] if moved else prompt
    start = ([encoding.eot_token] if document_start else []) + encoding.encode_ordinary(read)
    if not start:
        raise ValueError("the prompt is empty: give at least one character, or document_start=True")
    device = model.lm_head.weight.device
    options: dict[str, Any] = {"temperature": temperature, "top_k": top_k}
    options["generator"] = torch.Generator(device=device).manual_seed(seed)
    idx = torch.tensor([start] * n, device=device)  # (n, T)
    if moved:
        first = sample_next(_with_blank(model, idx, encoding), **options)
        idx = torch.cat((idx, first[:, None]), dim=1)
    out = model.generate(idx, max_new_tokens - moved, stop_token=encoding.eot_token, **options)
    texts = []
    for row in out[:, len(start) :].tolist():
        row = row[: row.index(encoding.eot_token)] if encoding.eot_token in row else row
        texts.append(read + encoding.decode([token for token in row if token < encoding.n_vocab]))
    return texts


@torch.no_grad()
def _with_blank(model: GPT, idx: Tensor, encoding: tiktoken.Encoding) -> Tensor:
    """Scores (B, vocab_size) of the next token, minus infinity for all that do not begin with a blank."""
    blanks = [encoding.encode_single_token(token) for token in encoding.token_byte_values() if token.startswith(b" ")]
    was_training = model.training
    model.eval()
    logits = model(idx[:, -model.config.block_size :])[0][:, -1]
    model.train(was_training)
    only = torch.full_like(logits, float("-inf"))
    only[:, blanks] = logits[:, blanks]
    return only
