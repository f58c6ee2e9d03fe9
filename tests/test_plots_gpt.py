"""The figures of lessons 03 and 04 draw what they were given, and stay small enough for a notebook."""

import io

import pytest
import torch
from PIL import Image

from workshop_utils.plots import basics as plots
from workshop_utils.plots import gpt as plots_gpt


def png(figure) -> bytes:
    file = io.BytesIO()
    figure.canvas.print_figure(file, format="png", dpi=100, bbox_inches="tight")
    return file.getvalue()


def causal(T: int) -> torch.Tensor:
    weights = torch.ones(T, T).tril()
    return weights / weights.sum(dim=1, keepdim=True)


def test_pictures_are_small_pngs():
    for figure in (plots_gpt.blueprint(), plots_gpt.attention_maps({"a": causal(17)}, "|....kite>etik...")):
        content = png(figure)
        assert len(content) < 40_000
        assert Image.open(io.BytesIO(content)).mode == "P"


def test_maps_are_labelled_and_the_future_is_grey_only_where_it_is_masked():
    figure = plots_gpt.attention_maps({"masked": causal(4), "open": torch.full((4, 4), 0.25)}, "abcd")
    masked, open_ = figure.axes
    assert [label.get_text() for label in masked.get_xticklabels()] == list("abcd")
    assert len(masked.patches) == 3  # one strip for each row that has a future
    assert len(open_.patches) == 0
    assert masked.get_xlabel() == "looked at"


def test_maps_take_tensors_that_still_want_gradients(recwarn):
    plots_gpt.attention_maps({"a": causal(4).requires_grad_()}, "abcd")
    assert not recwarn.list


def test_arcs_lead_from_what_was_looked_at_to_what_was_written():
    weights = torch.zeros(1, 4, 4)
    weights[0, 2, 0] = 1.0  # writing the character at place 3 looks at place 0
    (ax,) = plots_gpt.looking_back({"abcd": weights}, start=3).axes
    (arc,) = ax.lines
    assert sorted((round(arc.get_xdata()[0], 6), round(arc.get_xdata()[-1], 6))) == [0, 3]


def test_shares_of_the_parameters_fill_the_bar():
    (ax,) = plots_gpt.parameters({"tiny": {"table": 30, "MLP": 70}}).axes
    assert sum(bar.get_width() for bar in ax.patches) == 100


def test_bets_share_one_scale_and_one_order():
    flat, steep = torch.full((4,), 0.25), torch.tensor([0.1, 0.7, 0.2, 0.0])
    figure = plots_gpt.bets({"steep": steep, "flat": flat}, "abcd", truth=flat, most=3)
    first, second = figure.axes
    assert first.get_ylim() == second.get_ylim()
    assert [label.get_text() for label in second.get_xticklabels()] == ["b", "c", "a"]


def test_levels_are_drawn_across():
    (ax,) = plots_gpt.lines({"a": [3, 2, 1]}, "t", "step", "loss", levels={"floor": 1.5}).axes
    assert any(list(line.get_ydata()) == [1.5, 1.5] for line in ax.lines)


def test_a_curve_that_breaks_off_is_marked_and_the_others_are_not():
    curves = {
        name: [{"step": step, "loss": 7.0 - 0.1 * step} for step in range(1, n + 1)]
        for name, n in (("0.001", 6), ("0.3", 3), ("9", 0))
    }
    (ax,) = plots.compare_losses(curves, "Three rates").axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0.001", "0.3 (stopped)", "9 (stopped)"]
    (mark,) = [line for line in ax.lines if line.get_marker() == "X"]
    assert mark.get_xydata().tolist() == [[3.0, pytest.approx(6.7)]]
    assert [text.get_text() for text in ax.texts] == ["stopped"]
