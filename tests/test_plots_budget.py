"""The pictures of budgets, sweeps and range tests draw what they were given."""

from __future__ import annotations

import io
import warnings

import pytest
from workshop_utils.training.rate_sweep import Cell, RangeTest, Sweep

from workshop_utils.budget.estimates import Plan, estimate
from workshop_utils.budget.memory import moments
from workshop_utils.gpt.config import GPTConfig
from workshop_utils.plots import budget as plots_budget

GPT2 = GPTConfig(n_layer=12, n_head=12, n_embd=768, block_size=1024, vocab_size=50304)
BUDGETS = {
    "small": estimate(GPT2, Plan(batch_size=2, grad_accum_steps=2), "T4"),
    "large": estimate(GPT2, Plan(batch_size=64, attention="written"), "A100", 8),
    "tuned": estimate("Qwen2.5 7B", Plan(method="qlora", batch_size=1, block_size=512), "laptop CPU", tokens=1e6),
}
CELLS = [
    Cell({"learning_rate": rate, "batch_size": batch}, 10, val_loss=loss, error="" if loss else "it exploded")
    for rate, batch, loss in ((1e-3, 4, 3.0), (1e-2, 4, 2.0), (1e-1, 4, None), (1e-3, 8, 3.5), (1e-2, 8, 2.5))
]
RANGE = RangeTest([1e-3, 1e-2, 1e-1], [3.0, 2.0, 4.0], [3.0, 2.5, 3.5], [1.0, 2.0, 50.0], 3e-3, 1e-2)


def drawable(figure) -> None:
    """Draw a figure as a notebook does; a warning, such as of a missing letter, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.print_figure(io.BytesIO(), format="png", dpi=72, bbox_inches="tight")


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_every_part_of_memory_is_a_piece_of_the_bar():
    figure = plots_budget.memory(BUDGETS)
    (ax,) = figure.axes
    for place, budget in enumerate(BUDGETS.values()):
        bars = [bar for bar in ax.patches if round(bar.get_y() + bar.get_height() / 2) == place]
        assert sorted(bar.get_width() for bar in bars) == pytest.approx(sorted(v / 1e9 for v in budget.parts.values()))
        assert max(bar.get_x() + bar.get_width() for bar in bars) == pytest.approx(budget.needed / 1e9)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "small\na T4: fits",
        "large\n8 x A100: does not fit",
        "tuned\na laptop CPU: fits",
    ]
    assert set(legend(figure)) == {part for one in BUDGETS.values() for part in one.parts} | {"memory there"}
    assert sorted(line.get_xdata()[0] for line in ax.lines) == [16, 16, 80]
    drawable(figure)


def test_parts_keep_their_colours():
    assert set(plots_budget.COLOURS) == set(plots_budget.PARTS)
    for budget in BUDGETS.values():
        for parts in moments(budget.shape, budget.plan, budget.n_gpus, budget.gpu.cuda).values():
            assert set(parts) <= set(plots_budget.PARTS)


def test_the_fullest_moment_of_a_step_is_the_highest_bar():
    budget = BUDGETS["large"]
    figure = plots_budget.through_a_step(budget)
    (ax,) = figure.axes
    tops = {}
    for bar in ax.patches:
        place = round(bar.get_x() + bar.get_width() / 2)
        tops[place] = max(tops.get(place, 0), bar.get_y() + bar.get_height())
    names = [label.get_text().replace("\n", " ") for label in ax.get_xticklabels()]
    assert max(tops.values()) == pytest.approx(budget.needed / 1e9)
    assert names[max(tops, key=tops.get)] == budget.moment
    assert "memory of an A100" in legend(figure)
    drawable(figure)


def test_the_bill_has_three_units():
    figure = plots_budget.bill(BUDGETS)
    hours, dollars, kwh = figure.axes
    assert [bar.get_width() for bar in hours.patches] == pytest.approx([one.hours for one in BUDGETS.values()])
    assert [bar.get_width() for bar in kwh.patches] == pytest.approx([one.kwh for one in BUDGETS.values()])
    assert [text.get_text() for text in dollars.texts][-1] == "$0.00"
    assert [ax.get_xlabel() for ax in figure.axes] == ["hours", "US dollars", "kWh"]
    drawable(figure)


def test_a_sweep_is_a_line_for_each_combination():
    figure = plots_budget.sweep(Sweep(CELLS))
    (ax,) = figure.axes
    lines = {line.get_label(): line for line in ax.lines if len(line.get_xdata())}
    assert list(lines["batch_size 4"].get_ydata()) == [3.0, 2.0]
    assert list(lines["batch_size 8"].get_xdata()) == [1e-3, 1e-2]
    assert (lines["best"].get_xdata()[0], lines["best"].get_ydata()[0]) == (1e-2, 2.0)
    crosses = [line for line in ax.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in crosses] == [[1e-1]]
    assert ax.get_xscale() == "log"
    assert "failed" in legend(figure)
    drawable(figure)
    other = plots_budget.sweep(Sweep(CELLS), x="batch_size")
    assert other.axes[0].get_xlabel() == "batch size"
    words = [Cell({"schedule": name}, 10, val_loss=2.0) for name in ("linear", "cosine")]
    figure = plots_budget.sweep(Sweep(words))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["linear", "cosine"]
    drawable(figure)
    drawable(plots_budget.sweep(Sweep([Cell({"learning_rate": 1.0}, 10, error="it exploded")])))


def test_the_range_test_marks_where_to_start():
    figure = plots_budget.range_test(RANGE)
    top, bottom = figure.axes
    assert [list(line.get_ydata()) for line in top.lines[:2]] == [RANGE.losses, RANGE.smoothed]
    assert list(bottom.lines[0].get_ydata()) == RANGE.grad_norms
    assert {line.get_xdata()[0] for line in top.lines[2:]} == {3e-3, 1e-2}
    assert "start with 3.0e-03" in legend(figure)
    assert bottom.get_yscale() == "log"
    drawable(figure)


def test_every_figure_is_titled_and_labelled():
    for figure in (
        plots_budget.memory(BUDGETS),
        plots_budget.through_a_step(BUDGETS["small"]),
        plots_budget.bill(BUDGETS),
        plots_budget.sweep(Sweep(CELLS)),
        plots_budget.range_test(RANGE),
    ):
        assert figure.get_suptitle()
        assert figure.axes[0].get_ylabel()
        assert figure.axes[-1].get_xlabel()


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(ValueError, match="no budget"):
        plots_budget.memory({})
    with pytest.raises(ValueError, match="no budget"):
        plots_budget.bill({})
    with pytest.raises(ValueError, match="no cells"):
        plots_budget.sweep(Sweep())
    with pytest.raises(ValueError, match="'lr' is no setting"):
        plots_budget.sweep(Sweep(CELLS), x="lr")
