"""The GPT that learns to answer: its tokenizer, its rows and their mask, its larger table, and where it is kept."""

import json

import numpy as np
import pytest
import torch

from workshop_utils.chat.template import END_OF_TURN, START_OF_TURN, encode
from workshop_utils.export import chat_tokenizer
from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.lessons import ChatRows, reply, teach_to_answer, with_rows, with_turns
from workshop_utils.machine.profiles import choose
from workshop_utils.pocket import stories, story_chats
from workshop_utils.text.tokenizer import load_tokenizer, pocket_tokenizer
from workshop_utils.training.checkpoints import load_model


@pytest.fixture(scope="module")
def base():
    return pocket_tokenizer()


@pytest.fixture
def small():
    torch.manual_seed(0)
    shape = {"position": "rope", "activation": "gelu", "bias": False, "attention": "sdpa"}
    return GPT(GPTConfig(block_size=256, vocab_size=1024, n_layer=1, n_head=2, n_embd=32, **shape)).eval()


def test_stories_keep_their_ids_and_turns_are_single_tokens_beyond_them(base):
    wider = with_turns(base)
    for text in stories.texts(300, seed=77):
        assert wider.encode_ordinary(text) == base.encode_ordinary(text)
    ids = [wider.encode_single_token(turn) for turn in (START_OF_TURN, END_OF_TURN)]
    assert ids == [base.n_vocab, base.n_vocab + 1]
    tokenizer = chat_tokenizer(wider)
    assert [tokenizer.convert_tokens_to_ids(turn) for turn in (START_OF_TURN, END_OF_TURN)] == ids
    for text in stories.texts(50, seed=78):
        assert tokenizer(text)["input_ids"] == [base.eot_token, *wider.encode_ordinary(text)]


def test_a_larger_table_changes_no_logit_of_the_old_tokens(small, base):
    larger, ids = with_rows(small, base.n_vocab + 2, seed=3), torch.randint(1024, (2, 60))
    assert larger.lm_head.weight.shape == (1088, 32)
    assert larger.lm_head.weight is larger.transformer.wte.weight
    with torch.inference_mode():
        old, new = (model(ids, all_logits=True)[0] for model in (small, larger))
    torch.testing.assert_close(new[..., :1024], old)
    assert small.lm_head.weight.shape == (1024, 32)
    again = with_rows(small, base.n_vocab + 2, seed=3)
    assert torch.equal(larger.lm_head.weight, again.lm_head.weight)
    assert not torch.equal(larger.lm_head.weight, with_rows(small, base.n_vocab + 2, seed=4).lm_head.weight)


def test_what_is_trained_is_what_the_template_marks_and_of_stories_everything(base):
    wider, chats = with_turns(base), story_chats.to_train(40, seed=5)
    told = list(stories.texts(5, seed=6))
    rows = ChatRows(wider, [one.messages for one in chats], told)
    tokenizer = chat_tokenizer(wider)
    for (ids, trained), one in zip(rows.rows, chats, strict=False):
        marked = encode(tokenizer, one.messages)
        assert ids.tolist() == marked.ids
        assert trained.tolist() == marked.trained
        assert wider.decode(ids[trained]) == one.reply + END_OF_TURN
    for (ids, trained), text in zip(rows.rows[40:], told, strict=True):
        assert trained.all()
        assert wider.decode(ids) == f"<|endoftext|>{text}<|endoftext|>"
    x, y = rows.batch("rows", 64, 100, torch.Generator().manual_seed(0))
    assert x.shape == y.shape
    assert x.size(1) <= 100
    for row, target in zip(x.tolist(), y.tolist(), strict=True):
        found = [one for one in rows.rows if one[0][:-1][: len(row)].tolist() == row[: len(one[0]) - 1]]
        ids, trained = max(found, key=lambda one: len(one[0]))
        n = min(len(row), len(ids) - 1)
        assert target[:n] == np.where(trained[1 : n + 1], ids[1 : n + 1], -1).tolist()
        assert set(target[n:]) <= {-1}
    with pytest.raises(ValueError, match="rows"):
        rows.batch("windows", 2, 10, torch.Generator())


def test_it_is_kept_as_a_run_and_comes_back_with_its_tokenizer(small, base, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HURRY", "1")
    profile = choose("pocket")
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    kept = {"chats": 20, "rehearsed": 4, "folder": tmp_path / "run", "quiet": True}
    run = teach_to_answer(small, base, profile, 3, **kept)
    assert run.steps_done == 3
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.state_dict().items())
    encoding = load_tokenizer(tmp_path / "run" / "tokenizer.json")
    again = load_model(tmp_path / "run", encoding=encoding)
    assert torch.equal(again.lm_head.weight, run.model.cpu().lm_head.weight)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["gpt"]["vocab_size"] == 1088
    only_loaded = teach_to_answer(small, base, profile, 3, **kept)
    assert torch.equal(only_loaded.model.lm_head.weight, again.lm_head.weight)
    (text, ended), *_ = reply(again, encoding, ["Hello."])
    assert isinstance(text, str)
    assert ended in (True, False)


def test_requests_that_are_held_out_are_never_trained_and_their_stories_meet_them():
    trained = story_chats.to_train(3000)
    pairs = {(one.kind, one.name) for one in trained if one.name}
    names, prompts = {one.name for one in trained}, {one.prompt for one in trained}
    sets = {which: story_chats.to_test(60, which, seed=9) for which in ("pairs", "names", "wordings")}
    assert not {(one.kind, one.name) for one in sets["pairs"]} & pairs
    assert {one.name for one in sets["pairs"]} <= names
    assert not {one.name for one in sets["names"]} & names
    assert not {one.prompt for one in sets["wordings"]} & prompts
    for one in (one for tests in sets.values() for one in tests):
        assert story_chats.keeps(one, one.reply)
        assert not story_chats.keeps(one, one.reply.replace(one.name, "Mia" if one.name != "Mia" else "Tom"))
        assert not story_chats.keeps(one, one.reply.replace(one.kind, "teapot"))
    assert sum(story_chats.coherent(one, one.reply) for one in sets["pairs"]) >= 58
