"""Token files: a corpus as one flat array of ids on the disk, written once with all cores, read through memmap.

The data's path goes on here: documents -> ids -> token file -> batches.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tiktoken
import torch

from workshop_utils.machine.files import crc32, written_atomically
from workshop_utils.text.tokenizer import encode, fingerprint, strings

MAGIC = b"SLMTOKEN"
HEADER_BYTES = 1024  # magic (8), crc32 of the rest (4), JSON padded with spaces (1012)
BATCH_CHARACTERS = 500_000  # one unit of work for a thread
CHECKED_BYTES = 1_000_000_000  # of a file that is compared with its checksum when it is opened, a second at most
SCAN_TOKENS = 8_000_000  # how much of a file is read in one go to find where the documents end
WHOLE, WORDS = ("n_tokens", "n_documents", "n_empty", "vocab_size", "eot_token"), ("fingerprint", "tokenizer", "dtype")

# --- write ---------------------------------------------------------------------------------------------------------


def write_token_file(
    documents: Iterable[str], path: str | Path, encoding: tiktoken.Encoding, workers: int | None = None
) -> TokenFile:
    """Tokenise documents into one file, with the end-of-text token after each of them.

    The order of the documents is kept, memory does not grow with their number, and the file appears under its name
    only when it is complete. Documents without any visible character are skipped and counted (n_empty in the header).

    Args:
        documents: the texts, read once.
        path: where to; missing folders are made.
        encoding: the tokenizer. Its fingerprint goes into the header.
        workers: threads; None takes one for each core.

    Returns:
        The file, open for reading.

    Raises:
        TypeError: a document is not a string.
        ValueError: there is no document, or one is no valid Unicode.
        OSError: no space is left; an earlier file is still whole.
    """
    return write_token_files(documents, {"all": path}, encoding, lambda text: "all", workers)["all"]


def write_token_files(
    documents: Iterable[str],
    paths: Mapping[str, str | Path],
    encoding: tiktoken.Encoding,
    route: Callable[[str], str],
    workers: int | None = None,
) -> dict[str, TokenFile]:
    """Like write_token_file, but sort the documents into several files in one pass.

    Args:
        documents: the texts, read once.
        paths: for each name that route can return, the file.
        encoding: the tokenizer.
        route: says for a document into which file it goes, for example corpus.split_of.
        workers: threads; None takes one for each core.

    Returns:
        The files by name, open for reading.
    """
    dtype = "<u2" if encoding.n_vocab <= 65_536 else "<u4"  # little-endian on every machine
    header = {"version": 1, "dtype": dtype, "fingerprint": fingerprint(encoding), "tokenizer": encoding.name[:80]}
    header |= {"vocab_size": encoding.n_vocab, "eot_token": encoding.eot_token}
    counts = {name: Counter(n_tokens=0, n_documents=0, n_empty=0) for name in paths}
    sums = dict.fromkeys(paths, 0)
    with ExitStack() as stack:
        files = {name: stack.enter_context(written_atomically(path)) for name, path in paths.items()}
        for file in files.values():
            file.write(bytes(HEADER_BYTES))  # its place: the counts are known at the end
        for name, ids in _encoded(_batches(documents, route, counts), encoding, workers):
            content = ids.astype(dtype).data
            files[name].write(content)
            sums[name] = zlib.crc32(content, sums[name])
            counts[name]["n_tokens"] += len(ids)
        for name, file in files.items():
            if not counts[name]["n_documents"]:
                raise ValueError(
                    f"no document with text for {Path(paths[name]).name}: check the source, or give more documents"
                )
            file.seek(0)
            head = json.dumps(header | counts[name] | {"crc32": sums[name]}).encode().ljust(HEADER_BYTES - 12)
            file.write(MAGIC + zlib.crc32(head).to_bytes(4, "little") + head)
    return {name: TokenFile(path, encoding) for name, path in paths.items()}


def _batches(
    documents: Iterable[str], route: Callable[[str], str], counts: dict[str, Counter[str]]
) -> Iterator[tuple[str, list[str]]]:
    """Collect and count documents, for each file on its own, until there is enough work for a thread."""
    waiting: dict[str, list[str]] = defaultdict(list)
    characters: Counter[str] = Counter()
    for text in strings(documents):
        name = route(text)
        if not text or text.isspace():
            counts[name]["n_empty"] += 1
            continue
        counts[name]["n_documents"] += 1
        waiting[name].append(text)
        characters[name] += len(text)
        if characters[name] >= BATCH_CHARACTERS:
            yield name, waiting.pop(name)
            del characters[name]
    yield from waiting.items()


def _encoded(
    batches: Iterable[tuple[str, list[str]]], encoding: tiktoken.Encoding, workers: int | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Encode batches in threads (tiktoken works without the GIL) and give them back in their order."""
    from workshop_utils.machine.hardware import cores

    workers = workers or cores()
    running: deque[tuple[str, Future[np.ndarray]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for name, texts in batches:
            running.append((name, pool.submit(encode, texts, encoding)))
            if len(running) > 2 * workers:  # no more than that in memory
                name, ids = running.popleft()
                yield name, ids.result()
        for name, ids in running:
            yield name, ids.result()


# --- read ----------------------------------------------------------------------------------------------------------


class TokenFile:
    """A token file, open for reading: nothing is loaded before it is asked for.

    Attributes:
        path: the file.
        tokens: (n_tokens,) all ids as a numpy memmap, uint16 or uint32.
        n_tokens, n_documents, n_empty: how many ids, documents, and documents that were skipped as empty.
        fingerprint, tokenizer, vocab_size, eot_token: of the tokenizer that made the ids.
    """

    def __init__(self, path: str | Path, encoding: tiktoken.Encoding | None = None) -> None:
        """Open a token file.

        Args:
            path: what write_token_file wrote.
            encoding: the tokenizer that you are going to use; a file of another one is refused.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is no token file, is damaged or incomplete, or belongs to another tokenizer.
        """
        self.path = Path(path)
        header = _read_header(self.path)
        self.n_tokens, self.n_documents, self.n_empty, self.vocab_size, self.eot_token = (int(header[n]) for n in WHOLE)
        self.fingerprint, self.tokenizer, kind = (str(header[name]) for name in WORDS)
        if encoding is not None and fingerprint(encoding) != self.fingerprint:
            raise ValueError(
                f"{self.path.name} was made with the tokenizer {self.tokenizer!r} ({self.fingerprint}), but you use "
                f"{encoding.name!r} ({fingerprint(encoding)}): the same ids mean other words there; make the file "
                "again with your tokenizer, or load the one that made it"
            )
        expected, found = HEADER_BYTES + self.n_tokens * np.dtype(kind).itemsize, self.path.stat().st_size
        if found != expected:
            raise ValueError(
                f"{self.path.name} has {found:,} bytes, but its {self.n_tokens:,} tokens take {expected:,}: a copy or "
                "download was cut short; copy it again, or delete it and let it be made again"
            )
        if found <= CHECKED_BYTES and "crc32" in header and crc32(self.path, HEADER_BYTES) != header["crc32"]:
            raise ValueError(f"{self.path.name} has been changed since it was made: copy it again, or make it again")
        self.tokens = np.memmap(self.path, dtype=kind, mode="r", offset=HEADER_BYTES, shape=(self.n_tokens,))

    def __len__(self) -> int:
        return self.n_tokens

    def __repr__(self) -> str:
        return (
            f"TokenFile({self.path.name}: {self.n_tokens:,} tokens, {self.n_documents:,} documents, "
            f"{self.tokens.dtype}, tokenizer {self.tokenizer} of {self.vocab_size:,}, {self.fingerprint})"
        )

    @cached_property
    def _ends(self) -> np.ndarray:
        """(n_documents,) where each document's end-of-text token is, found in pieces so that memory stays small."""
        starts = range(0, self.n_tokens, SCAN_TOKENS)
        ends = np.concatenate([np.flatnonzero(self.tokens[i : i + SCAN_TOKENS] == self.eot_token) + i for i in starts])
        if len(ends) != self.n_documents or ends[-1] != self.n_tokens - 1:
            raise ValueError(
                f"{self.path.name} should hold {self.n_documents:,} documents, but {len(ends):,} end-of-text tokens "
                "were found: its content is damaged, delete it and let it be made again"
            )
        return ends

    def _bounds(self, i: int) -> tuple[int, int]:
        return int(self._ends[i - 1]) + 1 if i else 0, int(self._ends[i])

    def document(self, i: int) -> np.ndarray:
        """The ids of one document, without the end-of-text token.

        Args:
            i: 0 to n_documents - 1.

        Raises:
            IndexError: there is no such document.
        """
        if not 0 <= i < self.n_documents:
            raise IndexError(f"there is no document {i}: {self.path.name} holds 0 to {self.n_documents - 1}")
        start, end = self._bounds(i)
        return self.tokens[start:end]

    def share_in_rows(self, block_size: int) -> float:
        """The share of all tokens that rows() can ever show: it cuts a longer document, and its rest is never seen.

        Args:
            block_size: the longest T.
        """
        lengths = np.diff(self._ends, prepend=-1)  # with the end-of-text token
        return float(np.minimum(lengths, block_size).sum()) / self.n_tokens

    def windows(
        self, batch_size: int, block_size: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Random windows of the concatenated documents, nanoGPT's way.

        Args:
            batch_size: B, number of windows.
            block_size: T, tokens in a window.
            generator: where the random numbers come from (on the CPU).

        Returns:
            x, y: (B, T) int64; y is x moved on by one token.

        Raises:
            ValueError: the file is shorter than a window.
        """
        if self.n_tokens <= block_size:
            raise ValueError(
                f"{self.path.name} has {self.n_tokens:,} tokens, but a window of block_size {block_size} needs "
                f"{block_size + 1}: use more text or a smaller block_size"
            )
        starts = torch.randint(self.n_tokens - block_size, (batch_size,), generator=generator)
        both = np.empty((batch_size, block_size + 1), dtype=np.int64)
        for row, start in enumerate(starts.tolist()):
            both[row] = self.tokens[start : start + block_size + 1]
        return torch.from_numpy(both[:, :-1].copy()), torch.from_numpy(both[:, 1:].copy())

    def rows(self, batch_size: int, block_size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Random documents, one per row: tiny models learn to carry a name through a text only this way.

        A row is x = [end-of-text, d0, d1, ...] and y = [d0, d1, ..., end-of-text], so that a model also learns how a
        document begins and when it is over. It is as long as the longest document of the batch, rounded up to a
        multiple of 8, at most block_size; a longer document is cut and then has no end-of-text target.

        Args:
            batch_size: B, number of documents, drawn with replacement.
            block_size: the longest T.
            generator: where the random numbers come from (on the CPU).

        Returns:
            x: (B, T) int64, filled up with the end-of-text token.
            y: (B, T) int64, x moved on by one token, filled up with -1, which the loss ignores.
        """
        bounds = [self._bounds(i) for i in torch.randint(self.n_documents, (batch_size,), generator=generator).tolist()]
        longest = max(end - start for start, end in bounds) + 1  # one more for the end-of-text token
        width = min(-(-longest // 8) * 8, block_size)
        x = np.full((batch_size, width), self.eot_token, dtype=np.int64)
        y = np.full((batch_size, width), -1, dtype=np.int64)
        for row, (start, end) in enumerate(bounds):
            length = min(end - start + 1, width)
            y[row, :length] = self.tokens[start : start + length]
            x[row, 1:length] = y[row, : length - 1]
        return torch.from_numpy(x), torch.from_numpy(y)

    def batch(
        self, how: str, batch_size: int, block_size: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch by name: windows or rows.

        Args:
            how: "windows" or "rows".
            batch_size: B.
            block_size: the longest T.
            generator: where the random numbers come from (on the CPU).

        Raises:
            ValueError: how is something else.
        """
        if how == "windows":
            return self.windows(batch_size, block_size, generator)
        if how == "rows":
            return self.rows(batch_size, block_size, generator)
        raise ValueError(f'how is {how!r}: choose "windows" (random stretches) or "rows" (one document per row)')


def _read_header(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no token file at {path}: check the path, or make one with write_token_file")
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    if head[:8] != MAGIC:
        raise ValueError(f"{path.name} is no token file of this workshop: make one from text with write_token_file")
    problem = "is damaged: copy the file again, or delete it and make it again"
    with suppress(KeyError, RecursionError, TypeError, ValueError):  # a program may have written anything into it
        if len(head) == HEADER_BYTES and zlib.crc32(head[12:]) == int.from_bytes(head[8:12], "little"):
            header: dict[str, Any] = json.loads(head[12:])
            if header["version"] > 1:
                problem = f"is of version {header['version']}, and only 1 is known here: update the workshop's package"
            tokens, documents, empty, size, end = (header[name] for name in WHOLE)
            fine = header["version"] == 1 and 0 < documents <= tokens and 0 <= end < size and empty >= 0
            typed = [type(header[name]) for name in WHOLE + WORDS] == 5 * [int] + 3 * [str]
            if fine and typed and header["dtype"] in ("<u2", "<u4"):
                return header
    raise ValueError(f"the header of {path.name} {problem}")
