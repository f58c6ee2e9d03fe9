"""The figures draw what they were given: values, intervals, parts, marks."""

import math

import pytest
import torch

from workshop_utils import plots
from workshop_utils.budget import Plan, estimate
from workshop_utils.budget.estimates import Budget
from workshop_utils.budget.memory import moments
from workshop_utils.evaluate.intervals import bootstrap, wilson
from workshop_utils.gpt import GPTConfig
from workshop_utils.lessons.failures import Attempt
from workshop_utils.plots import runs

GPT2 = GPTConfig(n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50304)
RUN = [{"step": i, "loss": 7.0 - i / 10, "lr": i / 100, "grad_norm": 1.0 + i} for i in range(1, 9)]
NAN = math.nan


def labels(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def words(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def line(ax, label: str) -> list[tuple[float, float]]:
    """The points of a curve, by its name in the legend."""
    (found,) = [one for one in ax.lines if one.get_label() == label]
    return [(round(float(x), 6), float(y)) for x, y in found.get_xydata()]


def verticals(ax) -> list[float]:
    """Where vertical lines are."""
    return [one.get_xdata()[0] for one in ax.lines if len(set(one.get_xdata())) == 1 and one.get_marker() == "None"]


# --- bars


def test_a_pair_is_a_share_with_its_count_and_its_wilson_interval():
    figure = plots.bars({"base": (0, 24), "chat": (17, 24)}, "t", "right (%)")
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0, 100 * 17 / 24])
    assert words(ax) == ["0 of 24", "17 of 24"]
    assert [list(one.get_xdata()) for one in ax.lines] == [
        pytest.approx([100 * end for end in wilson(hits / 24, 24)]) for hits in (0, 17)
    ]
    assert "95% interval" in ax.get_xlabel()


def test_a_group_has_a_bar_of_each_series_and_a_level_its_line_or_its_name():
    values = {"before": {"a": 1.0, "b": 2.0}, "after": {"a": 1234.5, "b": 4.0}}
    near = plots.bars(values, "t", "x", levels={"limit": 3 * 1234.5})
    assert [bar.get_width() for bar in near.axes[0].patches] == [1, 2, 1234.5, 4]
    assert words(near.axes[0]) == ["1", "2", "1,234", "4"]
    assert near.axes[0].yaxis_inverted()
    assert (verticals(near.axes[0]), labels(near)) == ([3703.5], ["limit", "before", "after"])
    far = plots.bars(values, "t", "x", levels={"limit": 12345})
    assert (verticals(far.axes[0]), labels(far)[0]) == ([], "limit: 10 times the longest bar")


def test_what_could_not_be_measured_says_why_and_the_others_how_many_times_the_reference_they_are():
    rows = [{"name": "float32", "bytes": 8e6, "held": 9e6}, {"name": "NF4", "bytes": 2e6, "held": None},
            {"name": "costs $5", "bytes": None, "reason": "no compiler"}]  # fmt: skip
    figure = plots.methods(rows, {"bytes": "on the disk", "held": "in memory"}, "t", "size", reference="float32")
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == [8, 2, 9]
    assert words(ax) == ["8", "2  (0.25x)", "not measured: no compiler", "9", "not measured: no reason given", ""]
    assert ax.get_xlabel() == "size (MB); in brackets: times float32"


def test_attempts_are_coloured_by_whether_they_fit():
    tried = {
        "as it was": Attempt(300_000_000, None, "out of memory", True),
        "smaller": Attempt(90_000_000, 0.25, "", True),
        "not enforced": Attempt(250_000_000, 0.5, "", False),  # the system stopped nothing, and yet it is too much
        "reserved more": Attempt(190_000_000, None, "out of memory", True),  # than it used
    }
    (ax,) = plots.attempts(tried, 200_000_000).axes
    assert words(ax) == ["300 MB, does not fit", "90 MB, 0.2 s", "250 MB, does not fit", "stopped at the limit"]
    assert [bar.get_width() for bar in ax.patches] == [300, 90, 250, 200]
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert colours[0] == colours[2] == colours[3] != colours[1]
    assert verticals(ax) == [200]


# --- memory and bills


@pytest.fixture(scope="module")
def budgets() -> dict[str, Budget]:
    return {
        "small": estimate(GPT2, Plan(batch_size=2, grad_accum_steps=2), "T4"),
        "large": estimate(GPT2, Plan(batch_size=64, attention="written"), "A100", 8),
        "tuned": estimate("Qwen2.5 7B", Plan(method="qlora", batch_size=1, block_size=512), "laptop CPU", tokens=1e6),
    }


