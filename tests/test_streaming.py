"""Streams: every row once, whatever the number of readers, wherever it stops, and whatever the connection does."""

from __future__ import annotations

import bz2
import gc
import gzip
import io
import json
import lzma
import multiprocessing
import os
import pickle
import random
import re
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, pairwise
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiktoken
import torch
from corpus import quick, small_gpt
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered_rows import BLOCK, END, ROWS, drain, expected, found, numbers_encoding, same, text_of_row, write
from torch.utils.data import DataLoader

from workshop_utils.stream import files as stream_files
from workshop_utils.stream import readers as stream_readers
from workshop_utils.stream import rows as stream_sources
from workshop_utils.stream import s3 as stream_s3
from workshop_utils.stream.batches import _Workers
from workshop_utils.stream.dataset import StreamingTokenDataset
from workshop_utils.stream.files import kind_of, list_files
from workshop_utils.stream.readers import BAD
from workshop_utils.text import corpus as data
from workshop_utils.text.corpus import split_of
from workshop_utils.training.batches import unmoved
from workshop_utils.training.processes import DistributedError
from workshop_utils.training.train import train


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Several chunks in a file and several groups in a chunk, as a large corpus has them."""
    monkeypatch.setattr(stream_sources, "CHUNK_ROWS", 40)
    monkeypatch.setattr(stream_readers, "GROUP_CHARACTERS", 300)


@pytest.fixture(scope="module")
def encoding() -> tiktoken.Encoding:
    return numbers_encoding()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write(folder, 3)
    return folder


def through_json(state: dict) -> dict:
    """A state as a checkpoint keeps it: JSON, and one tensor."""
    plain = {name: value for name, value in state.items() if name != "buffer"}
    return json.loads(json.dumps(plain)) | {"buffer": state["buffer"]}


class TestBlocks:
    def test_documents_go_on_over_blocks_with_an_end_after_each(self, corpus, encoding):
        pairs = list(StreamingTokenDataset(corpus, encoding, BLOCK, shuffle_buffer=0))
        x, y = torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])
        n = int((y != -1).sum())
        assert torch.equal(x[1:n], y[: n - 1])  # one stream, cut into pieces
        assert (y[n:] == -1).all()
        assert n > len(y) - BLOCK
        stream = [*x[:n].tolist(), int(y[n - 1])]
        texts = [text for i in range(ROWS) if split_of(text := text_of_row(i)) == "train"]
        assert encoding.decode(stream) == "".join(text + "<|endoftext|>" for text in texts)
        assert x.dtype == y.dtype == torch.int64
        assert all(x.shape == y.shape == (BLOCK,) for x, y in pairs)

    def test_end_of_text_inside_a_document_means_the_letters(self, encoding, tmp_path):
        write(tmp_path, 1, ["a<|endoftext|>b", "c"])
        [(x, y)] = StreamingTokenDataset(tmp_path, encoding, 64, val_percent=0)
        assert (y == END).sum() == 2
        assert encoding.decode(x[:15].tolist()) == "a<|endoftext|>b"

    def test_splits_share_nothing_and_leave_nothing(self, corpus, encoding):
        for split in ("train", "val"):
            stream = StreamingTokenDataset(corpus, encoding, BLOCK, split=split, val_percent=30)
            assert found(list(stream)) == expected(split, 30)
            assert stream.report["documents"] + stream.report["other_split"] == stream.report["rows"] == ROWS
        assert sum((expected("train", 30) + expected("val", 30)).values()) == sum(expected("train", 0).values())

    def test_the_shuffle_changes_the_order_only(self, corpus, encoding):
        def stream(**settings) -> list:
            return list(StreamingTokenDataset(corpus, encoding, BLOCK, **settings))

        plain, shuffled = stream(shuffle_buffer=0), stream(shuffle_buffer=40)
        assert not same(plain, shuffled)
        assert found(plain) == found(shuffled) == expected()
        assert same(shuffled, stream(shuffle_buffer=40))
        assert not same(shuffled, stream(shuffle_buffer=40, seed=1))
        first = [int(x[x >= 256][0]) for x, _ in shuffled]
        assert sum(a > b for a, b in pairwise(first)) > len(first) / 4  # far from sorted

    def test_epochs_go_on_without_end_each_in_another_order(self, corpus, encoding):
        stream = StreamingTokenDataset(corpus, encoding, BLOCK, epochs=3, shuffle_buffer=2)
        assert found(list(stream)) == Counter({token: 3 * n for token, n in expected().items()})
        reader = stream._readers(0, 1)[0]
        assert len({tuple(reader.files(epoch)) for epoch in range(20)}) == 6
        assert all(sorted(reader.files(epoch)) == stream.files for epoch in range(20))
        endless = stream.batches()
        for _ in range(200):
            assert endless.batch("windows", 4, BLOCK)[0].shape == (4, BLOCK)
        assert endless.report["documents"] > 1.5 * len(expected())


class TestShares:
    @pytest.mark.parametrize("n_files", [1, 3, 4, 6])
    @pytest.mark.parametrize("readers", [1, 2, 3, 4])
    def test_every_row_belongs_to_one_reader(self, encoding, tmp_path, n_files, readers):
        write(tmp_path, n_files)
        parts = [
            found(list(StreamingTokenDataset(tmp_path, encoding, BLOCK, rank=rank, world_size=readers)))
            for rank in range(readers)
        ]
        assert sum(parts, Counter()) == expected()
        assert sum(len(part) for part in parts) == len(expected())  # and no document is cut between two

    def test_whole_files_where_their_number_divides(self, encoding, tmp_path):
        write(tmp_path, 4)
        stream = StreamingTokenDataset(tmp_path, encoding, BLOCK, rank=1, world_size=2, shuffle_buffer=0)
        assert stream._readers(0, 1)[0].files(0) == [str(tmp_path / "part-1.parquet"), str(tmp_path / "part-3.parquet")]
        assert stream._readers(0, 1)[0].stride == 1

    @pytest.mark.parametrize("ranks", [1, 2])
    def test_workers_of_a_data_loader_and_ranks(self, corpus, encoding, ranks):
        pairs = []
        for rank in range(ranks):
            stream = StreamingTokenDataset(corpus, encoding, BLOCK, rank=rank, world_size=ranks)
            pairs += list(DataLoader(stream, batch_size=4, num_workers=2))
        assert found(pairs) == expected()


class TestResume:
    """50 stops x {0, 2} workers x {1, 2} ranks: bench/streaming.py goes all the way, here are fewer with workers."""

    @pytest.mark.parametrize("ranks", [1, 2])
    @pytest.mark.parametrize(("workers", "stops"), [(0, 50), (2, 4)])
    def test_goes_on_as_if_nothing_had_happened(self, corpus, encoding, ranks, workers, stops):
        everything: list = []
        for rank in range(ranks):
            dataset = StreamingTokenDataset(corpus, encoding, BLOCK, rank=rank, world_size=ranks, shuffle_buffer=20)
            whole = drain(dataset.batches(workers, epochs=1))
            everything += whole
            states, stream = {}, dataset.batches(workers, epochs=1)
            wanted = sorted(random.Random(rank).sample(range(len(whole)), min(stops // ranks, len(whole))))
            for i in range(len(whole)):
                if i in wanted:
                    states[i] = through_json(stream.state_dict())
                assert torch.equal(stream.batch("windows", 3, BLOCK)[0], whole[i][0])  # asking changes nothing
            for i, state in states.items():
                again = dataset.batches(workers, epochs=1)
                again.load_state_dict(state)
                assert same(drain(again), whole[i:]), f"stopped before batch {i} of {len(whole)}"
                assert again.report == stream.report
        assert found(everything) == expected()

    def test_stopped_again_and_again(self, corpus, encoding):
        """A stream that was resumed can be resumed, which the state of `datasets` itself cannot."""
        dataset = StreamingTokenDataset(corpus, encoding, BLOCK, shuffle_buffer=7)
        whole, parts, state = drain(dataset.batches(epochs=1)), [], None
        for _ in range(len(whole)):
            stream = dataset.batches(epochs=1)
            if state:
                stream.load_state_dict(state)
            parts.append(stream.batch("windows", 3, BLOCK))
            state = through_json(stream.state_dict())
            stream.close()
        assert same(parts, whole)

    def test_a_dataset_in_a_loader_without_workers(self, corpus, encoding):
        dataset = StreamingTokenDataset(corpus, encoding, BLOCK, shuffle_buffer=15)
        whole = list(DataLoader(dataset, batch_size=4))
        for stop in (0, 1, 7, len(whole) - 1):
            list(islice(DataLoader(dataset, batch_size=4), stop))
            state = through_json(dataset.state_dict()) if stop else None
            fresh = StreamingTokenDataset(corpus, encoding, BLOCK, shuffle_buffer=15)
            if state:
                fresh.load_state_dict(state)
                assert fresh.state_dict()["queue"] == state["queue"]
            assert same(list(DataLoader(fresh, batch_size=4)), whole[stop:])

    def test_in_a_later_epoch_of_json_lines(self, encoding, tmp_path):
        write(tmp_path, 2, suffix="jsonl")
        dataset = StreamingTokenDataset(tmp_path, encoding, BLOCK, shuffle_buffer=10)
        stream = dataset.batches()
        for _ in range(300):
            stream.batch("windows", 2, BLOCK)
        state = through_json(stream.state_dict())
        assert state["readers"]["0"]["epoch"] == 1
        again = dataset.batches()
        again.load_state_dict(state)
        after = [stream.batch("windows", 2, BLOCK) for _ in range(150)]
        assert same(after, [again.batch("windows", 2, BLOCK) for _ in range(150)])

    def test_reads_on_instead_of_replaying(self, corpus, encoding, monkeypatch):
        dataset = StreamingTokenDataset(corpus, encoding, BLOCK, shuffle_buffer=20)
        stream = dataset.batches(epochs=1)
        for _ in range(60):
            stream.batch("windows", 3, BLOCK)
        state, encoded = stream.state_dict(), []
        monkeypatch.setattr(
            stream_readers, "encode", lambda texts, e, f=stream_readers.encode: encoded.extend(texts) or f(texts, e)
        )
        again = dataset.batches(epochs=1)
        again.load_state_dict(state)
        drain(again)
        assert 0 < len(encoded) == len(expected()) - state["readers"]["0"]["counts"]["documents"]

    def test_other_settings_are_refused(self, corpus, encoding):
        def stream(**settings):
            return StreamingTokenDataset(corpus, encoding, BLOCK, **settings)

        state = stream().batches().state_dict()
        for changed, sentence in [
            (stream(seed=1).batches(), "seed: 0 then, 1 now"),
            (stream(world_size=2).batches(), "readers in all: 1 then, 2 now"),
            (stream().batches(2), r"readers: \[0\] then, \[0, 1\] now"),
            (StreamingTokenDataset(sorted(corpus.iterdir())[:2], encoding, BLOCK).batches(), "files: 3 named"),
            (stream(split="val"), "split: train then, val now"),
        ]:
            with pytest.raises(ValueError, match=sentence):
                changed.load_state_dict(state)

    def test_a_file_that_was_changed_is_noticed(self, encoding, tmp_path):
        write(tmp_path, 1)
        dataset = StreamingTokenDataset(tmp_path, encoding, BLOCK)
        stream = dataset.batches()
        stream.batch("windows", 3, BLOCK)
        state = stream.state_dict()
        write(tmp_path, 1, [text_of_row(i) for i in range(ROWS)][::-1])
        again = dataset.batches()
        again.load_state_dict(state)
        with pytest.raises(ValueError, match=r"row \d+ of .*part-0.parquet is not what it was when the state was"):
            again.batch("windows", 3, BLOCK)
        write(tmp_path, 1, [text_of_row(i) for i in range(20)])
        again.load_state_dict(state)
        with pytest.raises(ValueError, match="is not what it was when"):
            again.batch("windows", 3, BLOCK)

    def test_what_goes_to_a_worker_can_be_pickled(self, corpus, encoding):
        dataset = StreamingTokenDataset(corpus, encoding, BLOCK)
        starts = [(reader, stream_readers.fresh_state()) for reader in dataset.batches(2).readers]
        copied = pickle.loads(pickle.dumps(_Workers(starts)))
        assert [reader.reader for reader, _ in copied.starts] == [0, 1]


class TestBadRows:
    LINES = (
        '{"text": "good one"}',
        "",
        '{"text": " \\n "}',
        '{"body": "x", "id": 3}',
        '{"text": null}',
        '{"text": 5}',
        '{"text": ["a"]}',
        "{broken",
        '"only a string"',
        '{"text": "half \\ud800 pair"}',
        '{"text": "no UTF-8 \xff"}',
        '{"text": "good two"}',
    )

    def test_are_counted_and_told_with_row_and_column(self, encoding, tmp_path, capsys):
        (tmp_path / "a.jsonl").write_text("\r\n".join(self.LINES), encoding="latin1")
        dataset = StreamingTokenDataset(tmp_path, encoding, 64, val_percent=0)
        [(x, y)] = dataset
        assert encoding.decode(x[: int((y != -1).sum())].tolist()) == "good one<|endoftext|>good two"
        report = dataset.report
        assert {name: report[name] for name in stream_readers.BAD} == {
            "empty": 2,
            "missing": 2,
            "wrong_type": 3,
            "damaged": 3,
        }
        assert (report["rows"], report["documents"]) == (12, 2)
        told = "\n".join(report["told"])
        for sentence in (
            "row 1 of .*a.jsonl: the line is empty, column 'text'",
            "row 2 of .*a.jsonl: column 'text' is empty",
            "row 3 of .*a.jsonl: there is no column 'text', only body, id",
            "row 4 of .*a.jsonl: column 'text' has no value",
            "row 5 of .*a.jsonl: column 'text' is of type int, '5', not a string",
            "row 6 of .*a.jsonl: column 'text' is of type list",
            "row 7 of .*a.jsonl: the line, and column 'text' in it, is no JSON",
            "row 8 of .*a.jsonl: the line is of type str",
            "row 9 of .*a.jsonl: column 'text' is no valid Unicode at character 5",
            "row 10 of .*a.jsonl: the line, and column 'text' in it, is no JSON .*'utf-8' codec can't decode",
        ):
            assert re.search(sentence, told), told
        assert capsys.readouterr().out.count("left out: row") == 10

    def test_in_parquet_by_workers_too(self, encoding, tmp_path, capsys):
        pq.write_table(pa.table({"text": ["good one", None, ""], "id": [1, 2, 3]}), tmp_path / "a.parquet")
        pq.write_table(pa.table({"text": [7, 8]}), tmp_path / "b.parquet")
        pq.write_table(pa.table({"body": ["x"] * 50}), tmp_path / "c.parquet")
        stream = StreamingTokenDataset(tmp_path, encoding, 64, val_percent=0, seed=3).batches(2, epochs=1)
        drain(stream, 64)
        report = stream.report
        assert [report[name] for name in ("documents", "empty", "missing", "wrong_type")] == [1, 1, 51, 2]
        assert sum("row 1 of" in told and "'text' is of type int, '8'" in told for told in report["told"]) == 1
        assert any("there is no column 'text', only body" in told for told in report["told"])
        assert len(report["told"]) <= 2 * len(stream_readers.BAD) * stream_readers.TOLD
        assert "left out: row" in capsys.readouterr().out

    @pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
    def test_a_binary_column_is_text_where_it_is_utf_8(self, encoding, tmp_path, kind):
        column = pa.array([b"good one", b"\xff\xfe", b"good two"], pa.binary()).cast(kind)
        pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
        dataset = StreamingTokenDataset(tmp_path, encoding, 64, val_percent=0)
        list(dataset)
        assert dataset.report["documents"] == 2
        assert dataset.report["told"] == [f"row 1 of {tmp_path / 'a.parquet'}: column 'text' is not UTF-8 at byte 0"]

    def test_two_columns_of_the_same_name_are_a_sentence(self, encoding, tmp_path):
        columns = [pa.array(["one"]), pa.array(["two"])]
        pq.write_table(pa.table(columns, names=["text", "text"]), tmp_path / "a.parquet")
        with pytest.raises(ValueError, match=r"row 0 of .*a.parquet: there are 2 columns 'text': rename one"):
            list(StreamingTokenDataset(tmp_path, encoding, BLOCK))

    def test_bytes_that_are_no_unicode(self, encoding, tmp_path):
        column = pa.array([b"good one", b"\xff\xfe", b"good two"], pa.binary()).view(pa.string())
        pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
        dataset = StreamingTokenDataset(tmp_path, encoding, 64, val_percent=0)
        list(dataset)
        assert (dataset.report["documents"], dataset.report["damaged"]) == (2, 1)
        assert "row 1 of" in dataset.report["told"][0]

    def test_documents_longer_than_a_block_are_counted(self, corpus, encoding):
        dataset = StreamingTokenDataset(corpus, encoding, BLOCK)
        list(dataset)
        # n numbers and n - 1 spaces between them, and the end
        assert dataset.report["longer_than_block"] == sum(2 * n > BLOCK for n in expected().values())

    def test_nothing_but_bad_rows_is_a_sentence(self, encoding, tmp_path):
        write(tmp_path, 1)
        with pytest.raises(ValueError, match=r"column 'content' \(300 missing; row 0 of .*only id, text, score\)"):
            list(StreamingTokenDataset(tmp_path, encoding, BLOCK, text_column="content"))

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b' [{"text": "a"}, {"text": "b"}]', "is a JSON array, .*one object in each line.*from_json"),
            (b'\xef\xbb\xbf[\n{"text": "a"}\n]', "is a JSON array"),
            ('{"text": "a"}\n'.encode("utf-16"), "is UTF-16: save it as UTF-8"),
            ('{"text": "a"}'.encode("utf-16-le"), "is UTF-16-LE: save it as UTF-8[)]: mend the source"),
            ('{"text": "a"}'.encode("utf-16-be"), "is UTF-16-BE: save it as UTF-8[)]: mend the source"),
            (b"[" * 50_000, "is a JSON array.*: mend the source, or pass another one"),
            (b'{"text": ' + b"[" * 100_000, "is no JSON"),
            (b'{"\\ud800": 1}', r"only .ud800"),
            (json.dumps({f"c{i}": 1 for i in range(99)}).encode(), "only c0, .*c9, [.]{3}[)]"),
        ],
    )
    def test_a_file_that_is_no_json_lines_says_what_it_is(self, encoding, tmp_path, capsys, content, sentence):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(ValueError, match=f"(?s)no row has a text in.*row 0 of .*{sentence}") as caught:
            list(StreamingTokenDataset(tmp_path, encoding, BLOCK))
        str(caught.value).encode()  # whatever is said can be printed
        assert "left out: row 0" in capsys.readouterr().out

    @pytest.mark.parametrize("epochs", [1, None])
    def test_a_file_without_rows_is_a_sentence(self, encoding, tmp_path, epochs):
        (tmp_path / "a.jsonl").touch()
        with pytest.raises(ValueError, match=r"there are no rows in .*a.jsonl: pass a source that holds text"):
            list(StreamingTokenDataset(tmp_path, encoding, BLOCK, epochs=epochs))

    def test_json_lines_as_windows_saves_them(self, encoding, tmp_path):
        (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "one"}\r\n{"text": "two"}\r\n')
        dataset = StreamingTokenDataset(tmp_path, encoding, 64, val_percent=0)
        list(dataset)
        assert dataset.report["documents"] == 2

    @pytest.mark.parametrize("workers", [0, 2])
    def test_an_empty_split_is_a_sentence(self, encoding, tmp_path, workers):
        write(tmp_path, 1)
        stream = StreamingTokenDataset(tmp_path, encoding, BLOCK, split="val", val_percent=0).batches(workers)
        with pytest.raises(ValueError, match=r"^there is no document of the split 'val' among .* were read"):
            stream.batch("windows", 2, BLOCK)

    def test_a_damaged_file_is_a_sentence(self, encoding, tmp_path):
        [path] = write(tmp_path, 1)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(ValueError, match=r"part-0.parquet is damaged \(.*copy it again"):
            list(StreamingTokenDataset(tmp_path, encoding, BLOCK))


class TestSources:
    def test_folders_files_patterns_and_lists(self, tmp_path, monkeypatch):
        train_files = [str(path) for path in write(tmp_path, 3)]
        for name in ("validation-0.parquet", "test.jsonl", "README.md"):
            (tmp_path / name).write_text("x")
        assert list_files(tmp_path) == list_files(str(tmp_path / "part-*.parquet")) == train_files
        assert list_files([tmp_path / "part-2.parquet", train_files[0]]) == [train_files[2], train_files[0]]
        monkeypatch.chdir(tmp_path)
        assert list_files("part-*.parquet") == ["part-0.parquet", "part-1.parquet", "part-2.parquet"]
        with pytest.raises(FileNotFoundError, match=r"no \.parquet or \.jsonl file .* in .*README"):
            list_files(tmp_path / "README.md")

    def test_what_is_left_out_of_a_folder_is_exact_and_said(self, tmp_path, encoding, capsys):
        [path] = write(tmp_path / "data", 1)
        taken = ["testimonials.parquet", "validated.jsonl", "part-0.parquet", "develop.jsonl", "a/contest.parquet"]
        other = ["test-00000-of-00001.parquet", "test.parquet", "val_1.jsonl", "dev.jsonl", "validation/0.parquet"]
        for name in (*taken, *other, "._part-0.parquet", ".cache/x.parquet", "README.md", "a.csv"):
            (tmp_path / "data" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "data" / name).write_bytes(path.read_bytes())
        said = []
        files = list_files(tmp_path / "data", say=said.append)
        assert {str(Path(file).relative_to(tmp_path / "data")) for file in files} == set(taken)
        assert len(said) == 1
        assert "5 files are read; left out: " in said[0]
        for clause in ("2 hidden (", "5 of another split (", "2 of another kind (README.md, a.csv)"):
            assert clause in said[0]
        assert list_files(tmp_path / "data" / "test.parquet") == [str(tmp_path / "data" / "test.parquet")]  # was named
        for split, rank in (("train", 0), ("val", 0), ("train", 1)):
            StreamingTokenDataset(tmp_path / "data", encoding, BLOCK, split=split, rank=rank, world_size=2)
        assert capsys.readouterr().out.count("left out") == 1

    def test_a_folder_without_text_says_what_it_holds(self, tmp_path):
        for name in ("a.csv", "b.txt", "test.parquet"):
            (tmp_path / name).touch()
        with pytest.raises(FileNotFoundError, match=r"only 2 of another kind \(a.csv, b.txt\); 1 of another split"):
            list_files(tmp_path)

    def test_brackets_in_a_name_are_no_pattern_where_that_name_exists(self, tmp_path, monkeypatch):
        paths = [str(path) for path in write(tmp_path / "corpus [2024]", 3)]
        assert list_files(tmp_path / "corpus [2024]" / "*.parquet") == paths
        assert list_files(tmp_path / "corpus [2024]" / "part-[01].parquet") == paths[:2]
        assert list_files(tmp_path / "*" / "part-1.parquet") == paths[1:2]
        monkeypatch.chdir(tmp_path)
        assert list_files("corpus [2024]/part-0.parquet") == ["corpus [2024]/part-0.parquet"]
        with pytest.raises(FileNotFoundError, match="check the path"):
            list_files("nowhere [1]/*.parquet")

    @pytest.mark.parametrize("name", ["a::b.jsonl", "zip::a.jsonl", "a#b.jsonl", "a%20b.jsonl"])
    @pytest.mark.parametrize("how", ["path", "folder", "URL"])
    def test_a_file_of_this_machine_is_read_whatever_its_name(self, encoding, tmp_path, name, how):
        [path] = write(tmp_path, 1, suffix="jsonl")
        path = path.rename(tmp_path / name)
        source = {"path": path, "folder": tmp_path, "URL": f"file://{path}"}[how]
        assert list_files(source) == [str(path)]
        assert found(list(StreamingTokenDataset(source, encoding, BLOCK))) == expected()

    def test_kinds(self):
        kinds = {"a.parquet": "parquet", "a.jsonl.gz": "lines", "A.JSON": "lines", "a.csv": None}
        assert {name: kind_of(name) for name in kinds} == kinds
        assert kind_of("https://host/a.parquet?download=true") == "parquet"

    def test_zstandard_whole_and_cut_short(self, encoding, tmp_path):
        [path] = write(tmp_path, 1, suffix="jsonl")
        content = path.read_bytes()
        path.unlink()
        packed = b"".join(pa.compress(part, "zstd", asbytes=True) for part in (content[:500], content[500:]))
        (tmp_path / "a.jsonl.zst").write_bytes(packed)  # in two frames, as large files are
        assert found(list(StreamingTokenDataset(tmp_path, encoding, BLOCK))) == expected()
        (tmp_path / "a.jsonl.zst").write_bytes(packed[:-9])
        with pytest.raises(ValueError, match=r"a.jsonl.zst is damaged"):
            list(StreamingTokenDataset(tmp_path, encoding, BLOCK))

    @pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
    def test_json_lines(self, encoding, tmp_path, suffix):
        write(tmp_path, 2, suffix=suffix)
        assert found(list(StreamingTokenDataset(tmp_path, encoding, BLOCK))) == expected()

    def test_a_local_copy_of_the_hub(self, encoding, tmp_path, monkeypatch):
        write(tmp_path / "HuggingFaceFW/fineweb-edu/sample/10BT", 2)
        write(tmp_path / "HuggingFaceFW/fineweb-edu/data", 1)  # another configuration
        write(tmp_path / "roneneldan/TinyStories/data", 1)
        (tmp_path / "roneneldan/TinyStories/data/validation-0.parquet").write_text("not for training")
        monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
        for name in data.HUB_SETS:
            assert found(list(StreamingTokenDataset(name, encoding, BLOCK))) == expected()
        assert len(list_files("HuggingFaceFW/fineweb-edu")) == 2

    def test_the_hub_without_a_network_and_unknown_names(self):
        with pytest.raises(ConnectionError, match=r"TinyStories cannot be streamed from the hub .*WORKSHOP_HUB"):
            list_files("roneneldan/TinyStories")
        with pytest.raises(ValueError, match=r"hf://datasets/some/thing/data"):
            list_files("some/thing")
        with pytest.raises(ValueError, match="an http source cannot be listed"):
            list_files("http://127.0.0.1/folder/")
        with pytest.raises(ValueError, match=r"foo://x/y.jsonl cannot be read \(.* not known: foo\): correct"):
            list_files("foo://x/y.jsonl")
        with pytest.raises(ValueError, match=r"source is \[\]: name a file"):
            list_files([])

    @pytest.mark.parametrize(
        ("settings", "sentence"),
        [
            ({"split": "test"}, "split is 'test'"),
            ({"rank": 2, "world_size": 2}, "rank is 2"),
            ({"epochs": 0}, "epochs is 0"),
            ({"val_percent": 60}, "val_percent is 60"),
            ({"world_size": 0}, "world_size is 0"),
            ({"shuffle_buffer": "10"}, "shuffle_buffer is '10'.*without quotes"),
            ({"shuffle_buffer": -1}, "shuffle_buffer is -1"),
            ({"seed": None}, "seed is None"),
            ({"text_column": ""}, "text_column is ''"),
            ({"epochs": True}, "epochs is True"),
            ({"wait": float("nan")}, "wait is nan"),
            ({"storage_options": "key"}, "storage_options is 'key'"),
            ({"encoding": "gpt2"}, "encoding is 'gpt2': pass a tokenizer"),
            ({"encoding": None}, "encoding is None: pass a tokenizer"),
        ],
    )
    def test_settings_out_of_range(self, corpus, encoding, settings, sentence):
        with pytest.raises(ValueError, match=sentence):
            StreamingTokenDataset(**{"source": corpus, "encoding": encoding, "block_size": BLOCK} | settings)

    def test_nothing_is_read_ahead_that_nobody_waits_for(self, tmp_path):
        """pyarrow's scanner decodes up to 1 GB before the first row is used."""
        path = tmp_path / "large.parquet"
        pq.write_table(pa.table({"text": [f"{i} {'x' * 10_000}" for i in range(3000)]}), path, row_group_size=100)
        before, held = pa.total_allocated_bytes(), []
        for _ in stream_sources.Rows(str(path), "text", None, 1, 0).chunks():
            time.sleep(0.001)
            held.append(pa.total_allocated_bytes() - before)
        assert len(held) == 90  # row groups of 40 + 40 + 20
        assert max(held) < 5e6

    def test_parquet_is_read_from_the_row_group_on_in_which_a_row_lies(self, tmp_path, monkeypatch):
        [path] = write(tmp_path, 1)  # in row groups of 25
        real, groups = pq.ParquetFile.iter_batches, []

        def noting(self, *args, row_groups, **settings):
            groups.extend(row_groups)
            return real(self, *args, row_groups=row_groups, **settings)

        monkeypatch.setattr(pq.ParquetFile, "iter_batches", noting)
        chunks = list(stream_sources.Rows(str(path), "text", None, 1, 0).chunks(110))
        assert groups == list(range(4, 12))
        assert chunks[0][0] == 110
        assert [text for _, texts in chunks for text in texts] == [text_of_row(i) for i in range(110, ROWS)]

    def test_any_file_system_of_fsspec(self, encoding):
        import fsspec

        memory = fsspec.filesystem("memory")
        table = pa.table({"text": [text_of_row(i) for i in range(ROWS)]})
        with memory.open("/bucket/a/part.parquet", "wb") as file:
            pq.write_table(table, file)
        assert list_files("memory://bucket/a") == list_files("memory://bucket/*/*.parquet") != []
        assert found(list(StreamingTokenDataset("memory://bucket/a", encoding, BLOCK))) == expected()
        memory.rm("/bucket", recursive=True)


