"""A picture with sliders where there are widgets, a plain picture elsewhere.

The lessons' dials: a committed page, a terminal and a run without a browser show the picture at its start values.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def live(draw: Callable[..., Figure], **sliders: tuple[float, float, float, float]) -> None:
    """Show draw(...) and, where ipywidgets is installed, a slider for each of its arguments.

    Args:
        draw: called with one number by name for each slider; returns a figure.
        **sliders: low, high, step and start of each; four ints give whole numbers only.

    Raises:
        ValueError: a slider is not four numbers, or its start does not lie between low and high.
    """
    from IPython.display import display

    for name, values in sliders.items():
        _check(name, values)
    handle = display(draw(**{name: start for name, (_, _, _, start) in sliders.items()}), display_id=True)
    if handle is not None and find_spec("ipywidgets"):  # no handle: no notebook, only a Python that prints
        display(_dials(draw, handle, sliders))


def _check(name: str, values: tuple[float, ...]) -> None:
    """Refuse what makes no slider."""
    if len(values) != 4 or not (values[0] <= values[3] <= values[1] and values[0] < values[1] and values[2] > 0):
        raise ValueError(
            f"the slider {name} is {values}: give (low, high, step, start), with the start between low and high and a "
            "step above 0"
        )


def _dials(draw: Callable[..., Figure], handle: Any, sliders: dict[str, tuple[float, float, float, float]]) -> Any:
    """The sliders, and below them a line for what goes wrong; each change draws into the picture of the handle."""
    import ipywidgets

    dials = {name: _dial(name, *values) for name, values in sliders.items()}
    message = ipywidgets.Label()

    def redraw(_: Any) -> None:
        try:
            handle.update(draw(**{name: dial.value for name, dial in dials.items()}))
            message.value = ""
        except Exception as error:  # said below the dials: where a callback's traceback goes, nobody looks
            message.value = " ".join(f"{type(error).__name__}: {error}".split())

    for dial in dials.values():
        dial.observe(redraw, names="value")
    return ipywidgets.VBox([*dials.values(), message])


def _dial(name: str, low: float, high: float, step: float, start: float) -> Any:
    import ipywidgets

    whole = all(isinstance(value, int) for value in (low, high, step, start))
    return (ipywidgets.IntSlider if whole else ipywidgets.FloatSlider)(
        value=start,
        min=low,
        max=high,
        step=step,
        description=name.replace("_", "-"),
        continuous_update=False,  # one drawing when the mouse is let go, not fifty on the way
        style={"description_width": "7em"},
        layout={"width": "28em"},
    )
