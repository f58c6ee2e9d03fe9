"""The door to the models: found where they are, asked as transformers asks, and a sentence where they cannot be had."""

import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import httpx
import pytest
import tiny_models
import torch
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

from workshop_utils.chat import models
from workshop_utils.chat import template as chat
from workshop_utils.machine import profiles
from workshop_utils.machine.profiles import choose

QWEN, QWEN_INSTRUCT = profiles.PAIRS["t4"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    tiny_models.save(folder / QWEN, "qwen2", template=False)
    tiny_models.save(folder / QWEN_INSTRUCT, "llama")
    return folder


@pytest.fixture
def instruct(hub, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(hub))
    return models.load(QWEN_INSTRUCT, choose("pocket"))


def test_the_same_prompt_alone_and_beside_longer_ones_goes_on_the_same(instruct):
    prompts = [instruct.ids("What colour is a banana?"), instruct.ids("A"), instruct.ids("A banana is yellow. " * 3)]
    together = instruct.generate(prompts, 20)
    alone = [instruct.generate([prompt], 20)[0] for prompt in prompts]
    assert [made.ids for made in together] == [made.ids for made in alone]


def test_greedy_is_what_transformers_alone_writes(instruct):
    prompt = instruct.chat_ids("What colour is a banana?")
    theirs = instruct.model.generate(
        input_ids=torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        max_new_tokens=20,
        do_sample=False,
        eos_token_id=instruct.stop_ids(),
    )
    assert instruct.generate([prompt], 20)[0].ids == theirs[0, len(prompt) :].tolist()
    assert instruct.reply("What colour is a banana?", 20) == instruct.generate([prompt], 20)[0].text


def test_one_bos_whether_it_is_a_text_or_a_chat(instruct):
    bos = instruct.tokenizer.bos_token_id
    assert instruct.ids("A banana").count(bos) == 1
    assert instruct.chat_ids("A banana").count(bos) == 1


def test_the_seed_decides_and_top_k_1_is_greedy(instruct):
    prompt = [instruct.ids("A banana")] * 2
    first, again = (instruct.generate(prompt, 15, temperature=1.0, seed=3) for _ in range(2))
    other = instruct.generate(prompt, 15, temperature=1.0, seed=4)
    assert [made.ids for made in first] == [made.ids for made in again]
    assert [made.ids for made in first] != [made.ids for made in other]
    cold = instruct.generate(prompt, 15, temperature=1.0, top_k=1)
    assert cold[0].ids == instruct.generate(prompt, 15)[0].ids


def test_without_top_k_more_than_transformers_own_fifty_tokens_can_come(instruct):
    # A very high temperature makes the bets even; transformers' default top_k=50 would hide most of the vocabulary.
    made = instruct.generate([instruct.ids("A")] * 200, 1, temperature=100.0, batch_size=200)
    assert len({one.ids[0] for one in made}) > 80


def test_ended_says_who_ended_it(instruct):
    stop = instruct.stop_ids()
    assert {instruct.tokenizer.convert_ids_to_tokens(token) for token in stop} == {"<eos>", "<end_of_turn>"}
    cut = instruct.generate([instruct.ids("A")] * 60, 3, temperature=5.0, batch_size=60)
    assert all(made.ended == (made.ids[-1] in stop) for made in cut)
    assert {made.ended for made in cut} == {True, False}
    assert all("<" not in made.text for made in cut if made.ended)


def test_the_bets_are_probabilities_and_greedy_takes_the_highest(instruct):
    ids = instruct.ids("A banana")
    bets = instruct.next_tokens(ids)
    assert bets.shape == (len(instruct.tokenizer),)
    assert bets.sum().item() == pytest.approx(1, abs=1e-5)
    assert bets.argmax().item() == instruct.generate([ids], 1)[0].ids[0]


def test_streaming_writes_what_reply_writes(instruct):
    assert "".join(instruct.stream("A banana", 30)) == instruct.reply("A banana", 30)


def test_an_error_while_streaming_reaches_the_reader(instruct):
    with pytest.raises(ValueError, match="temperature"):
        list(instruct.stream("A banana", 30, temperature=-1))
    instruct.model.forward = None  # breaks inside the writing thread
    with pytest.raises(TypeError):
        list(instruct.stream("A banana", 30))


def test_an_over_long_prompt_is_refused_whether_it_is_streamed_or_not(instruct):
    long = "banana " * instruct.context
    for ask in (instruct.reply, lambda prompt: next(instruct.stream(prompt))):
        with pytest.raises(ValueError, match=r"a prompt has \d+ tokens and .* sees 128 at most: shorten it"):
            ask(long)


def test_a_prompt_with_little_room_left_shortens_nobody_elses_reply(instruct):
    instruct.stop_ids = lambda: [instruct.tokenizer.eos_token_id]
    tight, short = [7] * (instruct.context - 3), instruct.ids("A banana")
    together = instruct.generate([tight, short, tight[:-30], short], 20)
    alone = [instruct.generate([prompt], 20)[0] for prompt in (tight, short, tight[:-30], short)]
    assert [made.ids for made in together] == [made.ids for made in alone]
    assert [len(made.ids) for made in alone] == [3, 20, 20, 20]


def test_asking_leaves_torchs_random_state_alone(instruct):
    before = torch.get_rng_state()
    written = instruct.reply("A banana", 8, temperature=1.0, seed=5)
    assert torch.equal(torch.get_rng_state(), before)
    assert "".join(instruct.stream("A banana", 8, temperature=1.0, seed=5)) == written
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)  # whatever was drawn in between
    assert instruct.reply("A banana", 8, temperature=1.0, seed=5) == written


