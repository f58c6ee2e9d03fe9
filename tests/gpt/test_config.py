"""Configs take what makes sense and refuse the rest in a sentence, before anything is written."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop_utils.command.own_text import train_on_text
from workshop_utils.command.run_file import StreamPart
from workshop_utils.gpt import GPTConfig, TrainConfig
from workshop_utils.tuning.finetune import TuneConfig

NUMBERS = st.none() | st.booleans() | st.integers() | st.floats() | st.just(10**18)
PLAIN = NUMBERS | st.text(max_size=8) | st.sampled_from(["3", "cuda", "float16", "GBR", "rope", "muon"])
JSON = PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(st.text(max_size=2), PLAIN, max_size=2)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_is_given_is_taken_or_refused_by_name(data):
    kind = data.draw(st.sampled_from([GPTConfig, TrainConfig, TuneConfig, StreamPart]))
    names = [*(field.name for field in dataclasses.fields(kind)), "lerning_rate"]
    values = data.draw(st.dictionaries(st.sampled_from(names), JSON, max_size=4))
    if kind is StreamPart:
        values = {"source": "a.jsonl"} | values
    try:
        made = kind.from_dict(values)
    except ValueError as error:
        made, said = None, str(error)
    if made is None:
        assert any(name in said for name in values)
    else:
        assert kind.from_dict(json.loads(json.dumps(made.to_dict(), allow_nan=False))) == made


@pytest.mark.parametrize(
    ("kind", "name", "value", "words"),
    [
        (GPTConfig, "n_layer", "3", "n_layer is '3': choose a whole number from 1 .*without quotes$"),
        (GPTConfig, "n_layer", True, "n_layer is True"),
        (GPTConfig, "n_head", 3, "n_embd 128 is no multiple of n_head 3: choose for example 129"),
        (GPTConfig, "dropout", 1.5, "dropout is 1.5: choose a share from 0 to below 1"),
        (GPTConfig, "dropout", float("nan"), "dropout is nan"),
        (TrainConfig, "warmup", 60, "warmup is 60: choose a share from 0 to 1"),
        (GPTConfig, "bias", 1, "bias is 1: choose true or false"),
        (GPTConfig, "norm", ["rmsnorm"], "choose one of layernorm, rmsnorm"),
        (TrainConfig, "learning_rate", float("inf"), "learning_rate is inf: choose a finite number above 0"),
        (TrainConfig, "milestones", 0.5, r"milestones is 0.5: write a list"),
        (TrainConfig, "milestones", [0.1, 2], r"milestones\[1\] is 2"),
        (TrainConfig, "dtype", "float16", "float16 on a CPU is slow"),
        (TrainConfig, "", 1.0, 'no field "": its fields are steps'),
        (TrainConfig, "lerning_rate", 1.0, "no field lerning_rate .did you mean learning_rate.*its fields are steps"),
        (StreamPart, "source", [], "name a file, a folder"),
        (StreamPart, "storage_options", "key", "storage_options is 'key': choose an object"),
    ],
)
def test_what_people_write_is_named_with_what_to_write(kind, name, value, words):
    with pytest.raises(ValueError, match=words):
        kind.from_dict({"source": "a.jsonl"} | {name: value} if kind is StreamPart else {name: value})


def test_values_become_pythons_own():
    made = TrainConfig(steps=np.int64(3), learning_rate=np.float32(0.5), grad_clip=1, milestones=[0.5])
    assert (made.learning_rate, made.milestones) == (0.5, (0.5,))
    assert json.dumps([made.steps, made.learning_rate, made.grad_clip]) == "[3, 0.5, 1.0]"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"traning": {}}, "has traning .did you mean training"),
        ({"gpt": {"n_layer": "3"}, "data": {"text": "b.txt"}, "out": "o"}, "n_layer is '3'"),
        ({"out": "C:\\Users\\me\\run"}, "a path of Windows"),
        (b'{"out": "a",}', "a comma behind the last item, a comment, single quotes"),
        (b"[" * 100_000, "no valid JSON"),
    ],
)
def test_a_malformed_run_file_is_a_sentence_and_nothing_is_written(content, words, tmp_path):
    path = tmp_path / "run.json"
    as_windows_saves_it = b"\xef\xbb\xbf" + json.dumps(content, default=str).encode()
    path.write_bytes(content if isinstance(content, bytes) else as_windows_saves_it)
    with pytest.raises(ValueError, match=words):
        train_on_text(None, tmp_path / "out", config=path)
    assert list(tmp_path.iterdir()) == [path]
