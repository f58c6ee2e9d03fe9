"""The tool that makes the pocket models, with a few steps: what it writes loads, and it goes on where it stopped."""

import json
from pathlib import Path

import build_pocket as tool
import pytest
from pocket_world import card

from workshop_utils.chat import models
from workshop_utils.machine.profiles import choose

SMALL = [
    "--new-tokenizer",
    "--documents",
    "600",
    "--conversations",
    "300",
    "--base-steps",
    "3",
    "--instruct-steps",
    "2",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pocket")
    assert tool.main([*SMALL, "--out", str(folder / "models"), "--work", str(folder / "work")]) == 0
    return folder


def built(folder: Path, kind: str) -> dict:
    return json.loads((folder / "models" / kind / card.BUILT).read_text())


def test_both_models_load_and_write(made, monkeypatch):
    for kind in ("base", "instruct"):
        monkeypatch.setitem(models.POCKET, f"pocket-{kind}", made / "models" / kind)
        loaded = models.load(f"pocket-{kind}", choose("pocket"))
        assert loaded.n_parameters == built(made, kind)["parameters"]
        assert isinstance(loaded.complete("A banana is", 5), str)
    assert isinstance(loaded.reply("Hello!", 5), str)


def test_the_transformers_model_computes_what_the_trained_gpt_computes(made, monkeypatch):
    import torch

    from workshop_utils.training.checkpoints import load_model

    monkeypatch.setitem(models.POCKET, "pocket-base", made / "models" / "base")
    theirs = models.load("pocket-base", choose("pocket"))
    ours = load_model(made / "work" / "base")
    ids = torch.tensor([theirs.ids("A banana is yellow.")])
    with torch.no_grad():
        difference = theirs.model(ids).logits - ours(ids, all_logits=True)[0]
    assert difference.abs().max() < 0.05  # bf16 keeps three digits of each weight


def test_the_instruct_model_is_the_base_model_trained_on(made):
    base, instruct = built(made, "base"), built(made, "instruct")
    assert base["tokenizer"] == instruct["tokenizer"]
    assert base["sha256"] != instruct["sha256"]
    assert instruct["training"]["seed"] != base["training"]["seed"]


def test_only_the_replies_and_their_ends_are_learnt():
    from pocket_world import chats

    from workshop_utils.text.tokenizer import to_transformers, train_bpe

    turns = next(chats.conversations(1))
    texts = [text for one in turns for text in (one.prompt, one.reply)] * 3
    tokenizer = to_transformers(train_bpe(texts, 300, at_most=True, special_tokens=tool.template.GEMMA_SPECIALS))
    tokenizer.chat_template = tool.GEMMA_TEMPLATE
    encoded = tool.template.encode(tokenizer, tool.messages_of(turns))
    learnt = tokenizer.decode([token for token, on in zip(encoded.ids, encoded.trained, strict=True) if on])
    assert learnt == "".join(f"{one.reply}<end_of_turn>" for one in turns)


def test_run_again_it_trains_nothing_and_writes_the_same_weights(made, capsys):
    before = [built(made, kind)["sha256"] for kind in ("base", "instruct")]
    assert tool.main([*SMALL, "--out", str(made / "models"), "--work", str(made / "work")]) == 0
    assert capsys.readouterr().out.count("already finished") == 2
    assert [built(made, kind)["sha256"] for kind in ("base", "instruct")] == before


def test_the_card_of_a_fresh_model_does_not_claim_scores(made):
    for kind in ("base", "instruct"):
        assert "Not measured yet" in (made / "models" / kind / "README.md").read_text()


def test_the_tokenizer_in_the_package_is_the_one_of_the_shipped_models(tmp_path):
    encoding = tool._tokenizer(tmp_path / "work" / "tokenizer.json", 100, afresh=False)
    for folder in models.POCKET.values():
        assert json.loads((folder / card.BUILT).read_text())["tokenizer"] == tool.fingerprint(encoding)
