"""Look at the machine once, choose the sizes for it, and say why.

The first cell of every lesson calls setup(), and lessons take all sizes from what it returns. hardware.py does the
looking, this module does the choosing.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.machine import hub
from workshop_utils.machine.energy import known_country
from workshop_utils.machine.hardware import (
    FoundGpu,
    cores,
    cpu_bf16_speedup,
    cpu_name,
    find_gpu,
    has_mps,
    home,
    make_home,
    share_cores,
    short_path,
)
from workshop_utils.machine.quiet import quiet_libraries

NAMES = ("pocket", "t4", "big")
T4_BYTES, BIG_BYTES = 12e9, 40e9  # GPU memory that a profile asks for
BF16_CAPABILITY = (8, 0)  # Ampere; older GPUs only emulate bf16
BF16_GAIN = 1.3  # a CPU's matrix product in bf16 must be this much faster, or conversions eat the gain
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}

# The base model and the instruction-tuned one of each profile.
GEMMA = ("google/gemma-2-2b", "google/gemma-2-2b-it")
PAIRS: dict[str, tuple[str, str]] = {
    "pocket": ("pocket-base", "pocket-instruct"),
    "t4": ("Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-1.5B-Instruct"),
    "big": ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct"),
}
LICENSED = "google/gemma"  # models of this family ask for their licence to be accepted first
# The tokenizers' vocabularies, padded to a multiple of 64.
VOCAB_SIZE = {"pocket": 1024, "gpt2": 50_304}
SOURCES: dict[str, dict[str, Any]] = {
    "pocket": {"text": "stories", "n_documents": 20_000, "tokenizer": "pocket"},
    "t4": {"text": "roneneldan/TinyStories", "n_documents": 200_000, "tokenizer": "gpt2"},
    "big": {"text": "HuggingFaceFW/fineweb-edu", "n_documents": 500_000, "tokenizer": "gpt2"},
}
MODELS: dict[str, dict[str, Any]] = {
    # Names and pronouns must be carried through a whole story: RoPE and this initialisation bind them much sooner. The
    # exact GELU and no biases are a sixth faster on a CPU.
    "pocket": {"block_size": 256, "n_layer": 4, "n_head": 4, "n_embd": 144}
    | {"position": "rope", "init": "fan_in", "activation": "gelu", "bias": False},
    "t4": {"block_size": 256, "n_layer": 6, "n_head": 6, "n_embd": 384},
    "big": {"block_size": 1024, "n_layer": 12, "n_head": 12, "n_embd": 768},  # GPT-2 124M
}
TRAININGS: dict[str, dict[str, Any]] = {
    # Many small steps teach more than few large ones when the model is tiny, and Muon more than AdamW alone.
    "pocket": {"steps": 2500, "batch_size": 8, "rows": "rows", "eval_every": 250, "checkpoint_every": 250}
    | {"optimizer": "muon", "muon_lr": 0.015, "learning_rate": 8e-3, "weight_decay": 0.05},
    # 2,400 updates of 64 stories: about 30M tokens, 10 to 15 minutes on a T4 at an expected 40,000 tokens/s. The logits
    # of a batch alone, 32 x 256 x 50,304 in float32, are 1.6 GB.
    "t4": {"steps": 2400, "batch_size": 32, "grad_accum_steps": 2, "rows": "rows", "learning_rate": 1e-3},
    # 524,288 tokens an update, as GPT-2 and GPT-3 Small were trained; about 0.5B tokens in all.
    "big": {"steps": 1000, "batch_size": 16, "grad_accum_steps": 32, "rows": "windows"}
    | {"learning_rate": 6e-4, "schedule": "cosine", "min_lr_ratio": 0.1},
}
# WORKSHOP_HURRY: enough to see that every cell runs, not enough to learn anything.
HURRY: dict[str, Any] = {"steps": 20, "grad_accum_steps": 1, "eval_every": 10, "eval_batches": 2, "log_every": 1}
HURRY_DOCUMENTS = 1_000
# The models for GPUs are much narrower then, with all their layers, heads and tokens: a CPU can train them.
HURRY_GPU_MODEL: dict[str, Any] = {"block_size": 32, "n_embd": 96}
HURRY_GPU_BATCH = 2

_set_here: set[str] = set()  # offline switches that setup() set, to be taken back for another profile


@dataclass(frozen=True)
class Profile:
    """What the lessons need to know about this machine."""

    name: str  # "pocket", "t4" or "big"
    reason: str  # why it was chosen, as a clause
    device: str  # "cpu" or "cuda"
    device_name: str  # of the processor or GPU, for people
    dtype: str  # what matrices are multiplied in: "float32", "bfloat16" or "float16"
    dtype_reason: str  # why, as a clause
    text: str  # what is trained on: "stories" from the package, or a data set of the hub
    n_documents: int  # how many documents of it
    tokenizer: str  # "pocket" or "gpt2"
    country: str = "GBR"  # three-letter code of where the electricity comes from (WORKSHOP_COUNTRY)

    @property
    def gpt(self) -> GPTConfig:
        """The shape of the GPT that this machine trains from scratch; a GPU's much narrower where WORKSHOP_HURRY=1."""
        shape = MODELS[self.name] | (HURRY_GPU_MODEL if hurried() and self.name != "pocket" else {})
        return GPTConfig(vocab_size=VOCAB_SIZE[self.tokenizer], **shape)

    @property
    def training(self) -> TrainConfig:
        """How it is trained; a few steps only where WORKSHOP_HURRY=1 is set."""
        chosen = TRAININGS[self.name] | {"milestones": (0.1, 0.3)}
        if hurried():
            chosen |= HURRY | ({} if self.name == "pocket" else {"batch_size": HURRY_GPU_BATCH})
        return TrainConfig(device=self.device, dtype=self.dtype, country=self.country, **chosen)

    @property
    def models(self) -> tuple[str, str]:
        """The base model and the instruction-tuned model that this machine talks to."""
        return pair(self.name)

    @property
    def home(self) -> Path:
        """The folder for everything that is made or downloaded; setup() has made it."""
        return home()

    def describe(self) -> str:
        """The lines that setup() prints."""
        source = "made by the package, nothing is downloaded" if self.text == "stories" else "from the hub"
        if self.text != "stories" and hub.hub_folder() is not None:
            source = "from WORKSHOP_HUB"
        lines = {
            "profile": f"{self.name}, because {self.reason}",
            "device": f"{self.device}: {self.device_name}, {cores()} CPU cores",
            "numbers": f"{self.dtype}, because {self.dtype_reason}",
            "models": " and ".join(self.models),
            "text": f"{self.n_documents:,} documents of {self.text}, {source}",
            "files": short_path(self.home),
        }
        return "\n".join(f"{name:<9}{line}" for name, line in lines.items())


