"""Streams: every row once, whatever the number of readers, wherever it stops, and whatever the connection does.

Every token of the corpus says from which row it comes, so that a block says which rows are in it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import multiprocessing
import os
import random
import re
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiktoken
import torch
from corpus import quick, small_gpt
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from workshop_utils.stream import StreamingTokenDataset, files, readers, rows
from workshop_utils.stream.files import list_files
from workshop_utils.text import split_of
from workshop_utils.text.corpus import HUB_SETS
from workshop_utils.training import train

ROWS, BLOCK = 300, 8
TEXTS = [" ".join([str(100 + i)] * (1 + i * 7 % 11)) for i in range(ROWS)]  # its number, once to eleven times
TOKENS = [bytes([i]) for i in range(256)] + [str(i).encode() for i in range(10, 1000)]
END = len(TOKENS)
ENCODING = tiktoken.Encoding(
    "numbers",
    pat_str=r"\d{2,3}|[\s\S]",
    mergeable_ranks={token: i for i, token in enumerate(TOKENS)},
    special_tokens={"<|endoftext|>": END},
)
COMPRESS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}
COMPRESS[".zst"] = lambda content: pa.compress(content, "zstd", asbytes=True)


def parquet(texts, column: str = "text", **settings) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": range(len(texts)), column: texts}), sink, **settings)
    return sink.getvalue()


def json_lines(texts) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def write(folder: Path, n_files: int, suffix: str = "parquet") -> list[str]:
    """The rows in n_files files, as even as possible."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"part-{i}.{suffix}" for i in range(n_files)]
    for i, path in enumerate(paths):
        texts = TEXTS[i * ROWS // n_files : (i + 1) * ROWS // n_files]
        path.write_bytes(parquet(texts, row_group_size=25) if suffix == "parquet" else json_lines(texts))
    return list(map(str, paths))


def expected(split: str = "train", percent: int = 2) -> Counter[int]:
    """How often each row's token must come."""
    return Counter({346 + i: len(t.split()) for i, t in enumerate(TEXTS) if split_of(t, percent) == split})


def found(pairs) -> Counter[int]:
    """How often each row's token did come. In x every token of the stream stands once, but the very last."""
    return Counter(token for x, _ in pairs for token in x.flatten().tolist() if 256 <= token < END)


def drain(stream) -> list:
    """All that is left of a stream's batches, three blocks each."""
    batches = []
    with pytest.raises(ValueError, match="the stream has ended"):
        batches.extend(iter(lambda: stream.batch("windows", 3, BLOCK), None))
    return batches


def same(a: list, b: list) -> bool:
    return len(a) == len(b) and all(map(torch.equal, (t for x in a for t in x), (t for x in b for t in x)))


def through_json(state: dict) -> dict:
    """A state as a checkpoint keeps it: JSON, and one tensor."""
    plain = {name: value for name, value in state.items() if name != "buffer"}
    return json.loads(json.dumps(plain)) | {"buffer": state["buffer"]}


def report(source, **settings) -> dict[str, int]:
    """What is counted when a source is read to its end, without a validation part."""
    stream = StreamingTokenDataset(source, ENCODING, BLOCK, **{"val_percent": 0} | settings)
    list(stream)
    return stream.report


@pytest.fixture(autouse=True)
def small_and_impatient(monkeypatch):
    """Several chunks in a file and several groups in a chunk, as a large corpus has them; no waiting."""
    monkeypatch.setattr(rows, "CHUNK_ROWS", 40)
    monkeypatch.setattr(readers, "GROUP_CHARACTERS", 300)
    monkeypatch.setattr(files, "LONGEST_WAIT", 0.001)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write(folder, 3)
    return folder


@pytest.fixture
def stream(corpus):
    return lambda **settings: StreamingTokenDataset(corpus, ENCODING, BLOCK, **settings)


# --- blocks and shares


def test_documents_go_on_over_blocks_with_an_end_after_each(stream):
    pairs = list(stream(shuffle_buffer=0))
    x, y = torch.cat([x for x, _ in pairs]), torch.cat([y for _, y in pairs])
    n = int((y != -1).sum())
    assert torch.equal(x[1:n], y[: n - 1])  # one stream, cut into pieces
    assert (y[n:] == -1).all()
    assert n > len(y) - BLOCK
    texts = [text for text in TEXTS if split_of(text) == "train"]
    assert ENCODING.decode([*x[:n].tolist(), int(y[n - 1])]) == "".join(text + "<|endoftext|>" for text in texts)
    assert all(t.shape == (BLOCK,) and t.dtype == torch.int64 for pair in pairs for t in pair)


def test_splits_share_nothing_and_leave_nothing(stream):
    for split in ("train", "val"):
        part = stream(split=split, val_percent=30)
        assert found(list(part)) == expected(split, 30)
        assert part.report["documents"] + part.report["other_split"] == part.report["rows"] == ROWS


def test_the_shuffle_changes_the_order_only(stream):
    plain, shuffled = list(stream(shuffle_buffer=0)), list(stream(shuffle_buffer=40))
    assert found(plain) == found(shuffled) == expected()
    assert same(shuffled, list(stream(shuffle_buffer=40)))
    assert not same(shuffled, list(stream(shuffle_buffer=40, seed=1)))
    first = [int(x[x >= 256][0]) for x, _ in shuffled]
    assert sum(a > b for a, b in pairwise(first)) > len(first) / 4  # far from sorted


def test_epochs_go_on_without_end_each_in_another_order(stream):
    pairs = list(stream(epochs=3, shuffle_buffer=2))
    assert found(pairs) == Counter({token: 3 * n for token, n in expected().items()})
    third = len(pairs) // 3
    assert len({str([x.tolist() for x, _ in pairs[i * third :][:20]]) for i in range(3)}) == 3
    endless = stream(epochs=0)
    assert all(endless.batch("windows", 4, BLOCK)[0].shape == (4, BLOCK) for _ in range(200))
    assert endless.report["documents"] > 1.5 * len(expected())


@pytest.mark.parametrize("n_files", [1, 3, 4])
@pytest.mark.parametrize("n_readers", [2, 3, 4])
def test_every_row_belongs_to_one_reader(tmp_path, n_files, n_readers):
    write(tmp_path, n_files)
    shares = [{"rank": rank, "world_size": n_readers} for rank in range(n_readers)]
    streams = [StreamingTokenDataset(tmp_path, ENCODING, BLOCK, **share) for share in shares]
    parts = [found(part) for part in streams]
    assert sum(parts, Counter()) == expected()
    assert sum(map(len, parts)) == len(expected())  # and no document is cut between two
    if n_files == n_readers == 4:  # whole files: nobody reads what others do
        assert [part.report["rows"] for part in streams] == [ROWS // 4] * 4


# --- resuming; bench/streaming.py does so at 50 places with workers and ranks


@pytest.mark.parametrize(
    "changes", [{}, {"rank": 0, "world_size": 2}, {"rank": 1, "world_size": 2}, {"epochs": 2, "seed": 1}]
)
def test_goes_on_as_if_nothing_had_happened(tmp_path, corpus, changes):
    write(tmp_path, 2, suffix="jsonl")
    source, options = (tmp_path if "seed" in changes else corpus), {"shuffle_buffer": 20} | changes
    running, again = (StreamingTokenDataset(source, ENCODING, BLOCK, **options) for _ in range(2))
    states, whole = [], []
    while True:
        states.append(through_json(running.state_dict()))  # asking changes nothing
        try:
            whole.append(running.batch("windows", 3, BLOCK))
        except ValueError:
            break
    assert same(whole, drain(StreamingTokenDataset(source, ENCODING, BLOCK, **options)))
    for i in random.Random(0).sample(range(len(states) - 1), 20):
        again.load_state_dict(states[i])
        assert same([again.batch("windows", 3, BLOCK)], whole[i : i + 1])
        again.load_state_dict(through_json(again.state_dict()))  # which the state of `datasets` itself does not survive
        assert same(drain(again), whole[i + 1 :]), f"stopped before batch {i} of {len(whole)}"
        assert again.report == running.report


def test_an_iteration_goes_on_as_well_but_only_once(stream):
    whole, stopped = list(stream(shuffle_buffer=15)), stream(shuffle_buffer=15)
    list(islice(stopped, 7))
    stopped.load_state_dict(stopped.state_dict())
    assert same(list(stopped), whole[7:])
    assert same(list(stopped), whole)


def test_workers_go_on_too_and_ctrl_c_does_not_reach_them(stream):
    """Real processes: two workers of a rank, and two of a plain DataLoader."""
    options, others = {"num_workers": 2, "shuffle_buffer": 20}, multiprocessing.active_children()
    whole, stopped, again = drain(stream(**options)), stream(**options), stream(**options)
    head = [stopped.batch("windows", 3, BLOCK) for _ in range(40)]
    workers = [child for child in multiprocessing.active_children() if child not in others]
    assert workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGINT)
    again.load_state_dict(through_json(stopped.state_dict()))
    assert same(head + drain(stopped), whole)
    assert same(head + drain(again), whole)
    assert found(whole) == expected()
    assert found(DataLoader(stream(), batch_size=4, num_workers=2)) == expected()
    with pytest.raises(ValueError, match=r"^among \d+ rows .* no text"):  # no traceback of a worker in the sentence
        stream(split="val", val_percent=0, epochs=0, num_workers=2).batch("windows", 3, BLOCK)


def test_a_state_of_another_stream_is_refused(stream, corpus):
    others = [stream(seed=1), stream(num_workers=2), StreamingTokenDataset(corpus / "part-0.parquet", ENCODING, BLOCK)]
    for other, words in zip(others, ("seed: 0 then, 1 now", "num_workers: 0 then", "files: 3 named"), strict=True):
        with pytest.raises(ValueError, match=words):
            other.load_state_dict(stream().state_dict())


def of_reader(**changes):
    return {"readers": {"0": readers.FRESH | changes}}


@pytest.mark.parametrize(
    "changes",
    [
        *(None, [], {}, "state", {"settings": 5}, {"settings": None}, {"readers": {}}, {"readers": [5]}),
        *({"readers": {"x": {}}}, {"readers": {"0": None}}, {"readers": {"0": {}}}, {"queue": 0}, {"queue": [7]}),
        *({"queue": [0, 0]}, {"queue": []}, {"queue": [False]}, {"used": "1"}, {"used": None}, {"used": -1}),
        *({"rng": {}}, {"rng": 5}, {"buffer": None}, {"buffer": torch.zeros(2, 3, dtype=torch.int32)}),
        {"buffer": torch.full((1, BLOCK + 1), END + 1, dtype=torch.int32)},
        *({"buffer": [[1]]}, {"buffer": torch.zeros(2, BLOCK + 1)}, {"buffer": torch.tensor(5, dtype=torch.int32)}),
        *(of_reader(rest="x"), of_reader(rest=[END + 1]), of_reader(rest={}), of_reader(row="5"), of_reader(epoch=-1)),
        *(of_reader(file=1.5), of_reader(counts={}), of_reader(counts=None), of_reader(more=1)),
    ],
)
def test_a_damaged_state_is_refused_when_it_is_loaded_and_not_by_a_reader(stream, changes):
    state = stream().state_dict() | changes if changes and isinstance(changes, dict) else changes
    with pytest.raises(ValueError, match=r"^the state is damaged, or none of a stream: .*begin without the state$"):
        stream().load_state_dict(state)


@pytest.mark.parametrize("texts", [TEXTS[::-1], TEXTS[:20]])
def test_a_file_that_was_changed_is_noticed(tmp_path, texts):
    [path] = write(tmp_path, 1)
    stream = StreamingTokenDataset(path, ENCODING, BLOCK, shuffle_buffer=5)
    list(islice(stream, 60))
    stream.load_state_dict(stream.state_dict())
    Path(path).write_bytes(parquet(texts))
    with pytest.raises(ValueError, match=r"row \d+ of .*part-0.parquet is not what it was when the state was"):
        stream.batch("windows", 3, BLOCK)


# --- training


def test_train_takes_a_stream(corpus):
    stream = StreamingTokenDataset(corpus, ENCODING, 64, val_percent=30, shuffle_buffer=10, epochs=0)
    held = stream.held_out(5)
    assert found([(held.x, held.y)]) <= expected("val", 30)
    run = train(small_gpt(vocab_size=END + 1), stream, held, quick(rows="windows", steps=8), quiet=True)
    assert run.history[-1]["loss"] < run.history[0]["loss"]
    assert run.best_val_loss < 10


@pytest.mark.parametrize(("how", "block_size"), [("rows", BLOCK), ("windows", BLOCK + 1)])
def test_other_batches_are_refused(stream, how, block_size):
    for batches in (stream(), stream(val_percent=30).held_out(2)):
        with pytest.raises(ValueError, match='"windows" of 8'):
            batches.batch(how, 2, block_size, torch.Generator())


# --- sources


def test_folders_files_patterns_and_lists(tmp_path):
    folder = tmp_path / "corpus [2024]"  # brackets are no pattern where that name exists
    paths = write(folder, 3)
    assert list_files(folder) == list_files(str(folder / "part-*.parquet")) == list_files(f"file://{folder}") == paths
    assert list_files(folder / "part-[01].parquet") == paths[:2]
    assert list_files([paths[2], folder / "part-0.parquet"]) == [paths[2], paths[0]]
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/a/part.parquet", parquet(TEXTS))
    assert list_files("memory://bucket/a") == list_files("memory://bucket/*/*.parquet") != []
    assert report("memory://bucket/a")["documents"] == ROWS
    memory.rm("/bucket", recursive=True)


def test_what_is_left_out_of_a_folder_is_exact_and_said(tmp_path, capsys):
    taken = ["testimonials.parquet", "validated.jsonl", "part-0.parquet", "develop.jsonl.gz", "a/contest.parquet"]
    other = ["test-00000-of-00001.parquet", "test.parquet", "val_1.jsonl", "dev.jsonl", "validation/0.parquet"]
    for name in (*taken, *other, "._part-0.parquet", ".cache/x.parquet", "README.md", "a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert {str(Path(file).relative_to(tmp_path)) for file in list_files(tmp_path)} == set(taken)
    said = capsys.readouterr().out
    for clause in ("5 files are read", "2 hidden (", "5 of another split (", "2 of another kind (README.md, a.csv)"):
        assert clause in said
    assert list_files(tmp_path / "test.parquet") == [str(tmp_path / "test.parquet")]  # was named


def test_a_local_copy_of_the_hub(tmp_path, monkeypatch):
    write(tmp_path / "HuggingFaceFW/fineweb-edu/sample/10BT", 2)
    write(tmp_path / "HuggingFaceFW/fineweb-edu/data", 1)  # another configuration
    write(tmp_path / "roneneldan/TinyStories/data", 1)
    (tmp_path / "roneneldan/TinyStories/data/validation-0.parquet").write_text("not for training")
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    assert [report(name)["documents"] for name in HUB_SETS] == [ROWS, ROWS]


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"source": __file__}, FileNotFoundError, r"no \.parquet or \.jsonl file .* only 1 of another kind"),
        ({"source": "roneneldan/TinyStories"}, ConnectionError, "cannot be streamed from the hub .*WORKSHOP_HUB"),
        ({"source": "some/thing"}, ValueError, "hf://datasets/some/thing/data"),
        ({"source": "http://127.0.0.1/folder/"}, ValueError, "an http source cannot be listed"),
        ({"source": "foo://x/y.jsonl"}, ValueError, r"foo://x/y.jsonl cannot be read \(.* not known: foo\): correct"),
        ({"source": "s3://a/b", "storage_options": {"profile": "me"}}, ValueError, "'profile'.*key, secret, token"),
        ({"shuffle_buffer": "10"}, ValueError, "shuffle_buffer is '10'.*without quotes"),
    ],
)
def test_a_source_without_text_and_a_setting_out_of_range(changes, kind, words):
    with pytest.raises(kind, match=words):
        StreamingTokenDataset(**{"source": ".", "encoding": ENCODING, "block_size": BLOCK} | changes)


