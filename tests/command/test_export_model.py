"""`workshop export` and `workshop chat` with runs, adapters and files: what they do, and one line for a mistake."""

import random
import shutil
import sys

import pytest

from workshop_utils.command import cli
from workshop_utils.export import hashes
from workshop_utils.gpt import GPTConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.lessons import teach_to_answer
from workshop_utils.lessons.stoic_run import SHIPPED
from workshop_utils.machine.profiles import choose
from workshop_utils.text.tokenizer import pocket_tokenizer

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "and",
    "a",
    "dog",
    "ran",
    "far",
    "away",
    "from",
    "the",
    "house",
    "over",
    "hills",
    "with",
    "sun",
    "moon",
    "star",
    "tree",
]


def run(*arguments):
    return cli.execute([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of `workshop train`, and a GPT that was taught to answer, both of a few steps."""
    folder, rng = tmp_path_factory.mktemp("runs"), random.Random(0)
    (folder / "text.txt").write_text("\n\n".join(" ".join(rng.choices(WORDS, k=9)) + "." for _ in range(300)))
    settings = '{"gpt": {"block_size": 64, "n_layer": 1, "n_head": 2, "n_embd": 32, "vocab_size": 300}, '
    (folder / "small.json").write_text(settings + '"training": {"batch_size": 4, "country": "", "eval_batches": 2}}')
    text, small = folder / "text.txt", folder / "small.json"
    assert run("train", "--text", text, "--out", folder / "plain", "--steps", 4, "--config", small) == 0
    shape = GPTConfig(block_size=256, n_layer=1, n_head=2, n_embd=32, position="rope", activation="gelu", bias=False)
    options = {"chats": 20, "rehearsed": 2, "folder": folder / "my GPT", "quiet": True}
    teach_to_answer(GPT(shape), pocket_tokenizer(), choose("pocket"), 2, **options)
    return folder


@pytest.fixture
def complaint(capsys, tmp_path, monkeypatch):
    def complaint(*arguments):
        capsys.readouterr()
        assert run(*arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    monkeypatch.chdir(tmp_path)
    return complaint


def test_runs_adapters_and_names_are_exported_and_talk_as_files(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for source, name in ((runs / "plain", "plain"), (runs / "my GPT", "my-gpt"), (SHIPPED, "stoic")):
        assert run("export", source, "--quant", "f16") == 0
        out = capsys.readouterr().out
        assert ("continues text" in out) == (name == "plain")
        folder = tmp_path / f"{name}-gguf"
        assert list(hashes(folder)) == [f"{name}-f16.gguf"]
        assert "**Limits**" in (folder / "README.md").read_text()
        for model in (folder / f"{name}-f16.gguf", source):
            assert run("chat", "--model", model, "--temperature", 0, "--tokens", 20, "Hello!") == 0
        said = capsys.readouterr().out.splitlines()
        assert said[: len(said) // 2] == said[len(said) // 2 :] or name != "stoic"  # others know nothing yet: ties
    assert run("export", "pocket-base", "--to", "hf", "--out", "base") == 0
    assert run("chat", "--model", "base", "--temperature", 0, "Once upon a time") == 0
    assert run("chat", "--adapter", SHIPPED, "--temperature", 0, "My bus was late.") == 0


def test_mistakes_are_one_line_and_leave_nothing(runs, complaint, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    torn, other = tmp_path / "torn.gguf", shutil.copytree(SHIPPED, tmp_path / "other")
    torn.write_bytes(b"GGUF" + bytes(100))
    (other / "workshop.json").write_text('{"name": "pocket-base", "base": "x", "tokenizer": "y"}')
    lone = shutil.copytree(SHIPPED, tmp_path / "lone")
    (lone / "adapter_config.json").unlink()
    before = sorted(tmp_path.rglob("*"))
    for arguments, words in (
        (("export", "no/where/run"), "no/where"),
        (("export", "./nowhere"), "no folder at"),
        (("export", empty), "neither a run"),
        (("export", lone), "lacks adapter_config.json"),
        (("export", other), "other weights"),
        (("export", torn), "GGUF file already"),
        (("export", "pocket-instruct", "--quant", "q4_k_m"), "llama.cpp's own tool"),
        (("export", "pocket-instruct", "--to", "onnx"), "choose one of"),
        (("export", "pocket-instruct", "--out", empty), "is there already"),
        (("export", "pocket-instruct", "--out", empty, "--force"), "is there already"),
        (("chat", "--model", torn, "hi"), "no whole GGUF"),
        (("chat", "--model", "gone.gguf", "hi"), "no file at"),
        (("chat", "--model", torn, "--adapter", SHIPPED, "hi"), "no adapter goes on it"),
        (("chat", "--model", "pocket-base", "--adapter", SHIPPED, "hi"), "trained on pocket-instruct"),
        (("chat", "--adapter", empty, "hi"), "neither a run"),
        (("chat", "--model", "pocket-instruct", "--adapter", empty, "hi"), "no adapter_config.json"),
    ):
        assert words in complaint(*arguments), arguments
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    assert "pip install" in complaint("chat", "--model", torn, "hi")
    assert sorted(tmp_path.rglob("*")) == before
