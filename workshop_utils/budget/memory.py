"""What a training step keeps in memory, and when it is fullest. Bytes on one device; estimates.py has the sentences.

Nothing is measured here: each number is counted from what autograd saves for each operation of a block. The tests
compare it with what torch really saves, bench/estimates.py with the peak of whole trainings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from workshop_utils.budget.shapes import Shape
from workshop_utils.gpt.config import Config, Count, ShareBelowOne, Whole, one_of

if TYPE_CHECKING:
    from workshop_utils.gpt.config import TrainConfig

Parts = dict[str, float]
NF4 = (4 + 1 / 8) / 8  # bytes a weight: four bits, and 8 bits for each block of 64 (double quantisation, QLoRA paper)
EIGHT_BIT = 1 + 4 / 256  # bytes a number in 8-bit Adam: one, and a float32 for each block of 256 (arXiv 2110.02861)


@dataclass(frozen=True)
class Plan(Config):
    """How a model is trained, as far as memory depends on it."""

    # all weights learn; "lora": a frozen base in 16 bits and an adapter; "qlora": base in NF4
    method: Annotated[str, one_of("full", "lora", "qlora")] = "full"
    batch_size: Count = 8  # rows in one forward pass on one device
    block_size: Whole = 0  # tokens in a row; 0 = as long as the model is made for
    grad_accum_steps: Count = 1  # forward passes gathered into one update
    # "float32", "mixed" (products in 16 bits), or "half" (weights and all else in 16 bits)
    precision: Annotated[str, one_of("float32", "mixed", "half")] = "mixed"
    # "muon" for the matrices inside the blocks and AdamW elsewhere
    optimizer: Annotated[str, one_of("adamw", "adamw8bit", "muon")] = "adamw"
    # "sdpa" (flash attention: no T x T matrix is kept)
    attention: Annotated[str, one_of("sdpa", "written")] = "sdpa"
    recompute: bool = False  # keep only what enters each block, and compute the rest again on the way back
    # how several devices share: "ddp" (a copy each) or "fsdp" (a slice each)
    parallel: Annotated[str, one_of("ddp", "fsdp")] = "ddp"
    rank: Count = 16  # of a LoRA adapter
    lora_dropout: ShareBelowOne = 0.05  # of the adapter's inputs, silenced: each adapted layer then keeps a mask

    @classmethod
    def of(cls, config: TrainConfig, attention: str = "sdpa", **changes: object) -> Plan:
        """The plan of a TrainConfig.

        Args:
            config: as train() takes it.
            attention: of the model; for "auto" take what train() chose.
            changes: other fields of the plan.
        """
        precision = "float32" if config.dtype == "float32" else "mixed"
        fields = {"batch_size": config.batch_size, "grad_accum_steps": config.grad_accum_steps}
        fields |= {"optimizer": config.optimizer, "precision": precision, "attention": attention}  # type: ignore[dict-item]
        return cls(**fields | changes)  # type: ignore[arg-type]


def activations(shape: Shape, plan: Plan, cuda: bool = True) -> tuple[float, float]:
    """Bytes that the forward pass keeps for the way back, weights and logits aside.

    Args:
        shape: of the model.
        plan: batch, precision, attention. Recomputation is not looked at here.
        cuda: on a GPU. A CPU keeps more: dropout masks as wide as the numbers, attention with dropout written out.

    Returns:
        of one block, and of what stands around the blocks.

    Source: counted from the operations of model.Block. With `half`, dropout and a GPU it is exactly the formula of
        Korthikanti et al., arXiv 2205.05198: tokens * width * (34 + 5 * heads * block_size / width); mixed precision
        keeps its stream in float32, which makes 36 (and 32 in 16 bits, 64 in float32) of the 34 without dropout.
    """
    T = plan.block_size or shape.block_size
    tokens, d = plan.batch_size * T, shape.n_embd
    q, kv = shape.n_head * shape.head_dim, shape.n_kv_head * shape.head_dim
    wide = 2 if plan.precision == "half" and not shape.rms else 4  # of the stream; RMSNorm makes its own in float32
    c = 4 if plan.precision == "float32" else 2  # of what products are made of
    mixed = plan.precision == "mixed"
    inputs = shape.norms * d * wide  # each norm keeps what it got
    scaled = 0 if not shape.rms or plan.method != "full" or (cuda and not shape.pretrained) else d * wide
    inputs += shape.norms * scaled  # an RMSNorm that learns and is not fused keeps what it has scaled, too
    into_linears = 2 * d + (d if shape.gated and mixed else 0)  # cast anew for each of the two up-projections
    if plan.method != "full":  # each adapted layer keeps its own copy of what it got
        into_linears = (5 if shape.gated else 2) * d
    flash = plan.attention == "sdpa" and (cuda or not shape.dropout)  # with dropout, a CPU writes attention out
    attention = 2 * q + 2 * kv  # q, k, v, and the result
    if shape.rope and flash:
        attention += q + (q + kv if shape.fused else 0)  # the result in other order; the unturned q, k live on with v
    middle = (4 if shape.gated else 2) * shape.hidden  # before and after the bend, and both sides of a gate
    block = tokens * (inputs + c * (into_linears + attention + middle) + 2 * 4 * shape.norms + 4 * shape.n_head)
    block += plan.batch_size * shape.n_head * T * T * _matrix(shape, plan, cuda)
    if plan.method != "full" and plan.lora_dropout:
        block += tokens * sum(n_in for n_in, _ in shape.linears) * (1 if cuda else 4)
    if shape.dropout:
        mask = 1 if cuda else c
        block += tokens * 2 * d * mask
        if plan.attention == "sdpa" and not flash and mixed:  # and in float32
            block += tokens * 2 * (q + 2 * kv)
    return block, tokens * (d * wide + scaled + d * c + 8 + 2 * 8)  # around: the last norm, the head, x and y


def _matrix(shape: Shape, plan: Plan, cuda: bool) -> int:
    """Bytes that one element of the T x T matrix of attention costs, 0 where it is never kept."""
    c = 4 if plan.precision == "float32" else 2
    if plan.attention == "sdpa":  # on a CPU, dropout keeps sdpa from its fast way: weights, noise, product
        return 12 if shape.dropout and not cuda else 0
    in_float32 = plan.precision == "mixed" and cuda  # autocast computes softmax in float32 there, then casts it
    return (6 if in_float32 else c) + ((1 if cuda else c) + c if shape.dropout else 0)


def state(shape: Shape, plan: Plan, n_gpus: int = 1) -> Parts:
    """What lies in memory whatever the batch: weights, gradients and the optimiser's averages, in bytes on one device.

    Args:
        shape: of the model.
        plan: method, precision, optimiser, sharding.
        n_gpus: with "fsdp" each has its slice, with "ddp" a copy.
    """
    n = shape.parameters
    share = n_gpus if plan.parallel == "fsdp" else 1
    if plan.method != "full":
        learnt = shape.adapter(plan.rank)
        base = 2 * n if plan.method == "lora" else NF4 * shape.inside + 2 * (n - shape.inside)
        found = {"weights": base, "adapter": 4.0 * learnt, "gradients": 4.0 * learnt}
        found["optimiser"] = 2 * learnt * (EIGHT_BIT if plan.optimizer == "adamw8bit" else 4)
    else:
        size = 2 if plan.precision == "half" else 4
        moments = {"adamw": 2.0 * size * n, "adamw8bit": 2 * EIGHT_BIT * n}
        moments["muon"] = size * (shape.inside + 2.0 * (n - shape.inside))  # one average inside, two elsewhere
        found = {"weights": float(size * n), "gradients": float(size * n), "optimiser": moments[plan.optimizer]}
    return {part: bytes_ / share for part, bytes_ in found.items()}


def moments(shape: Shape, plan: Plan, n_gpus: int = 1, cuda: bool = True) -> dict[str, Parts]:
    """What is in memory at the moments at which a step can be fullest, part by part, in bytes on one device.

    Args:
        shape: of the model.
        plan: how it is trained.
        n_gpus: among which the work is shared; each has batch_size rows of its own.
        cuda: on a GPU.

    Returns:
        the parts by moment, in the order of a step: activations grow up to the loss, gradients from there on.
    """
    held = state(shape, plan, n_gpus)
    gradients = held.pop("gradients")
    learns, mixed = plan.method == "full", plan.precision == "mixed"
    size = 4 if learns and plan.precision != "half" else 2  # bytes of a weight
    table = float(size * shape.table) if learns else 0.0  # its gradient
    tokens = plan.batch_size * (plan.block_size or shape.block_size)
    block, around = activations(shape, plan, cuda)
    kept = tokens * shape.n_embd * (2 if plan.precision == "half" else 4) if plan.recompute else block
    again = block if plan.recompute else 0.0  # the block that is being computed anew
    all_kept = shape.n_layer * kept + around
    passing = (
        2 * tokens * (shape.hidden + shape.n_embd) * (4 if plan.precision == "float32" else 2)
    )  # gradients of them
    logits = tokens * shape.vocab_size
    held_on = 2 if shape.pretrained else 0  # transformers keeps its logits until the step is over
    if plan.method == "qlora":
        held["a layer unpacked"] = 2.0 * max(n_in * n_out for n_in, n_out in shape.linears)
    if plan.parallel == "fsdp" and n_gpus > 1:  # the blocks at work, whole, and the tables, which stay
        held["gathered"] = float(size * (2 * shape.inside / shape.n_layer + shape.table * (1 if shape.tied else 2)))
    # Casts of the weights live as long as the graph that needs them; recomputation makes them anew, block by block.
    cast = 2.0 * (shape.inside + shape.table) if mixed and learns else 0.0
    cast_later = cast if not plan.recompute or not cast else 2.0 * shape.table
    # Between micro-batches gradients stay: with FSDP whole, since they meet only after the last one.
    waiting = 0.0 if plan.grad_accum_steps == 1 else gradients * (n_gpus if plan.parallel == "fsdp" else 1)
    complete = max(gradients, waiting)
    # A tied table gets a gradient from each of its two uses, which wait for each other and are added, into a third one
    # where the first is only seen through a transposition, as without autocast.
    twice = 0.0 if not shape.tied else table * ((1 if mixed else 2) + bool(waiting))
    update = 10.0 * max(n_in * n_out for n_in, n_out in shape.linears) if plan.optimizer == "muon" else 0.0
    on_the_way = cast_later if not plan.recompute else cast_later / shape.n_layer
    # Logits: as they are made, in float32, and log-softmax of them; on the way back it, and the gradients of loss and
    # logits beside it, all in float32.
    rows: dict[str, tuple[float, float, float, float, float]] = {
        "the end of the forward pass": (
            waiting,
            cast,
            all_kept,
            (8 if plan.precision == "float32" else 10) * logits,
            0,
        ),
        "the loss": (waiting, cast_later, all_kept, (12 + held_on) * logits, 0),
        "the head": (waiting + table, cast_later, all_kept, (4 + held_on) * logits, 0),
        "the way back": (waiting + table, on_the_way, all_kept + again + passing, held_on * logits, 0),
        "the end of the way back": (max(complete, waiting + table), 0, kept + again + passing, held_on * logits, 0),
        "the table's gradient": (complete + twice, 0, 0, held_on * logits, 0),
        "the update": (complete, 0, 0, 0, update),
    }
    names = ("gradients", "copies in 16 bits", "activations", "logits", "at work")
    found = {moment: held | dict(zip(names, sizes, strict=True)) for moment, sizes in rows.items()}
    return {moment: {part: bytes_ for part, bytes_ in parts.items() if bytes_} for moment, parts in found.items()}


def peak(shape: Shape, plan: Plan, n_gpus: int = 1, cuda: bool = True) -> tuple[str, Parts]:
    """The fullest moment of a step and what is in memory then; see `moments`."""
    found = moments(shape, plan, n_gpus, cuda)
    fullest = max(found, key=lambda moment: sum(found[moment].values()))
    return fullest, found[fullest]


def tuning(shape: Shape, rank: int = 16) -> dict[str, Parts]:
    """What three ways of fine-tuning keep in memory, activations aside: a panel of plots.training_memory, in bytes.

    Args:
        shape: of the base.
        rank: of the adapter.
    """
    names = {"weights": "frozen or trained weights", "optimiser": "Adam's averages"}
    ways = {"full": "full", "LoRA, base in 16 bits": "lora", "QLoRA, base in 4 bits": "qlora"}
    return {
        way: {names.get(part, part): size for part, size in state(shape, Plan(method=method, rank=rank)).items()}
        for way, method in ways.items()
    }
