"""Pictures of lesson 01, which talks with finished models: what they answer, what they draw from, where they stop.

Data in, a matplotlib Figure (or a table or coloured text as HTML) out, like basics.py, whose colours they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from workshop_utils.evaluate.intervals import wilson
from workshop_utils.plots import basics as plots
from workshop_utils.plots.basics import PALETTE
from workshop_utils.plots.coloured import ColouredText, parts_of_tokenizer

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

OWN, CUT = "#BDBDBD", "#999999"  # greys: of what is only compared with, and of what can no longer be drawn
VISIBLE = {" ": "·", "\n": "⏎", "\t": "⇥", "\r": "␍"}
NOTHING = "(nothing)"


# --- answers


class SideBySide:
    """What several models answered to the same prompts; a notebook shows it when a cell ends with it."""

    def __init__(self, prompts: Sequence[str], columns: Mapping[str, Sequence[str]]) -> None:
        """Keep the answers.

        Args:
            prompts: what was asked, a row each.
            columns: for each model its answers, in the order of the prompts.

        Raises:
            ValueError: a model has more or fewer answers than there are prompts.
        """
        for name, texts in columns.items():
            if len(texts) != len(prompts):
                raise ValueError(
                    f"{name!r} has {len(texts)} answers to {len(prompts)} prompts: give one answer for each prompt"
                )
        self.prompts = list(prompts)
        self.columns = {name: list(texts) for name, texts in columns.items()}

    def __repr__(self) -> str:
        return "\n\n".join(
            "\n".join([_indented(prompt, 0), *self._answers(row)]) for row, prompt in enumerate(self.prompts)
        )

    def _answers(self, row: int) -> Iterable[str]:
        for name, texts in self.columns.items():
            yield f"  {name}:"
            yield _indented(texts[row] or NOTHING, 4)

    def _repr_html_(self) -> str:
        # No colour of its own but a half-transparent line: text and paper are the page's, light or dark.
        cell = (
            "text-align:left;vertical-align:top;white-space:normal;overflow-wrap:anywhere;padding:6px 10px;"
            "border-bottom:1px solid rgba(128,128,128,.4)"
        )
        share = 100 / (len(self.columns) + 1)
        head = "".join(
            f'<th style="{cell};width:{share:.0f}%">{escape(name)}</th>' for name in ("prompt", *self.columns)
        )
        rows = "".join(
            f'<tr><td style="{cell}"><b>{_html(prompt)}</b></td>'
            + "".join(f'<td style="{cell}">{_html(texts[row])}</td>' for texts in self.columns.values())
            + "</tr>"
            for row, prompt in enumerate(self.prompts)
        )
        return f'<table style="table-layout:fixed;width:100%"><tr>{head}</tr>{rows}</table>'


def _html(text: str) -> str:
    return escape(text).replace("\n", "<br>") or f"<i>{NOTHING}</i>"


def _indented(text: str, by: int) -> str:
    """Wrap every line of a text at 100 characters, indented."""
    space = " " * by
    return "\n".join(
        "\n".join(wrap(line, 100, initial_indent=space, subsequent_indent=space)) for line in text.split("\n")
    )


def side_by_side(prompts: Sequence[str], columns: Mapping[str, Sequence[str]]) -> SideBySide:
    """A table of answers: a row a prompt, a column a model.

    Args:
        prompts: what was asked.
        columns: for each model its answers, in the order of the prompts.

    Raises:
        ValueError: a model has more or fewer answers than there are prompts.
    """
    return SideBySide(prompts, columns)


def turns_in_colour(ids: Iterable[int], tokenizer: PreTrainedTokenizerBase) -> ColouredText:
    """A conversation as the model sees it, each token on a colour of its own, special tokens on grey.

    Args:
        ids: token ids.
        tokenizer: of transformers, byte-level or in the manner of sentencepiece.
    """
    return ColouredText({"": parts_of_tokenizer(ids, tokenizer)})


# --- what is drawn from


def reshaped(
    probabilities: Sequence[float] | Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """The probabilities that are really drawn from, after temperature, then top-k, then top-p.

    Args:
        probabilities: of the model at temperature 1, (V,), which sum to 1.
        temperature: above 1 bolder, below 1 more careful; 0 puts all on the likeliest token.
        top_k: only the k likeliest tokens are left.
        top_p: only the likeliest tokens that together reach this probability are left.

    Returns:
        (V,) float32, which sum to 1; exactly 0 for what was cut off.

    Raises:
        ValueError: temperature below 0, top_k below 1, top_p outside (0, 1], or numbers that are no probabilities.

    Source: sampling.reshape, which the package itself draws with.
    """
    return _scores(probabilities, temperature, top_k, top_p).softmax(dim=0)


def _scores(
    probabilities: Sequence[float] | Tensor, temperature: float, top_k: int | None, top_p: float | None
) -> Tensor:
    """What reshaped takes the softmax of: exactly what was cut off is minus infinity, however small the rest is."""
    import torch

    from workshop_utils.gpt.sampling import reshape

    own = torch.as_tensor(probabilities).detach().float().cpu()
    if own.dim() != 1 or not len(own) or bool((own < 0).any()) or not abs(float(own.sum()) - 1) < 0.02:
        raise ValueError(
            f"these numbers, of shape {tuple(own.shape)} and with the sum {float(own.sum()):.3g}, are no probabilities "
            "of one next token: give one row, after softmax"
        )
    scores = own.log()
    # The likeliest at 0, so that no temperature is too small.
    return reshape((scores - scores.max())[None], temperature, top_k, top_p)[0]


def next_tokens(
    probabilities: Sequence[float] | Tensor,
    names: Sequence[str],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    n: int = 15,
) -> Figure:
    """The likeliest next tokens: the model's own probabilities in grey, on them in colour what is drawn from.

    Args:
        probabilities: of the model at temperature 1, (V,), which sum to 1.
        names: the text of each token of the vocabulary; the rows that a model has beyond them are numbered.
        temperature: as in reshaped.
        top_k: as in reshaped.
        top_p: as in reshaped.
        n: how many tokens to show, the likeliest by the model's own probabilities.

    Raises:
        ValueError: as in reshaped, or there are more names than probabilities, or n is below 1.
    """
    import torch

    own, scores = reshaped(probabilities), _scores(probabilities, temperature, top_k, top_p)
    drawn, cut = scores.softmax(dim=0), scores.isneginf() & (own > 0)
    if len(names) > len(own):
        raise ValueError(
            f"there are {len(names):,} names for {len(own):,} probabilities: take the names from the model's own "
            "tokenizer"
        )
    if n < 1:
        raise ValueError(f"n is {n}: show at least one token")
    order = torch.argsort(own, descending=True, stable=True)[:n].tolist()
    greys, colours = ([100 * float(values[i]) for i in order] for values in (own, drawn))
    outside = torch.ones(len(own), dtype=torch.bool).index_fill(0, torch.tensor(order), False)
    settings = [f"temperature {temperature:g}"]
    settings += [f"top-k {top_k}"] if top_k is not None else []
    settings += [f"top-p {top_p:g}"] if top_p is not None else []
    title = f"The next token, {', '.join(settings)}"
    figure, (ax,) = plots._figure(title, height=max(2.4, 1.4 + 0.24 * len(order)))
    places, elsewhere = range(len(order)), f"not among the {len(order)} shown"
    for values, shares, height, colour, name in (
        (drawn, colours, 0.8, PALETTE[0], "drawn from"),
        (own, greys, 0.3, OWN, "the model's own"),
    ):
        rest = _percent(100 * float(values[outside].sum()))
        ax.barh(places, shares, height=height, color=colour, label=f"{name} ({rest} {elsewhere})")
    _tick_names(ax, "y", [_visible(names[i]) if i < len(names) else f"no. {i}" for i in order])
    for place, label in zip(places, ax.get_yticklabels(), strict=True):
        gone = bool(cut[order[place]])
        label.set_color(CUT if gone else "black")
        end = (max(greys[place], colours[place]), place)
        share = ax.annotate("cut" if gone else _percent(colours[place]), end, (4, 0), textcoords="offset points")
        share.set(va="center", fontsize="small", color=label.get_color())
    # A few scales only, so that the picture stands still while a slider moves.
    limit = next((limit for limit in (5, 10, 25, 50) if max(*greys, *colours) <= 0.95 * limit), 100)
    ax.set(xlabel="probability (%)", ylabel="next token\n(· is a space)", xlim=(0, limit * 1.08))
    ax.set_xticks([limit / 5 * step for step in range(6)])
    ax.grid(False, axis="y")
    ax.invert_yaxis()
    figure.legend(loc="outside lower center", frameon=False, fontsize="small")
    return figure


def _percent(share: float) -> str:
    """A share in percent, rounded, but never to 0 or 100 what is more or less than that."""
    if share in (0, 100):
        return f"{share:.0f}%"
    return "<0.1%" if share < 0.1 else ">99.9%" if share > 99.9 else f"{share:.{0 if 10 <= share <= 99 else 1}f}%"


def _visible(text: str) -> str:
    """A piece of text as a label: spaces and line ends as signs, letters that the font lacks as their numbers."""
    return _drawable("".join(VISIBLE.get(character, character) for character in text)) or "∅"


def _drawable(text: str) -> str:
    """Write the characters that matplotlib's font has no picture of as their numbers, instead of empty boxes."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(character if ord(character) in known else f"‹{ord(character):x}›" for character in text)


