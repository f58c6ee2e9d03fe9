"""One table for every precision: quality, bytes, speed and energy of the same model, on the same texts.

methods.py makes the models, measure.py measures them, by_hand.py is what they do inside.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.quantize.floats import TokenRows, Unavailable
from workshop_utils.quantize.measure import logit_error, weight_bytes
from workshop_utils.quantize.methods import METHODS, check_names, quantise

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile


@dataclass
class TableRow:
    """A method's figures. Each is None where it could not be had, and `reason` says why.

    Attributes:
        method: name in METHODS.
        title: for people.
        disk_bytes: of its weight files.
        memory_bytes: of its weights, codes and scales.
        relative: relative error of the logits.
        kl: divergence from the reference's probabilities, nats per token.
        perplexity: on the texts of the caller.
        scores: name -> a value for each item.
        tokens_per_second: of single-stream decoding.
        wh_per_1000: watt-hours for 1,000 tokens.
        energy: "measured", "estimated" or "unavailable".
        reason: why something is missing, "" if nothing is.
    """

    method: str
    title: str
    disk_bytes: int | None = None
    memory_bytes: int | None = None
    relative: float | None = None
    kl: float | None = None
    perplexity: float | None = None
    scores: dict[str, list[float]] = field(default_factory=dict)
    tokens_per_second: float | None = None
    wh_per_1000: float | None = None
    energy: str = "unavailable"
    reason: str = ""

    def mean(self, score: str) -> float | None:
        """The mean of a score over its items, None where it was not taken."""
        values = self.scores.get(score)
        return statistics.fmean(values) if values else None


def table(
    methods: Sequence[str],
    model: LanguageModel,
    profile: Profile,
    rows: TokenRows,
    perplexity: Callable[[LanguageModel], float] | None = None,
    scores: Mapping[str, Callable[[LanguageModel], Sequence[float]]] | None = None,
    prompt_ids: Sequence[int] = (),
    new_tokens: int = 64,
    repeats: int = 3,
    quiet: bool = False,
    **data: Any,
) -> list[TableRow]:
    """Measure a model in several precisions, one after the other.

    Args:
        methods: names of METHODS, in the order of the rows.
        model: in floats; what the others are compared with.
        profile: says where; its country is where the electricity comes from, "" tracks no energy.
        rows: token ids of held-out texts, on which probabilities are compared with those of the model.
        perplexity: gets a model and returns its perplexity; None leaves it out.
        scores: name -> a function that gets a model and returns a value for each item.
        prompt_ids: the prompt of the speed; none leaves speed and energy out.
        new_tokens: to be decoded each time.
        repeats: of the speed.
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
        row.title, row.memory_bytes = made.title or method.title, made.bytes_in_memory
        error_of = logit_error(model, made.model, rows)
        row.relative, row.kl = error_of.relative, error_of.kl
        row.perplexity = None if perplexity is None else float(perplexity(made.model))
        row.scores = {what: [float(value) for value in score(made.model)] for what, score in (scores or {}).items()}
        with tempfile.TemporaryDirectory() as folder:
            method.save(made, Path(folder))
            row.disk_bytes = weight_bytes(Path(folder))
        if prompt_ids:
            try:
                speed = method.speed(made, prompt_ids, new_tokens, repeats, profile.country)
                row.tokens_per_second, row.wh_per_1000 = speed.tokens_per_second, speed.wh_per_1000
                row.energy = speed.energy
            except Unavailable as error:
                row.reason = f"no speed: {error}"
        del made
    models.release()
    return found


def printed(rows: Sequence[TableRow]) -> str:
    """The rows as text: a column for each figure, means of the scores, and below what is missing, and why."""
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    lines = [["", "disk MB", "memory MB", "error", "KL", "perplexity", *names, "tok/s", "Wh/1000"]]
    for row in rows:
        figures: list[tuple[float | None, str]] = [
            (row.disk_bytes and row.disk_bytes / 1e6, ",.2f"),
            (row.memory_bytes and row.memory_bytes / 1e6, ",.2f"),
            (row.relative, ".4f"),
            (row.kl, ".1e"),
            (row.perplexity, ",.3f"),
            *((row.mean(name), ".3g") for name in names),
            (row.tokens_per_second, ",.0f"),
            (row.wh_per_1000, ".2g"),
        ]
        lines.append([row.title, *("-" if value is None else format(value, form) for value, form in figures)])
    first, *widths = (max(map(len, column)) for column in zip(*lines, strict=True))
    text = [
        "  ".join([head.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))]).rstrip()
        for head, *cells in lines
    ]
    reasons = [f"{row.title}: {row.reason}" for row in rows if row.reason]
    return "\n".join([*text, *([""] if reasons else []), *reasons])
