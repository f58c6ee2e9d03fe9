"""The optimisers of `train`, and the schedule of their rates."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT


def rate_share(step: int, config: TrainConfig) -> float:
    """The learning rate of an update, as a share of its peak.

    Args:
        step: updates done before this one, 0 to config.steps - 1.
        config: warm-up, schedule, min_lr_ratio.

    Returns:
        a straight line from 0 to 1 during the warm-up, then down to min_lr_ratio at config.steps, in a straight line
        or along half a cosine; or 1 throughout.
    """
    warmup = max(1, round(config.warmup * config.steps)) if config.warmup else 0
    if step < warmup:
        return step / warmup
    if config.schedule == "constant":
        return 1.0
    done = (step - warmup) / max(1, config.steps - warmup)  # 0 at the end of the warm-up, 1 at the end
    falling = 1 - done if config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return config.min_lr_ratio + (1 - config.min_lr_ratio) * falling


def make_optimizers(model: GPT, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW alone, or Muon for the matrices inside the blocks and AdamW for embeddings, norms and biases.

    Args:
        model: its parameters are grouped: matrices decay towards 0, vectors do not.
        config: rates, betas, weight decay, and which optimiser.

    Returns:
        one or two optimisers; every group remembers its peak rate as "peak".

    Source: Loshchilov and Hutter, arXiv 1711.05101 (AdamW); Jordan et al., kellerjordan.github.io/posts/muon (Muon).
    """
    inside: list[Tensor] = []  # the matrices that Muon is made for
    tables: list[Tensor] = []
    vectors: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            vectors.append(parameter)
        elif config.optimizer == "muon" and name.startswith("transformer.h."):
            inside.append(parameter)
        else:
            tables.append(parameter)
    groups = [{"params": tables, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)
    ]
    if inside:
        optimizers.append(torch.optim.Muon(inside, lr=config.muon_lr, weight_decay=config.weight_decay))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers
