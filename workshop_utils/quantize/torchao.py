"""Torchao's ways to eight and four bits: weights only, dynamic, static after calibration, and W4A8, trained or not.

All of them change the linear layers inside the blocks; the head and the embedding table stay as they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from workshop_utils.chat import models
from workshop_utils.machine.hardware import free_memory_bytes
from workshop_utils.quantize.floats import Data, Quantised, TokenRows, Unavailable, copied

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel
    from workshop_utils.machine.profiles import Profile

GROUP = 32  # neighbours that share a scale in int4, as in GGUF's Q4_0
QAT_BATCH = 8  # rows in one step
QAT_LEARNING_RATE = 5e-5  # falls to 0 in a straight line


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


def make_weight_only(model: LanguageModel, profile: Profile, data: Data) -> Quantised:
    """Int8 weights with a scale for each output; the products are made in floats."""
    with quiet():
        from torchao.quantization import Int8WeightOnlyConfig

        return _made(model, profile, Int8WeightOnlyConfig(set_inductor_config=False))


def make_dynamic(model: LanguageModel, profile: Profile, data: Data) -> Quantised:
    """Int8 weights, and int8 inputs, their scale taken from each token while the model runs."""
    with quiet():
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig

        return _made(model, profile, Int8DynamicActivationInt8WeightConfig(set_inductor_config=False))


def make_static(model: LanguageModel, profile: Profile, data: Data, spared: tuple[str, ...] = ()) -> Quantised:
    """Int8 weights, and int8 inputs, their scale fixed beforehand: one for each layer, from what calibration showed.

    Args:
        model: in floats.
        profile: says where.
        data: its calibration is what is seen.
        spared: last parts of the names of layers that stay in floats.
    """
    if not data.calibration:
        raise Unavailable("static scales have to be seen beforehand: pass calibration=, some rows of token ids")
    made = copied(model, models.dtype_of(profile))
    inputs = largest_inputs(made.model, data.calibration)
    with quiet():
        from torchao.quantization import Int8StaticActivationInt8WeightConfig, PerRow, PerTensor, quantize_

        for name, largest in inputs.items():
            if name.endswith(spared):  # no name ends with an empty tuple
                continue
            layer = made.model.get_submodule(name)
            config = Int8StaticActivationInt8WeightConfig(
                act_quant_scale=(largest.double() / 127.5).to(cast(Tensor, layer.weight).dtype),
                granularity=[PerTensor(), PerRow()],
                set_inductor_config=False,
            )
            quantize_(layer, config, filter_fn=lambda part, _: isinstance(part, nn.Linear))
    return Quantised(made)


def make_int4(model: LanguageModel, profile: Profile, data: Data, trained: bool = True) -> Quantised:
    """Int4 weights in groups of 32 and dynamic int8 inputs: W4A8.

    Args:
        model: in floats.
        profile: says where.
        data: its rows are trained on, with that rounding in every forward pass.
        trained: False rounds without training: the control.

    Source: torchao's QATConfig. Gradients pass the rounding as if it were not there (Bengio et al., arXiv 1308.3432).
    """
    if trained and not data.train:
        raise Unavailable("quantisation-aware training needs something to train on: pass train=, rows of token ids")
    made = copied(model, torch.float32)
    student = made.model
    odd = [name for name, layer in block_linears(student).items() if layer.in_features % GROUP]
    if odd:
        raise Unavailable(f"{odd[0]} has inputs that do not make whole groups of {GROUP}: int4 needs them to")
    # torchao draws weights for its layers before it copies ours into them, and dropout may draw, too.
    with quiet(), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(0)
        from torchao.quantization import Int8DynamicActivationIntxWeightConfig, PerGroup
        from torchao.quantization.qat import QATConfig

        int4 = cast(Any, torch).int4
        base = Int8DynamicActivationIntxWeightConfig(weight_dtype=int4, weight_granularity=PerGroup(GROUP))
        if not trained:
            _apply(student, base)
            return Quantised(made)
        _apply(student, QATConfig(base, step="prepare"))
        for layer in block_linears(student).values():
            layer.weight.requires_grad_(True)
        distil(student, model.model, data.train, data.steps)
        _apply(student.requires_grad_(False).eval(), QATConfig(base, step="convert"))
    return Quantised(made)


def lack_of_memory(model: LanguageModel, profile: Profile) -> str:
    """Why the training of make_int4 does not fit, "" if it does."""
    needed = 16 * model.n_parameters  # weights, gradients and Adam's two moments, four bytes each
    if needed > free_memory_bytes(profile.device):
        return f"training all weights takes {needed / 1e9:.0f} GB and more, which this machine has not free"
    return ""


def block_linears(model: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers inside the blocks, by name; the head is left out.

    Raises:
        Unavailable: there is none, as in GPT-2, whose layers are of another kind.
    """
    head = cast(Any, model).get_output_embeddings()
    found = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear) and m is not head}
    if not found:
        raise Unavailable(f"{type(model).__name__} has no nn.Linear inside its blocks: torchao has nothing to quantise")
    return found