# --- servers on this machine ---------------------------------------------------------------------------------------


class Files(BaseHTTPRequestHandler):
    """Serves files with ranges; `trouble` says what happens to a request: "", "refuse" or "truncate"."""

    root: Path
    trouble: Callable[[], str] = staticmethod(lambda: "")
    asked: Counter[str]
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        trouble = self.trouble()
        self.asked[trouble] += 1
        path = self.root / unquote(urlsplit(self.path).path).lstrip("/")
        if trouble == "refuse" or not path.is_file():
            self.reply(503 if trouble else 404, b"", {}, with_body)
            return
        content, code, headers = path.read_bytes(), 200, {"Accept-Ranges": "bytes"}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, stop = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            headers["Content-Range"], code = f"bytes {start}-{stop}/{len(content)}", 206
            content = content[start : stop + 1]
        self.reply(code, content, headers, with_body, half=trouble == "truncate")

    def reply(self, code: int, content: bytes, headers: dict[str, str], with_body: bool, half: bool = False) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content[: len(content) // 2] if half else content)
        if half:
            self.close_connection = True


@contextmanager
def serving(handler: type[Files], root: Path, **attributes: object) -> Iterator[tuple[str, Counter[str]]]:
    """A server on this machine: its address, and what became of the requests."""
    asked: Counter[str] = Counter()
    here = type("Here", (handler,), {"root": root, "asked": asked, **attributes})
    server = ThreadingHTTPServer(("127.0.0.1", 0), here)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def impatient(monkeypatch):
    """`datasets` waits 5 s before it reads again; tests do not."""
    from datasets import config

    monkeypatch.setattr(config, "STREAMING_READ_RETRY_INTERVAL", 0.01)
    monkeypatch.setattr(config, "STREAMING_OPEN_RETRY_INTERVAL", 0.01)
    monkeypatch.setattr(stream_files, "REQUEST_WAIT", 0.001)


@pytest.mark.usefixtures("impatient")
class TestConnections:
    @pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
    def test_half_of_the_answers_refused_or_cut_short(self, encoding, tmp_path, suffix):
        paths = write(tmp_path, 2, suffix=suffix)
        dice = random.Random(0)
        trouble = staticmethod(lambda: dice.choice(["", "", "refuse", "truncate"]))
        with serving(Files, tmp_path, trouble=trouble) as (address, asked):
            urls = [f"{address}/{path.name}" for path in paths]
            stream = StreamingTokenDataset(urls, encoding, BLOCK, wait=0.001)
            assert found(list(stream)) == expected()
            assert asked["refuse"] + asked["truncate"] > 5

    def test_workers_do_not_close_the_connections_that_came_along(self, corpus, encoding, tmp_path, monkeypatch):
        """Each would cost a worker a second: the thread that serves it stayed behind at the fork."""
        import fsspec.asyn
        from fsspec.implementations.http import HTTPFileSystem

        mine, closed = os.getpid(), tmp_path / "closed"
        encode, close = stream_readers.encode, HTTPFileSystem.close_session

        def collecting(texts, encoding):
            gc.collect()
            return encode(texts, encoding)

        def closing(loop, session):
            if os.getpid() == mine:
                close(loop, session)
            elif id(loop) in loops:
                closed.touch()

        monkeypatch.setattr(HTTPFileSystem, "close_session", staticmethod(closing))
        with serving(Files, corpus) as (address, _):
            urls = [f"{address}/part-{i}.parquet" for i in range(3)]
            stream = StreamingTokenDataset(urls, encoding, BLOCK, wait=0.001)
            assert found(list(stream)) == expected()  # opens connections here, too
            loops = {id(fsspec.asyn.loop[0])}
            monkeypatch.setattr(stream_readers, "encode", collecting)
            assert found(drain(stream.batches(2, epochs=1))) == expected()
        assert not closed.exists()

    def test_a_drop_in_the_middle_goes_on_with_the_next_row(self, corpus, encoding, monkeypatch, capsys):
        """As if `datasets` itself had given up, after each of the first chunks."""
        real, drops = stream_sources.Rows._values, iter(range(1, 6))

        def values(self, *piece):
            if next(drops, 0) % 2 == 0:
                return real(self, *piece)
            raise ConnectionError("Server Disconnected")

        monkeypatch.setattr(stream_sources.Rows, "_values", values)
        with serving(Files, corpus) as (address, _):
            urls = [f"{address}/part-{i}.parquet" for i in range(3)]
            stream = StreamingTokenDataset(urls, encoding, BLOCK, wait=0.001)
            assert found(list(stream)) == expected()
        assert "Server Disconnected; attempt 2 of 10" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("code", "kind", "sentence"),
        [
            (404, FileNotFoundError, r"part-0.parquet is not there: check the name"),
            (403, PermissionError, r"part-0.parquet may not be read .*check the key or token"),
            (401, PermissionError, r"part-0.parquet may not be read"),
        ],
    )
    def test_what_is_refused_for_good_is_asked_for_once(self, corpus, encoding, capsys, code, kind, sentence):
        class Closed(Files):
            def answer(self, with_body):
                self.asked["all"] += 1
                self.reply(code, b"", {}, with_body)

        with serving(Closed, corpus) as (address, asked):
            stream = StreamingTokenDataset(f"{address}/part-0.parquet", encoding, BLOCK, wait=0.001)
            with pytest.raises(kind, match=sentence):
                next(iter(stream))
            assert asked["all"] < 10
        assert "attempt" not in capsys.readouterr().out

    @pytest.mark.parametrize("refused", [FileNotFoundError("x"), PermissionError("x")])
    def test_any_file_system_that_refuses_for_good_is_asked_once(self, monkeypatch, refused):
        import fsspec

        asked = []

        def find(self, path, **options):
            asked.append(path)
            raise refused

        monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "find", find)
        with pytest.raises(type(refused), match=r"memory://bucket/a (is not there|may not be read)"):
            list_files("memory://bucket/a")
        assert len(asked) == 1

    def test_a_dead_server_is_a_sentence(self, corpus, encoding):
        with serving(Files, corpus, trouble=staticmethod(lambda: "refuse")) as (address, _):
            stream = StreamingTokenDataset(f"{address}/part-0.parquet", encoding, BLOCK, wait=0.001, attempts=2)
            with pytest.raises(
                ConnectionError, match=r"part-0.parquet could not be read, attempt 2 of 2 failed .*checkpoint"
            ):
                next(iter(stream))

    def test_a_server_that_is_not_there_is_told_by_what_the_connection_said(self, encoding):
        stream = StreamingTokenDataset("http://127.0.0.1:9/a.jsonl", encoding, BLOCK, attempts=1)
        with pytest.raises(ConnectionError, match=r"attempt 1 of 1 failed \(ClientConnectorError: Cannot connect"):
            next(iter(stream))


