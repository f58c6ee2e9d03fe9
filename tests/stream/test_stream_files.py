"""Whatever is in a folder, a file or a row, and whatever the connection does: text, or a sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered_rows import BLOCK, ROWS, TEXTS, expected, found, numbers_encoding, same, write

from workshop_utils.stream import StreamingTokenDataset, files, readers
from workshop_utils.stream.files import list_files
from workshop_utils.stream.rows import rows
from workshop_utils.text.corpus import HUB_SETS

ENCODING = numbers_encoding()
COMPRESS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}
COMPRESS[".zst"] = lambda content: pa.compress(content, "zstd", asbytes=True)


def report(source, **settings) -> dict[str, int]:
    """What is counted when a source is read to its end, without a validation part."""
    stream = StreamingTokenDataset(source, ENCODING, BLOCK, **{"val_percent": 0} | settings)
    list(stream)
    return stream.report


def parquet(**columns) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_folders_files_patterns_and_lists(tmp_path):
    folder = tmp_path / "corpus [2024]"  # brackets are no pattern where that name exists
    paths = [str(path) for path in write(folder, 3)]
    assert list_files(folder) == list_files(str(folder / "part-*.parquet")) == list_files(f"file://{folder}") == paths
    assert list_files(folder / "part-[01].parquet") == paths[:2]
    assert list_files([paths[2], folder / "part-0.parquet"]) == [paths[2], paths[0]]


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


def test_any_file_system_of_fsspec():
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/a/part.parquet", parquet(text=TEXTS))
    assert list_files("memory://bucket/a") == list_files("memory://bucket/*/*.parquet") != []
    assert report("memory://bucket/a")["documents"] == ROWS
    memory.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"source": "nowhere [1]/*.parquet"}, FileNotFoundError, "check the path"),
        ({"source": __file__}, FileNotFoundError, r"no \.parquet or \.jsonl file .* only 1 of another kind"),
        ({"source": "roneneldan/TinyStories"}, ConnectionError, "cannot be streamed from the hub .*WORKSHOP_HUB"),
        ({"source": "some/thing"}, ValueError, "hf://datasets/some/thing/data"),
        ({"source": "http://127.0.0.1/folder/"}, ValueError, "an http source cannot be listed"),
        ({"source": "foo://x/y.jsonl"}, ValueError, r"foo://x/y.jsonl cannot be read \(.* not known: foo\): correct"),
        ({"source": "memory://nothing/a"}, FileNotFoundError, "memory://nothing/a is not there"),
        ({"source": []}, ValueError, r"source is \[\]: name a file"),
        ({"split": "test"}, ValueError, "split is 'test'"),
        ({"rank": 2, "world_size": 2}, ValueError, "rank is 2: it goes from 0 to world_size - 1, 1"),
        ({"shuffle_buffer": "10"}, ValueError, "shuffle_buffer is '10'.*without quotes"),
        ({"storage_options": "key"}, ValueError, "storage_options is 'key'"),
        ({"encoding": None}, ValueError, "encoding is None: choose a tokenizer"),
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
        "{broken": "the line is not JSON",
        '{"text": ' + "[" * 100_000: "the line is not JSON",
        '"only a string"': "there is no column 'text', only none",
        '{"text": "half \\ud800 pair"}': "column 'text' is not valid UTF-8",
        '{"text": "no UTF-8 \xff"}': "the line is not JSON .*'utf-8' codec can't decode",
        '{"text": "good two"}': None,
    }
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode("latin1"))  # as Windows saves it
    counts = report(tmp_path)
    assert (counts["rows"], counts["documents"], counts["left_out"]) == (11, 2, 9)
    told = capsys.readouterr().out
    for row, words in enumerate(lines.values()):
        assert bool(re.search(f"row {row} of .*a.jsonl is left out: .*{words}", told)) == bool(words)


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.string()])
def test_bytes_in_parquet_are_text_where_they_are_utf_8(tmp_path, kind):
    column = pa.array([b"good one", b"\xff\xfe", b"good two", None], pa.binary())
    column = column.view(kind) if kind == pa.string() else column.cast(kind)
    (tmp_path / "a.parquet").write_bytes(parquet(text=column))
    (tmp_path / "b.parquet").write_bytes(parquet(body=["x"] * 3))
    counts = report(tmp_path)
    assert (counts["documents"], counts["left_out"]) == (2, 5)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b' [{"text": "a"}, {"text": "b"}]', "is a JSON array: .*one object in each line.*from_json"),
        ("a.json", '{"text": "a"}\n'.encode("utf-16"), "is UTF-16: write it anew in UTF-8"),
        ("a.json", '{"text": "a"}'.encode("utf-16-le"), "is UTF-16-LE"),
        ("a.jsonl", b"", "among 0 rows of .*a.jsonl there is no text"),
        ("a.jsonl", b'{"body": "a"}', r"no text .*row 0 of .*only body\): pass text_column"),
        ("a.parquet", parquet(text=[7, 8]), "no text .*row 1 of .*'text' is of type int"),
        ("a.parquet", parquet(text=TEXTS)[:2000], r"a.parquet is damaged \(.*copy it again"),
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
    lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS).encode()
    path = tmp_path / f"a::b#c%20d.jsonl{ending}"
    path.write_bytes(COMPRESS[ending](lines[:500]) + COMPRESS[ending](lines[500:]))
    assert [text for _, text in rows(str(path), "text", {}, 200)] == TEXTS[200:]


def test_of_parquet_only_what_is_needed_is_read(tmp_path, monkeypatch):
    """pyarrow's scanner decodes up to 1 GB before the first row is used."""
    path = tmp_path / "large.parquet"
    pq.write_table(pa.table({"text": [f"{i} {'x' * 10_000}" for i in range(3000)]}), path, row_group_size=100)
    real, groups, held, before = pq.ParquetFile.iter_batches, [], [], pa.total_allocated_bytes()

    def noting(self, *args, row_groups, **settings):
        groups.extend(row_groups)
        return real(self, *args, row_groups=row_groups, **settings)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", noting)
    for row, text in rows(str(path), "text", {}, 1234):
        assert text.startswith(f"{row} x")
        held.append(pa.total_allocated_bytes() - before)
    assert len(held) == 3000 - 1234
    assert groups == list(range(12, 30))
    assert max(held) < 5e6


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.none()))
NAMES = st.sampled_from(["text", "body", "\ud800"])
LINES = st.one_of(st.binary(max_size=40), st.dictionaries(NAMES, VALUES).map(lambda row: json.dumps(row).encode()))
COLUMNS = st.lists(st.none() | st.text(max_size=9)) | st.lists(st.integers(0, 9)) | st.lists(st.lists(st.text()))
CONTENTS = st.one_of(
    st.tuples(st.sampled_from(["a.txt", "a.json", "test.jsonl", "a.parquet"]), st.binary(max_size=60)),
    st.builds(
        lambda ending, lines: (f"a.jsonl{ending}", COMPRESS[ending](b"\n".join(lines))),
        st.sampled_from(list(COMPRESS)),
        st.lists(LINES, max_size=6),
    ),
    st.builds(
        lambda name, column: ("a.parquet", parquet(**{name: column})), st.sampled_from(["text", "body"]), COLUMNS
    ),
)