def test_a_stream_that_nobody_reads_to_its_end_stops_writing(instruct):
    instruct.stop_ids = lambda: [instruct.tokenizer.eos_token_id]
    running, before = threading.active_count(), torch.get_rng_state()
    stream = instruct.stream("A banana", 100, temperature=1.0)
    next(stream)
    stream.close()
    assert threading.active_count() == running
    assert torch.equal(torch.get_rng_state(), before)


def test_the_context_of_a_model_that_also_sees_pictures_stands_one_level_deeper(instruct):
    from transformers import Gemma3Config

    config = Gemma3Config(text_config={"max_position_embeddings": 96})
    seeing = replace(instruct, model=SimpleNamespace(config=config))
    assert not hasattr(config, "max_position_embeddings")
    assert seeing.context == 96


def test_settings_that_a_model_brings_along_do_not_change_what_is_asked_for(instruct):
    plain = [instruct.complete("A banana", 30, temperature=t, seed=1) for t in (0, 0.9)]
    theirs = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 2, "repetition_penalty": 1.5}
    instruct.model.generation_config.update(**theirs)
    assert [instruct.complete("A banana", 30, temperature=t, seed=1) for t in (0, 0.9)] == plain


def test_prompts_that_cannot_be_are_sentences(instruct):
    with pytest.raises(ValueError, match="no tokens"):
        instruct.generate([[]], 5)
    for tokens in (0, -1):
        with pytest.raises(ValueError, match=f"max_new_tokens is {tokens}"):
            instruct.reply("A", tokens)
        with pytest.raises(ValueError, match=f"max_new_tokens is {tokens}"):
            next(instruct.stream("A", tokens))
    with pytest.raises(ValueError, match="sees 128"):
        instruct.complete("yellow " * 200)
    for prompt, said in [
        (["a"], r"prompt is \['a'\]: choose"),
        ("a\ud800", "the prompt has a lone surrogate"),
    ]:
        with pytest.raises(ValueError, match=said):
            instruct.complete(prompt)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -1},
        {"temperature": "a"},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"temperature": 1, "top_k": 0},
        {"temperature": 1, "top_k": "a"},
        {"temperature": 1, "top_p": 3},
        {"temperature": 1, "top_p": "a"},
        {"seed": 2**70},
        {"seed": "a"},
        {"max_new_tokens": 0},
        {"max_new_tokens": -1},
        {"max_new_tokens": 1.5},
    ],
)
def test_settings_that_cannot_be_are_sentences(instruct, settings):
    name, value = list(settings.items())[-1]
    for ask in (instruct.complete, instruct.reply, lambda text, **options: next(instruct.stream(text, **options))):
        with pytest.raises(ValueError, match=f"^{name} is {value!r}: "):
            ask("A", **settings)


def test_a_base_model_has_no_template_and_says_so(hub, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(hub))
    base = models.load(QWEN, choose("pocket"))
    assert base.complete("A banana", 5) is not None
    with pytest.raises(ValueError, match=r"it is a base model.* such as pocket-instruct"):
        base.reply("A banana")


@pytest.mark.parametrize(("family", "expected"), [("gemma2", "eager"), ("qwen2", "sdpa"), ("llama", "sdpa")])
def test_gemma_2_gets_eager_attention_and_all_get_float32_on_a_cpu(tmp_path, monkeypatch, family, expected):
    tiny_models.save(tmp_path / "some" / "model", family)
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    loaded = models.load("some/model", choose("pocket"))
    assert loaded.model.config._attn_implementation == expected
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert loaded.reply("A banana", 5) is not None


def test_which_pair_a_profile_talks_to(tmp_path, monkeypatch):
    monkeypatch.setattr("workshop_utils.machine.hub.has_token", lambda: False)
    assert profiles.pair("pocket") == ("pocket-base", "pocket-instruct")
    assert profiles.pair("t4") == (QWEN, QWEN_INSTRUCT)
    monkeypatch.setattr("workshop_utils.machine.hub.has_token", lambda: True)
    assert profiles.pair("t4") == profiles.GEMMA
    assert profiles.pair("big") == profiles.PAIRS["big"]
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    assert profiles.pair("t4") == (QWEN, QWEN_INSTRUCT)
    for name in profiles.GEMMA:
        (tmp_path / name).mkdir(parents=True)
    assert profiles.pair("t4") == profiles.GEMMA


def test_a_local_copy_that_is_not_there_is_named(hub, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(hub))
    with pytest.raises(models.ModelUnavailable, match="holds no google/gemma-2-2b"):
        models.load("google/gemma-2-2b", choose("pocket"))


