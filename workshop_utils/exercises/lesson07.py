"""The exercises of lesson 07, fine-tuning: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randn

# --- 07.1: what counts in the loss


def labels_of(prompt: list[int], reply: list[int], width: int) -> list[int]:
    """One row's labels: the reply's own tokens, and -100 wherever nothing is learnt, up to the row's width."""
    labels = [-100] * len(prompt) + list(reply)
    return labels + [-100] * (width - len(labels))


def _turns(rng: random.Random) -> Iterator[Arguments]:
    for gap in (0, 3, 5):
        prompt = [rng.randrange(10, 1000) for _ in range(rng.randrange(3, 7))]
        reply = [rng.randrange(10, 1000) for _ in range(rng.randrange(2, 6))] + [4]
        yield prompt, reply, len(prompt) + len(reply) + gap


LABELS: Mistakes = {
    "the prompt as well": (
        lambda prompt, reply, width: prompt + reply + [-100] * (width - len(prompt + reply)),
        "the prompt has labels, so the model would learn to complain as well. Only the reply is learnt.",
    ),
    "the prompt alone": (
        lambda prompt, reply, width: prompt + [-100] * (width - len(prompt)),
        "the prompt has labels, and the reply, which is all that there is to learn from, has none.",
    ),
    "no end of turn": (
        lambda prompt, reply, width: labels_of(prompt, reply[:-1], width),
        "the last token of the reply has no label. It is <end_of_turn>: a model that never learns it does not know "
        "when to stop.",
    ),
    "zeros": (
        lambda prompt, reply, width: [max(0, label) for label in labels_of(prompt, reply, width)],
        "0 is a token like any other, so the model would learn to write it. -100 is what the loss passes over.",
    ),
    "shifted": (
        lambda prompt, reply, width: [*labels_of(prompt, reply, width)[1:], -100],
        "you moved the labels by one position. The library does that itself: each label stands at its own token.",
    ),
    "no padding": (
        lambda prompt, reply, width: [-100] * len(prompt) + reply,
        "your labels end with the reply, and the row is `width` tokens wide: padding needs labels, too, -100.",
    ),
    "reply alone": (
        lambda prompt, reply, width: reply,
        "these are the labels of the reply alone: a row has `width` tokens, and each needs a label.",
    ),
}


# --- 07.2: an adapter


def lora_forward(x: Any, W: Any, A: Any, B: Any, alpha: float) -> Any:
    """A frozen layer and the adapter beside it: (T, in) -> (T, out)."""
    return x @ W.T + (x @ A.T) @ B.T * alpha / A.shape[0]


def _layers(rng: random.Random) -> Iterator[Arguments]:
    for rank, alpha in ((4, 8.0), (2, 8.0), (3, 1.0)):
        yield randn(rng, 5, 12), randn(rng, 8, 12), randn(rng, rank, 12), randn(rng, 8, rank), alpha


ADAPTERS: Mistakes = {
    "no scale": (
        lambda x, W, A, B, alpha: x @ W.T + x @ A.T @ B.T,
        "the scale is missing: the adapter's part times alpha / r, where r is A.shape[0].",
    ),
    "not divided by the rank": (
        lambda x, W, A, B, alpha: x @ W.T + x @ A.T @ B.T * alpha,
        "you multiplied by alpha, but did not divide by the rank, A.shape[0].",
    ),
    "divided by the width": (
        lambda x, W, A, B, alpha: x @ W.T + x @ A.T @ B.T * alpha / A.shape[1],
        "you divided by A.shape[1], the width of x: the rank is A.shape[0].",
    ),
    "scale upside down": (
        lambda x, W, A, B, alpha: x @ W.T + x @ A.T @ B.T * A.shape[0] / alpha,
        "your scale is upside down: it is alpha / r, and you have r / alpha.",
    ),
    "adapter alone": (
        lambda x, W, A, B, alpha: x @ A.T @ B.T * alpha / A.shape[0],
        "this is the adapter alone: the frozen layer still does its work, and the adapter's part is added.",
    ),
    "layer alone": (
        lambda x, W, A, B, alpha: x @ W.T,
        "this is the frozen layer alone: the adapter's part, alpha / r times B A x, is added to it.",
    ),
    "the sum scaled": (
        lambda x, W, A, B, alpha: (x @ W.T + x @ A.T @ B.T) * alpha / A.shape[0],
        "you scaled the sum. Only the adapter's part is scaled: the frozen layer stays what it was.",
    ),
    "layer not transposed": (
        lambda x, W, A, B, alpha: x @ W,
        "the shapes do not fit: layers are stored as (out, in), so that it is x @ W.T.",
    ),
    "adapter not transposed": (
        lambda x, W, A, B, alpha: x @ W.T + x @ A,
        "the shapes do not fit: the adapter goes down to the rank first, x @ A.T, and then up again, @ B.T.",
    ),
}


