"""What a model loses at the trained tokens of conversations: rows -> one batch -> nats."""

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

    width = max(len(row.ids) for row in rows)
    gaps = [width - len(row.ids) for row in rows]
    ids = [row.ids + [pad] * gap for row, gap in zip(rows, gaps, strict=True)]
    mask = [[1] * len(row.ids) + [0] * gap for row, gap in zip(rows, gaps, strict=True)]
    labels = [row.labels + [IGNORED] * gap for row, gap in zip(rows, gaps, strict=True)]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device), torch.tensor(labels, device=device)


def loss_of(model: LanguageModel, rows: Sequence[Encoded]) -> tuple[Tensor, int]:
    """The summed loss of one batch over the marked tokens, in nats, and how many they are.

    Args:
        model: with or without an adapter.
        rows: of one batch.
    """
    from torch.nn.functional import cross_entropy

    ids, mask, labels = batch_of(rows, model._pad_id(), model.model.device)
    logits = cast(Any, model.model)(input_ids=ids, attention_mask=mask).logits.float()  # (B, T, V)
    # place t predicts token t + 1
    total = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED, reduction="sum")
    return total, int((labels[:, 1:] != IGNORED).sum())


def reply_loss(model: LanguageModel, rows: Sequence[Encoded], batch_size: int = 8) -> float:
    """How surprised a model is by replies: the mean loss of the marked tokens, in nats a token.

    Args:
        model: with or without an adapter.
        rows: from chat.encode or lessons.stoic_run.in_format.
        batch_size: rows at a time.

    Raises:
        ValueError: no token is marked.
    """
    import torch

    total, n = 0.0, 0
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            loss, count = loss_of(model, rows[start : start + batch_size])
            total, n = total + float(loss), n + count
    if n == 0:
        raise ValueError("no token is marked as one that counts, so there is no loss: look at the mask of a row")
    return total / n
