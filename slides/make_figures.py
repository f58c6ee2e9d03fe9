"""The pictures of the decks opening, 00 and 01, and those of figures_lessons.py and figures_runs.py: all of them.

python slides/make_figures.py              draw all of them
python slides/make_figures.py 01_stop      only these

Numbers come from the cells of the lessons, played in the pocket profile, or from what a committed notebook has printed;
figures_lessons.py, whose tools are used here, says how. Each PNG carries the size of its smallest letters, as a share
of its width, so that the check of the slides can tell whether the last row will read them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import figures_lessons as lessons
import figures_runs  # noqa: F401  (adds its drawings to those of figures_lessons)
from figures_lessons import FIGURES, ROOT, STYLE, played, printed, save, shown, sized, tokens
from matplotlib import rc_context
from matplotlib.text import Text

from workshop_utils import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWINGS: dict[str, Callable[[], Figure]] = {}


def drawing(function: Callable[[], Figure]) -> Callable[[], Figure]:
    """Mark a function as one that draws slides/figures/NAME.png, where its own name is figure_NAME."""
    DRAWINGS[function.__name__.removeprefix("figure_")] = function
    return function


# --- opening and 00


@drawing
def figure_00_sizes() -> Figure:
    """How large some language models are: the bars of lesson 00."""
    known = played("00", "plots.bars(millions").names["millions"]
    with rc_context(STYLE | {"font.size": 14}):
        return sized(plots.bars(known, "", "parameters (millions), each line ten times as much", log=True), 4.3)


@drawing
def figure_opening_bits() -> Figure:
    """Weights of the pocket model in 16 levels, with fewer words around than in lesson 07."""
    figure = lessons.figure_07_nf4()
    figure.set_size_inches(6.2, 3.9)
    return figure


@drawing
def figure_opening_story() -> Figure:
    """The beginning of a story, cut into the tokens that the pocket tokenizer makes of it."""
    parts = printed("02", "plots.tokens_in_colour(ids, pocket)").strip().split("|")
    return tokens({"": parts[:58]}, size=19, gap=1.6)


# --- 01: base or instruct

LAST_01 = "plots.bars(turns"


def lesson_01() -> dict[str, Any]:
    """What the cells of lesson 01 leave behind."""
    return dict(played("01", LAST_01).names)


@drawing
def figure_01_template() -> Figure:
    """A short conversation as the model sees it."""
    parts = printed("01", "plots.tokens_in_colour(ids").strip().splitlines()[-1].split("|")
    rows, row = [], list[str]()
    for part in parts:  # a line of the text is a line of the picture
        row.append(part)
        if "⏎" in part:
            rows.append(row)
            row = []
    return _lines([*rows, row] if row else rows)


def _lines(rows: list[list[str]], size: float = 17) -> Figure:
    """Rows of tokens, each on a line of its own."""
    from workshop_utils.plots.coloured import SPECIAL, TINTS

    figure, ax = lessons._paper(max(sum(map(len, row)) for row in rows) + 1, len(rows), size, 1.5)
    number = 0
    for y, row in enumerate(rows):
        at = 0
        for part in row:
            special = part.startswith("<") and part.endswith(">")
            lessons._token(ax, at, y, part, SPECIAL if special else TINTS[number % 5], size)
            at, number = at + len(part), number + 1
    return figure


@drawing
def figure_01_forms() -> Figure:
    """Right answers of both models, by the form of the prompt."""
    return sized(shown("01", LAST_01, "plots.bars(table"), 4.6)


def _next_tokens(request: str, n: int) -> Figure:
    with rc_context(STYLE):
        figure = plots.next_tokens(*lesson_01()["next_after"](request), n=n)
    figure.legends[0].remove()
    figure.axes[0].set(ylabel="")
    return sized(figure, 3.5, 4.7)


@drawing
def figure_01_sure() -> Figure:
    """The next token, where somebody asked for a bear."""
    return _next_tokens("Tell me a story about a little bear.", 6)


@drawing
def figure_01_unsure() -> Figure:
    """The next token, where nobody said what the story is about."""
    return _next_tokens("Tell me a story.", 6)


@drawing
def figure_01_sampling() -> Figure:
    """What temperature and top-k make of the same probabilities."""
    with rc_context(STYLE):
        return sized(lesson_01()["picture"](temperature=0.6, top_k=6), 4.0)


@drawing
def figure_01_temperature() -> Figure:
    """Right answers and variety at six temperatures."""
    return sized(shown("01", LAST_01, "plots.bars(at"), 4.6)


@drawing
def figure_01_stop() -> Figure:
    """How likely the end was, at the last tokens of a reply."""
    names = lesson_01()
    with rc_context(STYLE):
        figure = plots.stop_probability(names["pieces"], names["chances"].tolist(), limit=30)
    figure.axes[0].set_ylabel("probability of\nstopping here")
    return sized(figure, 3.9)


@drawing
def figure_01_growth() -> Figure:
    """What is read again at each turn of a conversation."""
    with rc_context(STYLE):
        return sized(shown("01", LAST_01), 4.0)


# --- writing


def smallest(figure: Figure) -> float:
    """The height of the smallest letters in a figure, as a share of its width."""
    points = [
        float(text.get_fontsize()) for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()
    ]
    return min([max(lessons.SMALLEST, size) for size in points], default=0.0) / (72 * figure.get_figwidth())


def main(names: list[str]) -> None:
    """Draw."""
    from PIL import Image, PngImagePlugin

    FIGURES.mkdir(exist_ok=True)
    lessons.SMALLEST = 12  # points: also where a picture is not shown in full width, the last row reads it
    drawings = DRAWINGS | lessons.DRAWINGS
    unknown = [name for name in names if name not in drawings]
    if unknown:
        sys.exit(f"no picture is called {', '.join(unknown)}: there are {', '.join(sorted(drawings))}")
    failed = False
    for name in names or sorted(drawings):
        try:
            figure = drawings[name]()
        except LookupError as problem:  # a lesson without outputs: the picture that is there stays
            print(f"{name} was not drawn: {problem}", file=sys.stderr)
            failed = True
            continue
        path = save(figure, name)
        told = PngImagePlugin.PngInfo()
        told.add_text("smallest letters", f"{smallest(figure):.5f}")
        with Image.open(path) as picture:
            picture.load()
            picture.save(path, "PNG", optimize=True, pnginfo=told)
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1000:.0f} kB", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
