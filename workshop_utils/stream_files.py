"""Which files a stream reads, and how long it insists when a server does not answer: before the first station."""

from __future__ import annotations

import lzma
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from workshop_utils.data import CURE, HUB_SETS
from workshop_utils.sentences import one_line
from workshop_utils.stream_s3 import provide_s3

if TYPE_CHECKING:
    import aiohttp

PACKINGS = (".gz", ".bz2", ".xz")
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


def list_files(source: str | Path | list[Any], storage_options: dict[str, Any] | None = None) -> list[str]:
    """The files of a source, in an order that is the same everywhere.

    Args:
        source: a data set of data.HUB_SETS (from WORKSHOP_HUB if that is set); a file, a folder or a pattern with *, on
            this machine or as a URL of s3, hf, gs or any other file system that fsspec knows; an http(s) URL of one
            file; or a list of such things. Of folders, files that begin with "validation" or "test" are left out.
        storage_options: for the remote file system, such as {"key": ..., "secret": ...}.

    Raises:
        FileNotFoundError: there is no Parquet or JSON-lines file.
        ConnectionError: the hub cannot be reached.
        ValueError: the source is none of these.
    """
    if isinstance(source, list | tuple):
        return [file for part in source for file in list_files(part, storage_options)]
    named = os.fspath(source)
    files = _hub_files(named) if _is_hub_name(named) else _expanded(named, storage_options or {})
    if not files:
        raise FileNotFoundError(
            f"there is no .parquet or .jsonl file of a training split in {named}: check the path, or name the files"
        )
    return files


def _is_hub_name(named: str) -> bool:
    if named in HUB_SETS:
        return True
    if named.count("/") == 1 and "." not in named and "*" not in named and not Path(named).exists():
        raise ValueError(
            f"{named!r} is neither a path that exists nor one of {', '.join(HUB_SETS)}: for another data set of the "
            f"hub say where its files lie, for example hf://datasets/{named}/data/*.parquet"
        )
    return False


def _hub_files(name: str) -> list[str]:
    from workshop_utils import profiles

    folder = HUB_SETS[name][1]
    local = profiles.hub_folder()
    if local is not None:
        root = local / name
        return _expanded(str(root / folder if (root / folder).is_dir() else root), {})
    reachable, reason = profiles.hub_reachable()
    if not reachable:
        raise ConnectionError(f"{name} cannot be streamed from the hub ({reason}): {CURE}")
    return _expanded(f"hf://datasets/{name}/{folder}".removesuffix("/."), {})


def _expanded(named: str, options: dict[str, Any]) -> list[str]:
    """A path, URL or pattern as a sorted list of files that can be read."""
    if named.startswith(("http://", "https://")):
        if kind_of(named) is None:
            raise ValueError(
                f"{named} names no .parquet or .jsonl file: an http source cannot be listed, name the file"
            )
        return [named]
    if "://" not in named:
        path = Path(named).expanduser()
        if path.is_dir():
            return _readable(str(file) for file in path.rglob("*") if file.is_file())
        found = [path] if path.is_file() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        return [str(file) for file in found if kind_of(str(file))]
    import fsspec

    provide_s3(named)
    fs, path_there = fsspec.core.url_to_fs(named, **options)

    def look() -> list[str]:
        if "*" in named:
            return [file for file in sorted(fs.glob(path_there)) if kind_of(file)]
        return [path_there] if kind_of(path_there) else _readable(fs.find(path_there))

    return [fs.unstrip_protocol(file) for file in persistent(look, named)]


def _readable(files: Any) -> list[str]:
    """Of a folder's files those of the training split, sorted."""
    return sorted(
        file for file in files if kind_of(file) and not Path(file).name.lower().startswith(("validation", "test"))
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
        except (FileNotFoundError, PermissionError):
            raise
        except connection_errors() as error:
            last = error
            time.sleep(min(wait * 2**attempt, LONGEST_WAIT))
    raise ConnectionError(
        f"{what} did not answer after {attempts} attempts ({one_line(last)}): try again later"
    ) from last


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

    return (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError, aiohttp.ClientError, httpx.HTTPError)
