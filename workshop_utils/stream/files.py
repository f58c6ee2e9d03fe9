"""Which files a stream reads, and how long it insists when a server does not answer: before the first station."""

from __future__ import annotations

import lzma
import os
import re
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from workshop_utils.machine.sentences import causes, http_status, one_line
from workshop_utils.stream.s3 import provide_s3
from workshop_utils.text.corpus import CURE, HUB_SETS

if TYPE_CHECKING:
    import aiohttp

PACKINGS = (".gz", ".bz2", ".xz", ".zst")
# How files and folders of other splits are called, as `datasets` knows them: test-0.parquet, not testimonials.parquet.
OTHER_SPLITS = re.compile(r"(validation|valid|val|dev|testing|test|evaluation|eval)[0-9]*(?![a-z0-9])")
LONGEST_WAIT = 10.0  # seconds between two attempts
REQUESTS = 5  # how often an http request is made, within each attempt
REQUEST_WAIT = 0.1  # seconds before the second request, doubled each time
BUSY = (408, 429, 500, 502, 503, 504)  # answers of an http server that is worth asking again
Answer = TypeVar("Answer")


def kind_of(file: str) -> str | None:
    """How a file is read: "parquet", "lines" (JSON lines, packed or not), or None for any other file."""
    name = file.partition("?")[0].lower() if "://" in file else file.lower()
    if name.endswith(".parquet"):
        return "parquet"
    for packing in PACKINGS:
        name = name.removesuffix(packing)
    return "lines" if name.endswith((".jsonl", ".ndjson", ".json")) else None


class Listing(NamedTuple):
    """Files of a source, and a clause for each reason why others were left out."""

    files: list[str]
    left_out: list[str]


def list_files(
    source: str | Path | list[Any],
    storage_options: dict[str, Any] | None = None,
    say: Callable[[str], None] | None = None,
) -> list[str]:
    """The files of a source, in an order that is the same everywhere.

    Args:
        source: a data set of text.corpus.HUB_SETS (from WORKSHOP_HUB if that is set); a file, a folder or a pattern
            with *, on this machine or as a URL of s3, hf, gs or any other file system that fsspec knows; an http(s)
            URL of one file; or a list of such things. Of folders, files and folders that are called after another
            split, such as test-0.parquet or validation/0.parquet, are left out; hidden files and other kinds of files
            always are.
        storage_options: for the remote file system, such as {"key": ..., "secret": ...}.
        say: is told in a sentence what is left out of a source, and why.

    Raises:
        FileNotFoundError: there is no Parquet or JSON-lines file.
        ConnectionError: the hub cannot be reached.
        ValueError: the source is none of these.
    """
    if isinstance(source, list | tuple) and source:
        return [file for part in source for file in list_files(part, storage_options, say)]
    if not isinstance(source, str | os.PathLike) or not str(source).strip():
        raise ValueError(f"source is {source!r}: name a file, a folder, a pattern or a URL, or a list of these")
    named = os.fspath(source)
    found = _hub_files(named) if _is_hub_name(named) else _expanded(named, storage_options or {})
    left_out = "; ".join(found.left_out)
    if not found.files:
        there = f", only {left_out}" if left_out else ""
        raise FileNotFoundError(
            f"there is no .parquet or .jsonl file of a training split in {named}{there}: check the path, or name the "
            "files"
        )
    if left_out and say is not None:
        say(f"{named}: {len(found.files)} files are read; left out: {left_out}")
    return found.files


def _is_hub_name(named: str) -> bool:
    if named in HUB_SETS:
        return True
    if named.count("/") == 1 and "." not in named and "*" not in named and not Path(named).exists():
        raise ValueError(
            f"{named!r} is neither a path that exists nor one of {', '.join(HUB_SETS)}: for another data set of the "
            f"hub say where its files lie, for example hf://datasets/{named}/data/*.parquet"
        )
    return False


def _hub_files(name: str) -> Listing:
    from workshop_utils.machine import hub

    folder = HUB_SETS[name][1]
    local = hub.hub_folder()
    if local is not None:
        root = local / name
        return _expanded(str(root / folder if (root / folder).is_dir() else root), {})
    reachable, reason = hub.hub_reachable()
    if not reachable:
        raise ConnectionError(f"{name} cannot be streamed from the hub ({reason}): {CURE}")
    return _expanded(f"hf://datasets/{name}/{folder}".removesuffix("/."), {})


