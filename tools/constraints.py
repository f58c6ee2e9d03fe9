"""Write constraints.txt: the exact versions that everybody installs, so that all machines run what CI passed with.

The ranges are in pyproject.toml; pip resolves them (nothing is installed) and this script writes down what it chose.
A copy travels in the package, for Colab, where there is no checkout.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "constraints.txt"
COPY = ROOT / "workshop_utils" / "data_files" / "constraints.txt"
HEADER = """\
# The exact versions that CI passed with. Written by `make constraints`; edit the ranges in pyproject.toml instead.
# CUDA packages are missing on purpose: torch itself asks for the exact ones that it was built with.
"""
# Some packages ask for 3.11.5 and the like; Debian 12 has 3.11.2, and its users shall be able to install too.
OLDEST_PYTHON = "3.11.0"
# What a CUDA build of torch brings. nvidia-ml-py is CodeCarbon's, and stays.
CUDA_PACKAGE = re.compile(r"(triton|cuda-.+|nvidia-(?!ml-py).+)$")


def resolve(requirements: list[str], constraints: Path | None) -> dict[str, str]:
    """Ask pip which versions it would install into an empty environment.

    Args:
        requirements: as on pip's command line.
        constraints: versions to keep where they still fit; None takes the newest of everything.

    Returns:
        name -> version, local parts such as "+cpu" cut off.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--target", folder]
        command += ["--ignore-installed", "--python-version", OLDEST_PYTHON, "--only-binary=:all:"]
        command += ["--report", str(report), *requirements]
        if constraints is not None:
            command += ["--constraint", str(constraints)]
        if subprocess.run(command).returncode != 0:
            raise SystemExit("pip found no such set (see above): widen a range, or run `make constraints UPGRADE=1`")
        chosen = json.loads(report.read_text())["install"]
    return {item["metadata"]["name"]: item["metadata"]["version"].split("+")[0] for item in chosen}


def write(versions: dict[str, str], path: Path) -> int:
    """Write the versions as a constraints file, one a line, in alphabetical order, and return how many."""
    names = sorted((n for n in versions if n != "slm-workshop" and not CUDA_PACKAGE.match(n.lower())), key=str.lower)
    path.write_text(HEADER + "".join(f"{name}=={versions[name]}\n" for name in names))
    return len(names)


def main() -> None:
    """Resolve and write; see --help."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--upgrade", action="store_true", help="take the newest of everything, not only what is missing"
    )
    arguments = parser.parse_args()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["workshop"]
    project = f"{ROOT}[{','.join(settings['constraints-extras'])}]"
    versions = resolve([project, *settings["constraints-limits"]], None if arguments.upgrade else FILE)
    count = write(versions, FILE)
    shutil.copyfile(FILE, COPY)
    print(f"{FILE.name}: {count} versions, also in the package. Now run `make test`, then commit both.")


if __name__ == "__main__":
    main()
