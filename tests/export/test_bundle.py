"""What is given away: a folder with card and hashes, whole or not at all; and the template for Ollama."""

import hashlib
import json
import os
import re
import signal
from types import SimpleNamespace

import pytest
import tiny_models
import torch

from workshop_utils.chat import models
from workshop_utils.chat.template import conversation
from workshop_utils.export import Origin, bundle, export, gguf, hashes, modelfile, origin_of
from workshop_utils.machine.profiles import choose

ORIGIN = Origin(
    "a base (mit)", "some data (cc-by-4.0)", "92 of 100 right", "small words", "3 Wh estimated (GBR)", "mit"
)


@pytest.fixture(scope="module")
def pocket():
    return models.load("pocket-instruct", choose("pocket"), dtype=torch.float32)


@pytest.mark.parametrize("to", bundle._WRITERS)
def test_a_folder_has_its_files_their_hashes_and_a_card_that_says_all(to, pocket, tmp_path):
    folder = export(pocket, ORIGIN, tmp_path / "out", to)
    card = (folder / "README.md").read_text()
    for words in (*vars(ORIGIN).values(), "3,508,480 parameters"):
        assert words in card
    for name, digest in hashes(folder).items():
        assert f"{digest}  {name}\n" in card
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert len(hashes(folder)) >= 1
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    if to in ("gguf", "ollama"):
        assert "pocket-instruct-q8_0.gguf" in hashes(folder)
    assert not re.search(r"\{\w*\}", card)


@pytest.mark.parametrize(
    "card", [b"| a |\n|---|\n| b |\n", "# Ein Modell f\u00fcr Verse".encode("latin-1"), b"| a", b"| a | b |\n", b""]
)
def test_a_card_of_another_form_tells_nothing_and_stops_nothing(card, tmp_path):
    (tmp_path / "README.md").write_bytes(card)
    origin = origin_of(SimpleNamespace(name="verses", source=str(tmp_path)))
    assert origin.figures.startswith("not ")
    assert (origin.data.startswith("not "), origin.licence) == (True, "other")


def test_vllm_llama_server_and_ollama_are_started_by_commands_that_name_what_is_there(pocket, tmp_path):
    """None of the three is run here."""
    for to, commands in {
        "hf": ["vllm serve ./out-hf"],
        "gguf": [
            "workshop chat --model out-gguf/pocket-instruct-f16.gguf",
            "llama-server -m out-gguf/pocket-instruct-f16.gguf --jinja",
            "llama-quantize out-gguf/pocket-instruct-f16.gguf pocket-instruct-q4_k_m.gguf Q4_K_M",
        ],
        "ollama": ["ollama create pocket-instruct -f out-ollama/Modelfile", "ollama run pocket-instruct"],
    }.items():
        card = (export(pocket, ORIGIN, tmp_path / f"out-{to}", to, "f16") / "README.md").read_text()
        for command in commands:
            assert f"\n{command}\n" in card


def test_nothing_is_written_over_unasked_and_only_an_export_when_asked(pocket, tmp_path):
    out = export(pocket, ORIGIN, tmp_path / "out")
    before = hashes(out)
    with pytest.raises(FileExistsError, match="--force"):
        export(pocket, ORIGIN, out, quant="f16")
    assert hashes(out) == before
    export(pocket, ORIGIN, out, quant="f16", force=True)
    assert list(hashes(out)) == ["pocket-instruct-f16.gguf"]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        export(pocket, ORIGIN, out, force=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError):
        export(pocket, ORIGIN, tmp_path / "file", force=True)


