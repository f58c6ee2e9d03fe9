"""Fine-tuning: what is trained, in which precision, resumed, stopped in time, and seen before and after."""

import json
import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from workshop_utils.chat.template import conversation
from workshop_utils.lessons.stoic_run import before_after
from workshop_utils.machine.profiles import choose
from workshop_utils.plots import coloured
from workshop_utils.tuning import finetune, lora, trainer
from workshop_utils.tuning.finetune import TuneConfig, TuningStopped, tune
from workshop_utils.tuning.trainer import build_trainer

NAME, POCKET = "some/model", choose("pocket")
ROWS = [
    conversation(f"What colour is a {thing}?", f"A {thing} is yellow.") for thing in ("banana", "user", "a", "b")
] * 2
QUICK = TuneConfig(
    steps=4, batch_size=2, grad_accum_steps=1, learning_rate=1e-2, checkpoint_every=2, eval_every=4, country=""
)


def fresh(name=NAME, **options):
    return lora.attach(lora.load_base(name, POCKET), rank=4, **options)


def tuned(folder, model=None, rows=ROWS, config=QUICK, **options):
    return tune(model or fresh(), rows, config, folder, POCKET, quiet=True, **options)


@pytest.mark.parametrize("name", [NAME, "google/gemma"])
def test_a_run_teaches_and_leaves_adapter_and_figures(tmp_path, name, capfd):
    config = replace(QUICK, steps=30, batch_size=4, checkpoint_every=30, eval_every=30, country="GBR")
    made = tune(fresh(name), ROWS[2:], config, tmp_path, POCKET, held_out=ROWS[:2])
    out, err = capfd.readouterr()
    assert "step 30/30  loss" in out
    assert "{" not in out  # transformers prints a dictionary at each step
    assert not [line for line in err.splitlines() if "Loading weights" not in line and line.strip()], err
    assert [entry["step"] for entry in made.history] == list(range(31))
    assert made.history[30]["loss"] < made.history[1]["loss"] / 2
    held_out = {entry["step"]: entry["held_out"] for entry in made.history if "held_out" in entry}
    assert list(held_out) == [0, 30]
    assert held_out[30] < held_out[0]
    written = json.loads((tmp_path / finetune.RESULT).read_text())
    assert (written["history"], written["base"]) == (made.history, name)
    assert 0 < written["trainable"] < written["parameters"]
    assert min(written[f"{what}_bytes"] for what in ("adapter", "base", "peak")) > 0
    assert written["energy"]["kind"] != "unavailable"
    # with its adapter off it is the base, with it on it is what was saved
    prompts = [row[0]["content"] for row in ROWS[:2]]
    before, after = before_after(made.model, prompts, 15)
    base = lora.load_base(name, POCKET)
    assert before == [base.reply(prompt, 15) for prompt in prompts]
    assert made.model.stop_ids() == base.stop_ids()
    again = lora.load(base, tmp_path)
    assert after == [again.reply(prompt, 15) for prompt in prompts] != before


def random_talks(n):
    """Conversations of 1 to 6 exchanges, some with a system text, with line breaks, emoji and blanks at both ends."""
    rng = random.Random(0)
    words = ["banana", "yellow", "model", "user", "é", "🙂", "a\nb", "x\n\ny", "1,000", "<b>", "end_of_turn", "a\tb"]
    for _ in range(n):
        texts = [" ".join(rng.choices(words, k=rng.randrange(1, 8))) for _ in range(2 * rng.randrange(1, 7))]
        texts[::2] = [f" {text}\n" if rng.random() < 0.2 else text for text in texts[::2]]
        yield conversation(*texts, system=rng.choice(["", "", "Be brief."]))


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
    from transformers import DataCollatorForSeq2Seq

    model, talks = fresh(name), list(random_talks(200))
    built = build_trainer(model, replace(QUICK, max_length=4096), tmp_path, talks, talks, POCKET)
    assert {p.dtype for p in lora.trained_parameters(built.model)} == {torch.float32}  # although TRL casts them
    tokenizer = model.tokenizer
    pictures = [coloured.show_mask(tokenizer, talk) for talk in talks]
    shown = Counter((tuple(picture.lines[""]), tuple(picture.trained)) for picture in pictures)
    # said without any function of ours: every reply up to its end of turn, nothing behind it
    said = Counter("".join(turn["content"] + end for turn in talk if turn["role"] == "assistant") for talk in talks)
    by_unsloth = [DataCollatorForSeq2Seq(tokenizer)([dict(row) for row in built.train_dataset])]
    for loader in (built.get_train_dataloader(), built.get_eval_dataloader(), by_unsloth):
        trained, replies = Counter(), Counter()
        for ids, labels in handed_over(loader, tokenizer.pad_token_id):
            on = tuple(label != -100 for label in labels)
            assert all(label in (-100, token) for label, token in zip(labels, ids, strict=True))
            trained[tuple(coloured.parts_of(ids, tokenizer)), on] += 1
            learnt = [token for token in labels if token != -100]
            replies[tokenizer.decode(learnt, clean_up_tokenization_spaces=False)] += 1
        assert trained == shown
        assert replies == said


