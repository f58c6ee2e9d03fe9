"""The run of lesson 07: its settings, its pairs, the loss of replies, and the loop in the open."""

import json
import shutil
from dataclasses import replace

import pytest
import tiny_models
import torch
from pocket_world.quality import is_stoic

from workshop_utils.chat import losses
from workshop_utils.chat import template as chat
from workshop_utils.chat.template import Encoded
from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.lessons.stoic_scoring import stoic_score
from workshop_utils.lessons.stoic_set import Pair
from workshop_utils.machine.profiles import choose
from workshop_utils.tuning import lora

NAME = "some/model"
PAIRS = [
    Pair(f"What colour is a {thing}?", f"A {thing} is {colour}.", thing)
    for thing, colour in (("banana", "yellow"), ("user", "hello"), ("model", "yellow"), ("hello", "banana"))
]


@pytest.fixture(autouse=True)
def local_hub(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.getbasetemp() / "stoic-hub"
    if not folder.exists():
        tiny_models.save(folder / NAME, "llama")
    monkeypatch.setenv("WORKSHOP_HUB", str(folder))


@pytest.fixture
def base():
    return lora.load_base(NAME, choose("pocket"), "float32")


def encode(model, pairs=PAIRS):
    return [chat.encode(model.tokenizer, stoic_set.messages(pair)) for pair in pairs]


QUICK = replace(
    stoic_run.stoic_config(choose("pocket")), steps=30, batch_size=2, grad_accum_steps=2, learning_rate=1e-2, rank=4
)


# --- settings and pairs


@pytest.mark.parametrize("name", ["pocket", "t4", "big"])
def test_every_profile_sees_eight_conversations_an_update(name, monkeypatch):
    config = stoic_run.stoic_config(replace(choose("pocket"), name=name, country="DEU"))
    assert config.batch_size * config.grad_accum_steps == 8
    assert config.steps == 60
    assert config.country == "DEU"
    assert config.learning_rate == (2e-3 if name == "pocket" else 2e-4)
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    assert stoic_run.stoic_config(replace(choose("pocket"), name=name)).steps < 10


def test_the_pocket_model_learns_from_small_words_and_larger_ones_from_the_set():
    train, held_out = stoic_run.pairs_for(choose("pocket"))
    assert (len(train), len(held_out)) == (100, 36)
    assert stoic_run.pairs_for(replace(choose("pocket"), name="t4")) == stoic_set.split(stoic_set.load())
    assert len(stoic_run.ordinary_for(choose("pocket"))) == 12


def test_small_words_are_stoic_known_and_parted_by_noun():
    train, held_out = stoic_run.in_small_words(200), stoic_run.in_small_words(80, held_out=True)
    assert stoic_run.in_small_words(20) == train[:20]
    assert not {pair.topic for pair in train} & {pair.topic for pair in held_out}
    assert not {pair.topic for pair in train} & set(stoic_set.HELD_OUT_TOPICS)
    assert len({pair.prompt for pair in train}) == 200
    for pair in train + held_out:
        assert is_stoic(pair.answer)
        assert pair.topic in pair.answer.lower()
        assert "{" not in pair.prompt + pair.answer
        assert not is_stoic(pair.prompt)


# --- formats and the loss


def test_the_scored_tokens_are_the_same_in_every_format(base):
    own = stoic_run.in_format(base.tokenizer, PAIRS[0])
    whole = encode(base)[0]
    assert own.ids == whole.ids[: len(own.ids)]
    answer = [token for token, on in zip(own.ids, own.trained, strict=True) if on]
    assert base.tokenizer.decode(answer) == PAIRS[0].answer
    foreign = stoic_run.foreign_formats(base.tokenizer)
    assert "ChatML" in foreign
    assert "Gemma's" not in foreign  # the tokenizer's own
    for beginning in foreign.values():
        row = stoic_run.in_format(base.tokenizer, PAIRS[0], beginning)
        assert [token for token, on in zip(row.ids, row.trained, strict=True) if on] == answer
        assert PAIRS[0].prompt in base.tokenizer.decode(row.ids)
        assert row.ids.count(base.tokenizer.bos_token_id) <= 1


def test_a_batch_is_filled_up_and_what_does_not_count_is_marked():
    rows = [Encoded([5, 6, 7], [False, True, True]), Encoded([8, 9], [False, True])]
    ids, mask, labels = losses.batch_of(rows, pad=0)
    assert ids.tolist() == [[5, 6, 7], [8, 9, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]
    assert labels.tolist() == [[-100, 6, 7], [-100, 9, -100]]


def test_the_loss_is_that_of_transformers_however_it_is_batched(base):
    rows = encode(base)
    total, n = 0.0, 0
    for row in rows:  # one at a time: no padding that could spoil it
        ids, _, labels = losses.batch_of([row], 0)
        with torch.inference_mode():
            count = sum(row.trained)
            total, n = total + float(base.model(input_ids=ids, labels=labels).loss) * count, n + count
    for size in (1, 3, 8):
        assert losses.reply_loss(base, rows, size) == pytest.approx(total / n, rel=1e-4)


def test_a_mask_without_a_mark_is_told(base):
    with pytest.raises(ValueError, match="no token is marked"):
        losses.reply_loss(base, [Encoded([5, 6], [False, False])])


# --- the model that came out


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    return tmp_path / "home"


def test_the_stoic_of_the_package_is_a_stoic_and_belongs_to_the_shipped_model(at_home, capsys):
    tuned = stoic_run.load_tuned(choose("pocket"))
    assert "adapter from the package" in capsys.readouterr().out
    assert next(tuned.model.parameters()).dtype == torch.float32
    _, held_out = stoic_run.pairs_for(choose("pocket"))
    made = tuned.generate([tuned.chat_ids(pair.prompt) for pair in held_out[:10]], 60)
    assert sum(stoic_score(one.text) > 30 for one in made) >= 9, made
    assert sum(pair.topic in one.text for pair, one in zip(held_out, made, strict=False)) >= 8, made
    config = json.loads((stoic_run.SHIPPED / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "pocket-instruct"


def test_the_adapter_of_lesson_07_comes_first_and_one_of_another_base_is_passed_over(at_home, capsys):
    profile = choose("pocket")
    runs = at_home / "runs"
    shutil.copytree(stoic_run.SHIPPED, runs / "lesson07")
    stoic_run.load_tuned(profile)
    assert "adapter from lesson 07's run" in capsys.readouterr().out
    path = runs / "lesson07" / lora.BELONGS
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base": "another"}))
    stoic_run.load_tuned(profile)
    said = capsys.readouterr().out
    assert "passed over: the adapter in" in said
    assert "adapter from the package" in said


def test_without_any_adapter_the_run_comes_first(at_home, monkeypatch, capsys):
    monkeypatch.setattr(stoic_run, "SHIPPED", at_home / "nowhere")
    tuned = stoic_run.load_tuned(choose("pocket"))
    assert "its run comes first" in capsys.readouterr().out
    assert tuned.reply("My kettle broke.", 5) == stoic_run.load_tuned(choose("pocket")).reply("My kettle broke.", 5)
    assert "adapter from an earlier run of this lesson" in capsys.readouterr().out
