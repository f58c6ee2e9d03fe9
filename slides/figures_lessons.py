"""The pictures of the decks 02 to 04 and 07 to 10: the lessons' own figures, drawn again in the size of a slide.

python slides/make_figures.py 02_story            draw it (without a name: all of all decks)
python slides/figures_lessons.py --record 04 07   play these lessons, and keep what their pictures need

No number is typed in here. They come from the cells of lessons 02 and 03 and of the first part of 04, which are played
in the pocket profile; from what a committed notebook has printed; from the package's weights; and from
figures/values.json, which keeps what takes minutes: trainings and their replies.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from matplotlib import pyplot as plt
from matplotlib import rc_context
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.text import Text

from workshop_utils import exercises, plots
from workshop_utils.plots.basics import PALETTE, Bar, share
from workshop_utils.plots.coloured import SPECIAL, TINTS, UNREAD

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "slides" / "figures"
VALUES = FIGURES / "values.json"
POCKET = ROOT / "workshop_utils" / "pocket" / "models"
PIXELS = 120  # of a slide, 1280 wide, for each inch of a figure
SMALLEST = 11  # points, which are 18 of those pixels
WIDTH = 9.5  # inches: as wide as the text of a slide
STYLE: dict[Any, Any] = {"font.size": 13, "axes.titlesize": 13, "lines.linewidth": 2.2, "axes.unicode_minus": False}
MONO = 0.602  # the width of a character of DejaVu Sans Mono, in font sizes

Drawing = Callable[[], "Figure"]
DRAWINGS: dict[str, Drawing] = {}


def drawing(function: Drawing) -> Drawing:
    """Mark a function as one that draws slides/figures/NAME.png, where its own name is figure_NAME."""
    DRAWINGS[function.__name__.removeprefix("figure_")] = function
    return function


# --- where numbers come from


def notebook(lesson: str) -> Any:
    """The committed notebook of a lesson."""
    (path,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
    return json.loads(path.read_text(encoding="utf-8"))


def printed(lesson: str, code: str) -> str:
    """What the first cell that holds some code has printed, in the committed notebook.

    Raises:
        LookupError: there is no such cell, or it has no output.
    """
    for cell in notebook(lesson)["cells"]:
        if cell["cell_type"] == "code" and code in "".join(cell["source"]):
            found = [out.get("text") or out.get("data", {}).get("text/plain") for out in cell["outputs"]]
            if any(found):
                return "".join("".join(text) for text in found if text)
    raise LookupError(
        f"lesson {lesson} has no output of a cell with {code!r}: run it first, make notebooks LESSONS={lesson}"
    )


@cache
def played(lesson: str, until: str) -> SimpleNamespace:
    """Play the cells of a lesson in the pocket profile, up to the first one that holds some code.

    Returns:
        names: what its cells have left behind; shown: source and value of each cell that ends with an expression.
    """
    os.environ |= {"WORKSHOP_PROFILE": "pocket", "HF_HUB_OFFLINE": "1"}
    names: dict[str, Any] = {"__name__": "__main__", "display": lambda *_: None}  # dataclasses ask for the module
    shown: list[tuple[str, Any]] = []
    for cell in notebook(lesson)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or "colab" in cell["metadata"].get("tags", []):
            continue
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        with rc_context(STYLE), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(tree, lesson, "exec"), names)
            if isinstance(last, ast.Expr):
                shown.append((source, eval(compile(ast.Expression(last.value), lesson, "eval"), names)))
        if until in source:
            return SimpleNamespace(names=names, shown=shown)
    raise LookupError(f"lesson {lesson} has no cell with {until!r}")


def shown(lesson: str, until: str, code: str = "") -> Any:
    """The figure that a cell ends with, when the lesson is played."""
    found = [value for source, value in played(lesson, until).shown if (code or until) in source and value is not None]
    return found[-1]


def taken(lesson: str, *names: str, **known: Any) -> dict[str, Any]:
    """Functions and values that the cells of a lesson define at their top, without playing the rest."""
    space = dict(known)
    for cell in notebook(lesson)["cells"]:
        if cell["cell_type"] != "code" or "colab" in cell["metadata"].get("tags", []):
            continue
        for node in ast.parse("".join(cell["source"])).body:
            targets = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
            if getattr(node, "name", None) in names or set(targets) & set(names):
                exec(compile(ast.Module([node], []), lesson, "exec"), space)
    return {name: space[name] for name in names}


def values(key: str) -> Any:
    """What --record has kept."""
    return json.loads(VALUES.read_text(encoding="utf-8"))[key]


def weights(model: str, name: str) -> Tensor:
    """A matrix of a pocket model, as it lies in the package."""
    from safetensors import safe_open

    with safe_open(POCKET / model / f"{'adapter_' if model == 'stoic' else ''}model.safetensors", "pt") as file:
        (found,) = (key for key in file.keys() if name in key)  # noqa: SIM118
        return file.get_tensor(found).float()


# --- how they are drawn


def tokens(lines: Mapping[str, Sequence[str]], size: float = 15, gap: float = 1.5) -> Figure:
    """Lines of tokens, each on a colour of its own, special ones on grey, with a label before them."""
    indent = max(map(len, lines)) + (2 if any(lines) else 0)
    columns = int(WIDTH * 72 / MONO / size)
    rows = [(name, row) for name, parts in lines.items() for row in _wrapped(parts, columns - indent)]
    figure, ax = _paper(min(columns, indent + max(sum(map(len, row)) for _, row in rows) + 1), len(rows), size, gap)
    last, number = None, 0
    for y, (name, parts) in enumerate(rows):
        if name != last:
            last, number = name, 0
            ax.text(0, y + 0.5, name, va="center", weight="bold", fontsize=size * 0.9, family="monospace")
        at = indent
        for part in parts:
            colour = SPECIAL if part.startswith("<") and part.endswith(">") and len(part) > 2 else TINTS[number % 5]
            _token(ax, at, y, part, colour, size)
            at, number = at + len(part), number + 1
    return figure


def _wrapped(parts: Sequence[str], columns: int) -> Iterator[list[str]]:
    row: list[str] = []
    for part in parts:
        if row and sum(map(len, row)) + len(part) > columns:
            yield row
            row = []
        row.append(part)
    yield row


def _paper(columns: int, rows: int, size: float, gap: float) -> tuple[Figure, Any]:
    """Axes that count characters from the left and lines from the top."""
    figure = plt.figure(figsize=(columns * MONO * size / 72, rows * gap * size * 1.2 / 72))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, columns), ylim=(rows, 0))
    ax.axis("off")
    plt.close(figure)
    return figure, ax


def _token(ax: Any, x: float, y: float, text: str, colour: str, size: float, **style: Any) -> None:
    ax.add_patch(Rectangle((x + 0.04, y + 0.1), len(text) - 0.08, 0.8, color=colour, linewidth=0))
    ax.text(x, y + 0.5, text, va="center_baseline", family="monospace", fontsize=size, **style)


def masked(text: str, size: float = 15) -> Figure:
    """A text whose part between « and » is learnt from, in green; the rest is only read. ⏎ ends a line."""
    columns = int(WIDTH * 72 / MONO / size)
    rows: list[list[tuple[str, bool]]] = [[]]
    on = False
    for piece in re.findall(r"[«»]|⏎|\s?[^\s«»⏎<]+|<[^>]*>", text):
        if piece in "«»":
            on = piece == "«"
            continue
        if sum(len(word) for word, _ in rows[-1]) + len(piece) > columns - 1:
            rows.append([])
        rows[-1].append((piece, on))
        if piece == "⏎":
            rows.append([])
    rows = [row for row in rows if row]
    figure, ax = _paper(columns, len(rows), size, 1.5)
    for y, row in enumerate(rows):
        at = 0
        for word, learnt in row:
            style: dict[str, Any] = {"weight": "bold"} if learnt else {"color": "#444444"}
            _token(ax, at, y, word, TINTS[2] if learnt else UNREAD, size, **style)
            at += len(word)
    return figure


def save(figure: Figure, name: str) -> Path:
    """Write a figure as a PNG of few colours, no text in it smaller than SMALLEST."""
    from PIL import Image

    for text in figure.findobj(Text):
        text.set_fontsize(max(SMALLEST, float(text.get_fontsize())))
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=200, facecolor="white")
    path = FIGURES / f"{name}.png"
    picture = Image.open(raw).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(path, "PNG", optimize=True)
    return path


def sized(figure: Figure, height: float, width: float = WIDTH) -> Figure:
    """In the size of a slide, and without its title: the slide has one."""
    figure.suptitle("")
    figure.set_size_inches(width, height)
    return figure


# --- 02: tokens and data


@drawing
def figure_02_story() -> Figure:
    """A story in colour, as lesson 02 shows it."""
    return tokens({"": printed("02", "plots.tokens_in_colour(ids, pocket)").split("|")}, size=16, gap=1.6)


@drawing
def figure_02_merges() -> Figure:
    """One word grows up, merge by merge."""
    lines = [line.split("  ", 1) for line in printed("02", "steps = [parts]").splitlines()]
    return tokens({label: parts.strip().split("|") for label, parts in lines}, size=19, gap=1.3)


LINES_02 = ("shouted", "a sum", "Python")


@drawing
def figure_02_tokenizers() -> Figure:
    """The same lines in three tokenizers."""
    found = re.findall(r"^((?:shouted|a sum|Python), \S+) +(.+)$", printed("02", '("shouted", "a sum"'), re.M)
    known = {label: parts.split("|") for label, parts in found}
    lines = {f"{what}, {who}": known[f"{what}, {who}"] for what in LINES_02 for who in ("pocket", "coder", "GPT-2")}
    return tokens(lines, size=17, gap=1.45)


LAST_02 = "plots.shifted_by_one(x, y, pocket)"


@drawing
def figure_02_vocabulary() -> Figure:
    """What a larger vocabulary buys and costs."""
    return sized(shown("02", LAST_02, "below=table"), 4.2)


@drawing
def figure_02_memory() -> Figure:
    """A corpus in memory, held in four ways."""
    return sized(shown("02", LAST_02, "grows_by"), 3.0)


@drawing
def figure_02_shifted() -> Figure:
    """x and y of one padded row."""
    figure = sized(shown("02", LAST_02), 1.7)
    figure.axes[0].set_xlim(-2, None)
    return figure


@drawing
def figure_02_batches() -> Figure:
    """Two ways to fill a batch."""
    return sized(shown("02", LAST_02, "plots.batches"), 4.0)


# --- 03: build a GPT

LAST_03 = "plots.looking_back("


@drawing
def figure_03_blueprint() -> Figure:
    """The map of a GPT."""
    with rc_context(STYLE):
        figure = sized(plots.blueprint(), 4.0)
    for text in figure.findobj(Text):
        text.set_fontsize(11.5)  # as large as the boxes of the block allow
    return figure


@drawing
def figure_03_parameters() -> Figure:
    """Where the parameters sit."""
    return sized(shown("03", LAST_03, "plots.parameters("), 3.7)


@drawing
def figure_03_masks() -> Figure:
    """Attention without a mask, and with it."""
    return sized(shown("03", LAST_03, "for name, weigh in kinds.items()}, text)"), 4.0, 8.4)


@drawing
def figure_03_gradient() -> Figure:
    """How much gradient arrives at the bottom."""
    return sized(shown("03", LAST_03, "How much gradient arrives"), 3.9)


@drawing
def figure_03_curves() -> Figure:
    """Three kinds of attention weights, trained."""
    return sized(shown("03", LAST_03, "Three kinds of attention weights"), 4.0)


@drawing
def figure_03_arcs() -> Figure:
    """What each new character attends to."""
    return sized(shown("03", LAST_03), 4.0)


# --- 04: train a GPT


@drawing
def figure_04_heart() -> Figure:
    """One batch, learned by heart."""
    return sized(shown("04", "plots.training(curves", "learned by heart"), 3.8)


@drawing
def figure_04_rates() -> Figure:
    """Three learning rates."""
    return sized(shown("04", "plots.training(curves"), 4.0)


@drawing
def figure_04_run() -> Figure:
    """The run of lesson 04: loss, and the rate under it."""
    floor = float(re.findall(r"generator: ([\d.]+) nats", printed("04", "plots.training({"))[0])
    with rc_context(STYLE):
        levels = {"entropy of\nthe generator": floor}
        figure = sized(plots.training({"": values("04 history")}, "", "lr", log=True, levels=levels), 4.0)
    figure.axes[0].set_ylabel("loss")
    figure.get_layout_engine().set(h_pad=0.02)  # type: ignore[union-attr, call-arg]
    return figure


@drawing
def figure_04_coherence() -> Figure:
    """How often stories keep their word, at three points of the training."""
    rows = re.findall(r"^(.+?)  +pronoun (\S+)  name (\S+)  object (\S+)  all (\S+)", printed("04", "score_many"), re.M)
    counts: dict[str, dict[str, Bar]] = {name: {} for name, *_ in rows}
    for name, *found in rows:
        for check, right in zip(("pronoun", "name", "object", "all"), found, strict=True):
            counts[name][check] = replace(share(round(200 * float(right)), 200), words="")  # no room for them
    with rc_context(STYLE):
        return sized(plots.bars(counts, "", "stories that are right (%)"), 4.4)


# --- 07: fine-tune with QLoRA


@drawing
def figure_07_mask() -> Figure:
    """One conversation: what is learnt from."""
    return masked(printed("07", "plots.show_mask(tokenizer, talk)"))


@drawing
def figure_07_memory() -> Figure:
    """What training keeps in memory, for two real models: the lesson's own formula."""
    count = exercises.find("07.3").reference
    own = taken("07", "memory", "gemma", "qwen", lora_parameters=count)
    costs = {
        "Gemma 2 2B": own["memory"](2_614_341_888, own["gemma"] * 26),
        "Qwen2.5 7B": own["memory"](7_615_616_512, own["qwen"] * 28),
    }
    with rc_context(STYLE):
        return sized(plots.training_memory(costs), 4.0)


