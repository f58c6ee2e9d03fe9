"""The pictures of lesson 06 show what they were given, with titles, labels and units."""

import pytest

from workshop_utils.plots import stream as plots_stream


def test_every_order_has_its_panel_and_its_points():
    figure = plots_stream.orders({"none": [0, 1, 2], "all": [2, None, 0]})
    assert [ax.get_title() for ax in figure.axes] == ["none", "all"]
    assert [list(ax.lines[0].get_ydata()) for ax in figure.axes] == [[0, 1, 2], [2, 0]]
    assert list(figure.axes[1].lines[0].get_xdata()) == [0, 2]
    assert all(ax.get_xlabel() and "blocks" in ax.get_ylabel() for ax in figure.axes)
    with pytest.raises(ValueError, match="at least one block"):
        plots_stream.orders({"none": []})


def test_runs_lie_on_one_scale():
    figure = plots_stream.side_by_side({"one": [3.0, 2.0], "two": [3.0, 2.1]})
    (ax,) = figure.axes
    assert [list(line.get_ydata()) for line in ax.lines] == [[3.0, 2.0], [3.0, 2.1]]
    assert figure._suptitle is not None or ax.get_title()
    assert "nats" in ax.get_ylabel()
    with pytest.raises(ValueError, match="at least one loss"):
        plots_stream.side_by_side({})
