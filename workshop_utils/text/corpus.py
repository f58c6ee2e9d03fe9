"""Documents and their way into token files: where texts come from, which split they belong to.

prepare(profile) goes the whole way once and is quick ever after. The token files themselves live in token_file.py.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import tiktoken

from workshop_utils.machine.files import PARTIAL, write_text_atomically
from workshop_utils.machine.sentences import one_line
from workshop_utils.text.token_file import TokenFile
from workshop_utils.text.tokenise import write_token_file, write_token_files
from workshop_utils.text.tokenizer import END_OF_TEXT, fingerprint, for_profile

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

__all__ = [
    "TokenFile",
    "documents",
    "prepare",
    "read_corpus",
    "read_text",
    "split_of",
    "split_text",
    "write_token_file",
    "write_token_files",
]

Part = TypeVar("Part")
TEXT_COLUMN = "text"
MARKUP, JSONS = (".html", ".htm", ".xhtml", ".xml", ".svg"), (".json", ".jsonl", ".ndjson", ".ipynb")
HEAD = 1_000_000  # bytes that are read at once; by the first of them it is judged what a text file holds
# For each data set of the hub: the name of its configuration, and where those files lie in a copy of it.
HUB_SETS: dict[str, tuple[str | None, str]] = {
    "roneneldan/TinyStories": (None, "."),
    "HuggingFaceFW/fineweb-edu": ("sample-10BT", "sample/10BT"),
}
CURE = "take the pocket profile, WORKSHOP_PROFILE=pocket, which needs no network, or point WORKSHOP_HUB at a local copy"
# Lines that hold what elsewhere ends a document, or END_OF_TEXT with a slip.
MISSPELT = re.compile(
    rb"(?im)^[ \t]*(?:<\|?[ ]*(?:end[ _]?of[ _]?text|eos|/s|im_end)[ ]*\|?>|&lt;\|endoftext\|&gt;)[ \t]*$"
)
VAL_PERCENT = 2
VAL_SHARE = 0.1  # of a single text: there is less of it than of a corpus
WHOLE_DOCUMENTS = 10  # of fewer documents none is held out as a whole
SLICE_BLOCKS = 8  # bytes of a slice that is held out, in block_size: two or three windows
LONGEST_PART = 5_000_000  # bytes of a text with one slice in it, which are tokenised as one document


def read_text(path: str | Path) -> str:
    """Read a text file, UTF-8, with \\n at the end of each line.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, not UTF-8, or no text file; the message names the format and the way to its text.
    """
    return _read_utf8(Path(path)).decode()


def read_corpus(path: str | Path) -> bytes:
    """Read a text file for a model to learn: as read_text does, but as UTF-8 bytes, which take less memory.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as read_text says, or it is JSON, a table or HTML.
    """
    path = Path(path)
    content = _read_utf8(path)
    if not any(
        content[at : at + HEAD].decode(errors="ignore").replace(END_OF_TEXT, "").strip()
        for at in range(0, len(content), HEAD)
    ):
        raise ValueError(f"{path} holds no text, only blanks or {END_OF_TEXT}: choose a file with text")
    found = _structure(content[:HEAD].decode(errors="ignore"), path.suffix.lower())
    if found is not None:
        what, cure = found
        raise ValueError(
            f"{path} is {what}, and a model would learn its syntax with the text: {cure.format(**_names(path))} (to "
            "train on the syntax all the same, put a line of plain words at the top of the file, and let its name end "
            "in .txt)"
        )
    for doubt in _doubts(content[:HEAD]):
        print(f"{path.name}: {doubt}")
    return content


def _doubts(head: bytes) -> Iterator[str]:
    """What most likely is a mistake in a text, and is no reason to refuse it; by its start."""
    marks = [mark.group().decode().strip() for mark in MISSPELT.finditer(head)]
    marks = [mark for mark in marks if mark != END_OF_TEXT]
    if len(marks) > 1:
        yield f"{len(marks):,} lines are only {marks[0]}, learnt as text: write {END_OF_TEXT} where a document ends"
    if len(head) < 10_000:
        return
    start = head[:100_000].decode(errors="ignore")
    letters = sum(character.isalpha() or character.isspace() or character > "\x7f" for character in start) / len(start)
    packed = len(zlib.compress(head)) / len(head)
    if packed < 0.03:
        yield f"it repeats itself, compressed it has {packed:.1%} of its size: there is little to learn in it"
    elif letters < 0.5 or packed > 0.7:
        yield (
            f"it hardly is language ({letters:.0%} letters and blanks, compressed {packed:.0%} of its size): is it the "
            "right file?"
        )


def _read_utf8(path: Path) -> bytes:
    if path.is_dir():
        raise FileNotFoundError(
            f"there is no text file at {path}, which is a folder: name one file; put several documents into one, with "
            f"a line {END_OF_TEXT} between them"
        )
    if path.exists() and not path.is_file():
        raise FileNotFoundError(
            f"{path} is a pipe or a device, which cannot be read twice: save its text in a file first"
        )
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no text file at {path}{', a link that leads nowhere' * path.is_symlink()}: check the path"
        )
    content = path.read_bytes()
    if not content.strip():
        raise ValueError(f"{path} is empty: there is nothing to learn from, choose a file with text")
    for start, holds, what, cure in BINARY:
        if content.startswith(start) and holds in content:
            raise ValueError(f"{path} is {what} and no plain text: {cure.format(**_names(path))}")
    if b"\0" in content:
        raise ValueError(f"{path} {_with_nuls(content).format(**_names(path))}")
    content = content.removeprefix(codecs.BOM_UTF8)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for at in progress(
            range(0, len(content), HEAD), len(content), "reading", lambda at: min(HEAD, len(content) - at)
        ):
            decoder.decode(content[at : at + HEAD], final=at + HEAD >= len(content))
    except UnicodeDecodeError:
        raise ValueError(f"{path} {_not_utf8(content).format(**_names(path))}") from None
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def progress(parts: Iterable[Part], total: int, doing: str, size: Callable[[Part], int]) -> Iterator[Part]:
    """Hand parts on behind a progress bar of bytes, which only a terminal gets, and only work that takes a while.

    Args:
        parts: what is worked on.
        total: bytes of all parts.
        doing: what is done with them.
        size: the bytes of a part.
    """
    from tqdm import tqdm

    with tqdm(total=total, desc=doing, unit="B", unit_scale=True, delay=0.5, leave=False, disable=None) as bar:
        for part in parts:
            yield part
            bar.update(size(part))


# --- files that are no plain text: what they are, and the way to their text --------------------------------------

# Every command is one line and works in the shells of all systems, Windows too.
_UNPACK = "unpack it, python -c \"import {0}, shutil; shutil.copyfileobj({0}.open({{old}}), open({{new}}, 'wb'))\""
_RECODE = (
    "python -c \"import pathlib; pathlib.Path({{new}}).write_text(pathlib.Path({{old}}).read_text({0}), 'utf-8')\""
)
_JOIN = f"sep='\\n{END_OF_TEXT}\\n', file=open({{new}}, 'w', encoding='utf-8'))\", with your column of texts"
_SAVE_AS = "open it in the program that it belongs to and save it as plain text, UTF-8"
_TO_UTF8 = "convert it to UTF-8, " + _RECODE
_BY_HAND = f"take its texts out into a text file, with a line {END_OF_TEXT} between them"
# How a file begins, what it holds somewhere, what it is, the cure.
BINARY: tuple[tuple[bytes, bytes, str, str], ...] = (
    (b"\x1f\x8b", b"", "a gzip file", _UNPACK.format("gzip")),
    (b"BZh", b"\x31\x41\x59\x26\x53\x59", "a bzip2 file", _UNPACK.format("bz2")),
    (b"\xfd7zXZ\0", b"", "an xz file", _UNPACK.format("lzma")),
    (
        b"\x28\xb5\x2f\xfd",
        b"",
        "a Zstandard file (.zst)",
        'unpack it, pip install zstandard and then python -c "import zstandard; zstandard.ZstdDecompressor().'
        "copy_stream(open({old}, 'rb'), open({new}, 'wb'))\"",
    ),
    (b"PK\x03\x04", b"word/document.xml", "a Word document", _SAVE_AS),
    (b"PK\x03\x04", b"application/epub+zip", "an e-book (EPUB)", "convert it to plain text, for example with Calibre"),
    (b"PK\x03\x04", b"application/vnd.oasis", "an OpenDocument file", _SAVE_AS),
    (b"PK\x03\x04", b"xl/workbook.xml", "an Excel workbook", "save its text column as plain text, UTF-8"),
    (b"PK\x03\x04", b"", "a ZIP archive", "unpack it, python -m zipfile -e {old} ."),
    (b"7z\xbc\xaf\x27\x1c", b"", "a 7-Zip archive", "unpack it with 7-Zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", "an Office document", _SAVE_AS),
    (b"{\\rtf", b"", "a document in Rich Text Format", _SAVE_AS),
    (
        b"%PDF-",
        b"",
        "a PDF",
        'copy its text into a .txt file, or pip install pypdf and then python -c "import pypdf; print(*(page.'
        "extract_text() for page in pypdf.PdfReader({old}).pages), file=open({new}, 'w', encoding='utf-8'))\"",
    ),
    (
        b"PAR1",
        b"",
        "a Parquet file",
        'write its column of texts into a text file, python -c "import pandas; '
        "print(*pandas.read_parquet({old})['text'], " + _JOIN,
    ),
    (
        b"SLMTOKEN",
        b"",
        "a token file of this workshop",
        'name it as "data": {{"train": ..., "val": ..., "tokenizer": ...}} in the file of --config',
    ),
    (b"SQLite format 3\0", b"", "an SQLite database", "export its texts from there as plain text, UTF-8"),
    (b"\x89PNG", b"", "a picture (PNG)", "choose a file with text"),
    (b"\xff\xd8\xff", b"", "a picture (JPEG)", "choose a file with text"),
    (b"\x80\x04\x95", b"", "a pickle of Python", "load it where it was made, and write its texts into a text file"),
    (b"\x80\x05\x95", b"", "a pickle of Python", "load it where it was made, and write its texts into a text file"),
    (b"", b"\0ustar", "a tar archive", "unpack it, python -m tarfile -e {old}"),
    (codecs.BOM_UTF32_LE, b"", "in UTF-32", _TO_UTF8.format("'utf-32'")),
    (codecs.BOM_UTF32_BE, b"", "in UTF-32", _TO_UTF8.format("'utf-32'")),
    (codecs.BOM_UTF16_LE, b"", 'in UTF-16 (what Windows calls "Unicode")', _TO_UTF8.format("'utf-16'")),
    (codecs.BOM_UTF16_BE, b"", "in UTF-16", _TO_UTF8.format("'utf-16'")),
)


def _names(path: Path) -> dict[str, str]:
    """The file and the text file beside it, as Python writes them in a command that is quoted with \"."""
    found = {"old": path.as_posix(), "new": path.with_name(f"{path.stem}-text.txt").as_posix()}
    if any(character in "'\"{}\\$`%" for name in found.values() for character in name):  # would need more quoting
        found = {"old": "FILE", "new": "FILE-text.txt"}
    return {name: f"'{value}'" for name, value in found.items()}


