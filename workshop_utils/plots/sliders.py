"""A picture with sliders where there are widgets; a committed page and a terminal show it at its start values."""

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
    """
    from IPython.display import display

    handle = display(draw(**{name: start for name, (_, _, _, start) in sliders.items()}), display_id=True)
    if handle is None or not find_spec("ipywidgets"):  # no handle: no notebook, only a Python that prints
        return
    import ipywidgets

    dials: dict[str, Any] = {}
    message = ipywidgets.Label()

    def redraw(_: Any) -> None:
        try:
            handle.update(draw(**{name: dial.value for name, dial in dials.items()}))
            message.value = ""
        except Exception as error:  # said below the dials: where a callback's traceback goes, nobody looks
            message.value = " ".join(f"{type(error).__name__}: {error}".split())

    # One drawing when the mouse is let go, not fifty on the way.
    style = {"continuous_update": False, "style": {"description_width": "7em"}, "layout": {"width": "28em"}}
    for name, (low, high, step, start) in sliders.items():
        whole = all(isinstance(value, int) for value in (low, high, step, start))
        slider = ipywidgets.IntSlider if whole else ipywidgets.FloatSlider
        made = slider(value=start, min=low, max=high, step=step, description=name.replace("_", "-"), **style)
        dials[name] = made
        made.observe(redraw, names="value")
    display(ipywidgets.VBox([*dials.values(), message]))
