"""Lesson 04's GPT: trained as the profile says, and its stories scored for coherence against what they say themselves.

On all cores, as in the lesson. The peer is the generator itself: its own stories, and the least loss it allows.
"""

from __future__ import annotations

import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import tiktoken
import torch
from common import Row, options, report, row

from workshop_utils.evaluate.intervals import wilson
from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.gpt.sampling import generate_text
from workshop_utils.machine.profiles import setup
from workshop_utils.pocket import stories
from workshop_utils.text.corpus import prepare, split_of
from workshop_utils.text.token_file import TokenFile, write_token_files
from workshop_utils.text.tokenizer import train_bpe
from workshop_utils.training.train import estimate_loss, train

Data = tuple[TokenFile, TokenFile, tiktoken.Encoding]
GOALS = {"pronoun": 0.97, "name": 0.90, "object": 0.70, "all": 0.60}
SAMPLES, TEMPERATURE = 200, 0.6  # as the lesson samples
PEER_SEED = 1_000  # of stories that nobody has trained on


def one_seed(
    seed: int, gpt: GPTConfig, training: TrainConfig, data: Data, samples: int
) -> tuple[list[str], float, float]:
    """Train and write stories: (texts, validation loss, seconds of training)."""
    train_data, val_data, encoding = data
    torch.manual_seed(seed)
    model = GPT(gpt)
    print(f"seed {seed}: {model.num_params():,} parameters, {training.steps:,} steps", flush=True)
    config = replace(training, seed=seed, country="")
    began = time.perf_counter()
    train(model, train_data, None, config, quiet=True)
    seconds = time.perf_counter() - began
    loss = estimate_loss(model, val_data, config, batches=2 if training.steps < 100 else 50)
    texts = generate_text(model, encoding, "", 255, temperature=TEMPERATURE, seed=seed, n=samples)
    print(f"  loss {loss:.3f} after {seconds:.0f} s; for example: {texts[0]}", flush=True)
    return texts, loss, seconds


def small(folder: Path) -> Data:
    """A few stories and a small tokenizer, for --quick."""
    texts = list(stories.texts(300))
    encoding = train_bpe(texts, 320)
    paths = {split: folder / f"{split}.tokens" for split in ("train", "val")}
    made = write_token_files(texts, paths, encoding, split_of, 1)
    return made["train"], made["val"], encoding


def coherence_rows(texts: list[str], real: list[str]) -> list[Row]:
    """A line for each check, with its 95% interval."""
    ours, peer = stories.score_many(texts), stories.score_many(real)
    del ours["n"]
    rows = []
    for name, share in ours.items():
        what = "everything together" if name == "all" else f"{name} right"
        goal = f"ours >= {GOALS[name]}" if name in GOALS else ""
        line = row(f"{what}, {len(texts)} stories", share, peer[name], goal=goal)
        rows.append(line | {"spread": list(wilson(share, len(texts)))})
    return rows


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    profile = setup("pocket")
    gpt, training = profile.gpt, profile.training
    samples, seeds = (4, args.seeds[:1]) if args.quick else (args.n or SAMPLES, args.seeds)
    with tempfile.TemporaryDirectory() as name:
        if args.quick:
            data: Data = small(Path(name))
            training = replace(training, steps=3, milestones=())
            gpt = replace(gpt, block_size=64, n_layer=1)
        else:
            data = prepare(profile)
        floor = stories.entropy_per_token(data[2], n=100 if args.quick else 2000)
        real = list(stories.texts(samples, seed=PEER_SEED))
        everything, rows = [], []
        for seed in seeds:
            texts, loss, seconds = one_seed(seed, gpt, training, data, samples)
            everything += texts
            rows.append(row(f"validation loss, nats per token, seed {seed}", loss, floor, better="lower"))
            goal = "ours <= 180" if torch.get_num_threads() > 1 else ""  # with both cores of a laptop
            rows.append(row(f"seconds of training, seed {seed}", seconds, goal=goal))
            together = stories.score_many(texts)["all"]
            rows.append(
                row(f"everything together, seed {seed}", together) | {"spread": list(wilson(together, samples))}
            )
    rows += coherence_rows(everything, real)
    sample = random.Random(0).choice(everything)
    notes = (
        f"Peer: the generator. Its line for the loss is the entropy of its choices ({floor:.3f} nats per token), "
        f"its lines for coherence are those of {samples} of its own stories. Ours: {training.steps:,} steps of "
        f"{training.batch_size} stories, {training.dtype}, {torch.get_num_threads()} threads; sampled "
        f"at temperature {TEMPERATURE}, from the end-of-text token on. Intervals are Wilson's, 95%."
        f"\n\nOne of ours, drawn by lot:\n\n> {sample.replace(chr(10), ' ')}"
    )
    report("lesson04", rows, args, notes)


if __name__ == "__main__":
    main()
