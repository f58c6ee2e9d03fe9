"""Who does the fine-tuning: transformers with peft, which run everywhere, or Unsloth, which is faster on a GPU.

Both load the base in the same precision, put the same adapter on it and give it to the same trainer, so that a run's
settings and its results mean the same. lora.py asks here; a lesson only says choose_backend().
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch

    from workshop_utils.machine.profiles import Profile

NAMES = ("transformers", "unsloth")


@dataclass(frozen=True)
class Backend:
    """What was chosen.

    Attributes:
        name: "transformers" or "unsloth".
        reason: why, as a clause.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}, because {self.reason}"


def choose_backend(profile: Profile, wanted: str | None = None, quiet: bool = False) -> Backend:
    """Choose who does the fine-tuning, and get it ready; call it before any model is loaded.

    Args:
        profile: of the machine.
        wanted: "transformers" or "unsloth"; WORKSHOP_BACKEND, or else what fits the machine, if None.
        quiet: print nothing.

    Raises:
        ValueError: there is no such backend, or Unsloth is wanted and cannot be had.

    Source: Unsloth rewrites parts of transformers, trl and peft while it is imported, so it must come before them.
    """
    wanted = asked(wanted)
    lack = _lack_of_unsloth(profile, asked=wanted == "unsloth")
    if wanted == "unsloth" and lack:
        raise ValueError(f"unsloth was asked for, but {lack}: take transformers, which computes the same")
    if wanted:
        chosen = Backend(wanted, "you asked for it")
    elif lack:
        chosen = Backend("transformers", lack)
    else:
        chosen = Backend("unsloth", "it is installed and there is a CUDA device: the same computation, faster")
    if chosen.name == "unsloth":
        import_unsloth()
    if not quiet:
        print(f"backend  {chosen}")
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


def _lack_of_unsloth(profile: Profile, asked: bool) -> str:
    """Why Unsloth cannot do it here, "" if it can."""
    if importlib.util.find_spec("unsloth") is None:
        return 'unsloth is not installed (pip install "slm-workshop[unsloth]" where there is a CUDA device)'
    if profile.device != "cuda" and not asked:
        return "there is no CUDA device, without which unsloth is no faster"
    if "unsloth" not in sys.modules and "transformers" in sys.modules:
        return "transformers was imported before unsloth, which has to come first: restart the kernel to have it"
    return ""


def import_unsloth() -> Any:
    """Unsloth, imported without its banners."""
    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")  # it would ask the hub for a file, to be counted
    os.environ.setdefault("UNSLOTH_COMPILE_DISABLE", "1" if os.environ.get("UNSLOTH_FORCE_CPU") == "1" else "0")
    import unsloth

    return unsloth


def load_with_unsloth(source: str, dtype: torch.dtype, precision: str, max_length: int) -> tuple[Any, Any]:
    """A model and its tokenizer, loaded by Unsloth.

    Args:
        source: a folder, or a name of the hub.
        dtype: what products are made in, where the weights are quantised.
        precision: "nf4", "int8", "bfloat16", "float16" or "float32".
        max_length: tokens of a conversation at most.

    Source: FastLanguageModel.from_pretrained of Unsloth 2026.10.7.
    """
    import torch

    quantised = precision in ("nf4", "int8")
    return cast(
        tuple[Any, Any],
        import_unsloth().FastLanguageModel.from_pretrained(
            model_name=source,
            max_seq_length=max_length,
            dtype=dtype if quantised else getattr(torch, precision),
            load_in_4bit=precision == "nf4",
            load_in_8bit=precision == "int8",
            use_exact_model_name=True,  # not a copy of it by somebody else
        ),
    )


def attach_with_unsloth(model: Any, rank: int, alpha: int, dropout: float, seed: int, targets: list[str]) -> Any:
    """The same model with a fresh LoRA adapter, put there by Unsloth.

    Args:
        model: from load_with_unsloth.
        rank: width of the two thin matrices.
        alpha: their product is added times alpha / rank.
        dropout: share of the adapter's inputs that are silenced while training; above 0 costs Unsloth some speed.
        seed: of the first matrix.
        targets: names of the layers.

    Source: FastLanguageModel.get_peft_model of Unsloth 2026.10.7.
    """
    return import_unsloth().FastLanguageModel.get_peft_model(
        model,
        r=rank,
        target_modules=targets,
        lora_alpha=alpha,
        lora_dropout=dropout,
        bias="none",
        use_gradient_checkpointing=False,  # the trainer's setting decides
        random_state=seed,
    )


def ready_to_train(model: Any, backend: str) -> None:
    """Switch a model to training; Unsloth keeps two forward passes and must be told which."""
    if backend == "unsloth":
        import_unsloth().FastLanguageModel.for_training(model)
    else:
        model.train()


def ready_to_answer(model: Any, backend: str) -> None:
    """Switch a model to answering."""
    if backend == "unsloth":
        import_unsloth().FastLanguageModel.for_inference(model)
    model.eval()