def _expanded(named: str, options: dict[str, Any]) -> Listing:
    """A path, URL or pattern as a sorted list of files that can be read."""
    if named.startswith(("http://", "https://")):
        if kind_of(named) is None:
            raise ValueError(
                f"{named} names no .parquet or .jsonl file: an http source cannot be listed, name the file"
            )
        return Listing([named], [])
    if "://" not in named:
        path = Path(named).expanduser()
        if path.is_dir():
            return _sorted_out((str(file) for file in path.rglob("*") if file.is_file()), str(path))
        if path.exists() and kind_of(named):
            return Listing([str(path)], [])
        folder, pattern = path.parent, path.name
        while not folder.exists() and folder != folder.parent:  # what exists is no pattern: a name may have brackets
            folder, pattern = folder.parent, f"{folder.name}/{pattern}"
        return _sorted_out(str(file) for file in folder.glob(pattern) if file.is_file())
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    provide_s3(named)
    try:
        kind = fsspec.get_filesystem_class(named.partition("://")[0])
    except (ImportError, ValueError) as error:
        raise ValueError(f"{named} cannot be read ({error}): correct what is in front of ://, or install it") from error
    if issubclass(kind, LocalFileSystem):
        return _expanded(kind._strip_protocol(named), {})
    fs, path_there = fsspec.core.url_to_fs(named, **options)

    def look() -> Listing:
        if "*" in named:
            return _sorted_out(fs.glob(path_there))
        return Listing([path_there], []) if kind_of(path_there) else _sorted_out(fs.find(path_there), path_there)

    listing = persistent(look, named)
    return listing._replace(files=[fs.unstrip_protocol(file) for file in listing.files])


def _sorted_out(files: Iterable[str], folder: str | None = None) -> Listing:
    """Files that can be read, sorted, without hidden ones; of a folder only those of the training split."""
    taken, left_out = [], defaultdict(list)
    for file in sorted(files):
        *folders, name = PurePath(file).parts[len(PurePath(folder).parts) if folder else -1 :]
        if any(part.startswith(".") for part in (*folders, name)):
            left_out["hidden"].append(name)
        elif kind_of(name) is None:
            left_out["of another kind"].append(name)
        elif folder and (OTHER_SPLITS.match(name.lower()) or any(OTHER_SPLITS.fullmatch(f.lower()) for f in folders)):
            left_out["of another split"].append(name)
        else:
            taken.append(file)
    return Listing(
        taken,
        [
            f"{len(names)} {why} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for why, names in left_out.items()
        ],
    )


def persistent(ask: Callable[[], Answer], what: str, attempts: int = 10, wait: float = 0.25) -> Answer:
    """Ask a remote file system until it answers.

    Args:
        ask: the question.
        what: is asked for, for the message.
        attempts: how often.
        wait: seconds before the second attempt, doubled each time up to LONGEST_WAIT.

    Raises:
        FileNotFoundError, PermissionError: the answer is that it is not there, or not for you.
        ConnectionError: no answer.
    """
    for attempt in range(attempts):
        try:
            return ask()
        except connection_errors() as error:
            if is_final(error):
                raise refusal(what, error) from error
            last = error
            time.sleep(min(wait * 2**attempt, LONGEST_WAIT))
    raise ConnectionError(
        f"{what} did not answer, attempt {attempts} of {attempts} failed ({reason(last)}): try again later"
    ) from last


def is_final(error: Exception) -> bool:
    """Whether it is in vain to ask again: what is asked for is not there, or not for everybody.

    fsspec says "not found" where an http server does not answer, too; then the reason is behind that.
    """
    status = http_status(error)
    if status is not None:
        return 400 <= status < 500 and status not in BUSY
    if _dropped(error) is not None:
        return False
    return isinstance(error, FileNotFoundError | PermissionError)


def _dropped(error: Exception) -> Exception | None:
    """What the connection itself said, where that is behind an error."""
    import aiohttp

    dropped = (aiohttp.ClientError, TimeoutError, ConnectionError)
    return next((part for part in causes(error) if isinstance(part, dropped)), None)


def reason(error: Exception) -> str:
    """Why a file could not be read: what the connection said, or else the error itself."""
    return one_line(_dropped(error) or error)


def refusal(what: str, error: Exception) -> OSError:
    """What to say when is_final(error)."""
    if isinstance(error, PermissionError) or http_status(error) in (401, 403):
        return PermissionError(
            f"{what} may not be read ({one_line(error)}): check the key or token in the storage options, and its rights"
        )
    return FileNotFoundError(f"{what} is not there: check the name")


async def ask_again(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Repeat an http request that is refused: a middleware of aiohttp.

    Opening a file takes half a dozen requests, of which `datasets` and fsspec repeat none.

    Args:
        request: the request.
        handler: sends it.
    """
    import asyncio

    import aiohttp

    for attempt in range(REQUESTS - 1):
        try:
            response = await handler(request)
            if response.status not in BUSY:
                return response
            response.release()
        except aiohttp.ClientConnectionError:
            pass  # asked again below; the last request is made without a net
        await asyncio.sleep(REQUEST_WAIT * 2**attempt)
    return await handler(request)


def connection_errors() -> tuple[type[Exception], ...]:
    """What a dropped connection looks like; a Parquet file cut short is a ValueError of pyarrow."""
    import aiohttp
    import httpx
    from pyarrow import ArrowException

    return (
        OSError,
        ValueError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        aiohttp.ClientError,
        httpx.HTTPError,
        ArrowException,
    )
