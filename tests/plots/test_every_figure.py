"""Every figure that a lesson draws can be read: titled, labelled, in letters of 10 points, with enough contrast,
no text on another, nothing told by its colour alone, and described for people who do not see it."""

import io
import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text
from slide_decks import LEAST_CONTRAST, contrast

from workshop_utils import plots
from workshop_utils.budget import Plan, estimate
from workshop_utils.gpt import GPTConfig
from workshop_utils.lessons import recorded
from workshop_utils.lessons.failures import Around, Attempt
from workshop_utils.plots.basics import described
from workshop_utils.text.tokenizer import train_bpe

ENCODING = train_bpe(["aa ab aa ab"], 258)
RUN = [{"step": i, "loss": 7.0 - i / 20, "lr": i / 100, "grad_norm": 1.0 + i % 7} for i in range(1, 61)]
SICK = [entry | {"loss": 7.0 + entry["step"], "grad_norm": 40.0} for entry in RUN[:20]]
CAUSAL = torch.ones(17, 17).tril() / torch.arange(1.0, 18)[:, None]
GPT2 = GPTConfig(n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50304)
BUDGETS = {
    "one small GPU": estimate(GPT2, Plan(batch_size=2), "T4"),
    "eight large ones": estimate(GPT2, Plan(batch_size=64, attention="written"), "A100", 8),
    "tuned": estimate("Qwen2.5 7B", Plan(method="qlora", batch_size=1, block_size=512), "laptop CPU", tokens=1e6),
}
METHODS = ("float32", "bfloat16", "int8 weight-only", "int8 dynamic", "int8 dynamic, two rows", "int8 static", "NF4",
           "NF4, double quantisation", "GGUF Q8_0", "GGUF Q4_0")  # fmt: skip
SIZES = (7.92, 3.96, 2.68, 2.68, 2.03, 2.69, 1.86, 1.81, 2.13, 1.24)
ROWS = [
    {"name": name, "bytes": size * 1e6, "score": 99.2 + 0.4 * (size != 2.68), "low": 98.0, "high": 100.0}
    for name, size in zip(METHODS, SIZES, strict=True)
] + [{"name": "compiled", "bytes": None, "score": None, "reason": "there is no compiler here. " * 3}]

