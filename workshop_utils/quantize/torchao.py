"""Torchao's ways to eight and four bits: weights only, dynamic, static after calibration, and trained.

All of them change the linear layers inside the blocks in place; the head and the embedding table stay as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

GROUP = 32  # neighbours that share a scale in int4, as in GGUF's Q4_0
QAT_BATCH = 8  # rows in one step


@contextmanager
def quiet() -> Iterator[None]:
    """No lines about kernels for GPUs that are not here: torchao logs them while it is imported."""
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def block_linears(model: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers inside the blocks, by name; the head is left out."""
    head = cast(Any, model).get_output_embeddings()
    found = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear) and m is not head}
    if not found:
        raise ValueError(f"{type(model).__name__} has no nn.Linear inside its blocks: torchao has nothing to quantise")
    return found


def weight_only(model: nn.Module) -> None:
    """Int8 weights with a scale for each output; the products are made in floats."""
    with quiet():
        from torchao.quantization import Int8WeightOnlyConfig

        _apply(model, Int8WeightOnlyConfig(set_inductor_config=False))


def dynamic(model: nn.Module) -> None:
    """Int8 weights, and int8 inputs, their scale taken from each token while the model runs."""
    with quiet():
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig

        _apply(model, Int8DynamicActivationInt8WeightConfig(set_inductor_config=False))


def static(model: nn.Module, calibration: Sequence[Sequence[int]], spare: Sequence[str] = ()) -> dict[str, float]:
    """Int8 weights, and int8 inputs, their scale fixed beforehand: one for each layer, from what calibration showed.

    Args:
        model: changed in place.
        calibration: rows of token ids, such as the model will meet.
        spare: layers, by the end of their name, that keep float inputs, since outliers would take all of a fixed
            scale: only their weights become int8.

    Returns:
        the largest absolute input of each layer over all rows, by name; its scale is that / 127.5.
    """
    largest, dims = observe(model, calibration)
    with quiet():
        from torchao.quantization import (
            Int8StaticActivationInt8WeightConfig,
            Int8WeightOnlyConfig,
            PerRow,
            PerTensor,
            quantize_,
        )

        for name, top in largest.items():
            layer = model.get_submodule(name)
            weight = cast(Tensor, layer.weight)
            config: Any = Int8WeightOnlyConfig(set_inductor_config=False)
            if name.rpartition(".")[2] not in spare:
                scale = torch.full([1] * dims[name], max(top, 1e-12) / 127.5, dtype=weight.dtype, device=weight.device)
                config = Int8StaticActivationInt8WeightConfig(
                    act_quant_scale=scale, granularity=[PerTensor(), PerRow()], set_inductor_config=False
                )
            quantize_(layer, config, filter_fn=lambda part, _: isinstance(part, nn.Linear))
    return largest


def observe(model: nn.Module, calibration: Sequence[Sequence[int]]) -> tuple[dict[str, float], dict[str, int]]:
    """The largest absolute input of each linear layer, and how many dimensions its inputs have.

    Args:
        model: not changed.
        calibration: rows of token ids.

    Raises:
        ValueError: there are no rows.
    """
    if not calibration:
        raise ValueError("there are no calibration rows: static scales have to be seen before; give some token ids")
    largest: dict[str, float] = {}
    dims: dict[str, int] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            largest[name] = max(largest.get(name, 0.0), float(args[0].abs().amax()))
            dims[name] = args[0].dim()

        return hook

    handles = [layer.register_forward_pre_hook(watch(name)) for name, layer in block_linears(model).items()]
    device = cast(Any, model).device
    try:
        with torch.inference_mode():
            for row in calibration:
                model(input_ids=torch.tensor([list(row)], device=device))
    finally:
        for handle in handles:
            handle.remove()
    return largest, dims


def trained(model: nn.Module, train: Callable[[nn.Module], object]) -> None:
    """Int4 weights in groups of 32 and dynamic int8 inputs, after training with that rounding in every forward pass.

    Args:
        model: float32, changed in place.
        train: gets the model with the rounding switched on, and trains it.

    Raises:
        ValueError: a layer's inputs do not make whole groups.

    Source: torchao's QATConfig. Gradients pass the rounding as if it were not there (Bengio et al., arXiv 1308.3432).
    """
    odd = [name for name, layer in block_linears(model).items() if layer.in_features % GROUP]
    if odd:
        raise ValueError(f"{odd[0]} has inputs that do not make whole groups of {GROUP}: int4 needs them to")
    with quiet():
        from torchao.quantization import Int8DynamicActivationIntxWeightConfig, PerGroup
        from torchao.quantization.qat import QATConfig

        base = Int8DynamicActivationIntxWeightConfig(
            weight_dtype=cast(Any, torch).int4, weight_granularity=PerGroup(GROUP)
        )
        _apply(model, QATConfig(base, step="prepare"))
        for layer in block_linears(model).values():
            layer.weight.requires_grad_(True)
        train(model.train())
        for parameter in model.eval().parameters():
            parameter.requires_grad_(False)
        _apply(model, QATConfig(base, step="convert"))


def distil(
    teacher: nn.Module,
    rows: Sequence[Sequence[int]],
    steps: int = 60,
    learning_rate: float = 5e-5,
    seed: int = 0,
) -> Callable[[nn.Module], list[float]]:
    """A training for `trained`: keep the bets of the unquantised model on given rows.

    Args:
        teacher: the model before it was quantised; not changed.
        rows: token ids.
        steps: updates, of 8 rows each.
        learning_rate: of AdamW, falling to 0 in a straight line.
        seed: of the order of the rows.

    Returns:
        what trains a model, and returns the loss of each step: KL divergence to the teacher, nats a token.

    Raises:
        ValueError: there are no rows.

    Source: Liu et al., "LLM-QAT", arXiv 2305.17888, which shows that the model's own bets teach better than the text.
    """
    if not rows:
        raise ValueError("there are no rows to train on: quantisation-aware training needs some token ids")

    def train(student: nn.Module) -> list[float]:
        learnt = [parameter for parameter in student.parameters() if parameter.requires_grad]
        optimiser = torch.optim.AdamW(learnt, lr=learning_rate, weight_decay=0.0)
        fall = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps)
        generator = torch.Generator().manual_seed(seed)
        losses = []
        for _ in range(steps):
            batch = [list(rows[i]) for i in torch.randint(len(rows), (QAT_BATCH,), generator=generator).tolist()]
            loss = _apart(student, teacher, batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learnt, 1.0)
            optimiser.step()
            fall.step()
            losses.append(loss.item())
        return losses

    return train


def _apart(student: nn.Module, teacher: nn.Module, batch: list[list[int]]) -> Tensor:
    """KL divergence of the student from the teacher, nats a token, over rows of different lengths."""
    width = max(map(len, batch))
    device = cast(Any, student).device
    # Padded on the right: what comes after a token cannot change it, so that no attention mask is needed.
    ids = torch.tensor([row + [0] * (width - len(row)) for row in batch], device=device)
    real = torch.tensor([[True] * len(row) + [False] * (width - len(row)) for row in batch], device=device)
    with torch.no_grad():
        wanted = teacher(input_ids=ids).logits[real].float().log_softmax(-1)  # (tokens, vocab_size)
    got = student(input_ids=ids).logits[real].float().log_softmax(-1)
    return nn.functional.kl_div(got, wanted, reduction="batchmean", log_target=True)


def _apply(model: nn.Module, config: Any) -> None:
    from torchao.quantization import quantize_

    layers = set(block_linears(model).values())
    quantize_(model, config, filter_fn=lambda part, _: part in layers)
