"""Will it fit, how long will it take, what will it cost: the budget of a training before a single GPU is rented.

A shape (shapes.py) and a plan give bytes (memory.py); tokens and a device (gpus.py) give hours,
money and electricity. A verdict says it in a sentence, and names the cheapest cures where it does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from workshop_utils.budget.cures import Cure, cheapest_cure, elsewhere
from workshop_utils.budget.gpus import GPUS as GPUS
from workshop_utils.budget.gpus import PUE, Gpu, find_gpu, grams_per_kwh
from workshop_utils.budget.gpus import prices as prices
from workshop_utils.budget.memory import Plan as Plan
from workshop_utils.budget.memory import peak, state
from workshop_utils.budget.memory import tuning as tuning
from workshop_utils.budget.shapes import SHAPES as SHAPES
from workshop_utils.budget.shapes import Shape, shape_of
from workshop_utils.budget.shapes import parts as parts
from workshop_utils.budget.units import amount as amount
from workshop_utils.budget.units import duration as duration
from workshop_utils.budget.units import money as money
from workshop_utils.budget.units import size as size
from workshop_utils.budget.wording import text_budget as text_budget

CHINCHILLA = 20  # tokens a parameter that spend a given computation best: Hoffmann et al., arXiv 2203.15556
LEFT_OUT = (
    "Left out: waiting for data and for each other, evaluation, failed runs, the host's own power and everything that "
    "was tried before; a real bill is often twice this one."
)


@dataclass(frozen=True)
class Budget:
    """What a training needs: memory on each device, time, money, electricity.

    Attributes:
        shape, plan, gpu, n_gpus: what was asked about.
        tokens: that are trained on.
        moment: at which of a step's moments the memory is fullest.
        parts: bytes on one device at that moment, part by part.
        before: bytes on one device whatever the batch: weights, gradients, the optimiser's averages.
        flops_per_token: floating-point operations, recomputation included.
        country: where the electricity comes from.
        pue: all power of the data centre over that of its computers.
        cure: the cheapest changes with which it would fit, where it does not and some would help.
        elsewhere: the cheapest single device that carries it as it is, where it does not fit this one.
    """

    shape: Shape
    plan: Plan
    gpu: Gpu
    n_gpus: int
    tokens: float
    moment: str
    parts: dict[str, float]
    before: float
    flops_per_token: float
    pue: float
    country: str
    cure: Cure | None = None
    elsewhere: Gpu | None = None

    @property
    def needed(self) -> float:
        """Bytes on one device at the fullest moment."""
        return sum(self.parts.values())

    @property
    def fits(self) -> bool:
        """Whether that is less than tensors can have there."""
        return self.needed <= self.gpu.usable

    @property
    def flops(self) -> float:
        """Floating-point operations of the whole training."""
        return self.flops_per_token * self.tokens

    @property
    def hours(self) -> float:
        """Of the clock, at the device's utilisation."""
        return self.flops / (self.n_gpus * self.gpu.peak(self.plan.precision) * self.gpu.mfu) / 3600

    @property
    def dollars(self) -> float:
        """For the devices; a machine of your own costs nothing but electricity."""
        return self.hours * self.n_gpus * self.gpu.price

    @property
    def kwh(self) -> float:
        """Kilowatt-hours at full power, with the data centre's cooling and losses."""
        return self.hours * self.n_gpus * self.gpu.watts / 1000 * self.pue

    @property
    def kg_co2e(self) -> float:
        """Kilograms of CO2 equivalent, at the country's average electricity."""
        return self.kwh * grams_per_kwh(self.country) / 1000

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
        ways = []
        if self.cure:
            ways.append(f"with {self.cure} ({size(self.cure.needed)}{' each' if self.cure.n_gpus > 1 else ''})")
        if self.elsewhere:
            ways.append(f"as it is on {devices(self.elsewhere, 1)}")
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
            "FLOPs a token": f"{self.flops_per_token:.3g}",
            "tokens": amount(self.tokens),
            "share of the peak": f"{self.gpu.mfu:.0%}",
            "time": duration(self.hours),
            "money": money(self.dollars),
            "electricity": f"{self.kwh:,.3g} kWh" if self.kwh < 1000 else f"{self.kwh:,.0f} kWh",
            "CO2e": f"{self.kg_co2e:,.2g} kg" if self.kg_co2e < 10 else f"{self.kg_co2e:,.0f} kg",
        }

    def table(self) -> str:
        """Everything as lines of text, and the verdict under it."""
        rows = self.rows()
        width = max(map(len, rows))
        lines = [f"{name:<{width}}  {value}" for name, value in rows.items()]
        fullest = f"The memory is fullest at {self.moment}."
        return "\n".join([self.shape.name, *lines, f"{self.verdict[0].upper()}{self.verdict[1:]}.", fullest, LEFT_OUT])

    def __str__(self) -> str:
        return self.table()


