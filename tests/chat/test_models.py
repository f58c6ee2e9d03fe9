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
from workshop_utils.machine import profiles
from workshop_utils.machine.profiles import choose

NAME = "some/model"


@pytest.mark.parametrize(("family", "expected"), [("gemma2", "eager"), ("qwen2", "sdpa"), ("llama", "sdpa")])
def test_gemma_2_gets_eager_attention_and_all_get_float32_on_a_cpu(tmp_path, monkeypatch, family, expected):
    tiny_models.save(tmp_path / NAME, family)
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    loaded = models.load(NAME, choose("pocket"))
    assert loaded.model.config._attn_implementation == expected
    assert {p.dtype for p in loaded.model.parameters()} == {torch.float32}
    assert loaded.source == str(tmp_path / NAME)
    assert "GB of memory in use" in models.release()


def test_which_pair_a_profile_talks_to(tmp_path, monkeypatch):
    token = False
    monkeypatch.setattr(profiles, "has_token", lambda: token)
    assert profiles.pair("pocket") == ("pocket-base", "pocket-instruct")
    assert profiles.pair("t4") == profiles.PAIRS["t4"]
    token = True
    assert profiles.pair("t4") == profiles.GEMMA
    assert profiles.pair("big") == profiles.PAIRS["big"]
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    assert profiles.pair("t4") == profiles.PAIRS["t4"]
    for name in profiles.GEMMA:
        (tmp_path / name).mkdir(parents=True)
    assert profiles.pair("t4") == profiles.GEMMA


def test_without_a_network_nothing_is_retried_and_what_is_on_this_machine_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(profiles, "hub_reachable", lambda: (False, "the wifi is gone"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # else the libraries would not even try
    with pytest.raises(ModelUnavailable, match=r"cannot be fetched \(the wifi is gone\): go online, or .*=pocket"):
        models.load(NAME, choose("pocket"))
    cached = tmp_path / f"models--{NAME.replace('/', '--')}"
    tiny_models.save(cached / "snapshots" / "abc", "qwen2")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    loaded = models.load(NAME, choose("pocket"))
    assert (loaded.name, loaded.source) == (NAME, str(cached / "snapshots" / "abc"))


# --- what goes wrong

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 268435456\n"


def put(name, text):
    return lambda folder: (folder / name).write_text(text)


def changed(**values):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | values))

    return change


def torn(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (torn, "SafetensorError"),
        (put("model.safetensors", POINTER), "model.safetensors is a pointer of Git LFS"),
        (put("tokenizer.json", POINTER), "tokenizer.json is a pointer of Git LFS"),
        (put("tokenizer.json", '{"model": 1}'), ""),
        (put("config.json", "[]"), ""),
        (changed(hidden_size=128), "mismatch"),
        (changed(model_type="bert"), "it holds no weights for bert"),  # which would have been random
    ],
)
def test_whatever_is_wrong_with_a_copy_is_a_sentence(damage, words, tmp_path, monkeypatch):
    damage(tiny_models.save(tmp_path / NAME))
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=f"{words}.*: copy or install it again, or take the pocket profile"):
        models.load(NAME, choose("pocket"))


def test_a_full_gpu_is_not_mistaken_for_a_broken_copy():
    def full(source):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        models.load_by("pocket-base", full)


@pytest.mark.parametrize(("hub", "name"), [("set", "pocket"), ("", "pocket"), ("set", "google/gemma-2-2b"), ("", "")])
def test_a_name_that_is_not_there_is_said_with_what_was_meant(tmp_path, monkeypatch, hub, name):
    if hub:
        monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    words = {"pocket": r"did you mean pocket-base or pocket-instruct\?", "": "the model's name is ''"}
    with pytest.raises((ModelUnavailable, ValueError), match=words.get(name, f"WORKSHOP_HUB holds no {name}: copy")):
        models.load(name, choose("pocket"))


def refusal(status, kind=HfHubHTTPError):
    answer = httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co"))
    return kind("from the hub", response=answer)


@pytest.mark.parametrize(
    ("error", "cause", "token", "words"),
    [
        ("You are trying to access a gated repo", refusal(401, GatedRepoError), "", "without a token: accept its lic"),
        (
            "no",
            refusal(403),
            "hf_expired",
            "with the token in HF_TOKEN: accept its licence at https://hugg.*/some/model",
        ),
        ("not there", refusal(404), "", "check the name"),
        ("layer 403 of 4010 tokens of the gated unit is missing", None, "", "check the name"),
    ],
)
def test_only_an_answer_of_the_hub_is_taken_for_a_licence(monkeypatch, error, cause, token, words):
    def refuse(source, **options):
        raise OSError(error) from cause

    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(profiles, "hub_reachable", lambda: (True, "it answers"))
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", refuse)
    with pytest.raises(ModelUnavailable, match=words) as refused:
        models.load(NAME, choose("pocket"))
    assert ("https://huggingface.co/settings/tokens" in str(refused.value)) == ("accept" in words)
    assert "hf_expired" not in str(refused.value)  # a token is never shown
