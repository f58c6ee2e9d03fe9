"""Writing 255 tokens with the key/value cache against nanoGPT's generate(), which computes every position again."""

from __future__ import annotations

import torch
from common import cpu_seconds, one_core, options, report, rounds_row, take_turns
from peers import choose_peer, same_shape

from workshop_utils.gpt.model import GPT

VOCAB = 65  # characters of tiny Shakespeare


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    clock = one_core(args)
    peer = choose_peer(args.nanogpt)
    new, rounds = (15, 1) if args.quick else (255, args.rounds or 11)
    torch.manual_seed(0)
    model = GPT(same_shape(VOCAB, 256)).eval()
    peers_model = peer.model(VOCAB, 256).eval()
    start = torch.zeros(1, 1, dtype=torch.int64)

    def ours() -> float:
        return new / cpu_seconds(lambda: model.generate(start, new), clock)

    def theirs() -> float:
        return new / cpu_seconds(lambda: peer.generate(peers_model, start, new), clock)

    ours(), theirs()  # a rehearsal
    unit = "CPU second" if args.threads == 1 else f"second on {args.threads} threads"
    what = f"tokens a {unit}, {new} after a prompt of 1"
    rows = [rounds_row(what, *take_turns(ours, theirs, rounds), goal="ratio >= 10")]
    name = peer.name if args.nanogpt else "the same model without its cache"
    shape = "0.8M parameters (4 layers, 128 wide), block 256, float32"
    notes = f"Peer: {name}. {shape}, {args.threads} thread(s), {rounds} rounds."
    report("generate", rows, args, notes)


if __name__ == "__main__":
    main()
