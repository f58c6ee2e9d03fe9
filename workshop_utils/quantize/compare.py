"""One table for every precision: quality, bytes, speed and energy of the same model, on the same texts.

routes.py makes the models, measure.py measures them, by_hand.py is what they do inside.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.quantize.by_hand import absmax_int8, dequantise, nf4, nf4_dequantise
from workshop_utils.quantize.measure import LogitError, Speed, bytes_in_memory, decode_speed, logit_error
from workshop_utils.quantize.methods import METHODS, Method, Quantised, Rows, Source, Unavailable, merged
from workshop_utils.quantize.routes import Train, lack_of, quantise

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

__all__ = [
    "METHODS",
    "LogitError",
    "Method",
    "Quantised",
    "Row",
    "Speed",
    "Unavailable",
    "absmax_int8",
    "bytes_in_memory",
    "decode_speed",
    "dequantise",
    "lack_of",
    "load_rows",
    "logit_error",
    "merged",
    "nf4",
    "nf4_dequantise",
    "printed",
    "quantise",
    "save_rows",
    "table",
]
QUALITY = ("relative", "kl", "top1", "perplexity", "scores")  # what two runs with one seed must agree in


@dataclass
class Row:
    """A line of the table. What could not be had is None, and `reason` says why.

    Attributes:
        method: name in METHODS.
        title: for people.
        kind: when the scales are chosen.
        library: what did it.
        disk_bytes: of its weight files.
        memory_bytes: of its weights, codes and scales.
        relative: relative error of the logits.
        kl: divergence from the reference's probabilities, nats per token.
        top1: share of positions with the same likeliest token as the reference.
        perplexity: on the texts of the caller.
        scores: name -> a value for each item.
        tokens_per_second: of single-stream decoding.
        wh_per_1000: watt-hours for 1,000 tokens.
        energy: "measured", "estimated" or "unavailable".
        note: what to know of it.
        reason: why something is missing, "" if nothing is.
    """

    method: str
    title: str
    kind: str
    library: str
    disk_bytes: int | None = None
    memory_bytes: int | None = None
    relative: float | None = None
    kl: float | None = None
    top1: float | None = None
    perplexity: float | None = None
    scores: dict[str, list[float]] = field(default_factory=dict)
    tokens_per_second: float | None = None
    wh_per_1000: float | None = None
    energy: str = "unavailable"
    note: str = ""
    reason: str = ""

    def quality(self) -> dict[str, Any]:
        """The figures that depend on the weights alone, and not on the hour or the machine's load."""
        return {name: getattr(self, name) for name in QUALITY}

    def mean(self, score: str) -> float | None:
        """The mean of a score over its items, None where it was not taken."""
        values = self.scores.get(score)
        return statistics.fmean(values) if values else None


def table(
    methods: Sequence[str],
    source: Source,
    profile: Profile,
    rows: Rows,
    calibration: Rows = (),
    train: Train = None,
    perplexity: Callable[[LanguageModel], float] | None = None,
    scores: Mapping[str, Callable[[LanguageModel], Sequence[float]]] | None = None,
    prompt_ids: Sequence[int] = (),
    new_tokens: int = 64,
    repeats: int = 3,
    energy: bool = True,
    seed: int = 0,
    quiet: bool = False,
    **training: Any,
) -> list[Row]:
    """Measure a model in several precisions, one after the other.

    Args:
        methods: names of METHODS, in the order of the lines.
        source: as in quantise.
        profile: says where; its country is where the electricity comes from.
        rows: token ids of held-out texts, on which probabilities are compared with those of the source.
        calibration: for int8-static; not those of rows.
        train: for int4-qat.
        perplexity: gets a model and returns its perplexity; None leaves it out.
        scores: name -> a function that gets a model and returns a value for each item.
        prompt_ids: the prompt of the speed; none leaves speed and energy out.
        new_tokens: to be decoded each time.
        repeats: of the speed.
        energy: whether to track it.
        seed: of all that is drawn.
        quiet: do not say what is being measured.
        training: steps, learning_rate and spare of quantise.

    Returns:
        a line for each method, also for those that cannot run here, with the reason.

    Raises:
        ValueError: there is no such method, or the source cannot be quantised.
    """
    import torch

    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise ValueError(f"there is no method {unknown[0]!r}: choose among {', '.join(METHODS)}")
    if not isinstance(source, str | LanguageModel):
        source = source()
    reference = models.load(source, profile, dtype=torch.float32) if isinstance(source, str) else source
    options = {"calibration": calibration, "train": train, "seed": seed} | training
    found = []
    for name in methods:
        models.release()  # also of what one that ran out of memory has left
        method = METHODS[name]
        if not quiet:
            print(f"{method.title} ...", flush=True)
        row = Row(name, method.title, method.kind, method.library, note=method.note)
        found.append(row)
        try:
            made = quantise(name, source, profile, **options)
        except Unavailable as error:
            row.reason = str(error)
            continue
        _measure_quality(row, made, reference, rows, perplexity, scores or {})
        if prompt_ids:
            _measure_speed(row, made, prompt_ids, new_tokens, repeats, profile.country if energy else "")
        del made
    models.release()
    return found