# --- 07.3: how many numbers are trained


def lora_parameters(shapes: list[tuple[int, int]], rank: int) -> int:
    """Numbers of the two thin matrices, of all layers together."""
    return sum(rank * (n_in + n_out) for n_in, n_out in shapes)


def _shapes(rng: random.Random) -> Iterator[Arguments]:
    for rank in (2, 3, 8):
        yield [(64 * rng.randrange(1, 6), 64 * rng.randrange(6, 12)) for _ in range(4)], rank
    yield [(64, 128), (64, 128), (256, 192)], 4  # two layers of the same shape count twice, and one gets narrower


NUMBERS: Mistakes = {
    "the frozen layers": (
        lambda shapes, rank: sum(i * o for i, o in shapes),
        "that is the size of the frozen layers. The adapter has two thin matrices: (rank, in) and (out, rank).",
    ),
    "in times out times rank": (
        lambda shapes, rank: sum(rank * i * o for i, o in shapes),
        "in * out * rank is far more than the layer itself. Two matrices, each with its own size: then add.",
    ),
    "A alone": (
        lambda shapes, rank: sum(rank * i for i, _ in shapes),
        "that is A only. B has out * rank numbers.",
    ),
    "B alone": (
        lambda shapes, rank: sum(rank * o for _, o in shapes),
        "that is B only. A has rank * in numbers.",
    ),
    "twice": (
        lambda shapes, rank: sum(2 * rank * (i + o) for i, o in shapes),
        "that is twice too much: A goes from in to rank, B from rank to out, and that is all.",
    ),
    "rank squared": (
        lambda shapes, rank: sum(rank**2 * (i + o) for i, o in shapes),
        "the rank is in there twice. Each matrix has it as one of its two sides.",
    ),
    "no rank": (
        lambda shapes, rank: sum(i + o for i, o in shapes),
        "these are the sides of the layers. Each is multiplied by the rank.",
    ),
    "the first layer": (
        lambda shapes, rank: rank * sum(shapes[0]),
        "that is the first layer only: sum over all of them.",
    ),
    "each shape once": (
        lambda shapes, rank: sum(rank * (i + o) for i, o in set(shapes)),
        "two layers may have the same shape, and each has an adapter of its own: go through the list, not a set of it.",
    ),
    "the last layer": (
        lambda shapes, rank: rank * sum(shapes[-1]),
        "that is the last layer only: sum over all of them.",
    ),
}


# --- 07.4: half the memory


def half_the_memory(batch_size: int, grad_accum_steps: int) -> tuple[int, int]:
    """Half as many rows at a time, twice as often: the same update."""
    return batch_size // 2, grad_accum_steps * 2


def _batches(rng: random.Random) -> Iterator[Arguments]:
    steps = rng.sample((4, 6, 8, 10, 12), 3)  # even, so that a half is a whole number however it is written
    yield from zip(rng.sample((8, 16, 32, 64), 3), steps, strict=True)


