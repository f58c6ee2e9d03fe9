"""`make bench`: every bench in one run, and one report of them, build/bench/report.html.

First the benches of speed, one after the other and some several times, each in a process of its own; then, as many at a
time as there are cores, those that try what may fail and those that score models, the shortest first. A bench that
fails has its sentence; one for which no time is left has it too, and the figures of RESULTS.md with their date.
Ctrl-C ends the run and keeps what is there.
"""

from __future__ import annotations

import argparse
import ast
import html
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import textwrap
import time
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

import psutil
from common import OUT, ROOT, as_markdown, figure, machine, row, versions, with_section

from workshop_utils.machine.files import write_text_atomically

NO_PARTS = {"common", "peers", "gpu", "gpu_parts", "fault_parts", "run_all"}
ALONE = 0.6  # of the minutes, at most, for what runs alone, so that the rest is tried on a slow machine too
GRACE = 5  # seconds to tidy up for what is stopped
WIDTH = 4.6  # inches of a picture: on a phone its letters are as large as the text
MINUTES = {False: 40.0, True: 5.0}  # of a run, of one with --quick


@dataclass
class Part:
    """A bench of the run.

    Attributes:
        name: its script.
        means: what its figures say, in a sentence.
        arguments: for its budget in this run.
        quick: the same with --quick; benches without options of their own only show that they run.
        repeats: processes one after the other, whose medians count.
        minutes: at most, all repeats together.
        alone: it measures speed, and nothing else may run beside it.
    """

    name: str
    means: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ("--quick",)
    repeats: int = 1
    minutes: float = 9
    alone: bool = True


TRAINING = "How many tokens a second the same small model learns from, in our loop and in nanoGPT's or a plain one"
WRITING = "How fast a model writes if it keeps the keys and values of earlier tokens, instead of computing them again"
BUSY = "; the other core multiplies matrices meanwhile, as when a browser and a video call are open."
PARTS = (
    Part("imports", "How long a lesson waits for its imports.", repeats=2),
    Part("generate", WRITING + ".", quick=("--rounds", "3"), repeats=2),
    Part("generate", WRITING + BUSY, ("--busy",), ("--busy", "--rounds", "3"), 2),
    Part("train_throughput", TRAINING + ".", ("--rounds", "4"), ("--rounds", "1")),
    Part("train_throughput", TRAINING + BUSY, ("--rounds", "2", "--busy"), ("--quick", "--busy")),
    Part("train_throughput", TRAINING + ", on two threads.", ("--rounds", "3", "--threads", "2")),
    Part("cost", "What width, context and batch cost in training and writing, and where we lose.", ("--rounds", "2")),
    Part("roofline", "Which ratios matrix products alone would allow, and what is slower beside a busy core."),
    Part("quantized_decode", "What fewer bits bring on a CPU, and cost in precision.", ("--rounds", "3")),
    Part("tokenise", "How fast text becomes a file of tokens, and how much memory that takes."),
    Part("streaming", "What a corpus larger than memory costs, and whether a stop loses a row.", ("--rounds", "2")),
    Part("web_page", "How soon and how fast a model answers in a browser, from a folder of files."),
    Part("processes", "Whether two processes learn what one does, and a killed one goes on.", alone=False),
    Part("attacks", "Whether a file, page or query that means harm comes through.", alone=False),
    Part("kit", "Whether a download that is killed goes on where it was.", alone=False),
    Part("faults", "Whether a kill, a full disk or a damaged file loses anything.", ("--share", "0.1"), alone=False),
    Part("pocket_quality", "Whether the shipped models do what the lessons ask of them.", ("--n", "70"), alone=False),
    Part("stoic_tuning", "What lesson 07's tuning changes, and what it leaves.", ("--seeds", "0"), alone=False),
    Part("scaling", "Whether a line through small models predicts a larger one.", ("--seeds", "0"), alone=False),
    Part("own_gpt", "Whether your own model learns to follow a request.", ("--n", "40"), alone=False),
    Part("distillation", "What a student of half the depth learns.", ("--seconds", "60", "--seeds", "0"), alone=False),
    Part("budget", "Whether the formulas that say what fits into a memory agree with what was measured.", alone=False),
    Part("char_shakespeare", "How well a model of .8M parameters predicts Shakespeare after 3 minutes.", alone=False),
    Part("lesson04", "Whether lesson 04's training gives a model that tells coherent stories.", alone=False),
    Part("text_to_sql", "How many questions lesson 08's model answers rightly.", ("--n", "102"), alone=False),
    Part("encoder_tasks", "What an encoder does with few examples.", ("--n", "200"), alone=False),
    Part("lesson04_settings", "Whether lesson 04's settings are good ones.", ("--seeds", "0"), alone=False),
    Part("portable", "What lessons cost without this package.", alone=False),
)  # fmt: skip


