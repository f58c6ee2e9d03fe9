"""Distillation: a student of half the depth learns from a teacher's probabilities and hidden states.

Source: Hinton et al., arXiv 1503.02531; Sanh et al., arXiv 1910.01108 (DistilBERT), whose three losses these are.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

TEMPERATURE = 2.0
WEIGHTS = (5.0, 2.0, 1.0)  # of KL, masked language modelling and cosine, as in DistilBERT's training script


def half(teacher: Any, copied: bool = True) -> Any:
    """A model like the teacher with every other layer: the first, the third, ...

    Args:
        teacher: a masked language model of transformers whose parameters are called `...layer.3...` or `...layers.3...`
        copied: start from the teacher's weights; else from fresh ones, drawn from torch's global generator.
    """
    from transformers import AutoModelForMaskedLM

    config = copy.deepcopy(teacher.config)
    config.num_hidden_layers = (config.num_hidden_layers + 1) // 2
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[::2]
    student = AutoModelForMaskedLM.from_config(config)
    if copied:
        kept = {}
        for name, tensor in teacher.state_dict().items():
            number = re.search(r"(?<=\.layer\.)\d+|(?<=\.layers\.)\d+", name)
            if number is None or int(number[0]) % 2 == 0:
                new = f"{name[: number.start()]}{int(number[0]) // 2}{name[number.end() :]}" if number else name
                kept[new] = tensor
        student.load_state_dict(kept)
    return student.to(teacher.device)


def distillation_loss(
    student: Any,
    teacher: Any,
    read: Tensor,
    attend: Tensor,
    labels: Tensor,
    temperature: float = TEMPERATURE,
    weights: tuple[float, float, float] = WEIGHTS,
) -> Tensor:
    """Three losses in one: the teacher's probabilities, the hidden tokens, and the direction of the hidden states.

    Args:
        student: the model to train.
        teacher: the model to learn from; no gradient reaches it.
        read: (B, T), ids with some masked.
        attend: (B, T), 1 where there is text.
        labels: (B, T), the hidden tokens, else -100.
        temperature: the logits of both are divided by it before the softmax.
        weights: of the three.

    Returns:
        the weighted mean: KL x temperature^2 and cross-entropy at the hidden tokens, in nats, and 1 - cosine of the
        last hidden states, over all tokens.
    """
    inputs = {"input_ids": read, "attention_mask": attend, "output_hidden_states": True}
    with torch.no_grad():
        taught = teacher(**inputs)
    said = student(**inputs)
    hidden, text = labels != -100, attend.bool()
    logits, targets = said.logits[hidden], taught.logits[hidden]
    soft = (
        functional.kl_div(
            (logits / temperature).log_softmax(-1),
            (targets / temperature).log_softmax(-1),
            reduction="batchmean",
            log_target=True,
        )
        * temperature**2
    )
    hard = functional.cross_entropy(logits, labels[hidden])
    alike = functional.cosine_similarity(said.hidden_states[-1][text], taught.hidden_states[-1][text], dim=-1).mean()
    parts = (soft, hard, 1 - alike)
    return sum(w * part for w, part in zip(weights, parts, strict=True)) / sum(weights)  # type: ignore[return-value]
