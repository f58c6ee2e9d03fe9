"""Masked language models: hide some tokens of a text, train a model to guess them, and count how often it is right.

Data flow: texts -> rows of ids -> some of them masked -> any AutoModelForMaskedLM -> its guesses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from workshop_utils.encoder.pocket import MAX_LENGTH

IGNORED = -100  # a label that does not count in the loss
SHARE = 0.15


def rows_of(texts: Sequence[str], tokenizer: Any, length: int = MAX_LENGTH) -> Tensor:
    """Texts as rows of ids, cut or padded to one length: (n, length), int64."""
    options = {"truncation": True, "max_length": length, "padding": "max_length", "return_tensors": "pt"}
    return tokenizer(list(texts), **options)["input_ids"]


def masked(
    ids: Tensor, tokenizer: Any, rng: torch.Generator, share: float = SHARE, only_masks: bool = False
) -> tuple[Tensor, Tensor]:
    """Hide tokens for a model to guess: of those chosen, 80% become [MASK], 10% a random token, 10% stay.

    Args:
        ids: (B, T), of which special tokens are never chosen.
        tokenizer: knows the special tokens and [MASK].
        rng: the source of randomness, on the CPU.
        share: of the tokens that are chosen.
        only_masks: every chosen token becomes [MASK], for an evaluation.

    Returns:
        the ids to read, and the labels: (B, T) each, the token where it was chosen, else -100.

    Source: Devlin et al., arXiv 1810.04805 (BERT), appendix A.1; DataCollatorForLanguageModeling draws likewise.
    """
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    chosen = (torch.rand(ids.shape, generator=rng) < share) & ~special
    labels = torch.where(chosen, ids, IGNORED)
    fate = torch.rand(ids.shape, generator=rng)
    to_mask = chosen & ((fate < 0.8) | torch.tensor(only_masks))
    replaced = chosen & ~to_mask & (fate < 0.9)
    random = torch.randint(len(tokenizer), ids.shape, generator=rng)
    read = torch.where(to_mask, tokenizer.mask_token_id, torch.where(replaced, random, ids))
    return read, labels


def train(
    model: Any,
    rows: Tensor,
    tokenizer: Any,
    steps: int,
    *,
    loss: Callable[[Any, Tensor, Tensor, Tensor], Tensor] | None = None,
    batch: int = 8,
    rate: float = 4e-3,
    muon: float = 0.015,
    share: float = SHARE,
    seed: int = 0,
    each_step: Callable[[int, float], bool | None] | None = None,
    seconds: float = math.inf,
) -> list[float]:
    """Train a masked language model: Muon for the matrices inside the layers, AdamW for the rest, warm-up and decay.

    Args:
        model: any AutoModelForMaskedLM.
        rows: as of rows_of; each epoch reads them in another order.
        tokenizer: the model's.
        steps: number of updates.
        loss: of (model, ids read, attention mask, labels); the model's own cross-entropy if None.
        batch: rows of an update.
        rate: peak learning rate of AdamW.
        muon: of Muon; 0 leaves all to AdamW.
        share: of the tokens that are hidden.
        seed: of the order of the rows and of the masks.
        each_step: called with the number of updates done and the loss; what is true ends the training.
        seconds: of the CPU, of all threads; they end the training and set the rate if they pass before the steps do.

    Returns:
        the loss of each update, in nats per chosen token.
    """
    rng = torch.Generator().manual_seed(seed)
    optimizers: list[Any] = _optimizers(model, rate, muon)
    batches, losses, began = _batches(len(rows), batch, rng), list[float](), time.process_time()

    def spent(step: int) -> float:
        return max(step, steps * (time.process_time() - began) / seconds)

    schedule = [torch.optim.lr_scheduler.LambdaLR(one, lambda step: _share(spent(step), steps)) for one in optimizers]
    model.train()
    for step in range(steps):
        if spent(step) >= steps:
            break
        ids = rows[next(batches)]
        read, labels = masked(ids, tokenizer, rng, share)
        attend = (ids != tokenizer.pad_token_id).long()
        read, labels, attend = (one.to(model.device) for one in (read, labels, attend))
        value = (loss or _own_loss)(model, read, attend, labels)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for one in (*optimizers, *schedule):
            one.step()
        model.zero_grad()
        losses.append(value.item())
        if each_step is not None and each_step(step + 1, losses[-1]):
            break
    model.eval()
    return losses


def _own_loss(model: Any, read: Tensor, attend: Tensor, labels: Tensor) -> Tensor:
    return model(input_ids=read, attention_mask=attend, labels=labels).loss


def _share(step: float, steps: int, warmup: float = 0.1) -> float:
    """Of the peak rate at a step: rises to 1 in the warm-up, then falls in a straight line to 0."""
    rising = max(1, round(warmup * steps))
    return (step + 1) / rising if step < rising else max(0, steps - step) / max(1, steps - rising)


def _optimizers(model: Any, rate: float, muon: float) -> list[torch.optim.Optimizer]:
    inside = [p for name, p in model.named_parameters() if muon and p.dim() == 2 and ".layer" in name]
    of_muon = {id(p) for p in inside}
    rest = [p for p in model.parameters() if id(p) not in of_muon]
    made: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)]
    return [*made, torch.optim.Muon(inside, lr=muon, weight_decay=0.05)] if inside else made


def _batches(n: int, batch: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Numbers of rows, epoch after epoch, each in another order."""
    while True:
        yield from torch.randperm(n, generator=rng).split(batch)


@torch.no_grad()
def accuracy(model: Any, rows: Tensor, tokenizer: Any, seed: int = 0, batch: int = 32) -> list[float]:
    """For each row the share of its hidden tokens (15%, all as [MASK]) at which the right one is the likeliest.

    Args:
        model: any AutoModelForMaskedLM.
        rows: as of rows_of, best held out.
        tokenizer: the model's.
        seed: of the tokens that are hidden: equal for all models that are compared.
        batch: rows at once.
    """
    rng = torch.Generator().manual_seed(seed)
    shares = []
    for ids in rows.split(batch):
        read, labels = masked(ids, tokenizer, rng, only_masks=True)
        attend = (ids != tokenizer.pad_token_id).long()
        logits = model(input_ids=read.to(model.device), attention_mask=attend.to(model.device)).logits
        right = logits.argmax(-1).cpu() == labels
        for row, hidden in zip(right, labels != IGNORED, strict=True):
            shares += [float(row[hidden].float().mean())] if hidden.any() else []
    return shares


@torch.no_grad()
def fill(model: Any, tokenizer: Any, text: str, k: int = 5) -> list[tuple[str, float]]:
    """The k likeliest tokens for the first [MASK] of a text, each with its probability.

    Args:
        model: any AutoModelForMaskedLM.
        tokenizer: the model's.
        text: write the mask as the tokenizer does, `tokenizer.mask_token`.
        k: how many.

    Raises:
        ValueError: there is no mask in the text.
    """
    inputs = tokenizer(text, return_tensors="pt").to(model.device)
    holes = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()
    if not len(holes):
        raise ValueError(f"there is no {tokenizer.mask_token} in {text!r}: put one where a token is to be guessed")
    chances = model(**inputs).logits[0, holes[0, 0]].float().softmax(-1).topk(k)
    return [(tokenizer.decode([i]), p) for i, p in zip(chances.indices.tolist(), chances.values.tolist(), strict=True)]
