"""The GPT agrees with transformers' GPT-2, and what it generates does not depend on the shortcut that made it."""

import math
import time

import pytest
import torch
import torch.nn.functional as F

from workshop_utils.gpt.gpt2 import from_hf, to_hf
from workshop_utils.gpt.model import GPT, GPTConfig, attention_weights, written_attention
from workshop_utils.gpt.sampling import LayerCache, generate_text, sample_next
from workshop_utils.text.tokenizer import train_bpe

SMALL = {"block_size": 32, "vocab_size": 96, "n_layer": 3, "n_head": 4, "n_embd": 64}
SHAPES = [
    {},
    {"position": "rope"},
    {"norm": "rmsnorm", "bias": False},
    {"position": "rope", "norm": "rmsnorm", "attention": "written"},
    {"position": "rope", "norm": "rmsnorm", "activation": "swiglu", "bias": False},
]


def small(seed: int = 0, **changes) -> GPT:
    torch.manual_seed(seed)
    model = GPT(GPTConfig(**SMALL | changes))
    for parameter in model.parameters():  # larger than the initialisation, so that differences show
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def ids(rows: int = 2, length: int = 20, seed: int = 1) -> torch.Tensor:
    return torch.randint(0, 96, (rows, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("activation", ["gelu_new", "gelu"])
def test_logits_equal_transformers_gpt2_both_ways(activation):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(3)
    shape = {"vocab_size": 96, "n_positions": 32, "n_embd": 64, "n_layer": 3, "n_head": 4}
    theirs = GPT2LMHeadModel(GPT2Config(**shape, activation_function=activation, initializer_range=0.2)).eval()
    ours = from_hf(theirs).eval()
    with torch.no_grad():
        expected = theirs(ids()).logits
        assert torch.allclose(ours(ids(), all_logits=True)[0], expected, atol=1e-4)
        assert torch.allclose(to_hf(ours).eval()(ids()).logits, expected, atol=1e-4)


def test_gpt2_itself_comes_from_a_local_copy_and_is_not_waited_for_without_a_network(tmp_path, monkeypatch):
    from transformers import GPT2Config, GPT2LMHeadModel

    from workshop_utils.chat.models import ModelUnavailable, pretrained_gpt2

    start = time.perf_counter()
    monkeypatch.setattr("workshop_utils.machine.hub.hub_reachable", lambda: (False, "the wifi is gone"))
    with pytest.raises(ModelUnavailable, match="the wifi is gone"):
        pretrained_gpt2()
    assert time.perf_counter() - start < 10
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="holds no openai-community/gpt2"):
        pretrained_gpt2()
    tiny = GPT2LMHeadModel(GPT2Config(vocab_size=96, n_positions=32, n_embd=64, n_layer=1, n_head=4))
    tiny.save_pretrained(tmp_path / "openai-community" / "gpt2")
    assert torch.equal(pretrained_gpt2().lm_head.weight, tiny.lm_head.weight)


def test_our_loss_is_transformers_loss():
    model = small()
    x = ids()
    _, loss = model(x[:, :-1], x[:, 1:])
    assert loss.item() == pytest.approx(to_hf(model)(x, labels=x).loss.item(), abs=1e-4)


def test_to_hf_without_biases():
    model = small(bias=False)
    with torch.no_grad():
        assert torch.allclose(to_hf(model)(ids()).logits, model(ids(), all_logits=True)[0], atol=1e-4)


def test_other_architectures_are_refused():
    from transformers import LlamaConfig, LlamaForCausalLM

    llama = LlamaForCausalLM(
        LlamaConfig(vocab_size=96, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2)
    )
    with pytest.raises(ValueError, match="llama"):
        from_hf(llama)
    with pytest.raises(ValueError, match="rope"):
        to_hf(small(position="rope"))


@pytest.mark.parametrize("changes", SHAPES)
def test_a_position_never_sees_the_future(changes):
    model, x = small(**changes), ids()
    changed = x.clone()
    changed[:, 12:] = (changed[:, 12:] + 1) % 96
    with torch.no_grad():
        before, after = model(x, all_logits=True)[0], model(changed, all_logits=True)[0]
    assert torch.allclose(before[:, :12], after[:, :12], atol=1e-5)
    assert not torch.allclose(before[:, 12], after[:, 12], atol=1e-2)


@pytest.mark.parametrize("changes", SHAPES)
@pytest.mark.parametrize("length", [3, 31])
def test_greedy_with_the_cache_equals_greedy_without(changes, length):
    model = small(**changes)
    prompt = ids(length=length)
    fast = model.generate(prompt, 45, temperature=0)  # 45 tokens: well beyond block_size, where the window slides
    slow = model.generate(prompt, 45, temperature=0, use_cache=False)
    assert torch.equal(fast, slow)
    assert fast.shape == (2, length + 45)


@pytest.mark.parametrize("attention", ["sdpa", "written"])
@pytest.mark.parametrize("position", ["learned", "rope"])
@pytest.mark.parametrize("pieces", [(5, 7, 8), (5, 1, 14), (19, 1), (1, 19)])
def test_several_new_tokens_behind_a_filled_cache_see_what_they_see_without_one(attention, position, pieces):
    model, x = small(attention=attention, position=position), ids()
    cache, found = [LayerCache(32) for _ in range(3)], []
    with torch.no_grad():
        whole = small(position=position)(x, all_logits=True)[0]
        for piece in x.split(pieces, dim=1):
            found.append(model(piece, all_logits=True, cache=cache)[0])
    assert torch.allclose(torch.cat(found, dim=1), whole, atol=1e-4)


def test_a_blank_at_the_end_of_a_prompt_is_written_by_the_next_token():
    text = "the big cat sat on the big mat and the red cat sat on the red mat "
    encoding = train_bpe([text] * 4, 285, at_most=True)
    torch.manual_seed(0)
    model = GPT(GPTConfig(block_size=16, vocab_size=encoding.n_vocab, n_layer=1, n_head=2, n_embd=32))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    row = torch.tensor([[encoding.eot_token, *encoding.encode_ordinary(text.strip())][:16]])
    for _ in range(60):
        loss = model(row[:, :-1], row[:, 1:])[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for prompt in ("the big", "the big "):
        (written,) = generate_text(model, encoding, prompt, 3, temperature=0)
        assert written.startswith("the big cat sat"), written
    for prompt in ("the big ", "the  ", " "):
        for written in generate_text(model, encoding, prompt, 2, temperature=5.0, n=20):
            assert written.startswith(prompt), written
    assert generate_text(model, encoding, "the ", 0) == ["the "]
    assert generate_text(model, encoding, " ", 2, document_start=False)[0].startswith(" ")


def test_written_attention_equals_torch_and_ignores_the_future():
    q, k, v = (torch.randn(2, 4, 7, 16, generator=torch.Generator().manual_seed(i)) for i in range(3))
    assert torch.allclose(
        written_attention(q, k, v), F.scaled_dot_product_attention(q, k, v, is_causal=True), atol=1e-6
    )
    weights = attention_weights(q, k)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 4, 7), atol=1e-6)
    assert torch.equal(weights.triu(1), torch.zeros_like(weights))


