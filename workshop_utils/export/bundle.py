"""A model to give away: its files, how to start it, its card and its hashes; the folder appears whole or not at all.

A model in floats -> "hf" (safetensors, for transformers and vLLM), "gguf" (for llama.cpp), "ollama" (a GGUF and its
Modelfile) or "web" (a GGUF and a page that chats with it). The card says where the model comes from, what it was
trained on, and what it cannot do.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.template import TURN_ENDS, conversation, render
from workshop_utils.export import gguf, web
from workshop_utils.machine.files import PARTIAL, sha256, writing
from workshop_utils.machine.hardware import short_path

TARGETS = ("hf", "gguf", "ollama", "web")


@dataclass(frozen=True)
class Origin:
    """What a card has to say beyond what the files themselves say.

    Attributes:
        base: the model that this one was made from, with its licence; or "nothing", and the script.
        data: what it was trained on, with its licence.
        figures: what was measured, and by which run.
        energy: of the training, "" if it was not measured.
        limits: what it cannot do.
        licence: of the weights; that of the base, if it has one, comes first.
    """

    base: str
    data: str
    figures: str
    limits: str
    energy: str = ""
    licence: str = "cc0-1.0"


def export(
    model: LanguageModel, origin: Origin, folder: Path | str, to: str = "gguf", quant: str = "q8_0", force: bool = False
) -> Path:
    """Write a model for other programs into a folder of its own.

    Args:
        model: in floats; an adapter has been merged.
        origin: for the card.
        folder: where to; it appears when everything in it is whole.
        to: one of TARGETS.
        quant: kind of a GGUF, one of gguf.KINDS.
        force: put it in the place of what lies there.

    Returns:
        the folder.

    Raises:
        FileExistsError: something lies there already.
        ValueError: there is no such target, or the model cannot be written so.
    """
    folder = Path(folder)
    if to not in TARGETS:
        raise ValueError(f"to is {to!r}: choose one of {', '.join(TARGETS)}")
    partial, before = (folder.with_name(f".{folder.name}{end}{PARTIAL}") for end in ("", ".before"))

    def tidy() -> None:  # what was to be replaced comes back if nothing has taken its place
        if before.exists() and not folder.exists():
            os.replace(before, folder)
        for left in (partial, before):
            shutil.rmtree(left, ignore_errors=True)

    tidy()  # after a run that was killed
    need_free(folder, force)
    with writing(folder.parent, "else name another folder with --out"):
        try:
            partial.mkdir(parents=True)
            _WRITERS[to](model, partial, quant)
            (partial / "README.md").write_text(_card(model, origin, partial, folder.name, to), encoding="utf-8")
            if to == "web":  # the page shows the card, and the card lists the page's hash
                web.add_page(partial)
                (partial / "README.md").write_text(_card(model, origin, partial, folder.name, to), encoding="utf-8")
            if folder.exists():
                os.replace(folder, before)
            os.replace(partial, folder)
        finally:
            tidy()
    return folder


def need_free(folder: Path, force: bool = False) -> None:
    """Make sure that nothing is written over.

    Raises:
        FileExistsError: something lies there already, and it is no export, or not to be replaced.
    """
    if folder.exists() and not (force and is_export(folder)):
        cure = "name another folder, or replace it with --force" if is_export(folder) else "name another folder"
        raise FileExistsError(f"{short_path(folder)} is there already: {cure}")


def is_export(folder: Path) -> bool:
    """Whether all that lies in a folder was written by export: its card names every file."""
    card = folder / "README.md"
    if not card.is_file():
        return False
    listed = card.read_text(encoding="utf-8", errors="replace")
    return all(path.is_file() and (path == card or f"  {path.name}\n" in listed) for path in folder.iterdir())


def modelfile(model: LanguageModel, file: str) -> str:
    """What `ollama create NAME -f Modelfile` reads: the file, how a conversation is written, and where a turn ends.

    Args:
        model: whose turns are marked as Gemma marks them, or as ChatML does; or one that has no turns.
        file: name of the GGUF beside it.

    Raises:
        ValueError: the turns are marked in another way.

    Source: Ollama's documentation of the Modelfile; its templates are Go's. In .Messages is the whole
    conversation, system texts too, and in .System these alone.
    """
    if not model.tokenizer.chat_template:  # a base model continues text
        return f'FROM ./{file}\nTEMPLATE """{{{{ .Prompt }}}}"""\nPARAMETER num_ctx {model.context}\n'
    known, end, system = model.tokenizer.get_vocab(), "<|im_end|>", ""
    if "<start_of_turn>" in known:
        end = "<end_of_turn>"  # Gemma has no system role: its text goes in front of the first thing that the user says
        user = '<start_of_turn>user\n{{ if $system }}{{ $system }}\n\n{{ $system = "" }}{{ end }}'
        first, reply = "{{ $system := .System }}", "<start_of_turn>model\n"
    elif "<|im_start|>" in known:
        first = "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
        user, reply = "<|im_start|>user\n", "<|im_start|>assistant\n"
        usual = re.match(r"<\|im_start\|>system\n(.*?)<\|im_end\|>", render(model.tokenizer, conversation("Hi")), re.S)
        system = f'SYSTEM """{usual[1]}"""\n' if usual else ""  # as Qwen2.5 and SmolLM2 have one
    else:
        raise ValueError("no Modelfile of this model: its turns are marked neither as Gemma's nor as in ChatML")
    said = f"{{{{ .Content }}}}{end}\n"
    turns = f'{{{{ if eq .Role "user" }}}}{user}{said}{{{{ else if eq .Role "assistant" }}}}{reply}{said}{{{{ end }}}}'
    turns = f"{first}{{{{ range .Messages }}}}{turns}{{{{ end }}}}{reply}"
    stops = "".join(f'PARAMETER stop "{mark}"\n' for mark in TURN_ENDS if mark in known)
    return f'FROM ./{file}\nTEMPLATE """{turns}"""\n{system}{stops}PARAMETER num_ctx {model.context}\n'


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file in a folder but the card, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "README.md")
    return {path.name: sha256(path) for path in files}


def name_of(model: LanguageModel) -> str:
    """The model's name as programs take it: small letters, digits, dots and hyphens, without its owner."""
    return re.sub(r"[^a-z0-9.]+", "-", model.name.rpartition("/")[2].lower()).strip("-.") or "model"


