"""The optimisers of `train`."""

from __future__ import annotations

import torch
from torch import Tensor

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT


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