HALVED: Mistakes = {
    "the batch alone": (
        lambda batch, accumulate: (batch // 2, accumulate),
        "one update would see half as many conversations: halve batch_size and double grad_accum_steps.",
    ),
    "both halved": (
        lambda batch, accumulate: (batch // 2, accumulate / 2),
        "one update would see a quarter of the conversations: as batch_size is halved, grad_accum_steps is doubled.",
    ),
    "the wrong way round": (
        lambda batch, accumulate: (batch * 2, accumulate / 2),
        "twice the batch needs more memory, not less: activations grow with the batch. The other way round.",
    ),
    "accumulation alone": (
        lambda batch, accumulate: (batch, accumulate * 2),
        "one update would see twice as many conversations, and the batch that fills the memory is still the same.",
    ),
    "nothing changed": (
        lambda batch, accumulate: (batch, accumulate),
        "that is what you were given: it needs as much memory as before.",
    ),
    "accumulation halved": (
        lambda batch, accumulate: (batch, accumulate / 2),
        "one update would see half as many conversations, and the batch that fills the memory is still the same.",
    ),
    "a batch of one": (
        lambda batch, accumulate: (1, batch * accumulate),
        "an update sees as many conversations as before, but a batch of 1 is slower than it has to be: half the batch "
        "is wanted.",
    ),
    "a quarter": (
        lambda batch, accumulate: (batch // 4, accumulate * 4),
        "an update sees as many conversations as before, but that is a quarter of the memory: half of it is wanted.",
    ),
    "moved over": (
        lambda batch, accumulate: (batch // 2, accumulate + batch // 2),
        "you added what you took away, but an update sees batch_size times grad_accum_steps conversations: half of one "
        "number needs twice the other.",
    ),
    "swapped": (
        lambda batch, accumulate: (accumulate * 2, batch // 2),
        "first the new batch_size, then the new grad_accum_steps.",
    ),
}


# --- 07.5: reading the curves


def overfitting(runs: dict[str, tuple[list[float], list[float]]]) -> str:
    """The run that learns its pairs by heart: its held-out loss has risen again, and its training loss has not."""

    def risen(name: str) -> float:
        learnt, held_out = runs[name]
        return held_out[-1] - min(held_out) if learnt[-1] < learnt[0] else 0.0

    return max(runs, key=risen)


def _between(rng: random.Random, *points: float) -> list[float]:
    """A curve through some points, two steps between each, with a little noise; the points themselves stay."""
    curve = [points[0]]
    for left, right in pairwise(points):
        curve += [left + (right - left) * share + rng.uniform(-0.01, 0.01) for share in (1 / 3, 2 / 3)] + [right]
    return [round(value, 3) for value in curve]


def _runs(rng: random.Random) -> Iterator[Arguments]:
    for draw, place in enumerate((4, 0, rng.randrange(1, 4))):  # of the one that overfits
        move = rng.uniform(-0.1, 0.1)
        learnt, held_out = _between(rng, 3.0, 1.6, 1.2, 0.8 + move), _between(rng, 3.1, 2.3, 2.0 + move, 2.65 + move)
        if draw == 1:  # it has turned early, and stays up
            held_out = [3.1, *_between(rng, 1.9 + move, 2.7 + move, 2.8 + move, 2.6 + move)[:-1]]
        if draw == 2:  # it has not learnt much, and turned slowly
            learnt, held_out = _between(rng, 3.0, 2.7, 2.4, 2.2 + move), _between(rng, 3.1, 2.6, 2.85, 3.15 + move)
        overfits = ([*learnt, learnt[-1]], [*held_out, round(held_out[-1] - 0.05, 3)])  # its last step goes down
        curves = [  # two others end with a small rise, or have one on the way
            # a gap that grows, no turn
            (_between(rng, 3.4, 1.8, 1.2, 0.9 + move), _between(rng, 3.5, 3.3, 3.1, 2.9 + move)),
            (_between(rng, 2.5, 0.8, 0.5, 0.4 + move), _between(rng, 2.6, 0.6, 0.62, 0.64)),  # done
            # falls apart, in one draw only a little
            (_between(rng, 4.0, 4.1, 4.2, 4.3), _between(rng, 4.1, 4.2, 4.3, 4.4))
            if draw == 1
            else (_between(rng, 3.0, 3.6, 4.0, 4.5 + move), _between(rng, 3.0, 3.8, 4.2, 4.8 + move)),
            # tested on another text
            (_between(rng, 2.2, 1.5, 1.2, 1.0 + move), _between(rng, 4.2, 4.1, 4.15, 4.0)),
        ]
        if draw == 2:
            curves[0][1][3] += 0.6  # one bad measurement
        if place < 4:
            rng.shuffle(curves)
        curves.insert(place, overfits)
        yield (dict(zip("ABCDE", curves, strict=True)),)


def _falling(runs: dict[str, tuple[list[float], list[float]]]) -> list[str]:
    """The runs whose training loss falls."""
    return [name for name, (learnt, _) in runs.items() if learnt[-1] < learnt[0]]


def _gap(run: tuple[list[float], list[float]], at: int = -1) -> float:
    return run[1][at] - run[0][at]


_BEST = (
    "that run has the lowest losses, and its held-out loss ends close to its lowest point: it is the best of the five. "
    "Look for a held-out loss that ends well above it."
)
CURVES: Mistakes = {
    "lowest training loss": (lambda runs: min(runs, key=lambda name: runs[name][0][-1]), _BEST),
    "lowest held-out loss": (lambda runs: min(runs, key=lambda name: min(runs[name][1])), _BEST),
    "highest held-out loss": (
        lambda runs: max(runs, key=lambda name: runs[name][1][-1]),
        "that run ends with the highest held-out loss, but its training loss rises as well: it diverges, and the cure "
        "is a lower rate.",
    ),
    "risen the most": (
        lambda runs: max(runs, key=lambda name: runs[name][1][-1] - min(runs[name][1])),
        "the run whose held-out loss rises most may be one whose training loss rises as well: that one diverges, and "
        "does not memorise. Leave it out.",
    ),
    "second largest rise": (
        lambda runs: sorted(runs, key=lambda name: runs[name][1][-1] - min(runs[name][1]))[-2],
        "the second largest rise is not always that of the run that memorises: a run that diverges may rise less. "
        "Leave out the runs whose training loss rises, and take the largest rise of the others.",
    ),
    "last minus middle": (
        lambda runs: max(_falling(runs), key=lambda name: runs[name][1][-1] - runs[name][1][len(runs[name][1]) // 2]),
        "you compare the last held-out loss with one at a fixed place; the lowest point may lie elsewhere: take min().",
    ),
    "widest gap": (
        lambda runs: max(runs, key=lambda name: _gap(runs[name])),
        "that run has the widest gap between the two losses, but its held-out loss ends at its lowest point: its "
        "held-out texts are harder. Compare the last value with the lowest.",
    ),
    "growing gap": (
        lambda runs: max(runs, key=lambda name: _gap(runs[name]) - _gap(runs[name], 0)),
        "the gap of that run grows the most, but its held-out loss ends at its lowest point: it learns its own texts "
        "faster, and the others as well. Compare the last held-out loss with the lowest.",
    ),
    "the first one": (lambda runs: next(iter(runs)), "you return the first run, whatever its curves show."),
}


def _first(turned: Callable[[list[float]], bool]) -> Callable[[dict[str, tuple[list[float], list[float]]]], str]:
    """The first run whose training loss falls and whose held-out loss has turned."""
    return lambda runs: next(name for name, (learnt, held) in runs.items() if learnt[-1] < learnt[0] and turned(held))


OTHER_CURVES = {
    "up in the last step": _first(lambda held: held[-1] > held[-2]),
    "any rise": _first(lambda held: any(b > a for a, b in pairwise(held))),
    "above its lowest by anything": _first(lambda held: held[-1] > min(held)),
    "the earliest minimum": lambda runs: min(
        runs, key=lambda name: (runs[name][0][-1] > runs[name][0][0], runs[name][1].index(min(runs[name][1])))
    ),
    "largest step up": lambda runs: max(
        _falling(runs), key=lambda name: max(b - a for a, b in pairwise(runs[name][1]))
    ),
    "last minus three before": lambda runs: max(_falling(runs), key=lambda name: runs[name][1][-1] - runs[name][1][-4]),
    "second in growing gap": lambda runs: sorted(runs, key=lambda name: _gap(runs[name]) - _gap(runs[name], 0))[-2],
    "learnt most of those that rose": lambda runs: max(
        (name for name in runs if runs[name][1][-1] > min(runs[name][1])),
        key=lambda name: runs[name][0][0] - runs[name][0][-1],
    ),
    "last minus first": lambda runs: max(
        runs, key=lambda name: (runs[name][0][-1] < runs[name][0][0], runs[name][1][-1] - runs[name][1][0])
    ),
}


# --- 07.6: cleaning what a model wrote


def rows_to_keep(rows: list[tuple[str, str, bool]]) -> list[int]:
    """The numbers of the rows that are whole, and whose prompt and answer are not those of a row kept before."""
    prompts: set[str] = set()
    answers: set[str] = set()
    kept = []
    for i, (prompt, answer, ended) in enumerate(rows):
        prompt, answer = " ".join(prompt.lower().split()), " ".join(answer.lower().split())
        if ended and prompt not in prompts and answer not in answers:
            kept.append(i)
            prompts.add(prompt)
            answers.add(answer)
    return kept


def _kept(rows: list[tuple[str, str, bool]], which: str = "pa", ends: bool = True, alike: bool = True) -> list[int]:
    """The same with something left out: a text that is not compared (b: both as one), cut-off rows, or capitals."""
    seen: set[str] = set()
    kept = []
    for i, (prompt, answer, ended) in enumerate(rows):
        every = {"p": prompt, "a": answer, "b": f"{prompt} | {answer}"}
        texts = {f"{kind} {every[kind]}" for kind in which}
        texts = {" ".join(text.lower().split()) for text in texts} if alike else texts
        if (ended or not ends) and not texts & seen:
            kept.append(i)
            seen |= texts
    return kept


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def _written(rng: random.Random) -> Iterator[Arguments]:
    for draw in range(3):
        rows = [(f"My {thing} broke.", f"Your {thing} is not you, {i}.", True) for i, thing in enumerate("abcdefgh")]
        rows.insert(2, ("My x broke.", "Your x is", False))
        rows.insert(4, (rows[0][0].upper(), "Another answer.", True))
        rows.insert(6, ("My y broke.", f" {rows[1][1].replace(' ', '   ')}", True))
        rows.insert(8, ("My x broke.", "Your x is whole now.", True))  # the row that was cut off does not count
        rows += [(*rows[3][:2], True), (rows[5][0], "A third answer.", True)]
        rows.append((rows[7][0].replace(" ", "   "), "A fourth answer.", True))
        rows.append(("My z broke.", "Another answer.", True))  # like the answer of a row that was not kept
        rows.append(("My y broke.", "A seventh answer.", True))  # like the prompt of a row that was not kept
        rows += [("My cat is away.", "A fifth answer.", True), ("My cat is a way.", "A sixth answer.", True)]
        first, *others = rows[2:]
        if draw:  # in the first one each row stands where an answer may stumble over it
            rng.shuffle(others)
        yield ([*rows[:2], first, *others],)


def _told(args: Arguments, got: Any, expected: list[int]) -> str:
    """Tell which row was dropped or kept wrongly, with its texts."""
    (rows,) = args
    if not isinstance(got, list | tuple) or any(isinstance(i, str) for i in got):
        return "return a list of row numbers, such as [0, 2]."
    if len(got) == len(rows):  # a yes or no for each row, or everything
        return ""
    kept = [int(i) for i in got]
    for i in expected:
        if i not in kept:
            return f"you drop row {i}, {rows[i]}, which should be kept: nothing that you kept before is like it."
    for i in kept:
        if i not in expected:
            prompt, answer, ended = rows[i]
            if not ended:
                return f"you keep row {i}, {rows[i]}, whose reply was cut off."
            before = (j for j in expected if j < i)
            j = next(j for j in before if _plain(prompt) == _plain(rows[j][0]) or _plain(answer) == _plain(rows[j][1]))
            return f"you keep row {i}, {rows[i]}, and its prompt or answer is that of row {j}, {rows[j]}."
    return ""


def _kept_by(key: Callable[[str], str], every: bool = False, ended_ones: bool = False) -> Callable[..., list[int]]:
    """An answer that compares by a key; it remembers every row's texts, or those of each row that ended."""

    def answer(rows: list[tuple[str, str, bool]]) -> list[int]:
        prompts: set[str] = set()
        answers: set[str] = set()
        kept = []
        for i, (prompt, reply, ended) in enumerate(rows):
            new = ended and key(prompt) not in prompts and key(reply) not in answers
            if new:
                kept.append(i)
            if new or every or (ended_ones and ended):
                prompts.add(key(prompt))
                answers.add(key(reply))
        return kept

    return answer


_REMEMBERED = "you compare with rows that you did not keep as well: remember the texts of a row only where you keep it."
KEPT: Mistakes = {
    "cut-off rows": (
        lambda rows: _kept(rows, ends=False),
        "you keep rows that were cut off at the limit of tokens: a model trained on them learns to stop anywhere.",
    ),
    "prompts alone": (
        lambda rows: _kept(rows, "p"),
        "you compare the prompts alone: one answer to two prompts is a copy as well.",
    ),
    "answers alone": (
        lambda rows: _kept(rows, "a"),
        "you compare the answers alone: two answers to one prompt contradict each other.",
    ),
    "letter for letter": (
        lambda rows: _kept(rows, alike=False),
        "you compare letter for letter: capital letters and extra blanks hide a copy. lower() and split() first.",
    ),
    "small letters alone": (
        _kept_by(str.lower),
        "lower() alone is not enough: extra blanks still hide a copy, and ' '.join(text.lower().split()) removes them.",
    ),
    "blanks alone": (
        _kept_by(lambda text: " ".join(text.split())),
        "capital letters still hide a copy: lower() as well.",
    ),
    "no blanks at all": (
        _kept_by(lambda text: "".join(text.lower().split())),
        'you remove all blanks, so that "a way" is "away" for you. Several blanks become one, not none.',
    ),
    "every row remembered": (_kept_by(_plain, every=True), _REMEMBERED),
    "every ended row remembered": (_kept_by(_plain, ended_ones=True), _REMEMBERED),
    "the last of the copies": (
        lambda rows: sorted(len(rows) - 1 - i for i in rows_to_keep(rows[::-1])),
        "of several copies you keep the last: the first one stays.",
    ),
    "from 1": (lambda rows: [i + 1 for i in rows_to_keep(rows)], "your numbers begin at 1: the first row is 0."),
    "the others": (
        lambda rows: [i for i in range(len(rows)) if i not in rows_to_keep(rows)],
        "these are the rows to drop: return the numbers of the others.",
    ),
    "both at once": (
        lambda rows: _kept(rows, "b"),
        "you drop a row only where prompt and answer occurred before together: one of them is enough.",
    ),
    "everything that ended": (
        lambda rows: [i for i, row in enumerate(rows) if row[2]],
        "you keep everything that ended by itself, copies included.",
    ),
    "the rows": (
        lambda rows: [rows[i] for i in rows_to_keep(rows)],
        "these are the rows themselves: return their numbers, the first row is 0.",
    ),
}


EXERCISES = [
    Exercise(
        "07.1",
        "mask",
        labels_of,
        LABELS,
        _turns,
        praise="one label a token, and the loss passes over every -100. That is all that 'loss on the replies' means.",
    ),
    Exercise(
        "07.2",
        "adapter",
        lora_forward,
        ADAPTERS,
        _layers,
        praise="down to the rank, up again, scaled, added. With B at 0 it changes nothing, and there it starts.",
    ),
    Exercise(
        "07.3",
        "count",
        lora_parameters,
        NUMBERS,
        _shapes,
        praise="a sum of sides, where the layer itself has their product: that is the whole trick.",
    ),
    Exercise(
        "07.4",
        "settings",
        half_the_memory,
        HALVED,
        _batches,
        praise="the same update, half the activations, somewhat slower: try this first when memory runs out.",
    ),
    Exercise(
        "07.5",
        "choice",
        overfitting,
        CURVES,
        _runs,
        wrong=OTHER_CURVES,
        praise="the training loss falls, the held-out loss has turned. Read replies from before and after the turn.",
    ),
    Exercise(
        "07.6",
        "cleaning",
        rows_to_keep,
        KEPT,
        _written,
        detail=_told,
        praise="cut-off rows and copies are out. Now read a sample of what is left: no filter sees nonsense.",
    ),
]
