"""StreamingTokenDataset: tokens a second, waiting for data, resuming, memory, and rows that get lost (none may).

Peer: `datasets` in streaming mode with map(tokenise) and map(group_texts), the way of transformers' run_clm example.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import tiktoken
import torch
from common import Row, cpu_seconds, one_core, options, report, rounds_row, row, take_turns

from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.text_files import read_text
from workshop_utils.pocket import stories
from workshop_utils.stream import StreamingTokenDataset
from workshop_utils.text.corpus import split_of
from workshop_utils.text.tokenizer import encode, gpt2, padded_vocab_size, train_bpe

BLOCK = 256


def documents(args: argparse.Namespace) -> list[str]:
    """Some different documents, to be repeated with a number in front."""
    if args.text is not None:
        return [part for part in read_text(args.text).split("\n\n") if part.strip()]
    return list(stories.texts(100 if args.quick else 5_000))


def write(path: Path, texts: list[str], megabytes: float) -> None:
    """A Parquet file of about so much text, in row groups of 1,000 documents; no two documents are equal."""
    schema = pa.schema({"text": pa.string(), "id": pa.int64()})
    written = number = 0
    with pq.ParquetWriter(path, schema) as writer:
        while written < megabytes * 1e6:
            part = [f"{number + i} {texts[(number + i) % len(texts)]}" for i in range(1000)]
            writer.write_table(pa.table({"text": part, "id": range(number, number + 1000)}, schema=schema))
            number += 1000
            written += sum(map(len, part))


# --- speed -----------------------------------------------------------------------------------------------------------


def ways_of_encoding(texts: list[str], encoding: tiktoken.Encoding, rounds: int) -> list[Row]:
    """One call for many documents against the two other ways that tiktoken has: tokens a CPU second."""
    texts = [text for _, text in zip(range(20_000), chain.from_iterable([texts] * 100), strict=False)]
    batches = [texts[i : i + 400] for i in range(0, len(texts), 400)]
    n_tokens = sum(len(encode(batch, encoding)) for batch in batches)

    def one_by_one(batch: list[str]) -> np.ndarray:
        return np.concatenate([encoding.encode_to_numpy(text, disallowed_special=()) for text in batch])

    def as_lists(batch: list[str]) -> np.ndarray:
        return np.concatenate([np.array(ids) for ids in encoding.encode_ordinary_batch(batch, num_threads=1)])

    def speed(way: Callable[[list[str]], np.ndarray]) -> float:
        return n_tokens / cpu_seconds(lambda: [way(batch) for batch in batches])

    lines = []
    for name, way in (("encode_to_numpy for each document", one_by_one), ("encode_ordinary_batch", as_lists)):
        figures = take_turns(lambda: speed(lambda batch: encode(batch, encoding)), lambda w=way: speed(w), rounds)
        what = f"tokens a CPU second, tokenizer {encoding.name}, one encode_to_numpy for many documents; peer: {name}"
        lines.append(rounds_row(what, *figures))
    return lines


def by_map(path: Path, encoding: tiktoken.Encoding) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The peer's blocks: map(tokenise), map(group_texts), a batch of 16."""
    from datasets import load_dataset

    def tokenise(batch: dict) -> dict:
        return {
            "ids": [[*ids, encoding.eot_token] for ids in encoding.encode_ordinary_batch(batch["text"], num_threads=1)]
        }

    def group_texts(batch: dict) -> dict:
        ids = list(chain.from_iterable(batch["ids"]))
        return {"ids": [ids[i : i + BLOCK + 1] for i in range(0, len(ids) - BLOCK, BLOCK)]}

    rows = load_dataset("parquet", data_files=[str(path)], columns=["text"], split="train", streaming=True)
    blocks = rows.map(tokenise, batched=True, remove_columns=["text"]).map(group_texts, batched=True)
    for batch in blocks.iter(batch_size=16):
        ids = torch.tensor(batch["ids"])
        yield ids[:, :-1], ids[:, 1:]


def throughput(path: Path, encoding: tiktoken.Encoding, batches: int, rounds: int) -> Row:
    """Tokens a CPU second from a local Parquet file to batches of 16 blocks, a single process."""

    def speed(source: Iterator[tuple[torch.Tensor, torch.Tensor]]) -> float:
        next(source)  # opens the file, fills the shuffle buffer
        done: list[int] = []
        return 1 / (cpu_seconds(lambda: done.extend(x.numel() for x, _ in islice(source, batches))) / sum(done))

    def ours() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        stream = StreamingTokenDataset(path, encoding, BLOCK, epochs=0)
        while True:
            yield stream.batch("windows", 16, BLOCK)

    figures = take_turns(lambda: speed(ours()), lambda: speed(by_map(path, encoding)), rounds)
    return rounds_row(f"tokens a CPU second from Parquet, tokenizer {encoding.name}", *figures, goal="ours >= 1500000")


