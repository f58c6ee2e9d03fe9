"""One table for every precision: bytes, quality and speed of the same model, on the same texts.

methods.py makes the models, measure.py measures them, by_hand.py is what they do inside.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.evaluate.intervals import paired
from workshop_utils.quantize.floats import TokenRows, Unavailable
from workshop_utils.quantize.measure import logit_error
from workshop_utils.quantize.methods import METHODS, check_names, quantise

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

ENERGY_RUNS = 5


@dataclass
class TableRow:
    """A method's figures. Each is None where it could not be had, and `reason` says why.

    Attributes:
        method: name in METHODS.
        title: for people.
        table_bytes: of the embedding table.
        rest_bytes: of all other weights, codes and scales.
        relative: relative error of the logits.
        kl: divergence from the reference's probabilities, nats per token.
        scores: name -> a value for each item.
        tokens_per_second: of single-stream decoding.
        wh_per_1000: watt-hours for 1,000 tokens, a figure for each run.
        energy: "measured", "estimated" or "unavailable".
        reason: why something is missing, "" if nothing is.
    """

    method: str
    title: str
    table_bytes: int | None = None
    rest_bytes: int | None = None
    relative: float | None = None
    kl: float | None = None
    scores: dict[str, list[float]] = field(default_factory=dict)
    tokens_per_second: float | None = None
    wh_per_1000: list[float] = field(default_factory=list)
    energy: str = "unavailable"
    reason: str = ""

    @property
    def bytes(self) -> int | None:
        """Of all weights."""
        return None if self.table_bytes is None or self.rest_bytes is None else self.table_bytes + self.rest_bytes

    def mean(self, score: str) -> float | None:
        """The mean of a score over its items, None where it was not taken."""
        values = self.scores.get(score)
        return statistics.fmean(values) if values else None


def table(
    methods: Sequence[str],
    model: LanguageModel,
    profile: Profile,
    rows: TokenRows,
    scores: Mapping[str, Callable[[LanguageModel], Sequence[float]]] | None = None,
    prompt_ids: Sequence[int] = (),
    new_tokens: int = 64,
    repeats: int = 3,
    energy_of: Collection[str] = (),
    quiet: bool = False,
    **data: Any,
) -> list[TableRow]:
    """Measure a model in several precisions, one after the other.

    Args:
        methods: names of METHODS, in the order of the rows.
        model: in floats; what the others are compared with.
        profile: says where; its country is where the electricity comes from, "" tracks no energy.
        rows: token ids of held-out texts, on which probabilities are compared with those of the model.
        scores: name -> a function that gets a model and returns a value for each item.
        prompt_ids: the prompt of the speed; none leaves speed and energy out.
        new_tokens: to be decoded each time.
        repeats: of the speed.
        energy_of: methods whose energy is taken, in five runs of a second each.
        quiet: do not say what is being measured.
        data: calibration, train and steps of quantise.

    Returns:
        a row for each method, also for those that cannot run here, with the reason.

    Raises:
        ValueError: there is no such method, or the model cannot be quantised.
    """
    check_names(methods)
    found = []
    for name in methods:
        models.release()  # also of what one that ran out of memory has left
        method = METHODS[name]
        if not quiet:
            print(f"{method.title} ...", flush=True)
        row = TableRow(name, method.title)
        found.append(row)
        try:
            made = quantise(name, model, profile, **data)
        except Unavailable as error:
            row.reason = str(error)
            continue
        row.title, (row.table_bytes, row.rest_bytes) = made.title or method.title, made.weight_bytes
        error_of = logit_error(model, made.model, rows)
        row.relative, row.kl = error_of.relative, error_of.kl
        row.scores = {what: [float(value) for value in score(made.model)] for what, score in (scores or {}).items()}
        if prompt_ids:
            try:
                row.tokens_per_second = method.speed(made, prompt_ids, new_tokens, repeats).tokens_per_second
                for _ in range(ENERGY_RUNS if profile.country and name in energy_of else 0):
                    run = method.speed(made, prompt_ids, new_tokens, 1, profile.country)
                    row.energy = run.energy
                    row.wh_per_1000 += [] if run.wh_per_1000 is None else [run.wh_per_1000]
            except Unavailable as error:
                row.reason = f"no speed: {error}"
        del made
    models.release()
    return found


def printed(rows: Sequence[TableRow], *parts: str) -> str:
    """Some columns of the rows as text, and below them what is missing, and why.

    Args:
        rows: from table; the first one is the reference of the differences.
        parts: "methods" (what differs between them), "error", "speed", or the name of a score: its mean, and its paired
            difference from the reference with the 95% interval.
    """
    lines = [["", *(head for part in parts for head in _HEADS.get(part, (part, "difference")))]]
    lines += [[row.title, *(cell for part in parts for cell in _cells(row, rows[0], part))] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    reasons = [f"{row.title}: {row.reason}" for row in rows if row.reason]
    return "\n".join([*text, *([""] if reasons else []), *reasons])


_HEADS = {
    "methods": ["weights", "activations", "embedding", "table MB", "rest MB", "MB"],
    "error": ["error", "KL"],
    "speed": ["runtime", "tok/s", "Wh for 1,000 tokens"],
}


def _cells(row: TableRow, reference: TableRow, part: str) -> list[str]:
    method = METHODS[row.method]
    if part == "methods":
        sizes = [_form(size and size / 1e6, ",.2f") for size in (row.table_bytes, row.rest_bytes, row.bytes)]
        return [method.weights, method.activations, method.embedding, *sizes]
    if part == "error":
        return [_form(row.relative, ".4f"), _form(row.kl, ".1e")]
    if part == "speed":
        return [method.runtime, _form(row.tokens_per_second, ",.0f"), _energy(row)]
    values, wanted = row.scores.get(part), reference.scores.get(part)
    compared = str(paired(wanted, values)) if values and wanted and row is not reference else "-"
    return [_form(row.mean(part), ".3f"), compared]


def _form(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _energy(row: TableRow) -> str:
    runs = sorted(row.wh_per_1000)
    if not runs:
        return "-"
    middle = statistics.median(runs)
    return f"{middle:.2g} ({runs[0]:.2g} to {runs[-1]:.2g}, {len(runs)} runs), {row.energy}"
