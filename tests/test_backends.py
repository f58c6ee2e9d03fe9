"""Who does the fine-tuning: the choice and its reason, and calls that the pinned Unsloth understands."""

import ast
import inspect
import json
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from workshop_utils.machine.profiles import choose
from workshop_utils.tuning import backends
from workshop_utils.tuning.backends import choose_backend

ROOT = Path(__file__).resolve().parents[1]
SIGNATURES = json.loads((ROOT / "tests" / "unsloth_signatures.json").read_text())


@pytest.fixture
def gpu():
    return replace(choose("pocket"), name="t4", device="cuda")


def installed(monkeypatch, there: bool, imported: bool = False):
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: object() if there else None)
    if imported:
        monkeypatch.setitem(sys.modules, "unsloth", object())
    else:
        monkeypatch.delitem(sys.modules, "unsloth", raising=False)


def test_without_unsloth_it_is_transformers_and_the_reason_is_printed(monkeypatch, gpu, capsys):
    installed(monkeypatch, there=False)
    assert choose_backend(gpu).name == "transformers"
    assert "backend  transformers, because unsloth is not installed" in capsys.readouterr().out


def test_unsloth_is_taken_where_there_is_a_gpu_and_nothing_came_before_it(monkeypatch, gpu):
    installed(monkeypatch, there=True, imported=True)
    assert choose_backend(gpu, quiet=True).name == "unsloth"
    assert choose_backend(gpu, "transformers", quiet=True).name == "transformers"
    assert "no CUDA device" in choose_backend(choose("pocket"), quiet=True).reason
    installed(monkeypatch, there=True)
    monkeypatch.setitem(sys.modules, "transformers", object())
    assert "restart the kernel" in choose_backend(gpu, quiet=True).reason


def test_what_cannot_be_had_is_a_sentence(monkeypatch, gpu):
    installed(monkeypatch, there=False)
    with pytest.raises(ValueError, match="unsloth was asked for, but unsloth is not installed"):
        choose_backend(gpu, "unsloth")
    with pytest.raises(ValueError, match="there is no backend 'mlx'"):
        choose_backend(gpu, "mlx")
    monkeypatch.setenv("WORKSHOP_BACKEND", "unsloth")
    with pytest.raises(ValueError, match="unsloth was asked for"):
        choose_backend(gpu)


def calls_of_unsloth() -> dict[str, set[str]]:
    """Every call of FastLanguageModel in backends.py, with the names of its arguments."""
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(backends))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Attribute) and owner.attr == "FastLanguageModel":
                found[node.func.attr] = {word.arg for word in node.keywords}
    return found


@pytest.mark.parametrize("release", sorted(SIGNATURES))
def test_our_calls_match_the_signatures_of_the_pinned_releases(release):
    calls = calls_of_unsloth()
    assert set(calls) == {"from_pretrained", "get_peft_model", "for_training", "for_inference"}
    for name, arguments in calls.items():
        assert arguments <= set(SIGNATURES[release][name]), (release, name)


def test_the_signatures_are_those_of_the_release_that_is_installed():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (pinned,) = [line.split("==")[1].split(";")[0] for line in extras["unsloth"] if line.startswith("unsloth==")]
    assert pinned in SIGNATURES
    assert f"UNSLOTH_CPU ?= {max(SIGNATURES)}" in (ROOT / "Makefile").read_text()


UNSLOTH = ROOT / ".venv-unsloth" / "bin" / "python"


@pytest.mark.skipif(not UNSLOTH.is_file(), reason="make test-unsloth makes the environment that this needs")
def test_unsloth_tunes_the_pocket_model_and_plain_peft_reads_the_adapter(tmp_path):
    code = f"""
from dataclasses import replace
from workshop_utils.machine.profiles import setup
profile = setup("pocket", quiet=True)
from workshop_utils.tuning.backends import choose_backend
backend = choose_backend(profile, "unsloth")
from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.tuning import finetune, lora
model = lora.attach(lora.load_base("pocket-instruct", profile, backend=backend.name))
rows = [stoic_set.messages(pair) for pair in stoic_run.in_small_words(40)]
config = replace(stoic_run.stoic_config(profile), steps=10, checkpoint_every=5)
tuned = finetune.tune(model, rows, config, {str(tmp_path)!r}, profile, held_out=rows[:4], quiet=True)
losses = [entry["loss"] for entry in tuned.history if "loss" in entry]
assert losses[-1] < losses[0] / 1.5, losses
before, after = finetune.before_after(tuned.model, ["My kettle broke."], 30)
assert before != after
again = lora.load(lora.load_base("pocket-instruct", profile), {str(tmp_path)!r})
assert again.reply("My kettle broke.", 30) == after[0]
print(tuned.summary()["backend"])
"""
    env = os.environ | {"UNSLOTH_FORCE_CPU": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([UNSLOTH, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "unsloth"
