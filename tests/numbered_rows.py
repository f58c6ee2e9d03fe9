"""A corpus of which every token says from which row it comes, for tests that count the rows of a stream."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiktoken
import torch

from workshop_utils.text.corpus import split_of

ROWS, BLOCK = 300, 8
NUMBERS = [str(i).encode() for i in range(10, 1000)]
END = 256 + len(NUMBERS)


def numbers_encoding() -> tiktoken.Encoding:
    """A number of two or three digits is one token, so that a block says which rows are in it."""
    tokens = [bytes([i]) for i in range(256)] + NUMBERS
    return tiktoken.Encoding(
        "numbers",
        pat_str=r"\d{2,3}|[\s\S]",
        mergeable_ranks={token: i for i, token in enumerate(tokens)},
        special_tokens={"<|endoftext|>": END},
    )


def text_of_row(i: int) -> str:
    """Row i: its number, once to eleven times."""
    return " ".join([str(100 + i)] * (1 + i * 7 % 11))


TEXTS = [text_of_row(i) for i in range(ROWS)]


def write(folder: Path, n_files: int, suffix: str = "parquet") -> list[Path]:
    """The rows in n_files files, as even as possible."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"part-{i}.{suffix}" for i in range(n_files)]
    for i, path in enumerate(paths):
        texts = TEXTS[i * ROWS // n_files : (i + 1) * ROWS // n_files]
        if suffix == "parquet":
            pq.write_table(pa.table({"id": range(len(texts)), "text": texts}), path, row_group_size=25)
        else:
            content = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
            path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    return paths


def expected(split: str = "train", percent: int = 2) -> Counter[int]:
    """How often each row's token must come."""
    return Counter({346 + i: len(t.split()) for i, t in enumerate(TEXTS) if split_of(t, percent) == split})


def found(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> Counter[int]:
    """How often each row's token did come. In x every token of the stream stands once, but the very last."""
    ids = torch.cat([x.flatten() for x, _ in pairs]).tolist()
    return Counter(token for token in ids if 256 <= token < END)


def drain(stream) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """All that is left of a stream's batches, three blocks each."""
    batches = []
    with pytest.raises(ValueError, match="the stream has ended"):
        batches.extend(iter(lambda: stream.batch("windows", 3, BLOCK), None))
    return batches


def same(a: list, b: list) -> bool:
    return len(a) == len(b) and all(
        torch.equal(p, q) for x, y in zip(a, b, strict=True) for p, q in zip(x, y, strict=True)
    )