def waiting(path: Path, encoding: tiktoken.Encoding, steps: int) -> Row:
    """How much of a training step of the pocket profile's model is spent on data, in percent of CPU time."""
    torch.manual_seed(0)
    vocab_size = padded_vocab_size(encoding)
    model = GPT(GPTConfig(block_size=BLOCK, vocab_size=vocab_size, n_layer=4, n_head=4, n_embd=128, attention="sdpa"))
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    stream = StreamingTokenDataset(path, encoding, BLOCK, epochs=0)
    stream.batch("windows", 16, BLOCK)
    data = 0.0
    began = time.process_time()
    for _ in range(steps):
        before = time.process_time()
        x, y = stream.batch("windows", 16, BLOCK)
        data += time.process_time() - before
        model(x, y)[1].backward()
        optimizer.step()
        optimizer.zero_grad()
    share = 100 * data / (time.process_time() - began)
    return row("percent of a training step spent on data, no worker, 16 blocks, pocket model", share, goal="ours <= 2")


# --- state -----------------------------------------------------------------------------------------------------------


def resuming(path: Path, megabytes: float, encoding: tiktoken.Encoding) -> list[Row]:
    """Seconds from load_state_dict to the first batch, at 8 positions of one file: the worst of them."""
    stream, states = StreamingTokenDataset(path, encoding, BLOCK), []
    n_rows = pq.ParquetFile(path).metadata.num_rows
    while len(states) < 8:  # by the rows that are done; the last position is just before the end
        stream.batch("windows", 16, BLOCK)
        if stream.report["rows"] >= min((len(states) + 1) / 8, 0.98) * n_rows:
            states.append(stream.state_dict())
    wall, cpu = [], []
    for state in states:
        again = StreamingTokenDataset(path, encoding, BLOCK)
        began, began_cpu = time.perf_counter(), time.process_time()
        again.load_state_dict(state)
        again.batch("windows", 16, BLOCK)
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    what = f"resume at 8 positions of one Parquet file of {megabytes:g} MB of text, the slowest"
    return [
        row(f"seconds to {what}", max(wall), better="lower", goal="ours <= 1"),
        row(f"CPU seconds to {what}", max(cpu), better="lower", goal="ours <= 1"),
    ]


def numbers_encoding(rows: int) -> tiktoken.Encoding:
    """Every number of the rows is one token, so that a block says which rows are in it."""
    tokens = [bytes([i]) for i in range(256)] + [str(10_000 + i).encode() for i in range(rows)]
    ranks = {token: i for i, token in enumerate(tokens)}
    special = {"<|endoftext|>": len(tokens)}
    return tiktoken.Encoding("numbers", pat_str=r"\d{5}|[\s\S]", mergeable_ranks=ranks, special_tokens=special)


def left(stream: object) -> list[torch.Tensor]:
    """All x that are left of a stream, batch by batch."""
    found = []
    try:
        while True:
            found.append(stream.batch("windows", 8, 16)[0])  # type: ignore[attr-defined]
    except ValueError as error:
        if "the stream has ended" not in str(error):
            raise
    return found


