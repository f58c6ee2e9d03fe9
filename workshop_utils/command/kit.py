"""`workshop prefetch`: what a profile fetches from the hub, in a folder for WORKSHOP_HUB, for a room with bad wifi.

Sources of a profile -> the hub's list of files -> a plan in kit.json -> files, each with its hash.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path, PureWindowsPath
from typing import Any

from workshop_utils.machine import hub, profiles
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.hardware import free_disk_bytes, short_path
from workshop_utils.machine.sentences import http_status, one_line
from workshop_utils.sql.examples import HUB_SET
from workshop_utils.text.tokenizer import GPT2

MANIFEST = "kit.json"
GB = 1e9
FAT32_MOST = 2**32 - 1  # bytes of a file
FAT32 = ("vfat", "fat32", "msdos", "fat")
# No .bin, .gguf or .msgpack, which are the same weights again; nothing in folders, where other formats lie.
MODEL_FILES = ("model*.safetensors", "*.json", "*.txt", "*.jinja", "*.model", "README.md", "LICENSE*", "NOTICE*")
# Data sets are read from their first file on, and one is more than n_documents of any profile: TinyStories has 530,000
# stories in each of four files, this part of FineWeb-Edu about 700,000 pages in each of fourteen.
FIRST_OF = {
    "roneneldan/TinyStories": "data/train-*.parquet",
    "HuggingFaceFW/fineweb-edu": "sample/10BT/*.parquet",
}
NOT_ON_WINDOWS = re.compile(r'[<>:"\\|?*\x00-\x1f]|[. ](/|$)|(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)', re.IGNORECASE)


@dataclass(frozen=True)
class File:
    """A file of the hub: where it is there, and what must arrive."""

    repo: str
    kind: str  # "model" or "dataset"
    revision: str
    path: str
    size: int
    hash: str  # "sha256:..." of large files, "git:..." of small ones, the hash that git gives a file

    def __post_init__(self) -> None:
        words = (self.repo, self.kind, self.revision, self.path, self.hash)
        if not (all(isinstance(word, str) and word.isprintable() for word in words) and type(self.size) is int):
            raise ValueError(f"the entry of {self.path!r} has a value that cannot be right"[:200])
        name = f"{self.repo}/{self.path}"
        leads_out = "\\" in name or PureWindowsPath(name).drive or not {"", ".", ".."}.isdisjoint(name.split("/"))
        if leads_out:
            raise ValueError(f"{name} would lie outside of the kit: get the kit from somebody else")

    def at(self, folder: Path) -> Path:
        """Where it lies in a kit, as WORKSHOP_HUB looks for it."""
        return folder / self.repo / self.path

    def wrong(self, path: Path) -> str:
        """What is wrong with a copy, "" if nothing."""
        kind = self.hash.partition(":")[0]
        begun = hashlib.sha256() if kind == "sha256" else hashlib.sha1(b"blob %d\0" % self.size)
        try:
            if (found := path.stat().st_size) != self.size:
                return f"has {found:,} bytes and not {self.size:,}"
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, lambda: begun).hexdigest()
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        return "" if f"{kind}:{digest}" == self.hash else "has other bytes than the hub's"


# --- what is needed


def needed(profile_name: str) -> list[File]:
    """Ask the hub which files a profile takes, with their sizes and hashes.

    Args:
        profile_name: "t4" or "big".

    Raises:
        OSError: the hub does not answer, or has no such file.
    """
    text = profiles.SOURCES[profile_name]["text"]
    files = [file for name in _models(profile_name) for file in _listed(name, "model", MODEL_FILES)]
    files += _listed(GPT2, "model", MODEL_FILES)
    files += _listed(text, "dataset", (FIRST_OF[text],))[:1]
    return files + _listed(HUB_SET, "dataset", ("*.parquet",))


def _models(profile_name: str) -> tuple[str, str]:
    """The pair of models: what the lessons of this profile would choose, by what the hub gives."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    pair, free = profiles.PAIRS[profile_name], " and ".join(profiles.PAIRS[profile_name])
    if profile_name != "t4":
        return pair
    if not hub.has_token():
        print(f"note     Gemma 2 wants a token and its licence accepted: without one the kit has {free}")
        return pair
    try:
        for name in profiles.GEMMA:
            HfApi().auth_check(name)
    except HfHubHTTPError as error:
        if http_status(error) not in (401, 403):
            raise
        print(f"note     the hub does not give {name} to your token (accept its licence there): the kit has {free}")
        return pair
    print("note     Gemma's terms go with its weights: give this kit to people who have accepted them")
    return profiles.GEMMA


