"""`workshop doctor`: look for what would stop a lesson, before the lesson does, and name the cure.

Every check yields findings; lesson 00 and the command line show them.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from workshop_utils import machine, profiles
from workshop_utils.profiles import Profile

PACKAGE = "slm-workshop"
PYTHONS = ((3, 11), (3, 13))  # first and last version that pyproject.toml admits
GB = 1e9
# The groups of packages that lessons use, and what for; "" is what everything needs.
GROUPS = {
    "": "the from-scratch lessons",
    "lab": "JupyterLab and workshop run",
    "hub": "lesson 01, the t4 and big profiles, and GPT-2's weights in lesson 03",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what, in a word or two.
        status: "fine", "note" (it works, but not as it should) or "problem" (a lesson will fail).
        found: what was found.
        cure: what to do; "" when it is fine.
    """

    name: str
    status: str
    found: str
    cure: str = ""


@dataclass(frozen=True)
class Needs:
    """What a lesson takes from the machine, in GB, by profile: (pocket, t4, big).

    The pocket figures are measured and rounded up; those of t4 and big follow from the sizes of model, text and
    checkpoints.
    """

    lesson: str
    title: str
    memory: tuple[float, float, float]
    disk: tuple[float, float, float]


LESSONS = (
    Needs("00", "start here", (1, 2, 2), (0.1, 0.1, 0.1)),
    Needs("01", "base or instruct", (1, 8, 8), (0.1, 11, 31)),
    Needs("02", "tokens and data", (2, 4, 6), (0.1, 0.5, 2)),
    Needs("03", "build a GPT", (2, 3, 3), (0.1, 1, 1)),
    Needs("04", "train a GPT", (2, 4, 8), (0.2, 3, 12)),
    Needs("05", "failure lab", (2, 8, 8), (0.1, 6, 16)),
    Needs("06", "scale up", (2, 3, 3), (0.1, 0.2, 0.2)),
    Needs("07", "fine-tune with QLoRA", (2, 8, 8), (0.1, 11, 31)),
    Needs("09", "quantised evaluation", (2, 12, 32), (0.2, 11, 31)),
)


def diagnose(profile: Profile | None = None) -> list[Finding]:
    """Look at everything once.

    Args:
        profile: what setup() returned; chosen here, without printing, if None.

    Returns:
        The findings, in the order in which they are best read.

    Raises:
        ValueError: a WORKSHOP_ variable makes no sense.
    """
    if broken := _torch_problem():
        unusable = Finding("torch", "problem", f"cannot be imported: {broken}", _reinstall())
        return [*check_python(), unusable, *check_packages("pocket")]
    profile = profile or profiles.choose()
    findings = [Finding("profile", "fine", f"{profile.name}, because {profile.reason}")]
    findings += [*check_python(), *check_packages(profile.name)]
    for check in (check_device, check_memory_and_disk, check_hub, check_energy, check_lessons):
        findings += check(profile)
    return findings


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """The interpreter."""
    found = ".".join(map(str, version[:3]))
    if PYTHONS[0] <= version[:2] <= PYTHONS[1]:
        yield Finding("python", "fine", found)
    else:
        cure = "make an environment with Python 3.12: make venv PYTHON=python3.12, or conda env create"
        yield Finding("python", "problem", f"{found}, the packages need 3.11 to 3.13", cure)


def check_packages(profile: str) -> Iterator[Finding]:
    """Installed versions against the ranges that the package declares, and against constraints.txt of a checkout.

    Args:
        profile: its name; what only other profiles need may be missing.
    """
    from packaging.requirements import Requirement

    try:
        declared = [Requirement(line) for line in metadata.requires(PACKAGE) or []]
    except metadata.PackageNotFoundError:
        yield Finding(
            "packages", "problem", f"{PACKAGE} itself is not installed", "make venv, or pip install -e '.[dev]'"
        )
        return
    tested = tested_versions()
    for group, use in GROUPS.items():
        wanted = [r for r in declared if _belongs(r, group)]
        lack = "note" if group == "lab" or (group == "hub" and profile == "pocket") else "problem"
        findings = [finding for r in wanted if (finding := _judge(r, tested, group, lack)) is not None]
        yield from findings
        if not findings:
            how = "in the versions that CI passed with" if tested else "in the ranges that the package declares"
            yield Finding(f"packages {group}".strip(), "fine", f"{len(wanted)} for {use}, {how}")