def _tick_names(ax: Axes, which: str, names: Sequence[str], **style: object) -> None:
    """Label the places 0, 1, 2, … of an axis; a $ is a $ and begins no formula."""
    getattr(ax, f"set_{which}ticks")(range(len(names)), list(names), parse_math=False, **style)


def stop_probability(pieces: Sequence[str], probabilities: Sequence[float], limit: int = 60) -> Figure:
    """Where a reply could have ended: at each of its places the probability of stopping right there.

    Args:
        pieces: the tokens of the reply as text, the one that ends it too if it has one.
        probabilities: for each place, that the model ends the reply there instead of writing the piece.
        limit: of a longer reply only the last pieces are shown, this many.

    Raises:
        ValueError: pieces and probabilities are not as many, or none, or a number is no probability.
    """
    _same_length(pieces=pieces, probabilities=probabilities)
    if not all(0 <= p <= 1 for p in probabilities):
        raise ValueError(f"probabilities go up to {max(probabilities):.3g}: they must lie between 0 and 1")
    left_out = max(0, len(pieces) - limit)
    which = f"the last {limit} of {len(pieces)} pieces" if left_out else "the pieces of the reply"
    names = [_visible(piece) for piece in pieces[left_out:]]
    figure, (ax,) = plots._figure("Stop here?", width=max(5.0, min(11.0, 2 + 0.2 * len(names))), height=3.2)
    ax.bar(range(len(names)), list(probabilities[left_out:]), color=PALETTE[5])
    _tick_names(ax, "x", names, rotation=90, fontsize="small" if len(names) <= 40 else "x-small")
    ax.set(xlabel=f"{which} (· is a space)", ylabel="probability of stopping\n(0 to 1)", ylim=(0, 1))
    ax.grid(False, axis="x")
    ax.margins(x=0.01)
    return figure


