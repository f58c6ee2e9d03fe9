"""The exercises of lesson 06, scaling up: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import itertools
import random
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randn

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = 10  # seconds that one rank of exercise 06.5 waits for another

# --- 06.1: the split


def split_of(text: str, val_percent: int) -> str:
    """The same answer for the same text on every machine, in every order: a bucket of its checksum decides."""
    return "val" if zlib.crc32(text.encode()) % 100 < val_percent else "train"


def _bucket(text: str) -> int:
    return zlib.crc32(text.encode()) % 100


def _texts(rng: random.Random) -> Iterator[Arguments]:
    names = ["Mia", "Tom", "Ada", "Ben", "Zoë", "Łukasz"]
    for percent in (10, 2, 30):
        borders = {percent - 1, percent}  # where an off-by-one shows
        for number in itertools.count():
            begin = rng.choice(("", "Once upon a time "))
            text = f"{begin}{rng.choice(names)} had {rng.randrange(10**6)} {rng.choice(('cats', 'ideas'))}."
            if number < 60 or _bucket(text) in borders:
                borders.discard(_bucket(text))
                yield text, percent
            if number >= 60 and not borders:
                break


def _by(bucket: Callable[[str], int]) -> Callable[[str, int], str]:
    """A split by another bucket from 0 to 99."""
    return lambda text, percent: "val" if bucket(text) < percent else "train"


_SALTED = (
    "that is Python's own hash(), which is salted anew in every process: two processes would disagree. "
    "zlib.crc32(text.encode()) never changes."
)
_NOISE = (
    "you draw a random number, so the same text falls elsewhere the next time. Let the text itself decide: "
    "zlib.crc32(text.encode())."
)
SPLITS: Mistakes = {
    "hash": (_by(lambda text: hash(text) % 100), _SALTED),
    "hash of the bytes": (_by(lambda text: hash(text.encode()) % 100), _SALTED),
    "random()": (lambda text, percent: "val" if random.random() < percent / 100 else "train", _NOISE),
    "randrange()": (_by(lambda text: random.randrange(100)), _NOISE),
    "choices()": (lambda text, percent: random.choices(["val", "train"], [percent, 100 - percent])[0], _NOISE),
    "length": (
        _by(lambda text: len(text) % 100),
        "texts of equal length all fall into the same split: take a checksum of the whole text.",
    ),
    "the beginning": (
        _by(lambda text: _bucket(text[:20])),
        "you look at the beginning only, and many texts begin alike: all of them fall together.",
    ),
    "one too many": (
        lambda text, percent: "val" if _bucket(text) <= percent else "train",
        "buckets are 0 to 99, so val_percent of them are those below val_percent: < and not <=.",
    ),
    "swapped": (
        lambda text, percent: "train" if _bucket(text) < percent else "val",
        'the labels are swapped: the few held-out ones are "val".',
    ),
    "every so many": (
        lambda text, percent: "val" if zlib.crc32(text.encode()) % percent == 0 else "train",
        "% val_percent == 0 holds out one text in val_percent, and not val_percent of a hundred.",
    ),
    "buckets of ten": (
        _by(lambda text: zlib.crc32(text.encode()) % 10),
        "% 10 leaves only ten buckets: with 100, a bucket is a percent.",
    ),
    "all of it": (lambda text, percent: "train", "everything is in one split: what would you measure on?"),
}


# --- 06.2: packing

Rows = list[tuple[list[int], list[int]]]


def pack(documents: list[list[int]], block_size: int, end: int) -> Rows:
    """Documents one behind the other, an end-of-text token after each, cut into rows that leave no target out."""
    joined = [token for document in documents for token in [*document, end]]
    starts = range(0, len(joined) - block_size, block_size)
    return [(joined[i : i + block_size], joined[i + 1 : i + block_size + 1]) for i in starts]


def _documents(rng: random.Random) -> Iterator[Arguments]:
    for block_size, left_over in ((4, 0), (6, 2), (5, 4)):  # from one token to a whole block behind the last row
        lengths = [1, 2 * block_size + 3, *(rng.randrange(2, 12) for _ in range(4))]
        rng.shuffle(lengths)
        lengths[-1] += (left_over - sum(lengths) - len(lengths) + 1) % block_size  # tokens behind the last whole row
        yield [[rng.randrange(10, 1000) for _ in range(n)] for n in lengths], block_size, rng.randrange(1, 10)


def _cut(joined: list[int], size: int, step: int, last: int = 0) -> Rows:
    starts = range(0, len(joined) - size + last, step)
    return [(joined[i : i + size], joined[i + 1 : i + size + 1]) for i in starts]


def _joined(documents: list[list[int]], end: int) -> list[int]:
    return [token for document in documents for token in [*document, end]]


PACKED: Mistakes = {
    "no end": (
        lambda docs, size, end: _cut([token for doc in docs for token in doc], size, size),
        "nothing tells the model where one document stops and the next begins: the end-of-text token after each.",
    ),
    "the end in front": (
        lambda docs, size, end: _cut([token for doc in docs for token in [end, *doc]], size, size),
        "the end-of-text token stands before each document, so the last one has none behind it: it belongs after each.",
    ),
    "ends between only": (
        lambda docs, size, end: _cut(_joined(docs, end)[:-1], size, size),
        "where the last row would end with the end-of-text token of the last document, it is missing. Either that "
        "token is, or your range stops one too early.",
    ),
    "a target lost": (
        lambda docs, size, end: _cut(_joined(docs, end), size, size + 1),
        "you moved on by block_size + 1, so one token between two rows is never a target. y reaches one place into "
        "the next row: move on by block_size.",
    ),
    "overlapping": (
        lambda docs, size, end: _cut(_joined(docs, end), size, 1),
        "your rows overlap: every token is learnt many times over. Move on by block_size.",
    ),
    "not shifted": (
        lambda docs, size, end: [(x, x) for x, _ in pack(docs, size, end)],
        "y equals x: the answer stands in the question. y is the same, moved on by one place.",
    ),
    "y too short": (
        lambda docs, size, end: [(x, x[1:]) for x, _ in pack(docs, size, end)],
        "y is shorter than x: its last token is the first one of the next row.",
    ),
    "document by document": (
        lambda docs, size, end: [row for doc in docs for row in _cut([*doc, end], size, size)],
        "you cut each document alone and lose all that does not fill a row. Join them first, then cut.",
    ),
    "one row too many": (
        lambda docs, size, end: _cut(_joined(docs, end), size, size, last=1),
        "where all tokens fill the last x exactly, none is left for the end of its y: leave that row out.",
    ),
    "a short row": (
        lambda docs, size, end: _cut(_joined(docs, end), size, size, last=size - 1),
        "the last row is not full. Leave it for the texts that are still to come: only whole rows.",
    ),
}


# --- 06.3: a shuffle buffer


def shuffle_buffer(items: Iterable[Any], n: int, rng: random.Random) -> Iterator[Any]:
    """Every item once, in an order mixed by a buffer of n items."""
    buffer: list[Any] = []
    for item in items:
        if len(buffer) < n:
            buffer.append(item)
            continue
        at = rng.randrange(n)
        yield buffer[at]
        buffer[at] = item
    rng.shuffle(buffer)
    yield from buffer


def _streams(rng: random.Random) -> Iterator[Arguments]:
    for n in rng.sample((5, 8, 12), 2):
        yield list(range(rng.randrange(40, 90))), n, rng.randrange(10**6)
    yield list(range(6)), 10, rng.randrange(10**6)  # fewer items than the buffer holds


def _read(answer: Callable[..., Any], items: list[int], n: int, seed: int) -> dict[str, Any]:
    """What comes out, how many items had been read by then, and whether a second time gives the same."""
    orders: list[list[int]] = []
    order: list[int]
    taken = ahead = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for item in items:
            taken += 1
            yield item

    for _ in range(2):
        taken, order = 0, []
        for item in itertools.islice(answer(source(), n, random.Random(seed)), 2 * len(items)):
            ahead = max(ahead, taken - len(order))
            order.append(item)
        orders.append(order)
    return {"items": orders[0], "ahead": ahead, "again": orders[0] == orders[1], "n": n, "came": items}


def _mixed(got: dict[str, Any], expected: dict[str, Any]) -> str | None:
    """Any order is right that a buffer of n items can give."""
    items, came, n = got["items"], got["came"], got["n"]
    if any(isinstance(item, list) for item in items):
        return "you yield the buffer itself, a list: use yield from buffer."
    if len(set(items)) < len(items):
        return "an item comes out more than once: yield the old item first, then put the next one in its place."
    if lost := len(set(came) - set(items)):
        return f"{lost} of {len(came)} items never come out: at the end, yield what is left in the buffer."
    if got["ahead"] > n + 1:
        return f"you had read {got['ahead']} items ahead. Hold n = {n} at most: a stream does not fit into memory."
    if not got["again"]:
        return "two generators with the same seed gave two orders: draw from rng, and from nothing else."
    if items == came and len(came) <= n:
        return "with fewer items than the buffer holds nothing was drawn: shuffle the rest, too."
    if len(came) > n and items[:-n] == came[:-n]:
        return "until the stream ends, the items come out in the order in which they came: draw one with rng."
    return None


def _draw_until(items: Iterable[Any], n: int, rng: random.Random, last: bool) -> Iterator[Any]:
    buffer = list(itertools.islice(items, n))
    for item in items:
        at = rng.randrange(n)
        yield buffer[at]
        buffer[at] = item
    yield from buffer if last else ()


def _repeats(items: Iterable[Any], n: int, rng: random.Random) -> Iterator[Any]:
    buffer: list[Any] = []
    for item in items:
        buffer = [*buffer, item][-n:]
        yield rng.choice(buffer)


NOT_MIXED: dict[str, Callable[..., Any]] = {
    "the rest is lost": lambda items, n, rng: _draw_until(items, n, rng, last=False),
    "repeats": _repeats,
    "not shuffled": lambda items, n, rng: iter(items),
    "reads everything first": lambda items, n, rng: iter(rng.sample(all_ := list(items), len(all_))),
    "a generator of its own": lambda items, n, rng: shuffle_buffer(items, n, random.Random(random.random())),
}


# --- 06.4: how many steps


def steps_for(tokens: int, tokens_per_update: int, batch_size: int, block_size: int, gpus: int) -> tuple[int, int]:
    """Micro-batches to gather on each device, and updates until all tokens have been read."""
    grad_accum_steps = tokens_per_update // (batch_size * block_size * gpus)
    return grad_accum_steps, -(-tokens // tokens_per_update)


def _plans(rng: random.Random) -> Iterator[Arguments]:
    for gpus in rng.sample((2, 4, 8), 3):
        batch, block, gather = rng.choice((4, 8, 16)), rng.choice((512, 1024, 2048)), rng.randrange(2, 9)
        together = batch * block * gpus * gather
        yield together * rng.randrange(100, 5000) + rng.randrange(1, together // 2), together, batch, block, gpus
    yield 64_000 * 50, 64_000, 8, 1000, 2  # the last update is full


STEPS: Mistakes = {
    "devices forgotten": (
        lambda D, G, b, t, n: (G // (b * t), -(-D // G)),
        "each device reads a micro-batch of its own at the same time: together they have so many times more tokens.",
    ),
    "rows for tokens": (
        lambda D, G, b, t, n: (G // (b * n), -(-D // G)),
        "tokens_per_update counts tokens, and batch_size counts rows: a row has block_size tokens.",
    ),
    "rounded down": (
        lambda D, G, b, t, n: (steps_for(D, G, b, t, n)[0], D // G),
        "the last tokens do not fill a whole update, but they are to be read: round the steps up.",
    ),
    "always one more": (
        lambda D, G, b, t, n: (steps_for(D, G, b, t, n)[0], D // G + 1),
        "where the tokens fill the last update exactly, there is none to add: round up, as math.ceil(a / b) does.",
    ),
    "micro-steps": (
        lambda D, G, b, t, n: (steps_for(D, G, b, t, n)[0], -(-D // (b * t * n))),
        "those are forward passes. One step is one update, and an update gathers several of them.",
    ),
    "steps for each device": (
        lambda D, G, b, t, n: (steps_for(D, G, b, t, n)[0], -(-D // (G // n))),
        "all devices make the same update together: tokens_per_update is already that of all of them.",
    ),
    "not whole": (
        lambda D, G, b, t, n: (G / (b * t * n), D / G),
        "half a step cannot be made: // for the micro-batches, which come out even, and round the steps up.",
    ),
    "swapped": (
        lambda D, G, b, t, n: steps_for(D, G, b, t, n)[::-1],
        "first the micro-batches that each device gathers, then the steps.",
    ),
}


# --- 06.5: gradients of all processes


def averaged(gradients: list[Tensor], all_reduce: Callable[[Tensor], Any], world_size: int) -> list[Tensor]:
    """The mean of each gradient over all processes; all_reduce adds up a tensor of all of them, in place."""
    result = []
    for gradient in gradients:
        total = gradient.clone()
        all_reduce(total)
        result.append(total / world_size)
    return result


def _gradients(rng: random.Random) -> Iterator[Arguments]:
    for world_size in (2, 3):
        yield tuple([randn(rng, 3, 2), randn(rng, 4)] for _ in range(world_size))


def _together(answer: Callable[..., Any], *ranks: list[Tensor]) -> list[Any]:
    """Run an answer once for each rank, in threads, with an all_reduce that joins them."""
    meet, given, results = threading.Barrier(len(ranks)), list[Any](ranks), list[Any](ranks)

    def run(rank: int) -> None:
        def all_reduce(tensor: Tensor) -> None:
            given[rank] = tensor
            meet.wait(PATIENCE)
            total = sum(one.clone() for one in given)
            meet.wait(PATIENCE)
            tensor.copy_(total)

        try:
            results[rank] = answer([one.clone() for one in ranks[rank]], all_reduce, len(ranks))
        except Exception as error:
            results[rank] = error
            meet.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(len(ranks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    errors = [one for one in results if isinstance(one, Exception)]
    if errors:
        raise next((one for one in errors if not isinstance(one, threading.BrokenBarrierError)), errors[0])
    return results


AVERAGES: Mistakes = {
    "sums": (
        lambda gradients, all_reduce, n: [one * n for one in averaged(gradients, all_reduce, n)],
        "these are the sums. Each process computed the mean over its own part: divide the sum by world_size.",
    ),
    "its own": (
        lambda gradients, all_reduce, n: list(gradients),
        "each process still has its own gradients, so the copies of the model would drift apart: call all_reduce.",
    ),
    "divided only": (
        lambda gradients, all_reduce, n: [one / n for one in gradients],
        "each process has its own gradients, divided by world_size. all_reduce(tensor) adds up those of all, in place.",
    ),
    "divided twice": (
        lambda gradients, all_reduce, n: [one / n for one in averaged(gradients, all_reduce, n)],
        "too small: divided by world_size twice. Once is enough, before all_reduce or after it.",
    ),
}


# --- 06.6: hours and money


def bill(
    parameters: float, tokens: float, gpus: int, peak_flops: float, mfu: float, price: float
) -> tuple[float, float]:
    """Hours on the clock and dollars for all devices; 6 operations for each parameter and token."""
    hours = 6 * parameters * tokens / (gpus * peak_flops * mfu) / 3600
    return hours, hours * gpus * price


def _runs(rng: random.Random) -> Iterator[Arguments]:
    for gpus, peak, price in rng.sample([(8, 312e12, 1.79), (2, 989e12, 3.99), (4, 65e12, 0.35)], 3):
        parameters = rng.randrange(100, 3000) * 1e6
        yield parameters, 20 * parameters, gpus, peak, round(rng.uniform(0.2, 0.6), 2), price


def _changed(**changes: Callable[..., float]) -> Callable[..., Any]:
    """The bill with other hours or other dollars, made from its arguments."""

    def wrong(parameters: float, tokens: float, gpus: int, peak: float, mfu: float, price: float) -> Any:
        hours, _ = bill(parameters, tokens, gpus, peak, mfu, price)
        given = {"N": parameters, "D": tokens, "n": gpus, "peak": peak, "mfu": mfu, "price": price, "hours": hours}
        hours = changes["hours"](**given) if "hours" in changes else hours
        dollars = changes["dollars"](**given | {"hours": hours}) if "dollars" in changes else hours * gpus * price
        return hours, dollars

    return wrong


BILLS: Mistakes = {
    "forward only": (
        _changed(hours=lambda hours, **_: hours / 3),
        "2 operations a parameter and token are the forward pass. The backward pass takes twice as much: 6 in all.",
    ),
    "seconds": (
        _changed(hours=lambda hours, **_: hours * 3600),
        "these are seconds, and the price is for an hour: divide by 3600.",
    ),
    "at the peak": (
        _changed(hours=lambda hours, mfu, **_: hours * mfu),
        "no training reaches the peak of the data sheet. The device does peak_flops * mfu a second.",
    ),
    "mfu upside down": (
        _changed(hours=lambda hours, mfu, **_: hours * mfu * mfu),
        "you multiplied by mfu. A lower share of the peak must make it last longer: divide.",
    ),
    "one device": (
        _changed(hours=lambda hours, n, **_: hours * n),
        "that is how long one device would take. They share the work: divide by their number.",
    ),
    "one device is paid": (
        _changed(dollars=lambda hours, price, **_: hours * price),
        "the hours are right, the dollars pay for one device only. All of them run all the time.",
    ),
    "paid without hours": (
        _changed(dollars=lambda n, price, **_: n * price),
        "the dollars are those of one hour of all devices: times the hours.",
    ),
    "tokens left out": (
        _changed(hours=lambda hours, D, **_: hours / D),
        "that is the time for one token: there are more of them.",
    ),
    "swapped": (
        lambda *args: bill(*args)[::-1],
        "hours first, then dollars.",
    ),
}


EXERCISES = [
    Exercise(
        "06.1",
        "split",
        split_of,
        mistakes=SPLITS,
        cases=_texts,
        praise="no list of rows, no order, no machine decides, only the text itself. And a copy falls where it fell.",
    ),
    Exercise(
        "06.2",
        "packing",
        pack,
        cases=_documents,
        praise="no padding, and within the rows every token but the very first is a target once.",
        mistakes=PACKED,
    ),
    Exercise(
        "06.3",
        "shuffle buffer",
        shuffle_buffer,
        wrong=NOT_MIXED,
        cases=_streams,
        apply=_read,
        compare=_mixed,
        praise="every item once, mixed, and about n of them in memory at most.",
    ),
    Exercise(
        "06.4",
        "number of steps",
        steps_for,
        cases=_plans,
        praise="steps, not epochs: a stream has no end, and no two devices agree on when theirs would be.",
        mistakes=STEPS,
    ),
    Exercise(
        "06.5",
        "average of the gradients",
        averaged,
        mistakes=AVERAGES,
        cases=_gradients,
        apply=_together,
        praise="all copies now take the same step. DDP does the same, in large pieces, while the backward pass runs.",
    ),
    Exercise(
        "06.6",
        "bill",
        bill,
        cases=_runs,
        praise="more devices make it shorter and not dearer, as long as they do not wait for each other.",
        mistakes=BILLS,
    ),
]