@drawing
def figure_07_nf4() -> Figure:
    """Weights of the pocket model, and NF4's sixteen levels."""
    from bitsandbytes import functional

    blocks = weights("instruct", "layers.0.mlp.up_proj")[:128].reshape(-1, 64)
    scaled = blocks / blocks.abs().amax(dim=1, keepdim=True)
    levels = functional.get_4bit_type("nf4", device="cpu")
    with rc_context(STYLE):
        xlabel = "weight, as a share of the largest in its block"
        return sized(plots.histogram({"weights": scaled}, "", xlabel, marks={"levels": levels.tolist()}), 3.4)


@drawing
def figure_07_lora() -> Figure:
    """A frozen matrix and its two thin ones, in the proportions of the pocket model's up_proj."""
    A, B = weights("stoic", "layers.0.mlp.up_proj.lora_A"), weights("stoic", "layers.0.mlp.up_proj.lora_B")
    (rank, n_in), n_out = A.shape, B.shape[0]
    figure, ax = plt.subplots(figsize=(WIDTH, 3.55), layout="constrained")
    plt.close(figure)
    middle = 0
    boxes = (
        (220, middle, n_in, n_out, "#C9C9C9", f"W\n\nfrozen,\n4 bits\n\n{n_out} x {n_in}", 0.5),
        (660, middle, n_in, rank, PALETTE[1], f"A: {rank} x {n_in}\nlearns; random at first", 1.0),
        (1100, middle, rank, n_out, PALETTE[1], f"B: {n_out} x {rank}\nlearns; 0 at first", 0.0),
    )
    for x, y, width, height, colour, _, _ in boxes:
        ax.add_patch(Rectangle((x, y - height / 2), width, height, color=colour, linewidth=0))
    ax.text(220 + n_in / 2, middle, boxes[0][5], ha="center", va="center", fontsize=14)
    ax.text(660 + n_in / 2, 26, boxes[1][5], ha="center", va="bottom", fontsize=14)
    ax.text(1100 + rank + 22, 150, boxes[2][5], ha="left", va="center", fontsize=14)
    frozen, learnt = "#555555", PALETTE[5]
    over, under = n_out / 2 + 70, -n_out / 2 - 60
    _way(ax, [(40, 0), (215, 0)], frozen)
    _way(ax, [(220 + n_in / 2, n_out / 2), (220 + n_in / 2, over), (1560, over), (1560, 32)], frozen)
    _way(ax, [(20, -34), (20, under), (660 + n_in / 2, under), (660 + n_in / 2, -rank)], learnt)
    _way(ax, [(660 + n_in, 0), (1095, 0)], learnt)
    _way(ax, [(1100 + rank, 0), (1528, 0)], learnt)
    _way(ax, [(1592, 0), (1670, 0)], frozen)
    for x, letter in ((20, "x"), (1560, "+"), (1695, "y")):
        ax.text(x, 0, letter, ha="center", va="center", fontsize=20, weight="bold")
    ax.set(xlim=(-10, 1730), ylim=(under - 20, over + 20), aspect="equal")
    ax.axis("off")
    return figure


