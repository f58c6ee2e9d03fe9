"""The pictures of lesson 07 draw what they were given."""

import io
import warnings

import pytest

from workshop_utils.evaluate.intervals import wilson
from workshop_utils.plots import tuning as plots_tune

COSTS = {
    "small": {"full": {"weights": 4e6, "Adam": 8e6}, "LoRA": {"weights": 2e6, "Adam": 1e5}},
    "large": {"full": {"weights": 8e9, "Adam": 16e9}},
}
RUN = [{"step": float(i), "loss": 10.0 - i} | ({"held_out": 5.0} if i % 4 == 0 else {}) for i in range(1, 9)]


def drawable(figure) -> None:
    """Draw a figure as a notebook does; a warning, such as of a missing letter, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.print_figure(io.BytesIO(), format="png", dpi=72, bbox_inches="tight")


def test_memory_is_stacked_and_each_model_has_its_unit():
    figure = plots_tune.memory(COSTS)
    small, large = figure.axes
    assert [ax.get_xlabel() for ax in (small, large)] == ["MB", "GB"]
    weights, adam = ([bar.get_width() for bar in bars] for bars in small.containers)
    assert weights == pytest.approx([4, 2])
    assert adam == pytest.approx([8, 0.1])
    assert [bar.get_x() for bar in small.containers[1]] == pytest.approx([4, 2])
    assert [text.get_text() for text in small.texts] == ["12 MB", "2.1 MB"]
    drawable(figure)


def test_the_memory_of_a_gpu_is_drawn_only_where_it_can_be_compared():
    figure = plots_tune.memory(COSTS)
    small, large = figure.axes
    assert not small.lines
    assert [line.get_xdata()[0] for line in large.lines] == [16]
    assert "a T4, 16 GB" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_levels_are_lines_on_the_weights():
    figure = plots_tune.four_bits([-1.0, 0.0, 0.1, 0.1], [-1, 0, 1])
    (ax,) = figure.axes
    assert [line.get_xdata()[0] for line in ax.lines] == [-1, 0, 1]
    assert sum(bar.get_height() for bar in ax.patches) == 4
    drawable(figure)


def test_runs_stand_side_by_side_on_one_scale():
    figure = plots_tune.curves({"one": RUN, "two": [{"step": 1.0, "loss": 2.0}]}, "t")
    one, two = figure.axes
    raw, _, looks = one.lines
    assert list(raw.get_ydata()) == [entry["loss"] for entry in RUN]
    assert list(looks.get_xdata()) == [4, 8]
    assert len(two.lines) == 2  # nothing held out
    assert one.get_ylim() == two.get_ylim()
    assert [ax.get_title() for ax in (one, two)] == ["one", "two"]
    drawable(figure)
    assert plots_tune.curves({"one": RUN}, "t").axes[0].get_title() == ""


def test_before_and_after_say_their_counts():
    figure = plots_tune.before_and_after({"is Stoic": (0, 30, 40), "costs $5": (4, 3, 10)}, "t")
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0, 40, 75, 30])
    assert [text.get_text() for text in ax.texts] == ["0 of 40", "4 of 10", "30 of 40", "3 of 10"]
    assert ax.texts[2].xy[0] == pytest.approx(100 * wilson(0.75, 40)[1])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["is Stoic", "costs $5"]
    drawable(figure)


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(ValueError, match="at least one model"):
        plots_tune.memory({})
    with pytest.raises(ValueError, match="0 bytes or more"):
        plots_tune.memory({"m": {"full": {"weights": -1.0}}})
    with pytest.raises(ValueError, match="between -1 and 1"):
        plots_tune.four_bits([0.5], [-2.0, 2.0])
    with pytest.raises(ValueError, match="was it trained"):
        plots_tune.curves({"one": []}, "t")
    with pytest.raises(ValueError, match="5 and 11 of 10"):
        plots_tune.before_and_after({"x": (5, 11, 10)}, "t")


def test_every_figure_is_titled_and_labelled():
    for figure in (
        plots_tune.memory(COSTS),
        plots_tune.four_bits([0.0], [0.0]),
        plots_tune.curves({"one": RUN}, "t"),
        plots_tune.before_and_after({"x": (1, 2, 3)}, "t"),
    ):
        assert figure.get_suptitle()
        assert figure.axes[0].get_ylabel()
        assert figure.axes[-1].get_xlabel()