def largest_inputs(model: nn.Module, calibration: TokenRows) -> dict[str, Tensor]:
    """The largest absolute input of each linear layer, with as many dimensions as torchao wants a scale to have.

    Args:
        model: not changed.
        calibration: rows of token ids.

    Returns:
        a value for each layer inside the blocks, by name, (1, ..., 1).
    """
    largest: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
            top = args[0].abs().amax().clamp_min(1e-12).reshape([1] * args[0].dim())
            largest[name] = torch.maximum(largest.get(name, top), top)

        return hook

    handles = [layer.register_forward_pre_hook(watch(name)) for name, layer in block_linears(model).items()]
    try:
        with torch.inference_mode():
            for row in calibration:
                model(input_ids=torch.tensor([list(row)], device=cast(Any, model).device))
    finally:
        for handle in handles:
            handle.remove()
    return largest


def distil(student: nn.Module, teacher: nn.Module, rows: TokenRows, steps: int) -> list[float]:
    """Train a model to keep the probabilities that another one gives on some rows.

    Args:
        student: its trained parameters change; it is left in training mode.
        teacher: the same model before it was quantised; not changed.
        rows: token ids.
        steps: updates, of 8 rows each, always the same ones.

    Returns:
        the loss of each step: KL divergence to the teacher, nats per token.

    Source: Liu et al., "LLM-QAT", arXiv 2305.17888: the model's own probabilities teach better than the text.
    """
    trained = [parameter for parameter in student.train().parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=QAT_LEARNING_RATE, weight_decay=0.0)
    fall = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, steps)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(steps):
        batch = [list(rows[i]) for i in torch.randint(len(rows), (QAT_BATCH,), generator=generator).tolist()]
        loss = _divergence(student, teacher, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        fall.step()
        losses.append(loss.item())
    return losses


def _divergence(student: nn.Module, teacher: nn.Module, batch: list[list[int]]) -> Tensor:
    """KL divergence of the student from the teacher, nats per token, over rows of different lengths."""
    width = max(map(len, batch))
    device = cast(Any, student).device
    # Padded on the right: what comes after a token cannot change it, so that no attention mask is needed.
    ids = torch.tensor([row + [0] * (width - len(row)) for row in batch], device=device)
    real = torch.tensor([[True] * len(row) + [False] * (width - len(row)) for row in batch], device=device)
    with torch.no_grad():
        wanted = teacher(input_ids=ids).logits[real].float().log_softmax(-1)  # (tokens, vocab_size)
    got = student(input_ids=ids).logits[real].float().log_softmax(-1)
    return nn.functional.kl_div(got, wanted, reduction="batchmean", log_target=True)


def _made(model: LanguageModel, profile: Profile, config: Any) -> Quantised:
    made = copied(model, models.dtype_of(profile))
    _apply(made.model, config)
    return Quantised(made)


def _apply(model: nn.Module, config: Any) -> None:
    from torchao.quantization import quantize_

    layers = set(block_linears(model).values())
    quantize_(model, config, filter_fn=lambda part, _: part in layers)