# --- rows


def test_bad_rows_are_counted_and_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(readers, "TOLD", 99)
    lines = {
        '{"text": "good one"}': None,
        "": "is not JSON",
        '{"text": " \\n "}': "column 'text' is empty",
        '{"body": "x", "\\ud800": 3}': r"there is no column 'text', only body, .ud800",
        '{"text": null}': "column 'text' is of type NoneType",
        '"only a string"': "there is no column 'text', only none",
        '{"text": "half \\ud800 pair"}': "column 'text' is not valid UTF-8",
        '{"text": "no UTF-8 \xff"}': "the line is not JSON .*'utf-8' codec can't decode",
        '{"text": "good two"}': None,
    }
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode("latin1"))  # as Windows saves it
    counts = report(tmp_path)
    assert (counts["rows"], counts["documents"], counts["left_out"]) == (9, 2, 7)
    told = capsys.readouterr().out
    for row, words in enumerate(lines.values()):
        assert bool(re.search(f"row {row} of .*a.jsonl is left out: .*{words}", told)) == bool(words)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.string()])
def test_bytes_in_parquet_are_text_where_they_are_utf_8(tmp_path, kind):
    column = pa.array([b"good one", b"\xff\xfe", b"good two", None], pa.binary())
    (tmp_path / "a.parquet").write_bytes(parquet(column.view(kind) if kind == pa.string() else column.cast(kind)))
    (tmp_path / "b.parquet").write_bytes(parquet(["x"] * 3, column="body"))
    counts = report(tmp_path)
    assert (counts["documents"], counts["left_out"]) == (2, 5)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b' [{"text": "a"}, {"text": "b"}]', "is a JSON array: .*one object in each line.*from_json"),
        ("a.json", '{"text": "a"}\n'.encode("utf-16"), "is UTF-16: write it anew in UTF-8"),
        ("a.jsonl", b'{"body": "a"}', r"no text .*row 0 of .*only body\): pass text_column"),
        ("a.parquet", parquet([7, 8]), "no text .*row 1 of .*'text' is of type int"),
        ("a.parquet", parquet(TEXTS)[:2000], r"a.parquet is damaged \(.*copy it again"),
        ("a.jsonl.zst", COMPRESS[".zst"](b"x" * 999)[:-9], "a.jsonl.zst is damaged"),
    ],
)
def test_a_file_without_text_says_what_it_is(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    for epochs in (1, 0):
        with pytest.raises(ValueError, match=f"(?s){words}"):
            report(tmp_path, epochs=epochs)


@pytest.mark.parametrize("ending", COMPRESS)
def test_json_lines_in_two_frames_as_large_files_are(tmp_path, ending):
    lines, path = json_lines(TEXTS), tmp_path / f"a::b#c%20d.jsonl{ending}"
    path.write_bytes(COMPRESS[ending](lines[:500]) + COMPRESS[ending](lines[500:]))
    assert [text for _, text in rows.rows(str(path), "text", {}, 200)] == TEXTS[200:]


def test_of_parquet_only_what_is_needed_is_read(tmp_path):
    """pyarrow's scanner decodes up to 1 GB before the first row is used."""
    path, held = tmp_path / "large.parquet", []
    content = parquet([f"{i} {'x' * 10_000}" for i in range(3000)], row_group_size=100)
    path.write_bytes(content[:4] + b"\0" * 1000 + content[1004:])  # the first row group is not to be read
    before = pa.total_allocated_bytes()
    for row, text in rows.rows(str(path), "text", {}, 1234):
        assert text.startswith(f"{row} x")
        held.append(pa.total_allocated_bytes() - before)
    assert len(held) == 3000 - 1234
    assert max(held) < 5e6


FILES = {f"a.jsonl{ending}": compress(json_lines(TEXTS[:5])) for ending, compress in COMPRESS.items()}
FILES |= {"a.parquet": parquet(TEXTS[:5]), "b.parquet": parquet([["a"], None]), "a.txt": b"a", "a.json": b'["a"]'}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(FILES)), st.integers(0, 60), st.integers(0, 2000), st.integers(0, 255), st.binary())
def test_whatever_is_in_a_file_is_counted_or_refused_in_a_sentence(tmp_path_factory, name, cut, place, flip, more):
    content = bytearray(FILES[name][: max(1, len(FILES[name]) - cut)])
    content[place % len(content)] ^= flip
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(content + more)
    try:
        counts = report(path)
    except (ValueError, FileNotFoundError) as error:
        said = str(error).encode()  # it can be printed
        counts = {"rows": len(said) > 20, "documents": 1, "left_out": 0}
    assert counts["rows"] == counts["documents"] + counts["left_out"]