def setup(name: str | None = None, quiet: bool = False) -> Profile:
    """Choose the profile for this machine and get the process ready for it.

    Args:
        name: "pocket", "t4" or "big"; WORKSHOP_PROFILE, or else what the machine can carry, if None.
        quiet: print nothing.

    Returns:
        The profile.

    Raises:
        ValueError: there is no profile of that name, or a WORKSHOP_ variable makes no sense.
    """
    share_cores()
    profile = choose(name)
    make_home()
    os.environ.setdefault("CODECARBON_LOG_LEVEL", "critical")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    quiet_libraries()
    _switch_hub(profile)
    if profile.device == "cpu":
        import torch

        if torch.get_num_threads() > cores():  # in a container torch sees the whole machine, and its threads then fight
            torch.set_num_threads(cores())
    if not quiet:
        print(profile.describe())
    return profile


def _switch_hub(profile: Profile) -> None:
    """Close the hub for the pocket profile and beside a WORKSHOP_HUB, so that nothing ever waits for a network.

    For the others it is opened again. Beside a WORKSHOP_HUB, datasets would report each file that it opens.
    """
    if profile.name != "pocket":
        hub.take_colab_secrets()
    if profile.name == "pocket" or hub.hub_folder() is not None:
        _set_here.update(OFFLINE.keys() - os.environ.keys())
        os.environ.update({variable: OFFLINE[variable] for variable in _set_here})
        return
    if _set_here and "huggingface_hub" in sys.modules:
        print("note     the hub was closed earlier in this kernel: restart it to open the hub again")
    for variable in _set_here:
        os.environ.pop(variable, None)
    _set_here.clear()