class Bucket(Files):
    """As much of S3 as reading needs: a bucket "corpus" with ListObjectsV2, HEAD and GET with ranges, for key "me"."""

    def answer(self, with_body: bool) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if "Credential=me/" not in self.headers.get("Authorization", ""):
            self.asked["stranger"] += 1
            self.reply(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"}, with_body)
        elif "list-type" in query or url.path.rstrip("/") == "/corpus":
            self.reply(200, self.listing(query), {"Content-Type": "application/xml"}, with_body)
        else:
            super().answer(with_body)

    def listing(self, query: dict[str, list[str]]) -> bytes:
        prefix = query.get("prefix", [""])[0]
        keys = [path.relative_to(self.root / "corpus") for path in sorted((self.root / "corpus").rglob("*"))]
        entries = "".join(
            f"<Contents><Key>{escape(str(key))}</Key><Size>{(self.root / 'corpus' / key).stat().st_size}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>x</ETag></Contents>"
            for key in keys
            if str(key).startswith(prefix) and (self.root / "corpus" / key).is_file()
        )
        head = f"<Name>corpus</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>"
        count = f"<KeyCount>{entries.count('<Key>')}</KeyCount>"
        return f"<ListBucketResult>{head}{count}{entries}</ListBucketResult>".encode()


class TestS3:
    def test_a_bucket_behind_a_key(self, encoding, tmp_path):
        write(tmp_path / "corpus" / "en", 2)
        with serving(Bucket, tmp_path) as (address, asked):
            options = {"key": "me", "secret": "secret", "client_kwargs": {"endpoint_url": address, "region_name": "eu"}}
            assert list_files("s3://corpus/en", options) == [f"s3://corpus/en/part-{i}.parquet" for i in range(2)]
            stream = StreamingTokenDataset("s3://corpus/en/*.parquet", encoding, BLOCK, storage_options=options)
            whole = list(stream)
            assert found(whole) == expected()
            assert asked["stranger"] == 0
            stopped = StreamingTokenDataset("s3://corpus/en", encoding, BLOCK, storage_options=options)
            list(islice(stopped, 30))
            stream.load_state_dict(stopped.state_dict())
            assert same(list(stream), whole[30:])

    @pytest.mark.skipif(stream_s3.has_s3fs(), reason="s3fs has its own names")
    def test_options_by_either_name(self):
        given = {
            "key": "a",
            "secret": "b",
            "anon": False,
            "endpoint_url": "http://127.0.0.1:1",
            "use_listings_cache": 0,
        }
        assert stream_s3.pyarrow_options(given) == {
            "access_key": "a",
            "secret_key": "b",
            "anonymous": False,
            "endpoint_override": "127.0.0.1:1",
            "scheme": "http",
        }
        with pytest.raises(ValueError, match=r"pyarrow, which reads s3:// here, does not know .*'profile'"):
            list_files("s3://corpus/en", {"profile": "me"})


def read_or_refused(name: str, content: bytes, encoding, **settings) -> None:
    """A file with this content gives documents and counts all other rows, or is refused in a sentence."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        try:
            dataset = StreamingTokenDataset(folder, encoding, BLOCK, val_percent=0, **settings)
            list(islice(dataset, 3))
        except (ValueError, FileNotFoundError) as error:
            said = str(error)
        else:
            said = ""
        said.encode()  # it can be printed
        if said:
            assert len(said) > 20
            return
        assert dataset.report["rows"] == dataset.report["documents"] + sum(dataset.report[kind] for kind in BAD)


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.none()))
LINES = st.one_of(
    st.binary(max_size=40),
    st.dictionaries(st.sampled_from(["text", "body", "\ud800"]), VALUES).map(lambda row: json.dumps(row).encode()),
    st.dictionaries(st.just("text"), st.text(), min_size=1).map(lambda row: json.dumps(row).encode()),
)
PACKED = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
PACKED[".zst"] = lambda content: pa.compress(content, "zstd", asbytes=True)


def damaged(content: bytes, cut: int, flip: int) -> bytes:
    """The content without its last bytes, and with one byte changed."""
    kept = bytearray(content[: max(1, len(content) - cut)])
    kept[flip % len(kept)] ^= 0x41
    return bytes(kept)


class TestMalformed:
    """Whatever lies in a file: a sentence, or rows that are left out and counted; never another exception."""

    @settings(max_examples=150, deadline=None)
    @given(
        lines=st.lists(LINES, max_size=6),
        packing=st.sampled_from(list(PACKED)),
        harm=st.none() | st.tuples(st.integers(0, 30), st.integers(0, 200)),
    )
    def test_json_lines(self, encoding, lines, packing, harm):
        content = PACKED[packing](b"\n".join(lines))
        read_or_refused(f"a.jsonl{packing}", damaged(content, *harm) if harm and content else content, encoding)

    @settings(max_examples=100, deadline=None)
    @given(
        column=st.sampled_from(["text", "body", ""]),
        values=st.lists(st.none() | st.text(max_size=9)) | st.lists(st.integers(0, 9)) | st.lists(st.lists(st.text())),
        harm=st.none() | st.tuples(st.integers(0, 60), st.integers(0, 2000)),
    )
    def test_parquet(self, encoding, column, values, harm):
        sink = io.BytesIO()
        pq.write_table(pa.table({column: values}), sink)
        content = sink.getvalue()
        read_or_refused("a.parquet", damaged(content, *harm) if harm else content, encoding)

    @settings(max_examples=80, deadline=None)
    @given(
        name=st.sampled_from(["a.txt", "a.csv", "a.json", "test.jsonl", "a.jsonl"]),
        content=st.binary(max_size=60),
        given=st.dictionaries(
            st.sampled_from(["shuffle_buffer", "seed", "epochs", "attempts", "wait", "text_column", "world_size"]),
            st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.floats(), st.text(max_size=3)),
            max_size=2,
        ),
    )
    def test_other_files_and_settings(self, encoding, name, content, given):
        read_or_refused(name, content, encoding, **given)


class TestTraining:
    def test_a_stream_stays_where_it_is_although_something_went_wrong_meanwhile(self, corpus, encoding):
        stream = StreamingTokenDataset(corpus, encoding, BLOCK).batches()
        first = StreamingTokenDataset(corpus, encoding, BLOCK).batches().batch("windows", 2, BLOCK)
        with pytest.raises(ValueError, match="block_size is"), unmoved(stream):
            _ = stream.batch("windows", 2, BLOCK), stream.batch("windows", 2, BLOCK + 1)
        assert same([stream.batch("windows", 2, BLOCK)], [first])

    def test_train_takes_a_stream(self, corpus, encoding, tmp_path):
        dataset = StreamingTokenDataset(corpus, encoding, 64, val_percent=30, shuffle_buffer=10)
        stream = dataset.batches()
        held = StreamingTokenDataset(corpus, encoding, 64, split="val", val_percent=30).held_out(5)
        assert len(held) == 5
        model = small_gpt(vocab_size=encoding.n_vocab + 1)
        run = train(model, stream, held, quick(rows="windows", steps=8), quiet=True)
        assert run.history[-1]["loss"] < run.history[0]["loss"]
        assert run.best_val_loss < 10
        assert stream.fingerprint == held.fingerprint == dataset.fingerprint

    def test_ctrl_c_reaches_the_training_and_not_the_workers(self, corpus, encoding):
        stream = StreamingTokenDataset(corpus, encoding, BLOCK).batches(2, epochs=1)
        pairs = [stream.batch("windows", 3, BLOCK)]
        for worker in multiprocessing.active_children():
            os.kill(worker.pid, signal.SIGINT)
        assert found(pairs + drain(stream)) == expected()

    def test_a_stream_of_processes_is_known_as_such(self, corpus, encoding):
        stream = StreamingTokenDataset(corpus, encoding, BLOCK, rank=1, world_size=2).batches()
        assert (stream.rank, stream.world_size) == (1, 2)
        with pytest.raises(DistributedError, match="split between 2 processes and 1 are training"):
            train(small_gpt(block_size=BLOCK, vocab_size=2000), stream, None, quick(rows="windows"), quiet=True)

    def test_what_does_not_fit_is_a_sentence(self, corpus, encoding):
        dataset = StreamingTokenDataset(corpus, encoding, BLOCK)
        model = small_gpt(block_size=BLOCK, vocab_size=2000)
        with pytest.raises(ValueError, match=r"a StreamingTokenDataset has no batches to train on: pass its .batches"):
            train(model, dataset, None, quick(rows="windows"), quiet=True)
        stream, held = dataset.batches(), dataset.held_out(2)
        for batches in (stream, held):
            with pytest.raises(ValueError, match="windows"):
                batches.batch("rows", 2, BLOCK, torch.Generator())
            with pytest.raises(ValueError, match="block_size"):
                batches.batch("windows", 2, BLOCK + 1, torch.Generator())
