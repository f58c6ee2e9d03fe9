"""`workshop doctor`: look for what would stop a lesson, before the lesson does, and name the cure.

Every check yields findings; lesson 00 and the command line show them.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from workshop_utils import colab
from workshop_utils.gpt.config import unknown_names
from workshop_utils.machine import hardware, hub, profiles
from workshop_utils.machine.profiles import Profile
from workshop_utils.machine.sentences import without_secrets
from workshop_utils.tuning import backends

GB = 1e9
ON_COLAB = "run the first cell again; what it leaves alone is what Colab's own packages were compiled against"
# The variables that the workshop reads, with what raises ValueError where a value makes no sense, and the others.
READERS: dict[str, Callable[[], object]] = {
    "WORKSHOP_PROFILE": profiles.asked,
    "WORKSHOP_HOME": hardware.make_home,
    "WORKSHOP_HUB": hub.hub_folder,
    "WORKSHOP_COUNTRY": profiles.country,
    "WORKSHOP_BACKEND": backends.asked,
}
JUDGE = ("WORKSHOP_JUDGE_URL", "WORKSHOP_JUDGE_MODEL", "WORKSHOP_JUDGE_PRICES")  # check_judge looks at them together
MODULES = {"scikit-learn": "sklearn"}  # packages whose modules have another name
SETTINGS = (*READERS, *JUDGE, "WORKSHOP_HURRY", "WORKSHOP_DEBUG")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str  # what, in a word or two
    status: str  # "fine", "note" (it works, but not as it should) or "problem" (a lesson will fail)
    found: str  # what was found
    cure: str = ""  # what to do; "" when it is fine


@dataclass(frozen=True)
class Needs:
    """What a lesson takes. The pocket figures are measured and rounded up, the others follow from the sizes used."""

    lesson: str
    title: str
    extra: str  # of pyproject.toml, as its first cell installs it on Colab; "" where the package alone will do
    memory: tuple[float, float, float]  # GB, for pocket, t4 and big
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
    Needs("08", "text to SQL", "finetune", (2, 8, 8), (0.1, 11, 31)),
    Needs("09", "quantised evaluation", "evaluate", (2, 12, 32), (0.2, 11, 31)),
    Needs("10", "ship it", "export", (2, 12, 32), (0.2, 16, 46)),  # the merged model is another copy
    Needs("11", "other language models", "finetune", (2, 6, 6), (0.1, 1, 1)),
)


def diagnose(profile: Profile | None = None) -> list[Finding]:
    """Look at everything once, whatever is broken: what cannot be looked at is a finding itself.

    Args:
        profile: what setup() returned; chosen here, without printing, if None.

    Returns:
        The findings, in the order in which they are best read.
    """
    findings = [Finding("python", "fine", ".".join(map(str, sys.version_info[:3])))]  # pip refuses any other
    for check in (check_packages, check_imports, check_settings):
        findings += looked_at(check)
    if any(finding.name in ("import torch", *wrong_settings()) for finding in findings):
        return findings  # the rest asks torch, and reads the variables
    profile = profile or profiles.choose()
    findings.insert(0, Finding("profile", "fine", f"{profile.name}, because {profile.reason}"))
    for look in (check_device, check_hub, check_judge, check_lessons):
        findings += looked_at(look, profile)
    return findings


def looked_at(check: Callable[..., Iterable[Finding]], *arguments: Any) -> list[Finding]:
    """The findings of a check, or a problem where a broken package or folder keeps it from looking."""
    try:
        return list(check(*arguments))
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        return [Finding(check.__name__.removeprefix("check_"), "problem", str(error), "correct this first")]


def check_packages() -> Iterator[Finding]:
    """Installed versions against the ranges of the package and of all its extras, and in a checkout against CI's.

    What a lesson cannot do without is a problem; on Colab it is not, since the lesson's first cell installs it.
    """
    extras = metadata.metadata(colab.PACKAGE).get_all("Provides-Extra") or []
    needed = {extra: colab.needs([extra] if extra else []) for extra in ("", *extras)}
    tested = colab.tested_versions() if hardware.checkout() is not None else {}
    installed, on_colab = colab.installed(), "google.colab" in sys.modules
    every = {name: requirement for group in needed.values() for name, requirement in group.items()}
    wrong: dict[str, tuple[str, str]] = {}  # name -> status and what was found
    absent = []
    for name, requirement in every.items():
        lessons = [needs.lesson for needs in LESSONS if name in needed[needs.extra]]
        use = "every lesson" if len(lessons) == len(LESSONS) else f"lessons {', '.join(lessons)}"
        version = installed.get(name, "").partition("+")[0]  # "+cpu" says how it was built, not what it is
        fits = bool(version) and requirement.specifier.contains(version, prereleases=True)
        if not fits and not (lessons and (name in needed[""] or not on_colab)):
            absent.append(f"{name} {version}".strip())
        elif not fits:
            found = f"{version or 'missing'}, {requirement.specifier or 'any version'} is needed for {use}"
            wrong[name] = "note" if on_colab else "problem", found
        elif version != tested.get(name, version):
            wrong[name] = "note", f"{version}, CI passed with {tested[name]}"
    cure = ON_COLAB if on_colab else _install({name: every[name] for name in wrong})
    for name, (status, found) in wrong.items():
        yield Finding(name, status, found, cure)
    how = "in the versions that CI passed with" if tested else "in the ranges that the package declares"
    why = "a lesson's first cell installs what it needs" if on_colab else "no lesson needs it"
    lack = f"; not here, or older, and {why}: {', '.join(absent)}" if absent else ""
    yield Finding("packages", "fine", f"{len(every) - len(wrong) - len(absent)} are here {how}{lack}")


def _install(requirements: dict[str, Requirement], options: str = "") -> str:
    """The command that installs packages, in the versions of CI; any shell of Windows, Linux or Colab takes it."""
    pip = "%pip" if "ipykernel" in sys.modules else f"{hardware.short_path(Path(sys.executable))} -m pip"
    words = [exact if "==" in (exact := colab.best(r)) else f'"{exact}"' for r in requirements.values()]
    return " ".join([pip, "install", *options.split(), *words])


def check_imports(extras: Sequence[str] = ()) -> Iterator[Finding]:
    """Whether what every lesson and these extras need can be imported: a package may be there and broken."""
    os.environ.setdefault("CODECARBON_LOG_LEVEL", "critical")
    installed, base = colab.installed(), colab.needs(extras)
    there = [name for name in base if name in installed or name == "torch"]  # that one is asked for further down
    broken = 0
    for name in there:
        try:
            importlib.import_module(MODULES.get(name, name.replace("-", "_")))
        except Exception as error:  # whatever a broken package raises is what was asked for
            broken += 1
            cure = _install({name: base[name]}, "--force-reinstall --no-deps")
            if sys.platform == "win32" and isinstance(error, OSError):
                cure += "; if that is no help, install https://aka.ms/vs/17/release/vc_redist.x64.exe and restart"
            if "google.colab" in sys.modules:
                cure = "Runtime > Disconnect and delete runtime, then run the first cell again"
            said = " ".join(str(error).split())[:200]
            yield Finding(f"import {name}", "problem", f"{type(error).__name__}: {said}", cure)
    if not broken:
        yield Finding(
            "imports",
            "fine",
            f"all {len(there)} packages that {'the lessons need' if extras else 'every lesson needs'}",
        )


def check_settings() -> Iterator[Finding]:
    """The WORKSHOP_ variables: those that make no sense, those that nothing reads, and one that spoils results."""
    wrong = wrong_settings()
    for name, why in wrong.items():
        yield Finding(name, "problem", why, f"correct {name}, or unset it")
    if unknown := unknown_names((name for name in os.environ if name.startswith("WORKSHOP_")), SETTINGS):
        yield Finding("variables", "note", f"nothing reads {unknown}", f"unset it; there are {', '.join(SETTINGS)}")
    if profiles.hurried():
        yield Finding("WORKSHOP_HURRY", "note", "every training is cut to a few steps", "unset it to train in earnest")
    if not (wrong or unknown or profiles.hurried()):
        yield Finding("settings", "fine", "no WORKSHOP_ variable is wrong")


def wrong_settings() -> dict[str, str]:
    """WORKSHOP_ variables whose value makes no sense -> why, as a sentence."""
    wrong = {}
    for name, read in READERS.items():
        try:
            read()
        except ValueError as error:
            wrong[name] = str(error)
    return wrong


def check_device(profile: Profile) -> Iterator[Finding]:
    """The GPU, or why there is none, the numbers to compute in, memory, disk, and what tells the electricity."""
    import torch

    gpu = hardware.find_gpu()
    if gpu is not None and gpu.problem:
        cure = "install a torch that was built for this GPU (https://pytorch.org/get-started), or use pocket"
        yield Finding("gpu", "note", f"{gpu.name} cannot compute: {gpu.problem}", cure)
    elif gpu is not None:
        free, total = torch.cuda.mem_get_info(0)
        capability = f"capability {gpu.capability[0]}.{gpu.capability[1]}"
        taken = free < 0.8 * total and profile.device == "cuda"
        cure = "shut other kernels down; nvidia-smi lists who holds the memory" if taken else ""
        found = f"{gpu.name}, {capability}, {free / GB:.1f} of {total / GB:.1f} GB free"
        yield Finding("gpu", "note" if taken else "fine", found, cure)
    elif shutil.which("nvidia-smi") and torch.version.cuda is None:
        cure = "if you want to use it: pip install torch from https://pytorch.org/get-started for CUDA"
        yield Finding("gpu", "note", "there seems to be one, but this torch was built for CPUs only", cure)
    elif hardware.has_mps():
        cure = "try it with WORKSHOP_PROFILE=t4, in float32, and tell us: we have no such machine"
        yield Finding("gpu", "note", "Apple's (mps); the pocket profile computes beside it, on the CPU", cure)
    else:
        yield Finding("gpu", "fine", "none, and the pocket profile needs none")
    yield Finding("cpu", "fine", f"{hardware.cpu_name()}, {hardware.cores()} cores")
    yield Finding("numbers", "fine", f"{profile.dtype}, because {profile.dtype_reason}")
    yield Finding("memory", "fine", f"{hardware.free_memory_bytes() / GB:.1f} GB free")
    free_disk = hardware.free_disk_bytes(profile.home) / GB
    yield Finding("disk", "fine", f"{free_disk:.0f} GB free for {hardware.short_path(profile.home)}")
    measured = profile.device == "cuda" or os.access("/sys/class/powercap/intel-rapl:0/energy_uj", os.R_OK)
    how = "measured" if measured else "estimated from the load, since no meter can be read here"
    yield Finding("energy", "fine", f"{how}; electricity of {profile.country} (WORKSHOP_COUNTRY)")


def check_hub(profile: Profile) -> Iterator[Finding]:
    """The Hugging Face hub and the token. Nothing is asked for a profile that needs no network."""
    if profile.name == "pocket":
        yield Finding("hub", "fine", "not asked: the pocket profile needs no network")
    elif (folder := hub.hub_folder()) is not None:
        yield Finding("hub", "fine", f"not asked: files come from {hardware.short_path(folder)} (WORKSHOP_HUB)")
    else:
        reachable, reason = hub.hub_reachable()
        cure = "go online, unset HF_HUB_OFFLINE, or take the pocket profile: WORKSHOP_PROFILE=pocket"
        yield Finding("hub", "fine" if reachable else "problem", reason, "" if reachable else cure)
    without = "none: lesson 01 then takes Qwen2.5 and not Gemma" if hub.hub_folder() is None else "none is needed"
    yield Finding("token", "fine", "found" if hub.has_token() else without)


def check_judge(profile: Profile) -> Iterator[Finding]:
    """The judge of lesson 09 behind an address, where the WORKSHOP_JUDGE_ variables name one; it is not called."""
    from workshop_utils.evaluate.endpoint import judge_from_environment

    judge = judge_from_environment(profile)
    if judge is not None:
        yield Finding("judge", "fine", f"{judge.model} at {judge.base_url}, not called")


def check_lessons(profile: Profile) -> Iterator[Finding]:
    """What each lesson will need, against what is free now."""
    column = profiles.NAMES.index(profile.name)
    memory, disk = hardware.free_memory_bytes() / GB, hardware.free_disk_bytes(profile.home) / GB
    for needs in LESSONS:
        found = f"{needs.title}: up to {needs.memory[column]:g} GB of memory, {needs.disk[column]:g} GB of disk"
        cures = {
            f"close programs and other notebooks, only {memory:.1f} GB of memory is free": memory
            - needs.memory[column],
            f"free some disk, only {disk:.1f} GB is left, or point WORKSHOP_HOME elsewhere": disk - needs.disk[column],
        }
        cure = "; ".join(cure for cure, left in cures.items() if left < 0)
        yield Finding(f"lesson {needs.lesson}", "problem" if cure else "fine", found, cure)


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
    problems, notes = (sum(finding.status == status for finding in findings) for status in ("problem", "note"))
    verdict = f"problems: {problems}, notes: {notes}, see above" if problems or notes else "everything is fine"
    return without_secrets("\n".join([*lines, "", verdict]))