def _way(ax: Any, points: Sequence[tuple[float, float]], colour: str) -> None:
    """A line around corners, with an arrow at its end."""
    ax.plot(*zip(*points[:-1], strict=True), color=colour, linewidth=2)
    ax.add_patch(FancyArrowPatch(*points[-2:], arrowstyle="-|>", mutation_scale=18, color=colour, shrinkA=0, shrinkB=0))


@drawing
def figure_07_run() -> Figure:
    """Sixty steps of QLoRA: the run whose adapter is in the package."""
    history = json.loads((POCKET / "stoic" / "result.json").read_text())["history"]
    with rc_context(STYLE):
        return sized(plots.training({"": history}, ""), 4.0)


@drawing
def figure_07_counts() -> Figure:
    """Plain, prompted, few-shot and tuned: style and subject, as the lesson has printed them."""
    line = re.compile(r"^(\S+) .*above 30 in (\d+) of (\d+)\s+named (\d+) of", re.MULTILINE)
    counts = {
        name: {"score above 30": (int(stoic), int(n)), "names the subject": (int(named), int(n))}
        for name, stoic, n, named in line.findall(printed("07", "Four ways to a Stoic"))
    }
    with rc_context(STYLE):
        return sized(plots.bars(counts, "", "share of the replies (%)"), 4.0)