# --- servers on this machine


class Server(BaseHTTPRequestHandler):
    """Serves files with ranges; `answer` says how: "" as it is, "truncated", or with an error such as "404"."""

    root: Path
    answer: Callable[[], str]
    asked: Counter[str]
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        answer, path = self.answer(), self.root / urlsplit(self.path).path.lstrip("/")
        self.asked[answer] += 1
        if answer.isdigit():
            self.reply(int(answer), b"")
        elif path.is_dir():
            self.list(path)
        else:
            content, code, headers = path.read_bytes(), 200, {"Accept-Ranges": "bytes"}
            if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
                start, stop = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
                headers["Content-Range"], code = f"bytes {start}-{stop}/{len(content)}", 206
                content = content[start : stop + 1]
            self.reply(code, content, half=answer == "truncated", **headers)

    def list(self, folder: Path) -> None:
        """As much of S3 as reading needs: the bucket "corpus", for the key "me"."""
        if "Credential=me/" not in self.headers.get("Authorization", ""):
            self.reply(403, b"<Error><Code>AccessDenied</Code></Error>", **{"Content-Type": "application/xml"})
            return
        entry = "<Contents><Key>en/{}</Key><Size>{}</Size><ETag>x</ETag></Contents>"
        entries = [entry.format(path.name, path.stat().st_size) for path in (self.root / "corpus/en").iterdir()]
        listed = f"<KeyCount>{len(entries)}</KeyCount><IsTruncated>false</IsTruncated>{''.join(entries)}"
        listed, code = f"<ListBucketResult>{listed}</ListBucketResult>", 200 if "list-type" in self.path else 404
        self.reply(code, listed.encode(), **{"Content-Type": "application/xml"})

    def reply(self, code: int, content: bytes, half: bool = False, **headers: str) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: len(content) // 2] if half else content)
        self.close_connection = half


