"""Where documents come from, which are held out, and which files are refused as a text."""

import gzip
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet, table

from workshop_utils.command import own_text
from workshop_utils.command.own_text import read_corpus, split_text
from workshop_utils.machine import hub as hub_module
from workshop_utils.machine import text_files
from workshop_utils.machine.text_files import BINARY, read_text
from workshop_utils.text import corpus, documents, pocket_tokenizer, prepare, split_of

TINY, FINEWEB = "roneneldan/TinyStories", "HuggingFaceFW/fineweb-edu"
PROSE = "Die Straße war naß, die Mädchen gingen früh schlafen.\nÜber Nacht fiel Schnee auf das Dach, viel Schnee.\n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_reads_utf8_with_or_without_a_mark_and_any_line_ends(tmp_path, end, mark):
    (tmp_path / "t.txt").write_bytes(mark + f"a\nb{end}{end}ü".encode())
    assert read_text(tmp_path / "t.txt") == read_corpus(tmp_path / "t.txt").decode() == "a\nb\n\nü"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", None, "there is no text file at .*check the path"),
        ("a.txt", b" \n\t ", "is empty"),
        ("a.txt", PROSE.encode("cp1252"), r"is not UTF-8.*reads 'Die Straße"),
        ("a.txt", PROSE.encode("utf-16"), "UTF-16.*save it as UTF-8"),
        ("a.txt", gzip.compress(PROSE.encode()), "gzip file: unpack it"),
        ("a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF: copy its text into a .txt file"),
        ("train.tokens", b"SLMTOKEN" + bytes(1016), "token file.*--config"),
        ("A.JSONL", b'{"text": "a"}\n', "is a .JSONL file.*--config.*end in .txt"),
    ],
)
def test_what_is_no_text_is_named_with_the_way_to_its_text(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        read_corpus(tmp_path / name)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=99)
    | st.builds(bytes.__add__, st.sampled_from([start for start, _ in BINARY]), st.binary(max_size=60))
    | st.builds(str.encode, st.text(max_size=60), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
)
def test_any_bytes_are_a_text_or_a_sentence(tmp_path, monkeypatch, content):
    monkeypatch.setattr(text_files, "PIECE", 7)  # a letter may lie across the border of two pieces
    (tmp_path / "any.txt").write_bytes(content)
    expected = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    try:
        found = read_corpus(tmp_path / "any.txt").decode()
    except ValueError as error:
        found = str(error)  # a UnicodeDecodeError would be no sentence
    assert found == expected or found.startswith(f"{tmp_path / 'any.txt'} ")


@pytest.mark.parametrize("seed", range(9))
def test_documents_are_held_out_whole_and_copies_together_but_no_giant(seed):
    stories = [f"Once upon a time {i} cats sat.\nThey ran.".encode() for i in range(100)]
    giant = f"giant {seed} ".encode() * 300
    content = b"\n<|endoftext|>\n".join([giant, *stories, *stories[:30]]) + b"\n<|endoftext|>\n"
    parts, said = split_text(content, 128)
    assert sorted(parts["train"] + parts["val"]) == sorted([giant.strip(), *stories, *stories[:30]])
    assert not set(parts["train"]) & set(parts["val"])
    assert giant.strip() in parts["train"]
    assert sum(map(len, parts["val"])) == pytest.approx(sum(map(len, parts["train"])) / 9, rel=0.1)
    assert f"131 documents, cut at <|endoftext|>; held out for validation: {len(parts['val'])} whole" in said


@pytest.mark.parametrize(("length", "n"), [(2_000, 1), (30_000, 2), (110_000, 10), (1_000_000, 10)])
def test_of_one_text_slices_are_held_out_all_over(length, n):
    line = "Der Bär schläft.\n"
    content = line.encode() * (length // len(line.encode()))
    parts, said = split_text(content, 128)
    order = [piece for pair in zip_longest(parts["train"], parts["val"], fillvalue=b"") for piece in pair]
    assert b"".join(order) == content
    assert len(parts["val"]) == n
    assert all(piece.endswith(b"\n") for piece in order if piece)
    assert sum(map(len, parts["val"])) == pytest.approx(len(content) / 10, rel=0.1)
    assert "10% of the text" in said


def test_of_few_documents_each_gives_slices_and_a_long_one_more(monkeypatch):
    monkeypatch.setattr(own_text, "LONGEST_PART", 2_000)
    books = [f"book {i} has a line\n".encode() * 2000 for i in range(3)]
    parts, said = split_text(b"<|endoftext|>".join(books), 128)
    assert {piece[:6] for piece in parts["val"]} == {b"book 0", b"book 1", b"book 2"}
    assert max(map(len, parts["train"])) < 12_000
    assert "3 documents" in said


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.integers(1, 20))
def test_a_split_loses_nothing_and_cuts_no_letter(text, block_size):
    parts, _ = split_text(text.encode(), block_size)
    pieces = [piece.decode() for piece in (*parts["train"], *parts["val"])]
    assert all(pieces)
    assert sum(map(len, pieces)) == len(text)