def _with_nuls(content: bytes) -> str:
    head = content[:HEAD]
    halves = [half.count(0) / max(1, len(half)) for half in (head[::2], head[1::2])]  # of European texts one is all 0
    for share, other, name in ((halves[1], halves[0], "utf-16-le"), (halves[0], halves[1], "utf-16-be")):
        if share > 0.5 and other < 0.1:
            return f"is in UTF-16, without the mark that says so: {_TO_UTF8.format(repr(name))}"
    n = content.count(0)
    what = f"holds {n:,} NUL byte{'s' * (n > 1)}, the first at byte {content.index(0):,}, and no text has any: it is "
    if n > len(content) / 4 or "\ufffd" in codecs.getincrementaldecoder("utf-8")("replace").decode(
        head.replace(b"\0", b"")
    ):
        return what + "another kind of file. Choose the text, or save it as plain text with the program that wrote it"
    return (
        f"{what}"
        'another kind of file, or damaged. Choose the text, or take the NULs out, python -c "import pathlib; '
        "pathlib.Path({new}).write_bytes(pathlib.Path({old}).read_bytes().replace(bytes(1), b''))\""
    )


def _not_utf8(content: bytes) -> str:
    """What a file without NULs is that is not UTF-8: UTF-8 with some damage, or one byte a letter."""
    lenient = content.decode(errors="replace")
    damaged = lenient.count("\ufffd")
    at = lenient.index("\ufffd")
    line = lenient.count("\n", 0, at) + 1
    if sum(character > "\x7f" for character in lenient) > 2 * damaged:  # other letters beyond ASCII are whole
        return (
            f"is damaged UTF-8: bytes are no letter in {damaged:,} place{'s' * (damaged > 1)}, first in line {line:,}. "
            "Fetch it again, or put \ufffd there, " + _RECODE.format("'utf-8', 'replace'")
        )
    stretch = content.split(b"\n")[line - 1].decode("cp1252", "replace")
    seen = next(i for i, character in enumerate(stretch) if character > "\x7f")
    shown = stretch[max(0, seen - 15) : seen + 15].strip().replace("{", "{{").replace("}", "}}")
    return (
        f'is not UTF-8. Line {line:,} would read "{shown}" in Windows-1252, the usual encoding of older European '
        f"texts: if that is right, {_TO_UTF8.format(repr('cp1252'))}; else ask the program that wrote it for UTF-8"
    )


