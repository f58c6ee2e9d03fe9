"""Will it fit, how long will it take, what will it cost: the budget of a training before a single GPU is rented.

A shape (shapes.py) and a plan give bytes (memory.py); tokens and a device (gpus.py) give hours, money and electricity.
A verdict says it in a sentence, and names cures where it does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from workshop_utils.budget.gpus import GPUS, PUE, Gpu, grams_per_kwh
from workshop_utils.budget.memory import Plan, peak, state
from workshop_utils.budget.shapes import Shape, shape_of
from workshop_utils.gpt.config import GPTConfig

CHINCHILLA = 20  # tokens per parameter that spend a given computation best: Hoffmann et al., arXiv 2203.15556
MOST_GPUS = 64  # with which a cure is tried
PYTHON_INT = 36  # bytes of a token in a Python list: 28 of the number, 8 of the pointer to it
LEFT_OUT = (
    "Left out: waiting for data and for each other, evaluation, failed runs, the host's own power and everything that "
    "was tried before; a real bill is often twice this one."
)


@dataclass(frozen=True)
class Cure:
    """Changes with which a training fits."""

    changes: tuple[str, ...]  # what each is called
    plan: Plan  # with them
    n_gpus: int  # on which it then runs
    needed: float  # bytes on each of these

    def __str__(self) -> str:
        *first, last = self.changes
        return f"{', '.join(first)} and {last}" if first else last


@dataclass(frozen=True)
class Budget:
    """What a training needs: memory on each device, time, money, electricity."""

    shape: Shape
    plan: Plan
    gpu: Gpu
    n_gpus: int
    tokens: float  # that are trained on
    country: str  # where the electricity comes from

    @property
    def moment(self) -> str:
        """At which of a step's moments the memory is fullest."""
        return peak(self.shape, self.plan, self.n_gpus, self.gpu.cuda)[0]

    @property
    def parts(self) -> dict[str, float]:
        """Bytes on one device at that moment, part by part."""
        return peak(self.shape, self.plan, self.n_gpus, self.gpu.cuda)[1]

    @property
    def before(self) -> float:
        """Bytes on one device whatever the batch: weights, gradients, the optimiser's averages."""
        return sum(state(self.shape, self.plan, self.n_gpus).values())

    @property
    def needed(self) -> float:
        """Bytes on one device at the fullest moment."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        """Whether that is at most what tensors can have there."""
        return self.needed <= self.gpu.usable

    @property
    def flops_per_token(self) -> float:
        """Floating-point operations of a token, as the plan spends them.

        A frozen base needs no gradients of its weights, 4 operations per parameter instead of 6; recomputation goes
        forward twice.
        """
        flops = float(self.shape.flops_per_token(self.plan.block_size or None))
        matrices = self.shape.parameters - self.shape.positions
        attention = flops - 6 * matrices
        if self.plan.method != "full":
            flops += 6 * self.shape.adapter(self.plan.rank) - 2 * matrices
        return flops + (2 * matrices + attention / 3 if self.plan.recompute else 0)

    @property
    def hours(self) -> float:
        """Of the clock, at the device's utilisation."""
        speed = self.n_gpus * self.gpu.peak(self.plan.precision) * self.gpu.mfu
        return self.flops_per_token * self.tokens / speed / 3600

    @property
    def dollars(self) -> float:
        """For the devices; a machine of your own costs nothing but electricity."""
        return self.hours * self.n_gpus * self.gpu.price

    @property
    def kwh(self) -> float:
        """Kilowatt-hours at full power, with the data centre's cooling and losses."""
        return self.hours * self.n_gpus * self.gpu.watts / 1000 * PUE

    @property
    def kg_co2e(self) -> float:
        """Kilograms of CO2 equivalent, at the country's average electricity."""
        return self.kwh * grams_per_kwh(self.country) / 1000

    @property
    def cure(self) -> Cure | None:
        """Changes with which it fits, without those that turn out not to be needed; None if all are not enough."""
        taken: dict[str, tuple[str, dict[str, Any]]] = {}
        for kind, told, fields in _cures(self.shape, self.plan, self.gpu, self.n_gpus):
            taken[kind] = told, fields  # in place of a smaller step of the same kind
            if self._with(taken).fits:
                for earlier in list(taken):
                    fewer = {name: change for name, change in taken.items() if name != earlier}
                    taken = fewer if self._with(fewer).fits else taken
                cured = self._with(taken)
                return Cure(tuple(told for told, _ in taken.values()), cured.plan, cured.n_gpus, cured.needed)
        return None

    def _with(self, changes: dict[str, tuple[str, dict[str, Any]]]) -> Budget:
        fields = {name: value for _, changed in changes.values() for name, value in changed.items()}
        return replace(self, n_gpus=fields.pop("n_gpus", self.n_gpus), plan=replace(self.plan, **fields))

    @property
    def elsewhere(self) -> Gpu | None:
        """The cheapest other GPU on which a single device runs the plan unchanged; None if there is none."""
        others = [gpu for gpu in GPUS.values() if gpu.cuda and gpu.name != self.gpu.name]
        able = [gpu for gpu in others if replace(self, gpu=gpu, n_gpus=1).fits]
        return min(able, key=lambda gpu: gpu.price, default=None)

    @property
    def verdict(self) -> str:
        """One sentence: does it fit, and if not, what would make it fit; if so, what it takes."""
        there = devices(self.gpu, self.n_gpus)
        each = " each" if self.n_gpus > 1 else ""
        if self.fits:
            return (
                f"fits {there}: {size(self.needed)} needed{each}, {size(self.gpu.bytes)} there; "
                f"{amount(self.tokens)} tokens take {duration(self.hours)} and cost {money(self.dollars)}"
            )
        floor = ""
        if self.before > 0.3 * self.needed:
            floor = f" ({size(self.before)} of it before the first token: weights, gradients, optimiser)"
        sentence = f"does not fit {there}: {size(self.needed)} needed{each}{floor}, {size(self.gpu.bytes)} there"
        if self.needed <= self.gpu.bytes:
            sentence += f", of which CUDA and gaps take about {size(self.gpu.bytes - self.gpu.usable)}"
        ways, cure, elsewhere = [], self.cure, self.elsewhere
        if cure:
            ways.append(f"with {cure} ({size(cure.needed)}{' each' if cure.n_gpus > 1 else ''})")
        if elsewhere:
            ways.append(f"as it is on {devices(elsewhere, 1)}")
        return sentence + (f"; would fit {', or '.join(ways)}" if ways else "; none of the usual cures is enough")

    def rows(self) -> dict[str, str]:
        """What the table shows, by name."""
        return {
            "parameters": f"{self.shape.parameters:,}",
            "on": devices(self.gpu, self.n_gpus).removeprefix("a ").removeprefix("an "),
            **{part: size(bytes_) for part, bytes_ in self.parts.items()},
            "memory needed": size(self.needed),
            "memory there": size(self.gpu.bytes),
            "fits": "yes" if self.fits else "no",
            "FLOPs per token": f"{self.flops_per_token:.3g}",
            "tokens": amount(self.tokens),
            "share of the peak": f"{self.gpu.mfu:.0%}",
            "time": duration(self.hours),
            "money": money(self.dollars),
            "electricity": f"{self.kwh:,.3g} kWh" if self.kwh < 1000 else f"{self.kwh:,.0f} kWh",
            "CO2e": f"{self.kg_co2e:,.2g} kg" if self.kg_co2e < 10 else f"{self.kg_co2e:,.0f} kg",
        }

    def __str__(self) -> str:
        """Everything as lines of text, and the verdict under it."""
        rows = self.rows()
        width = max(map(len, rows))
        lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
        fullest = f"The memory is fullest at {self.moment}."
        return "\n".join([self.shape.name, *lines, f"{self.verdict[0].upper()}{self.verdict[1:]}.", fullest, LEFT_OUT])


