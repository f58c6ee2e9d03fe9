"""The trainer for a GPU, on a CPU with a handful of texts: rows of whole documents, models that load and compute."""

import json

import build_pocket
import numpy as np
import packed
import pytest
import torch
import train_packed
from pocket_world import card
from transformers import AutoModelForCausalLM


def test_documents_stay_whole_and_apart_in_their_rows():
    rng = np.random.default_rng(0)
    documents = [(rng.integers(0, 1000, n).tolist(), None) for n in rng.integers(20, 400, 60)]
    x, y, of = packed.pack(documents, 0)
    found = sorted(
        (*x[row][of[row] == number].tolist(), int(y[row][of[row] == number][-1]))
        for row in range(len(x)) for number in range(1, of[row].max() + 1)
    )  # fmt: skip
    assert found == sorted(tuple(ids) for ids, _ in documents)
    learnt = packed.pack([([1, 2, 3, 4], [False, False, True, False])], 0)[1]
    assert learnt[0][:4].tolist() == [-1, 3, -1, -1]


def test_both_models_are_written_and_compute_what_was_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(build_pocket, "SHAPE", build_pocket.SHAPE.__class__(**(build_pocket.SHAPE.to_dict() | SMALL)))
    plan = packed.Plan
    monkeypatch.setattr(packed, "Plan", lambda **options: plan(**(options | {"steps": 10, "batch": 2})))
    train_packed.main(["--device", "cpu", "--share", "0.0004", "--out", str(tmp_path)])
    for name in ("base", "instruct"):
        built = json.loads((tmp_path / name / card.BUILT).read_text())
        assert built["run"]["steps_done"] == 10
        llama = AutoModelForCausalLM.from_pretrained(tmp_path / name, dtype=torch.float32)
        assert sum(one.numel() for one in llama.parameters()) == built["parameters"]
    shape = packed.Shape(1, 64, 2, 192, 1152)
    weights = packed.fresh(shape, 0)
    x = torch.randint(0, 1152, (1, packed.ROW))
    loss = packed.Model(shape, "cpu").loss(weights, x, x.roll(-1, 1), torch.ones_like(x))
    llama.load_state_dict(packed.as_llama(weights, shape))
    logits = llama(x).logits[0]
    assert float(loss) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, x.roll(-1, 1)[0])), abs=0.01)


SMALL = {"n_layer": 1, "n_head": 2, "n_embd": 64}