def choose(name: str | None = None) -> Profile:
    """Choose a profile without touching anything: setup() without its effects, with the same name and errors."""
    chosen, reason, gpu = asked(name), "you asked for it", find_gpu()
    if not chosen:
        chosen, reason = _fitting(gpu)
    elif chosen != "pocket" and gpu is None:
        where = "on Apple's GPU, which nobody has tried yet," if has_mps() else "without a CUDA device"
        reason += f"; {where} it will take hours, pocket is made for this machine"
    elif chosen != "pocket" and gpu is not None and (lack := _missing(chosen, gpu)):
        reason += f", although {lack}"
    # The pocket profile stays on the CPU even beside a GPU: everybody gets the same figures from it.
    usable = gpu is not None and not gpu.problem and chosen != "pocket"
    device, device_name = "cpu", cpu_name()
    if gpu is not None and usable:
        device, device_name = "cuda", gpu.name
    elif chosen != "pocket" and has_mps():
        device, device_name = "mps", f"Apple's GPU beside {device_name}"
    dtype, dtype_reason = choose_dtype(device, gpu.capability if gpu is not None else None)
    source = SOURCES[chosen] | ({"n_documents": HURRY_DOCUMENTS} if hurried() else {})
    return Profile(
        name=chosen,
        reason=reason,
        device=device,
        device_name=device_name,
        dtype=dtype,
        dtype_reason=dtype_reason,
        country=country(),
        **source,
    )


def asked(name: str | None = None) -> str:
    """The profile that was asked for by name, or else by WORKSHOP_PROFILE; "" if none was.

    Raises:
        ValueError: there is no such profile.
    """
    wanted = (name or os.environ.get("WORKSHOP_PROFILE", "")).strip().lower()
    if wanted and wanted not in NAMES:
        raise ValueError(f"there is no profile {wanted!r}: choose pocket, t4 or big, in setup() or WORKSHOP_PROFILE")
    return wanted


def _fitting(gpu: FoundGpu | None) -> tuple[str, str]:
    """The largest profile that the machine can carry, and why."""
    if gpu is None:
        return "pocket", "there is no CUDA device here" + (", only Apple's GPU (t4 would use it)" if has_mps() else "")
    if lack := _missing("t4", gpu):
        return "pocket", f"{lack}, which the t4 profile needs"
    if hub.hub_folder() is None:
        reachable, problem = hub.hub_reachable()
        if not reachable:
            cure = "go online and call setup() again, or point WORKSHOP_HUB at a local copy"
            return "pocket", f"{problem}, and the other profiles fetch from the hub; {cure}"
    has = f"{gpu.name} has {gpu.bytes / 1e9:.0f} GB"
    if _missing("big", gpu):
        return "t4", has
    return "big", f"{has} and capability {gpu.capability[0]}.{gpu.capability[1]}"


def _missing(name: str, gpu: FoundGpu) -> str:
    """What a GPU lacks for a profile, "" if nothing."""
    if gpu.problem:
        return f"{gpu.name} cannot compute ({gpu.problem})"
    needed = T4_BYTES if name == "t4" else BIG_BYTES
    if gpu.bytes < needed:
        return f"{gpu.name} has {gpu.bytes / 1e9:.1f} GB of memory and not the {needed / 1e9:.0f} GB"
    if name == "big" and gpu.capability < BF16_CAPABILITY:
        return f"{gpu.name} has capability {gpu.capability[0]}.{gpu.capability[1]} and not 8.0"
    return ""


