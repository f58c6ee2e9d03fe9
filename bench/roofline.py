"""How far each goal is from what matrix products alone would allow, and what a neighbour on the other core slows.

The bound is the peer's time, divided by the time that torch.mm takes for the same products of the same shapes in our
precision: whoever computes the same model with them can only be slower. A goal above its bound is out of reach here.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from common import Row, cpu_seconds, neighbour, one_core, options, report, row
from peers import BATCH, BLOCK, SHAPE, characters, choose_peer, same_shape, train_as_nanogpt
from train_throughput import WARM_UP, Clock, train_ours

from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.kernels.decoding import FixedCache, fixed_step
from workshop_utils.machine.profiles import choose_dtype

VOCAB = 65
WIDE = int(SHAPE["n_embd"])
MATRICES = ((WIDE, 3 * WIDE), (WIDE, WIDE), (WIDE, 4 * WIDE), (4 * WIDE, WIDE))  # of a layer: inputs, outputs
GREEDY = "writing, greedy, compiled"


def products(rows: int, dtype: torch.dtype, backward: bool) -> Callable[[], object]:
    """All matrix products with weights in one pass of `rows` tokens, forward alone or with the two of backward."""
    pairs = []
    for inputs, outputs in [*MATRICES * int(SHAPE["n_layer"]), (WIDE, VOCAB)]:
        x, w = torch.randn(rows, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype)
        pairs.append((x, w.t()))
        if backward:
            dy = torch.randn(rows, outputs, dtype=dtype)
            pairs += [(dy, w), (dy.t(), x)]
    return lambda: [torch.mm(a, b) for a, b in pairs]


def seconds_of(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of a piece of work, or those that it returns: the median, after one that does not count."""

    def once() -> float:
        said: list[object] = []
        spent = cpu_seconds(lambda: said.append(work()))
        return said[0] if isinstance(said[0], float) else spent

    once()
    return statistics.median(once() for _ in range(repeats))


def many(work: Callable[[], object], n: int) -> Callable[[], object]:
    """The same work n times."""
    return lambda: [work() for _ in range(n)]


def compiled_writer(model: GPT, start: torch.Tensor, new: int) -> Callable[[], object] | None:
    """Greedy writing with a compiled pass of one token, ready to be timed; None where nothing can be compiled."""

    def token_pass(token: torch.Tensor, layers: list[FixedCache]) -> torch.Tensor:
        return model(token, cache=layers)[0]

    token_pass = torch.compile(token_pass, dynamic=False)

    def write() -> None:
        cache = model.empty_cache()
        token = model(start, cache=cache)[0][:, -1].argmax(-1, keepdim=True)
        step = fixed_step(token_pass, cache)
        for _ in range(new - 1):
            token = step(token)[:, -1].argmax(-1, keepdim=True)

    try:
        write()
    except Exception as error:  # of the compiler, which is not on every machine
        print(f"a pass of one token cannot be compiled here: {type(error).__name__}")
        return None
    return write


def counted() -> None:
    """A loop of Python alone."""
    total = 0
    for i in range(300_000):
        total += i


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    one_core(args)
    before = psutil.cpu_percent(interval=0.1 if args.quick else 3)
    peer = choose_peer(args.nanogpt)
    dtype, _ = choose_dtype("cpu")
    n, steps, new = (1, 2, 8) if args.quick else (args.rounds or 5, 30, 255)
    start = torch.zeros(1, 1, dtype=torch.int64)
    torch.manual_seed(0)
    model, peers_model = GPT(same_shape(VOCAB, 256)).eval(), peer.model(VOCAB, 256).eval()
    small, square, large = torch.ones(1, WIDE), torch.ones(256, 256), torch.ones(8_000_000)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        text = characters(args.text, Path(folder), 100)
        config = TrainConfig(steps=WARM_UP + steps, batch_size=BATCH, rows="windows", dtype=dtype, country="")

        @torch.enable_grad()
        def ours() -> float:
            clock = Clock()
            train_ours(text, config, clock)
            return steps / clock.tokens_per_second(1)

        @torch.enable_grad()
        def theirs() -> float:
            clock = Clock()
            train_as_nanogpt(peer, text, config.steps, clock)
            return steps / clock.tokens_per_second(1)

        works: dict[str, Callable[[], object]] = {
            "training, ours": ours,
            "training, peer": theirs,
            "training, matrix products alone": many(products(BATCH * BLOCK, getattr(torch, dtype), True), steps),
            "writing, ours": lambda: model.generate(start, new),
            "writing, peer": lambda: peer.generate(peers_model, start, new),
            "writing, matrix products alone": many(products(1, torch.float32, False), new),
            "a loop of Python": counted,
            "adding 128 numbers in torch, 20,000 times": many(lambda: small + 1, 200 if args.quick else 20_000),
            "256 x 256 products, 300 times": many(lambda: square @ square, 3 if args.quick else 300),
            "adding to 32 MB of memory": lambda: large.add_(1),
        }
        began = time.perf_counter()
        if not args.quick and (write := compiled_writer(model, start, new)):
            works |= {"writing, greedy": lambda: model.generate(start, new, temperature=0.0), GREEDY: write}
        compiling = time.perf_counter() - began
        quiet = {what: seconds_of(work, n) for what, work in works.items()}
        beside = neighbour()
        try:
            busy = {what: seconds_of(work, n) for what, work in works.items()}
        finally:
            beside.kill()
    rows: list[Row] = []
    for what, goal in (("training", 3), ("writing", 10)):
        for state, seconds in (("without a neighbour", quiet), ("with one", busy)):
            limit = row(
                f"{what}, {state}: ratio reached (ours), and by matrix products alone (peer)",
                seconds[f"{what}, peer"] / seconds[f"{what}, ours"],
                seconds[f"{what}, peer"] / seconds[f"{what}, matrix products alone"],
                goal=f"ours >= {goal}",
            )
            rows.append(limit | {"bound": True})
    if GREEDY in works:
        reached = quiet["writing, peer"] / quiet[GREEDY]
        what = (
            "writing greedily, without a neighbour: ratio to the peer, which samples: compiled (ours), as it is (peer)"
        )
        limit = row(what, reached, quiet["writing, peer"] / quiet["writing, greedy"])
        rows += [limit | {"bound": True}, row("seconds to compile that pass", compiling) | {"bound": True}]
    for what in works:
        shown = f"CPU seconds without a neighbour (ours) and with one (peer): {what}"
        rows.append(row(shown, quiet[what], busy[what], "lower") | {"bound": True})
    notes = (
        f"Peer of training and writing: {peer.name}. Shapes of train_throughput ({steps} steps, ours in {dtype}) and "
        f"of generate ({new} tokens, float32). The ratio of the last rows says how many times longer a piece of work "
        f"takes with a neighbour, a process that multiplies matrices; "
        f"{before:.0f}% of all cores were in use by others before the measurement. A loop of Python shares "
        "nothing with its neighbour: what differs by no more than it does, differs by the noise of the machine."
    )
    report("roofline", rows, args, notes)


if __name__ == "__main__":
    main()