def _listed(name: str, kind: str, patterns: Iterable[str]) -> list[File]:
    """The files of a repository that a pattern names; one without a "/" names none in a folder."""
    from huggingface_hub import HfApi

    info: Any = HfApi().repo_info(name, repo_type=kind, files_metadata=True)
    found = []
    for one in sorted(info.siblings, key=lambda one: one.rfilename):
        digest, path = f"sha256:{one.lfs.sha256}" if one.lfs else f"git:{one.blob_id}", one.rfilename
        if any(fnmatchcase(path, p) and path.count("/") == p.count("/") for p in patterns):
            found.append(File(name, kind, info.sha, path, one.size, digest))
    if not found:
        raise FileNotFoundError(f"the hub's {name} holds none of {', '.join(patterns)}: it has changed, tell us")
    return found


def listing(files: Iterable[File]) -> str:
    """A line for each repository, with its files and bytes, and the sum."""
    groups: dict[str, list[int]] = defaultdict(list)
    for file in files:
        groups[file.repo].append(file.size)
    groups["together"] = [size for sizes in groups.values() for size in sizes]
    width = max(map(len, groups)) + 2
    return "\n".join(f"{repo:<{width}}{len(g):>3} files {sum(g) / GB:>7.2f} GB" for repo, g in groups.items())


# --- the folder


def manifest(folder: Path) -> list[File]:
    """What a kit should hold.

    Raises:
        ValueError: there is no kit, or its list is damaged.
    """
    path = folder / MANIFEST
    try:
        return [File(**row) for row in json.loads(path.read_text(encoding="utf-8"))["files"]]
    except FileNotFoundError:
        name = short_path(folder)
        raise ValueError(f"{name} is no kit, there is no {MANIFEST}: make one, workshop prefetch --to {name}") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{short_path(path)} is damaged ({error}): delete it and run workshop prefetch again"
        ) from error


def verify(folder: Path) -> Iterator[tuple[File, str]]:
    """Read every file of a kit; yields each that is not as the hub has it, and what is wrong.

    Raises:
        ValueError: as in manifest.
    """
    yield from ((file, wrong) for file in manifest(folder) if (wrong := file.wrong(file.at(folder))))


def cannot_hold(folder: Path, files: list[File]) -> Iterator[str]:
    """Why a folder cannot hold these files, a sentence each."""
    missing = sum(f.size for f in files if not f.at(folder).is_file() or f.at(folder).stat().st_size != f.size)
    if missing > (free := free_disk_bytes(folder)):
        yield f"{missing / GB:.1f} GB are to be fetched, and {free / GB:.1f} GB are free: choose another disk"
    large = [file.path for file in files if file.size > FAT32_MOST]
    if large and _file_system(folder) in FAT32:
        yield f"FAT32 holds no file of 4 GB or more, as {large[0]} is: format the stick as exFAT"
    if bad := [file.path for file in files if NOT_ON_WINDOWS.search(file.path)]:
        yield f"Windows allows no file called {bad[0]}"


def _file_system(folder: Path) -> str:
    """The name of the file system that a folder is on, in lower case."""
    import psutil

    real = folder.absolute().resolve()
    on = [part for part in psutil.disk_partitions(all=True) if real.is_relative_to(part.mountpoint)]
    return max(on, key=lambda part: len(part.mountpoint)).fstype.lower() if on else ""


# --- the command