@drawing
def figure_07_six() -> Figure:
    """Six pairs, ten times over, beside all pairs."""
    with rc_context(STYLE):
        return sized(plots.training(values("07 six"), ""), 4.0)


# --- 08: text to SQL


@drawing
def figure_08_mask() -> Figure:
    """A conversation of the training data: a schema, two questions, and what is learnt from."""
    from workshop_utils.pocket import shops
    from workshop_utils.sql import conversations, of_shops

    talk = conversations(of_shops(shops.to_train(2, 0, together=2, seed=6)), 2)[0]
    marks = {"user": "<start_of_turn>user⏎{}<end_of_turn>⏎", "assistant": "<start_of_turn>model⏎«{}<end_of_turn>»⏎"}
    text = "".join(marks[turn["role"]].format(turn["content"].replace("\n", "⏎")) for turn in talk)
    return masked(text, 14)


def bench_08() -> dict[str, tuple[float, float, float]]:
    """Shares and their intervals, as bench/text_to_sql.py has written them."""
    page = (ROOT / "bench" / "RESULTS.md").read_text(encoding="utf-8").partition("## text_to_sql")[2]
    line = re.compile(r"^\| ([^|]+?) \| (\S+) \|  \|  \| (?:(\S+) to (\S+))? ", re.MULTILINE)
    found = line.findall(page.partition("\n## ")[0])
    return {what: (float(share), float(low or share), float(high or share)) for what, share, low, high in found}


