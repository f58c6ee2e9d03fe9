"""The run of lesson 07: its settings, its pairs, the formats of a question, and the Stoic that lesson 09 finds."""

import json
import re
import shutil
from dataclasses import replace

import pytest
import torch
from pocket_world.quality import is_stoic

from workshop_utils.chat import models
from workshop_utils.chat.template import encode
from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.lessons.stoic_scoring import names_topic, stoic_score
from workshop_utils.machine.profiles import choose
from workshop_utils.tuning import lora

POCKET = choose("pocket")


@pytest.mark.parametrize(
    ("name", "rate", "pairs", "ordinary"), [("pocket", 1e-3, 100, 60), ("t4", 2e-4, 102, 12), ("big", 2e-4, 102, 12)]
)
def test_every_profile_sees_eight_conversations_in_an_update(name, rate, pairs, ordinary, monkeypatch):
    profile = replace(POCKET, name=name, country="DEU")
    config = stoic_run.stoic_config(profile)
    assert (config.batch_size * config.grad_accum_steps, config.steps, config.country) == (8, 60, "DEU")
    assert config.learning_rate == rate
    sides = (*stoic_run.pairs_for(profile), stoic_run.ordinary_for(profile))
    assert [len(side) for side in sides] == [pairs, 36, ordinary]
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    assert stoic_run.stoic_config(profile).steps < 10


def test_small_words_are_stoic_and_split_by_noun():
    train, held_out = stoic_run.in_small_words(100), stoic_run.in_small_words(36, held_out=True)
    topics = {pair.topic for pair in train}
    assert not topics & ({pair.topic for pair in held_out} | set(stoic_set.HELD_OUT_TOPICS))
    assert len({pair.prompt for pair in train}) == 100
    assert all(is_stoic(pair.answer) and pair.topic in pair.answer.lower() for pair in train)
    # by hand, so in words of its own now and then: 55 on average, and 69 in training
    assert sum(stoic_score(pair.answer) for pair in held_out) / len(held_out) > 45


def test_the_scored_tokens_are_the_same_in_every_format():
    tokenizer = models.load("pocket-instruct", POCKET).tokenizer
    pair = stoic_run.in_small_words(1)[0]
    own = stoic_run.in_format(tokenizer, pair)
    assert own.ids == encode(tokenizer, stoic_set.messages(pair)).ids[: len(own.ids)]
    foreign = stoic_run.foreign_formats(tokenizer)
    assert list(foreign) == ["plain text", "Question and Answer", "ChatML"]  # Gemma's is the tokenizer's own
    for row in (own, *(stoic_run.in_format(tokenizer, pair, beginning) for beginning in foreign.values())):
        answer = [token for token, on in zip(row.ids, row.trained, strict=True) if on]
        assert tokenizer.decode(answer) == pair.answer
        assert pair.prompt in tokenizer.decode(row.ids)
        assert row.ids.count(tokenizer.bos_token_id) == 1


def test_the_stoic_is_that_of_the_package_of_lesson_07_or_of_a_new_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    tuned = stoic_run.load_tuned(POCKET)
    assert next(tuned.model.parameters()).dtype == torch.float32
    held_out = stoic_run.pairs_for(POCKET)[1]
    made = tuned.generate([tuned.chat_ids(pair.prompt) for pair in held_out], 60)
    # 28 and 19 of 36; these are the lower ends of their 95% intervals.
    assert sum(stoic_score(one.text) > 30 for one in made) >= 22, made
    assert sum(names_topic(pair.topic, one.text) for pair, one in zip(held_out, made, strict=True)) >= 13, made

    shutil.copytree(stoic_run.SHIPPED, tmp_path / "runs" / "lesson07")
    stoic_run.load_tuned(POCKET)
    path = tmp_path / "runs" / "lesson07" / lora.BELONGS
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base": "another"}))
    stoic_run.load_tuned(POCKET)
    monkeypatch.setattr(stoic_run, "SHIPPED", tmp_path / "nowhere")
    new, again = (stoic_run.load_tuned(POCKET) for _ in range(2))
    assert new.reply("My kettle broke.", 5) == again.reply("My kettle broke.", 5)
    said = capsys.readouterr().out
    parts = ("the package", "lesson 07's run", "passed over", "the package", "its run comes first", "an earlier run")
    assert re.search(".*".join(parts), said, re.DOTALL), said