def tested_versions() -> dict[str, str]:
    """Return name -> version of constraints.txt, with names in lower case; empty without a checkout."""
    root = machine.checkout()
    if root is None or not (root / "constraints.txt").is_file():
        return {}
    lines = (root / "constraints.txt").read_text().splitlines()
    pairs = (line.partition("==") for line in lines if "==" in line and not line.startswith("#"))
    return {_plain(name): version.strip() for name, _, version in pairs}


def _belongs(requirement: Any, group: str) -> bool:
    """Say whether a requirement is one of an extra ("" is the package without extras), on this platform."""
    if requirement.name == PACKAGE:
        return False
    if requirement.marker is None:
        return not group
    return requirement.marker.evaluate({"extra": group}) and not (group and requirement.marker.evaluate({"extra": ""}))


def _judge(requirement: Any, tested: dict[str, str], group: str, lack: str) -> Finding | None:
    """Return what is wrong with one installed package, None if nothing; lack is how bad it is if it is missing."""
    name = requirement.name
    try:
        version = metadata.version(name).partition("+")[0]  # "+cpu" says how it was built, not what it is
    except metadata.PackageNotFoundError:
        return Finding(name, lack, f"missing, needed for {GROUPS[group]}", _reinstall(group))
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(name, lack, f"{version}, the package needs {requirement.specifier}", _reinstall(group))
    expected = tested.get(_plain(name), version)
    if version != expected:
        return Finding(name, "note", f"{version}, CI passed with {expected}", _reinstall())
    return None


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _reinstall(group: str = "") -> str:
    if machine.checkout() is not None:
        return "make venv, or pip install -c constraints.txt -e '.[dev]'"
    return f"pip install --upgrade '{PACKAGE}[{group}]'" if group else f"pip install --upgrade {PACKAGE}"


def _torch_problem() -> str:
    try:
        import torch  # noqa: F401 (whether it can be imported is the question)
    except (ImportError, OSError) as error:  # OSError: a shared library that it needs is missing
        return str(error)
    return ""


def check_device(profile: Profile) -> Iterator[Finding]:
    """The GPU, or why there is none, and the numbers to compute in."""
    import torch

    gpu = machine.find_gpu()
    if gpu is not None:
        free, total = torch.cuda.mem_get_info(0) if not gpu.problem else (0, gpu.bytes)
        capability = f"capability {gpu.capability[0]}.{gpu.capability[1]}"
        found = f"{gpu.name}, {capability}, {free / GB:.1f} of {total / GB:.1f} GB free"
        if gpu.problem:
            cure = "install a torch that was built for this GPU (https://pytorch.org/get-started), or use pocket"
            yield Finding("gpu", "note", f"{gpu.name}, {capability}, cannot compute: {gpu.problem}", cure)
        elif free < 0.8 * total and profile.device == "cuda":
            yield Finding("gpu", "note", found, "shut other kernels down; nvidia-smi lists who holds the memory")
        else:
            yield Finding("gpu", "fine", found)
    elif shutil.which("nvidia-smi") and torch.version.cuda is None:
        cure = "if you want to use it: pip install torch from https://pytorch.org/get-started for CUDA"
        yield Finding("gpu", "note", "there seems to be one, but this torch was built for CPUs only", cure)
    else:
        yield Finding("gpu", "fine", "none, and the pocket profile needs none")
    yield Finding("cpu", "fine", f"{machine.cpu_name()}, {machine.cores()} cores")
    yield Finding("numbers", "fine", f"{profile.dtype}, because {profile.dtype_reason}")


