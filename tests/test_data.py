"""data: what is written is what is read, whatever happens in between."""

import base64
import bz2
import csv
import errno
import gzip
import io
import json
import lzma
import os
import pickle
import random
import re
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiktoken_ext.openai_public import r50k_pat_str

from workshop_utils.machine import files, hardware, hub
from workshop_utils.text import corpus as data
from workshop_utils.text import token_file as tokenfile
from workshop_utils.text import tokenise
from workshop_utils.text.corpus import (
    TokenFile,
    documents,
    prepare,
    read_corpus,
    read_text,
    split_of,
    split_text,
    write_token_file,
    write_token_files,
)
from workshop_utils.text.tokenizer import END_OF_TEXT, fingerprint, train_bpe


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


PROSE = "Die Straße war naß, die Mädchen gingen früh schlafen.\nÜber Nacht fiel Schnee auf das Dach, viel Schnee.\n"


def zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, PROSE)
    return content.getvalue()


def parquet_bytes() -> bytes:
    import pyarrow
    from pyarrow import parquet

    content = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": [PROSE]}), content)
    return content.getvalue()


def tarred() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = len(PROSE.encode())
        archive.addfile(member, io.BytesIO(PROSE.encode()))
    return content.getvalue()


ROWS = [{"id": i, "label": "a", "body": f"{i}, {PROSE}"} for i in range(12)]


