"""What is written is what is read, whatever happens in between."""

import json
import random
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import torch
from tiktoken_ext.openai_public import r50k_pat_str

from workshop_utils.text import TokenFile, token_file, train_bpe, write_token_file
from workshop_utils.text.tokenizer import END_OF_TEXT


def texts(n: int = 300, seed: int = 0) -> list[str]:
    """Documents of 1 to 60 words, all different."""
    rng = random.Random(seed)
    words = ["cat", "dog", "sat", "ran", "the", "a", "big", "Mia", "said:", '"no"', "über", "🙂", "on\n\nthe", "mat."]
    return [f"{i} " + " ".join(rng.choices(words, k=rng.randint(1, 60))) for i in range(n)]


@pytest.fixture(scope="module")
def encoding() -> tiktoken.Encoding:
    return train_bpe(texts(), 290)


@pytest.fixture(scope="module")
def file(encoding, tmp_path_factory) -> TokenFile:
    return write_token_file(texts(), tmp_path_factory.mktemp("tokens") / "a.tokens", encoding)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def decoded(file: TokenFile, encoding: tiktoken.Encoding) -> list[str]:
    return [encoding.decode(file.document(i)) for i in range(file.n_documents)]


def test_documents_come_back_in_order(file, encoding):
    assert decoded(file, encoding) == texts()
    assert len(file) == file.n_tokens == len(file.tokens)
    assert file.tokens.dtype == np.uint16
    assert file.tokens[-1] == encoding.eot_token == file.eot_token
    assert "300 documents" in repr(file)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_any_number_of_workers_writes_the_same_bytes(file, encoding, tmp_path, monkeypatch, workers):
    monkeypatch.setattr(token_file, "BATCH_CHARACTERS", 700)
    again = write_token_file(iter(texts()), tmp_path / "b.tokens", encoding, workers=workers)
    assert again.path.read_bytes() == file.path.read_bytes()


def test_end_of_text_inside_a_document_is_only_letters_and_empty_ones_are_counted(encoding, tmp_path):
    odd = [f"a{END_OF_TEXT}b", "c", END_OF_TEXT, "<|endof", "text|>"]
    written = write_token_file(["", *odd, " \n"], tmp_path / "a.tokens", encoding)
    assert decoded(written, encoding) == odd
    assert (written.tokens == encoding.eot_token).sum() == 5
    assert (written.n_documents, written.n_empty) == (5, 2)


def test_large_vocabularies_take_four_bytes(tmp_path):
    ranks = {bytes([byte]): byte for byte in range(256)}
    large = tiktoken.Encoding("a", pat_str=".", mergeable_ranks=ranks, special_tokens={END_OF_TEXT: 65_536})
    written = write_token_file(["zz"], tmp_path / "a.tokens", large)
    assert (written.tokens.dtype, written.tokens.tolist()) == (np.uint32, [122, 122, 65_536])


