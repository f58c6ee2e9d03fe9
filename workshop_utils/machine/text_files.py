"""Text files that somebody brings along: UTF-8, or a sentence that says what they are instead."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

PIECE = 1_000_000  # bytes that are decoded at once: as a string a text can take four times its size
# How files begin that are taken for texts: what they are, and the way to their text.
BINARY = (
    (b"%PDF-", "a PDF: copy its text into a .txt file"),
    (b"PK\x03\x04", "a ZIP archive, or a document of Word, Excel or an e-book reader: unpack it, or save it as .txt"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document: save it as plain text, UTF-8"),
    (b"{\\rtf", "a document in Rich Text Format: save it as plain text, UTF-8"),
    (b"\x1f\x8b", "a gzip file: unpack it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file: unpack it"),
    (b"PAR1", 'a Parquet file: name it as "stream" in the file of --config, or write its texts into a .txt file'),
    (b"SLMTOKEN", 'a token file of this workshop: name it as "train" in the file of --config'),
    (codecs.BOM_UTF16_LE, 'in UTF-16 (what Windows calls "Unicode"): save it as UTF-8'),
    (codecs.BOM_UTF16_BE, "in UTF-16: save it as UTF-8"),
)


def read_text(path: str | Path) -> str:
    """Read a text file, UTF-8, with \\n at the end of each line.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, not UTF-8, or no text file.
    """
    return read_utf8(Path(path)).decode()


def read_utf8(path: Path) -> bytes:
    """Read a text file as read_text does, but as UTF-8 bytes, which take less memory."""
    if not path.is_file():
        cure = "it is a folder: name one file" if path.is_dir() else "check the path"
        raise FileNotFoundError(f"there is no text file at {path}: {cure}")
    content = path.read_bytes()
    if not content.strip():
        raise ValueError(f"{path} is empty: choose a file with text")
    for start, what in BINARY:
        if content.startswith(start):
            raise ValueError(f"{path} is {what}")
    if b"\0" in content:
        raise ValueError(f"{path} holds {content.count(0):,} NUL bytes, and no text has any: save it as plain text")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        for _ in decoded(content):
            pass
    except UnicodeDecodeError as error:
        seen = error.object[max(0, error.start - 15) : error.start + 15].decode("cp1252", "replace")
        raise ValueError(
            f"{path} is not UTF-8: as Windows-1252, in which most older European texts are, a place in it reads "
            f"{seen!r}. Open it in an editor, in the encoding that looks right there, and save it as UTF-8"
        ) from error
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def decoded(content: bytes) -> Iterator[str]:
    """UTF-8 as strings of some length, one after the other."""
    return codecs.iterdecode((content[at : at + PIECE] for at in range(0, len(content), PIECE)), "utf-8")
