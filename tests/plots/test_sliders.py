"""A live picture: one plain picture in a committed notebook, redrawn by its sliders where a person moves them."""

import IPython.display
import pytest

from workshop_utils import plots


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
    plots.live(lambda **values: values, temperature=(0.0, 2.0, 0.1, 0.7), top_k=(1, 40, 1, 20))
    picture, box = displayed
    temperature, top_k, message = box.children
    assert picture == {"temperature": 0.7, "top_k": 20}
    assert [type(dial).__name__ for dial in (temperature, top_k)] == ["FloatSlider", "IntSlider"]
    assert (top_k.description, top_k.min, top_k.max, top_k.step, top_k.value) == ("top-k", 1, 40, 1, 20)
    top_k.value = 3
    temperature.value = 0.5
    assert handle.updates == [{"temperature": 0.7, "top_k": 3}, {"temperature": 0.5, "top_k": 3}]
    assert message.value == ""


def test_what_goes_wrong_while_sliding_is_one_line_and_the_next_picture_clears_it(shown):
    plots.live(lambda k: 1 / (k - 5), k=(1, 9, 1, 2))
    dial, message = shown[0][1].children
    dial.value = 5
    assert message.value == "ZeroDivisionError: division by zero"
    assert shown[1].updates == []
    dial.value = 6
    assert message.value == ""
    assert shown[1].updates == [1]