def table(delimiter: str) -> bytes:
    content = io.StringIO()
    writer = csv.DictWriter(content, list(ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return content.getvalue().encode()


# What people hand over: the file's name, its content, what the message calls it.
CURED_BY_A_COMMAND = [
    ("a.txt.gz", gzip.compress(PROSE.encode()), "gzip"),
    ("a.bz2", bz2.compress(PROSE.encode()), "bzip2"),
    ("a.xz", lzma.compress(PROSE.encode()), "xz"),
    ("a.txt", PROSE.encode("utf-16"), "UTF-16"),
    ("a.txt", b"\xfe\xff" + PROSE.encode("utf-16-be"), "UTF-16"),
    ("a.txt", PROSE.encode("utf-16-le"), "UTF-16, without the mark"),
    ("a.txt", PROSE.encode("utf-16-be"), "UTF-16, without the mark"),
    ("a.txt", PROSE.encode("utf-32"), "UTF-32"),
    ("a.txt", PROSE.encode("cp1252"), r'Line 1 would read "Die Straße war naß'),
    ("ein Buch für alle.txt", PROSE.encode("latin-1"), "Windows-1252"),
    ("a.txt", PROSE.encode().replace(b" ", b"\0 "), "16 NUL bytes, the first at byte 3"),
    ("a.txt", PROSE.encode().replace("ä".encode(), b"\xff"), "damaged UTF-8: bytes are no letter in 1 place,"),
    ("a.jsonl", "\n".join(map(json.dumps, ROWS)).encode(), "JSON Lines"),
    ("a.txt", "\r\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode("utf-8-sig"), "JSON Lines"),
    ("a.json", json.dumps([{"text": PROSE}] * 3, indent=1).encode(), "is JSON,"),
    ("a.json", json.dumps([{"text": PROSE}] * 3).encode(), "is JSON,"),
    ("a.csv", table(","), "CSV, a table with the columns id, label, body"),
    ("a.csv", table(";"), "CSV, a table"),
    ("a.txt", table(","), "CSV, a table"),
    ("a.tsv", table("\t"), "TSV, a table"),
    ("a.parquet", parquet_bytes(), "Parquet"),
]
CURED_BY_HAND = [
    ("a.txt", b"", "is empty"),
    ("a.txt", b" \n\t ", "is empty"),
    ("a.zip", zipped("a.txt"), "ZIP archive.*python -m zipfile -e"),
    ("a.docx", zipped("word/document.xml"), "Word document.*plain text, UTF-8"),
    ("a.epub", zipped("application/epub+zip"), "e-book.*Calibre"),
    ("a.odt", zipped("application/vnd.oasis.opendocument.text"), "OpenDocument"),
    ("a.xlsx", zipped("xl/workbook.xml"), "Excel"),
    ("a.rtf", b"{\\rtf1\\ansi a text}", "Rich Text"),
    ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "Office document"),
    ("a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF.*pip install pypdf"),
    ("a.zst", b"\x28\xb5\x2f\xfd\x04\x00", "Zstandard.*pip install zstandard"),
    ("a.7z", b"7z\xbc\xaf\x27\x1c\0\4", "7-Zip"),
    ("train.tokens", b"SLMTOKEN" + bytes(1016), "token file.*--config"),
    ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture"),
    ("a.db", b"SQLite format 3\0" + bytes(500), "SQLite"),
    ("a.tar", tarred(), "tar archive.*python -m tarfile -e"),
    ("a.pkl", pickle.dumps(PROSE), "pickle"),
    ("a.bin", random.Random(0).randbytes(5_000), "another kind of file. Choose the text, or save"),
    ("a.jsonl", b'# rows\n{"text": "a"}\n', "JSON"),
    ("a.jsonl", b'"a story"\n"another"\n', "JSON"),
    ("a.txt", b'["text", 1]\n["text", 2]\n', "JSON"),
    ("a.txt", b"{'text': 'a'}\n{'text': 'b'}\n", "Python's dictionaries"),
    ("a.html", b"<p>A text</p>", "HTML.*end in .txt"),
    ("a.txt", b"<!-- a page --><p>A text</p>", "HTML"),
    ("a.svg", b"<g><text>A text</text></g>", "XML"),
    ("a.csv", b"35,x\n1,2\n", r"row\['x'\]"),
    ("a.csv", b"35,36\n1,2\n", r"row\['text'\].*with your column of texts"),
    ("a.ipynb", b'{"cells": []}', "notebook.*nbconvert"),
    ("a.json", b'{"stories": ["a"]}', "JSON.*take its texts out"),
    ("chat.jsonl", b'{"messages": [{"role": "user", "content": "a"}]}\n', "JSON.*take its texts out"),
    ("a.html", b"\n<!DOCTYPE html><html><body>A text</body></html>", "HTML.*browser"),
    ("a.xml", b"<?xml version='1.0'?><a>A text</a>", "XML"),
]


class TestReadText:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    @pytest.mark.parametrize("read", [read_text, lambda path: read_corpus(path).decode()])
    def test_reads_utf8_with_or_without_a_mark_and_any_line_ends(self, tmp_path, end, mark, read):
        (tmp_path / "t.txt").write_bytes(mark + f"a\nb{end}{end}ü".encode())
        assert read(tmp_path / "t.txt") == "a\nb\n\nü"

    def test_a_letter_across_the_border_of_what_is_read_at_once(self, tmp_path, monkeypatch):
        monkeypatch.setattr(data, "HEAD", 7)
        (tmp_path / "t.txt").write_text(PROSE, encoding="utf-8", newline="")
        assert read_text(tmp_path / "t.txt") == PROSE
        (tmp_path / "t.txt").write_bytes(PROSE.encode()[:-1] + "ß".encode()[:1])
        with pytest.raises(ValueError, match="damaged UTF-8"):
            read_text(tmp_path / "t.txt")

    @pytest.mark.parametrize(("name", "content", "said"), CURED_BY_A_COMMAND)
    def test_names_the_format_and_a_command_that_works(self, tmp_path, name, content, said):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=said) as error:
            read_corpus(tmp_path / name)
        command = re.search(r'python -c "([^"]+)"', str(error.value))
        subprocess.run([sys.executable, "-c", command[1]], check=True, env=os.environ | {"PYTHONUTF8": "0"})
        text = read_corpus(tmp_path / f"{Path(name).stem}-text.txt").decode()
        assert "Mädchen" in text or "M\ufffddchen" in text
        assert "\\u" not in text
        assert (tmp_path / name).read_bytes() == content

    @pytest.mark.parametrize(("name", "content", "said"), CURED_BY_HAND)
    def test_names_the_format_and_what_to_do(self, tmp_path, name, content, said):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=said):
            read_corpus(tmp_path / name)

    @pytest.mark.parametrize("name", ["a.csv", "a.txt"])
    @pytest.mark.parametrize("content", [table(","), table("\t"), "\n".join(map(json.dumps, ROWS)).encode()])
    def test_whoever_means_the_syntax_says_so_in_the_first_line(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(b"These are rows\n" + content)
        assert read_corpus(tmp_path / name).startswith(b"These are rows\n")

    @pytest.mark.parametrize(
        "text",
        [
            PROSE * 20,
            "Roses are red, violets are blue,\nSugar is sweet\nAnd so are you.\n" * 20,
            '"Yes," she said.\n"No, no," he said, "never."\n' * 20,
            "[Enter HAMLET]\n{sic}\nO, that this too, too solid flesh\n" * 20,
            "def f(a, b):\n    return {'a': a, 'b': b}\n" * 20,
            "# A list\n\n- one, two\n- three, four\n" * 20,
            "12.03.21, 14:05 - Mia: Hello, you\n12.03.21, 14:06 - Tom: Hi\n" * 20,
        ],
    )
    def test_takes_prose_verse_and_code_for_text(self, tmp_path, text):
        (tmp_path / "t.txt").write_text(text, encoding="utf-8")
        assert read_corpus(tmp_path / "t.txt").decode() == text

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("One.\n<|EndOfText|>\nTwo.\n<|EndOfText|>\n", "2 lines are only <|EndOfText|>, learnt as text"),
            ("One.\n<| endoftext |>\n" * 3, "3 lines are only <| endoftext |>"),
            ("One.\n</s>\n" * 3, "3 lines are only </s>"),
            ("One.\n&lt;|endoftext|&gt;\n" * 3, "3 lines are only &lt;|endoftext|&gt;"),
            ("a" * 300_000, "it repeats itself"),
            ("The same line again.\n" * 5_000, "it repeats itself"),
            (random.Random(0).randbytes(20_000).hex(), "hardly is language"),
            (base64.encodebytes(random.Random(0).randbytes(20_000)).decode(), "hardly is language"),
            ("\n".join(str(random.Random(i).random()) for i in range(3_000)), "hardly is language"),
            (f"One.\n{END_OF_TEXT}\n" * 3, ""),
            (" ".join(texts()), ""),
        ],
    )
    def test_what_most_likely_is_a_mistake_is_said(self, tmp_path, capsys, content, said):
        (tmp_path / "t.txt").write_text(content, encoding="utf-8")
        read_corpus(tmp_path / "t.txt")
        found = capsys.readouterr().out
        assert said in found
        assert bool(said) == bool(found)

    def test_a_name_that_a_shell_would_read_is_left_out_of_the_command(self, tmp_path):
        (tmp_path / "Grimm's $tales.txt").write_bytes(PROSE.encode("utf-16"))
        with pytest.raises(ValueError, match="'FILE'"):
            read_text(tmp_path / "Grimm's $tales.txt")

    def test_missing_or_a_folder(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no text file at"):
            read_text(tmp_path / "t.txt")
        with pytest.raises(FileNotFoundError, match=r"is a folder: name one file.*<\|endoftext\|> between"):
            read_text(tmp_path)

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.one_of(
            st.binary(max_size=300),
            st.builds(bytes.__add__, st.sampled_from([start for start, *_ in data.BINARY]), st.binary(max_size=60)),
            st.builds(
                lambda text, encoding, cut: text.encode(encoding, "replace")[cut:],
                st.text(max_size=60),
                st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1", "cp437"]),
                st.integers(0, 3),
            ),
            st.builds(lambda text: text.encode("utf-8", "surrogatepass"), st.text(st.characters(), max_size=40)),
            st.builds(
                lambda rows, cut: "\n".join(map(json.dumps, rows)).encode()[cut:],
                st.lists(st.dictionaries(st.text(max_size=9), st.none() | st.text() | st.lists(st.text())), max_size=5),
                st.integers(0, 2),
            ),
        )
    )
    def test_any_bytes_are_a_text_or_a_sentence(self, tmp_path, content):
        (tmp_path / "any.txt").write_bytes(content)
        try:
            text = read_corpus(tmp_path / "any.txt")
        except ValueError as error:
            said = error
        else:
            said = None
            assert text.decode() == content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        assert said is None or str(said).startswith(f"{tmp_path / 'any.txt'} "), "a UnicodeDecodeError is no sentence"


