"""Who does the fine-tuning: transformers with peft, which run everywhere, or Unsloth, which is faster on a GPU.

Both load the base in the same precision, put the same adapter on it and give it to the same trainer, so that a run's
settings and its results mean the same. lora.py asks here; a lesson only says choose_backend().
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any

from workshop_utils.machine.profiles import Profile

NAMES = ("transformers", "unsloth")


def choose_backend(profile: Profile, wanted: str | None = None) -> str:
    """Choose who does the fine-tuning, print why, and get it ready; call it before any model is loaded.

    Args:
        profile: of the machine.
        wanted: "transformers" or "unsloth"; WORKSHOP_BACKEND, or else what fits the machine, if None.

    Returns:
        "transformers" or "unsloth".

    Raises:
        ValueError: there is no such backend, or Unsloth is wanted and cannot be had.

    Source: Unsloth rewrites parts of transformers, trl and peft while it is imported, so it must come before them.
    """
    wanted = asked(wanted)
    lack = _lack_of_unsloth(profile, wanted)
    if wanted == "unsloth" and lack:
        raise ValueError(f"unsloth was asked for, but {lack}: take transformers, which computes the same")
    chosen = wanted or ("transformers" if lack else "unsloth")
    if chosen == "unsloth":
        unsloth()
    faster = "it is installed and there is a CUDA device: the same computation, faster"
    reason = "you asked for it" if wanted else lack or faster
    print(f"backend  {chosen}, because {reason}")
    return chosen


def asked(name: str | None = None) -> str:
    """The backend that was asked for by name, or else by WORKSHOP_BACKEND; "" if none was.

    Raises:
        ValueError: there is no such backend.
    """
    wanted = (name or os.environ.get("WORKSHOP_BACKEND", "")).strip().lower()
    if wanted and wanted not in NAMES:
        where = "" if name else ", which WORKSHOP_BACKEND asks for"
        raise ValueError(f"there is no backend {wanted!r}{where}: choose {' or '.join(NAMES)}")
    return wanted


def _lack_of_unsloth(profile: Profile, wanted: str) -> str:
    """Why Unsloth cannot do it here, "" if it can."""
    if importlib.util.find_spec("unsloth") is None:
        return 'unsloth is not installed (pip install "slm-workshop[unsloth]" where there is a CUDA device)'
    if profile.device != "cuda" and not wanted:
        return "there is no CUDA device, without which unsloth is no faster"
    if "unsloth" not in sys.modules and "transformers" in sys.modules:
        return "transformers was imported before unsloth, which has to come first: restart the kernel to have it"
    return ""


def unsloth() -> Any:
    """Unsloth's models, imported without its banners."""
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")  # it would ask the hub for a file, to be counted
    os.environ.setdefault("UNSLOTH_COMPILE_DISABLE", "1" if os.environ.get("UNSLOTH_FORCE_CPU") == "1" else "0")
    from unsloth import FastLanguageModel

    return FastLanguageModel


def switch(model: Any, backend: str, training: bool) -> None:
    """Switch a model to training or to answering; Unsloth keeps two forward passes and must be told which."""
    model.train(training)
    if backend == "unsloth" and training:
        unsloth().for_training(model)
    elif backend == "unsloth":
        unsloth().for_inference(model)