def exactness(folder: Path, workers: int, ranks: int, stops: int, rows: int = 6000) -> list[Row]:
    """Stop at random, resume in new objects, and count every row: lost, repeated; and blocks in another order."""
    texts = [" ".join([str(10_000 + i)] * (1 + i * 7 % 23)) for i in range(rows)]
    for i in range(3):
        pq.write_table(pa.table({"text": texts[i::3]}), folder / f"{i}.parquet", row_group_size=700)
    expected = Counter({256 + i: text.count(" ") + 1 for i, text in enumerate(texts) if split_of(text) == "train"})
    encoding = numbers_encoding(rows)

    def streams() -> list[StreamingTokenDataset]:
        shared = {"world_size": ranks, "shuffle_buffer": 200, "num_workers": workers}
        return [StreamingTokenDataset(folder, encoding, 16, rank=rank, **shared) for rank in range(ranks)]

    whole = [left(stream) for stream in streams()]
    lost = repeated = reordered = 0
    drawn = random.Random(0)
    for _ in range(stops):
        stop = drawn.randrange(min(map(len, whole)))
        parts = []
        for stream, again, uninterrupted in zip(streams(), streams(), whole, strict=True):
            before = [stream.batch("windows", 8, 16)[0] for _ in range(stop)]
            again.load_state_dict(stream.state_dict())
            blocks = before + left(again)
            reordered += len(blocks) != len(uninterrupted) or not all(map(torch.equal, blocks, uninterrupted))
            parts += blocks
        found = Counter(torch.cat([x.flatten() for x in parts]).tolist())
        lost += sum(found[token] < n for token, n in expected.items())
        repeated += sum(found[token] > n for token, n in expected.items())
    where = f"{stops} stops, {workers} workers, {ranks} ranks"
    return [
        row(f"rows lost, {where}", lost, goal="ours <= 0"),
        row(f"rows repeated, {where}", repeated, goal="ours <= 0"),
        row(f"continuations unlike the uninterrupted stream, {where}", reordered, goal="ours <= 0"),
    ]


def peak_megabytes(path: Path, tokenizer: Path) -> float:
    """The peak memory of a process that reads a whole file in blocks."""
    command = [sys.executable, __file__, "--read", str(path), str(tokenizer)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def read_all(path: str, tokenizer: str) -> None:
    """What that process does."""
    from workshop_utils.text.tokenizer import load_tokenizer

    one_core()
    process, highest = psutil.Process(), 0  # not ru_maxrss: on Linux that begins with what the parent process held
    for i, _ in enumerate(StreamingTokenDataset(path, load_tokenizer(tokenizer), BLOCK)):
        if i % 50 == 0:
            highest = max(highest, process.memory_info().rss)
    print(highest / 1e6)


def memory(folder: Path, texts: list[str], encoding: tiktoken.Encoding, megabytes: int) -> Row:
    """Peak memory of reading so much text, over that of reading 1 MB."""
    from workshop_utils.text.tokenizer import save_tokenizer

    save_tokenizer(encoding, folder / "tokenizer.json")
    peaks = []
    for size in (1, megabytes):
        path = folder / f"{size}.parquet"
        write(path, texts, size)
        peaks.append(peak_megabytes(path, folder / "tokenizer.json"))
        path.unlink()
    print(f"  peak memory {peaks[0]:.0f} MB for 1 MB of text, {peaks[1]:.0f} MB for {megabytes} MB")
    return row(
        f"MB of peak memory that {megabytes:,} MB of text take more than 1 MB", peaks[1] - peaks[0], goal="ours <= 50"
    )


def main() -> None:
    """Measure and report."""
    if sys.argv[1:2] == ["--read"]:
        return read_all(*sys.argv[2:])
    args = options(__doc__).parse_args()
    os.environ["HF_DATASETS_OFFLINE"] = os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    one_core()
    pa.set_cpu_count(1)
    texts = documents(args)
    encodings = [train_bpe(texts[:2000], 300 if args.quick else 1024, name="of 1,024 tokens")]
    if not args.quick:
        encodings.append(gpt2())
    rounds, megabytes = (1, 2) if args.quick else (args.rounds or 5, 120)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "corpus.parquet", texts, megabytes)
        for encoding in encodings:
            rows += ways_of_encoding(texts[:100] if args.quick else texts, encoding, rounds)
            rows.append(throughput(folder / "corpus.parquet", encoding, 20 if args.quick else 1000, rounds))
        rows.append(waiting(folder / "corpus.parquet", encodings[0], 3 if args.quick else 60))
        rows += resuming(folder / "corpus.parquet", megabytes, encodings[0])
        rows.append(memory(folder, texts, encodings[0], 3 if args.quick else 1000))
        (folder / "exact").mkdir()
        for workers, ranks in ((0, 1), (0, 2), (2, 1), (2, 2)):
            stops = 50 if not args.quick else 2 if not workers else 1
            rows += exactness(folder / "exact", workers, ranks, stops, 600 if args.quick else 6000)
    notes = (
        "Peer: `datasets` in streaming mode with map(tokenise) and map(group_texts), as in transformers' run_clm "
        "example, with the same tokenizer, no shuffle and no split. One core; blocks of 256 tokens in batches of 16."
    )
    report("streaming", rows, args, notes)


if __name__ == "__main__":
    main()