def test_share_and_stability_of_the_split():
    many = [f"document {i}" for i in range(20_000)]
    assert 0.015 < sum(split_of(text) == "val" for text in many) / len(many) < 0.025
    assert [split_of(f"document {i}") for i in (0, 1, 13, 58)] == ["train", "train", "val", "val"]  # for ever
    assert all(split_of(text, 0) == "train" for text in many[:1000])
    for percent in (-1, 51):
        with pytest.raises(ValueError, match=f"val_percent is {percent}"):
            split_of("a", percent)


def profile(text: str = "stories", n_documents: int = 200) -> SimpleNamespace:
    return SimpleNamespace(text=text, n_documents=n_documents, tokenizer="pocket")


def write_parquet(path: Path, **columns: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table(columns), path)


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "train", "other"),
    [
        (TINY, "train-00000-of-00002", "validation-00000-of-00001"),
        (TINY, "data/train-00000-of-00002", "data/validation-00000-of-00001"),
        (FINEWEB, "sample/10BT/000_00000", "data/CC-MAIN-2013-20/train-00000"),
    ],
)
def test_a_copy_of_the_hub_gives_the_training_split_alone(hub, name, train, other):
    for part in (0, 1):
        path = hub / name / f"{train.replace('00000', f'0000{part}')}.parquet"
        write_parquet(path, text=[f"{part}a", f"{part}b"], score=[3.1, 3.2])
    write_parquet(hub / name / f"{other}.parquet", text=["other"], score=[1.0])
    assert list(documents(profile(name))) == ["0a", "0b", "1a", "1b"]
    assert list(documents(profile(name), limit=3)) == ["0a", "0b", "1a"]


def test_a_copy_of_something_else_is_a_sentence(hub):
    with pytest.raises(FileNotFoundError, match="WORKSHOP_HUB is set, but"):
        list(documents(profile(TINY)))
    path = hub / TINY / "train.parquet"
    write_parquet(path, story=["a" * 1000] * 1000)
    with pytest.raises(ValueError, match=f"{TINY} has no column 'text'"):
        list(documents(profile(TINY)))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"is damaged.*copy it again"):
        list(documents(profile(TINY)))


def test_a_hub_that_is_not_there_or_breaks_off(monkeypatch):
    import datasets

    def breaks(*args, **kwargs) -> Iterator[dict]:
        assert (args, kwargs) == ((FINEWEB, "sample-10BT"), {"split": "train", "streaming": True})
        yield {"text": "a"}
        raise ConnectionResetError("gone")

    monkeypatch.setattr(hub_module, "hub_reachable", lambda: (False, "no answer"))
    with pytest.raises(ConnectionError, match=r"no answer.*WORKSHOP_PROFILE=pocket.*WORKSHOP_HUB"):
        next(documents(profile(TINY)))
    monkeypatch.setattr(hub_module, "hub_reachable", lambda: (True, ""))
    monkeypatch.setattr(datasets, "load_dataset", breaks)
    found = documents(profile(FINEWEB))
    assert next(found) == "a"
    with pytest.raises(ConnectionError, match=r"stopped sending.*gone"):
        next(found)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    pocket_tokenizer()  # made in the home of all tests, and kept in memory
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    return tmp_path


def test_prepare_goes_the_whole_way_once(home, monkeypatch):
    train, val, encoding = prepare(profile())
    found = list(documents(profile()))
    assert len(found) == len(set(found)) == 200
    held_out = [text for text in found if split_of(text) == "val"]
    assert [encoding.decode(val.document(i)) for i in range(val.n_documents)] == held_out
    assert train.n_documents == 200 - len(held_out) < 200
    assert prepare(profile(n_documents=190))[0].n_documents < train.n_documents
    monkeypatch.setattr(corpus, "documents", None)  # not asked again
    assert prepare(profile())[0].path == train.path


@pytest.mark.parametrize("damaged", ["train.tokens", "settings.json", None])
def test_damaged_and_half_made_files_are_made_again(home, damaged):
    folder = prepare(profile())[0].path.parent
    made = {path.name: path.read_bytes() for path in folder.iterdir()}
    if damaged:
        (folder / damaged).write_bytes(b"{}")
    else:  # what a kill leaves
        (folder / "settings.json").unlink()
        (folder / ".train.tokens.0123abcd.part").write_bytes(b"half a file")
    prepare(profile())
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == made