@contextmanager
def serving(root: Path, answer: Callable[[], str] = str) -> Iterator:
    """A server on this machine: its address, and what became of the requests."""
    asked: Counter[str] = Counter()
    here = type("Here", (Server,), {"root": root, "asked": asked, "answer": staticmethod(answer)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), here)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("suffix", "fine", "block_size"), [("jsonl", 2, 10**6), ("parquet", 2, 10**6), ("parquet", 6, 9)]
)
def test_answers_refused_or_cut_short_also_in_the_middle_of_a_file(tmp_path, suffix, fine, block_size):
    paths, drawn = write(tmp_path, 2, suffix), random.Random(0)
    with serving(tmp_path, lambda: drawn.choice([*[""] * fine, "503", "truncated"])) as (address, asked):
        urls, options = [f"{address}/{Path(path).name}" for path in paths], {"block_size": block_size}
        assert found(StreamingTokenDataset(urls, ENCODING, BLOCK, storage_options=options)) == expected()
        assert asked["503"] + asked["truncated"] > 5


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("404", FileNotFoundError, "part-0.parquet is not there, or not for you .*check the name"),
        ("403", PermissionError, "part-0.parquet is not there, or not for you .*the key or token"),
        ("503", ConnectionError, "part-0.parquet could not be read .*then go on from the last checkpoint"),
    ],
)
def test_what_is_refused_is_asked_for_again_only_if_that_may_help(tmp_path, capsys, answer, kind, words):
    with serving(tmp_path, lambda: answer) as (address, asked):
        with pytest.raises(kind, match=words):
            report(f"{address}/part-0.parquet")
        assert (asked[answer] > 10) == ("attempt 12 of 12" in capsys.readouterr().out) == (answer == "503")


