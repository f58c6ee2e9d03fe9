"""Lesson 11's distillation: half of the teacher's layers, taught by it, against the same student without it.

All students train for the same CPU seconds, `--seconds`, so a student with a teacher takes fewer steps. Then teacher
and student with their linear layers in int8: bytes, time, accuracy.
"""

from __future__ import annotations

import copy
import io
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from common import Row, cpu_seconds, mean, one_core, options, report, row

from workshop_utils.encoder import accuracy, distillation_loss, half, load_encoder, rows_of, train
from workshop_utils.evaluate.intervals import paired
from workshop_utils.machine.profiles import setup
from workshop_utils.pocket import stories

N_TRAIN, N_TEST, TEST_SEED = 4_000, 400, 77  # stories that the teacher has not read, and others to test with
SHARE = 0.3  # of the tokens hidden in training: a short training gains from more than 15%, arXiv 2202.08005
STEPS = 100_000  # more than the seconds allow


def with_loss(teacher: Any, student: Any, *batch: torch.Tensor) -> torch.Tensor:
    return distillation_loss(student, teacher, *batch)


def arms(teacher: Any) -> dict[str, tuple[Callable[[], Any], Any]]:
    """How each student begins, and its loss."""
    taught = partial(with_loss, teacher)
    return {
        "distilled": (lambda: half(teacher), taught),
        "copied layers, no teacher": (lambda: half(teacher), None),
        "alone": (lambda: half(teacher, copied=False), None),
    }


def int8(model: Any) -> Any:
    """The linear layers in eight bits, their inputs quantised while running."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is on its way to torchao
        return torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), {torch.nn.Linear}, torch.qint8)


def megabytes(model: Any) -> float:
    """Of its saved weights; a matrix that two layers share counts once, as in a file."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.tell() / 1e6


def stories_per_second(model: Any, rows: torch.Tensor) -> float:
    """Of one thread, eight at a time; the best of three."""
    with torch.no_grad():
        took = []
        for _ in range(3):
            began = time.process_time()
            for ids in rows.split(8):
                model(input_ids=ids)
            took.append(time.process_time() - began)
    return len(rows) / min(took)


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.set_defaults(seconds=180, seeds=[0, 1, 2])
    args = parser.parse_args()
    one_core()
    setup("pocket")
    teacher, tokenizer = load_encoder()
    told = list(stories.texts(N_TRAIN, seed=TEST_SEED + 1))
    test = rows_of(list(stories.texts(32 if args.quick else N_TEST, seed=TEST_SEED)), tokenizer)
    rows = rows_of(told, tokenizer)
    of_teacher = accuracy(teacher, test, tokenizer)
    print(f"teacher {statistics.fmean(of_teacher):.3f}", flush=True)
    found: dict[str, list[float]] = {}
    steps: dict[str, list[int]] = {}
    spent: dict[str, list[float]] = {}
    last: dict[str, Any] = {}

    def finish() -> None:
        student, n_seeds = last["distilled"], len(found["distilled"]) // len(of_teacher)
        share = student.num_parameters() / teacher.num_parameters()
        whole = args.seconds >= 180  # the goals are for that
        better = paired(found["alone"], found["distilled"])
        same = statistics.fmean(found["distilled"]) / statistics.fmean(of_teacher)
        rows_: list[Row] = [
            mean("masked accuracy, teacher", of_teacher),
            *[mean(f"masked accuracy, student, {name}", values) for name, values in found.items()],
            row("distilled student's accuracy as a share of the teacher's", same, goal="ours >= 0.9" * whole),
            row("distilled student's parameters as a share of the teacher's", share, goal="ours <= 0.6"),
            row("distilled minus alone, paired", better.mean, goal="ours >= 0" * whole)
            | {"spread": [better.low, better.high]},
            *[row(f"steps, {name}", statistics.fmean(values)) for name, values in steps.items()],
            *[row(f"CPU seconds, {name}", statistics.fmean(values)) for name, values in spent.items()],
        ]
        for who, model in {"teacher": teacher, "student": student}.items():
            for kind, one in {"float32": model, "int8": int8(model)}.items():
                rows_ += [
                    row(f"megabytes, {who}, {kind}", megabytes(one)),
                    row(f"stories per CPU second, {who}, {kind}", stories_per_second(one, test[:64])),
                    mean(f"masked accuracy, {who}, {kind}", accuracy(one, test, tokenizer)),
                ]
        seeds = ", ".join(map(str, args.seeds[:n_seeds]))
        notes = (
            f"Hidden: 15% of the tokens of {len(test)} stories that no model was trained on, all as [MASK]; seeds "
            f"{seeds} put together. Students: every other layer of the teacher's six, Muon and AdamW, {SHARE:.0%} of "
            "the tokens hidden in training; distilled: copied layers and the three losses of DistilBERT. int8: the "
            "linear layers, dynamic; the embeddings stay float32; the student is that of the last seed. Intervals: "
            "bootstrap over stories, 95%."
        )
        report("distillation", rows_, args, notes)

    for seed in args.seeds[: 1 if args.quick else None]:
        for name, (begin, loss) in arms(teacher).items():
            torch.manual_seed(seed)
            run = partial(train, rows=rows, tokenizer=tokenizer, loss=loss, share=SHARE, seed=seed)
            limit = {"steps": 2} if args.quick else {"steps": STEPS, "seconds": args.seconds}
            run(begin(), steps=1)  # warm
            torch.manual_seed(seed)
            student, losses = begin(), list[float]()
            used = cpu_seconds(lambda: losses.extend(run(student, **limit)))  # noqa: B023
            spent.setdefault(name, []).append(used)
            steps.setdefault(name, []).append(len(losses))
            shares = accuracy(student, test, tokenizer)
            found.setdefault(name, []).extend(shares)
            last[name] = student
            result = f"{len(losses)} steps in {used:.0f} CPU seconds, {statistics.fmean(shares):.3f}"
            print(f"seed {seed}, {name}: {result}", flush=True)
        finish()  # after each seed: what was measured is there if the rest is cut off


if __name__ == "__main__":
    main()
