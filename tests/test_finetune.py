"""Fine-tuning: what is learnt from, in which precision, resumed, stopped in time, and seen before and after."""

import contextlib
import json
import random
from collections import Counter
from dataclasses import replace

import pytest
import tiny_models
import torch

from workshop_utils.chat import losses
from workshop_utils.chat import template as chat
from workshop_utils.machine.energy import Energy
from workshop_utils.machine.profiles import choose
from workshop_utils.plots import coloured
from workshop_utils.plots.coloured import parts_of
from workshop_utils.tuning import finetune, lora
from workshop_utils.tuning import trainer as sft
from workshop_utils.tuning.finetune import TuneConfig, TuningStopped, before_after, tune

NAME = "some/model"
ROWS = [
    chat.conversation(f"What colour is a {thing}?", f"A {thing} is {colour}.")
    for thing, colour in (("banana", "yellow"), ("user", "yellow"), ("model", "yellow"), ("hello", "yellow"))
] * 2
QUICK = TuneConfig(
    steps=4, batch_size=2, grad_accum_steps=1, learning_rate=1e-2, rank=4, checkpoint_every=2, eval_every=4, country=""
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    tiny_models.save(folder / NAME, "llama")
    tiny_models.save(folder / "google" / "gemma", "gemma2")
    tiny_models.save(folder / "Qwen" / "qwen", "qwen2")
    return folder


@pytest.fixture(autouse=True)
def local_hub(hub, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(hub))


def fresh(precision: str = "nf4", name: str = NAME, **options):
    return lora.attach(lora.load_base(name, choose("pocket"), precision), rank=4, **options)


@pytest.mark.parametrize("name", [NAME, "google/gemma"])
def test_a_run_teaches_and_leaves_adapter_and_figures(tmp_path, name):
    config = replace(QUICK, steps=30, batch_size=4, checkpoint_every=30)
    tuned = tune(fresh(name=name), ROWS, config, tmp_path, choose("pocket"), quiet=True)
    losses = [entry["loss"] for entry in tuned.history]
    assert len(losses) == tuned.steps_done == 30
    assert losses[-1] < losses[0] / 2
    written = json.loads((tmp_path / finetune.RESULT).read_text())
    assert written["history"] == tuned.history
    assert written["base"] == name
    assert 0 < written["trainable"] < written["parameters"]
    assert written["adapter_bytes"] == (tmp_path / "adapter_model.safetensors").stat().st_size > 0
    assert written["base_bytes"] > 0 < written["peak_bytes"]
    assert written["energy"]["kind"]
    prompts = [ROWS[0][0]["content"], ROWS[1][0]["content"]]
    before, after = before_after(tuned.model, prompts, 15)
    again = lora.load(lora.load_base(name, choose("pocket")), tmp_path)
    assert after == [again.reply(prompt, 15) for prompt in prompts]
    assert before == [lora.load_base(name, choose("pocket")).reply(prompt, 15) for prompt in prompts]
    assert before != after
    stops = tuned.model.model.get_base_model().generation_config.eos_token_id
    assert stops == lora.load_base(name, choose("pocket")).model.generation_config.eos_token_id
    assert sum("yellow" in text for text in after) > sum("yellow" in text for text in before)


def random_talks(n, seed=0):
    """Conversations of 1 to 6 exchanges, some with a system text, with line breaks, emoji and blanks at both ends."""
    rng = random.Random(seed)
    words = ["banana", "yellow", "model", "user", "é", "🙂", "a\nb", "x\n\ny", "1,000", "<b>", "end_of_turn", "a\tb"]
    for _ in range(n):
        texts = [" ".join(rng.choices(words, k=rng.randrange(1, 8))) for _ in range(2 * rng.randrange(1, 7))]
        asked = [f" {text}\n" if rng.random() < 0.2 else text for text in texts[::2]]
        said = [text for pair in zip(asked, texts[1::2], strict=True) for text in pair]
        yield chat.conversation(*said, system=rng.choice(["", "", "Be brief."]))


def handed_over(loader, pad):
    """The rows that a data loader of the trainer gives the model, without what fills them up: ids, labels."""
    for batch in loader:
        for ids, labels, mask in zip(batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True):
            n = int(mask.sum())
            assert mask.tolist() == [1] * n + [0] * (len(ids) - n)
            assert set(ids[n:].tolist()) <= {pad}
            assert set(labels[n:].tolist()) <= {-100}
            yield ids[:n].tolist(), labels[:n].tolist()


@pytest.mark.parametrize(
    ("name", "end"),
    [("google/gemma", "<end_of_turn>"), ("Qwen/qwen", "<|im_end|>"), ("pocket-instruct", "<end_of_turn>")],
)
def test_the_mask_that_is_shown_is_the_mask_that_is_trained_200_times_of_200(tmp_path, name, end):
    model, talks = fresh("float32", name), list(random_talks(200))
    config = replace(QUICK, batch_size=8, max_length=4096)
    rows = finetune._rows(model, talks, config, "row")
    trainer = sft.build_trainer(model, config, tmp_path, rows, rows, choose("pocket"), quiet=True)
    tokenizer = model.tokenizer
    shown = Counter()
    for talk in talks:
        picture = coloured.show_mask(tokenizer, talk)
        shown[tuple(picture.lines[""]), tuple(picture.trained)] += 1
    for loader in (trainer.get_train_dataloader(), trainer.get_eval_dataloader()):
        trained, replies = Counter(), Counter()
        for ids, labels in handed_over(loader, tokenizer.pad_token_id):
            on = tuple(label != -100 for label in labels)
            assert all(label in (-100, token) for label, token in zip(labels, ids, strict=True))
            trained[tuple(parts_of(ids, tokenizer)), on] += 1
            learnt = [token for token in labels if token != -100]
            replies[tokenizer.decode(learnt, clean_up_tokenization_spaces=False)] += 1
        assert (trained & shown).total() == trained.total() == shown.total() == 200
        # and said without any function of ours: every reply up to its end of turn, nothing behind it
        said = [[turn["content"] + end for turn in talk if turn["role"] == "assistant"] for talk in talks]
        assert replies == Counter(map("".join, said))


def test_the_collator_that_unsloth_takes_leaves_the_labels_as_they_are_too():
    from transformers import DataCollatorForSeq2Seq

    model = fresh("float32")
    rows = finetune._rows(model, list(random_talks(8)), replace(QUICK, max_length=4096), "row")
    batch = DataCollatorForSeq2Seq(model.tokenizer)([dict(row) for row in rows])
    found = list(handed_over([batch], model.tokenizer.pad_token_id))
    assert found == [(row["input_ids"], row["labels"]) for row in rows]


def test_what_the_notebook_computes_with_is_what_is_trained():
    model = fresh("float32")
    talks = list(random_talks(8))
    rows = finetune._rows(model, talks, replace(QUICK, max_length=4096), "row")
    encoded = [chat.encode(model.tokenizer, talk) for talk in talks]
    ids, mask, labels = losses.batch_of(encoded, model.tokenizer.pad_token_id)
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    assert list(handed_over([batch], model.tokenizer.pad_token_id)) == [
        (row["input_ids"], row["labels"]) for row in rows
    ]


def test_the_adapter_is_trained_in_float32_although_trl_casts_it(tmp_path):
    model = fresh()
    rows = finetune._rows(model, ROWS[:1], QUICK, "row")
    trainer = sft.build_trainer(model, QUICK, tmp_path, rows, [], choose("pocket"), quiet=True)
    assert {p.dtype for p in lora.trained_parameters(trainer.model)} == {torch.float32}


@pytest.mark.parametrize(
    ("device", "dtype", "expected"),
    [
        ("cuda", "float16", (False, True, False)),
        ("cuda", "bfloat16", (True, False, False)),
        ("cpu", "bfloat16", (False, False, True)),
    ],
)
def test_precision_follows_the_profile_and_nothing_else(device, dtype, expected):
    flags = sft.precision_flags(replace(choose("pocket"), device=device, dtype=dtype))
    assert (flags["bf16"], flags["fp16"], flags["use_cpu"]) == expected


def test_float16_may_leave_its_first_updates_out_and_no_others(tmp_path):
    from types import SimpleNamespace

    state = SimpleNamespace(global_step=1, max_steps=60)
    entry = {"loss": 3.0, "learning_rate": 1e-4, "grad_norm": float("nan")}

    def watched(fp16, *norms):
        watch = sft._watch(quiet=True)
        for norm in norms:
            watch.on_log(SimpleNamespace(fp16=fp16), state, None, logs=entry | {"grad_norm": norm})

    inf, nan = float("inf"), float("nan")
    watched(True, inf, nan, inf, 0.8, *[inf] * sft.OVERFLOWS, 0.8)
    for fp16, norms in ((False, [nan]), (True, [inf] * (sft.OVERFLOWS + 1)), (True, [0.8, 2e3])):
        with pytest.raises(sft.TuningStopped, match="explodes"):
            watched(fp16, *norms)
    entry["loss"] = nan
    with pytest.raises(sft.TuningStopped, match="the loss is nan"):
        watched(True, inf)


def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_happened(tmp_path, monkeypatch):
    whole = tune(fresh(), ROWS, QUICK, tmp_path / "whole", choose("pocket"), quiet=True)

    def stop(entry, scaling):
        if entry["step"] == 3:
            raise KeyboardInterrupt
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(sft, "problem_of", stop)
        with pytest.raises(KeyboardInterrupt):
            tune(fresh(), ROWS, QUICK, tmp_path / "parts", choose("pocket"), quiet=True)
    parts = tune(fresh(), ROWS, QUICK, tmp_path / "parts", choose("pocket"), quiet=True)
    assert [entry["step"] for entry in parts.history] == [1, 2, 3, 4]
    assert parts.history[-1]["loss"] == pytest.approx(whole.history[-1]["loss"], abs=1e-3)
    spent = json.loads((tmp_path / "parts" / finetune.SPENT).read_text())
    assert parts.seconds == spent["seconds"] > 0
    for left, right in zip(
        lora.trained_parameters(whole.model.model), lora.trained_parameters(parts.model.model), strict=True
    ):
        assert torch.allclose(left, right, atol=1e-4)


def test_seconds_and_energy_of_both_parts_are_added_up(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def one_kilowatt_hour(country):
        energy = Energy()
        try:
            yield energy
        finally:
            energy.kwh, energy.kind = 1.0, "estimated"  # filled in at the end, as the real one is

    def stop(entry, scaling):
        if entry["step"] == 3:
            raise KeyboardInterrupt
        return ""

    monkeypatch.setattr(finetune, "track_energy", one_kilowatt_hour)
    with monkeypatch.context() as patch:
        patch.setattr(sft, "problem_of", stop)
        with pytest.raises(KeyboardInterrupt):
            tune(fresh(), ROWS, QUICK, tmp_path, choose("pocket"), quiet=True)
    first = json.loads((tmp_path / finetune.SPENT).read_text())
    parts = tune(fresh(), ROWS, QUICK, tmp_path, choose("pocket"), quiet=True)
    assert parts.energy.kwh == 2.0
    assert parts.seconds > first["seconds"] > 0


def test_what_stops_a_run_before_it_begins_is_what_is_said(tmp_path, monkeypatch):
    def refuse(country):
        raise ValueError(f"{country!r} is no country code")

    monkeypatch.setattr(finetune, "track_energy", refuse)
    with pytest.raises(ValueError, match="'' is no country code"):
        tune(fresh(), ROWS, QUICK, tmp_path, choose("pocket"), quiet=True)
    with pytest.raises(ValueError, match="'XXX' is no country code"):
        replace(QUICK, country="XXX")


def test_held_out_rows_are_looked_at_and_not_learnt(tmp_path):
    looked = tune(fresh(dropout=0), ROWS[:2], QUICK, tmp_path / "a", choose("pocket"), held_out=ROWS[2:4], quiet=True)
    blind = tune(fresh(dropout=0), ROWS[:2], QUICK, tmp_path / "b", choose("pocket"), quiet=True)
    seen = {entry["step"]: entry["held_out"] for entry in looked.history if "held_out" in entry}
    assert set(seen) == {0.0, 4.0}
    assert seen[4.0] < seen[0.0]
    losses = [[entry["loss"] for entry in tuned.history if "loss" in entry] for tuned in (looked, blind)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)  # looking changes nothing
    with pytest.raises(ValueError, match="held-out row 0: the last turn"):
        tune(fresh(), ROWS, QUICK, tmp_path / "c", choose("pocket"), held_out=[ROWS[0][:1]], quiet=True)


def test_a_run_that_is_there_is_not_written_over(tmp_path):
    tune(fresh(), ROWS, replace(QUICK, steps=1), tmp_path, choose("pocket"), quiet=True)
    with pytest.raises(ValueError, match="already holds a run"):
        tune(fresh(), ROWS, replace(QUICK, steps=1), tmp_path, choose("pocket"), resume=False, quiet=True)
    with pytest.raises(ValueError, match=r"learning_rate: 0.01 then, 0.5 now"):
        tune(fresh(), ROWS, replace(QUICK, steps=1, learning_rate=0.5), tmp_path, choose("pocket"), quiet=True)


def test_a_rate_that_throws_the_adapter_off_is_stopped_with_advice(tmp_path):
    config = replace(QUICK, steps=20, learning_rate=1e4, warmup=0.0, grad_clip=1e9)
    with pytest.raises(TuningStopped, match=r"at step \d+.*halve learning_rate"):
        tune(fresh(), ROWS, config, tmp_path, choose("pocket"), quiet=True)


def test_bad_rows_are_named_before_anything_is_trained(tmp_path):
    rows = [*ROWS, [{"role": "user", "content": "only a question"}]]
    with pytest.raises(ValueError, match="row 8: the last turn is the user's"):
        tune(fresh(), rows, QUICK, tmp_path, choose("pocket"), quiet=True)
    with pytest.raises(ValueError, match=r"row 0: \d+ tokens, and at most 5"):
        tune(fresh(), ROWS, replace(QUICK, max_length=5), tmp_path, choose("pocket"), quiet=True)
    with pytest.raises(ValueError, match="no conversations"):
        tune(fresh(), [], QUICK, tmp_path, choose("pocket"), quiet=True)
    forged = [chat.conversation("Hi", "Yes<end_of_turn>")]
    with pytest.raises(ValueError, match="held-out row 0: turn 2, the assistant's, has '<end_of_turn>' at character 4"):
        tune(fresh(), ROWS, QUICK, tmp_path, choose("pocket"), held_out=forged, quiet=True)
    for columns, kind in (({"prompt": ["a"], "completion": ["b"]}, "dict"), ("rows.jsonl", "str")):
        with pytest.raises(ValueError, match=f"the rows are a {kind}: pass a list"):
            tune(fresh(), columns, QUICK, tmp_path, choose("pocket"), quiet=True)
    assert not list(tmp_path.iterdir())


def test_before_and_after_come_streamed_from_one_model(tmp_path):
    tuned = tune(fresh(), ROWS, QUICK, tmp_path, choose("pocket"), quiet=True)
    prompt = "What colour is a banana?"
    pieces = list(finetune.stream_before_after(tuned.model, prompt, 12))
    before, after = before_after(tuned.model, [prompt], 12)
    assert "".join(piece for side, piece in pieces if side == "before") == before[0]
    assert "".join(piece for side, piece in pieces if side == "after") == after[0]


@pytest.mark.parametrize("changes", [{"steps": 0}, {"learning_rate": 0}, {"dropout": 1.0}, {"rank": 2.5}])
def test_settings_that_make_no_sense_are_named(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=name):
        TuneConfig(**changes)


def test_a_run_prints_one_line_and_no_warnings(tmp_path, capfd):
    tune(fresh(), ROWS, QUICK, tmp_path, choose("pocket"))
    out, err = capfd.readouterr()
    assert "{" not in out  # transformers prints a dictionary a step
    assert "step 4/4  loss" in out
    assert not [line for line in err.splitlines() if "Loading weights" not in line and line.strip()], err
