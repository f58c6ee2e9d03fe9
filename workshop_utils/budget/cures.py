"""What would make a training fit: the cheapest set of changes, found by trying all of them on the formulas.

A cure has a price, about the share of time or trouble that it adds; prices only serve to put the sets in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from workshop_utils.budget.gpus import GPUS, Gpu
from workshop_utils.budget.memory import Plan, peak
from workshop_utils.budget.shapes import Shape

MOST_GPUS = 64  # where the search ends
Option = tuple[float, dict[str, Any], str]  # its price, the plan's fields that it changes, and what it is called
NOTHING: Option = (0.0, {}, "")


@dataclass(frozen=True)
class Cure:
    """A set of changes with which a training fits.

    Attributes:
        changes: what each is called.
        plan: with them.
        n_gpus: on which it then runs.
        needed: bytes on each of these.
    """

    changes: tuple[str, ...]
    plan: Plan
    n_gpus: int
    needed: float

    def __str__(self) -> str:
        *first, last = self.changes
        return f"{', '.join(first)} and {last}" if first else last


def cheapest_cure(shape: Shape, plan: Plan, gpu: Gpu, n_gpus: int) -> Cure | None:
    """The changes that cost least and make it fit; None where all of them together are not enough.

    Args:
        shape: of the model.
        plan: which does not fit.
        gpu: the device, which stays the same.
        n_gpus: how many of them at least.
    """
    for _, fields, told, count in sorted(_sets(shape, plan, gpu, n_gpus), key=lambda one: one[0]):
        changed = replace(plan, **fields)
        needed = sum(peak(shape, changed, count, gpu.cuda)[1].values())
        if needed <= gpu.usable:
            return Cure(told, changed, count, needed)
    return None


def elsewhere(shape: Shape, plan: Plan, gpu: Gpu) -> Gpu | None:
    """The cheapest other GPU of the table that carries the plan alone and as it is; None if none does."""
    needed = sum(peak(shape, plan, 1)[1].values())
    others = [other for other in GPUS.values() if other.cuda and other.name != gpu.name]
    able = [other for other in others if needed <= other.usable and (other.bf16 or plan.precision != "half")]
    return min(able, key=lambda other: other.price, default=None)


def _sets(
    shape: Shape, plan: Plan, gpu: Gpu, n_gpus: int
) -> Iterator[tuple[float, dict[str, Any], tuple[str, ...], int]]:
    """Every set of changes: its price, the fields of the plan, what they are called, and how many devices."""
    lists = [_on_one_device(plan, gpu), _what_learns(shape, plan, gpu), _rows(plan), _recomputation(plan)]
    for (*options, sharing), count in (
        (chosen, count)
        for count, last in _sharing(plan, gpu, n_gpus)
        for chosen in product(*lists, _precision(plan, gpu), [last])
    ):
        every = [*options, sharing]
        fields = {name: value for _, changed, _ in every for name, value in changed.items()}
        if fields.get("method", "full") != "full" and fields.keys() & {"precision", "optimizer"}:
            continue  # of a frozen base only the adapter has gradients and averages: little to gain there
        told = tuple(name for _, _, name in every if name)
        yield sum(price for price, _, _ in every), fields, told, count


def _on_one_device(plan: Plan, gpu: Gpu) -> list[Option]:
    return [NOTHING] if plan.attention == "sdpa" else [NOTHING, (0.0, {"attention": "sdpa"}, "flash attention")]


def _precision(plan: Plan, gpu: Gpu) -> list[Option]:
    found = [NOTHING]
    if plan.precision == "float32" and gpu.cuda:
        found.append((0.0, {"precision": "mixed"}, "mixed precision"))  # faster as well
    if plan.precision != "half" and plan.method == "full" and gpu.bf16 and gpu.cuda:
        found.append((0.5, {"precision": "half"}, "weights and gradients in 16 bits"))  # small updates are lost
    return found


def _what_learns(shape: Shape, plan: Plan, gpu: Gpu) -> list[Option]:
    if not gpu.cuda:
        return [NOTHING]
    if plan.method == "lora":
        return [NOTHING, (0.25, {"method": "qlora"}, "the base in 4 bits (QLoRA)")]
    found = [NOTHING]
    if plan.optimizer == "adamw":
        found.append((0.1, {"optimizer": "adamw8bit"}, "8-bit Adam"))
    if plan.method == "full" and shape.pretrained:
        found.append((0.6, {"method": "lora"}, "an adapter on a frozen base (LoRA)"))
        found.append((0.85, {"method": "qlora"}, "an adapter on a base in 4 bits (QLoRA)"))
    return found


def _rows(plan: Plan) -> list[Option]:
    """Half as many rows at a time, twice as often, down to one row."""
    found, rows, times = [NOTHING], plan.batch_size, plan.grad_accum_steps
    while rows > 1:
        rows, times = -(-rows // 2), times * 2
        told = f"batch_size {rows} with grad_accum_steps {times}"
        found.append((0.02 * len(found), {"batch_size": rows, "grad_accum_steps": times}, told))
    return found


def _recomputation(plan: Plan) -> list[Option]:
    return [NOTHING] if plan.recompute else [NOTHING, (0.33, {"recompute": True}, "recomputation")]


def _sharing(plan: Plan, gpu: Gpu, n_gpus: int) -> Iterator[tuple[int, Option]]:
    """How many devices, and what that costs: each doubling as much as the first device."""
    yield n_gpus, NOTHING
    if plan.method != "full" or not gpu.cuda:
        return
    if n_gpus > 1 and plan.parallel == "ddp":
        yield n_gpus, (0.1, {"parallel": "fsdp"}, "fsdp instead of ddp")
    count, price = 2 * n_gpus, 1.1
    while count <= MOST_GPUS:
        yield count, (price, {"parallel": "fsdp"}, f"{count} x {gpu.name} under fsdp")
        count, price = 2 * count, price + 1
