"""What every bench shares: its options, rounds that take turns, the machine's name, and where the figures go.

A bench measures our way and a peer's way side by side in one run, since only such ratios mean anything on another day.
"""

from __future__ import annotations

import argparse
import atexit
import json
import operator
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "bench"
PACKAGES = (
    *("slm-workshop", "torch", "torchao", "numpy", "tiktoken", "tokenizers", "transformers", "datasets"),
    *("trl", "peft", "bitsandbytes", "unsloth"),
)
INTRODUCTION = """\
# Measured figures

Written by the scripts in this folder, each one command. `make bench BENCH_ARGS="--nanogpt PATH --text PATH"` runs them
in 40 minutes and writes `build/bench/report.html`, which shows this page's figures of those that found no time; with
`BENCHES="NAMES"` they fill this page, with `--results` in BENCH_ARGS those of speed do so too. Ours and the peer were
measured in one run, side by side, turn by turn: trust the ratios, since the absolute figures belong to the machine and
to what else it was doing. **Ratio** says how many times better ours is (above 1: faster, or a lower loss). **Spread**
is the smallest and the largest ratio of a single round, or a 95% interval.
`make gpu` measures on a machine with an NVIDIA GPU; CONTRIBUTING.md says what it needs.
"""

NEIGHBOUR = "import numpy; x = numpy.ones((256, 256), numpy.float32)\nwhile True: x @ x"

Row = dict[str, Any]  # what, ours, peer, ratio; perhaps spread, goal, met


def options(description: str | None, out: Path = OUT) -> argparse.ArgumentParser:
    """The options that all benches accept, so that `make bench` can hand the same ones to each of them.

    Args:
        description: what the bench measures.
        out: folder for the JSON files unless told otherwise.
    """
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs; figures mean nothing")
    parser.add_argument("--out", type=Path, default=out, help="folder for the JSON files")
    parser.set_defaults(usual_out=out)
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT to compare with")
    parser.add_argument("--text", type=Path, help="a text file, such as tiny Shakespeare; else the package's stories")
    parser.add_argument("--rounds", type=int, help="turns of both sides, instead of the bench's own number")
    parser.add_argument("--threads", type=int, default=1, help="of both sides; more than one is timed by the clock")
    parser.add_argument("--busy", action="store_true", help="multiply matrices on the other core meanwhile")
    parser.add_argument("--seconds", type=float, default=180, help="CPU seconds of a training that is timed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of what is trained or drawn")
    parser.add_argument("--n", type=int, help="texts, questions or replies a set, instead of the bench's own number")
    return parser


