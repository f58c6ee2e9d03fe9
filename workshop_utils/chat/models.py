"""The language models that the lessons talk to, from the package, a local folder or the hub, behind one door.

They are plain transformers models. This module finds and loads them as the profile says; language_model.py asks them.
"""

from __future__ import annotations

import difflib
import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.gpt.config import Name, checked
from workshop_utils.machine import hardware, hub, profiles
from workshop_utils.machine.quiet import no_bar
from workshop_utils.machine.sentences import shown_cause

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

FOLDER = Path(__file__).parents[1] / "pocket" / "models"
# No code out of a model's repository, without being asked; and no pickles, which could run anything.
SAFE = {"trust_remote_code": False, "use_safetensors": True}
POCKET = {"pocket-base": FOLDER / "base", "pocket-instruct": FOLDER / "instruct"}


class ModelUnavailable(RuntimeError):
    """A model cannot be loaded; the message says which, why, and what to do."""


def load(name: str, profile: profiles.Profile, quantisation: Any = None, dtype: Any = None) -> LanguageModel:
    """Load a model and its tokenizer, ready to generate.

    Args:
        name: "pocket-base", "pocket-instruct", or a name of the hub; WORKSHOP_HUB/name comes first if it is set.
        profile: says on which device and in which precision.
        quantisation: a quantization_config of transformers; None loads plain weights.
        dtype: of the weights that are not quantised; by the profile if None.

    Raises:
        ModelUnavailable: it cannot be had: no network, no licence, no token, or no such model.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"dtype": dtype or dtype_of(profile)} | SAFE
    if quantisation is not None:
        options |= {"quantization_config": quantisation, "device_map": {"": profile.device}}

    def make(source: str) -> tuple[Any, Any]:
        options["attn_implementation"] = attention(
            AutoConfig.from_pretrained(source, trust_remote_code=False).model_type
        )
        with no_bar(name in POCKET):  # four megabytes need no progress bar, four gigabytes do
            found = AutoModelForCausalLM.from_pretrained(source, output_loading_info=True, **options)
        model, told = cast(Any, found)
        if told["missing_keys"]:  # transformers would leave them random, and say so in a table
            raise ValueError(f"it holds no weights for {min(told['missing_keys'])}")
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        return model if quantisation is not None else model.to(profile.device), tokenizer

    return load_by(name, make)


def load_by(name: str, make: Callable[[str], tuple[Any, Any]], backend: str = "transformers") -> LanguageModel:
    """Find a model, let a function load it, and say in a sentence what went wrong.

    Args:
        name: as in load.
        make: gets the folder, or the name on the hub, and returns the model and its tokenizer.
        backend: what the function uses.

    Raises:
        ModelUnavailable: as in load.
    """
    source, (model, tokenizer) = _found(name, make)
    return LanguageModel(name, model.eval(), tokenizer, source, backend)


def source_of(name: str) -> str:
    """Where from_pretrained finds a model: a folder, or its name on the hub.

    Raises:
        ModelUnavailable: as in load.
    """
    from transformers import AutoConfig

    return _found(name, lambda source: AutoConfig.from_pretrained(source, trust_remote_code=False))[0]


def _found(name: str, make: Callable[[str], Any]) -> tuple[str, Any]:
    """Where a model is, and what a function has made of it."""
    source = checked("the model's name", name, Name)
    try:
        hub.need_own_files(source := _source(name))
        return source, make(source)
    except Exception as error:
        if not hub.of_files(error):
            raise
        raise ModelUnavailable(hub.why_not(name, _meant(name), source, error)) from shown_cause(error)


def pretrained_gpt2() -> GPT2LMHeadModel:
    """GPT-2 itself, 124M, as transformers loads it: from WORKSHOP_HUB, or else from the hub, half a gigabyte once.

    Raises:
        ModelUnavailable: it cannot be had, with the reason.
    """
    from transformers import GPT2LMHeadModel

    from workshop_utils.text.tokenizer import GPT2

    loaded = load_by(GPT2, lambda source: (GPT2LMHeadModel.from_pretrained(source, use_safetensors=True), None))
    return cast(Any, loaded.model)


def attention(model_type: str) -> str:
    """The attention to ask transformers for: "eager" for Gemma 2, since SDPA cannot soft-cap, else "sdpa"."""
    return "eager" if model_type == "gemma2" else "sdpa"


def dtype_of(profile: profiles.Profile) -> Any:
    """The profile's precision, but float32 on a CPU: for one token at a time its 16-bit products gain nothing."""
    import torch

    return torch.float32 if profile.device == "cpu" else getattr(torch, profile.dtype)


def release() -> str:
    """Give back the memory of models that nothing refers to any more (del them first), and say what is left in use."""
    gc.collect()
    hardware.give_back_gpu_memory()
    return hardware.memory_in_use()


def _source(name: str) -> str:
    """Where a model is, for from_pretrained: a folder, or its name on the hub if that answers; else OSError."""
    from transformers.utils.hub import cached_file

    if name in POCKET:
        return str(POCKET[name])
    if (local := hub.hub_folder()) is not None:
        if (local / name).is_dir():
            return str(local / name)
        cure = f"copy the model's files to {local / name}, or unset WORKSHOP_HUB to fetch it from the hub"
        raise ModelUnavailable(f"WORKSHOP_HUB holds no {_meant(name)}: {cure}")
    if Path(name).is_dir() or hub.hub_reachable()[0]:
        return name
    return str(Path(cast(str, cached_file(name, "config.json", local_files_only=True))).parent)  # no retries


def _meant(name: str) -> str:
    """A name that is not known, with those of the package's models that it is like."""
    near = " or ".join(difflib.get_close_matches(name, POCKET, cutoff=0.5))
    return f"{name} (did you mean {near}?)" if near else name
