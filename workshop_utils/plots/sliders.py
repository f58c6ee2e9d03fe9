"""A picture with knobs where there are widgets; a committed page and a terminal show it at its start values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

Knob = tuple[float, float, float, float] | tuple[Sequence[Any], Any] | str
WIDGET = "application/vnd.jupyter.widget-view+json"


def live(draw: Callable[..., Any], **knobs: Knob) -> None:
    """Show draw(...) and, where ipywidgets is installed, a knob for each of its arguments.

    Args:
        draw: called with one value by name for each knob; returns a figure, or what else a notebook shows.
        **knobs: a slider: low, high, step and start, four ints for whole numbers only; a slider of some values: those,
            and the start; a line to type in: the text at the start.
    """
    from IPython.display import display

    start = {name: knob if isinstance(knob, str) else knob[-1] for name, knob in knobs.items()}
    handle = display(draw(**start), display_id=True)
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

    for name, knob in knobs.items():
        dials[name] = _dial(name.replace("_", "-"), knob)
        dials[name].observe(redraw, names="value")
    box = ipywidgets.VBox([*dials.values(), message])
    # Without a widget manager, as in VS Code before it asks the network for one, the picture stands and this is read.
    names = ", ".join(dial.description for dial in dials.values())
    instead = f"(Where a program shows widgets, {names} can be changed here.)"
    display({WIDGET: box._repr_mimebundle_()[WIDGET], "text/plain": instead}, raw=True)


def _dial(name: str, knob: Knob) -> Any:
    """The widget of a knob; it draws when the mouse or Enter lets go, not fifty times on the way."""
    import ipywidgets

    style: dict[str, Any] = {"description": name, "continuous_update": False, "style": {"description_width": "7em"}}
    if isinstance(knob, str):
        return ipywidgets.Text(knob, layout={"width": "42em"}, **style)
    style["layout"] = {"width": "28em"}
    if len(knob) == 2:
        options = [(str(value), value) for value in knob[0]]
        return ipywidgets.SelectionSlider(options=options, value=knob[1], **style)
    low, high, step, start = knob
    slider = ipywidgets.IntSlider if all(isinstance(value, int) for value in knob) else ipywidgets.FloatSlider
    return slider(value=start, min=low, max=high, step=step, **style)
