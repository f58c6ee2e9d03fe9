"""What can be exported or talked to: models by name, runs of `workshop train`, adapters, GGUF files; and their origin.

A base model, which knows no turns, comes as a Continues: asked in a chat, it goes on with the last text.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from workshop_utils.chat import models, template
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.export.bundle import Origin
from workshop_utils.export.hf import as_transformers, chat_tokenizer
from workshop_utils.export.llama_cpp import LlamaCpp
from workshop_utils.machine.energy import Energy
from workshop_utils.machine.files import json_object, sha256
from workshop_utils.machine.hardware import short_path
from workshop_utils.machine.profiles import Profile
from workshop_utils.machine.sentences import one_line
from workshop_utils.text.tokenizer import END_OF_TEXT, TOKENIZER, load_tokenizer, to_transformers

ADAPTER, CONFIG = "adapter_config.json", "config.json"
LIMITS = "as its data and the figures above; nothing else was measured"


@dataclass
class Continues(LanguageModel):
    """A base model in the place of one that answers: it continues what was said last, and remembers nothing else."""

    def chat_ids(self, messages: template.Messages | str) -> list[int]:
        """The tokens of the last text, as it is."""
        return self.ids(messages if isinstance(messages, str) else messages[-1]["content"])


def answers(model: LanguageModel | LlamaCpp) -> bool:
    """Whether a model of load_any answers in turns; else it continues text."""
    return model.answers if isinstance(model, LlamaCpp) else not isinstance(model, Continues)


def load_any(what: str, profile: Profile, adapter: Path | str | None = None) -> LanguageModel | LlamaCpp:
    """Load whatever can be exported or talked to.

    Args:
        what: "pocket-instruct", "pocket-base" or a name of the hub; or a path: a run of `workshop train` or of
            lessons.teach_to_answer, an adapter, a model as transformers saves it, or a GGUF file.
        profile: says where to compute, and in which precision.
        adapter: folder of an adapter to put on it; it is merged into the weights.

    Raises:
        FileNotFoundError: there is nothing at that path.
        ValueError: what lies there is none of these.
        ModuleNotFoundError: a GGUF file needs xllamacpp.
        AdapterError, ModelUnavailable, CheckpointError: it cannot be loaded, with the reason.
    """
    from workshop_utils.tuning import lora

    path = Path(what).expanduser()
    known = what in models.POCKET
    if not known and (path.suffix == ".gguf" or path.is_file()):
        if adapter is not None:
            raise ValueError(f"{path.name} is finished, and no adapter goes on it: name the model it was made from")
        if not path.is_file():
            raise FileNotFoundError(f"there is no file at {short_path(path)}: check the path")
        need_as_listed(path.parent, path.name)
        return LlamaCpp(path)
    if adapter is not None:
        return _adapted(what, Path(adapter).expanduser(), profile)
    if known or not path.is_dir():
        meant = path.is_absolute() or what.startswith((".", "~")) or (os.sep in what and path.parent.is_dir())
        if not known and meant:
            raise FileNotFoundError(f"there is no folder at {short_path(path)}: check the path")
        return _answering(models.load(what, profile))
    if (path / ADAPTER).is_file():
        return _adapted(_base_name(path), path, profile)
    config = json_object(path / CONFIG)
    if "gpt" in config:
        return _answering(load_run(path))
    if "model_type" in config:
        need_as_listed(path, *(file.name for file in path.iterdir() if file.is_file()))
        return _answering(replace(models.load(str(path.resolve()), profile), name=path.resolve().name))
    if (path / lora.BELONGS).is_file():
        raise lora.AdapterError(f"the adapter in {short_path(path)} lacks {ADAPTER}: train it again")
    raise ValueError(
        f"{short_path(path)} holds nothing that can be loaded: neither a run of workshop train ({CONFIG} with "
        f'"gpt"), nor an adapter ({ADAPTER}), nor a model of transformers ({CONFIG} with "model_type")'
    )


def need_as_listed(folder: Path, *names: str) -> None:
    """Compare files with the hashes that the card of an export beside them lists; others have none.

    Raises:
        ValueError: one is another file.
    """
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    listed = {name: digest for digest, name in re.findall(r"^([0-9a-f]{64})  (.+)$", text, re.MULTILINE)}
    if wrong := next((name for name in names if name in listed and sha256(folder / name) != listed[name]), ""):
        cure = "copy or export it again; if you changed it yourself, take its line out of the card"
        raise ValueError(f"{short_path(folder / wrong)} is not the file whose hash README.md beside it lists: {cure}")


def _answering(model: LanguageModel) -> LanguageModel:
    """The same model; one that has no chat template as a Continues."""
    if model.tokenizer.chat_template:
        return model
    return Continues(**{field.name: getattr(model, field.name) for field in fields(LanguageModel)})


def load_run(folder: Path | str) -> LanguageModel:
    """The GPT of a run as a model of transformers; one whose tokenizer marks turns has a chat template.

    Args:
        folder: of `workshop train`, or of lessons.teach_to_answer.

    Raises:
        FileNotFoundError, ValueError, CheckpointError: there is no tokenizer, or no checkpoint, or they are damaged.
        ValueError: the model has no equal in transformers.
    """
    from workshop_utils.training.checkpoints import load_model

    folder = Path(folder)
    encoding = load_tokenizer(folder / TOKENIZER)
    gpt = load_model(folder, encoding=encoding)
    if template.END_OF_TURN in encoding._special_tokens:
        tokenizer = chat_tokenizer(encoding)
    else:  # where rows are documents, each of them began with a token
        training = json_object(folder / CONFIG).get("training")
        rows = isinstance(training, dict) and training.get("rows") == "rows"
        tokenizer = to_transformers(encoding, begin=END_OF_TEXT if rows else "")
    return LanguageModel(folder.resolve().name, as_transformers(gpt, tokenizer), tokenizer, str(folder))


def merged(tuned: LanguageModel) -> LanguageModel:
    """A model whose adapter has gone into its weights; it computes the same, and needs no peft.

    Args:
        tuned: a base in floats with an adapter. Its layers are changed in place.
    """
    return replace(tuned, model=cast(Any, tuned.model).merge_and_unload().eval())


def _adapted(base: str, folder: Path, profile: Profile) -> LanguageModel:
    """An adapter in the weights of its base, under the name of its folder."""
    from peft import PeftModel
    from safetensors import SafetensorError

    from workshop_utils.tuning import lora

    where = short_path(folder)
    if not (folder / ADAPTER).is_file():
        raise lora.AdapterError(f"{where} holds no adapter, since it has no {ADAPTER}: train one, or check the path")
    if not (folder / lora.WEIGHTS).is_file():
        raise lora.AdapterError(
            f"{where} holds no {lora.WEIGHTS}: an adapter_model.bin is a pickle, which could run anything, and is "
            "never read; save the adapter as safetensors"
        )
    loaded = models.load(base, profile)
    if (folder / lora.BELONGS).is_file():
        tuned = lora.load(loaded, folder)
    else:  # peft's alone: nothing but the base's name can be compared
        meant = _base_name(folder)
        if Path(meant).name != Path(base).name:
            raise lora.AdapterError(f"the adapter in {where} belongs to {meant} and not to {base}: load that one")
        try:
            tuned = replace(loaded, model=cast(Any, PeftModel.from_pretrained(loaded.model, folder)))
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            said = " ".join(str(error).split())
            raise lora.AdapterError(f"the adapter in {where} does not fit {base} ({said[:200]})") from error
    return _answering(replace(merged(tuned), name=folder.resolve().name, source=str(folder)))


def _base_name(adapter: Path) -> str:
    from workshop_utils.tuning import lora

    name = json_object(adapter / lora.BELONGS).get("name") or json_object(adapter / ADAPTER).get(
        "base_model_name_or_path"
    )
    if not name:
        raise lora.AdapterError(f"the adapter in {short_path(adapter)} does not name its base: give it with --model")
    return str(name)


# --- where a model comes from


def origin_of(model: LanguageModel) -> Origin:
    """What is known about a model's making, from the files beside it.

    Args:
        model: of load_any.
    """
    folder = Path(model.source)
    try:
        if (folder / ADAPTER).is_file():
            return _of_adapter(folder)
        if "gpt" in json_object(folder / CONFIG):
            return _of_run(folder, answers(model))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        notes = "result.json" if (folder / ADAPTER).is_file() else "run.json"
        raise ValueError(
            f"{notes} in {short_path(folder)} is damaged ({one_line(error)}): delete it, and the card says less"
        ) from error
    with suppress(OSError, UnicodeDecodeError):  # there is no card, or none that can be read
        return _of_card((folder / "README.md").read_text(encoding="utf-8"), model.name)
    unknown = "not known here: see its page on the hub"
    return Origin(base=model.source, data=unknown, figures=unknown, limits=unknown, licence="other")


def _of_card(card: str, name: str) -> Origin:
    """The origin in a card of the same form as ours: lines "- **Data**: ..." and a part "Limits"."""
    found = {
        line[4:].partition("**")[0]: line.partition("**: ")[2] for line in card.splitlines() if line.startswith("- **")
    }
    licence = next((line[9:] for line in card.splitlines() if line.startswith("license: ")), "other")
    table = [line.split("|")[1:4] for line in card.splitlines() if line.startswith("| ") and line.count("|") > 3][1:]
    scores = [f"{what.strip()} {value.strip()} ({interval.strip()})" for what, value, interval in table]
    said = card.partition("## Limits")[2].split("##")[0]
    return Origin(
        base=found.get("Made from", f"{name}, of the workshop on small language models"),
        data=found.get("Data", "not said in its card"),
        figures=found.get("Measured", "; ".join(scores)) or "not said in its card",
        limits=found.get("Limits", " ".join(said.split())) or "not said in its card",
        energy=found.get("Energy of the training", found.get("Energy", "")).removeprefix("not measured"),
        licence=licence,
    )


def _of_run(folder: Path, tuned: bool) -> Origin:
    """A run of train(): its figures lie in run.json, if it has ended."""
    run = json_object(folder / "run.json")
    loss, done = run.get("best_val_loss"), run.get("steps_done")
    figures = f"{done:,} updates" if done else "not known here"
    figures += f", validation loss {loss:.3f} nats per token" if loss else ""
    data = (
        "requests for stories with their stories, small talk and plain stories, all of the package's seeded generators"
    )
    return Origin(
        base="a GPT that was trained from nothing" + (", and then tuned to answer" if tuned else ""),
        data=f"{data} (CC0)" if tuned else "a text of the person who trained it, under that text's licence",
        figures=figures,
        limits="stories of one generator and a few greetings, in English; no facts"
        if tuned
        else "it continues text like that which it was trained on, and answers nothing",
        energy=_bill(run),
        licence="cc0-1.0" if tuned else "other",
    )


def _of_adapter(folder: Path) -> Origin:
    """An adapter: result.json of our tuning beside it, and the licence of its base."""
    name, result = _base_name(folder), json_object(folder / "result.json")
    ours = models.POCKET.get(name)
    base = _of_card((ours / "README.md").read_text(encoding="utf-8"), name) if ours else None
    held_out = [entry["held_out"] for entry in result.get("history", []) if "held_out" in entry]
    figures = f"{result['steps_done']} updates" if result else "not known here"
    figures += f", loss on held-out conversations {held_out[-1]:.3f} nats per token" if held_out else ""
    return Origin(
        base=f"{name} ({base.licence if base else 'its licence holds: see its page on the hub'}), with an adapter",
        data="not noted beside the adapter: say it here before you give it away",
        figures=figures,
        limits=base.limits if base else "those of its base, at least",
        energy=_bill(result),
        licence=base.licence if base else "other",
    )


def _bill(figures: dict[str, Any]) -> str:
    """The energy of a run for its card, "" where it is not known."""
    energy = Energy(**figures.get("energy", {}))
    return "" if energy.kind == "unavailable" else f"{energy} ({energy.country})"
