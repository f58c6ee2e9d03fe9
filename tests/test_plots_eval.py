"""The pictures of lesson 09 draw what they were given, and say what is missing."""

import io
import itertools
import math
import warnings

import pytest
import torch

from workshop_utils.evaluate import intervals
from workshop_utils.plots import evaluation as plots_eval

ROWS = [
    {"name": "float32", "bytes": 8e6, "score": 61.2, "low": 54.0, "high": 68.0, "speed": 400.0},
    {"name": "bfloat16", "bytes": 4e6, "score": 61.0, "low": 54.0, "high": 68.0, "speed": 500.0},
    {"name": "int8 weight-only", "bytes": 2.3e6, "score": 60.8, "speed": 1000.0},
    {"name": "int8 dynamic", "bytes": 2.3e6, "score": 59.0, "speed": 1100.0},
    {"name": "int8 static", "bytes": 2.35e6, "score": 57.5, "speed": 600.0},
    {"name": "NF4", "bytes": 1.3e6, "score": 58.2, "speed": 210.0},
    {"name": "NF4, double", "bytes": 1.21e6, "score": 58.0, "speed": 190.0},
    {"name": "compiled", "bytes": None, "score": None, "speed": None, "reason": "there is no compiler"},
]
SCORES = {"before": [0.0, 0.0, 0.0, 30.0], "after": [50.0, 60.0, 70.0]}
KAPPAS = [[1.0, 0.62, math.nan], [0.62, 1.0, -0.2], [math.nan, -0.2, 1.0]]