@settings(max_examples=150, deadline=None)
@given(file=CONTENTS, harm=st.none() | st.tuples(st.integers(0, 60), st.integers(0, 2000)))
def test_whatever_is_in_a_file_is_counted_or_refused_in_a_sentence(file, harm):
    name, content = file
    if harm and content:  # the last bytes missing, one byte changed
        kept = bytearray(content[: max(1, len(content) - harm[0])])
        kept[harm[1] % len(kept)] ^= 0x41
        content = bytes(kept)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        try:
            counts = report(folder)
        except (ValueError, FileNotFoundError) as error:
            said = str(error).encode()  # it can be printed
            counts = {"rows": len(said) > 20, "documents": 1, "left_out": 0}
    assert counts["rows"] == counts["documents"] + counts["left_out"]


# --- servers on this machine


class Files(BaseHTTPRequestHandler):
    """Serves files with ranges; `answer` says how: "" as it is, "truncated", or with an error such as "404"."""

    root: Path
    answer: Callable[[], str]
    asked: Counter[str]
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        answer = self.answer()
        self.asked[answer] += 1
        if answer.isdigit():
            self.reply(int(answer), b"")
            return
        content, code = (self.root / urlsplit(self.path).path.lstrip("/")).read_bytes(), 200
        headers = {"Accept-Ranges": "bytes"}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, stop = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            headers["Content-Range"], code = f"bytes {start}-{stop}/{len(content)}", 206
            content = content[start : stop + 1]
        self.reply(code, content, headers, half=answer == "truncated")

    def reply(self, code: int, content: bytes, headers: dict[str, str] | None = None, half: bool = False) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: len(content) // 2] if half else content)
        self.close_connection = half


