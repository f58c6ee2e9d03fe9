"""How long `import workshop_utils` takes in a fresh interpreter, and that it leaves torch alone."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from common import options, report, rounds_row, row, take_turns

PROGRAM = """
import sys, time
began = time.perf_counter()
{statement}
print(time.perf_counter() - began, "torch" in sys.modules)
"""


def fresh(statement: str) -> tuple[float, bool]:
    """Seconds of a statement in a new interpreter, and whether torch was loaded by it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)], capture_output=True, text=True, check=True
    )
    seconds, loaded = done.stdout.split()
    return float(seconds), loaded == "True"


def seconds_of(statement: str) -> float:
    """Seconds alone."""
    return fresh(statement)[0]


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    rounds = 1 if args.quick else 7
    rows = []
    for statement, goal in (("import workshop_utils", "ours <= 0.5"), ("from workshop_utils import setup", "")):
        print(statement)
        loads_torch = fresh(statement)[1]  # and reads the files into memory
        pair = take_turns(partial(seconds_of, statement), partial(seconds_of, "import torch"), rounds)
        rows.append(rounds_row(f"seconds of `{statement}`", *pair, better="lower", goal=goal))
        rows.append(row(f"torch is loaded by it (1 = yes): `{statement}`", int(loads_torch), goal="ours <= 0"))
    report("imports", rows, args, "Peer: `import torch`. Seconds by the clock, files already in memory.")


if __name__ == "__main__":
    main()
