"""The tuning of lesson 08: how many answers are right when they are run, before, with examples in the prompt, after?

Questions, databases and wordings that were held out, the joins among the databases, equal letters beside equal results,
what the wrong answers are, and what is left when the adapter is merged and the model quantised. `--steps` and `--rate`
try another recipe, `--keep DIR` leaves the adapter for `workshop sql --adapter DIR`.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from common import cpu_seconds, one_core, options, report, row, share

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.lessons.sql_run import by_kind
from workshop_utils.machine.profiles import Profile, setup
from workshop_utils.pocket import shops
from workshop_utils.quantize import quantise
from workshop_utils.quantize.measure import weight_bytes
from workshop_utils.sql import (
    Example,
    Sandbox,
    Verdict,
    answers,
    attach,
    config,
    conversations,
    form,
    of_shops,
    verdicts,
)
from workshop_utils.sql.judge import plain
from workshop_utils.sql.recipe import N_TRAIN, TOGETHER
from workshop_utils.tuning import finetune, lora

N, N_SHOTS, TEST_SEED = 408, 3, 5  # the recipe was chosen on other databases, and on questions of another seed
GOALS = {"questions": "ours >= 0.9", "databases": "ours >= 0.75", "wordings": "ours >= 0.6", "joins": "ours >= 0.5"}


@dataclass
class Asked:
    """Verdicts, and what is wrong with the wrong answers among them."""

    verdicts: list[Verdict] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def hits(self, what: str = "right") -> list[bool]:
        return [getattr(one, what) for one in self.verdicts]

    def add(self, other: Asked) -> None:
        self.verdicts += other.verdicts
        self.mistakes += other.mistakes


def mistake(one: Example, query: str, verdict: Verdict) -> str:
    """What is wrong with a wrong answer."""
    if verdict.error.startswith("no such"):
        return "names what is not there"
    if verdict.error:
        return "is no SQL"
    words = {word for table, columns in form.tables(one.schema).items() for word in (table, *columns)}
    names = rf"\b({'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})\b|'[^']*'|\d+"
    same = re.sub(names, "_", plain(query)) == re.sub(names, "_", plain(one.query))
    return "takes another table, column or value" if same else "asks something else"


def asked(model: LanguageModel, examples: list[Example], shots: Sequence[Example] = ()) -> Asked:
    """What becomes of the model's answers; with their kinds and some errors printed."""
    said = answers(model, examples, shots)
    with Sandbox() as sandbox:
        found = verdicts(sandbox, examples, said)
    missed = [one for one in zip(examples, said, found, strict=True) if not one[2].right]
    for one, query, verdict in missed[:6]:
        print(f"    {one.question}\n      {query}   ({verdict.error or f'runs; right is {one.query}'})")
    kinds = by_kind(examples, [one.right for one in found])
    print("   ", ", ".join(f"{kind} {hits}/{tries}" for kind, (hits, tries) in kinds.items()), flush=True)
    return Asked(found, [mistake(*one) for one in missed])


def merged(profile: Profile, folder: Path) -> dict[str, LanguageModel]:
    """The model with its adapter in its weights: in floats, in eight bits from there, and in the four bits below it."""

    def into(kind: str) -> LanguageModel:
        tuned = lora.load(lora.load_base(profile.models[1], profile, kind), folder)
        return replace(tuned, model=cast(Any, tuned.model).merge_and_unload().eval())

    floats = into("float32")
    return {
        "merged into float32": floats,
        "merged into float32, then int8": quantise("int8", floats, profile).model,
        "merged into float32, then NF4": quantise("nf4-double", floats, profile).model,
        "merged into NF4": into("nf4"),
    }


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, help="updates")
    parser.add_argument("--rate", type=float, help="peak learning rate")
    parser.add_argument("--keep", type=Path, help="folder for the adapter")
    args = parser.parse_args()
    one_core()
    profile = setup("pocket")
    n = 17 if args.quick else args.n or N
    sets = {of: of_shops(shops.to_test(n, of, seed=TEST_SEED)) for of in ("questions", "databases", "wordings")}
    sets["joins"] = of_shops(shops.to_test(n, "databases", shops.JOINS, seed=TEST_SEED + 1))
    base = lora.load_base(profile.models[1], profile)
    before = asked(base, sets["questions"])
    few = asked(base, sets["questions"], of_shops(shops.to_train(N_SHOTS, 0)))
    results: dict[str, Asked] = defaultdict(Asked)
    minutes, folder = [], Path()
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
            results[name].add(asked(model, examples))
    of = "databases"  # held out: where there is something to lose
    ways, sizes = merged(profile, folder), {}
    for name, model in ways.items():
        print(f"  {name}")
        results[name], sizes[name] = asked(model, sets[of]), weight_bytes(cast(Any, model.model)) / 1e6
    sorted_, n_asked = Counter(results[of].mistakes), len(results[of].verdicts)
    rows_ = [
        row("cpu_minutes", max(minutes), goal="ours <= 5") | {"samples": len(minutes)},
        share("before", before.hits(), "ours <= 0.02"),
        share("few_shot", few.hits()),
        *[share(f"held_out_{name}", results[name].hits(), goal) for name, goal in GOALS.items()],
        share("exact_match", results["questions"].hits("exact")),
        share("exact_match_databases", results[of].hits("exact")),
        share("valid_databases", results[of].hits("valid")),
        *[row(f"databases, wrong: {what}", hits / n_asked) for what, hits in sorted_.most_common()],
        *[share(f"databases, {name}", results[name].hits()) for name in ways],
        *[row(f"megabytes, {name}", size) for name, size in sizes.items()],
    ]
    notes = (
        f"pocket-instruct in NF4 with LoRA; {n} questions a set, seeds {', '.join(map(str, args.seeds))}; right: the "
        f"gold query's result in both fillings of the schema; few_shot: {N_SHOTS} examples in the prompt, no tuning; "
        "exact_match: letters, of the answers to held-out questions; held_out_wordings: of held-out questions, too; "
        "databases, wrong: a share of all answers to held-out databases; intervals are Wilson's, 95%, and do not know "
        "the seeds."
    )
    report("text_to_sql", rows_, args, notes)


if __name__ == "__main__":
    main()