def _same_length(**columns: Sequence[object]) -> None:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1 or not all(lengths.values()):
        told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise ValueError(f"{told}: there must be as many of each, and at least one")


# --- what was counted


def right_and_varied(temperatures: Sequence[float], right: Sequence[int], n: int, varied: Sequence[float]) -> Figure:
    """What temperature costs and buys: right answers above, different openings of stories below.

    Args:
        temperatures: that were tried.
        right: right answers at each.
        n: questions asked at each.
        varied: share of the stories at each that begin like no other one, 0 to 1.

    Raises:
        ValueError: the three are not as many, or none, or more answers were right than were asked for.
    """
    _same_length(temperatures=temperatures, right=right, varied=varied)
    figure, (upper, lower) = plots._figure("What temperature costs, and what it buys", rows=2, width=7.0, height=2.4)
    ends = [_interval(hits, n) for hits in right]
    points = [100 * hits / n for hits in right]
    bars = [
        [point - low for point, (low, _) in zip(points, ends, strict=True)],
        [high - point for point, (_, high) in zip(points, ends, strict=True)],
    ]
    upper.errorbar(temperatures, points, yerr=bars, marker="o", capsize=3, color=PALETTE[0])
    upper.set(ylabel=f"right answers\n(% of {n}, 95% interval)", ylim=(-3, 103))
    lower.plot(temperatures, list(varied), marker="s", color=PALETTE[5])
    lower.set(xlabel="temperature", ylabel="different openings\n(share of stories)", ylim=(-0.03, 1.03))
    upper.sharex(lower)
    upper.tick_params(labelbottom=False)
    return figure