FIGURES = {
    "bars": lambda: plots.bars({"its own": 0.11, "ChatML or Gemma's": 0.94}, "t", "loss (nats per token)", "beginning"),
    "shares": lambda: plots.bars({"before": {"a": (0, 30), "b": (52, 72)}, "after": {"a": (30, 30), "b": (51, 72)}},
                                 "t", "share of the replies (%)", "what was counted"),
    "levels": lambda: plots.bars({"turn 1": 15, "turn 2": 174}, "t", "tokens", "turn", levels={"context": 512}),
    "histogram": lambda: plots.histogram({"weights": torch.linspace(-1, 1, 99)}, "t", "weight", {"level": [-1, 0, 1]}),
    "errors": lambda: plots.histogram({"row": [0.0, 0.1], "block": [0.01, 0.2]}, "t", "error of a weight", log=True),
    "lines": lambda: plots.lines({"a": [3, 2, 1], "b": {0: 2.0, 1: 0.5}}, "t", "step", "loss", {"floor": 1.5}),
    "range test": lambda: plots.lines({"loss": {10.0**-i: 5.0 - i for i in range(4)}}, "t", "learning rate", "loss",
                                      log="xb", marks={"start": [0.01]}, below=("length", {0.001: 1.0, 1.0: 9.0})),
    "training": lambda: plots.training({"": [*RUN, {"step": 60, "val_loss": 4.1}]}, "t", "lr", True, {"entropy": 3.9}),
    "runs": lambda: plots.training({"0.006": RUN, "1": SICK}, "t", "grad_norm", log=True, marks={"SIGKILL": [30]}),
    "scores": lambda: plots.score_distributions({"before": [0.0] * 30 + [20.0], "after": [90, 100.0]}, "t"),
    "agreement": lambda: plots.agreement([[1.0, math.nan], [math.nan, -0.2]], ["classifier", "pocket-$instruct"]),
    "pareto": lambda: plots.pareto(ROWS, ylabel="Stoic score (0 to 100)"),
    "methods": lambda: plots.methods(ROWS, {"bytes": "on the disk"}, "t", "size", reference="float32"),
    "two columns": lambda: plots.methods(ROWS, {"bytes": "on the disk", "score": "s"}, "t", "size"),
    "attention": lambda: plots.attention_maps({"head 0": CAUSAL, "head 1": CAUSAL}, "|....kite>etik..."),
    "attention with numbers": lambda: plots.attention_maps({"average": CAUSAL[:9, :9].requires_grad_()}, "|kite>eti"),
    "blueprint": plots.blueprint,
    "looking back": lambda: plots.looking_back({"|....kite>etik....": CAUSAL.expand(2, 17, 17)}, start=10),
    "next tokens": lambda: plots.next_tokens([0.4, 0.3, 0.2, 0.05, 0.05], [" 🙂", "\n", "", "$x$ $"], [1, 0, 0, 0, 0]),
    "parameters": lambda: plots.parameters({"your GPT": {"table": 4, "MLP": 66}, "GPT-2": {"table": 31, "MLP": 69}}),
    "probabilities": lambda: plots.probabilities({"as learned": CAUSAL[9], "top_p": CAUSAL[4]}, "|....kite>etik..."),
    "stop": lambda: plots.stop_probability([" Paris", ".", " Pony"] * 20, [0.0, 0.25, 1.0] * 20),
    "around": lambda: plots.around_generate({"sick": Around((1, 1), {"a": (0.5, 0.005), "b": (1.0, None)}, 0.2, True)}),
    "attempts": lambda: plots.attempts({"as it was": Attempt(300_000_000, None, "out of memory", True),
                                        "smaller": Attempt(140_000_000, 0.25, "", True)}, 200_000_000),
    "device memory": lambda: plots.device_memory(BUDGETS),
    "training memory": lambda: plots.training_memory({"small": {"full": {"weights": 4e6, "Adam": 8e6}},
                                                      "large": {"full": {"weights": 30e9}, "LoRA": {"weights": 15e9}}}),
    "rates": lambda: plots.rates_and_warmups(recorded.rates_and_warmups(), 3e-3, 0.05),
    "orders": lambda: plots.orders({"buffer of 0": [0, 1, 2], "buffer of 100": [2, None, 0]}),
    "batches": lambda: plots.batches({"windows": (torch.arange(40).reshape(4, 10) % 9,) * 2}, 0),
    "few merges": lambda: plots.merge_counts([(b" peppers", 24 - i) for i in range(24)], "t"),
    "many merges": lambda: plots.merge_counts([(b"%d" % i, 9999 // (i + 1)) for i in range(700)], "t"),
    "shifted": lambda: plots.shifted_by_one([97, 98, 257], [98, 257, -1], ENCODING),
}  # fmt: skip
ALONE = ("shifted", "blueprint", "looking back")  # a picture without axes


def texts_of(figure) -> list[Text]:
    """What is written in a figure, without tick labels that are not drawn, or tilted, so that boxes say nothing."""
    outside = set()
    for axis, place in [(axis, place) for ax in figure.axes for place, axis in enumerate((ax.xaxis, ax.yaxis))]:
        low, high = sorted(axis.get_view_interval())
        labels = axis.get_ticklabels(which="both")
        drawn = {label for label in labels if low <= label.get_position()[place] <= high and label.get_rotation() != 60}
        outside |= {*labels} - drawn if axis.axes.axison else {*labels}
    found = figure.findobj(lambda one: isinstance(one, Text) and one.get_visible() and one.get_text().strip())
    return [text for text in found if text not in outside]


def alike(figure) -> list[tuple[str, str]]:
    """The entries of a legend that only their colours tell apart."""
    legends = [*figure.legends, *filter(None, (ax.get_legend() for ax in figure.axes))]
    found = []
    for drawn in legends:
        looks = {}
        for handle, text in zip(drawn.legend_handles, drawn.get_texts(), strict=True):
            told = [getattr(handle, f"get_{name}", str)() for name in ("linestyle", "marker", "hatch", "linewidth")]
            dashes = getattr(handle, "_unscaled_dash_pattern", "")
            light = round(5 * luminance(handle.get_markerfacecolor())) if told[1] == "s" else ""  # squares of a map
            looks.setdefault((type(handle), *told, str(dashes), light), []).append(text.get_text())
        found += [tuple(names) for names in looks.values() if len(names) > 1]
    return found


def luminance(colour) -> float:
    return contrast(to_hex(colour), "#000000") / 20 - 0.05


def pale(figure, texts) -> list[tuple[str, float]]:
    """The texts with a contrast under 4.5 to what lies behind the middle of them, most of it."""
    inks = [to_hex(text.get_color()) for text in texts]
    for text in texts:  # not invisible, since the layout would change
        text.set_color("none")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1]
    found = []
    for text, colour in zip(texts, inks, strict=True):
        box = Text.get_window_extent(text, canvas.get_renderer()).padded(3)
        inside = pixels[max(0, int(box.y0)) : int(box.y1) + 1, max(0, int(box.x0)) : int(box.x1) + 1, :3].reshape(-1, 3)
        behind = to_hex(np.median(inside, 0) / 255)
        if (ratio := contrast(colour, behind)) < LEAST_CONTRAST:
            found.append((text.get_text(), round(ratio, 2)))
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_titled_labelled_and_readable(name):
    figure = FIGURES[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as of a letter that the font lacks
        figure.canvas.print_figure(io.BytesIO(), format="png", dpi=100, bbox_inches="tight")
    assert figure.get_suptitle()
    assert name in ALONE or figure.get_supylabel() or all(ax.get_ylabel() for ax in figure.axes[:1])
    assert name in ALONE or any(ax.get_xlabel() for ax in figure.axes)
    texts = texts_of(figure)
    assert min(text.get_fontsize() for text in texts) >= 10
    assert alike(figure) == []
    assert figure.get_suptitle() in described(figure)
    boxes = [(text.get_text(), Text.get_window_extent(text).padded(-2)) for text in texts]
    assert [(a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if one.overlaps(other)] == []
    assert pale(figure, texts) == []
