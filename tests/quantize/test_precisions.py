"""Every precision keeps its promises, or a sentence says why not; and the table tells the truth about them."""

from dataclasses import replace

import pytest
import tiny_models
import torch
from torch import nn

from workshop_utils import quantize
from workshop_utils.chat import models
from workshop_utils.evaluate import paired
from workshop_utils.lessons import stoic_run
from workshop_utils.machine.profiles import choose
from workshop_utils.quantize import METHODS, floats, methods, quantise, torchao
from workshop_utils.quantize.floats import Unavailable
from workshop_utils.quantize.measure import Speed, decode_speed, logit_error, weight_bytes
from workshop_utils.tuning import lora

PROMPT = "What colour is a banana?"
IN_BLOCKS = 1_769_472  # weights of pocket-instruct that are quantised
NARROW = {"hidden_size": 48, "num_attention_heads": 3, "num_key_value_heads": 3}


@pytest.fixture(scope="module")
def profile():
    return replace(choose("pocket"), country="")


@pytest.fixture(scope="module")
def pocket(profile):
    return models.load("pocket-instruct", profile, dtype=torch.float32)


@pytest.fixture(scope="module")
def rows(pocket):
    """Chats with the model's own answers: in the distribution that it will meet."""
    questions = ("What does a cow eat?", "I am tired today.", "Where do fish live?", "Tell me a story about a fox.")
    prompts = [pocket.chat_ids(question) for question in questions]
    return [prompt + made.ids for prompt, made in zip(prompts, pocket.generate(prompts, 40), strict=True)]


def logits(model, ids) -> torch.Tensor:
    with torch.inference_mode():
        return model.model(input_ids=torch.tensor([ids])).logits.float()


# --- all methods


@pytest.mark.parametrize(
    ("method", "largest_error", "largest_share"),
    [  # of the logits of pocket-instruct, and of the bytes of float32
        ("fp32", 0.0, 1.001),
        ("bf16", 0.02, 0.501),
        ("int8", 0.04, 0.34),
        ("int8-dynamic", 0.06, 0.34),
        ("int8-static", 0.40, 0.34),
        ("int8-static-spared", 0.06, 0.50),
        ("int4", 0.30, 0.255),
        ("nf4", 0.30, 0.235),
        ("nf4-double", 0.30, 0.228),  # its scales are quantised, too
        ("gguf-f32", 1e-4, 1.001),
        ("gguf-q8_0", 0.03, 0.267),
        ("gguf-q4_0", 0.30, 0.155),
    ],
)
def test_a_method_keeps_its_promise(method, largest_error, largest_share, pocket, profile, rows):
    before = logits(pocket, rows[0])
    made = quantise(method, pocket, profile, calibration=rows[2:])
    error = logit_error(pocket, made.model, rows[:2]).relative
    assert error <= largest_error
    assert (error > 0) == (method != "fp32") or method == "gguf-f32"
    table, rest = made.weight_bytes
    assert table + rest < largest_share * 4 * pocket.n_parameters
    floats_of_table = pocket.model.get_input_embeddings().weight.numel()
    assert table == pytest.approx(
        floats_of_table * {"bf16": 2, "gguf-q8_0": 1.0625, "gguf-q4_0": 1.0625}.get(method, 4)
    )
    assert torch.equal(logits(pocket, rows[0]), before)  # the source stays as it is
    assert made.model.reply(PROMPT, 12)


def test_nf4_of_the_table_is_that_of_transformers(pocket, profile, rows, tmp_path):
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    pocket.model.save_pretrained(tmp_path)
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, quantization_config=config, dtype=torch.float32)
    lora.keep_unpacked(theirs)
    made = quantise("nf4", pocket, profile)
    assert torch.equal(logits(made.model, rows[0]), logits(replace(pocket, model=theirs.eval()), rows[0]))