def _interval(hits: int, tries: int) -> tuple[float, float]:
    """The 95% Wilson interval in percent."""
    if tries < 1 or not 0 <= hits <= tries:
        raise ValueError(f"{hits} of {tries} is no share: count hits among at least one try")
    low, high = wilson(hits / tries, tries)
    return 100 * low, 100 * high


def shares(counts: Mapping[str, tuple[int, int]], title: str, xlabel: str, ylabel: str = "group") -> Figure:
    """Shares as bars, each with its 95% interval and the count behind it.

    Args:
        counts: hits and tries by label, the first one on top.
        title: of the figure.
        xlabel: what a hit is; the share's unit, percent, is added.
        ylabel: what the labels are.

    Raises:
        ValueError: there were no tries, or fewer than hits.
    """
    figure, (ax,) = plots._figure(title, height=1.0 + 0.35 * len(counts))
    for place, (hits, tries) in enumerate(counts.values()):
        (low, high), share = _interval(hits, tries), 100 * hits / tries
        ax.barh(place, share, color=PALETTE[0], height=0.65)
        ax.errorbar(share, place, xerr=[[share - low], [high - share]], color="black", capsize=3, linewidth=1)
        ax.annotate(f"{hits} of {tries}", (high, place), (6, 0), textcoords="offset points", va="center")
    _tick_names(ax, "y", [_drawable(name) for name in counts])
    ax.set(xlabel=f"{xlabel} (%; the line: 95% interval)", ylabel=ylabel, xlim=(0, 115))
    ax.set_xticks(range(0, 101, 20))
    ax.grid(False, axis="y")
    ax.invert_yaxis()
    return figure


def growth(labels: Sequence[str], tokens: Sequence[int], limit: int) -> Figure:
    """What a conversation costs: the tokens that are read again at each turn, and how many the model can read.

    Args:
        labels: of the turns.
        tokens: read at each turn.
        limit: the model's context, in tokens; drawn where it is near enough to be compared, else only told.

    Raises:
        ValueError: labels and tokens are not as many, or none.
    """
    _same_length(labels=labels, tokens=tokens)
    figure, (ax,) = plots._figure("Every turn reads the whole conversation again", width=7.5)
    drawn = ax.bar(range(len(tokens)), list(tokens), color=PALETTE[0], label="read at this turn")
    ax.bar_label(drawn, [f"{count:,}" for count in tokens], padding=2, fontsize="small")
    near = limit <= 3 * max(tokens)
    told = f"the model's context, {limit:,} tokens" + (
        "" if near else f": {limit / max(tokens):,.0f} times the highest bar"
    )
    if near:
        ax.axhline(limit, color=PALETTE[5], linestyle=":", label=told)
    else:
        ax.plot([], [], color=PALETTE[5], linestyle=":", label=told)
    crowded = len(labels) > 8 or max(map(len, labels)) > 12
    _tick_names(ax, "x", [_drawable(label) for label in labels], **({"rotation": 45, "ha": "right"} if crowded else {}))
    ax.set(xlabel="turn", ylabel="tokens read")
    ax.yaxis.set_major_formatter("{x:,.0f}")
    ax.margins(y=0.12)
    ax.grid(False, axis="x")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize="small")
    return figure