class Bucket(Files):
    """As much of S3 as reading needs: a bucket "corpus" for the key "me"."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "Credential=me/" not in self.headers.get("Authorization", ""):
            self.reply(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})
        elif "list-type" in query or self.path.endswith("/en"):
            keys = {f"en/{path.name}": path.stat().st_size for path in (self.root / "corpus/en").iterdir()}
            listed = "".join(
                f"<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                "<ETag>x</ETag></Contents>"
                for key, size in keys.items()
            )
            listed = f"<KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>{listed}"
            listed = f"<ListBucketResult>{listed}</ListBucketResult>"
            code = 200 if "list-type" in query else 404
            self.reply(code, listed.encode(), {"Content-Type": "application/xml"})
        else:
            super().do_GET()


@contextmanager
def serving(root: Path, answer: Callable[[], str] = str, handler: type[Files] = Files) -> Iterator:
    """A server on this machine: its address, and what became of the requests."""
    asked: Counter[str] = Counter()
    here = type("Here", (handler,), {"root": root, "asked": asked, "answer": staticmethod(answer)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), here)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(files, "LONGEST_WAIT", 0.001)


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_half_of_the_answers_refused_or_cut_short(tmp_path, impatient, suffix):
    paths, drawn = write(tmp_path, 2, suffix), random.Random(0)
    with serving(tmp_path, lambda: drawn.choice(["", "", "503", "truncated"])) as (address, asked):
        stream = StreamingTokenDataset([f"{address}/{path.name}" for path in paths], ENCODING, BLOCK)
        assert found(list(stream)) == expected()
        assert asked["503"] + asked["truncated"] > 5


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("404", FileNotFoundError, "part-0.parquet is not there, or not for you .*check the name"),
        ("403", PermissionError, "part-0.parquet is not there, or not for you .*the key or token"),
        ("503", ConnectionError, "part-0.parquet could not be read .*then go on from the last checkpoint"),
    ],
)
def test_what_is_refused_is_asked_for_again_only_if_that_may_help(tmp_path, impatient, capsys, answer, kind, words):
    with serving(tmp_path, lambda: answer) as (address, asked):
        with pytest.raises(kind, match=words):
            report(f"{address}/part-0.parquet")
        assert (asked[answer] > 10) == ("attempt 12 of 12" in capsys.readouterr().out) == (answer == "503")


@pytest.mark.skipif(find_spec("s3fs") is not None, reason="s3fs has its own tests")
def test_a_bucket_behind_a_key(tmp_path):
    write(tmp_path / "corpus" / "en", 2)
    with serving(tmp_path, handler=Bucket) as (address, _):
        options = {"key": "me", "secret": "secret", "endpoint_url": address, "region": "eu"}
        stream = StreamingTokenDataset("s3://corpus/en", ENCODING, BLOCK, storage_options=options)
        assert stream.files == [f"s3://corpus/en/part-{i}.parquet" for i in range(2)]
        whole = list(stream)
        assert found(whole) == expected()
        list(islice(stream, 30))
        stream.load_state_dict(stream.state_dict())
        assert same(list(stream), whole[30:])
        with pytest.raises(ConnectionError, match=r"ACCESS_DENIED.*storage options"):
            list_files("s3://corpus/en", options | {"key": "stranger"})
    with pytest.raises(ValueError, match=r"s3://corpus/en cannot be read .*'profile'.*key, secret, token"):
        list_files("s3://corpus/en", {"profile": "me"})