def estimate(
    model: Any,
    plan: Plan | None = None,
    gpu: str | Gpu = "T4",
    n_gpus: int = 1,
    tokens: float | None = None,
    price: float | None = None,
    mfu: float | None = None,
    country: str = "GBR",
    pue: float = PUE,
) -> Budget:
    """Work out what a training needs.

    Args:
        model: a GPTConfig, a config of transformers, a name in SHAPES, or a Shape.
        plan: how it is trained; Plan() if None. `Plan.of(train_config)` makes one of a TrainConfig.
        gpu: a name in GPUS, or a Gpu of your own.
        n_gpus: that train together, each with plan.batch_size rows of its own.
        tokens: to train on; 20 a parameter if None, which suits a model that starts from nothing. A pretrained one
            needs the number: all tokens of your rows, times the passes over them.
        price: dollars an hour for one device; that of the table if None.
        mfu: share of the device's peak that is reached, 0 to 1; that of the table if None.
        country: three letters, as in TrainConfig: where the electricity comes from.
        pue: all power of the data centre over that of its computers.

    Returns:
        the Budget: print it, or take its verdict.

    Raises:
        ValueError: a number makes no sense, or a name is unknown.
        TypeError: the model is nothing that has a shape.
    """
    shape, plan, device = shape_of(model), plan or Plan(), find_gpu(gpu).at(price, mfu)
    _check(shape, plan, device, n_gpus, tokens, pue)
    if tokens is None:
        tokens = CHINCHILLA * shape.parameters
    moment, found = peak(shape, plan, n_gpus, device.cuda)
    budget = Budget(
        shape=shape,
        plan=plan,
        gpu=device,
        n_gpus=n_gpus,
        tokens=tokens,
        moment=moment,
        parts=found,
        before=sum(state(shape, plan, n_gpus).values()),
        flops_per_token=flops_per_token(shape, plan),
        pue=pue,
        country=country,
    )
    if budget.fits:
        return budget
    cure = cheapest_cure(shape, plan, device, n_gpus)
    return replace(budget, cure=cure, elsewhere=elsewhere(shape, plan, device))


def flops_per_token(shape: Shape, plan: Plan) -> float:
    """Floating-point operations of a token, as the plan spends them.

    Args:
        shape: of the model.
        plan: a frozen base needs no gradients of its weights, 4 operations a parameter instead of 6; recomputation
            goes forward twice.
    """
    flops = float(shape.flops_per_token(plan.block_size or None))
    matrices = shape.parameters - shape.positions
    attention = flops - 6 * matrices
    if plan.method != "full":
        flops += 6 * shape.adapter(plan.rank) - 2 * matrices
    return flops + (2 * matrices + attention / 3 if plan.recompute else 0)


def _check(shape: Shape, plan: Plan, gpu: Gpu, n_gpus: int, tokens: float | None, pue: float) -> None:
    if n_gpus < 1:
        raise ValueError(f"n_gpus is {n_gpus}: at least one device has to do it")
    if tokens is None and shape.pretrained:
        raise ValueError(
            f"{shape.name} was trained already, so 20 tokens a parameter say nothing: pass tokens=..., all tokens of "
            "your rows times the passes over them"
        )
    if tokens is not None and not tokens > 0:
        raise ValueError(f"tokens is {tokens}: there must be something to learn from")
    if plan.block_size > shape.block_size:
        raise ValueError(
            f"rows of {plan.block_size} tokens are longer than the {shape.block_size} that {shape.name} is made for"
        )
    if plan.precision == "half" and not gpu.bf16:
        raise ValueError(
            f"a {gpu.name} has no bfloat16, and weights in float16 lose their small updates: take precision='mixed'"
        )
    if pue < 1:
        raise ValueError(f"pue is {pue}: a data centre draws at least what its computers draw, 1.0")


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
    names = [*longest, *(name for column in columns for name in column if name not in longest)]
    cells = [["", *budgets]] + [[name, *(column.get(name, "-") for column in columns)] for name in dict.fromkeys(names)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in cells
    )  # fmt: skip


def devices(gpu: Gpu, n_gpus: int) -> str:
    """Devices for people: "a T4", "8 x H100"."""
    if n_gpus > 1:
        return f"{n_gpus} x {gpu.name}"
    return f"an {gpu.name}" if gpu.name[0] in "AEFHILMNORSX" else f"a {gpu.name}"
