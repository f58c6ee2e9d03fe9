"""Ask whether known vulnerabilities are in what the project installs: constraints.txt, and the packages of the slides.

`make audit` runs it with pip-audit in an environment of its own. Both services are asked over the network; where one
does not answer, a sentence says so and the exit code is 2: nothing is known then. 1 means that something was found.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 300  # seconds


def python_packages(python: str) -> tuple[int, str]:
    """Ask PyPI about every version in constraints.txt; returns the exit code, and what there is to say."""
    with tempfile.TemporaryDirectory() as made:
        plain = Path(made, "requirements.txt")  # without the suffix that names a build for a CPU alone
        lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        plain.write_text("\n".join(line.partition("+")[0] for line in lines), encoding="utf-8")
        order = [python, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner=off", "-f", "json"]
        said = _run([*order, "-r", str(plain)])
    try:
        asked = json.loads(said.stdout)["dependencies"]
    except (ValueError, KeyError):
        return 2, f"constraints.txt was not audited: {_last(said)}"
    bad = [f"  {one['name']} {one['version']}: {flaw['id']}" for one in asked for flaw in one.get("vulns", [])]
    skipped = sum("skip_reason" in one for one in asked)
    told = (
        f"constraints.txt: {len(asked)} packages, {len(bad)} known vulnerabilities, {skipped} not known to the service"
    )
    return int(bool(bad)), "\n".join([told, *bad])


def node_packages() -> tuple[int, str]:
    """The same for the slides' packages, of npm."""
    npm = shutil.which("npm")
    if npm is None:
        return 2, "the slides' packages were not audited: npm is not installed"
    said = _run([npm, "audit", "--prefix", str(ROOT / "slides"), "--json"])
    try:
        counts = json.loads(said.stdout)["metadata"]["vulnerabilities"]
    except (ValueError, KeyError):
        return 2, f"the slides' packages were not audited: {_last(said)}"
    told = ", ".join(f"{n} {name}" for name, n in counts.items() if n and name != "total") or "none"
    return int(bool(counts["total"])), f"the slides' packages: known vulnerabilities: {told}"


def _run(order: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(order, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(order, 2, "", f"no answer within {PATIENCE} s")


def _last(said: subprocess.CompletedProcess[str]) -> str:
    """Why there is no answer, in a line, and what to do."""
    lines = [line.strip() for line in (said.stderr or said.stdout).splitlines() if line.strip()]
    why = next(
        (line for line in reversed(lines) if "rror" in line or "no answer" in line), (lines or ["no reason"])[-1]
    )
    return f"the service did not answer ({why[:160]}). Run `make audit` again where the network reaches it"


def main() -> int:
    """Print both answers; the larger exit code counts, but a vulnerability that was found counts most."""
    codes = []
    for code, told in (python_packages(sys.argv[1] if len(sys.argv) > 1 else sys.executable), node_packages()):
        print(told)
        codes.append(code)
    return 1 if 1 in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
