"""The pictures of lesson 05 draw what they were given."""

import io
import warnings

import pytest
import torch

from workshop_utils.lessons.failures import Around, Attempt
from workshop_utils.plots import failures as plots_failures

LIMIT = 200_000_000
ATTEMPTS = {
    "as it was": Attempt(300_000_000, None, "out of memory", True),
    "smaller": Attempt(90_000_000, 0.25, "", True),
    "not enforced": Attempt(250_000_000, 0.5, "", False),
}
RUN = [{"step": i, "loss": 7.0 - i / 10, "lr": i / 100, "grad_norm": 1.0 + i} for i in range(1, 9)]
OTHER = [{"step": i, "loss": 7.0 + i / 10, "lr": 0.5 / i, "grad_norm": 2.0} for i in range(1, 9)]
AROUND = Around((1.0, 1.0), {"a": (0.5, 0.005), "b": (1.0, None)}, 0.2, True)


def drawable(figure) -> None:
    """Draw a figure as a notebook does; a warning, such as of a missing letter, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.print_figure(io.BytesIO(), format="png", dpi=72, bbox_inches="tight")


def labels(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_memory_says_what_fits_and_what_it_takes():
    figure = plots_failures.memory(ATTEMPTS, LIMIT)
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([300, 90, 250])
    assert [text.get_text() for text in ax.texts] == [
        "300 MB, does not fit",
        "90 MB, 0.2 s",
        "250 MB, does not fit",  # the system stopped nothing, and yet it is above the limit
    ]
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert colours[0] == colours[2] != colours[1]
    assert ax.lines[0].get_xdata()[0] == 200
    assert labels(figure) == ["limit, 200 MB"]
    drawable(figure)


def test_loss_and_gradient_share_their_steps():
    figure = plots_failures.loss_and_gradient({"one": RUN, "two": [*OTHER, {"step": 9, "val_loss": 1.0}]}, "t")
    top, bottom = figure.axes
    assert [list(line.get_ydata()) for line in top.lines] == [[e["loss"] for e in h] for h in (RUN, OTHER)]
    assert [list(line.get_ydata()) for line in bottom.lines] == [[e["grad_norm"] for e in h] for h in (RUN, OTHER)]
    assert top.get_shared_x_axes().joined(top, bottom)
    assert labels(figure) == ["one", "two"]
    drawable(figure)


def test_a_run_that_explodes_leaves_the_picture_and_not_the_others():
    exploded = [{"step": i, "loss": 7.0 * i * i, "lr": 1.0, "grad_norm": 10.0**i} for i in range(1, 6)]
    top, bottom = plots_failures.loss_and_gradient({"one": RUN, "two": exploded}, "t").axes
    assert top.get_ylim()[1] == pytest.approx(1.5 * 7.0)
    assert bottom.get_ylim()[1] >= 10.0**5
    assert 0 < len(bottom.get_yticks()) < 9


def test_schedules_stand_beside_their_losses():
    figure = plots_failures.schedules({"meant": RUN, "ran": OTHER})
    left, right = figure.axes
    assert list(left.lines[1].get_ydata()) == [e["lr"] for e in OTHER]
    assert list(right.lines[0].get_ydata()) == [e["loss"] for e in RUN]
    drawable(figure)


def test_the_best_interval_lies_where_the_curve_is_lowest():
    cost, between = 16.0, 43_200.0
    best = (2 * cost * between) ** 0.5
    figure = plots_failures.checkpoint_interval(cost, between, best, {best: 0.03, best * 9: 0.1}, {"every step": 1.5})
    (ax,) = figure.axes
    both = next(line for line in ax.lines if line.get_label() == "both")
    lowest = min(zip(both.get_ydata(), both.get_xdata(), strict=True))[1]
    assert lowest == pytest.approx(best, rel=0.1)
    dots = next(line for line in ax.lines if line.get_label() == "played with dice")
    assert list(dots.get_ydata()) == pytest.approx([3, 10])
    assert "Young's formula, 20 min" in labels(figure)
    assert "every step, 1.5 s" in labels(figure)
    assert ax.get_xlim()[0] <= 1.5
    drawable(figure)


def test_scores_are_grouped_by_model():
    measured = {"honest": {"test": 2.0, "fresh": 2.5}, "leaky": {"test": 0.5, "fresh": 2.6}}
    figure = plots_failures.scores(measured, "t")
    (ax,) = figure.axes
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([2.0, 0.5, 2.5, 2.6])
    assert labels(figure) == ["test", "fresh"]
    drawable(figure)


def test_gradients_are_moved_by_the_scale_and_counted():
    gradients = torch.tensor([2.0**-30, -(2.0**-30), 2.0**-10, 0.0])
    figure = plots_failures.gradients_in_half(gradients, 2.0**16)
    (ax,) = figure.axes
    before, after = (patch.get_data() for patch in ax.patches[:2])
    for found, shift in ((before, 0), (after, 16)):
        at = {int(edge): value for edge, value in zip(found.edges, found.values, strict=False) if value}
        assert at == pytest.approx({-30 + shift: 200 / 3, -10 + shift: 100 / 3})
    drawable(figure)


def test_weights_that_stay_put_are_a_line_for_each_dtype():
    figure = plots_failures.stuck({"bfloat16": {1e-5: 1.0, 1e-3: 0.25}, "float32": {1e-5: 0.0, 1e-3: 0.0}})
    (ax,) = figure.axes
    assert [list(line.get_ydata()) for line in ax.lines] == [[100, 25], [0, 0]]
    drawable(figure)


def test_what_was_done_twice_is_marked():
    figure = plots_failures.resumed(RUN, OTHER, saved=2, killed=5)
    (ax,) = figure.axes
    assert [ax.patches[0].get_x(), ax.patches[0].get_x() + ax.patches[0].get_width()] == [2, 5]
    assert labels(figure) == ["never killed", "killed and resumed", "done twice", "SIGKILL"]
    drawable(figure)


def test_gradients_around_a_generate_say_how_many_are_gone():
    figure = plots_failures.around_generate({"as it comes": AROUND})
    (ax,) = figure.axes
    assert (list(ax.lines[0].get_xdata()), list(ax.lines[0].get_ydata())) == ([0.5], [0.005])
    assert "as it comes, 1 gone" in labels(figure)
    drawable(figure)
    drawable(plots_failures.around_generate({"nothing left": Around((1, 1), {"a": (0.5, None)}, 0.0, True)}))


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(ValueError, match="no attempt"):
        plots_failures.memory({}, LIMIT)
    with pytest.raises(ValueError, match="was it trained"):
        plots_failures.loss_and_gradient({"one": []}, "t")
    with pytest.raises(ValueError, match="was it trained"):
        plots_failures.schedules({})
    with pytest.raises(ValueError, match="above 0 seconds"):
        plots_failures.checkpoint_interval(0.0, 1.0, 1.0, {})
    with pytest.raises(ValueError, match="same texts"):
        plots_failures.scores({"a": {"x": 1.0}, "b": {"y": 1.0}}, "t")
    with pytest.raises(ValueError, match="all gradients are 0"):
        plots_failures.gradients_in_half(torch.zeros(3), 2.0)
    with pytest.raises(ValueError, match="at least one dtype"):
        plots_failures.stuck({"bfloat16": {}})
    with pytest.raises(ValueError, match="nothing to compare"):
        plots_failures.around_generate({})


def test_every_figure_is_titled_and_labelled():
    for figure in (
        plots_failures.memory(ATTEMPTS, LIMIT),
        plots_failures.loss_and_gradient({"one": RUN}, "t"),
        plots_failures.schedules({"one": RUN}),
        plots_failures.checkpoint_interval(1.0, 100.0, 14.0, {14.0: 0.1}),
        plots_failures.scores({"a": {"x": 1.0}}, "t"),
        plots_failures.gradients_in_half(torch.ones(2), 2.0),
        plots_failures.stuck({"bfloat16": {1e-3: 0.5}}),
        plots_failures.resumed(RUN, OTHER, 2, 5),
        plots_failures.around_generate({"x": AROUND}),
    ):
        assert figure.get_suptitle()
        assert all(ax.get_ylabel() for ax in figure.axes)
        assert figure.axes[-1].get_xlabel()
