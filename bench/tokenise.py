"""Text into a token file: write_token_file against datasets.map, the way of nanoGPT's data/openwebtext/prepare.py.

Both read the same documents from the same Arrow file on the disk, use the same tokenizer, and one core. Then the peak
memory of `train_bpe` and of `workshop train` on one long text, each in a process of its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import tiktoken
from common import Row, cpu_seconds, one_core, options, report, rounds_row, row, take_turns

from workshop_utils.machine.text_files import read_text
from workshop_utils.pocket import stories
from workshop_utils.text.token_file import TokenFile, write_token_file
from workshop_utils.text.tokenizer import gpt2, train_bpe

if TYPE_CHECKING:
    from datasets import Dataset

TOGETHER = 10  # stories joined to a document as long as OpenWebText's, about 5,000 characters
DOCUMENTS_A_SHARD = 1000  # prepare.py's 1,024 shards are for 8 million documents


def by_map(dataset: Dataset, encoding: tiktoken.Encoding, folder: Path) -> Path:
    """Tokenise with datasets.map, then copy the ids shard by shard into a memmap."""

    def process(example: dict) -> dict:
        ids = [*encoding.encode_ordinary(example["text"]), encoding.eot_token]
        return {"ids": ids, "len": len(ids)}

    mapped = dataset.map(
        process, remove_columns=["text"], load_from_cache_file=False, cache_file_name=str(folder / "mapped.arrow")
    )
    path = folder / "peer.bin"
    out = np.memmap(path, dtype=np.uint16, mode="w+", shape=(int(np.sum(mapped["len"])),))
    shards = max(1, len(mapped) // DOCUMENTS_A_SHARD)
    start = 0
    for index in range(shards):
        shard = mapped.shard(shards, index, contiguous=True).with_format("numpy")
        ids = np.concatenate(shard[:]["ids"])  # prepare.py's shard["ids"] now reads row by row, four times slower
        out[start : start + len(ids)] = ids
        start += len(ids)
    out.flush()
    return path


def documents(path: Path | None, n: int) -> dict[str, list[str]]:
    """Short documents and long ones: n stories, or the paragraphs of a text, alone and joined ten by ten."""
    texts = list(stories.texts(n)) if path is None else [part for part in read_text(path).split("\n\n") if part.strip()]
    what = "stories" if path is None else "paragraphs of --text"
    joined = ["\n\n".join(texts[i : i + TOGETHER]) for i in range(0, len(texts), TOGETHER)]
    return {f"{len(texts):,} {what}": texts, f"{what}, {TOGETHER} in a document": joined}


def compare(
    texts: list[str], encoding: tiktoken.Encoding, folder: Path, rounds: int
) -> tuple[list[float], list[float]]:
    """Both ways, turn by turn: MB of text a CPU second.

    Raises:
        SystemExit: the two files differ.
    """
    import datasets

    datasets.Dataset.from_dict({"text": texts}).save_to_disk(folder / "documents")
    dataset = datasets.load_from_disk(str(folder / "documents"))
    megabytes = sum(len(text.encode()) for text in texts) / 1e6

    def ours() -> float:
        source = (example["text"] for example in dataset)
        return megabytes / cpu_seconds(lambda: write_token_file(source, folder / "ours.tokens", encoding, 1))

    def theirs() -> float:
        return megabytes / cpu_seconds(lambda: by_map(dataset, encoding, folder))

    ours(), theirs()  # a rehearsal, which also reads the files into memory
    if not np.array_equal(TokenFile(folder / "ours.tokens").tokens, np.fromfile(folder / "peer.bin", np.uint16)):
        raise SystemExit("the two files hold different ids: the comparison means nothing, find out why first")
    return take_turns(ours, theirs, rounds)


LEARN = """import sys
from workshop_utils.machine.text_files import read_text
from workshop_utils.text import train_bpe
train_bpe([read_text(sys.argv[1])])"""


def peak_gigabytes(*command: str) -> float:
    """The largest memory of a process, looked at every 20 ms.

    Raises:
        SystemExit: it failed.
    """
    highest = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said, psutil.Popen(command, stdout=said, stderr=said) as run:
        while run.poll() is None:
            highest = max(highest, run.memory_info().rss)
            time.sleep(0.02)
        said.seek(0)
        if run.returncode:
            raise SystemExit(f"{' '.join(command)} failed: {said.read()[-2000:]}")
    return highest / 1e9


def memory(folder: Path, megabytes: int) -> list[Row]:
    """Peak memory on one text, in which every tenth story has letters beyond ASCII, which take a string four bytes."""
    path, size = folder / "text.txt", 0
    made = [text.encode() for text in stories.texts(100 * megabytes)]
    with path.open("wb") as file:
        for i in range(10**9):
            size += file.write(made[i * 7919 % len(made)] + (" Ende 🙂\n\n" if i % 10 == 0 else f" {i}\n\n").encode())
            if size >= megabytes * 1e6:
                break
    what = f"GB of peak memory, one text of {megabytes} MB"
    command = [sys.executable, "-m", "workshop_utils", "train", "--text", str(path), "--out", str(folder / "run")]
    return [
        row(f"{what}, train_bpe", peak_gigabytes(sys.executable, "-c", LEARN, str(path)), goal="ours <= 1"),
        row(f"{what}, workshop train", peak_gigabytes(*command, "--steps", "20"), goal="ours <= 1.5"),
    ]


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    os.environ["HF_DATASETS_OFFLINE"] = os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    one_core()
    import pyarrow

    pyarrow.set_cpu_count(1)
    sets = documents(args.text, 200 if args.quick else 20_000)
    encoding = train_bpe(next(iter(sets.values()))[:2000], 300) if args.quick else gpt2()
    rows = []
    for what, texts in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            figures = compare(texts, encoding, Path(folder), 1 if args.quick else 7)
        rows.append(rounds_row(f"MB a CPU second, tokenizer {encoding.name}, {what}", *figures, goal="ratio >= 2.2"))
    with tempfile.TemporaryDirectory() as folder:
        rows += memory(Path(folder), 1 if args.quick else 100)
    notes = (
        "Peer: datasets.map and a memmap, as in nanoGPT's data/openwebtext/prepare.py, with shards of "
        f"{DOCUMENTS_A_SHARD:,} documents that are read whole. One core; both read the same Arrow file and "
        "write the same ids, which is checked. Memory: the resident memory of the whole process, Python and its "
        "packages included."
    )
    report("tokenise", rows, args, notes)


if __name__ == "__main__":
    main()