def parts_of(folder: Path) -> list[Part]:
    """PARTS, and after them the benches of the folder that are not listed there, with what they say of themselves."""
    parts, known = list(PARTS), {part.name for part in PARTS} | NO_PARTS
    for path in sorted(folder.glob("*.py")):
        if path.stem not in known:
            parts.append(
                Part(path.stem, (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n")[0])
            )
            parts[-1].alone = False
    return parts


@dataclass
class Found:
    """What a part left: a result as in common.write, or a sentence on why there is none."""

    part: Part
    command: str
    result: dict[str, Any] | None = None
    problem: str = ""
    seconds: float = 0.0
    runs: int = 0


def median_of(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several runs of a bench as one: medians of all figures, and the range of all their rounds."""
    rows = []
    for line in results[0]["rows"]:
        same = [other for result in results for other in result["rows"] if other["what"] == line["what"]]
        middle = {
            key: statistics.median(values)
            for key in ("ours", "peer", "ratio")
            if (values := [other[key] for other in same if other[key] is not None])
        }
        made = line | middle
        if "goal" in line and re.fullmatch(r"\w+ [<>]= [\d.e-]+", line["goal"]):
            made |= row(made["what"], made["ours"], goal=line["goal"]) | middle
            sign, limit = line["goal"].split()[1:]
            value = made[line["goal"].split()[0]]
            made["met"] = value is not None and (value >= float(limit) if sign == ">=" else value <= float(limit))
        spreads = [bound for other in same for bound in other.get("spread", [])]
        if len(same) > 1 and (spreads or line["ratio"]):
            spreads = spreads or [other["ratio"] for other in same]
            made["spread"] = [min(spreads), max(spreads)]
        rows.append(made)
    return results[0] | {"rows": rows}


@dataclass
class Suite:
    """A run: its options, its end, and what was found so far."""

    args: argparse.Namespace
    parts: Sequence[Part]
    found: list[Found] = field(default_factory=list)
    stopped: bool = False
    children: set[subprocess.Popen[str]] = field(default_factory=set)
    writing: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.seconds = 60 * (self.args.minutes or MINUTES[self.args.quick])

    def run(self) -> None:
        """All parts; the report is written anew after each."""
        self.report()
        for part in self.parts:
            if part.alone:
                self.measure(part)
        with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) if not self.args.quick else 2)) as pool:
            list(pool.map(self.measure, [part for part in self.parts if not part.alone]))

    def measure(self, part: Part) -> None:
        """One part, as often as it asks for and as time allows."""
        given = part.quick if self.args.quick else part.arguments
        compared = [f"--{name}={path}" for name in ("nanogpt", "text") if (path := getattr(self.args, name))]
        shown = " ".join(
            ["python", f"bench/{part.name}.py", *given, *(f"--{p[2:].split('=')[0]} PATH" for p in compared)]
        )
        found, results, began = Found(part, shown), [], time.monotonic()
        end = self.began + self.seconds * (ALONE if part.alone else 1)
        limit = min(end, began + 60 * part.minutes)
        for number in range(1 if self.args.quick else part.repeats):
            if self.stopped or (left := limit - time.monotonic()) < 1:
                found.problem = found.problem or "the run was over before: run it alone"
                break
            folder = self.args.out / "runs" / f"{'_'.join([part.name, *given]).replace('--', '')}-{number + 1}"
            result, found.problem = self.once(part, [*given, *compared, f"--out={folder}"], folder, left)
            if result is not None:
                results.append(result)
            if found.problem:
                break
        found.seconds, found.runs = time.monotonic() - began, len(results)
        if results:
            found.result = median_of(results)
        print(f"{shown}: {found.problem or f'{found.seconds:.0f} s'}", flush=True)
        self.found.append(found)
        self.report()

    def once(self, part: Part, arguments: list[str], folder: Path, seconds: float) -> tuple[dict[str, Any] | None, str]:
        """One process; its result, or None and a sentence."""
        command = [sys.executable, str(self.args.scripts / f"{part.name}.py"), *arguments]
        threads = {} if part.alone else {"OMP_NUM_THREADS": "1"}
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.json"):
            old.unlink()
        with (folder / "log.txt").open("w+", encoding="utf-8", errors="replace") as said:
            child = subprocess.Popen(
                command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, text=True, env=os.environ | threads,
                start_new_session=True,
            )  # fmt: skip
            self.children.add(child)
            if self.stopped:  # meanwhile
                kill(child)
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                kill(child)
                return None, f"stopped after {seconds / 60:.1f} minutes, its share of the time: run it alone"
            finally:
                self.children.discard(child)
            said.seek(0)
            lines = said.read().strip().splitlines()
        written = sorted(folder.glob("*.json"))
        if self.stopped:
            return None, "stopped by hand"
        result = json.loads(written[0].read_text(encoding="utf-8")) if written else None
        if child.returncode or result is None:
            return result, f"failed: {(lines or ['it said nothing'])[-1][:300]}".replace(f"{self.args.out}/", "")
        return result, ""

    def stop(self, *_: object) -> None:
        """End the run: what is being measured ends, and nothing new begins."""
        self.stopped = True
        for child in tuple(self.children):
            kill(child)

    def report(self) -> None:
        """Write report.html and report.json."""
        with self.writing:  # two benches may end at once
            self._report()

    def _report(self) -> None:
        order = {id(part): number for number, part in enumerate(self.parts)}
        found = sorted(self.found, key=lambda one: order[id(one.part)])
        minutes = (time.monotonic() - self.began) / 60
        where = {"machine": machine(), "versions": versions(), "minutes": minutes, "quick": self.args.quick}
        kept = [
            {"command": one.command, "runs": one.runs, "problem": one.problem, "result": one.result} for one in found
        ]
        self.args.out.mkdir(parents=True, exist_ok=True)
        write_text_atomically(json.dumps(where | {"benches": kept}, indent=1) + "\n", self.args.out / "report.json")
        waiting = len(self.parts) - len(found)
        write_text_atomically(page(found, where, waiting, self.stopped), self.args.out / "report.html")


def kill(child: subprocess.Popen[str]) -> None:
    """End a process and those that it started, in whatever group; first by a signal on which fault_parts unmounts."""
    left: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        left = [(started := psutil.Process(child.pid)), *started.children(recursive=True)]
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                end(process)
        left = psutil.wait_procs(left, timeout=GRACE)[1]
    with suppress(AttributeError, ProcessLookupError):  # Windows has no groups
        os.killpg(child.pid, signal.SIGKILL)  # those whose parent had ended before
    child.wait()


# --- the report ----------------------------------------------------------------------------------------------------


def page(found: Sequence[Found], where: dict[str, Any], waiting: int = 0, stopped: bool = False) -> str:
    """The report: pictures first, then a table for each bench; nothing is fetched from anywhere."""
    at = where["machine"]
    state = "stopped by hand" if stopped else f"{waiting} still to come" if waiting else "whole"
    failed = sum(one.result is None for one in found)
    facts = {
        "Machine": ", ".join(str(at[key]) for key in ("gpu", "cpu", "system", "bf16") if key in at)
        + f", {at['cores']} cores, {at['ram_gb']} GB",
        "Versions": ", ".join(f"{name} {version}" for name, version in where["versions"].items()),
        "Date": at["date"],
        "Command": "make bench" + " QUICK=1" * where["quick"],
        "This run": f"{state}, {where['minutes']:.0f} minutes, {len(found)} benches, {failed} without figures",
    }
    quick = "<p><strong>A quick run:</strong> rows of a command with --quick show only that it runs.</p>"
    parts = [
        quick if where["quick"] else "",
        "<p>Ours and the peer took turns in one run: trust the ratios. Above 1 ours is better: faster, smaller, or "
        "with a lower loss. Spread: the smallest and largest ratio of a round, or a 95% interval.</p>",
        ratios(found),
        curves(found),
        *map(section, found),
        "<h2>Where and when</h2>",
        table([[name, fact] for name, fact in facts.items()]),
    ]
    return PAGE.format(body="\n".join(parts))


def section(one: Found) -> str:
    """One bench: what it means, its command, its rows or why there are none."""
    said = html.escape
    lines = [f"<h2>{said(one.part.name)}</h2><p>{said(one.part.means)}</p><p><code>{said(one.command)}</code></p>"]
    if one.problem:
        lines.append(f'<p class="missed">{"" if one.result else "No figures of this run: "}{said(one.problem)}</p>')
    if one.result is None:
        return "".join([*lines, earlier(one.command)])
    rows = []
    for line in one.result["rows"]:
        goal = f"{line['goal']}: {'reached' if line['met'] else 'missed'}" if "goal" in line else ""
        spread = " to ".join(map(figure, line.get("spread", [])))
        rows.append([line["what"], *(figure(line[key]) for key in ("ours", "peer", "ratio")), spread, goal])
    lines.append(table(rows, ["what", "ours", "peer", "ratio", "spread", "goal"]))
    runs = f"{one.runs} run{'s' * (one.runs > 1)}, {one.seconds:.0f} seconds. "
    return "".join([*lines, f"<p><small>{runs}{said(one.result.get('notes', ''))}</small></p>"])


def earlier(command: str) -> str:
    """What RESULTS.md has of a bench: its table and when it was measured; "" if nothing."""
    name = Path(command.split()[1]).stem + "_2_threads" * ("--threads 2" in command) + "_busy" * ("--busy" in command)
    results = ROOT / "bench" / "RESULTS.md"
    section = (results.read_text(encoding="utf-8") if results.is_file() else "").partition(f"\n## {name}\n")[2]
    lines = section.partition("\n## ")[0].splitlines()
    rows = [[cell.strip().replace("**", "") for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    if not rows:
        return ""
    ran, when = lines[1].strip("`"), next((line for line in lines if line.startswith("Measured on")), "")
    shown = f"<p>Before, by <code>{html.escape(ran)}</code>:</p>{table(rows[2:], rows[0])}"
    return f"{shown}<p><small>{html.escape(when)}</small></p>"


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> str:
    """A table that scrolls on its own where the page is narrow."""
    said = "".join(f'<th scope="col">{name}</th>' for name in head)
    lines = [
        f'<tr><th scope="row">{html.escape(first)}</th>' + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        for first, *cells in rows
    ]
    head_row = f"<thead><tr>{said}</tr></thead>" if said else ""
    return f'<div class="wide" tabindex="0"><table>{head_row}<tbody>{"</tr>".join(lines)}</tr></tbody></table></div>'


def rows_of(found: Sequence[Found]) -> list[tuple[str, dict[str, Any]]]:
    """All rows with a ratio of benches of speed whose figures mean something: label and row."""
    return [
        (f"{one.part.name}{' --busy' * ('--busy' in one.command)}: {line['what']}", line)
        for one in found
        if one.result is not None and one.part.alone and "--quick" not in one.command
        for line in one.result["rows"]
        if line["ratio"] and "curve" not in line and not line.get("bound")
    ]


def ratios(found: Sequence[Found]) -> str:
    """A picture of all ratios, with the range of their rounds."""
    shown = rows_of(found)
    if not shown:
        return ""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(WIDTH, 1 + 0.75 * len(shown)), layout="constrained")
    axes = drawing.subplots()
    for height, (label, line) in enumerate(reversed(shown)):
        low, high = line.get("spread") or [line["ratio"]] * 2
        better = line["ratio"] >= 1
        axes.plot([low, high], [height] * 2, color="#777", linewidth=2)
        axes.plot(line["ratio"], height, "o" if better else "s", color="#0072b2" if better else "#d55e00", markersize=7)
        name = textwrap.fill(label, 51, max_lines=3, placeholder=" …")
        axes.text(0.01, height + 0.12, name, transform=axes.get_yaxis_transform(), va="bottom", fontsize=10)
    axes.axvline(1, color="#333", linestyle="--", linewidth=1)
    axes.set_ylim(-0.6, len(shown) - 0.1)
    axes.set_yticks([])
    axes.set_title("How many times better ours is", loc="left")
    axes.set_xlabel("ratio to the peer (above 1: ours is better)")
    plain(axes, "x", [1, *(line["ratio"] for _, line in shown)])
    said = "; ".join(f"{label} {line['ratio']:.3g}" for label, line in shown)
    return picture(drawing, f"Ratios to the peer, and the range of their rounds: {said}.")


def curves(found: Sequence[Found]) -> str:
    """Pictures of the rows that belong to a curve: (its name, x) in their "curve"."""
    lines = [line for one in found if one.result is not None for line in one.result["rows"] if "curve" in line]
    names = list(dict.fromkeys(line["curve"][0] for line in lines))
    if not names:
        return ""
    from matplotlib.figure import Figure

    made = []
    for name in names:
        points = [line for line in lines if line["curve"][0] == name]
        x = [line["curve"][1] for line in points]
        drawing = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        axes = drawing.subplots()
        axes.plot(x, [line["ours"] for line in points], "o-", color="#0072b2", label="ours")
        axes.plot(x, [line["peer"] for line in points], "s--", color="#d55e00", label="peer")
        axes.set_xscale("log")
        axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.minorticks_off()
        plain(axes, "y", [line[side] for line in points for side in ("ours", "peer")])
        axes.set_title(name, loc="left")
        axes.set_xlabel(name.split(" against ")[-1])
        axes.set_ylabel("tokens a CPU second")
        axes.legend(frameon=False)
        said = "; ".join(
            f"{value:g}: ours {p['ours']:,.0f}, peer {p['peer']:,.0f}" for value, p in zip(x, points, strict=True)
        )
        made.append(picture(drawing, f"{name}, tokens a CPU second: {said}."))
    lost = [line["what"] for line in lines if line["ratio"] < 1]
    sentence = f"Ours is slower in: {'; '.join(lost)}." if lost else "Ours is slower at no point of these curves."
    return "".join(
        [
            "<h2>What size, context and batch cost</h2>",
            f"<div class='pictures'>{''.join(made)}</div>",
            f"<p>{html.escape(sentence)}</p>",
        ]
    )


def plain(axes: Any, which: str, values: Sequence[float]) -> None:
    """A logarithmic axis around some values, marked at 1, 2, 5, 10 and so on in plain figures."""
    low, high = min(values) / 1.5, max(values) * 1.5
    marks = [m * 10.0**power for power in range(-3, 9) for m in (1, 2, 5) if low <= m * 10.0**power <= high]
    getattr(axes, f"set_{which}scale")("log")
    getattr(axes, f"set_{which}lim")(low, high)
    getattr(axes, f"set_{which}ticks")(marks, [f"{mark:,.10g}" for mark in marks])
    axes.tick_params(axis=which, which="minor", length=0, labelleft=False, labelbottom=False)


def picture(drawing: Any, alt: str) -> str:
    """A matplotlib figure as part of the page."""
    drawing.set_facecolor("white")
    made = BytesIO()
    drawing.savefig(made, format="svg", metadata={"Date": None})
    data = b64encode(made.getvalue()).decode()
    return f'<figure><img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{data}"></figure>'


PAGE = """<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Benchmarks</title><style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem; font: 16px/1.6 system-ui, "Segoe UI", sans-serif; }}
.wide {{ overflow-x: auto; }} table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .35rem .7rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top; }}
tbody th {{ font-weight: normal; min-width: 14rem; }} code {{ overflow-wrap: anywhere; }}
.pictures {{ display: flex; flex-wrap: wrap; gap: 0 1rem; }}
img {{ max-width: 100%; background: white; }} figure {{ margin: 1rem 0; }}
.missed {{ border-left: 4px solid light-dark(#b23b00, #f0925a); padding: .2rem 1rem; }}
</style></head><body><main><h1>Benchmarks</h1>
{body}
</main></body></html>
"""


def keep(found: Sequence[Found], page: Path) -> None:
    """Put the tables of the benches of speed into RESULTS.md."""
    for one in found:
        if one.result is None or one.problem or not one.part.alone or "--quick" in one.command:
            continue
        said = f"{one.result['notes']} Measured within `make bench`" + f", medians of {one.runs} runs" * (one.runs > 1)
        section = as_markdown(one.result | {"command": one.command}, f"{said}.")
        page.write_text(with_section(page.read_text("utf-8"), one.result["name"], section), encoding="utf-8")


def main(parts: Sequence[Part] | None = None) -> None:
    """Run and report."""
    parts = parts_of(ROOT / "bench") if parts is None else parts
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="five minutes: few rounds, and most only show that they run"
    )
    parser.add_argument("--minutes", type=float, help="of the whole run, instead of 40")
    parser.add_argument("--only", nargs="+", help="these benches")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the report")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT to compare with")
    parser.add_argument("--text", type=Path, help="a text file, such as tiny Shakespeare; else the package's stories")
    parser.add_argument("--results", action="store_true", help="write what ran alone into bench/RESULTS.md, too")
    parser.set_defaults(scripts=ROOT / "bench")
    args = parser.parse_args()
    for name in ("out", "nanogpt", "text"):
        if getattr(args, name):
            setattr(args, name, getattr(args, name).resolve())
    if unknown := set(args.only or ()) - {part.name for part in parts}:
        parser.error(f"there is no bench {sorted(unknown)[0]}")
    suite = Suite(args, [part for part in parts if not args.only or part.name in args.only])
    before = {name: signal.signal(name, suite.stop) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        suite.run()
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
        suite.report()
    if args.results and not args.quick:
        keep(suite.found, ROOT / "bench" / "RESULTS.md")
    print(f"{args.out / 'report.html'}: {(time.monotonic() - suite.began) / 60:.1f} minutes")
    if suite.stopped:
        raise SystemExit(130)
    if failed := [found.part.name for found in suite.found if found.problem.startswith("failed")]:
        raise SystemExit(f"failed: {', '.join(failed)}; the report says how")


if __name__ == "__main__":
    main()