def check_memory_and_disk(profile: Profile) -> Iterator[Finding]:
    """Memory, and the folder that everything is written to."""
    yield Finding("memory", "fine", f"{machine.free_memory_bytes() / GB:.1f} GB free")
    folder, free = profile.home, machine.free_disk_bytes(profile.home) / GB
    found = f"{free:.0f} GB free for {machine.short_path(folder)}"
    if os.access(folder, os.W_OK):
        yield Finding("disk", "fine", found)
    else:
        yield Finding("disk", "problem", f"{folder} cannot be written", "set WORKSHOP_HOME to a folder of yours")


def check_hub(profile: Profile) -> Iterator[Finding]:
    """The Hugging Face hub and the token. Nothing is asked for a profile that needs no network."""
    if profile.name == "pocket":
        yield Finding("hub", "fine", "not asked: the pocket profile needs no network")
    elif (folder := machine.hub_folder()) is not None:
        yield Finding("hub", "fine", f"not asked: files come from {machine.short_path(folder)} (WORKSHOP_HUB)")
    else:
        reachable, reason = profiles.hub_reachable()
        cure = (
            "" if reachable else "go online, unset HF_HUB_OFFLINE, or take the pocket profile: WORKSHOP_PROFILE=pocket"
        )
        yield Finding("hub", "fine" if reachable else "problem", reason, cure)
    without = "none: lesson 01 then takes Qwen2.5 and not Gemma" if machine.hub_folder() is None else "none is needed"
    yield Finding("token", "fine", "found" if machine.has_token() else without)


def check_energy(profile: Profile) -> Iterator[Finding]:
    """Whether electricity can be measured here, or only estimated."""
    from workshop_utils.energy import countries

    if profile.country not in countries():
        cure = "set WORKSHOP_COUNTRY to three letters such as GBR, DEU or IND"
        yield Finding("energy", "problem", f"no electricity mix is known for {profile.country!r}", cure)
        return
    meter = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
    measured = profile.device == "cuda" or os.access(meter, os.R_OK)
    how = "measured" if measured else "estimated from the load, since no meter can be read here"
    yield Finding("energy", "fine", f"{how}; electricity of {profile.country} (WORKSHOP_COUNTRY)")


def check_lessons(profile: Profile) -> Iterator[Finding]:
    """What each lesson will need, against what is free now."""
    column = profiles.NAMES.index(profile.name)
    memory, disk = machine.free_memory_bytes() / GB, machine.free_disk_bytes(profile.home) / GB
    for needs in LESSONS:
        found = f"{needs.title}: up to {needs.memory[column]:g} GB of memory, {needs.disk[column]:g} GB of disk"
        cures = []
        if needs.memory[column] > memory:
            cures.append(f"close programs and other notebooks, only {memory:.1f} GB of memory is free")
        if needs.disk[column] > disk:
            cures.append(f"free some disk, only {disk:.1f} GB is left, or point WORKSHOP_HOME elsewhere")
        yield Finding(f"lesson {needs.lesson}", "problem" if cures else "fine", found, "; ".join(cures))


def as_text(findings: Iterable[Finding]) -> str:
    """Lay findings out for a terminal or a notebook: a line each, the cure below."""
    findings = list(findings)
    width = max(len(finding.name) for finding in findings) + 2
    mark = {"fine": "ok", "note": "note", "problem": "PROBLEM"}
    lines = []
    for finding in findings:
        lines.append(f"{mark[finding.status]:<9}{finding.name:<{width}}{finding.found}")
        if finding.cure:
            lines.append(f"{'':<{9 + width}}cure: {finding.cure}")
    counts = {status: sum(f.status == status for f in findings) for status in ("problem", "note")}
    worth = [f"{n} {status}{'s' if n > 1 else ''}" for status, n in counts.items() if n]
    return "\n".join([*lines, "", f"{' and '.join(worth)}, see above" if worth else "everything is fine"])


def as_dict(findings: Iterable[Finding]) -> dict[str, Any]:
    """Findings and installed versions as plain values, for --json and for bug reports."""
    versions = {name: _installed(name) for name in sorted(tested_versions()) or ["torch", "numpy", "tiktoken"]}
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": sys.platform,
        "findings": [asdict(finding) for finding in findings],
        "versions": {name: version for name, version in versions.items() if version is not None},
    }


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
