"""The door to the models: found where they are, loaded as the profile says, and a sentence where they cannot be had."""

import json

import httpx
import pytest
import tiny_models
import torch
import transformers
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

from workshop_utils.chat import models
from workshop_utils.chat.models import ModelUnavailable
from workshop_utils.machine import hub, profiles

NAME, POCKET = "some/model", profiles.choose("pocket")


@pytest.mark.parametrize(("family", "expected"), [("gemma2", "eager"), ("qwen2", "sdpa"), ("llama", "sdpa")])
def test_gemma_2_gets_eager_attention_and_all_get_float32_on_a_cpu(tmp_path, monkeypatch, family, expected):
    tiny_models.save(tmp_path / NAME, family)
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    loaded = models.load(NAME, POCKET)
    assert loaded.model.config._attn_implementation == expected
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert "GB of memory in use" in models.release()


def test_a_t4_talks_to_gemma_where_its_licence_can_have_been_accepted(tmp_path, monkeypatch):
    for token, pair in ((False, profiles.PAIRS["t4"]), (True, profiles.GEMMA)):
        monkeypatch.setattr(hub, "has_token", lambda token=token: token)
        assert profiles.pair("t4") == pair
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    assert profiles.pair("t4") == profiles.PAIRS["t4"]
    for name in profiles.GEMMA:
        (tmp_path / name).mkdir(parents=True)
    assert profiles.pair("t4") == profiles.GEMMA


def test_without_a_network_nothing_is_retried_and_what_is_on_this_machine_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "hub_reachable", lambda: (False, "the wifi is gone"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # else the libraries would not even try
    for ask in (lambda name: models.load(name, POCKET), models.source_of):
        with pytest.raises(ModelUnavailable, match=r"cannot be fetched \(the wifi is gone\): go online, or .*=pocket"):
            ask(NAME)
    cached = tmp_path / f"models--{NAME.replace('/', '--')}"
    tiny_models.save(cached / "snapshots" / "abc", "qwen2")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    loaded = models.load(NAME, POCKET)
    assert (loaded.name, loaded.source) == (NAME, str(cached / "snapshots" / "abc"))
    assert models.source_of(NAME) == loaded.source


def put(name, text):
    return lambda folder: (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (put("model.safetensors", "torn"), "SafetensorError"),
        (put("model.safetensors", "version https://git-lfs.github.com/spec/v1\n"), "model.safetensors is a pointer"),
        (put("tokenizer.json", '{"model": 1}'), ""),
        (
            put("tokenizer.json", '{"added_tokens": [], "model": {"type": "BPE", "vocab": {}, "merges": "a"}}'),
            "Exception",
        ),
        (put("config.json", "[]"), ""),
        (put("config.json", "[" * 100_000), "RecursionError"),
        (put("config.json", json.dumps({"model_type": "llama"} | tiny_models.SHAPE | {"hidden_size": -128})), ""),
        (put("config.json", json.dumps({"model_type": "llama"} | tiny_models.SHAPE | {"mlp_bias": "no"})), "mlp_bias"),
        (
            put("config.json", json.dumps({"model_type": "llama"} | tiny_models.SHAPE | {"hidden_size": 128})),
            "mismatch",
        ),
        (put("config.json", '{"model_type": "bert"}'), "it holds no weights for bert"),  # which would have been random
    ],
)
def test_whatever_is_wrong_with_a_copy_is_a_sentence(damage, words, tmp_path, monkeypatch):
    damage(tiny_models.save(tmp_path / NAME))
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=f"{words}.*: copy or install it again, or take the pocket profile"):
        models.load(NAME, POCKET)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), ImportError("CUDA version mismatch")]
)
def test_a_full_memory_or_a_missing_package_is_not_mistaken_for_a_broken_copy(error):
    def full(source):
        raise error

    with pytest.raises(type(error)):
        models.load_by("pocket-base", full)


def test_a_name_that_is_not_there_is_said_with_what_was_meant(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    with pytest.raises(
        ModelUnavailable, match=r"holds no pocket \(did you mean pocket-base or pocket-instruct\?\): copy"
    ):
        models.load("pocket", POCKET)
    with pytest.raises(ValueError, match="the model's name is ''"):
        models.load("", POCKET)


@pytest.mark.parametrize(
    ("refused", "token", "words"),
    [
        ((GatedRepoError, 401), "", "without a token: accept its licence at https://huggingface.co/some/model, make"),
        ((HfHubHTTPError, 403), "hf_expired", "with the token in HF_TOKEN: accept its licence"),
        ((HfHubHTTPError, 404), "", "check the name"),
        (None, "", "check the name"),
    ],
)
def test_only_an_answer_of_the_hub_is_taken_for_a_licence(monkeypatch, refused, token, words):
    def refuse(source, **options):
        kind, status = refused or (HfHubHTTPError, 200)
        answer = kind("no", response=httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co")))
        raise OSError("layer 403 of the gated unit is missing") from (answer if refused else None)

    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(hub, "hub_reachable", lambda: (True, "it answers"))
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", refuse)
    with pytest.raises(ModelUnavailable, match=words) as caught:
        models.load(NAME, POCKET)
    assert "hf_expired" not in str(caught.value)  # a token is never shown