def test_attention_maps_are_the_weights_that_the_forward_pass_uses():
    model = small(attention="written")
    maps = model.attention_maps(ids())
    assert maps.shape == (3, 2, 4, 20, 20)
    block = model.blocks[0]
    x, rope = model._embed(ids())
    _, _, v = block.attn.qkv(block.ln_1(x), rope)
    joined = (maps[0] @ v).transpose(1, 2).reshape(2, 20, 64)
    assert torch.allclose(block.attn.c_proj(joined), block.attn(block.ln_1(x)), atol=1e-5)


def test_weight_tying_and_parameter_count():
    model = GPT(GPTConfig(block_size=64, vocab_size=128, n_layer=2, n_head=2, n_embd=32))
    assert model.lm_head.weight is model.transformer["wte"].weight
    blocks = 2 * (12 * 32 * 32 + 13 * 32)  # per block: 12 C^2 weights, 9 C biases, 4 C norms
    assert model.num_params() == 128 * 32 + 64 * 32 + blocks + 2 * 32
    assert model.num_params(non_embedding=True) == model.num_params() - 64 * 32


def test_parameter_count_of_the_24_layer_model():
    with torch.device("meta"):
        model = GPT(GPTConfig(2048, 50304, n_layer=24, n_head=32, n_embd=2048, bias=False))
    assert model.num_params() == 1_315_276_800


def test_a_fresh_model_bets_evenly():
    torch.manual_seed(0)
    model = GPT(GPTConfig(**SMALL))
    x = ids(8, 32)
    _, loss = model(x[:, :-1], x[:, 1:])
    assert loss.item() == pytest.approx(math.log(96), abs=0.1)


def test_positions_with_target_minus_one_do_not_count():
    model, x = small(), ids()
    targets = x[:, 1:].clone()
    targets[0, 5:] = -1
    targets[1] = -1
    _, loss = model(x[:, :-1], targets)
    _, expected = model(x[:1, :5], x[:1, 1:6])
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)