def _measure_quality(
    row: Row,
    made: Quantised,
    reference: LanguageModel,
    rows: Rows,
    perplexity: Callable[[LanguageModel], float] | None,
    scores: Mapping[str, Callable[[LanguageModel], Sequence[float]]],
) -> None:
    row.title, row.note, row.memory_bytes = made.method.title, made.note, made.bytes_in_memory
    error = logit_error(reference, made.model, rows)
    row.relative, row.kl, row.top1 = error.relative, error.kl, error.top1
    row.perplexity = None if perplexity is None else float(perplexity(made.model))
    row.scores = {name: [float(value) for value in score(made.model)] for name, score in scores.items()}
    with tempfile.TemporaryDirectory() as folder:
        row.disk_bytes = made.bytes_on_disk(folder)


def _measure_speed(
    row: Row, made: Quantised, prompt_ids: Sequence[int], new_tokens: int, repeats: int, country: str
) -> None:
    try:
        speed = made.speed(prompt_ids, new_tokens, repeats, country)
    except Unavailable as error:
        row.reason = f"no speed: {error}"
        return
    row.tokens_per_second, row.wh_per_1000, row.energy = speed.tokens_per_second, speed.wh_per_1000, speed.energy


def save_rows(rows: Sequence[Row], path: Path | str) -> None:
    """Write the lines as JSON."""
    write_text_atomically(json.dumps([asdict(row) for row in rows], indent=1) + "\n", path)


def load_rows(path: Path | str) -> list[Row]:
    """Read what save_rows wrote."""
    return [Row(**line) for line in json.loads(Path(path).read_text(encoding="utf-8"))]


def printed(rows: Sequence[Row]) -> str:
    """The lines as text: a column for each figure, means of the scores, and below what is missing, and why."""
    names = list(dict.fromkeys(name for row in rows for name in row.scores))
    heads = ["", "disk MB", "memory MB", "error", "KL", "perplexity", *names, "tok/s", "Wh/1000"]
    lines = [heads]
    for row in rows:
        figures = [
            _figure(row.disk_bytes, 1e6, ",.2f"),
            _figure(row.memory_bytes, 1e6, ",.2f"),
            _figure(row.relative, 1, ".4f"),
            _figure(row.kl, 1, ".1e"),
            _figure(row.perplexity, 1, ",.3f"),
            *(_figure(row.mean(name), 1, ".3g") for name in names),
            _figure(row.tokens_per_second, 1, ",.0f"),
            _figure(row.wh_per_1000, 1, ".2g"),
        ]
        lines.append([row.title, *figures])
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    text = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    reasons = [f"{row.title}: {row.reason}" for row in rows if row.reason]
    return "\n".join([*text, *([""] if reasons else []), *reasons])


def _figure(value: float | None, unit: float, form: str) -> str:
    return "-" if value is None else format(value / unit, form)
