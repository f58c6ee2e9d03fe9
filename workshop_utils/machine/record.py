"""On what and when a lesson ran: the lines that end every lesson and head every report."""

from __future__ import annotations

import platform
from datetime import date

from workshop_utils.colab import installed
from workshop_utils.machine.hardware import cores, cpu_name
from workshop_utils.machine.profiles import Profile, setup

PACKAGES = ("torch", "numpy", "tiktoken", "tokenizers", "transformers", "slm-workshop")


def stamp(profile: Profile | None = None) -> None:
    """Print on what and when a lesson ran: profile (asked for again if None), processor, versions, date."""
    profile = profile or setup(quiet=True)
    print(f"profile   {profile.name}, {profile.device}, {profile.dtype}")
    print(f"machine   {computer()}")
    print(f"versions  {versions()}")
    print(f"date      {date.today()}")


def computer() -> str:
    """Name the processor, the number of cores, the memory and the system in one line."""
    import psutil

    return f"{cpu_name()}, {cores()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB, {platform.system()}"


def versions() -> str:
    """Name the versions of Python and of the packages that the lessons stand on, where they are installed."""
    there = installed()
    packages = (f"{name} {there[name]}" for name in PACKAGES if name in there)
    return ", ".join([f"Python {platform.python_version()}", *packages])