def prefetch(profile_name: str, folder: Path) -> int:
    """Fetch what a profile needs, or what of it is missing or damaged. It may be stopped at any moment.

    Args:
        profile_name: "pocket", which needs nothing, "t4" or "big".
        folder: for WORKSHOP_HUB; is made.

    Returns:
        0 if all is there, 1 if it is not and the hub does not answer.

    Raises:
        ValueError: the folder cannot hold it.
        OSError: the hub stopped answering.
    """
    if profile_name == "pocket":
        print("The pocket profile fetches nothing: its models and texts are in the package.")
        return 0
    reachable, reason = hub.hub_reachable(10)
    if not reachable:
        if not (folder / MANIFEST).is_file():
            raise ConnectionError(f"nothing can be fetched, {reason}: go online")
        print(f"note     nothing can be fetched, {reason}; this is what is there")
        return report(folder)
    from httpx import HTTPError

    try:
        files = needed(profile_name)
    except (HTTPError, OSError) as error:
        expired = "; an expired HF_TOKEN is refused everywhere" if http_status(error) == 401 else ""
        raise ConnectionError(f"the hub gives no list of files ({one_line(error)}): try again{expired}") from error
    print(listing(files))
    if problems := list(cannot_hold(folder, files)):
        raise ValueError("; ".join(problems))
    if any(file.size > FAT32_MOST for file in files):
        print("note     files of 4 GB or more are among them: a stick must be exFAT or NTFS, FAT32 cannot hold them")
    _note(folder, files)
    print(f"checking what is in {short_path(folder)}, fetching what is not; stop it when you like, and run it again")
    for file in files:
        if wrong := file.wrong(file.at(folder)):
            if wrong != "is missing":
                print(f"{file.repo}/{file.path} {wrong}: it is fetched again")
            _fetch(file, folder)
    print(f"all {len(files)} files are as the hub has them. Set WORKSHOP_HUB={folder.absolute()} to use them,")
    print("and check each copy: workshop prefetch --verify FOLDER")
    return 0


def report(folder: Path) -> int:
    """Check a kit and say what is wrong with it; returns 1 if anything is."""
    files = manifest(folder)
    print(listing(files))
    wrong = 0
    for file, what in verify(folder):
        wrong += 1
        print(f"{file.repo}/{file.path} {what}")
    cure = "fetch it with workshop prefetch --to, or copy it again"
    print(f"{wrong} of {len(files)} files are not whole: {cure}" if wrong else f"all {len(files)} files are whole")
    return int(bool(wrong))


def _note(folder: Path, files: list[File]) -> None:
    """Write the list beside that of another profile, before anything is fetched: a torn kit then knows that it is."""
    new = {file.repo for file in files}
    others: list[File] = []
    with suppress(ValueError):  # there is none, or it is damaged
        others = [file for file in manifest(folder) if file.repo not in new]
    rows = [asdict(file) for file in others + files]
    write_text_atomically(json.dumps({"files": rows}, indent=1) + "\n", folder / MANIFEST)


def _fetch(file: File, folder: Path) -> None:
    """Fetch a file, whole and checked or not at all; goes on with the part that an earlier try has left.

    Source: huggingface_hub 1.33, file_download: since #4228 its downloads give each part a random name and begin anew
        after a kill. So the part is kept here, and http_get, which takes a position, writes the rest.
    """
    from httpx import HTTPError
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    path = file.at(folder)
    part = path.with_name(f"{path.name}.{file.hash[-8:]}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{escape(path.name)}.*.part"):
        if old != part or file.hash.startswith("git:") or old.stat().st_size > file.size:
            old.unlink()  # of another revision, or small
    url = hf_hub_url(file.repo, file.path, repo_type=file.kind, revision=file.revision)
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}  # a position in packed bytes would be another one
    for last in (False, True):
        try:
            with open(part, "ab") as out:
                http_get(
                    url,
                    out,
                    resume_size=out.tell(),
                    headers=headers,
                    expected_size=file.size,
                    displayed_filename=file.path,
                )
                out.flush()
                os.fsync(out.fileno())
        except (HTTPError, OSError) as error:
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise OSError(f"no space left for {file.path}: free some, and run the same command again") from error
            if not str(error).startswith("Consistency check"):
                said = f"{file.repo}/{file.path} stopped arriving ({one_line(error)})"
                raise ConnectionError(f"{said}: run the same command again, it goes on from there") from error
        if not (wrong := file.wrong(part)):
            os.replace(part, path)
            return
        part.unlink()  # torn by a power cut, or changed under way: once more from the beginning
        if last:
            raise OSError(f"{file.repo}/{file.path} {wrong}, twice: something between here and the hub changes files")
