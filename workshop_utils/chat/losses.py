"""The loss of a model at the trained tokens of conversations: rows -> one batch -> nats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.template import IGNORED, Encoded

if TYPE_CHECKING:
    from torch import Tensor


def batch_of(rows: Sequence[Encoded], pad: int, device: Any = "cpu") -> tuple[Tensor, Tensor, Tensor]:
    """Rows of different lengths as one batch, filled up on the right.

    Args:
        rows: token ids and which of them are trained.
        pad: the id to fill up with.
        device: where to put the tensors.

    Returns:
        ids, attention mask and labels, each (B, T) int64; the label of a token that does not count is -100.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def padded(values: list[list[int]], fill: int) -> Tensor:
        tensors = [torch.tensor(one, device=device) for one in values]
        return pad_sequence(tensors, batch_first=True, padding_value=fill)

    mask = padded([[1] * len(row.ids) for row in rows], 0)
    return padded([row.ids for row in rows], pad), mask, padded([row.labels for row in rows], IGNORED)


def loss_of(model: LanguageModel, rows: Sequence[Encoded]) -> tuple[Tensor, int]:
    """The summed loss of the marked tokens of one batch of rows, in nats, and how many they are."""
    from torch.nn.functional import cross_entropy

    ids, mask, labels = batch_of(rows, model._pad_id(), model.model.device)
    logits = cast(Any, model.model)(input_ids=ids, attention_mask=mask).logits[:, :-1].float()  # (B, T-1, V)
    labels = labels[:, 1:]  # position t predicts token t + 1
    total = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum")
    return total, int((labels != IGNORED).sum())


def reply_loss(model: LanguageModel, rows: Sequence[Encoded], batch_size: int = 8) -> float:
    """The mean loss of the marked tokens, in nats per token: how little a model expected these replies.

    Args:
        model: with or without an adapter.
        rows: from chat.encode or lessons.stoic_run.in_format.
        batch_size: rows at a time.

    Raises:
        ValueError: no token is marked.
    """
    import torch

    with torch.inference_mode():
        found = [loss_of(model, rows[start : start + batch_size]) for start in range(0, len(rows), batch_size)]
    if (n := sum(count for _, count in found)) == 0:
        raise ValueError("no token is marked as one that counts, so there is no loss: look at the mask of a row")
    return sum(float(loss) for loss, _ in found) / n