def _structure(head: str, suffix: str) -> tuple[str, str] | None:
    """Say whether the start of a text is JSON, a table or HTML: what it is and the cure."""
    if suffix in MARKUP or re.match(r"\s*<(?:!doctype|!--|html|svg|\?xml)", head, re.IGNORECASE):
        return "HTML or XML", "open it in a browser and save it as text"
    begins = r'\s*(?:\{\s*"[^"\n]*"\s*:|\[\s*(?:\{\s*"|\[\s*["\d]|"(?:[^"\\\n]|\\.)*"\s*,\s*["\d\[{]))'
    if suffix in JSONS or re.match(begins, head):
        return _json_cure(head, suffix)
    if re.match(r"\s*\{\s*'[^'\n]*'\s*:", head):
        return "Python's dictionaries", _BY_HAND
    for delimiter, name in ((",", "CSV"), ("\t", "TSV"), (";", "CSV")):
        try:
            rows = list(islice(csv.reader(io.StringIO(head), delimiter=delimiter), 50))
        except csv.Error:  # a quotation mark that is never closed
            continue
        checked = rows[:1] if suffix in (".csv", ".tsv") else rows if len(rows) >= 10 else []
        cells = [cell for row in checked for cell in row[1:]]
        same_width = len({len(row) for row in checked}) == 1
        if cells and same_width and sum(cell.startswith(" ") for cell in cells) < len(cells) / 2:  # as prose has them
            column = _text_column(dict(zip(rows[0], rows[1] if len(rows) > 1 else [], strict=False)))
            return (
                f"{name}, a table with the columns {', '.join(cell[:20] for cell in rows[0][:8])}",
                f'write its column of texts into a text file, python -c "import csv; print(*(row[{column}] for row in '
                f"csv.DictReader(open({{old}}, encoding='utf-8-sig', newline=''), delimiter={delimiter!r})), " + _JOIN,
            )
    return None


