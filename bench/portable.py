"""The lessons' portable cells at full length, alone: do they pass, and is lesson 07's adapter as good as the package's?

Each lesson's cells run in a process where workshop_utils cannot be imported, with the settings that the lesson gives
them on a CPU. Lesson 07's adapter then answers the held-out prompts, as the package's shipped one does.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import Row, mean, options, report, row
from datasets import Dataset
from peft import PeftModel

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.evaluate.intervals import paired
from workshop_utils.exercises.lesson06 import shuffle_buffer
from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.lessons.stoic_scoring import stoic_score
from workshop_utils.machine.profiles import Profile, setup
from workshop_utils.pocket import stories
from workshop_utils.text.corpus import prepare
from workshop_utils.tuning import lora

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from pasted import alone, program

SEEDS, TEMPERATURE, LIMIT = (0, 1, 2), 0.6, 900  # seconds of a lesson
CPU = {"DEVICE": "cpu", "DTYPE": "float32"}
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def as_code(**values: Any) -> str:
    """Assignments."""
    return "\n".join(f"{name} = {value!r}" for name, value in values.items())


def conversations(pairs: list[stoic_set.Pair], path: Path) -> str:
    """Write pairs as lines of JSON; return where."""
    lines = (json.dumps({"messages": stoic_set.messages(pair)}) for pair in pairs)
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def settings_01(profile: Profile, folder: Path) -> str:
    """Both models."""
    base, instruct = map(models.source_of, profile.models)
    return as_code(BASE=base, INSTRUCT=instruct, ATTENTION="sdpa", **CPU)


def settings_02(profile: Profile, folder: Path) -> str:
    """The lesson's 20,000 stories."""
    (folder / "texts.json").write_text(json.dumps(list(stories.texts(20_000, seed=0))), encoding="utf-8")
    texts = (
        'import json\nfrom pathlib import Path\nTEXTS, FOLDER = json.loads(Path("texts.json").read_text()), Path()\n'
    )
    return texts + as_code(VOCAB=1024, DEVICE="cpu")


