"""What a learner has tried: every check leaves a line in the workshop's home, and nothing of the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workshop_utils.machine.hardware import home

FILE = "progress.jsonl"
RIGHT = "right"


@dataclass(frozen=True)
class Tried:
    """What became of an exercise."""

    tries: int  # up to the first right one, or all
    passed: bool


def note(exercise: str, state: str) -> None:
    """Write down how a check ended. It never raises: a full disk must stop no lesson.

    Args:
        exercise: its id, as in "04.2".
        state: "right" or "not yet".
    """
    line = json.dumps({"at": datetime.now().isoformat(timespec="seconds"), "exercise": exercise, "state": state})
    try:
        with open(home() / FILE, "a", encoding="utf-8") as file:  # the home is there, since setup() makes it
            file.write(f"\n{line}\n")  # a line end before it, too: the line above may be torn
    except OSError:
        pass


def tried(folder: Path | None = None) -> dict[str, Tried]:
    """What has been tried here, by exercise; a torn line is passed over.

    Args:
        folder: whose file is read; the workshop's home if None.
    """
    found: dict[str, Tried] = {}
    try:
        lines = ((folder or home()) / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            row = json.loads(line)
            exercise, state = str(row["exercise"]), row["state"]
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        before = found.get(exercise, Tried(0, False))
        if not before.passed:  # a lesson that is run again checks the right answer again
            found[exercise] = Tried(before.tries + 1, state == RIGHT)
    return found