def _json_cure(head: str, suffix: str) -> tuple[str, str]:
    if suffix == ".ipynb":
        return "a Jupyter notebook", "write it as text, python -m jupyter nbconvert --to markdown {old}"
    try:
        first = json.loads(head.lstrip().partition("\n")[0])
    except ValueError:  # one value over many lines
        first = None
    lines = isinstance(first, dict)
    rows_in_a_list = re.match(r"\s*\[\s*\{", head)
    if not (lines or rows_in_a_list) or (lines and not any(isinstance(value, str) for value in first.values())):
        return "JSON", _BY_HAND
    rows = (
        "map(json.loads, open({old}, encoding='utf-8-sig'))"
        if lines
        else "json.load(open({old}, encoding='utf-8-sig'))"
    )
    column = _text_column(first if lines else {})
    return "JSON Lines" if lines else "JSON", (
        f'write its texts into a text file, python -c "import json; print(*(row[{column}] for row in {rows}), ' + _JOIN
    )


def _text_column(row: dict[str, Any]) -> str:
    """The key of a row's text, as Python writes it; where there is none, "text" for people to replace."""
    texts = {key: value for key, value in row.items() if isinstance(value, str) and re.fullmatch(r"[^\W\d]\w*", key)}
    return repr(max(texts, key=lambda key: len(texts[key])) if texts and TEXT_COLUMN not in texts else TEXT_COLUMN)


