"""The tuning of lesson 08: how many answers are right when they are run, before, with examples in the prompt, after?

Questions, databases and wordings that were held out, the joins among the databases, and equal letters beside equal
results. `--steps` and `--rate` try another recipe, `--keep DIR` leaves the adapter for `workshop sql --adapter DIR`.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from common import Row, cpu_seconds, one_core, options, report, row

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.evaluate.intervals import wilson
from workshop_utils.machine.profiles import setup
from workshop_utils.pocket import shops
from workshop_utils.sql import Example, Sandbox, Verdict, answers, attach, config, conversations, of_shops, verdicts
from workshop_utils.sql.recipe import N_TRAIN, TOGETHER
from workshop_utils.tuning import finetune, lora

N, N_SHOTS, TEST_SEED = 408, 3, 1
GOALS = {"questions": "ours >= 0.9", "databases": "ours >= 0.75", "wordings": "ours >= 0.6", "joins": "ours >= 0.5"}


def share(name: str, hits: list[bool], goal: str = "") -> Row:
    """The line of a share with its interval."""
    found = sum(hits) / len(hits)
    return row(name, found, goal=goal) | {"spread": list(wilson(found, len(hits))), "samples": len(hits)}


def asked(model: LanguageModel, examples: list[Example], shots: list[Example] = []) -> list[Verdict]:  # noqa: B006
    """What becomes of the model's answers; with their kinds and some errors printed."""
    said = answers(model, examples, shots)
    with Sandbox() as sandbox:
        found = verdicts(sandbox, examples, said)
    by_kind, shown = defaultdict(list), 0
    for one, verdict, query in zip(examples, found, said, strict=True):
        by_kind[one.kind].append(verdict.right)
        if not verdict.right and shown < 6:
            shown += 1
            print(f"    {one.question}\n      {query}   ({verdict.error or f'runs; right is {one.query}'})")
    print("   ", ", ".join(f"{kind} {sum(hits)}/{len(hits)}" for kind, hits in by_kind.items()), flush=True)
    return found


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, help="updates")
    parser.add_argument("--rate", type=float, help="peak learning rate")
    parser.add_argument("--keep", type=Path, help="folder for the adapter")
    args = parser.parse_args()
    one_core()
    profile = setup("pocket")
    n = 17 if args.quick else N
    sets = {of: of_shops(shops.to_test(n, of, seed=TEST_SEED)) for of in ("questions", "databases", "wordings")}
    sets["joins"] = of_shops(shops.to_test(n, "databases", shops.JOINS, seed=TEST_SEED + 1))
    base = lora.load_base(profile.models[1], profile)
    before = asked(base, sets["questions"])
    few = asked(base, sets["questions"], of_shops(shops.to_train(N_SHOTS, 0)))
    results: dict[str, list[Verdict]] = defaultdict(list)
    minutes = []
    for seed in args.seeds[: 1 if args.quick else None]:
        settings = config(profile, 2 if args.quick else args.steps, seed)
        if args.rate:
            settings = replace(settings, learning_rate=args.rate)
        drawn = shops.to_train(40 if args.quick else N_TRAIN, together=TOGETHER, seed=seed)
        rows = conversations(of_shops(drawn), TOGETHER)
        model = attach(lora.load_base(profile.models[1], profile), rows, seed)
        folder = args.keep if args.keep and seed == args.seeds[-1] else Path(tempfile.mkdtemp())
        began = time.perf_counter()
        used = cpu_seconds(lambda: finetune.tune(model, rows, settings, folder, profile, quiet=True))  # noqa: B023
        minutes.append(used / 60)
        print(
            f"seed {seed}: {settings.steps} updates, {used:.0f} CPU s, {time.perf_counter() - began:.0f} s", flush=True
        )
        for name, examples in sets.items():
            print(f"  held out: {name}")
            results[name] += asked(model, examples)
    rights = {name: [verdict.right for verdict in found] for name, found in results.items()}
    rows_ = [
        row("cpu_minutes", max(minutes), goal="ours <= 5") | {"samples": len(minutes)},
        share("before", [one.right for one in before], "ours <= 0.02"),
        share("few_shot", [one.right for one in few]),
        *[share(f"held_out_{name}", hits, GOALS[name]) for name, hits in rights.items()],
        share("exact_match", [one.exact for one in results["questions"]]),
        share("exact_match_databases", [one.exact for one in results["databases"]]),
        share("valid_databases", [one.valid for one in results["databases"]]),
    ]
    notes = (
        f"pocket-instruct in NF4 with LoRA and the rows of the symbols; {n} questions a set, seeds "
        f"{', '.join(map(str, args.seeds))}; right: the gold query's result in both fillings of the schema; few_shot: "
        f"{N_SHOTS} examples in the prompt, no tuning; exact_match: letters, of the answers to held-out questions; "
        "held_out_wordings: of held-out questions, too; intervals are Wilson's, 95%, and do not know the seeds."
    )
    report("text_to_sql", rows_, args, notes)


if __name__ == "__main__":
    main()