@drawing
def figure_08_accuracy() -> Figure:
    """Right answers before, with examples in the prompt, and after, by what is held out."""
    titles = {
        "before": "before",
        "few_shot": "few-shot, before",
        "held_out_questions": "new questions",
        "held_out_wordings": "new wordings",
        "held_out_databases": "new databases",
        "held_out_joins": "joins, new databases",
    }
    shares = {titles[what]: [100 * value for value in values] for what, values in bench_08().items() if what in titles}
    rows = {
        title: Bar(shares[title][0], f"{shares[title][0]:.0f}%", (shares[title][1], shares[title][2]))
        for title in titles.values()
    }
    with rc_context(STYLE):
        return sized(plots.bars(rows, "", "right answers (%)"), 4.0)


@drawing
def figure_08_errors() -> Figure:
    """What the wrong answers to held-out databases are."""
    before = "databases, wrong: "
    kinds = {what.removeprefix(before): 100 * found[0] for what, found in bench_08().items() if what.startswith(before)}
    rows = {kind: Bar(value, f"{value:.1f}%") for kind, value in kinds.items()}
    with rc_context(STYLE):
        return sized(plots.bars(rows, "", "share of all answers to held-out databases (%)"), 3.2)


# --- 09: quantised evaluation


@drawing
def figure_09_scores() -> Figure:
    """The loss on the replies that are hoped for: every reply is a dot."""
    with rc_context(STYLE):
        return sized(plots.score_distributions(values("09 scores"), "", "loss (nats per token)"), 3.8)