@pytest.mark.parametrize("run", [" ", "\n", "\u00a0", "é"])
def test_a_run_of_a_million_characters_is_written_too(tmp_path, run):
    """tiktoken's Rust part panicked here, with GPT-2's pattern, and the whole corpus was lost."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    like_gpt2 = tiktoken.Encoding("a", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: 256})
    texts = ["before", f"a {run * 1_100_000}b", "after"]
    assert decoded(write_token_file(texts, tmp_path / "a.tokens", like_gpt2), like_gpt2) == texts


@pytest.mark.parametrize("crash", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_crash_leaves_the_earlier_file_and_nothing_else(encoding, tmp_path, monkeypatch, crash, workers):
    monkeypatch.setattr(token_file, "BATCH_CHARACTERS", 100)
    path = tmp_path / "a.tokens"
    write_token_file(["earlier"], path, encoding)

    def breaks() -> Iterator[str]:
        yield from texts(100)
        raise crash

    with pytest.raises(crash):
        write_token_file(breaks(), path, encoding, workers)
    assert decoded(TokenFile(path, encoding), encoding) == ["earlier"]
    assert list(tmp_path.iterdir()) == [path]


def test_memory_does_not_grow_with_the_documents(encoding, tmp_path, monkeypatch):
    monkeypatch.setattr(token_file, "BATCH_CHARACTERS", 20_000)
    many = (f"{i} the cat sat on the mat. " * 40 for i in range(4_000))  # 4.5 MB
    tracemalloc.start()
    try:
        write_token_file(many, tmp_path / "a.tokens", encoding, workers=2)
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_any_flipped_bit_is_noticed(file, tmp_path, monkeypatch):
    content = bytearray(file.path.read_bytes())
    for at in (*range(0, token_file.HEADER_BYTES, 5), *range(token_file.HEADER_BYTES, len(content), 97)):
        flipped = content.copy()
        flipped[at] ^= 1 << (at % 8)
        (tmp_path / "a.tokens").write_bytes(flipped)
        with pytest.raises(ValueError, match=r"header of a\.tokens is damaged|no token file|has been changed since"):
            TokenFile(tmp_path / "a.tokens")
    monkeypatch.setattr(token_file, "CHECKED_BYTES", 0)  # as in a file that is too large to be read whole
    (tmp_path / "a.tokens").write_bytes(content[:-2] + bytes(2))
    with pytest.raises(ValueError, match="300 documents, but 299"):
        TokenFile(tmp_path / "a.tokens").document(0)


def test_documents_are_found_piece_by_piece(file, encoding, monkeypatch):
    monkeypatch.setattr(token_file, "SCAN_TOKENS", 97)
    assert decoded(TokenFile(file.path), encoding) == texts()


def test_windows_equal_plain_slices(file):
    x, y = file.windows(5, 32, generator())
    tokens = torch.from_numpy(file.tokens.astype(np.int64))
    starts = torch.randint(file.n_tokens - 32, (5,), generator=generator()).tolist()
    assert x.dtype == y.dtype == torch.int64
    assert x.is_contiguous()
    assert y.is_contiguous()
    assert torch.equal(x, torch.stack([tokens[start : start + 32] for start in starts]))
    assert torch.equal(y, torch.stack([tokens[start + 1 : start + 33] for start in starts]))


def test_windows_reach_the_first_token_and_the_last(encoding, tmp_path):
    small = write_token_file(["abcdefgh"], tmp_path / "a.tokens", encoding)
    x, y = small.windows(500, small.n_tokens - 3, generator())
    assert {int(first) for first in x[:, 0]} == set(small.tokens[:3].tolist())
    assert (y[:, -1] == encoding.eot_token).any()


@pytest.mark.parametrize("block_size", [8, 20, 64, 4096])
def test_rows_are_aligned(file, block_size):
    x, y = file.rows(16, block_size, generator(3))
    chosen = torch.randint(file.n_documents, (16,), generator=generator(3)).tolist()
    rows = [[*file.document(i).tolist(), file.eot_token] for i in chosen]  # what has to be predicted
    longest = min(max(len(row) for row in rows), block_size)
    assert x.shape == y.shape
    assert x.dtype == y.dtype == torch.int64
    assert longest <= x.shape[1] <= min(longest + 7, block_size)
    assert x.shape[1] % 8 == 0 or x.shape[1] == block_size
    assert (x[:, 0] == file.eot_token).all()
    for row, expected in enumerate(rows):
        length = min(len(expected), block_size)
        assert y[row, :length].tolist() == expected[:length]  # a document that was cut has no end
        assert torch.equal(x[row, 1:length], y[row, : length - 1])  # y is x moved on
        assert (x[row, length:] == file.eot_token).all()
        assert (y[row, length:] == -1).all()


def test_every_document_is_drawn(file):
    _, y = file.rows(4000, 8, generator())
    assert {tuple(row[:3]) for row in y.tolist()} == {tuple(file.document(i)[:3].tolist()) for i in range(300)}


@pytest.mark.parametrize("how", ["windows", "rows"])
def test_the_generator_is_all_the_state_there_is(file, how):
    one, other = generator(7), torch.Generator()
    file.batch(how, 4, 32, one)
    other.set_state(one.get_state())
    again = TokenFile(file.path)
    for _ in range(3):
        expected, found = file.batch(how, 4, 32, one), again.batch(how, 4, 32, other)
        assert all(map(torch.equal, expected, found))


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda f, new, whole: TokenFile("none.tokens"), FileNotFoundError, "there is no token file at none.tokens"),
        (lambda f, new, whole: TokenFile(new(b"nanoGPT" * 500)), ValueError, "b.tokens is no token file"),
        (lambda f, new, whole: TokenFile(new(whole[:600])), ValueError, "header of b.tokens is damaged"),
        (lambda f, new, whole: TokenFile(new(whole[:-1])), ValueError, "b.tokens has .* bytes, but its .* tokens take"),
        (lambda f, new, whole: TokenFile(new(whole[:-2] + b"\0\0")), ValueError, "b.tokens has been changed since"),
        (lambda f, new, whole: TokenFile(f.path, train_bpe(texts(), 280, "other")), ValueError, "'pocket' .*'other'"),
        (lambda f, new, whole: f.windows(2, len(f), generator()), ValueError, "but a window of block_size"),
    ],
)
def test_what_is_refused_to_be_read(file, tmp_path, call, kind, words):
    def new(content: bytes) -> Path:
        (tmp_path / "b.tokens").write_bytes(content)
        return tmp_path / "b.tokens"

    with pytest.raises(kind, match=words):
        call(file, new, file.path.read_bytes())


COUNTS, NAMES = ["n_tokens", "n_documents", "n_empty", "vocab_size", "eot_token"], ["fingerprint", "tokenizer", "dtype"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda head: [head], "header of b.tokens is damaged"),
        (lambda head: "[" * 1000, "header of b.tokens is damaged"),
        (lambda head: {"version": 1}, "header of b.tokens is damaged"),
        *((lambda head, name=name: head | {name: str(head[name])}, "is damaged") for name in COUNTS),
        *((lambda head, name=name: head | {name: 5}, "is damaged") for name in NAMES),
        (lambda head: head | {"version": "1"}, "is damaged"),
        (lambda head: head | {"version": 0}, "is damaged"),
        (lambda head: head | {"n_documents": True}, "is damaged"),
        (lambda head: head | {"n_documents": 0}, "is damaged"),
        (lambda head: head | {"n_documents": head["n_tokens"] + 1}, "is damaged"),
        (lambda head: head | {"n_tokens": -3}, "is damaged"),
        (lambda head: head | {"n_tokens": 1e999}, "is damaged"),
        (lambda head: head | {"n_empty": -1}, "is damaged"),
        (lambda head: head | {"dtype": "x"}, "is damaged"),
        (lambda head: head | {"dtype": "O"}, "is damaged"),
        (lambda head: head | {"eot_token": head["vocab_size"]}, "is damaged"),
        (lambda head: head | {"version": 99}, "header of b.tokens is of version 99.*: update"),
        (lambda head: {"version": 2, "shards": 3}, "header of b.tokens is of version 2.*: update"),
    ],
)
def test_a_header_is_looked_at_even_if_its_sum_is_right(file, tmp_path, change, words):
    whole, start = file.path.read_bytes(), token_file.HEADER_BYTES
    made = change(json.loads(whole[12:start]))
    content = (made if isinstance(made, str) else json.dumps(made)).encode().ljust(start - 12)
    path = tmp_path / "b.tokens"
    path.write_bytes(token_file.MAGIC + zlib.crc32(content).to_bytes(4, "little") + content + whole[start:])
    with pytest.raises(ValueError, match=words):
        TokenFile(path)


@pytest.mark.parametrize(
    ("documents", "kind", "words"),
    [
        (["a", "b", None], TypeError, "text 2 is a NoneType"),
        ("a text", TypeError, "single string"),
        (["", " "], ValueError, "no document with text for a.tokens"),
        (["a", "bc\ud800", "d"], ValueError, "half a surrogate pair"),
    ],
)
def test_what_is_refused_to_be_written(encoding, tmp_path, documents, kind, words):
    with pytest.raises(kind, match=words):
        write_token_file(documents, tmp_path / "a.tokens", encoding)
    assert not list(tmp_path.iterdir())