@pytest.mark.parametrize("to", ["hf", "gguf", "ollama"])
def test_a_process_that_is_killed_leaves_nothing_under_the_final_name(to, pocket, tmp_path, monkeypatch):
    def killed(*arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(bundle, "_card", killed)
    if (child := os.fork()) == 0:
        export(pocket, ORIGIN, tmp_path / "out", to, "f16")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    export(pocket, ORIGIN, tmp_path / "out", to)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_killed_while_it_replaces_an_export_the_old_one_comes_back(pocket, tmp_path, monkeypatch):
    out = export(pocket, ORIGIN, tmp_path / "out")
    before, move = hashes(out), os.replace

    def killed(here, there):
        move(here, there)
        if there.name.startswith(".out.before"):
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(bundle.os, "replace", killed)
    if (child := os.fork()) == 0:
        export(pocket, ORIGIN, out, quant="f16", force=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    monkeypatch.undo()
    assert not out.exists()
    with pytest.raises(FileExistsError):
        export(pocket, ORIGIN, out)
    assert hashes(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_a_sentence_and_leaves_what_was_there(pocket, tmp_path, monkeypatch):
    out = export(pocket, ORIGIN, tmp_path / "out")
    before = hashes(out)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf, "_add_weights", full)
    with pytest.raises(OSError, match=r"no space left for .*gguf"):
        export(pocket, ORIGIN, out, force=True)
    assert hashes(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# --- Ollama's template


def filled(template, system, messages):
    """The part of Go's templates that our Modelfiles use: fields, $system, if with eq, else if, else, range, end."""
    parts = re.split(r"\{\{ (.*?) \}\}", template)
    values = {"System": system, "$system": ""}

    def value(name, dot):
        return values["$system"] if name == "$system" else dot.get(name[1:], values.get(name[1:]))

    def block(at, dot, on):
        """Text and actions from a place up to the end of its block; returns what was written, and where it ended."""
        out, taken = "", on
        while at < len(parts):
            if at % 2 == 0:
                out += parts[at] if on else ""
                at += 1
                continue
            word, _, rest = parts[at].partition(" ")
            if word == "if":
                text, at = branches(at, dot, on)
                out += text
            elif word == "range":
                start, ends = at + 1, at + 1
                for message in messages or [{}]:
                    text, ends = block(start, message, on and bool(messages))
                    out += text
                at = ends + 1
            elif word in ("else", "end"):
                return out, at
            elif rest.startswith((":= ", "= ")):
                name = rest.partition("= ")[2]
                if on:
                    values["$system"] = name[1:-1] if name.startswith('"') else value(name, dot)
                at += 1
            else:
                out += str(value(word, dot)) if on else ""
                at += 1
        del taken
        return out, at

    def branches(at, dot, on):
        done, out = False, ""
        while True:
            word, _, rest = parts[at].partition(" ")
            if word == "end":
                return out, at + 1
            test = rest.removeprefix("if ") if word == "else" else rest
            if test.startswith("eq "):
                _, name, wanted = test.split()
                holds = value(name, dot) == wanted.strip('"')
            else:
                holds = bool(value(test, dot)) if test else True
            text, at = block(at + 1, dot, on and holds and not done)
            out, done = out + text, done or holds

    return block(0, {}, True)[0]


@pytest.mark.parametrize("family", ["pocket", "qwen2"])
def test_the_modelfile_renders_what_the_chat_template_renders(family, pocket, tmp_path):
    model = pocket if family == "pocket" else tiny_models.loaded(tmp_path / "m", family)
    text = modelfile(model, "m.gguf")
    template = re.search(r'TEMPLATE """(.*?)"""', text, re.DOTALL)[1]
    usual = re.search(r'SYSTEM """(.*?)"""', text, re.DOTALL)
    assert text.startswith("FROM ./m.gguf\n")
    assert f"PARAMETER num_ctx {model.context}\n" in text
    for said in (("Hi.",), ("Hi.", "Hello!", "Tell me\n\na story."), ("{{ .System }}", "a", 'say "b"')):
        for system in ("", "Talk like a pirate."):
            wanted = conversation(*said, system=system)
            if system and family == "pocket":  # Gemma's has no place for it
                wanted = conversation(f"{system}\n\n{said[0]}", *said[1:])
            theirs = model.tokenizer.apply_chat_template(wanted, tokenize=False, add_generation_prompt=True)
            collated = [{"Role": one["role"], "Content": one["content"]} for one in conversation(*said, system=system)]
            ours = filled(template, system or (usual[1] if usual else ""), collated)
            assert ours == theirs.removeprefix(model.tokenizer.bos_token if family == "pocket" else "")
    ends = [line.split()[2].strip('"') for line in text.splitlines() if line.startswith("PARAMETER stop")]
    assert ("<end_of_turn>" if family == "pocket" else "<|im_end|>") in ends


def test_a_model_without_turns_continues_text_and_odd_turns_are_refused(pocket):
    base = models.load("pocket-base", choose("pocket"))
    assert 'TEMPLATE """{{ .Prompt }}"""' in modelfile(base, "m.gguf")
    pocket.tokenizer.get_vocab()
    odd = models.load("pocket-instruct", choose("pocket"))
    odd.tokenizer.get_vocab = dict
    with pytest.raises(ValueError, match="turns"):
        modelfile(odd, "m.gguf")
    with pytest.raises(ValueError, match="gguf"):
        export(pocket, ORIGIN, "nowhere", "onnx")


def test_a_model_that_llama_cpp_converts_itself_is_named_with_the_tool(tmp_path):
    gemma = tiny_models.loaded(tmp_path / "m", "gemma2")
    with pytest.raises(ValueError, match=r"convert_hf_to_gguf\.py.*llama-quantize"):
        export(gemma, ORIGIN, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert json.loads((export(gemma, ORIGIN, tmp_path / "hf", "hf") / "config.json").read_text())["vocab_size"]