def test_too_long_a_text_is_a_sentence():
    with pytest.raises(ValueError, match="33 tokens long and block_size is 32"):
        small()(ids(length=33))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_head": 5}, "n_embd 64 is no multiple of n_head 5"),
        ({"n_head": 64, "position": "rope"}, "make it even"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"position": "alibi"}, "choose one of learned, rope"),
        ({"n_layer": 0}, "n_layer is 0"),
    ],
)
def test_a_config_that_makes_no_sense_is_a_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        GPTConfig(**SMALL | change)


def test_config_survives_json():
    import json

    config = GPTConfig(**SMALL)
    assert GPTConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ValueError, match="no field n_heads"):
        GPTConfig.from_dict({"n_heads": 4})


def test_top_k_and_top_p_never_draw_what_they_forbid():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(4000, 1)
    generator = torch.Generator().manual_seed(0)
    assert set(sample_next(logits, top_k=2, generator=generator).tolist()) == {0, 1}
    assert set(sample_next(logits, top_p=0.5, generator=generator).tolist()) == {0}
    assert set(sample_next(logits, top_p=0.51, generator=generator).tolist()) == {0, 1}
    drawn = sample_next(logits, generator=generator).bincount(minlength=4) / 4000
    assert torch.allclose(drawn, torch.tensor([0.5, 0.3, 0.15, 0.05]), atol=0.03)


def test_temperature_sharpens_and_flattens():
    logits = torch.log(torch.tensor([[0.6, 0.4]])).repeat(4000, 1)
    generator = torch.Generator().manual_seed(0)
    share = [(sample_next(logits, t, generator=generator) == 0).float().mean().item() for t in (0.5, 1.0, 2.0)]
    # p^(1/t), normalised: .36/(.36+.16), .6, sqrt(.6)/(sqrt(.6)+sqrt(.4))
    assert share == pytest.approx([0.692, 0.6, 0.551], abs=0.03)
    assert sample_next(logits, temperature=0).eq(0).all()


def test_same_seed_same_text_other_seed_other_text():
    model = small()

    def run(seed):
        return model.generate(ids(), 20, generator=torch.Generator().manual_seed(seed))

    assert torch.equal(run(7), run(7))
    assert not torch.equal(run(7), run(8))


def test_rows_stop_at_the_stop_token_and_the_others_go_on():
    model = small()
    free = model.generate(ids(), 30, temperature=0)
    stop = int(free[0, 20 + 4])  # what row 0 says fourth
    out = model.generate(ids(), 30, temperature=0, stop_token=stop)
    first = (out[0, 20:] == stop).nonzero()[0, 0]
    assert torch.equal(out[0, 20 : 20 + first + 1], free[0, 20 : 20 + first + 1])
    assert (out[0, 20 + first :] == stop).all()
    before = (free[1, 20:] != stop).long().cumprod(0).bool()
    assert torch.equal(out[1, 20:][before[: out.size(1) - 20]], free[1, 20:][before][: out.size(1) - 20])


def test_streaming_gives_what_generate_gives_and_leaves_the_mode_alone():
    model = small().train()
    streamed = torch.stack(list(model.stream(ids(), 10, temperature=0)), dim=1)
    assert model.training
    assert torch.equal(streamed, model.generate(ids(), 10, temperature=0)[:, 20:])


def test_what_was_written_can_be_trained_on():
    model = small()
    for written in (model.generate(ids(), 10), next(model.stream(ids(), 1))[:, None]):
        model(written, written)[1].backward()  # autograd refuses what inference mode made


def test_generation_leaves_gradients_alone():
    model, x = small(), ids()

    def gradient():
        model.zero_grad()
        model(x[:, :-1], x[:, 1:])[1].backward()
        return model.blocks[0].attn.c_attn.weight.grad.clone()

    before = gradient()
    model.generate(x, 5)
    assert torch.equal(before, gradient())


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": -1},
        {"temperature": 1e-320},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
    ],
)
def test_bad_sampling_arguments_are_sentences(bad):
    with pytest.raises(ValueError, match=f"{next(iter(bad))} is"):
        small().generate(ids(), 2, **bad)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("temperature", [0, 1])
def test_weights_that_a_diverged_training_left_are_a_sentence(broken, temperature):
    with pytest.raises(ValueError, match="its weights are broken"):
        sample_next(torch.tensor([[0.0, broken]]), temperature)


def test_empty_prompt_is_a_sentence():
    with pytest.raises(ValueError, match="at least one token"):
        small().generate(torch.zeros(1, 0, dtype=torch.int64), 2)


def test_generate_text_refuses_a_larger_tokenizer():
    import tiktoken

    encoding = tiktoken.Encoding(
        "bytes", pat_str=r"\S+|\s+", mergeable_ranks={bytes([i]): i for i in range(256)}, special_tokens={"<|e|>": 256}
    )
    with pytest.raises(ValueError, match="257 tokens and the model 96"):
        generate_text(small(), encoding, "hello")
