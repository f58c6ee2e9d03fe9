"""`workshop doctor`: look for what would stop a lesson, before the lesson does, and name the cure.

Every check yields findings; lesson 00 and the command line show them.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from workshop_utils import colab
from workshop_utils.machine import hardware as machine
from workshop_utils.machine import profiles
from workshop_utils.machine.profiles import Profile
from workshop_utils.tuning import backends

PYTHONS = ((3, 11), (3, 13))  # first and last version that pyproject.toml admits
GB = 1e9
# The extras of pyproject.toml without which every lesson runs, and what they are for.
OPTIONAL = {"lab": "JupyterLab and workshop run", "unsloth": "faster fine-tuning on CUDA", "dev": "tests and linters"}
STAYS = "it stays, since Colab's other packages were compiled against it; Runtime > Change runtime type offers others"
# The variables that the workshop reads, with what raises ValueError where a value makes no sense.
SETTINGS: dict[str, Callable[[], object] | None] = {
    "WORKSHOP_PROFILE": profiles.asked,
    "WORKSHOP_HOME": machine.home,
    "WORKSHOP_HUB": machine.hub_folder,
    "WORKSHOP_COUNTRY": profiles.country,
    "WORKSHOP_BACKEND": backends.asked,
    "WORKSHOP_JUDGE_URL": None,  # check_judge looks at these three together
    "WORKSHOP_JUDGE_MODEL": None,
    "WORKSHOP_JUDGE_PRICES": None,
    "WORKSHOP_HURRY": None,
    "WORKSHOP_DEBUG": None,
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
    """What a lesson takes: packages, as an extra of pyproject.toml, and GB of memory and disk for (pocket, t4, big).

    The extra is the one that the lesson's first cell installs on Colab, "" where the package alone will do. The pocket
    figures are measured and rounded up; those of t4 and big follow from the sizes of model, text and checkpoints.
    """

    lesson: str
    title: str
    extra: str
    memory: tuple[float, float, float]
    disk: tuple[float, float, float]


LESSONS = (
    Needs("00", "start here", "", (1, 2, 2), (0.1, 0.1, 0.1)),
    Needs("01", "base or instruct", "hub", (1, 8, 8), (0.1, 11, 31)),
    Needs("02", "tokens and data", "", (2, 4, 6), (0.1, 0.5, 2)),
    Needs("03", "build a GPT", "", (2, 3, 3), (0.1, 1, 1)),
    Needs("04", "train a GPT", "", (2, 4, 8), (0.2, 3, 12)),
    Needs("05", "failure lab", "finetune", (2, 8, 8), (0.1, 6, 16)),
    Needs("06", "scale up", "hub", (2, 3, 3), (0.1, 0.2, 0.2)),
    Needs("07", "fine-tune with QLoRA", "finetune", (2, 8, 8), (0.1, 11, 31)),
    Needs("09", "quantised evaluation", "evaluate", (2, 12, 32), (0.2, 11, 31)),
)


def diagnose(profile: Profile | None = None) -> list[Finding]:
    """Look at everything once, whatever is broken: what cannot be looked at is a finding itself.

    Args:
        profile: what setup() returned; chosen here, without printing, if None.

    Returns:
        The findings, in the order in which they are best read.
    """
    findings = [*check_python()]
    for check in (check_packages, check_imports, check_settings):
        findings += _looked_at(check)
    if any(finding.name == "import torch" for finding in findings):
        return findings  # the rest asks torch
    with _without(wrong_settings()):  # so that one wrong variable hides nothing else
        profile = profile or profiles.choose()
        findings.insert(0, Finding("profile", "fine", f"{profile.name}, because {profile.reason}"))
        for look in (check_device, check_memory_and_disk, check_hub, check_energy, check_judge, check_lessons):
            findings += _looked_at(look, profile)
    return findings


def _looked_at(check: Callable[..., Iterable[Finding]], *arguments: Any) -> list[Finding]:
    """The findings of a check, or a problem where a broken package or folder keeps it from looking."""
    try:
        return list(check(*arguments))
    except (ImportError, OSError, ValueError) as error:
        what = check.__name__.removeprefix("check_").replace("_", " ")
        return [Finding(what, "problem", f"could not be looked at: {error}", "cure the other problems first")]


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """The interpreter."""
    found = ".".join(map(str, version[:3]))
    if PYTHONS[0] <= version[:2] <= PYTHONS[1]:
        yield Finding("python", "fine", found)
    else:
        cure = "install Python 3.12 (https://www.python.org/downloads) and make a new environment with it"
        yield Finding("python", "problem", f"{found}, the packages need 3.11 to 3.13", cure)


def check_packages() -> Iterator[Finding]:
    """Installed versions against the ranges of the package and of all its extras, and in a checkout against CI's.

    What a lesson cannot do without is a problem; on Colab it is not, since the lesson's first cell installs it.
    """
    needed = _needed()
    if not needed:
        cure = f'{_pip()} install -c constraints.txt -e ".[dev]", in the folder of the project'
        yield Finding("packages", "problem", f"{colab.PACKAGE} itself is not installed", cure)
        return
    seen: set[str] = set()
    for extra, requirements in needed.items():
        own = {name: requirement for name, requirement in requirements.items() if name not in seen}
        takers = [lesson.lesson for lesson in LESSONS if own.keys() & needed.get(lesson.extra, {}).keys()]
        seen |= own.keys()
        yield from _check_group(extra, own, takers)


def _needed() -> dict[str, dict[str, Requirement]]:
    """What the package needs, by extra ("" is the package alone), as it was installed; empty if it was not."""
    try:
        extras = metadata.metadata(colab.PACKAGE).get_all("Provides-Extra") or []
    except metadata.PackageNotFoundError:
        return {}
    return {extra: colab.needs([extra] if extra else []) for extra in ("", *extras)}


def _check_group(extra: str, own: dict[str, Requirement], takers: list[str]) -> Iterator[Finding]:
    """What is wrong with the packages that an extra brings, then what is right.

    Args:
        extra: its name.
        own: name -> requirement of the packages.
        takers: numbers of the lessons that need them.
    """
    use = _lessons(takers) if takers else OPTIONAL.get(extra, extra)
    lack = "problem" if takers else "note"
    tested = colab.tested_versions() if machine.checkout() is not None else {}
    on_colab = "google.colab" in sys.modules
    later = "" if takers or extra == "lab" else f", for {use} only"  # why it is no matter that one is missing
    if on_colab and extra:
        later = f", which the first cell of {use} installs" if takers else ", which Colab does without"
    wrong: dict[str, tuple[str, str]] = {}  # name -> status and what was found
    absent, staying = [], set()
    for name, requirement in own.items():
        version = (_installed(name) or "").partition("+")[0]  # "+cpu" says how it was built, not what it is
        fits = version and requirement.specifier.contains(version, prereleases=True)
        limits = f"{requirement.specifier or 'any version'} is needed for {use}"
        if not fits and on_colab and version and colab.PROTECTED.match(name):
            staying.add(name)
            wrong[name] = "note", f"{version}, {limits}"
        elif not fits and later and (on_colab or not version):
            absent.append(name)
        elif not fits:
            wrong[name] = lack, f"{version or 'missing'}, {limits}"
        elif version != tested.get(name, version):
            wrong[name] = "note", f"{version}, CI passed with {tested[name]}"
    cure = _install({name: own[name] for name in wrong if name not in staying})
    for name, (status, found) in wrong.items():
        yield Finding(name, status, found, STAYS if name in staying else cure)
    fine = []
    if not wrong and len(absent) < len(own):
        how = "in the versions that CI passed with" if tested else "in the ranges that the package declares"
        fine.append(f"{len(own) - len(absent)} for {use}, {how}")
    if absent:
        fine.append(f"not here: {', '.join(absent)}{later}")
    if fine:
        yield Finding(f"packages {extra}".strip(), "fine", "; ".join(fine))


def _lessons(numbers: list[str]) -> str:
    """Name lessons, as in "lessons 05, 07 and 09"."""
    if len(numbers) == len(LESSONS):
        return "every lesson"
    *most, last = numbers
    return f"lessons {', '.join(most)} and {last}" if most else f"lesson {last}"


def _pip() -> str:
    """The pip of this Python, as it is typed where this is read: in a notebook, in a checkout, or elsewhere."""
    if "ipykernel" in sys.modules:
        return "%pip"
    root, pip = machine.checkout(), Path(sys.executable).with_name("pip")
    return str(pip.relative_to(root)) if root is not None and pip.is_relative_to(root) else "pip"


def _install(requirements: dict[str, Requirement], options: str = "") -> str:
    """The command that installs packages, in the versions of CI; any shell of Windows, Linux or Colab takes it."""
    tested = colab.tested_versions()
    words = []
    for name, requirement in requirements.items():
        exact = tested.get(name, "")
        fits = exact and requirement.specifier.contains(exact, prereleases=True)
        words.append(f"{requirement.name}=={exact}" if fits else f'"{requirement.name}{requirement.specifier}"')
    return " ".join([_pip(), "install", *options.split(), *words])


def check_imports() -> Iterator[Finding]:
    """Whether what every lesson needs can be imported: a package may be there and broken."""
    os.environ.setdefault("CODECARBON_LOG_LEVEL", "critical")
    base = _needed().get("", {})
    names = [name for name in base if _installed(name)] or ["torch", "numpy"]
    broken = 0
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a broken package raises is what was asked for
            broken += 1
            said = " ".join(str(error).split())[:200]
            yield Finding(f"import {name}", "problem", f"{type(error).__name__}: {said}", _mend(error, name, base))
    if not broken:
        yield Finding("imports", "fine", f"all {len(names)} packages that every lesson needs")


def _mend(error: Exception, name: str, base: dict[str, Requirement]) -> str:
    """The cure for a package that is installed and cannot be imported."""
    if "google.colab" in sys.modules:
        return "Runtime > Disconnect and delete runtime, then run the first cell again"
    cure = _install({name: base.get(name, Requirement(name))}, "--force-reinstall --no-deps")
    if sys.platform == "win32" and isinstance(error, OSError):
        cure += "; if that is no help, install https://aka.ms/vs/17/release/vc_redist.x64.exe and restart"
    return cure


def check_settings() -> Iterator[Finding]:
    """The WORKSHOP_ variables: those that make no sense, those that nothing reads, and one that spoils results."""
    wrong = wrong_settings()
    for name, why in wrong.items():
        yield Finding(name, "problem", why, f"correct {name}, or unset it")
    unknown = sorted(name for name in os.environ if name.startswith("WORKSHOP_") and name not in SETTINGS)
    for name in unknown:
        close = get_close_matches(name, SETTINGS, n=1)
        cure = f"did you mean {close[0]}?" if close else f"unset it; there are {', '.join(SETTINGS)}"
        yield Finding(name, "note", "nothing reads a variable of this name", cure)
    if profiles.hurried():
        yield Finding("WORKSHOP_HURRY", "note", "every training is cut to a few steps", "unset it to train in earnest")
    if not (wrong or unknown or profiles.hurried()):
        yield Finding("settings", "fine", "no WORKSHOP_ variable is wrong")


def wrong_settings() -> dict[str, str]:
    """WORKSHOP_ variables whose value makes no sense -> why, as a sentence."""
    wrong = {}
    for name, read in SETTINGS.items():
        try:
            if read is not None:
                read()
        except ValueError as error:
            wrong[name] = str(error)
    return wrong


@contextmanager
def _without(names: Iterable[str]) -> Iterator[None]:
    """Take environment variables away for a while."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


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
    folder = profile.home
    free = machine.free_disk_bytes(folder) / GB
    yield Finding("disk", "fine", f"{free:.0f} GB free for {machine.short_path(folder)}")


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
    from workshop_utils.gpt.config import countries

    if profile.country not in countries():
        cure = "set WORKSHOP_COUNTRY to three letters such as GBR, DEU or IND"
        yield Finding("energy", "problem", f"no electricity mix is known for {profile.country!r}", cure)
        return
    meter = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
    measured = profile.device == "cuda" or os.access(meter, os.R_OK)
    how = "measured" if measured else "estimated from the load, since no meter can be read here"
    yield Finding("energy", "fine", f"{how}; electricity of {profile.country} (WORKSHOP_COUNTRY)")