def split_of(text: str, val_percent: int = VAL_PERCENT) -> str:
    """Say which split a document belongs to, the same on every machine and in every order.

    Args:
        text: the whole document, as it came from the source.
        val_percent: share of documents held out for validation, in percent (0 to 50).

    Returns:
        "train" or "val".

    Raises:
        ValueError: val_percent is out of range.

    Source: hashing the content instead of counting rows, so that a stream needs no index and a re-sharded
    data set keeps its split.
    """
    if not 0 <= val_percent <= 50:
        raise ValueError(f"val_percent is {val_percent}: choose 0 to 50, since validation text is never trained on")
    bucket = zlib.crc32(text.encode("utf-8", "surrogatepass")) % 100  # stable across processes, hash() is not
    return "val" if bucket < val_percent else "train"


def split_text(content: bytes, block_size: int) -> tuple[dict[str, list[bytes]], str]:
    """Split the text of a file: documents where it has end-of-text markers, and what is held out for validation.

    Of ten documents or more a tenth of the text is held out, in whole documents, chosen by a hash of each: copies of
    a document share their fate. Else it is slices of each document, spread evenly, since the end of a book may be
    another text than the book.

    Args:
        content: UTF-8, as from read_corpus.
        block_size: tokens in a window; a slice is some windows long, so a short text has few.

    Returns:
        parts: {"train": [...], "val": [...]}, pieces of UTF-8 in the order of the text.
        said: a sentence about what is held out.
    """
    marker = END_OF_TEXT.encode()
    found = [part.strip() for part in content.split(marker)] if marker in content else [content]
    found = [part for part in found if part]
    cut = f"{len(found):,} document{'s' * (len(found) != 1)}, cut at {END_OF_TEXT}; " if marker in content else ""
    sizes: Counter[int] = Counter()
    for part in found:
        sizes[zlib.crc32(part)] += len(part)
    parts: dict[str, list[bytes]] = {"train": [], "val": []}
    if len(sizes) < WHOLE_DOCUMENTS:
        for part in found:
            for split, piece in _slices(part, block_size):
                parts[split].append(piece)
        what = f"{len(parts['val']):,} slices spread over the text" if len(parts["val"]) > 1 else "its middle"
    else:
        left, held_out = VAL_SHARE * sum(sizes.values()), set()
        for hashed in sorted(sizes):
            if sizes[hashed] <= left:
                held_out.add(hashed)
                left -= sizes[hashed]
        for part in found:
            parts["val" if zlib.crc32(part) in held_out else "train"].append(part)
        what = f"{len(parts['val']):,} whole documents"
    share = sum(map(len, parts["val"])) / max(1, sum(map(len, found)))
    return parts, f"{cut}held out for validation: {what}, {share:.0%} of the text"


