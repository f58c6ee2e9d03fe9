"""The tool that makes the pocket models, with a small shape and a few steps: what it writes loads, and it resumes."""

import json
from dataclasses import replace
from pathlib import Path
from unittest import mock

import build_pocket as tool
import pytest
import torch
from pocket_world import card

from workshop_utils.chat import models
from workshop_utils.machine.profiles import choose
from workshop_utils.training.checkpoints import load_model

KINDS = ("base", "instruct")


def build(folder: Path) -> None:
    few = ["--documents", "600", "--conversations", "300", "--base-steps", "3", "--instruct-steps", "2"]
    with mock.patch.multiple(
        tool,
        SHAPE=replace(tool.SHAPE, n_layer=2, n_head=2, n_embd=64),
        BASE=replace(tool.BASE, eval_batches=2, country=""),
        INSTRUCT=replace(tool.INSTRUCT, eval_batches=2, country=""),
    ):
        assert tool.main([*few, "--new-tokenizer", "--out", str(folder / "models"), "--work", str(folder)]) == 0


def built(folder: Path) -> list[dict]:
    return [json.loads((folder / "models" / kind / card.BUILT).read_text()) for kind in KINDS]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pocket")
    build(folder)
    return folder


def test_both_models_load_and_write_and_compute_what_the_trained_gpt_computes(made, monkeypatch):
    for kind, said in zip(KINDS, built(made), strict=True):
        monkeypatch.setitem(models.POCKET, f"pocket-{kind}", made / "models" / kind)
        loaded = models.load(f"pocket-{kind}", choose("pocket"))
        assert loaded.n_parameters == said["parameters"]
        assert isinstance(loaded.generate([loaded.ids("A banana is")], 5)[0].text, str)
        ids = torch.tensor([loaded.ids("A banana is yellow.")])
        with torch.no_grad():
            difference = loaded.model(ids).logits - load_model(made / kind)(ids, all_logits=True)[0]
        assert difference.abs().max() < 0.05  # bf16 keeps three digits of each weight
        assert "Not measured yet" in (made / "models" / kind / "README.md").read_text()
    assert isinstance(loaded.reply("Hello!", 5), str)


def test_run_again_it_trains_nothing_and_writes_the_same_weights(made, capsys):
    base, instruct = before = built(made)
    assert base["tokenizer"] == instruct["tokenizer"]
    assert base["sha256"] != instruct["sha256"]
    build(made)
    assert capsys.readouterr().out.count("already finished") == 2
    assert [one["sha256"] for one in built(made)] == [one["sha256"] for one in before]


def test_the_tokenizer_in_the_package_is_the_one_of_the_shipped_models(tmp_path):
    encoding = tool._tokenizer(tmp_path / "work" / "tokenizer.json", 100, afresh=False)
    for folder in models.POCKET.values():
        assert json.loads((folder / card.BUILT).read_text())["tokenizer"] == tool.fingerprint(encoding)