def check_judge(profile: Profile) -> Iterator[Finding]:
    """The judge of lesson 09 behind an address, where the WORKSHOP_JUDGE_ variables name one; it is not called."""
    from workshop_utils.evaluate.endpoint import JudgeError, judge_from_environment

    try:
        judge = judge_from_environment(profile)
    except (ValueError, JudgeError) as error:
        yield Finding("judge", "problem", str(error), "correct the WORKSHOP_JUDGE_ variables, or unset them")
        return
    if judge is not None:
        yield Finding("judge", "fine", f"{judge.model} at {judge.base_url}, not called")


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
    for finding, after in zip(findings, [*findings[1:], None], strict=True):
        lines.append(f"{mark[finding.status]:<9}{finding.name:<{width}}{finding.found}")
        if finding.cure and (after is None or after.cure != finding.cure):  # one cure for several is written once
            lines.append(f"{'':<{9 + width}}cure: {finding.cure}")
    counts = {status: sum(f.status == status for f in findings) for status in ("problem", "note")}
    worth = [f"{n} {status}{'s' if n > 1 else ''}" for status, n in counts.items() if n]
    return "\n".join([*lines, "", f"{' and '.join(worth)}, see above" if worth else "everything is fine"])


def as_dict(findings: Iterable[Finding]) -> dict[str, Any]:
    """Findings and installed versions as plain values, for --json and for bug reports."""
    versions = {name: _installed(name) for name in sorted(colab.tested_versions())}
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