def settings_04(profile: Profile, folder: Path) -> str:
    """Lesson 03's GPT in this profile's size, on the stories' tokens."""
    for part, data in zip(("train", "val"), prepare(profile), strict=False):
        np.save(folder / f"{part}.npy", data.tokens)
    sizes = {name: getattr(profile.gpt, name) for name in ("block_size", "vocab_size", "n_layer", "n_head", "n_embd")}
    batch, home = max(1, profile.training.batch_size // 2), {"COUNTRY": profile.country, "FOLDER": "out"}
    of_run = {"STEPS": 40, "BATCH": batch, "PARTS": 2, "RATE": 3e-3} | home
    return (
        FROM_FILES + as_code(SIZES=sizes, **of_run, **CPU | {"DTYPE": profile.dtype}) + "\nCONFIG = GPTConfig(**SIZES)"
    )


def settings_06(profile: Profile, folder: Path) -> str:
    """The lesson's stream of 6,000 stories in six files, and a buffer that shuffles."""
    texts = list(stories.texts(6000, seed=6))
    for part in range(6):
        rows = [{"text": text, "id": f"{part}-{i}"} for i, text in enumerate(texts[1000 * part : 1000 * (part + 1)])]
        Dataset.from_list(rows).to_parquet(folder / f"part-{part}.parquet")
    files = sorted(map(str, folder.glob("*.parquet")))
    tokenizer = str(Path(models.source_of("pocket-base")) / "tokenizer.json")
    shuffled = IMPORTS + inspect.getsource(shuffle_buffer) + "\n\nshuffled = shuffle_buffer\n"
    return shuffled + as_code(FILES=files, TOKENIZER=tokenizer, STEPS=200, BLOCK=128, RATE=3e-3, **CPU)


FROM_FILES = """
import numpy as np

DATA = {part: np.load(f"{part}.npy") for part in ("train", "val")}
"""
IMPORTS = "import random\nfrom collections.abc import Iterable, Iterator\nfrom typing import Any\n\n\n"


def settings_07(profile: Profile, folder: Path, steps: int | None = None) -> str:
    """The pairs, the replayed chats and the settings of the lesson's run."""
    config = stoic_run.stoic_config(profile)
    config = replace(config, steps=steps or config.steps)
    train, held_out = stoic_run.pairs_for(profile)
    parts = {"train": train + stoic_run.ordinary_for(profile), "held_out": held_out}
    data = {name: conversations(pairs, folder / f"{name}.jsonl") for name, pairs in parts.items()}
    of_run = {"STEPS": config.steps, "RATE": config.learning_rate, "BATCH": config.batch_size}
    about = {"MODEL": models.source_of(profile.models[1]), "ATTENTION": "sdpa", "BACKEND": "transformers"}
    lengths = {"MAX_LENGTH": config.max_length, "PAD": None}
    rest = {"COUNTRY": profile.country, "END": "<end_of_turn>", "FOLDER": "out", "DATA": data, "TARGETS": TARGETS}
    return as_code(**CPU, **about, **of_run, **lengths, **rest)


def settings_09(profile: Profile, folder: Path) -> str:
    """The shipped adapter, the held-out complaints and the labelled pairs."""
    held_out = stoic_run.pairs_for(profile)[1][: stoic_run.table_size(profile).prompts]
    return as_code(
        MODEL=models.source_of(profile.models[1]),
        ADAPTER=str(stoic_run.SHIPPED),
        DATA=conversations(held_out, folder / "held_out.jsonl"),
        JUDGED=str(stoic_set.LABELLED),
        FOLDER=".",
        ATTENTION="sdpa",
        **CPU,
    )


SETTINGS = {
    "01": settings_01,
    "02": settings_02,
    "03": lambda profile, folder: "",
    "04": settings_04,
    "06": settings_06,
    "07": settings_07,
    "09": settings_09,
}


@contextmanager
def children_seconds() -> Iterator[list[float]]:
    """The CPU time of the processes that are waited for within, in seconds."""
    found: list[float] = []
    began = os.times()
    yield found
    ended = os.times()
    found.append(ended.children_user + ended.children_system - began.children_user - began.children_system)


def scores(model: LanguageModel, prompts: list[str]) -> list[float]:
    """The Stoic score of each reply, with each seed."""
    asked = [model.chat_ids(prompt) for prompt in prompts]
    replies = [one for seed in SEEDS for one in model.generate(asked, 80, temperature=TEMPERATURE, seed=seed)]
    return [stoic_score(one.text) for one in replies]


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--only", nargs="+", choices=SETTINGS, help="these lessons")
    args = parser.parse_args()
    profile = setup("pocket")
    rows: list[Row] = []
    for number in ["07"] if args.quick else args.only or SETTINGS:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            short = {"steps": 2} if args.quick else {}
            code = program(number, SETTINGS[number](profile, folder, **short))
            with children_seconds() as seconds:
                done = alone(code, folder, seconds=LIMIT)
            print(f"lesson {number}: {seconds[0]:.0f} CPU seconds\n{done.stdout[-600:]}", flush=True)
            if done.returncode:
                raise SystemExit(f"lesson {number}: {done.stderr[-2000:]}")
            rows.append(row(f"lesson {number}: CPU seconds of its portable cells", seconds[0]))
            if number == "07":
                rows += beside_the_shipped(profile, folder / "out", 2 if args.quick else None)
    notes = (
        "Each lesson's cells passed in a process where workshop_utils cannot be imported, at the lesson's own length "
        "on a CPU; the seconds include the start and the imports. Peer: the package's shipped adapter. "
        f"Both answer the same held-out prompts with the seeds {', '.join(map(str, SEEDS))} at temperature "
        f"{TEMPERATURE}; scores are stoic_score, 0 to 100, intervals of the bootstrap, 95%. The goal is the lower end "
        "of the interval of the package's score."
    )
    report("portable", rows, args, notes)


def beside_the_shipped(profile: Profile, adapter: Path, n: int | None) -> list[Row]:
    """How Stoic the replies are with an adapter of the portable cells and with the shipped one, on one base in NF4."""
    prompts = [pair.prompt for pair in stoic_run.pairs_for(profile)[1][:n]]
    package = scores(lora.load(lora.load_base(profile.models[1], profile), stoic_run.SHIPPED), prompts)
    base = lora.load_base(profile.models[1], profile)
    own = scores(replace(base, model=PeftModel.from_pretrained(base.model, adapter).eval()), prompts)
    theirs, apart = mean("Stoic score, the package's shipped adapter", package), paired(package, own)
    return [
        theirs,
        mean("Stoic score, the adapter of lesson 07's portable cells", own, f"ours >= {theirs['spread'][0]:.1f}"),
        row("Stoic score, portable cells minus package, paired", apart.mean)
        | {"spread": [apart.low, apart.high], "samples": len(own)},
    ]


if __name__ == "__main__":
    main()
