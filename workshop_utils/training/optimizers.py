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
    vectors, tables, inside = list[Tensor](), list[Tensor](), list[Tensor]()  # inside: for Muon
    for name, parameter in model.named_parameters():
        muon = config.optimizer == "muon" and name.startswith("transformer.h.")
        (vectors if parameter.dim() < 2 else inside if muon else tables).append(parameter)
    groups = [{"params": tables, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)
    optimizers: list[torch.optim.Optimizer] = [adamw]
    if inside:
        optimizers.append(torch.optim.Muon(inside, lr=config.muon_lr, weight_decay=config.weight_decay))

    def only_finite(*_: object) -> None:
        """Where one optimiser's gradients overflow, clipping by the common length makes the other's NaN: they are 0."""
        for gradient in (p.grad for p in model.parameters() if p.grad is not None):
            gradient.nan_to_num_(0.0, 0.0, 0.0)

    for optimizer in optimizers:
        if inside and config.dtype == "float16":
            optimizer.register_step_pre_hook(only_finite)
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optimizers
