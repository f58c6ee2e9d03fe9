"""The models that the package ships: whole, loadable without a network, and as good as their cards say."""

import hashlib
import json

import build_pocket
import pytest
from pocket_world import card, quality
from safetensors import safe_open

from workshop_utils.chat import models
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.profiles import choose
from workshop_utils.pocket import stories


@pytest.fixture(scope="module")
def loaded() -> dict[str, LanguageModel]:
    return {name: models.load(name, choose("pocket")) for name in models.POCKET}


# --- what lies in the package


@pytest.mark.parametrize("name", models.POCKET)
def test_the_weights_are_those_that_were_built_small_and_of_a_shape_that_every_library_knows(name):
    folder = models.POCKET[name]
    config, built = (json.loads((folder / file).read_text()) for file in ("config.json", card.BUILT))
    path = folder / "model.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == built["sha256"]
    assert path.stat().st_size < 16e6
    assert config["model_type"] == "llama"
    assert all(config[side] % 64 == 0 for side in ("hidden_size", "intermediate_size", "vocab_size"))
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    assert {str(tensor.dtype) for tensor in tensors.values()} == {"torch.bfloat16"}
    assert {f"model.layers.0.self_attn.{part}_proj.weight" for part in "qkv"} <= set(tensors)


# --- what they do


def test_both_have_one_tokenizer_only_one_has_a_template_and_they_stop_where_they_should(loaded):
    base, instruct = loaded["pocket-base"], loaded["pocket-instruct"]
    assert base.tokenizer.get_vocab() == instruct.tokenizer.get_vocab()
    assert not base.tokenizer.chat_template
    assert instruct.tokenizer.chat_template == build_pocket.GEMMA_TEMPLATE
    for model, stops in ((base, {"<eos>"}), (instruct, {"<eos>", "<end_of_turn>"})):
        ids = model.model.generation_config.eos_token_id
        assert {model.tokenizer.convert_ids_to_tokens(token) for token in ids} == stops


@pytest.mark.parametrize(
    ("kind", "judge", "least", "of", "tokens"),
    [
        ("question", quality.answers, 34, 40, 60),
        ("advice", quality.names_the_topic, 17, 20, 300),
        ("story", quality.answers, 16, 20, 300),
        ("list", quality.answers, 36, 40, 60),
        ("rewrite", quality.answers, 34, 40, 60),
    ],
)
def test_the_instruct_model_does_as_it_is_asked(loaded, kind, judge, least, of, tokens):
    instruct, chats = loaded["pocket-instruct"], quality.prompts(kind, of, seed=9)
    made = instruct.generate([instruct.chat_ids(chat.prompt) for chat in chats], tokens)
    wrong = [(c.prompt, m.text) for c, m in zip(chats, made, strict=True) if not judge(c, m.text)]
    assert len(wrong) <= of - least, wrong
    assert all(one.ended for one in made) or kind != "question"
    assert not any(quality.is_stoic(one.text) for one in made)


@pytest.mark.parametrize("kind", quality.ASKED_OF_BASE)
def test_the_base_model_goes_on_where_the_instruct_model_answers(loaded, kind):
    base, chats = loaded["pocket-base"], quality.prompts(kind, 10, seed=9)
    made = base.generate([base.ids(chat.prompt) for chat in chats], 60)
    answered = [(c.prompt, m.text) for c, m in zip(chats, made, strict=True) if quality.tries_to_answer(c, m.text)]
    assert len(answered) <= 1, answered


def test_the_stories_of_the_base_model_keep_their_word(loaded):
    base = loaded["pocket-base"]
    made = base.generate([base.ids(stories.PROMPT)] * 24, 300, temperature=0.6, seed=9)
    found = stories.score_many(stories.PROMPT + one.text for one in made)
    assert min(found["pronoun"], found["name"]) >= 0.8, found
    assert found["object"] >= 0.6, found
