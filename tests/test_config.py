"""Configs take what makes sense and refuse the rest in a sentence, before anything is written."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop_utils.command.own_text import train_on_text
from workshop_utils.command.run_file import DATA, RunFile, StreamPart
from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.tuning.finetune import TuneConfig

CONFIGS = (GPTConfig, TrainConfig, TuneConfig, StreamPart)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**18, 10**400, -(10**400)]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["3", "cuda", "float16", "GBR", "rope", "muon", "C:\\run"]),
)
JSON = st.one_of(PLAIN, st.lists(PLAIN, max_size=2), st.dictionaries(st.text(max_size=2), PLAIN, max_size=2))


def names_of(kind) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


@st.composite
def given_values(draw):
    """A config, and values of any kind for some of its fields, now and then for one that it does not have."""
    kind = draw(st.sampled_from(CONFIGS))
    values = draw(st.dictionaries(st.sampled_from([*names_of(kind), "n_layers", "lerning_rate"]), JSON, max_size=4))
    return kind, ({"source": "a.jsonl"} if kind is StreamPart else {}) | values


@settings(max_examples=300, deadline=None)
@given(given_values())
def test_whatever_is_given_is_taken_or_refused_by_name(case):
    kind, values = case
    try:
        made = kind.from_dict(values)
    except ValueError as error:
        said = str(error)
        assert any(name in said for name in values), said
        assert len(said) < 1200
    else:
        assert json.loads(json.dumps(made.to_dict(), allow_nan=False)).keys() == set(names_of(kind))
        assert kind.from_dict(json.loads(json.dumps(made.to_dict()))) == made


WRONG = [
    (GPTConfig, "n_layer", "3", "n_layer is '3': choose a whole number from 1 .*without quotes$"),
    (GPTConfig, "n_layer", 8.0, "n_layer is 8.0: choose a whole number"),
    (GPTConfig, "n_layer", True, "n_layer is True"),
    (GPTConfig, "block_size", 0, "block_size is 0"),
    (GPTConfig, "n_head", 3, "n_embd 128 is no multiple of n_head 3"),
    (GPTConfig, "dropout", 1.5, "dropout is 1.5: choose a share from 0 to below 1"),
    (GPTConfig, "dropout", float("nan"), "dropout is nan"),
    (GPTConfig, "bias", 1, "bias is 1: choose true or false"),
    (GPTConfig, "norm", ["rmsnorm"], "choose one of layernorm, rmsnorm"),
    (TrainConfig, "learning_rate", float("inf"), "learning_rate is inf: choose a finite number above 0"),
    (TrainConfig, "beta2", 1, "beta2 is 1: choose a share from 0 to below 1"),
    (TrainConfig, "grad_clip", -1.0, "grad_clip is -1.0"),
    (TrainConfig, "checkpoint_every", 0.5, "checkpoint_every is 0.5"),
    (TrainConfig, "milestones", 0.5, r"milestones is 0.5: write a list"),
    (TrainConfig, "milestones", [0.1, 2], r"milestones\[1\] is 2"),
    (TrainConfig, "seed", -1, "seed is -1"),
    (TrainConfig, "grad_clip", float("inf"), "grad_clip is inf: choose a finite number"),
    (TrainConfig, "country", "uk", "'uk' is no country code"),
    (TrainConfig, "country", None, "country is None"),
    (TrainConfig, "dtype", "bf16", "choose one of float32, bfloat16, float16"),
    (TrainConfig, "lerning_rate", 1.0, "no field lerning_rate .did you mean learning_rate.*its fields are steps"),
    (TuneConfig, "dropout", 1, "dropout is 1"),
    (TuneConfig, "country", "XXX", "'XXX' is no country code"),
    (TuneConfig, "gradient_checkpointing", "no", "gradient_checkpointing is 'no': choose true or false"),
    (StreamPart, "source", [], "name a file, a folder"),
    (StreamPart, "val_percent", 60, "val_percent is 60: choose a whole number from 0 to 50"),
    (StreamPart, "storage_options", "key", "storage_options is 'key': choose an object"),
]


@pytest.mark.parametrize(("kind", "name", "value", "said"), WRONG)
def test_what_people_write_is_named_with_what_to_write(kind, name, value, said):
    with pytest.raises(ValueError, match=said):
        kind.from_dict({"source": "a.jsonl"} | {name: value} if kind is StreamPart else {name: value})


@pytest.mark.parametrize("kind", [TrainConfig, TuneConfig])
@pytest.mark.parametrize("country", ["gbr", " Gbr ", "GBR"])
def test_a_country_in_small_letters_is_the_country(kind, country):
    assert kind(country=country).country == "GBR"


def test_numbers_of_numpy_and_lists_become_pythons():
    made = TrainConfig(steps=np.int64(3), learning_rate=np.float32(0.5), grad_clip=1, milestones=[0.5])
    assert (made.steps, made.learning_rate, made.milestones) == (3, 0.5, (0.5,))
    assert json.dumps([made.steps, made.learning_rate, made.grad_clip]) == "[3, 0.5, 1.0]"


# --- the file of a run ----------------------------------------------------------------------------------------------


def refused(content: bytes, folder: Path) -> str:
    """What is said about a run file, after making sure that nothing was written."""
    path, out = folder / "run-file.json", folder / "out"
    path.write_bytes(content)
    before = sorted(folder.rglob("*"))
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        train_on_text(None, out, config=path)
    assert sorted(folder.rglob("*")) == before
    return str(caught.value)


@st.composite
def malformed_run_files(draw):
    """A whole run file in which one thing is wrong."""
    values = {"gpt": {"n_layer": 1}, "training": {"steps": 5}, "data": {"text": "book.txt"}, "out": "run"}
    kind, name, value, _ = draw(st.sampled_from([wrong for wrong in WRONG if wrong[0] in (GPTConfig, TrainConfig)]))
    part = "gpt" if kind is GPTConfig else "training"
    match draw(st.sampled_from(["field", "part", "data", "stream", "bytes"])):
        case "field":
            values[part][name] = value
        case "part":
            values[draw(st.sampled_from(["gpt", "training", "data", "out", "parallel", "modell"]))] = draw(
                st.one_of(st.none(), st.integers(), st.lists(PLAIN, max_size=2), st.sampled_from(["", "\0", "a\\b"]))
            )
        case "data":
            key = draw(st.sampled_from([*DATA, "texts"]))
            values["data"] = {key: draw(st.one_of(st.none(), st.booleans(), st.integers(), st.lists(PLAIN)))}
        case "stream":
            field = draw(st.sampled_from(names_of(StreamPart)))
            values["data"] = {"stream": {"source": "a.jsonl"} | {field: draw(st.sampled_from([None, -1, [[]], 2.5]))}}
            values["data"]["tokenizer"] = "t.json"
        case "bytes":
            return json.dumps(values).encode()[: draw(st.integers(0, 90))] + draw(st.binary(min_size=1, max_size=9))
    return json.dumps(values).encode()


@settings(max_examples=250, deadline=None)
@given(malformed_run_files())
def test_a_malformed_run_file_is_a_sentence_and_nothing_is_written(content):
    with tempfile.TemporaryDirectory() as folder:
        assert len(refused(content, Path(folder))) > 20


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"traning": {}}, "has traning .did you mean training"),
        ({"out": "C:\\Users\\me\\run"}, "a path of Windows"),
        ({"data": {"text": "D:book.txt"}}, "a path of Windows"),
        ({"text_sha256": None}, '"text_sha256" of .* is null'),
        ([], r"is \[\]: write an object"),
        (None, "is null: write an object"),
        ({"out": " "}, "name a file or folder"),
        ({"data": {"stream": {}, "tokenizer": "t.json"}}, 'must have a "source"'),
    ],
)
def test_parts_and_paths_of_a_run_file(values, said, tmp_path):
    assert re.search(said, refused(json.dumps(values).encode(), tmp_path))


@pytest.mark.parametrize("content", [b'{"out": "a",}', b"{'out': 'a'}", b'{"out": "C:\\users"}', b""])
def test_the_usual_slips_in_json_are_named(content, tmp_path):
    assert "a comma behind the last item, a comment, single quotes" in refused(content, tmp_path)


def test_json_that_never_ends_is_a_sentence(tmp_path):
    assert "no valid JSON" in refused(b"[" * 100_000, tmp_path)


def test_a_file_as_windows_saves_it_is_read(tmp_path):
    path = tmp_path / "run.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"data": {"text": "b.txt"}, "out": "o"}).encode())
    assert RunFile.find(None, None, path).text == Path("b.txt")
