"""What bench/faults.py and bench/attacks.py share: work in a process that may be killed, spoilt files, sentences.

A copy of this process (fork) does each piece of work, so that a kill, a crash of a library or an endless loop is seen
from outside. Linux alone, as root for the file systems that are full or read-only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from common import ROOT, Row, report, row

PACKAGE = str(ROOT / "workshop_utils")
HANGS = 20.0  # seconds after which a piece of work counts as one that would never end


class End(NamedTuple):
    """How a piece of work ended: "done", "sentence", "traceback", "killed", "died" or "hang"."""

    how: str
    said: Any = ""  # what it returned, or the error

    @property
    def well(self) -> bool:
        return self.how in ("done", "sentence")


def is_sentence(error: BaseException) -> bool:
    """Whether an error was raised by a `raise` of the package, with some words in it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = bool(frames) and frames[-1].filename.startswith(PACKAGE) and (frames[-1].line or "").startswith("raise ")
    return ours and len(str(error).split()) >= 4


def _ended(work: Callable[[], Any]) -> End:
    try:
        return End("done", work())
    except BaseException as error:
        if is_sentence(error):
            return End("sentence", f"{type(error).__name__}: {error}")
        return End("traceback", "".join(traceback.format_exception(error)))


@contextmanager
def _copy(work: Callable[[int], None], said: Path | None = None) -> Iterator[tuple[int, int]]:
    """A fork of this process that does the work, which gets where to write to; yields its id and where to read."""
    out, into = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        try:
            os.close(out)
            os.setpgid(0, 0)
            quiet = os.open(said or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for descriptor in (1, 2):
                os.dup2(quiet, descriptor)
            sys.stdin = open(os.devnull)  # noqa: SIM115
            work(into)
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(into)
    try:
        yield child, out
    finally:
        os.close(out)
        try:
            os.killpg(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # it has not made its group yet, or is gone
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def apart(work: Callable[[], Any], kill_after: float | None = None, said: Path | None = None) -> End:
    """Do a piece of work in a copy of this process, and perhaps kill it.

    Args:
        work: what it returns must be plain.
        kill_after: seconds until SIGKILL; None lets it end.
        said: gets what it prints.
    """

    def send(into: int) -> None:
        content = json.dumps(_ended(work), default=str).encode()
        while content:
            content = content[os.write(into, content) :]

    with _copy(send, said) as (_, out):
        found = b""
        end = time.monotonic() + (HANGS * 2 if kill_after is None else kill_after)
        while select.select([out], [], [], max(0.0, end - time.monotonic()))[0]:
            if not (piece := os.read(out, 1 << 20)):
                return End(*json.loads(found)) if found else End("died")
            found += piece
    return End("hang" if kill_after is None else "killed")


def each(work: Callable[[Any], Any], cases: list[Any]) -> list[End]:
    """Do the same work for many cases, in a copy of this process that is made anew where one has ended it."""
    ends: list[End] = []
    while len(ends) < len(cases):

        def send(into: int, first: int = len(ends)) -> None:
            for case in cases[first:]:
                how, said = _ended(lambda case=case: work(case))
                os.write(into, json.dumps([how, str(said)[-1500:]]).encode() + b"\n")

        with _copy(send) as (_, out):
            rest = b""
            while len(ends) < len(cases):
                if not select.select([out], [], [], HANGS)[0]:
                    ends.append(End("hang"))
                    break
                if not (piece := os.read(out, 1 << 16)):
                    ends.append(End("died"))
                    break
                *lines, rest = (rest + piece).split(b"\n")
                ends += [End(*json.loads(line)) for line in lines]
    return ends


# --- spoilt files


def flipped(rng: random.Random, good: bytes) -> bytes:
    """One bit is another one."""
    spoilt = bytearray(good)
    spoilt[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def torn(rng: random.Random, good: bytes) -> bytes:
    """The end is missing, or zeros, as after a power cut."""
    at = rng.randrange(len(good))
    return good[:at] + (bytes(len(good) - at) if rng.random() < 0.3 else b"")


JUNK = (b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"{", b"[" * 30_000, b"9" * 5000, b"NaN", b'"', b"\\ud800", b"\r")
JUNK += (b"-1e999", b"<|endoftext|>", "é🙂".encode(), b"../../x", b"<script>", b"' OR 1=1 --", b"%s{}", b"\x1b[2J")
VALUES: tuple[Any, ...] = (None, True, -1, 0, 1e308, 10**30, "", "x" * 3000, "../../etc/passwd", "\ud800", [], {})
VALUES += ([[]], {"a": {"b": []}}, float("nan"), float("inf"), "0", [None], ["a", 1], (DEEP := "@deep@"))


def malformed(rng: random.Random, good: bytes) -> bytes:
    """Any damage: torn, flipped, pieces lost, doubled or exchanged, junk in it; in JSON also other values."""
    how = rng.randrange(8)
    a, b = sorted(rng.randrange(len(good) + 1) for _ in range(2))
    if how <= 2:
        try:
            made = json.dumps(other_values(rng, json.loads(good)), ensure_ascii=rng.random() < 0.9)
            return made.replace(f'"{DEEP}"', "[" * 30_000 + "]" * 30_000).encode("utf-8", "surrogatepass")
        except (ValueError, UnicodeError):
            how += 3
    if how == 3:
        return torn(rng, good)
    if how == 4:
        for _ in range(rng.choice((1, 1, 8, 100))):
            good = flipped(rng, good)
        return good
    if how == 5:
        return good[:a] + rng.choice(JUNK) * rng.choice((1, 1, 3)) + good[rng.choice((a, b)) :]
    if how == 6:
        return good[:a] + good[b:] if rng.random() < 0.5 else good[:b] + good[a:]
    return rng.choice((b"", b"\n", rng.randbytes(rng.randrange(1, 3000)), good[b:] + good[:b], rng.choice(JUNK)))


def other_values(rng: random.Random, value: Any) -> Any:
    """The same plain values with one of them of another kind, missing, doubled or under another name."""
    value = json.loads(json.dumps(value))
    places: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        inside = todo.pop()
        for key in list(inside) if isinstance(inside, dict) else range(len(inside)):
            places.append((inside, key))
            if isinstance(inside[key], dict | list):
                todo.append(inside[key])
    if not places or rng.random() < 0.05:
        return rng.choice(VALUES)
    inside, key = places[min(int(rng.expovariate(0.05)), len(places) - 1)] if rng.random() < 0.7 else rng.choice(places)
    how = rng.random()
    if how < 0.7:
        inside[key] = rng.choice(VALUES)
    elif how < 0.85:
        del inside[key]
    elif isinstance(inside, dict):
        inside[rng.choice(("", "x", "steps", f"{key} "))] = inside.pop(key)
    else:
        inside.append(inside[key])
    return value


# --- file systems


def root() -> bool:
    """Whether file systems can be mounted here."""
    return os.geteuid() == 0 and sys.platform == "linux"


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[str], None]]:
    """A file system of some bytes at a folder; yields what mounts it anew with other options, "size=9m" or "ro"."""
    folder.mkdir(parents=True, exist_ok=True)

    def again(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True, capture_output=True)

    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield again
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def used(folder: Path) -> int:
    """Bytes of the files in a folder, in pages."""
    return sum(-(-path.stat().st_size // 4096) * 4096 + 4096 for path in folder.rglob("*"))


# --- tables


class Table:
    """The rows of a table, and what was wrong, for whoever has to cure it."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.wrong: list[str] = []
        self.began = time.monotonic()
        self.few = False

    def some(self, tries: dict[str, Any]) -> dict[str, Any]:
        """All tries, or a few of them in a trial."""
        return dict(list(tries.items())[::5]) if self.few else tries

    def add(self, what: str, tries: int, wrong: Iterable[str]) -> None:
        """A row: how many of so many tries went wrong, which should be none."""
        found = list(wrong)
        self.rows.append(row(what, len(found), goal="ours <= 0") | {"tries": tries})
        self.wrong += [f"{what}: {one}" for one in found]
        seconds, self.began = time.monotonic() - self.began, time.monotonic()
        print(f"  {len(found)} of {tries} wrong: {what} ({seconds:.0f} s)", flush=True)

    def part(self, name: str, work: Callable[..., None], *further: Any) -> None:
        """Make the rows of a part; one that fails is a row of its own, and the others go on."""
        try:
            work(*further)
        except Exception as error:
            self.add(f"the part {name!r} itself", 1, ["".join(traceback.format_exception(error))])

    def ends(self, what: str, ends: list[End]) -> None:
        """A row of pieces of work that should end well, with what they were: read, or refused in a sentence."""
        counts = Counter(end.how for end in ends)
        told = ", ".join(f"{n} {how}" for how, n in sorted(counts.items()) if how in ("done", "sentence"))
        self.add(
            f"{what} ({told.replace('done', 'read').replace('sentence', 'refused')})",
            len(ends),
            (f"{end.how}: {end.said}" for end in ends if not end.well),
        )


def main(description: str | None, name: str, fill: Callable[[Table, Path, int, argparse.Namespace], None]) -> None:
    """Fill a table in a process of its own, which has computed nothing before it forks; then report it.

    Args:
        description: of the bench.
        name: of the bench.
        fill: gets the table, a folder for scratch, and how many tries of a hundred to make.
    """
    from common import options

    parser = options(description)
    parser.add_argument("--share", type=float, default=1.0, help="of the tries of each row")
    parser.add_argument("--only", default="", help="rows whose part begins so")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and unmount, and delete what was made
    percent = 1 if args.quick else max(1, round(100 * args.share))
    if args.inside is None:
        with tempfile.TemporaryDirectory() as made:
            asked = [sys.executable, str(ROOT / "bench" / f"{name}.py"), *sys.argv[1:], "--inside", made]
            environment = os.environ | {"HF_HUB_OFFLINE": "1", "WORKSHOP_HOME": f"{made}/home", "OMP_NUM_THREADS": "1"}
            environment |= {"TOKENIZERS_PARALLELISM": "false", "MPLBACKEND": "Agg"}
            if subprocess.run(asked, env=environment, check=False).returncode:
                raise SystemExit(f"bench/{name}.py failed: the error stands above")
            found = json.loads(Path(made, "found.json").read_text(encoding="utf-8"))
        report(name, found["rows"], args, found["notes"])
        if found["wrong"]:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / f"{name}-wrong.txt").write_text("\n\n".join(found["wrong"]), encoding="utf-8")
            raise SystemExit(f"{len(found['wrong'])} went wrong: {args.out / f'{name}-wrong.txt'}")
        return
    import torch

    torch.set_num_threads(1)
    table = Table()
    (args.inside / "home").mkdir()
    began = time.monotonic()
    fill(table, args.inside, percent, args)
    rows = [line | {"what": f"{line['tries']:,} × {line['what']}"} for line in table.rows]
    tries = sum(line["tries"] for line in table.rows)
    notes = f"How many of {tries:,} tries went wrong, in {(time.monotonic() - began) / 60:.0f} minutes. "
    found = {"rows": rows, "wrong": table.wrong, "notes": notes + str(fill.__doc__ or "").partition("\n")[0]}
    (args.inside / "found.json").write_text(json.dumps(found), encoding="utf-8")
