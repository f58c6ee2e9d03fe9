"""A machine with an NVIDIA GPU, measured with one command: all lessons as on a T4, training, fine-tuning, generation.

`make gpu GPU_ARGS="--nanogpt PATH"`. What each part of train() and generate() is worth, on and off, says in 10 minutes
`python bench/gpu.py --only throughput,ablations,generation --minutes 12 --nanogpt PATH`. It needs no network: models
have the real shapes and random weights. Each part runs in a process of its own with a limit on its time, and what it
has found is written at once.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from common import ROOT, Row, machine, options, versions, write

BUILD = ROOT / "build"
AS_T4 = ROOT / "bench" / "as_t4"
MINUTES = 8.0
LEAST = 20.0  # seconds without which a part is not begun
LESSON_BYTES = 16e9  # GPU memory for each lesson that runs
AT_ONCE = 3


@dataclass(frozen=True)
class Part:
    """A part of the bench.

    Attributes:
        seconds: that it may take at most.
        as_t4: whether the card answers as a T4 meanwhile.
        needs_hub: whether it loads models from the copy of the hub.
        needs: a package that it cannot do without.
    """

    seconds: float
    as_t4: bool = False
    needs_hub: bool = True
    needs: str = ""


# In this order; what is left of the time belongs to the lessons.
PARTS = {
    "throughput": Part(150, needs_hub=False),
    "ablations": Part(360, needs_hub=False),  # each compiles several times
    "generation": Part(60, needs_hub=False),
    "hub": Part(120, needs_hub=False),
    "qlora": Part(60, as_t4=True),
    "qlora-bf16": Part(60, needs="unsloth"),  # what Unsloth is compared with
    "unsloth": Part(75, needs="unsloth"),
    "lessons": Part(float("inf"), as_t4=True),
}
NOTES = """\
Ours and peer are named in each line; where a line names nobody, the peer is nanoGPT's model in the same loop. The \
models have the shapes of Gemma 2 2B, Qwen2.5 1.5B and GPT-2, and random weights. Lessons: in the t4 profile and \
float16 on the card named below, which answers as a T4 (capability 7.5, 15 GB of memory), {at_once} at a time, so that \
their minutes say that they run and not how long a T4 takes. QLoRA in float16 runs in the same way, in bfloat16 with \
the card's own capability; one update of 2 x 4 conversations, the first two not counted."""


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = options(__doc__, BUILD)
    parser.add_argument("--tiny", dest="quick", action="store_true", help="the same as --quick: all of it, on a CPU")
    usual = ",".join(name for name in PARTS if name != "ablations")
    parser.add_argument("--only", default=usual, help=f"these parts, with commas, of {','.join(PARTS)}")
    parser.add_argument("--lessons", nargs="+", default=[], help="only these lessons, as in 04 09")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for everything together")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="lessons side by side, where memory allows it")
    args = parser.parse_args()
    args.nanogpt = args.nanogpt and args.nanogpt.resolve()
    args.only = [name for name in args.only.split(",") if name]
    if unknown := sorted(set(args.only) - set(PARTS)):
        raise SystemExit(f"there is no part {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    return args


class Bench:
    """One run: its parts, what they found, and the time that is left."""

    def __init__(self, args: argparse.Namespace, at_once: int) -> None:
        self.args, self.at_once = args, at_once
        self.end = time.monotonic() + 60 * args.minutes
        self.work = (args.out / "gpu").resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.rows: dict[str, list[Row]] = {}
        self.notes: dict[str, list[str]] = {}
        self.earlier = self._earlier()

    def _earlier(self) -> list[Row]:
        """What an earlier run of other parts found here on the same day with the same versions."""
        path = self.args.out / "gpu.json"
        if set(self.args.only) == set(PARTS) or not path.is_file():
            return []
        before = json.loads(path.read_text(encoding="utf-8"))
        return before["rows"] if (before["machine"], before["versions"]) == (machine(), versions()) else []

    def run(self) -> None:
        """All parts that were asked for, as far as the time goes."""
        wanted = {name for name in PARTS if name in self.args.only}
        if any(PARTS[name].needs_hub for name in wanted):
            wanted.add("hub")
        for name in [name for name in PARTS if name in wanted]:
            part = PARTS[name]
            left = self.end - time.monotonic()
            if part.needs and importlib.util.find_spec(part.needs) is None:
                self.notes[name] = [f"{name} was left out: {part.needs} is not installed."]
            elif left < LEAST:
                self.notes[name] = [f"{name} was left out: the {self.args.minutes:g} minutes were over."]
            elif part.needs_hub and not (self.work / "hub" / "made.json").is_file():
                self.notes[name] = [f"{name} was left out: there is no copy of the hub."]
            else:
                print(f"== {name}, {min(part.seconds, left):.0f} s at most", flush=True)
                self.do(name, part, min(part.seconds, left))
            self.keep()

    def do(self, name: str, part: Part, seconds: float) -> None:
        """One part, in a process of its own; what it finds is written while it works."""
        found = self.work / f"{name}.found.json"
        found.unlink(missing_ok=True)
        job = self.work / f"{name}.job.json"
        job.write_text(json.dumps(self.job(name, seconds)), encoding="utf-8")
        log = self.work / f"{name}.log"
        began = time.monotonic()
        with log.open("w", encoding="utf-8") as file:
            command = [sys.executable, str(ROOT / "bench" / "gpu_parts.py"), str(job)]
            process = subprocess.Popen(command, env=self.environment(part), stdout=file, stderr=subprocess.STDOUT)
            try:
                problem = self.watch(process, name, began + seconds)
            finally:
                process.kill()
        self.take(name)
        if problem:
            self.notes[name].append(f"{name} {problem}.")
        print("\n".join([*(f"  {line['what']}  {line['ours']:,.4g}" for line in self.rows[name]), *self.notes[name]]))

    def watch(self, process: subprocess.Popen[bytes], name: str, end: float) -> str:
        """Wait for a part, and keep what it finds; returns what went wrong, "" if nothing."""
        grace = 15  # the lessons know how long they have, and tell which one was stopped
        while True:
            try:
                code = process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                self.take(name)
                self.keep()
                if time.monotonic() > end + grace:
                    return "was stopped when its time was over"
                continue
            said = (self.work / f"{name}.log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            return "" if code == 0 else f"failed ({self.without_folders(' '.join(said[-1:])[:300])})"

    def without_folders(self, text: str) -> str:
        """A text for a table, without the names of this machine's folders."""
        names = {"NANOGPT": self.args.nanogpt, "WORK": self.work, ".": ROOT}
        for name, folder in names.items():
            text = text.replace(str(folder), name) if folder else text
        return text.replace("|", "/")

    def job(self, name: str, seconds: float) -> dict[str, Any]:
        """What a part is asked."""
        nanogpt = str(self.args.nanogpt) if self.args.nanogpt else None
        asked = {"part": name, "work": str(self.work), "seconds": seconds, "tiny": self.args.quick}
        return asked | {"nanogpt": nanogpt, "at_once": self.at_once, "lessons": self.args.lessons}

    def environment(self, part: Part) -> dict[str, str]:
        """The variables of a part's process."""
        env = {**os.environ, "WORKSHOP_HUB": str(self.work / "hub"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
        env["WORKSHOP_HOME"] = str(self.work / "home")
        if self.args.quick:
            env["CUDA_VISIBLE_DEVICES"] = ""
        if part.as_t4:
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(AS_T4), env.get("PYTHONPATH")]))
        return env

    def take(self, name: str) -> None:
        """Read what a part has written so far."""
        path = self.work / f"{name}.found.json"
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"rows": [], "notes": []}
        self.rows[name], self.notes[name] = found["rows"], found["notes"]

    def keep(self) -> str:
        """Write everything into build/gpu.json and RESULTS.md; returns the section."""
        kept = [line for line in self.earlier if line["part"] not in self.rows]
        rows = kept + [line for name in self.rows for line in self.rows[name]]
        rows.sort(key=lambda line: list(PARTS).index(line["part"]))
        notes = " ".join(
            [NOTES.format(at_once=self.at_once), *(note for found in self.notes.values() for note in found)]
        )
        return write("gpu", rows, self.args, notes)


def main() -> None:
    """Measure and report."""
    from workshop_utils.machine.hardware import find_gpu

    args = arguments()
    gpu = None if args.quick else find_gpu()
    if not args.quick and (gpu is None or gpu.problem):
        why = "torch finds no CUDA device here" if gpu is None else f"{gpu.name} cannot compute ({gpu.problem})"
        raise SystemExit(f"{why}: run this where there is an NVIDIA GPU, or --tiny to see that it runs")
    room = AT_ONCE if gpu is None else max(1, int(gpu.bytes // LESSON_BYTES))
    bench = Bench(args, min(args.at_once, room))
    bench.run()
    print(bench.keep())


if __name__ == "__main__":
    main()
