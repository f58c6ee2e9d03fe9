"""A live picture: one plain picture in a committed notebook, redrawn by its knobs where a person turns them."""

from dataclasses import dataclass, field

import IPython.display
import ipywidgets
import pytest

from workshop_utils import plots
from workshop_utils.plots import sliders


@dataclass
class Shown:
    """What a notebook shows; also the handle of a picture that can be drawn again."""

    pictures: list[object] = field(default_factory=list)
    bundles: list[dict] = field(default_factory=list)

    def display(self, thing, display_id=False, raw=False):
        if raw:
            return self.bundles.append(thing)
        self.update(thing)
        return self

    def update(self, thing):
        self.pictures.append(thing)

    @property
    def dials(self) -> tuple:
        """The knobs, and behind them the line for errors."""
        return ipywidgets.widgets.widget._instances[self.bundles[0][sliders.WIDGET]["model_id"]].children


@pytest.fixture
def shown(monkeypatch) -> Shown:
    found = Shown()
    monkeypatch.setattr(IPython.display, "display", found.display)
    return found


def test_a_slider_draws_the_picture_again(shown):
    plots.live(lambda **values: values, temperature=(0.0, 2.0, 0.1, 0.7), top_k=(1, 40, 1, 20))
    temperature, top_k, message = shown.dials
    assert shown.pictures == [{"temperature": 0.7, "top_k": 20}]
    assert [type(dial).__name__ for dial in (temperature, top_k)] == ["FloatSlider", "IntSlider"]
    assert (top_k.description, top_k.min, top_k.max, top_k.step, top_k.value) == ("top-k", 1, 40, 1, 20)
    top_k.value = 3
    temperature.value = 0.5
    assert shown.pictures[1:] == [{"temperature": 0.7, "top_k": 3}, {"temperature": 0.5, "top_k": 3}]
    assert message.value == ""


def test_a_knob_may_choose_among_values_or_be_a_line_to_type_in(shown):
    plots.live(lambda **values: values, block=([16, 64, 256], 64), text="hello")
    block, text, _ = shown.dials
    assert ([label for label, _ in block.options], block.value, text.value) == (["16", "64", "256"], 64, "hello")
    block.value = 256
    text.value = "bye"
    assert shown.pictures[1:] == [{"block": 256, "text": "hello"}, {"block": 256, "text": "bye"}]


def test_what_goes_wrong_while_sliding_is_one_line_and_the_next_picture_clears_it(shown):
    plots.live(lambda k: 1 / (k - 5), k=(1, 9, 1, 2))
    dial, message = shown.dials
    dial.value = 5
    assert message.value == "ZeroDivisionError: division by zero"
    assert len(shown.pictures) == 1
    dial.value = 6
    assert message.value == ""
    assert shown.pictures[1:] == [1]


def test_where_a_program_has_no_widget_manager_a_sentence_stands_in_place_of_the_knobs(shown):
    plots.live(lambda top_k, text: top_k, top_k=(1, 9, 1, 2), text="x")
    assert shown.bundles[0]["text/plain"] == "(Where a program shows widgets, top-k, text can be changed here.)"


def test_where_ipywidgets_is_missing_the_picture_stands_alone(shown, monkeypatch):
    monkeypatch.setattr(sliders, "find_spec", lambda name: None)
    plots.live(lambda k: k, k=(1, 9, 1, 2))
    assert (shown.pictures, shown.bundles) == ([2], [])
