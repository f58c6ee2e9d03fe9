"""A live picture: one plain picture in a committed notebook, redrawn by its sliders where a person moves them."""

import sys
from pathlib import Path

import IPython.display
import pytest
from nbformat import v4

from workshop_utils.command import kernel
from workshop_utils.plots import basics as plots
from workshop_utils.plots.sliders import live

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import notebook_format as form


class Handle:
    """What display gives back for a picture that can be drawn again."""

    def __init__(self) -> None:
        self.updates: list[object] = []

    def update(self, figure: object) -> None:
        self.updates.append(figure)


@pytest.fixture
def shown(monkeypatch) -> tuple[list[object], Handle]:
    """What live displays, in order, and the handle of its picture."""
    displayed, handle = [], Handle()

    def display(thing: object, display_id: bool = False) -> Handle | None:
        displayed.append(thing)
        return handle if display_id else None

    monkeypatch.setattr(IPython.display, "display", display)
    return displayed, handle


def test_a_slider_draws_the_picture_again(shown):
    displayed, handle = shown
    assert live(lambda **values: values, temperature=(0.0, 2.0, 0.1, 0.7), top_k=(1, 40, 1, 20)) is None
    picture, box = displayed
    temperature, top_k, message = box.children
    assert picture == {"temperature": 0.7, "top_k": 20}
    assert [type(dial).__name__ for dial in (temperature, top_k)] == ["FloatSlider", "IntSlider"]
    assert (top_k.description, top_k.min, top_k.max, top_k.step, top_k.value) == ("top-k", 1, 40, 1, 20)
    assert not temperature.continuous_update
    top_k.value = 3
    temperature.value = 0.5
    assert handle.updates == [{"temperature": 0.7, "top_k": 3}, {"temperature": 0.5, "top_k": 3}]
    assert message.value == ""


def test_what_goes_wrong_while_sliding_is_one_line_and_the_next_picture_clears_it(shown):
    def draw(k: int) -> int:
        if k == 5:
            raise ValueError("five is\ntoo much")
        return k

    live(draw, k=(1, 9, 1, 2))
    dial, message = shown[0][1].children
    dial.value = 5
    assert message.value == "ValueError: five is too much"
    assert shown[1].updates == []
    dial.value = 6
    assert message.value == ""
    assert shown[1].updates == [6]


def test_without_ipywidgets_there_is_only_the_picture(shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    live(lambda k: k, k=(1, 9, 1, 2))
    assert shown[0] == [2]


def test_outside_of_a_notebook_nothing_breaks(capsys):
    live(lambda k: plots.bars({"a": k}, "t", "x"), k=(1, 9, 1, 2))
    assert capsys.readouterr().out.startswith("Figure(")


@pytest.mark.parametrize("values", [(0, 1, 0.1), (0, 1, 0.1, 2), (1, 1, 1, 1), (0, 1, 0, 1)])
def test_what_makes_no_slider_is_told_before_anything_is_drawn(shown, values):
    with pytest.raises(ValueError, match="the slider k is"):
        live(lambda k: k, k=values)
    assert shown[0] == []


def test_an_executed_notebook_holds_exactly_one_picture(tmp_path):
    cells = [
        "from workshop_utils.plots.sliders import live\nfrom workshop_utils.plots.chat import next_tokens",
        "def draw(temperature, top_k):\n    return next_tokens([0.6, 0.3, 0.1], 'abc', temperature, top_k)",
        "live(draw, temperature=(0.0, 2.0, 0.1, 1.0), top_k=(1, 3, 1, 3))",
    ]
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    outcome = kernel.execute(notebook, cwd=tmp_path, seconds=120)
    assert outcome.status == "passed", outcome.error
    assert any("widget" in kind for output in notebook.cells[2].outputs for kind in output.data)
    form.normalise(notebook)
    assert [[form._kinds(output) for output in cell.outputs] for cell in notebook.cells] == [
        [],
        [],
        ["image/png text/plain"],
    ]
    assert "widgets" not in notebook.metadata