def _write_hf(model: LanguageModel, folder: Path, quant: str) -> None:
    model.model.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)


def _write_gguf(model: LanguageModel, folder: Path, quant: str) -> None:
    name = name_of(model)
    gguf.write_gguf(model.model, model.tokenizer, folder / f"{name}-{quant}.gguf", quant, name)


def _write_ollama(model: LanguageModel, folder: Path, quant: str) -> None:
    text = modelfile(model, f"{name_of(model)}-{quant}.gguf")
    _write_gguf(model, folder, quant)
    (folder / "Modelfile").write_text(text, encoding="utf-8")


def _write_web(model: LanguageModel, folder: Path, quant: str) -> None:
    if not model.tokenizer.chat_template:
        raise ValueError(f"no page for {model.name}: it is a base model, and a page chats; --to gguf writes its file")
    _write_gguf(model, folder, quant)
    print(web.add_engine(folder))


_WRITERS: dict[str, Callable[[LanguageModel, Path, str], None]] = {
    "hf": _write_hf,
    "gguf": _write_gguf,
    "ollama": _write_ollama,
    "web": _write_web,
}

# How the model in a folder is started; {file} is the GGUF in it.
_START = {
    "hf": ("vllm serve ./{folder}",),
    "gguf": ("workshop chat --model {folder}/{file}", "llama-server -m {folder}/{file} --jinja"),
    "ollama": ("ollama create {name} -f {folder}/Modelfile", "ollama run {name}"),
    "web": ("workshop serve {folder}",),
}
# K-quants are made by llama.cpp's own tool alone, from a file in 16 bits.
_K_QUANTS = "llama-quantize {folder}/{file} {name}-q4_k_m.gguf Q4_K_M"


def _card(model: LanguageModel, origin: Origin, made: Path, folder: str, to: str) -> str:
    """The model card, in the form that the hub reads."""
    digests, name = hashes(made), name_of(model)
    file = next((one for one in digests if one.endswith(".gguf")), "")
    lines = _START[to] + ((_K_QUANTS,) if file.endswith(("-f16.gguf", "-f32.gguf")) else ())
    commands = "\n".join(line.format(folder=folder, file=file, name=name) for line in lines)
    listed = "\n".join(f"{digest}  {path}" for path, digest in digests.items())
    turns = "" if model.tokenizer.chat_template else " It is a base model: it continues text, and knows no turns."
    return f"""---
license: {origin.licence}
language: en
pipeline_tag: text-generation
---

# {name}

- **Made from**: {origin.base}
- **Licence**: {origin.licence}
- **Size**: {model.n_parameters:,} parameters, {sum(p.stat().st_size for p in made.iterdir()) / 1e6:.1f} MB here
- **Data**: {origin.data}
- **Measured**: {origin.figures}
- **Energy of the training**: {origin.energy or "not measured"}
- **Limits**: {origin.limits}{turns}

```bash
{commands}
```

SHA-256, to be compared with `sha256sum`:

```text
{listed}
```
"""