def one_core(args: argparse.Namespace | None = None) -> Callable[[], float]:
    """Compute with one thread, so that CPU time is a fair clock even when the machine is busy.

    Args:
        args: --threads may ask for more of them, --busy for a neighbour.

    Returns:
        the clock to measure with: CPU seconds of one thread, seconds of several.
    """
    import torch

    threads = args.threads if args else 1
    torch.set_num_threads(threads)
    os.environ["RAYON_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
    if args and args.busy:
        atexit.register(neighbour().kill)
    return time.process_time if threads == 1 else time.perf_counter


def neighbour() -> subprocess.Popen[bytes]:
    """A process that multiplies matrices on another core until it is killed."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", NEIGHBOUR], env=os.environ | threads)


def cpu_seconds(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """The CPU time of a piece of work, in seconds, of all threads of this process; or what another clock says."""
    began = clock()
    work()
    return clock() - began


def take_turns(ours: Callable[[], float], peer: Callable[[], float], rounds: int) -> tuple[list[float], list[float]]:
    """Measure both sides again and again, the one that begins changing each round.

    Args:
        ours: one measurement of our way; returns its figure.
        peer: the same for the peer.
        rounds: how often each.

    Returns:
        the figures of ours and of the peer, round by round.
    """
    figures: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds):
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            figures[side].append((ours, peer)[side]())
        print(f"  round {number + 1} of {rounds}: ours {figures[0][-1]:,.4g}, peer {figures[1][-1]:,.4g}", flush=True)
    return figures


def row(what: str, ours: float, peer: float | None = None, better: str = "higher", goal: str = "") -> Row:
    """One line of a table.

    Args:
        what: what was measured, and its unit.
        ours: our figure.
        peer: the peer's, None where there is nobody to compare with.
        better: "higher" or "lower" figures; the ratio says in both cases how many times better ours is.
        goal: what was hoped for, as in "ratio >= 1.6" or "ours <= 1.56"; "" is no goal.
    """
    ratio = None if not peer or not ours else ours / peer if better == "higher" else peer / ours
    line: Row = {"what": what, "ours": ours, "peer": peer, "ratio": ratio}
    if goal:
        name, sign, limit = goal.split()
        value = line[name]
        holds = {">=": operator.ge, "<=": operator.le}[sign]
        line |= {"goal": goal, "met": value is not None and holds(value, float(limit))}
    return line


def rounds_row(what: str, ours: Sequence[float], peer: Sequence[float], better: str = "higher", goal: str = "") -> Row:
    """The line of two sides that took turns: medians, their ratio, and the range of the rounds' own ratios."""
    line = row(what, statistics.median(ours), statistics.median(peer), better, goal)
    ratios = [a / b if better == "higher" else b / a for a, b in zip(ours, peer, strict=True)]
    return line | {"rounds": len(ratios)} | ({"spread": [min(ratios), max(ratios)]} if len(ratios) > 1 else {})


def share(name: str, found: Iterable[bool], goal: str = "") -> Row:
    """The line of a share with its 95% interval (Wilson)."""
    from workshop_utils.evaluate.intervals import wilson

    seen = list(found)
    value = sum(seen) / len(seen)
    return row(name, value, goal=goal) | {"spread": list(wilson(value, len(seen))), "samples": len(seen)}


def mean(name: str, values: Sequence[float], goal: str = "") -> Row:
    """The line of a mean with its bootstrap interval."""
    from workshop_utils.evaluate.intervals import bootstrap

    return row(name, sum(values) / len(values), goal=goal) | {"spread": list(bootstrap(values)), "samples": len(values)}


def machine() -> dict[str, Any]:
    """The machine that the figures belong to, and the day."""
    import psutil

    from workshop_utils.machine.hardware import cores, cpu_name, find_gpu

    gpu = find_gpu()
    info = Path("/proc/cpuinfo")
    flags = info.read_text(errors="replace") if info.is_file() else ""
    found = {} if gpu is None else {"gpu": f"{gpu.name}, {gpu.bytes / 1e9:.0f} GB"}
    return found | {
        "cpu": cpu_name(),
        "cores": cores(),
        "ram_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "bf16": next((name for name in ("amx_bf16", "avx512_bf16") if name in flags), "no instructions for bf16"),
        "date": date.today().isoformat(),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that were measured, where they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def command(arguments: Sequence[str]) -> str:
    """The command line without the names of this machine's folders."""
    parts = [piece for part in arguments[1:] for piece in part.split("=", 1)]
    shown = ["PATH" if "/" in part or "\\" in part else part for part in parts]
    return " ".join(["python", f"bench/{Path(arguments[0]).name}", *shown])


def report(name: str, rows: list[Row], args: argparse.Namespace, notes: str = "") -> None:
    """Print the figures, write them to <out>/<name>.json and into bench/RESULTS.md.

    Args: as in write.
    """
    print(write(name, rows, args, notes))


def write(name: str, rows: list[Row], args: argparse.Namespace, notes: str = "") -> str:
    """Write the figures to <out>/<name>.json and into bench/RESULTS.md.

    With --quick or --out the table lands beside the JSON instead: a trial must not overwrite what was measured.

    Args:
        name: of the bench.
        rows: what was measured.
        args: the parsed options.
        notes: what a reader of the table must know: who the peer is, what was left out.

    Returns:
        the section of RESULTS.md.
    """
    if args.quick:
        rows = [{key: value for key, value in line.items() if key not in ("goal", "met")} for line in rows]
    name += f"_{args.threads}_threads" * (args.threads > 1) + "_busy" * args.busy
    result = {"name": name, "machine": machine(), "versions": versions(), "command": command(sys.argv), "rows": rows}
    result["notes"] = notes
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    section = as_markdown(result, notes)
    results = (ROOT / "bench" if args.out == args.usual_out and not args.quick else args.out) / "RESULTS.md"
    before = results.read_text(encoding="utf-8") if results.is_file() else ""
    results.write_text(with_section(before, name, section), encoding="utf-8")
    return section


def as_markdown(result: dict[str, Any], notes: str = "") -> str:
    """One bench as a section of RESULTS.md."""
    at = result["machine"]
    lines = [f"## {result['name']}", "", f"`{result['command']}`", ""]
    if notes:
        lines += [notes, ""]
    lines += ["| what | ours | peer | ratio | spread | goal |", "|---|---|---|---|---|---|"]
    for line in result["rows"]:
        goal = f"{line['goal']}: {'reached' if line['met'] else '**missed**'}" if "goal" in line else ""
        spread = " to ".join(map(figure, line.get("spread", [])))
        cells = [line["what"], figure(line["ours"]), figure(line["peer"]), figure(line["ratio"]), spread, goal]
        lines.append(f"| {' | '.join(cells)} |")
    gpu = f"{at['gpu']}; " if "gpu" in at else ""
    where = f"{gpu}{at['cpu']}, {at['cores']} cores, {at['ram_gb']} GB, {at['system']}, {at['bf16']}"
    made_with = ", ".join(f"{package} {version}" for package, version in result["versions"].items())
    return "\n".join([*lines, "", f"Measured on {at['date']}: {where}; {made_with}.", ""])


def figure(value: float | None) -> str:
    """A number as people read it; "" for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


def with_section(page: str, name: str, section: str) -> str:
    """RESULTS.md with one bench's section put in, or put in the place of its earlier one."""
    found = {part.splitlines()[0]: part.strip() for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:]}
    found[name] = section.removeprefix("## ").strip()
    return "\n".join([INTRODUCTION, *(f"## {found[key]}\n" for key in sorted(found))])
