"""A small head on a pretrained encoder, and the loop that trains both: texts -> hidden states -> scores per class.

One linear layer reads either the mean of a text's hidden states (a class for the text, an embedding) or each of them
(a class for each token). classify.py, tag.py and search.py use it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCH = 32


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean of the hidden states of the real tokens; padding counts for nothing.

    Args:
        hidden: (B, T, C).
        mask: (B, T), 1 for a token and 0 for padding.

    Returns:
        (B, C).
    """
    weights = mask.unsqueeze(-1).to(hidden.dtype)  # (B, T, 1)
    return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)


class WithHead(nn.Module):
    """An encoder with a linear layer on top.

    Attributes:
        encoder: of transformers, such as BertModel; trained along with the head.
        head: from hidden states to a score for each class.
        per_token: whether each token gets scores, or the text as a whole.
    """

    def __init__(self, encoder: nn.Module, n_classes: int, per_token: bool = False, seed: int = 0) -> None:
        super().__init__()
        self.encoder, self.per_token = encoder, per_token
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(int(cast(Any, encoder).config.hidden_size), n_classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Scores: (B, n_classes), or (B, T, n_classes) per token."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # (B, T, C)
        return cast(Tensor, self.head(hidden if self.per_token else mean_pool(hidden, attention_mask)))


def padded(rows: Sequence[Sequence[int]], filler: int) -> Tensor:
    """Rows of numbers, filled up to the longest: (B, T)."""
    width = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (width - len(row))] for row in rows])


def inputs(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int, device: Any) -> dict[str, Tensor]:
    """The token ids and the mask of some texts, cut at max_length tokens."""
    ids = cast(Any, tokenizer)(list(texts), truncation=True, max_length=max_length)["input_ids"]
    found = {
        "input_ids": padded(ids, cast(Any, tokenizer).pad_token_id or 0),
        "attention_mask": padded([[1] * len(row) for row in ids], 0),
    }
    return {name: values.to(device) for name, values in found.items()}


def by_length(texts: Sequence[str], batch_size: int = BATCH) -> Iterator[list[int]]:
    """The numbers of all texts in batches of like lengths, so that little padding is computed."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    return (order[start : start + batch_size] for start in range(0, len(order), batch_size))


def fit(
    model: nn.Module,
    n: int,
    loss_of: Callable[[list[int]], Tensor],
    steps: int,
    learning_rate: float,
    batch_size: int = BATCH,
    seed: int = 0,
) -> list[float]:
    """Train a model on random batches of n examples: AdamW, the rate climbs for a tenth of the steps, then falls to 0.

    Args:
        model: in place.
        n: number of examples.
        loss_of: the loss on the examples with these numbers.
        steps: updates.
        learning_rate: at its peak.
        batch_size: examples in an update.
        seed: of the order of the examples, and of dropout.

    Returns:
        the loss before each update.
    """
    rng, losses, order = random.Random(seed), [], list[int]()
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=0.01)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=max(2, steps), pct_start=0.1)
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(steps):
            if len(order) < batch_size:  # every example once before any comes again
                order += rng.sample(range(n), n)
            batch, order = order[:batch_size], order[batch_size:]
            loss = loss_of(batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            rates.step()
            losses.append(loss.item())
    model.eval()
    return losses