def test_every_part_of_memory_is_a_piece_of_the_bar(budgets):
    figure = plots.device_memory(budgets)
    (ax,) = figure.axes
    for place, budget in enumerate(budgets.values()):
        bars = [bar for bar in ax.patches if round(bar.get_y() + bar.get_height() / 2) == place and bar.get_width()]
        assert sorted(bar.get_width() for bar in bars) == pytest.approx(sorted(v / 1e9 for v in budget.parts.values()))
        assert max(bar.get_x() + bar.get_width() for bar in bars) == pytest.approx(budget.needed / 1e9)
        for parts in moments(budget.shape, budget.plan, budget.n_gpus, budget.gpu.cuda).values():
            assert set(parts) <= set(runs.COLOURS)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "small\na T4: fits", "large\n8 x A100: does not fit", "tuned\na laptop CPU: fits",
    ]  # fmt: skip
    assert verticals(ax) == [16, 80, 16]


def test_each_model_has_its_unit_and_a_t4_only_where_it_can_be_compared():
    costs = {"small": {"full": {"weights": 4e6, "Adam": 8e6}, "LoRA": {"weights": 2e6, "Adam": 1e5}},
             "large": {"full": {"weights": 8e9, "Adam": 16e9}}}  # fmt: skip
    small, large = plots.training_memory(costs).axes
    assert [ax.get_xlabel() for ax in (small, large)] == ["MB", "GB"]
    assert [(bar.get_x(), round(bar.get_width(), 6)) for bar in small.containers[1]] == [(4, 8), (2, 0.1)]
    assert words(small) == ["12 MB", "2.1 MB"]
    assert (verticals(small), verticals(large)) == ([], [16])


# --- curves


def test_several_runs_are_a_line_each_and_one_that_breaks_off_is_marked():
    short, none = RUN[:3], []
    figure = plots.training({"0.001": RUN, "0.3": short, "9": none}, "t", "grad_norm", log=True)
    top, bottom = figure.axes
    assert labels(figure) == ["0.001", "0.3 (stopped)", "9 (stopped)"]
    assert line(top, "0.3 (stopped)") == [(entry["step"], entry["loss"]) for entry in short]
    assert [mark.get_xydata().tolist() for mark in top.lines if mark.get_marker() == "X"] == [[[3.0, 6.7]], []]
    assert list(bottom.lines[0].get_ydata()) == [entry["grad_norm"] for entry in RUN]
    assert (top.get_yscale(), bottom.get_yscale()) == ("log", "log")
    assert top.get_shared_x_axes().joined(top, bottom)


@pytest.mark.parametrize("key", ["val_loss", "held_out"])
def test_one_run_has_its_mean_its_evaluations_its_levels_and_its_marks(key):
    run = [{"step": i, "loss": float(i % 2), "lr": 0.1} for i in range(1, 41)] + [{"step": 40, key: 3.0}]
    figure = plots.training({"": run}, "t", "lr", levels={"entropy": 0.25}, marks={"SIGKILL": [5]})
    top, bottom = figure.axes
    assert line(top, "training, running mean")[1:] == [(i, 0.5) for i in range(2, 41)]  # over two steps of 40
    assert line(top, "held out") == [(40, 3)]
    assert words(top) == ["entropy"]
    assert verticals(top) == [5]
    assert list(bottom.lines[0].get_ydata()) == [0.1] * 40
    both = plots.training({"a": run, "b": run}, "t")
    assert labels(both) == ["a", "a, held out", "b", "b, held out"]


def test_lines_start_at_place_0_or_where_they_are_said_to_be():
    figure = plots.lines(
        {"a": [3, 2], "b": {10: 1.0, 100: 2.0}}, "t", "x", "y", {"floor": 1.5}, "xb", {"m": [7]}, ("z", [5, 6])
    )
    top, bottom = figure.axes
    assert (line(top, "a"), line(top, "b")) == ([(0, 3), (1, 2)], [(10, 1), (100, 2)])
    assert (top.get_xscale(), top.get_yscale(), bottom.get_yscale()) == ("log", "linear", "log")
    assert (list(bottom.lines[0].get_ydata()), bottom.get_ylabel()) == ([5, 6], "z")
    assert verticals(top) == verticals(bottom) == [7]
    assert labels(figure) == ["a", "b", "m"]


