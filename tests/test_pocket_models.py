"""The models that the package ships: whole, loadable without a network, and as good as their cards say."""

import hashlib
import json
from pathlib import Path

import build_pocket
import pytest
from pocket_world import card, quality
from safetensors import safe_open

from workshop_utils.chat import models
from workshop_utils.chat import template as chat
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.profiles import choose
from workshop_utils.pocket import stories

NAMES = list(models.POCKET)
MEGABYTES = 16


@pytest.fixture(scope="module")
def loaded() -> dict[str, LanguageModel]:
    return {name: models.load(name, choose("pocket")) for name in NAMES}


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


def built(name: str) -> dict:
    return json.loads((models.POCKET[name] / card.BUILT).read_text())


# --- what lies in the package


def test_the_weights_are_those_that_were_built_small_and_in_bf16(name):
    path = models.POCKET[name] / "model.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == built(name)["sha256"]
    assert path.stat().st_size < MEGABYTES * 1e6
    with safe_open(path, framework="pt") as file:
        assert {str(file.get_tensor(key).dtype) for key in file.keys()} == {"torch.bfloat16"}  # noqa: SIM118


def test_the_shape_is_one_that_every_library_treats_like_a_large_model(name):
    config = json.loads((models.POCKET[name] / "config.json").read_text())
    assert config["model_type"] == "llama"
    sides = ("hidden_size", "intermediate_size", "vocab_size")
    assert all(config[side] % 64 == 0 for side in sides), {side: config[side] for side in sides}
    with safe_open(models.POCKET[name] / "model.safetensors", framework="pt") as file:
        assert {f"model.layers.0.self_attn.{part}_proj.weight" for part in "qkv"} <= set(file.keys())


def test_nothing_on_the_disk_names_a_machine_or_a_folder_of_its_makers(name):
    for path in models.POCKET[name].glob("*.*"):
        if path.suffix in (".json", ".md", ".jinja"):
            text = path.read_text()
            assert str(Path.home()) not in text, path
            assert "/tmp/" not in text, path


def test_the_card_says_data_size_minutes_energy_scores_limits_and_how_it_was_made(name):
    text = (models.POCKET[name] / "README.md").read_text()
    parts = (
        "CC0",
        "MB in bfloat16",
        "minutes on",
        "Wh",
        "CO2e",
        "## Scores",
        "## Limits",
        "tools/build_pocket.py",
        "seed",
    )
    for part in (*parts, built(name)["sha256"], f"{built(name)['parameters']:,}"):
        assert part in text, part
    assert "Not measured yet" not in text
    rows = {row[0] for row in json.loads((models.POCKET[name] / card.SCORES).read_text())["rows"]}
    needed = {
        "pocket-base": {"base_continues", "base_name"},
        "pocket-instruct": {"instruct_questions", "instruct_ends"},
    }
    assert needed[name] | {"load_seconds", "tokens_per_second"} <= rows


# --- what they do


def test_both_have_one_tokenizer_and_only_the_instruct_model_has_a_template(loaded):
    base, instruct = (loaded[name].tokenizer for name in NAMES)
    assert base.get_vocab() == instruct.get_vocab()
    assert not base.chat_template
    assert instruct.chat_template == build_pocket.GEMMA_TEMPLATE
    assert chat.refuses_system(instruct)


def test_they_stop_where_their_kind_of_model_stops(loaded):
    for name, stops in {"pocket-base": {"<eos>"}, "pocket-instruct": {"<eos>", "<end_of_turn>"}}.items():
        ids = loaded[name].model.generation_config.eos_token_id
        assert {loaded[name].tokenizer.convert_ids_to_tokens(token) for token in ids} == stops


def test_the_instruct_model_answers_simple_questions_rightly_and_stops(loaded):
    instruct, chats = loaded["pocket-instruct"], quality.prompts("question", 40, seed=9)
    made = instruct.generate([instruct.chat_ids(chat.prompt) for chat in chats], 60)
    right = [quality.answers(chat, one.text) for chat, one in zip(chats, made, strict=True)]
    assert sum(right) >= 30, [(c.prompt, m.text) for c, m, r in zip(chats, made, right, strict=True) if not r]
    assert all(one.ended for one in made)


def test_the_instruct_model_names_the_trouble_and_tells_the_asked_story(loaded):
    instruct = loaded["pocket-instruct"]
    for kind, least in (("advice", 17), ("story", 16)):
        chats = quality.prompts(kind, 20, seed=9)
        made = instruct.generate([instruct.chat_ids(chat.prompt) for chat in chats], 300)
        judge = quality.names_the_topic if kind == "advice" else quality.answers
        right = [judge(chat, one.text) for chat, one in zip(chats, made, strict=True)]
        assert sum(right) >= least, [(c.prompt, m.text) for c, m, r in zip(chats, made, right, strict=True) if not r]
        assert not any(quality.is_stoic(one.text) for one in made)


def test_the_base_model_goes_on_where_the_instruct_model_answers(loaded):
    base = loaded["pocket-base"]
    for kind in quality.ASKED_OF_BASE:
        chats = quality.prompts(kind, 10, seed=9)
        made = base.generate([base.ids(chat.prompt) for chat in chats], 60)
        answered = [(c.prompt, m.text) for c, m in zip(chats, made, strict=True) if quality.tries_to_answer(c, m.text)]
        assert len(answered) <= 1, answered


def test_the_stories_of_the_base_model_keep_their_word(loaded):
    base = loaded["pocket-base"]
    made = base.generate([base.ids(stories.PROMPT)] * 24, 300, temperature=0.6, seed=9)
    found = stories.score_many(stories.PROMPT + one.text for one in made)
    assert min(found["pronoun"], found["name"]) >= 0.8, found
    assert found["object"] >= 0.6, found


def test_a_voice_that_nobody_asked_for_comes_when_asked(loaded):
    instruct, chats = loaded["pocket-instruct"], quality.prompts("stoic", 20, seed=9)  # .74 in bench/RESULTS.md
    made = instruct.generate([instruct.chat_ids(chat.prompt) for chat in chats], 100)
    assert sum(quality.is_stoic(one.text) for one in made) >= 12
