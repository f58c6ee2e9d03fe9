"""What a training step keeps in memory, and when it is fullest: bytes on one device, good to a tenth.

Each term is counted from what autograd saves for the operations of a block; the tests compare it with what torch really
saves. Dropout is left out: on a GPU its masks add some 6% to the activations. Logits count as a whole: where they are
more than half a gigabyte in float32, train() makes them in pieces and stays below these figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from workshop_utils.budget.shapes import Shape
from workshop_utils.gpt.config import Config, Count, Whole, one_of

if TYPE_CHECKING:
    from workshop_utils.gpt.config import TrainConfig

Parts = dict[str, float]
NF4 = (4 + 1 / 8) / 8  # bytes per weight: four bits, and 8 bits for each block of 64 (double quantisation, QLoRA paper)
EIGHT_BIT = 1 + 4 / 256  # bytes per average in 8-bit Adam: one, and a float32 for each block of 256 (arXiv 2110.02861)


@dataclass(frozen=True)
class Plan(Config):
    """How a model is trained, as far as memory depends on it."""

    # all weights are trained; "lora": a frozen base in 16 bits and an adapter; "qlora": base in NF4
    method: Annotated[str, one_of("full", "lora", "qlora")] = "full"
    batch_size: Count = 8  # rows in one forward pass on one device
    block_size: Whole = 0  # tokens in a row; 0 = as long as the model is made for
    grad_accum_steps: Count = 1  # forward passes gathered into one update
    precision: Annotated[str, one_of("float32", "mixed")] = "mixed"  # "mixed": products in 16 bits
    # "muon" for the matrices inside the blocks and AdamW elsewhere
    optimizer: Annotated[str, one_of("adamw", "adamw8bit", "muon")] = "adamw"
    attention: Annotated[str, one_of("sdpa", "written")] = "sdpa"  # sdpa: flash attention, no T x T matrix is kept
    recompute: bool = False  # keep only what enters each block, and compute the rest again in the backward pass
    # how several devices share: "ddp" (a copy each) or "fsdp" (a slice each)
    parallel: Annotated[str, one_of("ddp", "fsdp")] = "ddp"
    rank: Count = 16  # of a LoRA adapter

    @classmethod
    def of(cls, config: TrainConfig, attention: str = "sdpa", **changes: object) -> Plan:
        """The plan of a TrainConfig.

        Args:
            config: as train() takes it.
            attention: of the model; for "auto" take what train() chose.
            **changes: other fields of the plan.
        """
        precision = "float32" if config.dtype == "float32" else "mixed"
        fields = {"batch_size": config.batch_size, "grad_accum_steps": config.grad_accum_steps}
        fields |= {"optimizer": config.optimizer, "precision": precision, "attention": attention}  # type: ignore[dict-item]
        return cls(**fields | changes)  # type: ignore[arg-type]


def activations(shape: Shape, plan: Plan, cuda: bool = True) -> tuple[float, float]:
    """Bytes that the forward pass keeps for the backward pass, weights and logits aside.

    Args:
        shape: of the model.
        plan: batch, precision, attention; as if nothing was computed again.
        cuda: on a GPU, whose RMSNorm is fused, and whose autocast computes softmax in float32.

    Returns:
        of one block, and of what is around the blocks.

    Source: counted from the operations of model.Block. In 16 bits throughout it would be the formula of Korthikanti et
        al., arXiv 2205.05198: tokens * width * (34 + 5 * heads * block_size / width), of which dropout makes 2 and 3.
    """
    T = plan.block_size or shape.block_size
    tokens, d = plan.batch_size * T, shape.n_embd
    q, kv = shape.n_head * shape.head_dim, shape.n_kv_head * shape.head_dim
    c = (
        4 if plan.precision == "float32" else 2
    )  # bytes of what is multiplied; norms and the residual stream are float32
    adapted, flash = plan.method != "full", plan.attention == "sdpa"
    scaled = 0 if not shape.rms or adapted or (cuda and not shape.pretrained) else 4 * d
    norms = shape.norms * (4 * d + scaled + 2 * 4)  # what each gets; an RMSNorm that is not fused keeps its result, too
    into_linears = 2 * d + (d if shape.gated and plan.precision == "mixed" else 0)  # cast for each up-projection
    if adapted:  # each adapted layer keeps its own copy
        into_linears = (5 if shape.gated else 2) * d
    attention = 2 * q + 2 * kv  # q, k, v, and the result
    if shape.rope and flash:
        attention += q + (q + kv if shape.fused else 0)  # the result in other order; q, k from before live on with v
    mlp = (4 if shape.gated else 2) * shape.hidden  # before and after the non-linearity, and both sides of a gate
    block = tokens * (norms + c * (into_linears + attention + mlp) + 4 * shape.n_head)
    if not flash:
        block += plan.batch_size * shape.n_head * T * T * (6 if plan.precision == "mixed" and cuda else c)
    if adapted:  # LoRA's dropout: a mask of the input of each adapted layer
        block += tokens * sum(n_in for n_in, _ in shape.linears) * (1 if cuda else 4)
    return block, tokens * (4 * d + scaled + d * c + 8 + 2 * 8)  # around: the last norm, the head, x and y


def state(shape: Shape, plan: Plan, n_gpus: int = 1) -> Parts:
    """What is in memory whatever the batch: weights, gradients and the optimiser's averages, in bytes on one device.

    Args:
        shape: of the model.
        plan: method, optimiser, sharding.
        n_gpus: with "fsdp" each has its slice, with "ddp" a copy.
    """
    n, inside = shape.parameters, shape.inside
    learnt = n if plan.method == "full" else shape.adapter(plan.rank)
    averages = {"adamw": 8.0 * learnt, "adamw8bit": 2 * EIGHT_BIT * learnt, "muon": 8.0 * learnt}
    if plan.method == "full":
        averages["muon"] -= 4.0 * inside  # one average inside the blocks, two elsewhere
    weights = {"full": 4.0 * n, "lora": 2.0 * n, "qlora": NF4 * inside + 2.0 * (n - inside)}
    found = {"weights": weights[plan.method]}
    if plan.method != "full":
        found["adapter"] = 4.0 * learnt
    found |= {"gradients": 4.0 * learnt, "optimiser": averages[plan.optimizer]}
    share = n_gpus if plan.parallel == "fsdp" else 1
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
    full, mixed = plan.method == "full", plan.precision == "mixed"
    table = 4.0 * shape.table if full else 0.0  # its gradient
    tokens = plan.batch_size * (plan.block_size or shape.block_size)
    block, around = activations(shape, plan, cuda)
    kept = 4.0 * tokens * shape.n_embd if plan.recompute else block
    again = block if plan.recompute else 0.0  # the block that is being computed anew
    all_kept = shape.n_layer * kept + around
    passing = 2 * tokens * (shape.hidden + shape.n_embd) * (2 if mixed else 4)  # gradients of activations
    logits = tokens * shape.vocab_size
    held_on = 2 if shape.pretrained else 0  # transformers keeps its logits until the step is over
    if plan.method == "qlora":
        held["a layer unpacked"] = 2.0 * max(n_in * n_out for n_in, n_out in shape.linears)
    if plan.parallel == "fsdp" and n_gpus > 1:  # the blocks at work, whole, and the tables, which stay
        size = 4 if full else 2
        held["gathered"] = float(size * (2 * shape.inside / shape.n_layer + shape.table * (1 if shape.tied else 2)))
    # Casts of the weights live as long as the graph that needs them; recomputation makes them anew, block by block.
    cast = 2.0 * (shape.inside + shape.table) if mixed and full else 0.0
    cast_later = 2.0 * shape.table if cast and plan.recompute else cast
    # Between micro-batches gradients stay: with FSDP whole, since they meet only after the last one.
    waiting = 0.0 if plan.grad_accum_steps == 1 else gradients * (n_gpus if plan.parallel == "fsdp" else 1)
    complete = max(gradients, waiting)
    # A tied table gets a gradient from each of its two uses, which wait for each other and are added, into a third one
    # where the first is only seen through a transposition, as without autocast.
    twice = table * ((1 if mixed else 2) + bool(waiting)) if shape.tied else 0.0
    update = 10.0 * max(n_in * n_out for n_in, n_out in shape.linears) if plan.optimizer == "muon" else 0.0
    on_the_way = cast_later / shape.n_layer if plan.recompute else cast_later
    names = ("gradients", "copies in 16 bits", "activations", "logits", "at work")
    # Logits: as they are made, in float32, and log-softmax of them; at the loss also the gradients of both.
    sizes: dict[str, tuple[float, float, float, float, float]] = {
        "the end of the forward pass": (waiting, cast, all_kept, (10 if mixed else 8) * logits, 0),
        "the loss": (waiting, cast_later, all_kept, (12 + held_on) * logits, 0),
        "the way back": (waiting + table, on_the_way, all_kept + again + passing, held_on * logits, 0),
        "the end of the way back": (max(complete, waiting + table), 0, kept + again + passing, held_on * logits, 0),
        "the table's gradient": (complete + twice, 0, 0, held_on * logits, 0),
        "the update": (complete, 0, 0, 0, update),
    }
    found = {moment: held | dict(zip(names, parts, strict=True)) for moment, parts in sizes.items()}
    return {moment: {part: bytes_ for part, bytes_ in parts.items() if bytes_} for moment, parts in found.items()}


def peak(shape: Shape, plan: Plan, n_gpus: int = 1, cuda: bool = True) -> tuple[str, Parts]:
    """The fullest moment of a step and what is in memory then; see `moments`."""
    found = moments(shape, plan, n_gpus, cuda)
    fullest = max(found, key=lambda moment: sum(found[moment].values()))
    return fullest, found[fullest]