def drawable(figure) -> None:
    """Draw a figure as a notebook does; a warning, such as of a missing letter, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.print_figure(io.BytesIO(), format="png", dpi=72, bbox_inches="tight")


def points_of(ax, label: str) -> set[tuple[float, float]]:
    """The points that the legend calls so."""
    line = next(line for line in ax.lines if line.get_label() == label)
    return {(round(float(x), 6), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}


# --- quality against size


def test_the_front_holds_what_nothing_beats():
    figure = plots_eval.pareto(ROWS, ylabel="score (0 to 100)")
    (ax,) = figure.axes
    front = {(1.21, 58.0), (1.3, 58.2), (2.3, 60.8), (4.0, 61.0), (8.0, 61.2)}
    assert points_of(ax, "on the front") == points_of(ax, "the front") == front
    assert points_of(ax, "beaten") == {(2.3, 59.0), (2.35, 57.5)}
    assert ax.get_xlabel() == "size (MB)"
    assert figure._supxlabel.get_text() == "not measured here: compiled"
    drawable(figure)


def test_a_lower_number_can_be_the_better_one():
    rows = [{"name": "a", "bytes": 10, "bits": 2.0}, {"name": "b", "bytes": 10, "bits": 1.0}]
    (ax,) = plots_eval.pareto([*rows, {"name": "c", "bytes": 5, "bits": 3.0}], y="bits", lower_is_better=True).axes
    assert points_of(ax, "on the front") == {(5.0, 3.0), (10.0, 1.0)}
    (ax,) = plots_eval.pareto([*rows, {"name": "c", "bytes": 5, "bits": 3.0}], y="bits").axes
    assert points_of(ax, "on the front") == {(5.0, 3.0)}


def test_equal_methods_are_both_on_the_front():
    assert plots_eval._front([(1.0, 5.0), (1.0, 5.0), (2.0, 5.0)], False) == [0, 1]


def test_labels_cover_neither_each_other_nor_a_point():
    figure = plots_eval.pareto(ROWS)
    (ax,) = figure.axes
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == [row["name"] for row in ROWS[:-1]]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    places = ax.transData.transform([(row["bytes"] / 1e6, row["score"]) for row in ROWS[:-1]])
    assert not any(box.contains(x, y) for box in boxes for x, y in places)


def test_intervals_are_drawn_where_there_are_some():
    (ax,) = plots_eval.pareto(ROWS).axes
    ends = [tuple(line.get_ydata()) for line in ax.lines if line.get_color() == "#999999"]
    assert ends == [(54, 68), (54, 68)]


# --- bars


def test_bars_say_their_numbers_their_shares_and_why_one_is_missing():
    figure = plots_eval.bars(ROWS, {"speed": "speed"}, "t", "tokens a second", reference="float32")
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == [400, 500, 1000, 1100, 600, 210, 190]
    told = [text.get_text() for text in ax.texts]
    assert told[0] == "400"
    assert told[2] == "1,000  (2.5x)"
    assert told[-1] == "not measured: there is no compiler"
    assert [label.get_text() for label in ax.get_yticklabels()] == [row["name"] for row in ROWS]
    assert ax.yaxis_inverted()
    drawable(figure)


def test_bytes_get_a_unit_and_two_columns_a_legend():
    rows = [{"name": "a", "bytes": 2e9, "disk_bytes": 3e9}, {"name": "costs $5", "bytes": 1e9, "disk_bytes": None}]
    figure = plots_eval.bars(rows, {"bytes": "in memory", "disk_bytes": "on disk"}, "t", "size")
    (ax,) = figure.axes
    assert ax.get_xlabel() == "size (GB)"
    assert [bar.get_width() for bar in ax.patches] == [2, 1, 3]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["in memory", "on disk"]
    drawable(figure)


def test_a_bar_has_its_interval():
    rows = [{"name": "a", "speed": 10.0, "slow": 8.0, "fast": 13.0}]
    (ax,) = plots_eval.bars(rows, {"speed": "s"}, "t", "tokens a second", interval=("slow", "fast")).axes
    (segment,) = ax.collections[0].get_segments()
    assert segment[:, 0].tolist() == [8, 13]


# --- scores, errors, judges


def test_every_score_is_a_dot_and_the_mean_has_its_interval():
    figure = plots_eval.score_distributions(SCORES, "t")
    (ax,) = figure.axes
    dots, interval, mean = ax.lines[:3]
    assert list(dots.get_xdata()) == SCORES["before"]
    assert len(set(dots.get_ydata())) == 3  # equal ones do not cover each other
    assert tuple(interval.get_xdata()) == intervals.bootstrap(SCORES["before"])
    assert list(mean.get_xdata()) == [7.5]
    assert ax.texts[1].get_text().startswith("60 (")
    assert ax.texts[1].get_text().endswith("n = 3")
    drawable(figure)


def test_many_equal_scores_stand_abreast_around_their_value():
    (ax,) = plots_eval.score_distributions({"a": [0.0] * 25 + [60.0]}, "t").axes
    xs, ys = ax.lines[0].get_xdata(), ax.lines[0].get_ydata()
    assert len(set(zip(xs, ys, strict=True))) == 26
    assert sorted({round(float(x), 6) for x in xs}) == [-0.8, 0, 0.8, 60]
    assert ys.min() > -0.6  # inside the picture
    drawable(plots_eval.score_distributions({"a": [1.0]}, "t"))


def test_errors_are_counted_on_one_scale():
    errors = {"row": torch.tensor([[0.0, 0.1], [0.1, -0.2]]), "block": [0.01, -0.01, 0.0]}
    figure = plots_eval.error_histogram(errors, bins=5)
    (ax,) = figure.axes
    row, block = ax.patches
    assert row.get_data().values.tolist() == [1, 0, 1, 2, 0]
    assert block.get_data().values.tolist() == [0, 0, 3, 0, 0]
    assert row.get_data().edges.tolist() == pytest.approx([-0.2, -0.12, -0.04, 0.04, 0.12, 0.2])
    assert ax.get_yscale() == "log"
    assert figure.legends[0].get_texts()[0].get_text() == "row: typical 0.12, largest 0.2"
    drawable(figure)


def test_agreement_is_a_table_in_which_the_undefined_is_a_dash():
    figure = plots_eval.agreement(KAPPAS, ["words", "classifier", "local $model"])
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == [
        "1.00",
        "0.62",
        "–",
        "0.62",
        "1.00",
        "-0.20",
        "–",
        "-0.20",
        "1.00",
    ]
    image = ax.images[0]
    assert (image.norm.vmin, image.norm.vmax) == (-1, 1)
    drawable(figure)


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(ValueError, match="no row has numbers in bytes and score"):
        plots_eval.pareto(ROWS[-1:])
    with pytest.raises(ValueError, match="must be above 0"):
        plots_eval.pareto([{"name": "a", "bytes": 0, "score": 1}])
    with pytest.raises(ValueError, match="no row has a number in speed"):
        plots_eval.bars(ROWS[-1:], {"speed": "speed"}, "t", "x")
    with pytest.raises(ValueError, match="reference is 'fp32', and there are only float32"):
        plots_eval.bars(ROWS, {"speed": "speed"}, "t", "x", reference="fp32")
    with pytest.raises(ValueError, match="at least one score"):
        plots_eval.score_distributions({"a": []}, "t")
    with pytest.raises(ValueError, match="finite"):
        plots_eval.error_histogram({"a": [math.nan]})
    with pytest.raises(ValueError, match="a row and a column for each"):
        plots_eval.agreement([[1.0]], ["a", "b"])
    with pytest.raises(ValueError, match="outside of -1 to 1"):
        plots_eval.agreement([[7.0]], ["a"])


def test_every_figure_is_titled_and_labelled():
    for figure in (
        plots_eval.pareto(ROWS),
        plots_eval.bars(ROWS, {"speed": "speed"}, "t", "tokens a second"),
        plots_eval.score_distributions(SCORES, "t"),
        plots_eval.error_histogram({"a": [0.0, 0.1]}),
        plots_eval.agreement(KAPPAS, ["a", "b", "c"]),
    ):
        assert figure.get_suptitle()
        assert figure.axes[0].get_ylabel()
        assert figure.axes[0].get_xlabel()
