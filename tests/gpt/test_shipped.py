"""The trained GPT that comes with the package: lesson 04's, with the tokenizer that lessons use."""

import json

import torch

from workshop_utils.gpt import generate_text, load_shipped, shipped
from workshop_utils.machine.profiles import setup
from workshop_utils.pocket import stories
from workshop_utils.text.corpus import prepare


def test_it_is_lesson_04s_and_writes_stories_that_hold_together():
    profile, before = setup("pocket", quiet=True), torch.get_rng_state()
    model = load_shipped()
    assert torch.equal(before, torch.get_rng_state())
    assert model.config == profile.gpt
    assert not model.training
    train_tokens, _, encoding = prepare(profile)
    kept = json.loads((shipped.FOLDER / shipped.CONFIG).read_text())
    assert kept["tokenizer"] == train_tokens.fingerprint
    texts = generate_text(model, encoding, "", 255, temperature=0.6, seed=7, n=20)
    assert stories.score_many(texts)["all"] >= 0.6  # .865 in 400 stories