@pytest.mark.parametrize(
    ("source", "answer", "words"),
    [
        ("http://ada:one@qzjxwv@127.0.0.1:9/x.txt", "", "an http source cannot be listed"),
        ("s3x://ada:qzjxwv@h/x.jsonl", "", "not known: s3x"),
        ("memory://ada:qzjxwv@nothing/here", "", "is not there"),
        ("http://127.0.0.1:9/x.jsonl?token=qzjxwv", "", "could not be read"),
        ("HERE/other.jsonl?token=qzjxwv", "404", "is not there"),
        ("HERE/other.jsonl?token=qzjxwv", "", "no text of the split"),
        ("HERE/part-0.jsonl?token=qzjxwv", "", "is not what it was"),
    ],
)
def test_no_password_of_an_address_is_shown_nor_in_a_notebooks_traceback(tmp_path, capsys, source, answer, words):
    write(tmp_path, 1, "jsonl")
    (tmp_path / "other.jsonl").write_text('{"body": "a"}')

    def read(named: str) -> None:
        stream = StreamingTokenDataset(named, ENCODING, BLOCK, shuffle_buffer=5)
        list(islice(stream, 60))
        stream.load_state_dict(stream.state_dict())
        (tmp_path / "part-0.jsonl").write_bytes(json_lines(TEXTS[::-1]))
        stream.batch("windows", 3, BLOCK)

    with serving(tmp_path, lambda: answer) as (address, _), pytest.raises((OSError, ValueError), match=words) as caught:
        read(source.replace("HERE", address))
    assert "qzjxwv" not in "".join(traceback.format_exception(caught.value)) + capsys.readouterr().out


@pytest.mark.skipif(find_spec("s3fs") is not None, reason="s3fs has its own tests")
def test_a_bucket_behind_a_key(tmp_path):
    write(tmp_path / "corpus" / "en", 2)
    with serving(tmp_path) as (address, _):
        options = {"key": "me", "secret": "secret", "endpoint_url": address, "region": "eu"}
        stream = StreamingTokenDataset("s3://corpus/en", ENCODING, BLOCK, storage_options=options)
        assert stream.files == [f"s3://corpus/en/part-{i}.parquet" for i in range(2)]
        assert found(stream) == expected()
        with pytest.raises(ConnectionError, match=r"ACCESS_DENIED.*storage options"):
            list_files("s3://corpus/en", options | {"key": "stranger"})