@drawing
def figure_09_errors() -> Figure:
    """What rounding to eight bits does to the weights of one matrix, with three sizes of a group."""
    from workshop_utils.quantize import absmax_int8, dequantise

    A, B = weights("stoic", "layers.0.self_attn.v_proj.lora_A"), weights("stoic", "layers.0.self_attn.v_proj.lora_B")
    config = json.loads((POCKET / "stoic" / "adapter_config.json").read_text())
    weight = weights("instruct", "layers.0.self_attn.v_proj") + config["lora_alpha"] / config["r"] * B @ A
    ways: dict[str, str | int] = {
        "one scale for all": "tensor",
        "one for each row": "channel",
        "one for 64 weights": 64,
    }
    errors = {}
    for name, per in ways.items():
        errors[name] = (dequantise(*absmax_int8(weight, per)).reshape(weight.shape) - weight).flatten()
    with rc_context(STYLE):
        return sized(plots.histogram(errors, "", "error of a weight", log=True), 4.0)


def table_09() -> list[dict[str, Any]]:
    """The table of precisions, as lesson 09 has printed it in two parts, a dictionary a row."""
    rows: dict[str, dict[str, Any]] = {}
    for code in ("table = quantize.table(", 'printed(table, "error", "ordinary")'):
        head, *lines = printed("09", code).split("\n\n")[0].splitlines()
        columns = re.split(r"  +", head.strip())
        for line in lines:
            name, *found = re.split(r"  +", line.strip())
            if len(found) == len(columns):
                rows.setdefault(name, {"name": name}).update(zip(columns, found, strict=True))
    parts = {"bytes": "MB", "bytes_table": "table MB", "bytes_rest": "rest MB"}
    numbers = [{key: 1e6 * float(row[column]) for key, column in parts.items()} for row in rows.values()]
    return [row | {"error": float(row["error"])} | some for row, some in zip(rows.values(), numbers, strict=True)]


@drawing
def figure_09_front() -> Figure:
    """How far the logits are from those of float32, against the size."""
    rows = [row for row in table_09() if row["name"] not in ("float32", "GGUF F32", "NF4, double")]
    with rc_context(STYLE | {"font.size": 12.5}):
        labels = {"title": "", "xlabel": "all weights", "ylabel": "error of the logits"}
        figure = plots.pareto(rows, "error", **labels, lower_is_better=True)
    return sized(figure, 4.0)