def test_sizes_are_counted_on_one_scale_and_what_is_not_finite_on_none():
    errors = {"row": torch.tensor([[0.0, 0.1], [0.1, -0.2], [NAN, math.inf]]), "block": [0.01, -0.01, 0.0]}
    (ax,) = plots.histogram(errors, "t", "error", marks={"levels": [-0.1, 0.1]}, log=True).axes
    row, block = (patch.get_data() for patch in ax.patches)
    assert (sum(row.values), sum(block.values)) == (4, 3)
    assert row.edges.tolist() == block.edges.tolist()
    assert (row.edges[0], row.edges[-1]) == pytest.approx((-0.2, 0.1))
    assert row.values[-1] == 2
    assert verticals(ax) == [-0.1, 0.1]


# --- quality, scores, judges

METHODS = [("float32", 8e6, 61.2), ("bfloat16", 4e6, 61.0), ("weight-only", 2.3e6, 60.8), ("dynamic", 2.3e6, 59.0),
           ("static", 2.35e6, 57.5), ("NF4", 1.3e6, 58.2), ("two", 1.21e6, 58.0), ("same", 1.21e6, 58.0)]  # fmt: skip
ROWS = [{"name": name, "bytes": size, "score": score} for name, size, score in METHODS]
MISSING = {"name": "compiled", "bytes": None, "score": None}


def test_the_front_holds_what_nothing_beats_and_equal_ones_both():
    figure = plots.pareto([ROWS[0] | {"low": 54.0, "high": 68.0}, *ROWS[1:], MISSING])
    (ax,) = figure.axes
    front = [(1.21, 58.0), (1.21, 58.0), (1.3, 58.2), (2.3, 60.8), (4.0, 61.0), (8.0, 61.2)]
    assert line(ax, "on the front") == front
    assert line(ax, "beaten") == [(2.3, 59.0), (2.35, 57.5)]
    assert ax.lines[0].get_ydata().tolist() == [54, 68]
    assert ax.get_xlabel() == "size (MB)"
    assert figure._supxlabel.get_text() == "not measured here: compiled"
    (ax,) = plots.pareto(ROWS, lower_is_better=True).axes
    assert line(ax, "on the front") == [(1.21, 58.0), (1.21, 58.0), (2.35, 57.5)]


def test_every_score_is_a_dot_of_its_own_and_the_mean_has_its_interval():
    many = [0.0] * 25 + [60.0]
    (ax,) = plots.score_distributions({"before": many, "after": [50.0, 60.0, 70.0]}, "t").axes
    dots, mean = ax.lines[:2]
    assert len({tuple(place) for place in dots.get_xydata().tolist()}) == 26
    assert sorted({round(float(x)) for x in dots.get_xdata()}) == [-2, -1, 0, 1, 2, 60]  # five abreast
    assert mean.get_xdata().tolist() == pytest.approx([bootstrap(many)[0], 60 / 26, bootstrap(many)[1]])
    assert words(ax)[1].startswith("60 (")
    assert words(ax)[1].endswith("n = 3")


# --- tokens, attention, gradients


def test_an_arc_leads_from_what_was_looked_at_to_what_was_written():
    weights = torch.zeros(1, 4, 4)
    weights[0, 2, 0] = 1.0  # writing the character at position 3 looks at position 0
    (ax,) = plots.looking_back({"abcd": weights}, start=3).axes
    (arc,) = ax.patches
    assert (arc.center[0] - arc.width / 2, arc.center[0] + arc.width / 2) == (0, 3)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: plots.bars({"a": (0, 0)}, "t", "x"), "0 of 0 is no share"),
        (lambda: plots.pareto([MISSING]), "no row has numbers in bytes and score"),
        (lambda: plots.methods([MISSING], {"bytes": "b"}, "t", "x"), "no row has a number in bytes"),
        (lambda: plots.next_tokens([-0.5, 1.5], "ab"), "after softmax"),
        (lambda: plots.next_tokens([[0.5, 0.5]], "ab"), "one row"),
        (lambda: plots.next_tokens([NAN, 0.5], "ab"), "after softmax"),
        (lambda: plots.SideBySide(["a", "b"], {"chat": ["c"]}), "2 prompts, and answers {'chat': 1}"),
    ],
)
def test_what_cannot_be_drawn_is_told(call, said):
    with pytest.raises(ValueError, match=said):
        call()