def _slices(text: bytes, block_size: int) -> Iterator[tuple[str, bytes]]:
    """The middle tenth of each of n equal parts is for validation, what lies between them is trained on."""
    n = max(1, min(len(text) // (SLICE_BLOCKS * block_size * 10), max(10, len(text) // LONGEST_PART)))
    middle = [(i + 0.5 + side * VAL_SHARE / 2) / n for i in range(n) for side in (-1, 1)]
    edges = [0, *(_line_after(text, int(len(text) * at)) for at in middle), len(text)]
    for i, (start, end) in enumerate(pairwise(edges)):
        if start < end:
            yield ("val" if i % 2 else "train"), text[start:end]


def _line_after(text: bytes, at: int) -> int:
    """Where the next line begins, or the next word if it is far; never within a letter."""
    for end in (b"\n", b" "):
        found = text.find(end, at, at + 1000)
        if found >= 0:
            return found + 1
    while at < len(text) and text[at] & 0xC0 == 0x80:
        at += 1
    return at


def documents(profile: Profile, limit: int | None = None) -> Iterator[str]:
    """The texts that a profile trains on, one by one, never all in memory.

    Args:
        profile: its text is "stories" or a data set of the hub.
        limit: how many at most; None takes profile.n_documents.

    Raises:
        ConnectionError: the hub cannot be reached.
        ValueError: a row has no text, or the profile names an unknown source.
    """
    if limit is None:
        limit = profile.n_documents
    if profile.text == "stories":
        from workshop_utils.pocket import stories

        return stories.texts(limit, seed=0)
    if profile.text not in HUB_SETS:
        raise ValueError(f"the profile asks for the text {profile.text!r}: there are stories, {', '.join(HUB_SETS)}")
    return islice(_texts(_hub_rows(profile.text), profile.text), limit)


def _hub_rows(name: str) -> Iterator[dict[str, Any]]:
    """Stream the rows of a data set from WORKSHOP_HUB if it is set, else from the hub."""
    from workshop_utils.machine import hub

    configuration, folder = HUB_SETS[name]
    local = hub.hub_folder()
    if local is not None:
        return _local_rows(local / name, folder)
    reachable, reason = hub.hub_reachable()
    if not reachable:
        raise ConnectionError(f"{name} cannot be streamed from the hub ({reason}): {CURE}")
    return _streamed_rows(name, configuration)


def _streamed_rows(name: str, configuration: str | None) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset
    from httpx import HTTPError

    try:
        yield from load_dataset(name, configuration, split="train", streaming=True)
    except (OSError, ValueError, HTTPError) as error:
        raise ConnectionError(f"the hub stopped sending {name} ({one_line(error)}): try again, or {CURE}") from error


def _local_rows(root: Path, folder: str) -> Iterator[dict[str, Any]]:
    """The rows of a local copy, laid out like the hub's or flat."""
    from datasets import load_dataset

    within = root / folder if (root / folder).is_dir() else root
    found = sorted(path for path in within.rglob("*.parquet") if not path.name.startswith(("validation", "test")))
    if not found:
        raise FileNotFoundError(
            f"WORKSHOP_HUB is set, but there is no .parquet file of the training split in {within}: copy the data set "
            "there, or unset WORKSHOP_HUB to stream it from the hub"
        )
    try:
        yield from load_dataset("parquet", data_files=[str(path) for path in found], split="train", streaming=True)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise ValueError(f"a file in {within} is damaged ({one_line(error)}): copy it again") from error


def _texts(rows: Iterable[dict[str, Any]], name: str) -> Iterator[str]:
    for index, row in enumerate(rows):
        if TEXT_COLUMN not in row:
            raise ValueError(
                f"row {index} of {name} has no column {TEXT_COLUMN!r}, only {', '.join(row)}: the data set has "
                "changed, or WORKSHOP_HUB holds something else"
            )
        text = row[TEXT_COLUMN]
        if not isinstance(text, str):
            raise ValueError(
                f"column {TEXT_COLUMN!r} of row {index} of {name} is a {type(text).__name__}, not a string: the data "
                "set is damaged there, fetch it again"
            )
        yield text


def prepare(profile: Profile) -> tuple[TokenFile, TokenFile, tiktoken.Encoding]:
    """Make the profile's token files, or find them made: documents -> split_of -> train and val.

    Args:
        profile: says which documents, how many, and which tokenizer.

    Returns:
        train, val, encoding. The files lie in the workshop's home, with their settings beside them, and are used again
        as long as the settings are the same.
    """
    from filelock import FileLock

    from workshop_utils.machine.hardware import home

    encoding = for_profile(profile)
    settings = {
        "text": profile.text,
        "n_documents": profile.n_documents,
        "val_percent": VAL_PERCENT,
        "tokenizer": encoding.name,
        "fingerprint": fingerprint(encoding),
    }
    name = f"{profile.text.rpartition('/')[2].lower()}-{profile.n_documents}-{fingerprint(encoding)[:8]}"
    folder = home() / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # under torchrun one process makes the files and the others wait
        made = _made_before(folder, settings, encoding)
        if made is None:
            for leftover in folder.glob(f".*{PARTIAL}"):  # of a run that was killed
                leftover.unlink()
            paths = {"train": folder / "train.tokens", "val": folder / "val.tokens"}
            made = write_token_files(_watched(profile), paths, encoding, split_of)
            write_text_atomically(json.dumps(settings, indent=2) + "\n", folder / "settings.json")
    return made["train"], made["val"], encoding


def _watched(profile: Profile) -> Iterable[str]:
    """The documents, with a progress bar where they come over the network."""
    if profile.text == "stories":
        return documents(profile)
    from tqdm import tqdm

    return tqdm(documents(profile), total=profile.n_documents, desc=profile.text, unit=" documents")


def _made_before(folder: Path, settings: dict[str, Any], encoding: tiktoken.Encoding) -> dict[str, TokenFile] | None:
    """The two files, if they are there, whole, and of the same settings."""
    if not (folder / "settings.json").is_file():
        return None
    try:
        if json.loads((folder / "settings.json").read_text()) != settings:
            raise ValueError(f"the settings in {folder} are others")
        return {split: TokenFile(folder / f"{split}.tokens", encoding) for split in ("train", "val")}
    except (ValueError, FileNotFoundError) as error:
        print(f"{error}. The token files are made again.")
        return None