@pytest.mark.parametrize("local", [True, False])
def test_a_name_that_is_nearly_that_of_a_pocket_model_is_asked_about(hub, monkeypatch, local):
    if local:
        monkeypatch.setenv("WORKSHOP_HUB", str(hub))
    with pytest.raises(models.ModelUnavailable, match=r"pocket \(did you mean pocket-base or pocket-instruct\?\)"):
        models.load("pocket", choose("pocket"))
    with pytest.raises(ValueError, match="the model's name is ''"):
        models.load("", choose("pocket"))


def test_a_torn_file_is_a_sentence(hub, tmp_path, monkeypatch):
    tiny_models.save(tmp_path / "some" / "model")
    weights = tmp_path / "some" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    with pytest.raises(models.ModelUnavailable, match="copy or install it again"):
        models.load("some/model", choose("pocket"))


def _other_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 128}))


def _other_kind(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 268435456\n"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda folder: (folder / "model.safetensors").write_text(POINTER),
            "model.safetensors is a pointer",
        ),
        (lambda folder: (folder / "tokenizer.json").write_text(POINTER), "tokenizer.json is a pointer"),
        (lambda folder: (folder / "tokenizer.json").write_text('{"model": 1}'), "copy or install it again"),
        (lambda folder: (folder / "config.json").write_text("[]"), "copy or install it again"),
        (_other_shape, "mismatch.*copy or install it again"),
        (_other_kind, "it holds no weights for bert"),  # which would have been random
    ],
)
def test_whatever_is_wrong_with_a_copy_is_a_sentence(damage, said, tmp_path, monkeypatch):
    damage(tiny_models.save(tmp_path / "some" / "model"))
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    with pytest.raises(models.ModelUnavailable, match=said):
        models.load("some/model", choose("pocket"))


def test_a_full_gpu_is_not_mistaken_for_a_broken_copy():
    def full(source):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        models.load_by("pocket-base", full)


def test_no_network_is_a_sentence_with_the_cure():
    with pytest.raises(models.ModelUnavailable, match=r"cannot be fetched .* WORKSHOP_PROFILE=pocket"):
        models.load(QWEN, choose("pocket"))


def test_without_a_network_nothing_is_retried_and_what_is_on_this_machine_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr("workshop_utils.machine.hub.hub_reachable", lambda: (False, "the wifi is gone"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # else the libraries would not even try
    start = time.perf_counter()
    with pytest.raises(models.ModelUnavailable, match=r"cannot be fetched \(the wifi is gone\)"):
        models.load(QWEN, choose("pocket"))
    assert time.perf_counter() - start < 5

    cached = tmp_path / f"models--{QWEN.replace('/', '--')}"
    tiny_models.save(cached / "snapshots" / "abc", "qwen2")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    loaded = models.load(QWEN, choose("pocket"))
    assert loaded.name == QWEN
    assert loaded.source == str(cached / "snapshots" / "abc")
    assert loaded.reply("A banana", 5) is not None


@pytest.mark.parametrize("token", ["", "hf_expired"])
def test_a_closed_model_explains_licence_and_token(monkeypatch, token):
    import transformers

    def refuse(source, **options):
        answer = httpx.Response(401, request=httpx.Request("GET", "https://huggingface.co"))
        raise OSError("You are trying to access a gated repo") from GatedRepoError("restricted", response=answer)

    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr("workshop_utils.machine.hub.hub_reachable", lambda: (True, "it answers"))
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", refuse)
    with pytest.raises(models.ModelUnavailable) as refused:
        models.load(profiles.GEMMA[0], choose("pocket"))
    text = str(refused.value)
    assert "accept its licence at https://huggingface.co/google/gemma-2-2b" in text
    assert "https://huggingface.co/settings/tokens" in text
    assert ("without a token" if not token else "with the token in HF_TOKEN") in text
    assert "hf_expired" not in text  # a token is never shown


@pytest.mark.parametrize(
    ("error", "status", "licence"),
    [
        (OSError("layer 403 of 4010 tokens is missing"), None, False),
        (OSError("the gated unit is not known"), None, False),
        (OSError("not there"), 404, False),
        (OSError("no"), 403, True),
    ],
)
def test_only_an_answer_of_the_hub_is_taken_for_a_licence(monkeypatch, error, status, licence):
    if status is not None:
        answer = httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co"))
        error.__cause__ = HfHubHTTPError("from the hub", response=answer)
    monkeypatch.setattr("workshop_utils.machine.hub.hub_reachable", lambda: (True, "it answers"))
    said = models._why("some/model", "some/model", error)
    assert ("make a token" in said) == licence
    assert ("check the name" in said) != licence


def test_memory_is_given_back_and_said(instruct):
    assert "GB of memory in use" in models.release()


def test_a_conversation_is_asked_in_the_models_own_template(instruct):
    talk = chat.conversation("Hi", "Hello.", "A banana?")
    assert instruct.chat_ids(talk) == chat.prompt_ids(instruct.tokenizer, talk)