def pair(profile_name: str) -> tuple[str, str]:
    """The names of the base model and the instruction-tuned model of a profile.

    Args:
        profile_name: "pocket", "t4" or "big". On a T4 it is Gemma 2 2B where its licence can have been accepted
            (there is a token for the hub, or WORKSHOP_HUB holds both), else Qwen2.5 1.5B, which asks for nothing.
    """
    if profile_name != "t4":
        return PAIRS[profile_name]
    local = hub.hub_folder()
    gemma = hub.has_token() if local is None else all((local / name).is_dir() for name in GEMMA)
    return GEMMA if gemma else PAIRS["t4"]


def for_this_machine(config: TrainConfig, resume: bool) -> TrainConfig:
    """The settings as they are, or, for a run that comes from a GPU to a machine without one, on the CPU.

    Raises:
        ValueError: a new run asks for a GPU that is not there.
    """
    import torch

    if {"cpu": True, "cuda": torch.cuda.is_available(), "mps": has_mps()}[config.device]:
        return config
    if not resume:
        raise ValueError(
            f'device is "{config.device}", and torch finds no GPU here: set device="cpu" and dtype="float32", or take '
            "what setup() chooses"
        )
    print(f"torch finds no GPU here: on the CPU in float32 instead of {config.dtype}")
    return replace(config, device="cpu", dtype="float32")


def choose_device() -> str:
    """Say where to compute: "cuda" where a GPU can, else "cpu"."""
    gpu = find_gpu()
    return "cuda" if gpu is not None and not gpu.problem else "cpu"


def choose_dtype(device: str, capability: tuple[int, int] | None = None) -> tuple[str, str]:
    """Choose what matrices are multiplied in.

    Args:
        device: "cpu", "cuda" or "mps".
        capability: of the GPU, as in (7, 5); asked for if None.

    Returns:
        "float32", "bfloat16" or "float16", and the reason as a clause.

    Source: torch.cuda.is_bf16_supported() says yes on a T4, where bf16 is emulated and slow (pytorch#148322), so
        only the capability counts. On a CPU only a measurement tells.
    """
    if device == "cuda":
        if capability is None:
            gpu = find_gpu()
            capability = gpu.capability if gpu is not None else (0, 0)
        found = f"its capability is {capability[0]}.{capability[1]}"
        if capability >= BF16_CAPABILITY:
            return "bfloat16", f"{found}, and bf16 is in the hardware from 8.0 on"
        if capability >= (7, 0):
            return "float16", f"{found}: below 8.0 bf16 is only emulated, even if torch calls it supported"
        return "float32", f"{found}: below 7.0 there are no tensor cores to make 16 bits fast"
    if device == "mps":
        return "float32", "nothing else is known to work on Apple's GPU"
    speedup = cpu_bf16_speedup()
    if speedup >= BF16_GAIN:
        return "bfloat16", "this CPU multiplies matrices faster in it than in float32 (measured)"
    if speedup > 0:
        return "float32", f"this CPU has bf16 but gains too little from it (measured: {speedup:.1f} times float32)"
    return "float32", "this CPU has no instructions for bf16, and emulating them is slow"


def hurried() -> bool:
    """Say whether WORKSHOP_HURRY=1 asks for trainings of a few steps; tests do, people should not."""
    return os.environ.get("WORKSHOP_HURRY") == "1"


def country() -> str:
    """The three letters of the country that the electricity comes from: WORKSHOP_COUNTRY, or else GBR.

    Raises:
        ValueError: no electricity mix is known for it.
    """
    return known_country(os.environ.get("WORKSHOP_COUNTRY") or "GBR")
