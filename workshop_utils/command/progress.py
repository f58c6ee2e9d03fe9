"""`workshop progress`: which checks passed, and in a shared folder, where a room is stuck.

What is shared holds ids of exercises, numbers of tries, and a name only where one was given.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.hardware import home, short_path
from workshop_utils.machine.progress import Tried, tried

STUCK = 3  # tries without passing
PATTERN = "progress-*.json"


def exercises() -> dict[str, tuple[str, str]]:
    """Every exercise by its id: title and importance, from the headings of the lessons.

    `tools/notebooks.py exercises` writes the file, since an installed package has no lessons beside it.
    """
    text = resources.files("workshop_utils").joinpath("data_files/exercises.json").read_text(encoding="utf-8")
    return {id: (title, importance) for id, (title, importance) in json.loads(text).items()}


def table(found: Mapping[str, Tried]) -> str:
    """A line for each exercise under its lesson, and how many have passed."""
    known, lines = exercises(), list[str]()

    def passed(ids: list[str]) -> str:
        return f"{sum(id in found and found[id].passed for id in ids)} of {len(ids)}"

    for lesson, group in itertools.groupby(known, lambda id: id[:2]):
        ids = list(group)
        lines.append(f"lesson {lesson}: {passed(ids)} passed")
        for id in ids:
            title, importance = known[id]
            state = "not attempted"
            if one := found.get(id):
                tries = "1 try" if one.tries == 1 else f"{one.tries} tries"
                state = f"{'passed' if one.passed else 'not yet'}, {tries}"
            lines.append(f"  {id:<6}{title[:40]:<42}{importance:<11}{state}")
        lines.append("")
    essential = [id for id, (_, importance) in known.items() if importance == "essential"]
    return "\n".join([*lines, f"{passed(list(known))} exercises passed, {passed(essential)} essential ones"])


def share(folder: Path, name: str = "") -> Path:
    """Write what was tried here into a shared folder, over what this learner shared before.

    Args:
        folder: must be there.
        name: for the instructor to see; "" for none.

    Raises:
        ValueError: there is no such folder.
        OSError: nothing can be written there.
    """
    _folder(folder)
    own = home() / "progress-id"  # drawn once: it says which file is mine, and nothing about me
    if not own.is_file():
        write_text_atomically(uuid.uuid4().hex[:12], own)
    path = folder / f"progress-{own.read_text().strip()}.json"
    rows = {id: [one.tries, one.passed] for id, one in tried().items() if id in exercises()}
    write_text_atomically(json.dumps({"name": _plain(name), "tried": rows}, indent=1) + "\n", path)
    return path


def room(folder: Path) -> str:
    """What a room has shared: for each exercise that anybody has tried, who passed, and who is stuck.

    Raises:
        ValueError: there is no such folder, or nothing has been shared there.
    """
    _folder(folder)
    learners = list(_shared(folder))
    if not learners:
        raise ValueError(f"nothing has been shared in {short_path(folder)}: workshop progress --share, by each learner")
    lines = [f"{len(learners)} have shared; stuck: {STUCK} tries or more, and not passed", ""]
    lines.append(f"{'':<6}{'':<42}{'':<11}{'passed':>7}{'trying':>7}{'stuck':>7}")
    for id, (title, importance) in exercises().items():
        seen = [(name, found[id]) for name, found in learners if id in found]
        if not seen:
            continue
        passed = sum(one.passed for _, one in seen)
        stuck = [name for name, one in seen if not one.passed and one.tries >= STUCK]
        names = ", ".join(sorted(filter(None, stuck)))
        counts = f"{passed:>7}{len(seen) - passed - len(stuck):>7}{len(stuck):>7}"
        lines.append(f"{id:<6}{title[:40]:<42}{importance:<11}{counts}{'  ' + names if names else ''}")
    return "\n".join(lines)


def _shared(folder: Path) -> Iterator[tuple[str, dict[str, Tried]]]:
    """Name and tries of each learner; what is no such file is named and passed over."""
    for path in sorted(folder.glob(PATTERN)):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = {str(id): Tried(int(tries), passed is True) for id, (tries, passed) in content["tried"].items()}
            yield _plain(str(content["name"])), found
        except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            print(f"passed over: {path.name} holds no progress")


def _plain(name: str) -> str:
    """A name as one short line, whatever somebody wrote into a shared file."""
    return "".join(c for c in " ".join(name.split()) if c.isprintable())[:40]


def _folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"there is no folder {short_path(folder)}: make it, where the whole room can write")
