"""Where the text is: which files a stream reads, on which file system, and what happens when that does not answer."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import Any

from workshop_utils.machine.sentences import causes, http_status, one_line, without_secrets
from workshop_utils.text.corpus import CURE, HUB_SETS

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
# How files and folders of other splits are called, as `datasets` knows them: test-0.parquet, not testimonials.parquet.
OTHER_SPLITS = re.compile(r"(validation|valid|val|dev|testing|test|evaluation|eval)[0-9]*(?![a-z0-9])")
ATTEMPTS = 12  # how often a file is asked for before a stream gives up: for two and a half minutes
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0  # seconds between two attempts, doubled each time
BUSY = (408, 429, 500, 502, 503, 504)  # answers of a server that is worth asking again
# s3fs's names of the storage options in pyarrow's.
S3_NAMES = {"key": "access_key", "secret": "secret_key", "token": "session_token", "anon": "anonymous"}


def kind_of(file: str) -> str | None:
    """How a file is read: "parquet", "lines" (JSON lines, compressed or not), or None for any other file."""
    name = (file.partition("?")[0] if "://" in file else file).lower()
    if name.endswith(".parquet"):
        return "parquet"
    for ending in COMPRESSIONS:
        name = name.removesuffix(ending)
    return "lines" if name.endswith((".jsonl", ".ndjson", ".json")) else None


def list_files(source: Any, storage_options: dict[str, Any] | None = None, quiet: bool = False) -> list[str]:
    """The files of a source, in an order that is the same everywhere.

    Of folders, what is called after another split, such as test-0.parquet or validation/0.parquet, is left out; hidden
    files and other kinds of files always are.

    Args:
        source: as StreamingTokenDataset takes it.
        storage_options: of a remote file system.
        quiet: do not say what is left out, and why.

    Raises:
        FileNotFoundError, ConnectionError, ValueError: as StreamingTokenDataset.
    """
    if isinstance(source, list | tuple) and source:
        return [file for part in source for file in list_files(part, storage_options, quiet)]
    if not isinstance(source, str | os.PathLike) or not str(source).strip():
        shown = without_secrets(repr(source))
        raise ValueError(f"source is {shown}: name a file, a folder, a pattern or a URL, or a list of these")
    named = _place_of(os.fspath(source))
    shown = without_secrets(named)
    found, folder = _found(named, storage_options or {})
    taken, others = [], defaultdict(list)
    for file in sorted(found):
        *folders, name = PurePath(file).parts[len(PurePath(folder).parts) if folder else -1 :]
        if any(part.startswith(".") for part in (*folders, name)):
            others["hidden"].append(name)
        elif kind_of(file) is None:
            others["of another kind"].append(name)
        elif folder and (OTHER_SPLITS.match(name.lower()) or any(OTHER_SPLITS.fullmatch(f.lower()) for f in folders)):
            others["of another split"].append(name)
        else:
            taken.append(file)
    left_out = "; ".join(f"{len(names)} {why} ({', '.join(names[:3])})" for why, names in others.items())
    if not taken:
        raise FileNotFoundError(
            f"there is no .parquet or .jsonl file of a training split in {shown}, only {left_out or 'nothing'}: check "
            "the path, or name the files"
        )
    if left_out and not quiet:
        print(f"{shown}: {len(taken)} files are read; left out: {left_out}")
    return taken


def _place_of(named: str) -> str:
    """Where a data set of the hub is, a folder or a URL; any other source as it was named."""
    if named not in HUB_SETS:
        if named.count("/") == 1 and "." not in named and "*" not in named and not Path(named).exists():
            raise ValueError(
                f"{named!r} is neither a path that exists nor one of {', '.join(HUB_SETS)}: for another data set of "
                f"the hub say where its files are, for example hf://datasets/{named}/data/*.parquet"
            )
        return named.removeprefix("file://")
    from workshop_utils.machine import hub

    folder, local = HUB_SETS[named][1], hub.hub_folder()
    if local is not None:
        return str(local / named / folder if (local / named / folder).is_dir() else local / named)
    reachable, reason = hub.hub_reachable()
    if not reachable:
        raise ConnectionError(f"{named} cannot be streamed from the hub ({reason}): {CURE}")
    return f"hf://datasets/{named}/{folder}".removesuffix("/.")


def _found(named: str, options: dict[str, Any]) -> tuple[list[str], str]:
    """The files of a path, pattern or URL, and the folder whose files these are, "" if they were named."""
    if named.startswith(("http://", "https://")):
        if kind_of(named) is None:
            shown = without_secrets(named)
            raise ValueError(f"{shown} is no .parquet or .jsonl file: an http source cannot be listed, name the file")
        return [named], ""
    if "://" not in named:
        path = Path(named).expanduser()
        if path.is_dir():
            return [str(file) for file in path.rglob("*") if file.is_file()], str(path)
        folder, pattern = path.parent, path.name
        while not folder.exists() and folder != folder.parent:  # what exists is no pattern: a name may have brackets
            folder, pattern = folder.parent, f"{folder.name}/{pattern}"
        return [str(file) for file in ([path] if path.exists() else folder.glob(pattern)) if file.is_file()], ""
    fs = file_system(named, options)
    found: list[str] = []
    there = fs._strip_protocol(named)
    whole_folder = "*" not in named and kind_of(named) is None
    try:
        if whole_folder and fs.info(there):  # says what find() keeps to itself: that it may not be read
            found = fs.find(there)
        else:
            found = fs.glob(there) if "*" in named else [there]
    except connection_errors() as error:
        wait_or_give_up(error, named, ATTEMPTS)
    return [fs.unstrip_protocol(file) for file in found], fs.unstrip_protocol(there) if whole_folder else ""


def file_system(url: str, options: dict[str, Any]) -> Any:
    """The file system of a path or URL, of fsspec; for s3:// pyarrow's, unless s3fs is installed.

    s3fs needs a botocore whose limits on other packages do not fit this project's constraints; pyarrow is here anyway,
    and takes the options key, secret, token, anon and endpoint_url as well as its own.
    """
    import fsspec

    try:
        if url.startswith("s3://") and find_spec("s3fs") is None:
            from fsspec.implementations.arrow import ArrowFSWrapper
            from pyarrow.fs import S3FileSystem

            given = {S3_NAMES.get(name, name): value for name, value in options.items()}
            if endpoint := given.pop("endpoint_url", None):
                given["scheme"], _, given["endpoint_override"] = endpoint.rpartition("://")
            return ArrowFSWrapper(S3FileSystem(**given))
        if url.startswith("http"):  # through the proxy that HTTPS_PROXY names
            options = {"client_kwargs": {"trust_env": True}} | options
        return fsspec.filesystem(url.partition("://")[0] if "://" in url else "file", **options)
    except (ImportError, TypeError, ValueError) as error:
        raise ValueError(
            f"{without_secrets(url)} cannot be read ({one_line(error)}): correct what is before ://, install what it "
            "needs, or correct the storage options; without s3fs, s3:// takes key, secret, token, anon, endpoint_url"
        ) from None


def connection_errors() -> tuple[type[Exception], ...]:
    """What a dropped connection looks like; a file that was cut short is a ValueError or an OSError of pyarrow."""
    import aiohttp
    import httpx
    from pyarrow import ArrowException

    return OSError, ValueError, EOFError, aiohttp.ClientError, httpx.HTTPError, ArrowException


def wait_or_give_up(error: Exception, what: str, failures: int) -> None:
    """Wait before a file is read once more, after so many failures in a row, or say why that is in vain.

    A cause would show the address in a notebook's traceback, with the passwords and tokens in it: none is chained.
    """
    import aiohttp

    # fsspec says "not found" also where a server did not answer; what the connection said is then behind that.
    behind = (part for part in causes(error) if isinstance(part, aiohttp.ClientError | TimeoutError | ConnectionError))
    dropped, status = next(behind, None), http_status(error)
    refused = isinstance(error, FileNotFoundError | PermissionError) and dropped is None
    if status is not None:
        refused = 400 <= status < 500 and status not in BUSY
    who = what.partition("://")[2].partition("/")[0].rpartition("@")[0]  # an error may repeat it without the ://
    reason, what = one_line(dropped or error), without_secrets(what)
    reason = reason.replace(f"{who}@", "***@") if who else reason
    if refused:
        kind = PermissionError if isinstance(error, PermissionError) or status in (401, 403) else FileNotFoundError
        raise kind(f"{what} is not there, or not for you ({reason}): check the name, and the key or token") from None
    if "://" not in what:
        raise ValueError(f"{what} is damaged ({reason}): copy it again, or leave it out") from error
    if failures >= ATTEMPTS:
        raise ConnectionError(
            f"{what} could not be read ({reason}): check the address, the connection and the storage options, then go "
            "on from the last checkpoint"
        ) from None
    pause = min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
    print(f"{PurePath(what).name}: {reason}; attempt {failures + 1} of {ATTEMPTS} in {pause:g} s")
    time.sleep(pause)