def test_int4_learns_to_live_with_its_rounding_and_counts_two_codes_in_a_byte(pocket, profile, rows):
    state = torch.get_rng_state()
    control = quantise("int4", pocket, profile)
    untrained, made = (quantise("int4-qat", pocket, profile, train=rows[2:], steps=steps) for steps in (1, 6))
    assert torch.equal(torch.get_rng_state(), state)  # whatever the training draws, the lesson goes on the same
    assert logit_error(control.model, untrained.model, rows[2:]).relative < 0.1  # one step changes little
    assert logit_error(pocket, made.model, rows[2:]).kl < 0.9 * logit_error(pocket, untrained.model, rows[2:]).kl
    int8 = quantise("int8", pocket, profile)
    scales = IN_BLOCKS / 32 * 4
    assert made.weight_bytes[1] < int8.weight_bytes[1] - IN_BLOCKS * 0.49 + scales


def test_static_scales_are_the_largest_inputs_of_any_row(pocket, rows):
    together, *apart = (torchao.largest_inputs(pocket.model, part) for part in (rows[:2], rows[:1], rows[1:2]))
    assert len(together) == 28
    for name, scale in together.items():
        assert scale.shape == (1, 1, 1)
        assert scale == max(one[name] for one in apart)


def test_what_is_tied_is_counted_once(tmp_path):
    held = [
        weight_bytes(tiny_models.loaded(tmp_path / f"{tied}", tie_word_embeddings=tied).model) for tied in (True, False)
    ]
    table = tiny_models.loaded(tmp_path / "True").model.get_input_embeddings().weight.numel()
    assert held[1] - held[0] == pytest.approx(4 * table, rel=0.01)


def test_what_has_an_adapter_or_is_quantised_already_is_refused(tmp_path, profile):
    tuned = lora.attach(tiny_models.loaded(tmp_path), rank=4)
    one = replace(tuned, model=tuned.model.merge_and_unload().eval())
    ids = tuned.ids(PROMPT)
    made = {method: quantise(method, one, profile).model for method in ("int8", "nf4")}
    assert all(logit_error(one, model, [ids]).relative < 0.5 for model in made.values())  # random weights
    again = lora.attach(tiny_models.loaded(tmp_path), rank=4)
    wrong = [(again, "merge it first"), *((model, "quantised already") for model in made.values())]
    for model, words in wrong:
        with pytest.raises(ValueError, match=words):
            quantise("int8", model, profile)


# --- what cannot run


@pytest.mark.parametrize(
    ("method", "options", "shape", "words"),
    [
        ("int8-static", {}, {}, "calibration="),
        ("int4-qat", {}, {}, "train="),
        ("int4-qat", {"train": [[1, 2, 3]]}, NARROW, "groups of 32"),
        ("nf4", {}, NARROW, "blocks of 64"),
        ("gguf-q8_0", {}, {"family": "gemma2"}, "gemma2.*convert_hf_to_gguf"),
    ],
)
def test_a_method_that_cannot_run_says_why(method, options, shape, words, profile, tmp_path):
    with pytest.raises(Unavailable, match=words):
        quantise(method, tiny_models.loaded(tmp_path, **shape), profile, **options)


def test_a_machine_that_lacks_something_says_what(pocket, profile, monkeypatch):
    assert "for CPUs" in methods.lack_of("fp32", pocket, replace(profile, device="cuda"))
    monkeypatch.setattr(torchao, "free_memory_bytes", lambda device: 1000)
    assert "GB and more" in methods.lack_of("int4-qat", pocket, profile)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install" in methods.lack_of("nf4", pocket, profile)


def test_lesson_09_has_a_reference_first_and_no_row_that_cannot_be_had(profile, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1000, 15_800_000_000))
    model = tiny_models.loaded(tmp_path, "gemma2")
    capsys.readouterr()
    for device, left_out in (("cpu", set()), ("cuda", {"fp32", "int4", "int4-qat"})):
        found = stoic_run.precisions_for(replace(profile, device=device), model)
        assert set(METHODS) - set(found) == left_out | {"gguf-f32", "gguf-q8_0", "gguf-q4_0"}
        assert found[0] == ("fp32" if device == "cpu" else "bf16")
        (said,) = capsys.readouterr().out.splitlines()  # one line says why
        assert all(METHODS[name].title in said for name in left_out)


# --- the table