def _cures(shape: Shape, plan: Plan, gpu: Gpu, n_gpus: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The cures in order, each with its kind, what it is called, and the fields that it changes.

    First what costs nothing, then fewer rows at a time, less that is trained or kept of it, computing again, and last
    more devices.
    """
    if plan.attention == "written":
        yield "attention", "flash attention", {"attention": "sdpa"}
    if plan.precision == "float32" and gpu.cuda:
        yield "precision", "mixed precision", {"precision": "mixed"}  # faster as well
    if plan.parallel == "ddp" and n_gpus > 1 and plan.method == "full":
        yield "devices", "fsdp instead of ddp", {"parallel": "fsdp"}
    rows, times = plan.batch_size, plan.grad_accum_steps
    while rows > 1:
        rows, times = -(-rows // 2), times * 2
        told = f"batch_size {rows} with grad_accum_steps {times}"
        yield "rows", told, {"batch_size": rows, "grad_accum_steps": times}
    if gpu.cuda and plan.method == "lora":
        yield "trained", "the base in 4 bits (QLoRA)", {"method": "qlora"}
    elif gpu.cuda and plan.method == "full" and shape.pretrained:
        yield "trained", "an adapter on a base in 4 bits (QLoRA)", {"method": "qlora", "parallel": "ddp"}
    elif gpu.cuda and plan.method == "full" and plan.optimizer == "adamw":
        yield "trained", "8-bit Adam", {"optimizer": "adamw8bit"}
    if not plan.recompute:
        yield "recomputation", "recomputation", {"recompute": True}
    while gpu.cuda and plan.method == "full" and not shape.pretrained and (n_gpus := 2 * n_gpus) <= MOST_GPUS:
        yield "devices", f"{n_gpus} x {gpu.name} under fsdp", {"parallel": "fsdp", "n_gpus": n_gpus}


def estimate(
    model: GPTConfig | Shape | str,
    plan: Plan | None = None,
    gpu: str | Gpu = "T4",
    n_gpus: int = 1,
    tokens: float | None = None,
    price: float | None = None,
    mfu: float | None = None,
    country: str = "GBR",
) -> Budget:
    """Work out what a training needs.

    Args:
        model: a GPTConfig, a name in SHAPES, or a Shape.
        plan: how it is trained; Plan() if None. `Plan.of(train_config)` makes one of a TrainConfig.
        gpu: a name in GPUS, or a Gpu of your own.
        n_gpus: that train together, each with plan.batch_size rows of its own.
        tokens: to train on; 20 per parameter if None, which suits a model that starts from nothing. A pretrained one
            needs the number: all tokens of your rows, times the passes over them.
        price: dollars an hour for one device; that of the table if None.
        mfu: share of the device's peak that is reached, 0 to 1; that of the table if None.
        country: three letters, as in TrainConfig: where the electricity comes from.

    Returns:
        the Budget: print it, or take its verdict.

    Raises:
        ValueError: a number makes no sense, or a name is unknown.
    """
    shape, plan = shape_of(model), plan or Plan()
    if not isinstance(gpu, Gpu) and gpu not in GPUS:
        raise ValueError(f"there is no device {gpu!r} in the table: take one of {', '.join(GPUS)}, or make a Gpu(...)")
    device = GPUS[gpu] if isinstance(gpu, str) else gpu
    device = replace(device, price=device.price if price is None else price, mfu=device.mfu if mfu is None else mfu)
    if device.price < 0:
        raise ValueError(f"price is {price}: dollars an hour, 0 for a machine of your own")
    if not 0 < device.mfu <= 1:
        raise ValueError(f"mfu is {mfu}: a share of the peak, above 0 and at most 1; good trainings reach 0.3 to 0.6")
    if n_gpus < 1:
        raise ValueError(f"n_gpus is {n_gpus}: at least one device has to do it")
    if tokens is None and shape.pretrained:
        raise ValueError(
            f"{shape.name} was trained already, so 20 tokens per parameter say nothing: pass tokens=..., all tokens of "
            "your rows times the passes over them"
        )
    if tokens is not None and not tokens > 0:
        raise ValueError(f"tokens is {tokens}: there must be something to train on")
    if plan.block_size > shape.block_size:
        raise ValueError(
            f"rows of {plan.block_size} tokens are longer than the {shape.block_size} that {shape.name} is made for"
        )
    return Budget(shape, plan, device, n_gpus, CHINCHILLA * shape.parameters if tokens is None else tokens, country)


# --- in words


def table(budgets: Mapping[str, Budget]) -> str:
    """Several budgets side by side, a column each, as text.

    Args:
        budgets: by what they are called.

    Raises:
        ValueError: there are none.
    """
    if not budgets:
        raise ValueError("there is no budget to show: estimate() makes one")
    columns = [budget.rows() for budget in budgets.values()]
    longest = max(columns, key=len)
    names = dict.fromkeys([*longest, *(name for column in columns for name in column)])
    cells = [["", *budgets]] + [[name, *(column.get(name, "-") for column in columns)] for name in names]
    first, *others = (max(map(len, column)) for column in zip(*cells, strict=True))
    lines = ([f"{row[0]:<{first}}", *map(str.rjust, row[1:], others)] for row in cells)
    return "\n".join("  ".join(line).rstrip() for line in lines)


def devices(gpu: Gpu, n_gpus: int) -> str:
    """Devices for people: "a T4", "8 x H100"."""
    if n_gpus > 1:
        return f"{n_gpus} x {gpu.name}"
    return f"an {gpu.name}" if gpu.name[0] in "AEFHILMNORSX" else f"a {gpu.name}"


def size(bytes_: float) -> str:
    """Bytes for people, decimal: 21.0 GB."""
    for scale, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if bytes_ >= scale:
            value = bytes_ / scale
            return f"{value:.0f} {unit}" if value >= 100 or value == round(value) else f"{value:.1f} {unit}"
    return f"{bytes_:.0f} bytes"


def amount(number: float) -> str:
    """A large number for people: 26.3B."""
    for scale, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= scale:
            return f"{number / scale:.3g}{unit}"
    return f"{number:,.0f}"


def money(dollars: float) -> str:
    """Dollars for people, with cents where there are few."""
    return f"${dollars:,.2f}" if dollars < 10 else f"${dollars:,.0f}"


def duration(hours: float) -> str:
    """Hours for people, in the unit that suits them."""
    if hours >= 48:
        days = hours / 24
        return f"{days:,.0f} days" if days < 730 else f"{days / 365:,.0f} years"
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.0f} minutes" if hours >= 1 / 60 else f"{hours * 3600:.0f} seconds"
