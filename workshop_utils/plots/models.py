"""The figures of lessons 01 and 03: what a GPT is made of, where attention looks, and which token may come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.budget.estimates import amount
from workshop_utils.plots.basics import MARKERS, PALETTE, drawable, frame, hatched, ink_on, legend, stack
from workshop_utils.plots.coloured import SIGNS

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

OWN, CUT = "#BDBDBD", "#6B6B6B"  # greys: of what is only compared with, and of what can no longer be drawn


def blueprint() -> Figure:
    """The way of a token through a GPT, from its id at the bottom to the next id at the top, and round again."""
    from matplotlib.patches import FancyBboxPatch

    figure, (ax,) = frame("A GPT: token ids in, probabilities of the next token out", width=9.5, height=5.2)
    stations = (  # height, what it says, colour, what it does
        (0.0, "token ids", "#DDDDDD", "text, cut into numbers (lesson 02)"),
        (1.0, "embeddings", PALETTE[4], "an id becomes a vector: what it is, and at which position"),
        (2.5, "LayerNorm, attention", PALETTE[1], "queries and keys: which earlier tokens matter here?"),
        (3.5, "LayerNorm, MLP", PALETTE[2], "each position by itself"),
        (5.0, "LayerNorm, head", PALETTE[4], "the embeddings again: a logit for each possible next token"),
        (6.0, "probabilities", "#DDDDDD", "softmax of the logits; draw one token"),
    )
    box = {"boxstyle": "round,pad=0.4,rounding_size=0.15", "edgecolor": "none"}
    ax.plot((0, 0), (0.2, 5.8), color="#888888", linewidth=6, solid_capstyle="butt", zorder=0)
    for height, name, colour, what in stations:
        inside = 2 < height < 4
        place = 1.75 if inside else 0.0
        ax.text(place, height, name, ha="center", va="center", bbox=box | {"facecolor": colour})
        ax.text(3.1, height, what, va="center", color="#333333")
        if inside:  # reads from the stream below, adds to it above
            line = {"arrowstyle": "-|>", "color": "#555555"}
            ax.annotate("", (0.62, height - 0.08), (0.04, height - 0.4), arrowprops=line)
            ax.annotate("", (0.04, height + 0.4), (0.62, height + 0.08), arrowprops=line)
            ax.text(-0.1, height + 0.36, "+", ha="right", va="center", fontsize=13, color="#555555")
    shape: dict[str, Any] = {
        "boxstyle": "round,pad=0.05,rounding_size=0.1",
        "facecolor": "#F5F5F5",
        "edgecolor": "#BBBBBB",
    }
    ax.add_patch(FancyBboxPatch((-0.75, 1.85), 3.65, 2.35, **shape, linestyle="--", zorder=-1))
    ax.text(2.8, 4.08, "n_layer blocks", va="center", ha="right", color="#555555")
    ax.plot((-0.4, -1.5, -1.5), (6, 6, 0), color=PALETTE[5])
    ax.annotate("", (-0.55, 0), (-1.5, 0), arrowprops={"arrowstyle": "-|>", "color": PALETTE[5], "shrinkA": 0})
    ax.text(-1.75, 3, "append the token, ask again", rotation=90, va="center", ha="center", color="#A34700")
    ax.set(xlim=(-2.1, 7.2), ylim=(-0.5, 6.5))
    ax.axis("off")
    return figure


def attention_maps(maps: Mapping[str, Tensor], text: Sequence[str]) -> Figure:
    """Attention weights as squares: a row looks at the columns; the darker, the more. Grey lies in the future.

    Args:
        maps: weights (T, T) by the name of the head.
        text: the T tokens.
    """
    from matplotlib.colors import PowerNorm

    T, columns = len(text), len(maps)
    side = 4.2 if columns <= 2 else 12 / columns
    figure, axes = frame("Which position attends to which", 1, columns, width=side * columns + 0.4, height=side + 0.3)
    for ax, (name, weights) in zip(axes, maps.items(), strict=True):
        numbers = weights.detach().numpy()
        drawn = ax.imshow(
            numbers, cmap="Blues", norm=PowerNorm(0.6, 0, 1)
        )  # one scale for all maps, kind to small weights
        for i in range(T - 1):  # grey where a mask has left nothing; a map that does look ahead keeps its blue
            if not (numbers[i, i + 1 :] > 0).any():
                ax.axhspan(i - 0.5, i + 0.5, (i + 1) / T, 1, color="#E8E8E8", zorder=1)
        ax.set_xticks(range(T), list(text), family="monospace")
        ax.set_yticks(range(T), list(text), family="monospace")
        ax.set_title(name, fontsize="medium")
        ax.set(xlabel="key (attended to)", ylabel="query (attends)")
        ax.grid(False)
        for i, j in zip(*numbers.nonzero(), strict=True) if T <= 10 else ():
            colour = ink_on(drawn.cmap(drawn.norm(numbers[i, j]))[:3])
            ax.text(j, i, f"{numbers[i, j]:.2f}".removeprefix("0"), ha="center", va="center", color=colour)
    return figure


def looking_back(texts: Mapping[str, Tensor], start: int) -> Figure:
    """Arcs from each written character to the earlier ones that it was made from, a colour for each head.

    Args:
        texts: attention weights (n_head, T, T) by their text of T + 1 characters.
        start: position of the first written character; attention to the one before it is drawn dotted.
    """
    from matplotlib.patches import Arc

    figure, axes = frame("What each new character attends to", rows=len(texts), width=8.0, height=2.3)
    for ax, (text, maps) in zip(axes, texts.items(), strict=True):
        for head, weights in enumerate(maps):
            colour = PALETTE[(0, 5, 2, 3)[head % 4]]
            ax.plot([], [], color=colour, marker=MARKERS[head % 4], label=f"head {head}")
            side = (0.5, 0.866, 0.966, 0.707)[head % 4] * (-1) ** head, (0.866, 0.5, 0.259, 0.707)[head % 4]
            for place in range(start, len(text)):
                for source, weight in enumerate(weights[place - 1, :place].tolist()):
                    if weight > 0.15:
                        parked, wide = source == start - 1, place - source
                        style = {"linestyle": ":", "linewidth": 1} if parked else {"linewidth": 0.5 + 2.5 * weight}
                        ax.add_patch(Arc(((source + place) / 2, 0), wide, wide, theta2=180, color=colour, **style))
                        middle, half = (source + place) / 2, wide / 2  # a marker on the arc says whose it is
                        ax.plot(middle + half * side[0], half * side[1], MARKERS[head % 4], color=colour, markersize=5)
        for place, character in enumerate(text):
            look: dict[str, Any] = {"weight": "bold"} if place >= start else {"color": "#555555"}
            ax.text(place, -0.7, character, ha="center", va="center", family="monospace", fontsize=15, **look)
        ax.set(xlim=(-0.7, len(text) - 0.3), ylim=(-1.3, len(text) / 2 + 0.3))
        ax.axis("off")
    legend(figure)
    return figure


def parameters(models: Mapping[str, Mapping[str, int]]) -> Figure:
    """Where the parameters are: a bar for each model, a colour for each part, and the share of each large part.

    Args:
        models: for each model, the number of parameters by part; the same parts in all of them.
    """
    figure, (ax,) = frame("Where the parameters are", width=9.0, height=1.5 + 0.5 * len(models))
    rows = {
        f"{name}\n{amount(sum(counts.values()))}": {
            part: 100 * count / sum(counts.values()) for part, count in counts.items()
        }
        for name, counts in models.items()
    }
    stack(ax, rows, dict(zip(next(iter(models.values())), PALETTE, strict=False)))
    for drawn, colour in zip(cast(Any, ax.containers), PALETTE, strict=False):
        words = [f"{bar.get_width():.0f}%" if bar.get_width() > 5 else "" for bar in drawn]
        box = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}  # letters without the hatch
        for text in ax.bar_label(drawn, words, label_type="center", color=ink_on(colour)):
            text.set_bbox(box if text.get_text() else None)
    ax.set(xlabel="share of the parameters (%)", ylabel="model", xlim=(0, 100))
    legend(figure)
    return figure


def probabilities(rows: Mapping[str, Tensor], names: Sequence[str], truth: Tensor | None = None) -> Figure:
    """Probabilities of the next token as bars, several distributions under each other, in the order of the first.

    Args:
        rows: probabilities (V,) by their name; the 14 likeliest of the first are shown.
        names: of the V tokens.
        truth: probabilities (V,) to mark on the first row.
    """
    order = next(iter(rows.values())).argsort(descending=True)[:14]
    height = 1.25 if len(rows) > 1 else 2.2
    figure, axes = frame("Probabilities of the next token", rows=len(rows), height=height, sharex=True)
    highest = 105 * max(float(probs.max()) for probs in rows.values())
    for ax, (name, probs), colour in zip(axes, rows.items(), PALETTE, strict=False):
        ax.bar(range(len(order)), (100 * probs[order]).tolist(), color=colour)
        if truth is not None and ax is axes[0]:
            marks = (100 * truth[order]).tolist()
            ax.plot(range(len(order)), marks, "_", color="black", markersize=16, label="true probability")
            ax.legend(frameon=False)
        ax.set_xticks(range(len(order)), [names[i] for i in order], family="monospace")
        ax.set_title(name, loc="left", fontsize="medium")
        ax.set(ylabel="%", ylim=(0, highest))
        ax.grid(False, axis="x")
    axes[-1].set_xlabel("next token")
    return figure


def next_tokens(
    probabilities: Sequence[float] | Tensor,
    names: Sequence[str],
    drawn: Sequence[float] | Tensor | None = None,
    title: str = "The next token",
    n: int = 15,
) -> Figure:
    """The likeliest next tokens: the model's own probabilities in grey, on them in colour what is drawn from.

    Args:
        probabilities: of the model at temperature 1, (V,), which sum to 1.
        names: the text of each token of the vocabulary; the rows that a model has beyond them are numbered.
        drawn: the probabilities (V,) after temperature, top-k and the like; the model's own if None.
        title: of the figure.
        n: how many tokens to show, the likeliest by the model's own probabilities.

    Raises:
        ValueError: numbers that are no probabilities of one token.
    """
    import torch

    own, after = (_distribution(row) for row in (probabilities, probabilities if drawn is None else drawn))
    order = own.argsort(descending=True, stable=True)[:n].tolist()
    rest = torch.ones(len(own), dtype=torch.bool).index_fill(0, torch.tensor(order), False)
    figure, (ax,) = frame(title, height=max(2.4, 1.4 + 0.24 * len(order)))
    words = ["cut" if after[i] == 0 < own[i] else _percent(100 * float(after[i])) for i in order]
    own_label = "the model's own"
    both = ((after, 0.8, PALETTE[0], "drawn from"), (own, 0.3, OWN, own_label))
    for values, height, colour, label in both if drawn is not None else ((own, 0.8, PALETTE[0], own_label),):
        label += f" ({_percent(100 * float(values[rest].sum()))} not among the {len(order)} shown)"
        bars = ax.barh(range(len(order)), (100 * values[order]).tolist(), height=height, color=colour, label=label)
        hatched(bars, int(values is after and drawn is not None))
    labels = [_visible(names[i]) if i < len(names) else f"no. {i}" for i in order]
    ax.set_yticks(range(len(order)), labels, parse_math=False)
    for place, (i, word, tick) in enumerate(zip(order, words, ax.get_yticklabels(), strict=True)):
        tick.set_color(CUT if word == "cut" else "black")
        end = 100 * float(max(own[i], after[i]))
        ax.annotate(word, (end, place), (4, 0), textcoords="offset points", va="center", color=tick.get_color())
    # A few scales only, so that the picture stands still while a slider moves.
    highest = 100 * float(max(own.max(), after.max()))
    limit = next((limit for limit in (5, 10, 25, 50) if highest <= 0.95 * limit), 100)
    ax.set(xlabel="probability (%)", ylabel="next token\n(· is a space)", xlim=(0, limit * 1.08))
    ax.set_xticks([limit / 5 * step for step in range(6)])
    ax.grid(False, axis="y")
    ax.invert_yaxis()
    legend(figure)
    return figure


def _distribution(row: Sequence[float] | Tensor) -> Tensor:
    """The probabilities of one next token, as a tensor on the CPU."""
    import torch

    found = torch.as_tensor(row).detach().float().cpu()
    if found.dim() != 1 or not bool((found >= 0).all()) or not abs(float(found.sum()) - 1) < 0.02:
        raise ValueError(
            f"these numbers, of shape {tuple(found.shape)} and with the sum {float(found.sum()):.3g}, are no "
            "probabilities of one next token: give one row, after softmax"
        )
    return found


def _percent(share: float) -> str:
    whole = 10 <= share <= 99 or share in (0, 100)
    return "<0.1%" if 0 < share < 0.1 else f"{share:.{0 if whole else 1}f}%"


def _visible(text: str) -> str:
    """A piece of text as a label: spaces and line ends as signs, letters that the font lacks as their numbers."""
    return drawable("".join(({" ": "·"} | SIGNS).get(character, character) for character in text)) or "∅"


def stop_probability(pieces: Sequence[str], probabilities: Sequence[float], limit: int = 36) -> Figure:
    """Where a reply could have ended: after each of its words the probability of stopping right there.

    Args:
        pieces: the tokens of the reply as text, those of a word behind each other; the first one has its space or not.
        probabilities: for each piece, that the model ends the reply right after it.
        limit: of a longer reply only the last words are shown, this many.
    """
    words, after = list[str](), list[float]()
    for piece, probability in zip(pieces, probabilities, strict=True):
        if words and not piece.startswith((" ", "\n")):  # the word goes on, and ends with its last piece
            words[-1], after[-1] = words[-1] + piece, probability
        else:
            words.append(piece)
            after.append(probability)
    names, after = [_visible(word.strip()) for word in words[-limit:]], after[-limit:]
    which = f"the last {limit} of {len(words)} words" if len(words) > limit else "the words of the reply"
    figure, (ax,) = frame("Does the reply end after this word?", width=max(5.0, 1.5 + 0.23 * len(names)), height=3.4)
    ax.bar(range(len(names)), after, color=PALETTE[5])
    for place, value in enumerate(after):
        if value >= 0.02:
            ax.annotate(f"{100 * value:.0f}%", (place, value), (0, 2), textcoords="offset points", ha="center")
    ax.set_xticks(range(len(names)), names, rotation=90, parse_math=False)
    ax.set(xlabel=which, ylabel="probability of stopping\nafter the word (0 to 1)", ylim=(0, 1.05))
    ax.grid(False, axis="x")
    ax.margins(x=0.01)
    return figure