def test_the_error_of_logits_is_what_it_says(pocket, rows):
    found = {}
    for factor in (1.0, 1.1, -1.0):
        louder = floats.copied(pocket, torch.float32)
        louder.model.model.norm.weight.mul_(factor)  # in front of the head
        found[factor] = logit_error(pocket, louder, rows[:1])
    assert (found[1.0].relative, found[1.0].kl) == (0, 0)
    assert found[1.1].relative == pytest.approx(0.1, rel=1e-3)
    assert found[-1.0].relative == pytest.approx(2, rel=1e-3)
    one = logits(pocket, rows[0])[0]
    kl = nn.functional.kl_div((one * 1.1).log_softmax(-1), one.softmax(-1), reduction="batchmean")
    assert found[1.1].kl == pytest.approx(float(kl), rel=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda model, profile: logit_error(model, model, [[]]), "no tokens"),
        (lambda model, profile: decode_speed(model, [1, 2], 600), "fit into the 512"),
        (lambda model, profile: decode_speed(model, [1, 2], 0), "at least 1"),
        (lambda model, profile: quantize.table(["fp32", "int3"], model, profile, [[1]]), "no method 'int3'"),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(call, words, pocket, profile):
    with pytest.raises(ValueError, match=words):
        call(pocket, profile)


def test_a_table_tells_what_was_measured_and_a_second_one_the_same(pocket, profile, rows, capsys):
    def loss(model):
        return [float(logits(model, row).logsumexp(-1).mean()) for row in rows]

    def run(*names, **options):
        options |= {"scores": {"loss": loss}, "train": rows, "steps": 2}
        asked = pocket.chat_ids(PROMPT)  # 20 tokens are more than the answer "yellow." has
        return quantize.table(names, pocket, profile, rows[:2], prompt_ids=asked, new_tokens=20, repeats=1, **options)

    first = run("fp32", "int8", "int4-qat", "nf4", "gguf-q8_0", "int8-static")
    assert "NF4 ..." in capsys.readouterr().out
    fp32, int8, qat, nf4, gguf, static = first
    (again,) = run("int4-qat")
    assert replace(again, tokens_per_second=0) == replace(qat, tokens_per_second=0)
    assert fp32.kl == 0 < int8.kl < nf4.kl
    assert fp32.scores["loss"] == loss(pocket) != nf4.scores["loss"]
    assert nf4.bytes < gguf.bytes < int8.bytes < fp32.bytes
    assert nf4.table_bytes == fp32.table_bytes > gguf.table_bytes
    assert all(row.tokens_per_second > 0 and row.energy == "unavailable" for row in first[:5])
    assert "calibration=" in static.reason  # it stays in the table, with the reason
    assert static.relative is static.bytes is static.tokens_per_second is static.mean("loss") is None
    text = quantize.printed(first, "methods", "error", "loss", "speed").splitlines()
    assert text[1].split()[:3] == ["float32", "32-bit", "floats"]
    assert f"{nf4.kl:.1e}" in text[4]
    assert str(paired(fp32.scores["loss"], nf4.scores["loss"])) in text[4]
    assert text[-1].startswith("int8 static: static scales")


def test_energy_is_taken_in_five_runs_and_printed_with_its_range(pocket, profile, monkeypatch):
    runs = iter(
        [Speed(100.0, None, "unavailable"), *(Speed(90.0, wh, "estimated") for wh in (0.2, 0.1, 0.5, 0.3, 0.4))]
    )
    monkeypatch.setitem(METHODS, "fp32", replace(METHODS["fp32"], speed=lambda *_: next(runs)))
    found = quantize.table(["fp32"], pocket, replace(profile, country="DEU"), [[1]], prompt_ids=[1], energy_of=["fp32"])
    assert "0.3 (0.1 to 0.5, 5 runs), estimated" in quantize.printed(found, "speed")


def test_a_method_that_runs_out_of_gpu_memory_is_a_row_without_figures(pocket, profile, monkeypatch):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(floats.copy, "deepcopy", full)  # no GPU here could be filled
    found = quantize.table(["bf16", "nf4", "int8"], pocket, profile, [[1, 2, 3]], quiet=True)
    assert all("needs more memory than there is" in row.reason and row.bytes is None for row in found)