@drawing
def figure_09_sizes() -> Figure:
    """Bytes of the embedding table and of the rest."""
    shown = ("float32", "int8 weight-only", "int4 W4A8, QAT", "NF4", "GGUF Q8_0", "GGUF Q4_0")
    rows = [row for row in table_09() if row["name"] in shown]
    with rc_context(STYLE | {"font.size": 12}):
        columns = {"bytes_table": "embedding table", "bytes_rest": "everything else"}
        figure = plots.methods(rows, columns, "", "size")
    return sized(figure, 4.4)


@drawing
def figure_09_speeds() -> Figure:
    """How many times as fast as float32 the larger model of bench/quantized_decode.py writes."""
    line = re.compile(
        r"\| 123\.8M, ([^:|]+): tokens a CPU second \(peer: float32\) \|.*?\|.*?\| (\S+) \| (\S+) to (\S+) \|"
    )
    found = line.findall((ROOT / "bench" / "RESULTS.md").read_text(encoding="utf-8"))
    rows = {
        name: Bar(float(times), f"{float(times):.3g}", (float(low), float(high)))
        for name, times, low, high in sorted(found, key=lambda row: float(row[1]))
    }
    with rc_context(STYLE):
        figure = sized(plots.bars(rows, "", "", levels={"float32": 1}), 3.3)
    figure.axes[0].set_xlabel("times as fast as float32 (line: range)")
    return figure


# --- 10: ship it


@drawing
def figure_10_answers() -> Figure:
    """What the replies of the own GPT do, before and after its tuning, as the lesson has printed it."""
    counts = {}
    for name, row in re.findall(r"^((?:before|after), \w+) +(.+)$", printed("10", 'f"after, {which}"'), re.MULTILINE):
        found = re.findall(r"(\w+) +(\d+) of (\d+)", row)
        counts[name] = {what: (int(hits), int(n)) for what, hits, n in found}
    with rc_context(STYLE):
        return sized(plots.bars(counts, "", "share of the replies (%)"), 4.4)


@drawing
def figure_10_files() -> Figure:
    """Megabytes of the files of both models, as the lesson has printed them."""
    line = re.compile(r"^(Stoic|own GPT) +(\S.*?\S) +([\d.]+) MB", re.MULTILINE)
    sizes: dict[str, dict[str, float]] = {}
    for name, row, megabytes in line.findall(printed("10", "table[name, row]")):
        sizes.setdefault(name, {})[row] = float(megabytes)
    with rc_context(STYLE):
        return sized(plots.bars(sizes, "", "size of the file (MB)"), 4.2)


# --- keeping what takes minutes


def record(lesson: str) -> dict[str, Any]:
    """Play a lesson in WORKSHOP_HOME and return what its pictures need; a finished run of 04 is only read.

    Args:
        lesson: 04, 07 or 09.
    """
    if lesson == "04":
        run = played("04", "plots.training({").names["run"]
        keys = ("step", "loss", "lr", "val_loss")
        return {"04 history": [{k: float(f"{e[k]:.5g}") for k in keys if k in e} for e in run.history]}
    if lesson == "07":
        runs = played("07", "plots.training(runs").names["runs"]
        return {"07 six": {name: [_short(entry) for entry in history] for name, history in runs.items()}}
    return {"09 scores": played("09", "plots.score_distributions").names["loss"]}


def _short(entry: Mapping[str, float]) -> dict[str, float]:
    return {key: float(f"{entry[key]:.5g}") for key in ("step", "loss", "held_out") if key in entry}


def keep(found: Mapping[str, Any]) -> None:
    """Add to figures/values.json, a line for each name."""
    kept = (json.loads(VALUES.read_text(encoding="utf-8")) if VALUES.exists() else {}) | dict(found)
    lines = (f" {json.dumps(key)}: {json.dumps(kept[key])}" for key in sorted(kept))
    VALUES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    """Record."""
    if arguments[:1] != ["--record"] or not set(arguments[1:]) <= {"04", "07", "09"}:
        sys.exit(__doc__)
    for lesson in arguments[1:]:
        keep(record(lesson))


if __name__ == "__main__":
    main(sys.argv[1:])
