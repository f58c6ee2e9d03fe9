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
from types import SimpleNamespace

import pytest

from workshop_utils.machine.profiles import choose
from workshop_utils.tuning import backends, lora

ROOT = Path(__file__).resolve().parents[2]
SIGNATURES = json.loads((ROOT / "tests" / "unsloth_signatures.json").read_text())
POCKET = choose("pocket")
GPU = replace(POCKET, name="t4", device="cuda")


@pytest.mark.parametrize(
    ("there", "imported", "profile", "wanted", "said"),
    [
        (False, False, GPU, "", "transformers, because unsloth is not installed"),
        (True, True, GPU, "", "unsloth, because it is installed"),
        (True, True, GPU, "transformers", "transformers, because you asked for it"),
        (True, True, POCKET, "", "transformers, because there is no CUDA device"),
        (True, False, GPU, "", "transformers, because transformers was imported before unsloth"),
        (False, False, GPU, "unsloth", "unsloth was asked for, but unsloth is not installed"),
        (False, False, GPU, "mlx", "there is no backend 'mlx', which WORKSHOP_BACKEND asks for"),
    ],
)
def test_the_choice_is_printed_with_its_reason(monkeypatch, capsys, there, imported, profile, wanted, said):
    monkeypatch.setenv("WORKSHOP_BACKEND", wanted)
    monkeypatch.setattr(backends.importlib.util, "find_spec", lambda name: object() if there else None)
    monkeypatch.setitem(sys.modules, "transformers", object())
    monkeypatch.delitem(sys.modules, "unsloth", raising=False)
    if imported:
        monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=None))
    if "because" in said:
        assert backends.choose_backend(profile) == said.split(",")[0]
        assert capsys.readouterr().out.startswith(f"backend  {said}")
    else:
        with pytest.raises(ValueError, match=said):
            backends.choose_backend(profile)


@pytest.mark.parametrize("release", sorted(SIGNATURES))
def test_our_calls_match_the_signatures_of_the_pinned_releases(release):
    calls = {}
    for node in (node for module in (backends, lora) for node in ast.walk(ast.parse(inspect.getsource(module)))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).partition("unsloth().")[1]:
            calls[node.func.attr] = {word.arg for word in node.keywords}
    assert set(calls) == {"from_pretrained", "get_peft_model", "for_training", "for_inference"}
    for name, arguments in calls.items():
        assert arguments <= set(SIGNATURES[release][name]), (release, name)


def test_the_signatures_are_those_of_the_release_that_is_installed():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (pinned,) = [line.split("==")[1].split(";")[0] for line in extras["unsloth"] if line.startswith("unsloth==")]
    assert pinned in SIGNATURES
    assert f"UNSLOTH_CPU ?= {max(SIGNATURES)}" in (ROOT / "Makefile").read_text()


UNSLOTH = ROOT / ".venv-unsloth" / "bin" / "python"
RUN = """
import sys
from workshop_utils.machine.profiles import setup
profile = setup("pocket", quiet=True)
from workshop_utils.tuning.backends import choose_backend
backend = choose_backend(profile, "unsloth")
from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.tuning import finetune, lora
model = lora.attach(lora.load_base("pocket-instruct", profile, backend=backend))
rows = [stoic_set.messages(pair) for pair in stoic_run.in_small_words(40)]
config = finetune.TuneConfig(steps=10, checkpoint_every=5, learning_rate=2e-3)
tuned = finetune.tune(model, rows, config, sys.argv[1], profile, held_out=rows[:4], quiet=True)
losses = [entry["loss"] for entry in tuned.history if "loss" in entry]
assert losses[-1] < losses[0] / 1.5, losses
_, after = stoic_run.before_after(tuned.model, ["My kettle broke."], 30)
again = lora.load(lora.load_base("pocket-instruct", profile), sys.argv[1])
assert again.reply("My kettle broke.", 30) == after[0]
assert tuned.model.backend == "unsloth"
"""


@pytest.mark.skipif(not UNSLOTH.is_file(), reason="make test-unsloth makes the environment that this needs")
def test_unsloth_tunes_the_pocket_model_and_plain_peft_reads_the_adapter(tmp_path):
    env = os.environ | {"UNSLOTH_FORCE_CPU": "1", "PYTHONPATH": str(ROOT)}
    command = [UNSLOTH, "-c", RUN, str(tmp_path)]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