class TestSplitText:
    def test_documents_are_held_out_whole_and_copies_together(self):
        stories = [f"Once upon a time {i} cats sat.\nThey ran.".encode() for i in range(100)]
        content = b"\n<|endoftext|>\n".join([*stories, *stories[:30]]) + b"\n<|endoftext|>\n"
        parts, said = split_text(content, 128)
        assert sorted(parts["train"] + parts["val"]) == sorted(stories + stories[:30])
        assert not set(parts["train"]) & set(parts["val"])
        assert 5 <= len(parts["val"]) <= 15
        assert f"130 documents, cut at <|endoftext|>; held out for validation: {len(parts['val'])} whole" in said
        again, _ = split_text(b"<|endoftext|>".join(reversed(stories)), 128)
        assert set(again["val"]) <= set(parts["val"]) | set(parts["train"])

    def test_no_giant_is_held_out(self):
        giant = b"a giant " * 10_000
        for i in range(30):
            parts, _ = split_text(b"<|endoftext|>".join([giant, *(f"{i} {j} small".encode() for j in range(20))]), 128)
            assert giant.strip() in parts["train"]
            assert parts["val"]

    def test_of_one_text_slices_are_held_out_all_over(self):
        content = "".join(f"Zeile {i}: der Bär schläft.\n" for i in range(20_000)).encode()
        parts, said = split_text(content, 128)
        order = [piece for pair in zip_longest(parts["train"], parts["val"], fillvalue=b"") for piece in pair]
        assert b"".join(order) == content
        assert len(parts["val"]) == 10
        assert all(piece.startswith(b"Zeile") and piece.endswith(b"\n") for piece in order[:-1])
        assert sum(map(len, parts["val"])) == pytest.approx(len(content) / 10, rel=0.02)
        assert "held out for validation: 10 slices spread over the text, 10% of the text" in said
        for start in range(0, len(content), len(content) // 5):  # a licence at the end is in one slice, no more
            place = content[start : start + len(content) // 5]
            assert 1 <= sum(piece in place for piece in parts["val"]) <= 3

    @pytest.mark.parametrize(("length", "n"), [(2_000, 1), (30_000, 2), (110_000, 10), (1_000_000, 10)])
    def test_a_short_text_has_few_slices(self, length, n):
        parts, _ = split_text(b"a word\n" * (length // 7), 128)
        assert len(parts["val"]) == n
        assert min(map(len, parts["val"])) > 128

    def test_a_long_text_is_cut_into_more(self, monkeypatch):
        monkeypatch.setattr(data, "LONGEST_PART", 20_000)
        parts, _ = split_text(b"a word\n" * 100_000, 128)
        assert len(parts["val"]) == 35
        assert max(map(len, parts["train"])) < 20_000

    def test_of_few_documents_each_gives_slices(self):
        books = [f"book {i} has a line\n".encode() * 2000 for i in range(3)]
        parts, said = split_text(b"<|endoftext|>".join(books), 128)
        assert {piece[:6] for piece in parts["val"]} == {b"book 0", b"book 1", b"book 2"}
        assert "3 documents" in said

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=300), st.integers(1, 20))
    def test_nothing_is_lost_and_no_letter_is_cut(self, text, block_size):
        parts, _ = split_text(text.encode(), block_size)
        pieces = [piece.decode() for piece in (*parts["train"], *parts["val"])]
        assert all(pieces)
        assert sum(map(len, pieces)) == len(text)


class TestSplit:
    def test_share_and_stability(self):
        many = [f"document {i}" for i in range(20_000)]
        assert 0.015 < sum(split_of(text) == "val" for text in many) / len(many) < 0.025
        assert [split_of(f"document {i}") for i in (0, 1, 13, 58)] == ["train", "train", "val", "val"]  # for ever
        assert all(split_of(text, 0) == "train" for text in many[:1000])

    @pytest.mark.parametrize("percent", [-1, 51])
    def test_out_of_range(self, percent):
        with pytest.raises(ValueError, match=f"val_percent is {percent}"):
            split_of("a", percent)


class TestWriting:
    def test_documents_come_back_in_order(self, file, encoding):
        assert file.n_documents == 300
        assert len(file) == file.n_tokens == len(file.tokens)
        assert file.tokens.dtype == np.uint16
        assert [encoding.decode(file.document(i)) for i in range(300)] == texts()
        assert file.tokens[-1] == encoding.eot_token == file.eot_token
        assert "300 documents" in repr(file)

    @pytest.mark.parametrize("workers", [1, 2, 5])
    def test_any_number_of_workers_writes_the_same_bytes(self, file, encoding, tmp_path, monkeypatch, workers):
        monkeypatch.setattr(tokenise, "BATCH_CHARACTERS", 700)
        again = write_token_file(iter(texts()), tmp_path / "b.tokens", encoding, workers=workers)
        assert again.path.read_bytes() == file.path.read_bytes()

    def test_end_of_text_inside_a_document_is_only_letters(self, encoding, tmp_path):
        odd = [f"a{END_OF_TEXT}b", "c", END_OF_TEXT, "<|endof", "text|>"]
        written = write_token_file(odd, tmp_path / "a.tokens", encoding)
        assert [encoding.decode(written.document(i)) for i in range(5)] == odd
        assert (written.tokens == encoding.eot_token).sum() == 5

    def test_empty_documents_are_skipped_and_counted(self, encoding, tmp_path):
        written = write_token_file(["", "a", " \n", "b", ""], tmp_path / "a.tokens", encoding)
        assert (written.n_documents, written.n_empty) == (2, 3)
        with pytest.raises(ValueError, match="no document with text"):
            write_token_file(["", " "], tmp_path / "b.tokens", encoding)
        assert [path.name for path in tmp_path.iterdir()] == ["a.tokens"]

    def test_large_vocabularies_take_four_bytes(self, tmp_path):
        singles = [bytes([b]) for b in range(256)]
        ranks = {token: i for i, token in enumerate(singles + [a + b for a in singles for b in singles])}
        large = tiktoken.Encoding(
            "large", pat_str=r"[\s\S]{2}|[\s\S]", mergeable_ranks=ranks, special_tokens={END_OF_TEXT: len(ranks)}
        )
        written = write_token_file(["zz\xff"], tmp_path / "a.tokens", large)
        assert written.tokens.dtype == np.uint32
        assert large.decode(written.document(0)) == "zz\xff"
        assert written.tokens[-1] == 65_792

    @pytest.mark.parametrize("run", [" ", "\n", " \n", "\u00a0", "a", "é"])
    def test_a_run_of_a_million_characters_is_written_too(self, tmp_path, run):
        """tiktoken's Rust part panicked here, with GPT-2's pattern, and the whole corpus was lost."""
        ranks = {bytes([byte]): byte for byte in range(256)}
        gpt2_like = tiktoken.Encoding(
            "gpt2-like", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens={END_OF_TEXT: 256}
        )
        texts = ["before", f"a {run * (1_100_000 // len(run))}b", "after"]
        written = write_token_file(texts, tmp_path / "a.tokens", gpt2_like)
        assert [gpt2_like.decode(written.document(i)) for i in range(3)] == texts

    @pytest.mark.parametrize("bad", [None, 3, b"bytes", ["a"]])
    def test_not_a_string(self, encoding, tmp_path, bad):
        with pytest.raises(TypeError, match=f"document 2 is a {type(bad).__name__}"):
            write_token_file(["a", "b", bad, "c"], tmp_path / "a.tokens", encoding)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("more", ["", END_OF_TEXT])
    def test_half_a_surrogate_pair(self, encoding, tmp_path, more):
        with pytest.raises(ValueError, match=r"document 1 holds.*character 2"):
            write_token_file(["a", f"bc\ud800{more}", "d"], tmp_path / "a.tokens", encoding)

    def test_one_string_instead_of_a_list(self, encoding, tmp_path):
        with pytest.raises(TypeError, match="single string"):
            write_token_file("a text", tmp_path / "a.tokens", encoding)

    def test_no_workers(self, encoding, tmp_path):
        with pytest.raises(ValueError, match="workers is 0"):
            write_token_file(["a"], tmp_path / "a.tokens", encoding, workers=0)

    @pytest.mark.parametrize("crash", [RuntimeError, KeyboardInterrupt])
    @pytest.mark.parametrize("workers", [1, 3])
    def test_a_crash_leaves_the_earlier_file_and_nothing_else(self, encoding, tmp_path, monkeypatch, crash, workers):
        monkeypatch.setattr(tokenise, "BATCH_CHARACTERS", 100)
        path = tmp_path / "a.tokens"
        write_token_file(["earlier"], path, encoding)

        def breaks() -> Iterator[str]:
            yield from texts(100)
            raise crash

        with pytest.raises(crash):
            write_token_file(breaks(), path, encoding, workers)
        assert encoding.decode(TokenFile(path, encoding).document(0)) == "earlier"
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("when", ["writing", "fsync"])
    def test_no_space_left(self, encoding, tmp_path, monkeypatch, when):
        path = tmp_path / "a.tokens"
        write_token_file(["earlier"], path, encoding)

        def full(*args):
            raise OSError(errno.ENOSPC, "No space left on device")

        if when == "writing":
            monkeypatch.setattr(tokenise._Writer, "add", full)
        else:
            monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match=r"no space left for a\.tokens.*nothing was changed"):
            write_token_file(texts(), path, encoding)
        assert encoding.decode(TokenFile(path, encoding).document(0)) == "earlier"
        assert list(tmp_path.iterdir()) == [path]

    def test_memory_does_not_grow_with_the_documents(self, encoding, tmp_path, monkeypatch):
        monkeypatch.setattr(tokenise, "BATCH_CHARACTERS", 20_000)
        many = (f"{i} the cat sat on the mat. " * 40 for i in range(8_000))  # 9 MB
        tracemalloc.start()
        try:
            written = write_token_file(many, tmp_path / "a.tokens", encoding, workers=2)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert written.n_documents == 8_000
        assert peak < 2e6

    def test_several_files_in_one_pass(self, encoding, tmp_path, monkeypatch):
        monkeypatch.setattr(tokenise, "BATCH_CHARACTERS", 300)
        paths = {"train": tmp_path / "t.tokens", "val": tmp_path / "v.tokens"}
        written = write_token_files(iter(texts()), paths, encoding, lambda text: split_of(text, 20), workers=3)
        for split, found in written.items():
            expected = [text for text in texts() if split_of(text, 20) == split]
            assert [encoding.decode(found.document(i)) for i in range(found.n_documents)] == expected


class TestOpening:
    def test_missing_and_other_files(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no token file"):
            TokenFile(tmp_path / "none.tokens")
        (tmp_path / "a.tokens").write_bytes(np.arange(5000, dtype=np.uint16).tobytes())  # as nanoGPT writes them
        with pytest.raises(ValueError, match="no token file of this workshop"):
            TokenFile(tmp_path / "a.tokens")
        (tmp_path / "a.tokens").write_bytes(b"")
        with pytest.raises(ValueError, match="no token file of this workshop"):
            TokenFile(tmp_path / "a.tokens")

    @pytest.mark.parametrize("cut", [1, 2, 500, -2])
    def test_truncated_or_too_long(self, file, tmp_path, cut):
        content = file.path.read_bytes()
        (tmp_path / "a.tokens").write_bytes(content[:-cut] if cut > 0 else content + b"ab")
        with pytest.raises(ValueError, match=f"{len(content) - cut:,} bytes, but its {file.n_tokens:,} tokens take"):
            TokenFile(tmp_path / "a.tokens")

    def test_cut_inside_the_header(self, file, tmp_path):
        (tmp_path / "a.tokens").write_bytes(file.path.read_bytes()[:600])
        with pytest.raises(ValueError, match=r"header of a\.tokens is damaged"):
            TokenFile(tmp_path / "a.tokens")

    def test_every_flipped_bit_of_the_header(self, file, tmp_path):
        content = bytearray(file.path.read_bytes())
        for at in range(tokenfile.HEADER_BYTES):
            flipped = content.copy()
            flipped[at] ^= 1 << (at % 8)
            (tmp_path / "a.tokens").write_bytes(flipped)
            with pytest.raises(ValueError, match=r"header of a\.tokens is damaged|no token file"):
                TokenFile(tmp_path / "a.tokens")

    def test_another_tokenizer(self, file, encoding):
        other = train_bpe(texts(seed=1), 290, name="other")
        with pytest.raises(ValueError, match=f"{fingerprint(encoding)}.*'other' .{fingerprint(other)}"):
            TokenFile(file.path, other)
        assert TokenFile(file.path, encoding).fingerprint == fingerprint(encoding)

    def test_another_version(self, file, tmp_path, monkeypatch):
        monkeypatch.setattr(tokenfile, "VERSION", 2)
        with pytest.raises(ValueError, match="version 1, this package reads 2"):
            TokenFile(file.path)

    def test_damaged_content_is_noticed_when_documents_are_counted(self, file, tmp_path):
        content = bytearray(file.path.read_bytes())
        content[-2:] = b"\x00\x00"  # the last end-of-text token
        (tmp_path / "a.tokens").write_bytes(content)
        with pytest.raises(ValueError, match="should hold 300 documents, but 299"):
            TokenFile(tmp_path / "a.tokens").document(0)

    def test_no_such_document(self, file):
        for i in (-1, 300):
            with pytest.raises(IndexError, match=f"no document {i}"):
                file.document(i)

    def test_documents_are_found_in_small_memory(self, encoding, tmp_path, file, monkeypatch):
        monkeypatch.setattr(tokenfile, "SCAN_TOKENS", 97)
        assert [len(TokenFile(file.path).document(i)) for i in range(300)] == [
            len(file.document(i)) for i in range(300)
        ]
        monkeypatch.undo()
        n_tokens = 100_000_000  # a sparse file of 200 MB
        header = {
            "dtype": "<u2", "fingerprint": "", "tokenizer": "", "vocab_size": 320, "eot_token": 319,
            "n_tokens": n_tokens, "n_documents": 2, "n_empty": 0,
        }  # fmt: skip
        with open(tmp_path / "big.tokens", "wb") as big:
            big.write(tokenfile.header_bytes(header))
            for at in (70_000_000, n_tokens - 1):
                big.seek(tokenfile.HEADER_BYTES + 2 * at)
                big.write((319).to_bytes(2, "little"))
        tracemalloc.start()
        try:
            assert len(TokenFile(tmp_path / "big.tokens").document(1)) == n_tokens - 70_000_002
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 20e6


class TestWindows:
    def test_equal_plain_slices(self, file):
        x, y = file.windows(5, 32, generator())
        starts = torch.randint(file.n_tokens - 32, (5,), generator=generator()).tolist()
        tokens = torch.from_numpy(file.tokens.astype(np.int64))
        assert x.dtype == y.dtype == torch.int64
        assert x.is_contiguous()
        assert y.is_contiguous()
        for row, start in enumerate(starts):
            assert torch.equal(x[row], tokens[start : start + 32])
            assert torch.equal(y[row], tokens[start + 1 : start + 33])

    def test_all_of_a_file_can_be_drawn(self, encoding, tmp_path):
        small = write_token_file(["abcdefgh"], tmp_path / "a.tokens", encoding)
        size = small.n_tokens
        x, y = small.windows(500, size - 3, generator())
        assert {int(first) for first in x[:, 0]} == set(small.tokens[:3].tolist())
        assert (y[:, -1] == encoding.eot_token).any()
        x, y = small.windows(2, size - 1, generator())
        assert x.shape == (2, size - 1)

    def test_too_short(self, file):
        n = file.n_tokens
        with pytest.raises(ValueError, match=f"{n:,} tokens, but a window of block_size {n} needs {n + 1}"):
            file.windows(2, n, generator())


class TestRows:
    @pytest.mark.parametrize("block_size", [8, 20, 64, 4096])
    def test_alignment(self, file, block_size):
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
            assert y[row, :length].tolist() == expected[:length]
            assert torch.equal(x[row, 1:length], y[row, : length - 1])  # y is x moved on
            assert (x[row, length:] == file.eot_token).all()
            assert (y[row, length:] == -1).all()
            whole = len(expected) <= block_size
            assert (y[row] == file.eot_token).sum() == whole  # a document that was cut has no end
            if whole:
                assert y[row, length - 1] == file.eot_token

    def test_every_document_is_drawn(self, file):
        _, y = file.rows(4000, 8, generator())
        first = {tuple(row[:3]) for row in y.tolist()}
        assert first == {tuple(file.document(i)[:3].tolist()) for i in range(300)}

    def test_one_token(self, encoding, tmp_path):
        x, y = write_token_file(["a"], tmp_path / "a.tokens", encoding).rows(2, 64, generator())
        assert x.tolist() == [[encoding.eot_token, ord("a"), *[encoding.eot_token] * 6]] * 2
        assert y.tolist() == [[ord("a"), encoding.eot_token, *[-1] * 6]] * 2

    def test_needs_a_row(self, file):
        with pytest.raises(ValueError, match="block_size 0"):
            file.rows(2, 0, generator())

    def test_is_quick(self, file):
        file.rows(8, 256, generator())
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(20):
                file.rows(8, 256, generator())
            best = min(best, (time.perf_counter() - start) / 20)
        assert best < 1e-3


class TestBatch:
    @pytest.mark.parametrize("how", ["windows", "rows"])
    def test_the_generator_is_all_the_state_there_is(self, file, how):
        one = generator(7)
        file.batch(how, 4, 32, one)
        state = one.get_state()
        expected = [file.batch(how, 4, 32, one) for _ in range(3)]
        other = torch.Generator()
        other.set_state(state)
        again = TokenFile(file.path)
        for x, y in expected:
            x2, y2 = again.batch(how, 4, 32, other)
            assert torch.equal(x, x2)
            assert torch.equal(y, y2)

    def test_unknown_way(self, file):
        with pytest.raises(ValueError, match="how is 'random'"):
            file.batch("random", 4, 32, generator())


@dataclass(frozen=True)
class SomeProfile:
    """What documents and prepare look at."""

    text: str = "stories"
    n_documents: int | None = 200
    tokenizer: str = "pocket"


TINY = "roneneldan/TinyStories"
FINEWEB = "HuggingFaceFW/fineweb-edu"


def write_parquet(path: Path, columns: dict[str, list]) -> None:
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path)


class TestDocuments:
    @pytest.fixture(autouse=True)
    def hub(self, tmp_path, monkeypatch) -> Path:
        monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path / "hub"))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        (tmp_path / "hub").mkdir()
        return tmp_path / "hub"

    def test_stories(self):
        found = list(documents(SomeProfile()))
        assert len(found) == len(set(found)) == 200
        assert list(documents(SomeProfile(), limit=5)) == found[:5]

    @pytest.mark.parametrize("folder", [".", "data"])
    def test_tiny_stories(self, hub, folder):
        for part in (0, 1):
            write_parquet(
                hub / TINY / folder / f"train-0000{part}-of-00002.parquet", {"text": [f"{part}a", f"{part}b"]}
            )
        write_parquet(hub / TINY / folder / "validation-00000-of-00001.parquet", {"text": ["held out"]})
        assert list(documents(SomeProfile(TINY))) == ["0a", "0b", "1a", "1b"]
        assert list(documents(SomeProfile(TINY), limit=3)) == ["0a", "0b", "1a"]

    def test_fineweb_takes_the_sample(self, hub):
        columns = {name: ["x", "y"] for name in ("id", "dump", "url", "file_path", "language")}
        columns |= {"language_score": [0.9, 0.8], "token_count": [1, 2], "score": [3.1, 3.2], "int_score": [3, 3]}
        write_parquet(hub / FINEWEB / "sample/10BT/000_00000.parquet", {"text": ["a", "b"], **columns})
        write_parquet(hub / FINEWEB / "data/CC-MAIN-2013-20/train-00000.parquet", {"text": ["other"] * 2, **columns})
        assert list(documents(SomeProfile(FINEWEB))) == ["a", "b"]

    def test_missing_column(self, hub):
        write_parquet(hub / TINY / "train.parquet", {"story": ["a"], "id": [1]})
        with pytest.raises(ValueError, match=f"row 0 of {TINY} has no column 'text', only story, id"):
            list(documents(SomeProfile(TINY)))

    @pytest.mark.parametrize(("column", "kind"), [(["a", None], "NoneType"), ([["a"], ["b"]], "list"), ([1, 2], "int")])
    def test_wrong_type(self, hub, column, kind):
        write_parquet(hub / TINY / "train.parquet", {"text": column})
        row = 1 if kind == "NoneType" else 0
        with pytest.raises(ValueError, match=f"column 'text' of row {row} of {TINY} is a {kind}"):
            list(documents(SomeProfile(TINY)))

    def test_damaged_file(self, hub):
        write_parquet(hub / TINY / "train.parquet", {"text": ["a" * 1000] * 1000})
        content = (hub / TINY / "train.parquet").read_bytes()
        (hub / TINY / "train.parquet").write_bytes(content[: len(content) // 2])
        with pytest.raises(ValueError, match=r"is damaged.*copy it again"):
            list(documents(SomeProfile(TINY)))

    def test_empty_folder(self):
        with pytest.raises(FileNotFoundError, match="WORKSHOP_HUB is set, but"):
            list(documents(SomeProfile(TINY)))

    def test_unreachable_hub_is_one_sentence_at_once(self, monkeypatch):
        monkeypatch.delenv("WORKSHOP_HUB")
        monkeypatch.setattr(hub, "hub_reachable", lambda *args: (False, "no answer"))
        start = time.perf_counter()
        with pytest.raises(ConnectionError, match=r"no answer.*WORKSHOP_PROFILE=pocket.*WORKSHOP_HUB"):
            list(documents(SomeProfile(TINY)))
        assert time.perf_counter() - start < 1

    def test_hub_that_breaks_off(self, monkeypatch):
        import datasets

        def breaks(*args, **kwargs) -> Iterator[dict]:
            assert args == (FINEWEB, "sample-10BT")
            assert kwargs == {"split": "train", "streaming": True}
            yield {"text": "a"}
            raise ConnectionResetError("gone")

        monkeypatch.delenv("WORKSHOP_HUB")
        monkeypatch.setattr(hub, "hub_reachable", lambda *args: (True, ""))
        monkeypatch.setattr(datasets, "load_dataset", breaks)
        found = documents(SomeProfile(FINEWEB))
        assert next(found) == "a"
        with pytest.raises(ConnectionError, match=r"stopped sending.*gone"):
            next(found)

    def test_unknown_text(self):
        with pytest.raises(ValueError, match="the text 'wikipedia'"):
            documents(SomeProfile("wikipedia"))


class TestPrepare:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path, monkeypatch, encoding) -> Path:
        monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
        monkeypatch.setattr(data, "for_profile", lambda profile: encoding)
        return tmp_path

    def test_goes_the_whole_way(self, encoding):
        train, val, used = prepare(SomeProfile())
        assert used is encoding
        assert train.n_documents + val.n_documents == 200
        assert val.n_documents > 0
        expected = [text for text in documents(SomeProfile()) if split_of(text) == "val"]
        assert [encoding.decode(val.document(i)) for i in range(val.n_documents)] == expected

    def test_from_the_hub_with_a_progress_bar(self, home, monkeypatch, capsys):
        monkeypatch.setenv("WORKSHOP_HUB", str(home / "hub"))
        write_parquet(home / "hub" / TINY / "train.parquet", {"text": texts()})
        train, val, _ = prepare(SomeProfile(TINY))
        assert train.n_documents + val.n_documents == 200
        assert "200/200" in capsys.readouterr().err

    def test_is_done_once(self, home, monkeypatch):
        train, _, _ = prepare(SomeProfile())
        monkeypatch.setattr(data, "documents", None)  # not asked again
        again, _, _ = prepare(SomeProfile())
        assert again.path == train.path
        assert np.array_equal(again.tokens, train.tokens)

    def test_other_settings_make_other_files(self, monkeypatch, encoding):
        train, _, _ = prepare(SomeProfile())
        assert prepare(SomeProfile(n_documents=190))[0].n_documents < train.n_documents
        other = train_bpe(texts(seed=1), 280)
        monkeypatch.setattr(data, "for_profile", lambda profile: other)
        assert prepare(SomeProfile())[0].fingerprint == fingerprint(other)
        assert TokenFile(train.path, encoding).n_documents == train.n_documents

    def test_an_interruption_does_no_harm(self, home, monkeypatch, encoding):
        def breaks(profile) -> Iterator[str]:
            yield from texts(50)
            raise KeyboardInterrupt

        monkeypatch.setattr(data, "documents", breaks)
        with pytest.raises(KeyboardInterrupt):
            prepare(SomeProfile())
        monkeypatch.setattr(data, "documents", documents)
        (folder,) = (home / "data").iterdir()
        killed = folder / ".train.tokens.0123abcd.part"  # what a kill would have left
        killed.write_bytes(b"half a file")
        train, val, _ = prepare(SomeProfile())
        assert train.n_documents + val.n_documents == 200
        assert {path.name for path in folder.iterdir()} - {"lock"} == {"train.tokens", "val.tokens", "settings.json"}

    @pytest.mark.parametrize("damaged", ["train.tokens", "settings.json"])
    def test_damaged_files_are_made_again(self, damaged, capsys):
        train, _, _ = prepare(SomeProfile())
        whole = train.path.read_bytes()
        del train
        os.truncate((folder := next(iter(hardware.home().glob("data/*")))) / damaged, 10)
        assert prepare(SomeProfile())[0].path.read_bytes() == whole
        assert "made again" in capsys.readouterr().out
        assert (folder / "settings.json").stat().st_size > 10
