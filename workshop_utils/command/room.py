"""`workshop doctor --room`: the evening before, on the machine that will stand in the room."""

from __future__ import annotations

import importlib.util
import socket
import statistics
import time
from collections.abc import Iterator

from workshop_utils.command.doctor import GB, LESSONS, Finding, check_imports, looked_at
from workshop_utils.command.doctor import diagnose as diagnose_machine
from workshop_utils.machine import hardware, hub, profiles

PORTS = range(8888, 8893)  # JupyterLab takes the first that is free
STEPS = 5
USUAL = 0.05  # seconds of an update in lesson 04 on two quiet cores: 127 s for 2,500 in bench/RESULTS.md
SLOW = 3.0  # times as long


def diagnose(kits: int = 1) -> list[Finding]:
    """Everything of `workshop doctor`, and what only a room needs.

    Args:
        kits: for how many copies of the kit, or of a lesson's files where there is none, the disk must have space.
    """
    findings = diagnose_machine()
    if any(finding.name == "import torch" for finding in findings):
        return findings
    findings = [finding for finding in findings if finding.name.split()[0] not in ("imports", "import")]
    findings += looked_at(check_imports, sorted({needs.extra for needs in LESSONS} | {"lab"} - {""}))
    for check in (check_models, check_speed, check_kit):
        findings += looked_at(check)
    findings += looked_at(check_space, kits)
    return findings + looked_at(check_ports)


def check_models() -> Iterator[Finding]:
    """Whether the models of the package load and answer."""
    from workshop_utils.chat import models
    from workshop_utils.gpt import load_shipped

    profile = profiles.choose("pocket")
    load_shipped()
    models.load("pocket-base", profile)
    reply = models.load("pocket-instruct", profile).reply("What colour is the sky?", 20)
    cure = "" if reply else "install the package again"
    yield Finding("pocket models", "fine" if reply else "problem", f"pocket-instruct answers {reply!r}", cure)


def check_speed() -> Iterator[Finding]:
    """Seconds of an update of lesson 04's GPT, and what they make of its training."""
    import torch

    from workshop_utils.gpt import GPT

    profile = profiles.choose("pocket")
    model, config = GPT(profile.gpt), profile.training
    idx = torch.randint(profile.gpt.vocab_size, (config.batch_size, profile.gpt.block_size))
    took = []
    for _ in range(STEPS + 1):
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=config.dtype == "bfloat16"):
            logits = model(idx, all_logits=True)[0]
        torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), idx.flatten()).backward()
        took.append(time.perf_counter() - began)
    seconds = statistics.median(took[1:])
    found = f"{seconds:.3f} s for an update of lesson 04, about {seconds * config.steps / 60:.0f} minutes for all"
    slow = seconds > SLOW * USUAL
    cure = f"close other programs, plug the power in; two quiet cores take {USUAL} s" if slow else ""
    yield Finding("speed", "note" if slow else "fine", found, cure)


def check_kit() -> Iterator[Finding]:
    """Whether the kit that WORKSHOP_HUB names is whole."""
    from workshop_utils.command import kit  # which imports what may be broken

    folder = hub.hub_folder()
    if folder is None:
        yield Finding("kit", "fine", "none: WORKSHOP_HUB is not set, and the pocket profile needs none")
        return
    files, wrong = kit.manifest(folder), list(kit.verify(folder))
    cure = f"workshop prefetch --to {hardware.short_path(folder)}, or copy it again" if wrong else ""
    found = f"{len(files) - len(wrong)} of {len(files)} files of {hardware.short_path(folder)} are whole"
    if wrong:
        found += f"; {wrong[0][0].repo}/{wrong[0][0].path} {wrong[0][1]}"
    yield Finding("kit", "problem" if wrong else "fine", found, cure)


def check_space(kits: int) -> Iterator[Finding]:
    """Whether so many kits, or what the lessons leave for so many people, fit on the disk."""
    from workshop_utils.command import kit

    profile, folder = profiles.choose(), hub.hub_folder()
    column = profiles.NAMES.index(profile.name)
    each = sum(file.size for file in kit.manifest(folder)) / GB if folder else sum(n.disk[column] for n in LESSONS)
    what = "the kit" if folder else f"what the lessons leave in the {profile.name} profile"
    free = hardware.free_disk_bytes(profile.home) / GB
    found = f"{kits} times {what}, {each:.1f} GB each; {free:.0f} GB are free"
    cure = f"free {kits * each - free:.0f} GB, or point WORKSHOP_HOME elsewhere" if kits * each > free else ""
    yield Finding("space", "problem" if cure else "fine", found, cure)


def check_ports() -> Iterator[Finding]:
    """Whether JupyterLab is here and finds a port."""
    if importlib.util.find_spec("jupyterlab") is None:
        yield Finding("jupyterlab", "problem", "is not installed", 'pip install "slm-workshop[lab]"')
        return
    free = []
    for port in PORTS:
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
                free.append(port)
            except OSError:
                continue
    if free:
        yield Finding("jupyterlab", "fine", f"port {free[0]} is free for it")
    else:
        cure = "stop what runs there (jupyter lab list), or choose another: jupyter lab --port 9000"
        yield Finding("jupyterlab", "problem", f"ports {PORTS[0]} to {PORTS[-1]} are taken", cure)
