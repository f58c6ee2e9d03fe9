"""Documents into token files, with all cores: the only place where a whole corpus is tokenised.

Reads documents once, in order, and writes what token_file.TokenFile reads. corpus.py re-exports the public names.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import tiktoken

from workshop_utils.machine.files import written_atomically
from workshop_utils.text.token_file import HEADER_BYTES, TokenFile, header_bytes
from workshop_utils.text.tokenizer import END_OF_TEXT, fingerprint, stretches

BATCH_CHARACTERS = 500_000  # one unit of work for a thread
# tiktoken gives up, and Rust panics, where a pattern that looks ahead (GPT-2's does) meets a million blanks in a row.
ENCODED_AT_ONCE = 100_000  # characters


def write_token_file(
    documents: Iterable[str], path: str | Path, encoding: tiktoken.Encoding, workers: int | None = None
) -> TokenFile:
    """Tokenise documents with all cores into one file, with the end-of-text token after each of them.

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
        ValueError: there is no document, or one holds half a surrogate pair.
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
    with ExitStack() as stack:
        writers = {name: _Writer(stack.enter_context(written_atomically(path))) for name, path in paths.items()}
        for name, encoded in _encode_all(_batches(documents, route), encoding, workers):
            writers[name].add(encoded, encoding)
        for name, writer in writers.items():
            if not writer.n_documents:
                raise ValueError(
                    f"no document with text for {Path(paths[name]).name}: check the source, or give more documents"
                )
            writer.finish(encoding)
    return {name: TokenFile(path, encoding) for name, path in paths.items()}


class _Batch(NamedTuple):
    name: str  # which file
    texts: list[str]
    indexes: list[int]  # which documents of the source these are


class _Encoded(NamedTuple):
    ids: np.ndarray  # uint32, an end-of-text token after each document
    n_documents: int
    n_empty: int


def _batches(documents: Iterable[str], route: Callable[[str], str]) -> Iterator[_Batch]:
    """Collect documents until there is enough work for a thread, for each file on its own."""
    if isinstance(documents, str):
        raise TypeError("documents is a single string: put it in a list, [text], or it would be read letter by letter")
    waiting: dict[str, _Batch] = {}
    characters: Counter[str] = Counter()
    for index, text in enumerate(documents):
        if not isinstance(text, str):
            raise TypeError(
                f"document {index} is a {type(text).__name__}, {str(text)[:40]!r}: a token file is made of strings, "
                "take the text column or leave the document out"
            )
        name = route(text)
        if name not in waiting:
            waiting[name] = _Batch(name, [], [])
        waiting[name].texts.append(text)
        waiting[name].indexes.append(index)
        characters[name] += len(text) + 1
        if characters[name] >= BATCH_CHARACTERS:
            yield waiting.pop(name)
            del characters[name]
    yield from waiting.values()


def _encode_all(
    batches: Iterable[_Batch], encoding: tiktoken.Encoding, workers: int | None
) -> Iterator[tuple[str, _Encoded]]:
    """Encode batches in threads (tiktoken works without the GIL) and give them back in their order."""
    if workers is None:
        from workshop_utils.machine.hardware import cores

        workers = cores()
    if workers < 1:
        raise ValueError(f"workers is {workers}: at least one thread has to do the work")
    if workers == 1:
        for batch in batches:
            yield batch.name, _encode(batch, encoding)
        return
    pool = ThreadPoolExecutor(workers)
    running: deque[tuple[str, Future[_Encoded]]] = deque()
    try:
        for batch in batches:
            running.append((batch.name, pool.submit(_encode, batch, encoding)))
            if len(running) > 2 * workers:  # no more than that in memory
                name, future = running.popleft()
                yield name, future.result()
        for name, future in running:
            yield name, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _encode(batch: _Batch, encoding: tiktoken.Encoding) -> _Encoded:
    texts = [text for text in batch.texts if text.strip()]
    try:
        return _Encoded(encode(texts, encoding), len(texts), len(batch.texts) - len(texts))
    except UnicodeEncodeError as error:
        raise ValueError(_invalid_unicode(batch)) from error


def encode(texts: list[str], encoding: tiktoken.Encoding) -> np.ndarray:
    """Tokenise documents, with the end-of-text token after each: (n_tokens,) uint32.

    Args:
        texts: valid Unicode; end-of-text within a document means the letters.
        encoding: the tokenizer.
    """
    if not texts:
        return np.empty(0, dtype=np.uint32)
    if any(len(text) > ENCODED_AT_ONCE or END_OF_TEXT in text for text in texts):
        end = np.array([encoding.eot_token], dtype=np.uint32)
        parts = []
        for text in texts:
            cut = stretches(text, ENCODED_AT_ONCE)
            parts += [*(encoding.encode_to_numpy(part, disallowed_special=()) for part in cut), end]
        return np.concatenate(parts)
    # One call for all documents is a quarter faster than one for each, and all of it without the GIL.
    joined = END_OF_TEXT.join(texts) + END_OF_TEXT
    return encoding.encode_to_numpy(joined, allowed_special={END_OF_TEXT}, disallowed_special=())


def _invalid_unicode(batch: _Batch) -> str:
    for index, text in zip(batch.indexes, batch.texts, strict=True):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return (
                f"document {index} holds {text[error.start]!r} at character {error.start}, half a surrogate pair and "
                'no valid Unicode: clean it with text.encode("utf-8", "replace").decode()'
            )
    raise AssertionError("tiktoken refused a text that is valid Unicode")


class _Writer:
    """Counts what goes into an open file, leaves room for the header and fills it in at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.n_tokens = self.n_documents = self.n_empty = 0
        file.write(bytes(HEADER_BYTES))

    def add(self, encoded: _Encoded, encoding: tiktoken.Encoding) -> None:
        self.file.write(encoded.ids.astype(_dtype(encoding)).data)
        self.n_tokens += len(encoded.ids)
        self.n_documents += encoded.n_documents
        self.n_empty += encoded.n_empty

    def finish(self, encoding: tiktoken.Encoding) -> None:
        header = {
            "dtype": _dtype(encoding),
            "fingerprint": fingerprint(encoding),
            "tokenizer": encoding.name[:80],
            "vocab_size": encoding.n_vocab,
            "eot_token": encoding.eot_token,
            "n_tokens": self.n_tokens,
            "n_documents": self.n_documents,
            "n_empty": self.n_empty,
        }
        self.file.seek(0)
        self.file.write(header_bytes(header))


def _dtype(encoding: tiktoken.Encoding) -> str:
    return "<u2" if encoding.n_vocab <= 65_536 else "<u4"  # little-endian on every machine