def test_precision_follows_the_profile_and_nothing_else():
    for device, dtype, on in (
        ("cuda", "float16", "fp16"),
        ("cuda", "bfloat16", "bf16"),
        ("cpu", "bfloat16", "use_cpu"),
    ):
        flags = trainer.precision_flags(replace(POCKET, device=device, dtype=dtype))
        assert [name for name, value in flags.items() if value] == [on]


def test_float16_may_leave_its_first_updates_out_and_no_others():
    inf, nan = float("inf"), float("nan")

    def watched(fp16, *norms, loss=3.0):
        watch, state = trainer._watch(quiet=True), SimpleNamespace(global_step=1, max_steps=60)
        for norm in norms:
            watch.on_log(SimpleNamespace(fp16=fp16), state, None, logs={"loss": loss, "grad_norm": norm})

    watched(True, inf, nan, inf, 0.8, *[inf] * trainer.OVERFLOWS, 0.8)  # its scale is still being halved
    for fp16, norms in ((False, [nan]), (True, [inf] * (trainer.OVERFLOWS + 1)), (True, [0.8, 2e3])):
        with pytest.raises(TuningStopped, match=r"the gradient explodes at step 1: .* halve learning_rate"):
            watched(fp16, *norms)
    with pytest.raises(TuningStopped, match="the loss is nan at step 1"):
        watched(True, inf, loss=nan)


def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_happened(tmp_path):
    def interrupt(module, inputs):
        count.append(1)
        if len(count) == 4:  # in the fourth step; the last checkpoint is of the second
            raise KeyboardInterrupt

    config, count, model = replace(QUICK, country="GBR"), [], fresh()
    whole = tuned(tmp_path / "whole", config=config)
    model.model.get_base_model().model.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path / "parts", model, config=config)
    first = json.loads((tmp_path / "parts" / finetune.RESULT).read_text())
    parts = tuned(tmp_path / "parts", config=config)
    assert [entry["step"] for entry in parts.history] == [1, 2, 3, 4]
    assert parts.history[-1]["loss"] == pytest.approx(whole.history[-1]["loss"], abs=1e-3)
    pairs = zip(*(lora.trained_parameters(one.model.model) for one in (whole, parts)), strict=True)
    assert all(torch.allclose(left, right, atol=1e-4) for left, right in pairs)
    assert parts.seconds > first["seconds"] > 0  # the bill is that of both parts
    assert parts.energy.kwh > first["energy"]["kwh"] > 0
    again = tuned(tmp_path / "parts", config=config)  # of a run that has ended nothing is trained
    assert (again.steps_done, again.history) == (4, parts.history)
    pairs = zip(*(lora.trained_parameters(one.model.model) for one in (parts, again)), strict=True)
    assert all(torch.equal(left, right) for left, right in pairs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rows": [*ROWS, ROWS[0][:1]]}, "row 8: the last turn is the user's"),
        ({"held_out": [ROWS[0][:1]]}, "row 0, held out: the last turn is the user's"),
        ({"rows": []}, "there are no conversations"),
        ({"rows": {"prompt": ["a"], "completion": ["b"]}}, "row 0: .* this is of type str"),
        ({"config": replace(QUICK, steps=5)}, "a run with other settings .steps: 4 then, 5 now"),
    ],
)
def test_what_cannot_be_trained_is_named_before_anything_is_written(tmp_path, options, words):
    (tmp_path / "settings.json").write_text(json.dumps({"rows": len(ROWS)} | QUICK.to_dict()))
    with pytest.raises(ValueError, match=words):
        tuned(tmp_path, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
