"""The GPT agrees with transformers' GPT-2, and what it generates does not depend on the shortcut that made it."""

import gc
import math
import weakref
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import tiktoken
import torch

from workshop_utils.gpt import GPT, GPTConfig, from_hf, generate_text, to_hf
from workshop_utils.gpt.sampling import sample_next
from workshop_utils.kernels import graphs
from workshop_utils.text import train_bpe

SMALL = {"block_size": 32, "vocab_size": 96, "n_layer": 3, "n_head": 4, "n_embd": 64}
SHAPES = [
    {},
    {"position": "rope"},
    {"norm": "rmsnorm", "bias": False},
    {"position": "rope", "norm": "rmsnorm", "attention": "written"},
    {"position": "rope", "norm": "rmsnorm", "activation": "swiglu", "bias": False},
]


def small(**changes) -> GPT:
    torch.manual_seed(0)
    model = GPT(GPTConfig(**SMALL | changes))
    for parameter in model.parameters():  # larger than the initialisation, so that differences show
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def ids(rows: int = 2, length: int = 20) -> torch.Tensor:
    return torch.randint(0, 96, (rows, length), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("activation", ["gelu_new", "gelu"])
def test_logits_and_loss_equal_transformers_gpt2_both_ways(activation):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(3)
    shape = {"vocab_size": 96, "n_positions": 32, "n_embd": 64, "n_layer": 3, "n_head": 4}
    theirs = GPT2LMHeadModel(GPT2Config(**shape, activation_function=activation, initializer_range=0.2)).eval()
    ours, x = from_hf(theirs).eval(), ids()
    without_biases = small(bias=False)
    with torch.no_grad():
        expected = theirs(x, labels=x)
        assert torch.allclose(ours(x, all_logits=True)[0], expected.logits, atol=1e-4)
        assert torch.allclose(to_hf(ours).eval()(x).logits, expected.logits, atol=1e-4)
        assert ours(x[:, :-1], x[:, 1:])[1].item() == pytest.approx(expected.loss.item(), abs=1e-4)
        assert torch.allclose(to_hf(without_biases)(x).logits, without_biases(x, all_logits=True)[0], atol=1e-4)


def test_gpt2_itself_comes_from_a_local_copy(tmp_path, monkeypatch):
    from transformers import GPT2Config, GPT2LMHeadModel

    from workshop_utils.chat import ModelUnavailable, pretrained_gpt2

    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    with pytest.raises(ModelUnavailable, match="holds no openai-community/gpt2"):
        pretrained_gpt2()
    tiny = GPT2LMHeadModel(GPT2Config(vocab_size=96, n_positions=32, n_embd=64, n_layer=1, n_head=4))
    tiny.save_pretrained(tmp_path / "openai-community" / "gpt2")
    assert torch.equal(pretrained_gpt2().lm_head.weight, tiny.lm_head.weight)


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
@pytest.mark.parametrize("length", [1, 3, 31, 40])
def test_greedy_with_the_cache_equals_greedy_without(changes, length):
    model = small(**changes)
    prompt = ids(length=length)
    fast = model.generate(prompt, 45, temperature=0)  # 45 tokens: well beyond block_size, where the window slides
    slow = model.generate(prompt, 45, temperature=0, use_cache=False)
    assert torch.equal(fast, slow)
    assert torch.equal(model.generate(prompt, 45, temperature=0, fixed=True), slow)  # as on a GPU, without its graph
    assert fast.shape == (2, length + 45)


def test_what_a_graph_reads_and_writes_lives_as_long_as_it_is_replayed(monkeypatch):
    """A CUDA graph knows addresses and holds no tensor; so does this stand-in for one."""
    for name in ("CUDAGraph", "current_stream", "get_sync_debug_mode", "set_sync_debug_mode", "stream", "graph"):
        monkeypatch.setattr(torch.cuda, name, MagicMock())
    monkeypatch.setattr(graphs, "side_stream", MagicMock())
    read = torch.ones(2)
    alive = weakref.ref(read)
    replay = graphs.recorded(lambda read=read: read + 1, lambda: None)
    del read
    gc.collect()
    assert alive() is not None
    assert torch.equal(replay(), torch.full((2,), 2.0))
    del replay
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("attention", ["sdpa", "written"])
@pytest.mark.parametrize("position", ["learned", "rope"])
@pytest.mark.parametrize("pieces", [(5, 7, 8), (5, 1, 14), (1, 19)])
def test_several_new_tokens_behind_a_filled_cache_see_what_they_see_without_one(attention, position, pieces):
    model, x = small(attention=attention, position=position), ids()
    cache = model.empty_cache()
    with torch.no_grad():
        found = [model(piece, all_logits=True, cache=cache)[0] for piece in x.split(pieces, dim=1)]
        assert torch.allclose(torch.cat(found, dim=1), small(position=position)(x, all_logits=True)[0], atol=1e-4)


def test_weight_tying_and_parameter_counts():
    with torch.device("meta"):
        model = GPT(GPTConfig(2048, 50304, n_layer=24, n_head=32, n_embd=2048, bias=False))
    assert model.lm_head.weight is model.transformer["wte"].weight
    assert model.num_params() == 1_315_276_800
    assert model.flops_per_token() == pytest.approx(9.08e9, rel=1e-3)


@pytest.mark.parametrize("init", ["gpt2", "fan_in"])
def test_a_fresh_model_gives_every_token_the_same_probability(init):
    torch.manual_seed(0)
    model, x = GPT(GPTConfig(**SMALL, init=init)), ids(8, 32)
    assert model(x[:, :-1], x[:, 1:])[1].item() == pytest.approx(math.log(96), abs=0.1)
    assert model.blocks[0].mlp.c_proj.weight.std().item() == pytest.approx(0.02 / math.sqrt(2 * 3), rel=0.05)
    assert model.blocks[0].mlp.c_fc.weight.std().item() == pytest.approx(
        {"gpt2": 0.02, "fan_in": 1 / 8}[init], rel=0.05
    )


def test_positions_with_target_minus_one_do_not_count():
    model, x = small(), ids()
    targets = x[:, 1:].clone()
    targets[0, 5:] = -1
    targets[1] = -1
    _, loss = model(x[:, :-1], targets)
    _, expected = model(x[:1, :5], x[:1, 1:6])
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [1, 7, 39])
def test_a_loss_in_pieces_has_the_value_and_the_gradients_of_the_whole(dtype, rows, monkeypatch):
    x, targets = ids(), ids().roll(-1, dims=1)
    targets[0, 5:] = -1  # a whole piece in which nothing counts

    def loss_and_gradients(size):
        monkeypatch.setattr("workshop_utils.gpt.model.LOGITS", size * 4 * 96)
        model = small()
        model.only_loss = True
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            logits, loss = model(x, targets)
        (3 * loss).backward()
        with torch.no_grad(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            assert model(x, targets)[1].item() == loss.item()
        return logits.numel(), loss.item(), torch.cat([p.grad.flatten() for p in model.parameters()])

    whole, pieces = loss_and_gradients(40), loss_and_gradients(rows)
    assert (whole[0], pieces[0]) == (40 * 96, 0)
    tolerance = 1e-5 if dtype == torch.float32 else 0.02  # where 8 bits are rounded
    assert pieces[1] == pytest.approx(whole[1], rel=tolerance)
    assert (pieces[2] - whole[2]).norm() < tolerance * whole[2].norm()


def test_top_k_top_p_and_temperature_change_what_is_drawn():
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(4000, 1)
    generator = torch.Generator().manual_seed(0)

    def shares(**options) -> list[float]:
        return (sample_next(logits, generator=generator, **options).bincount(minlength=4) / 4000).tolist()

    assert shares() == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    assert shares(temperature=0) == shares(top_p=0.5) == [1, 0, 0, 0]
    assert shares(top_k=2) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert shares(top_p=0.51) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert shares(top_k=2, temperature=0.5) == pytest.approx([25 / 34, 9 / 34, 0, 0], abs=0.03)  # p^2, normalised


def test_rows_stop_at_the_stop_token_and_the_others_go_on():
    def written(stop: int | None) -> torch.Tensor:
        generator = torch.Generator().manual_seed(3)
        return small().generate(ids(), 30, temperature=3.0, stop_token=stop, generator=generator)[:, 20:]

    free = written(None)
    stop = int(free[0, 4])
    stopped = (free == stop).cumsum(dim=1) > 0
    assert stopped[0].sum() != stopped[1].sum()
    assert torch.equal(written(stop), free.masked_fill(stopped, stop)[:, : written(stop).size(1)])


def test_generating_leaves_mode_and_gradients_alone_and_can_be_trained_on():
    model, x = small().train(), ids()
    model(x[:, :-1], x[:, 1:])[1].backward()
    before = model.lm_head.weight.grad.clone()
    streamed = torch.stack(list(model.stream(x, 10, temperature=0)), dim=1)
    written = model.generate(x, 10, temperature=0)
    assert model.training
    assert torch.equal(streamed, written[:, 20:])
    assert torch.equal(before, model.lm_head.weight.grad)
    for idx in (written, next(model.stream(x, 1))[:, None]):
        model(idx, idx)[1].backward()  # autograd refuses what inference mode made


def test_a_blank_at_the_end_of_a_prompt_is_written_by_the_next_token():
    """In the training text a word's token brings its blank along, and nothing ever follows a blank alone."""
    encoding = train_bpe(["the big cat sat on the big mat and the red cat sat on the red mat "] * 4, 285, at_most=True)
    model = small(vocab_size=encoding.n_vocab)
    logits = model(torch.tensor([[encoding.eot_token, *encoding.encode_ordinary("the big")]]))[0][0, -1]
    ranked = (encoding.decode([id]) for id in logits.argsort(descending=True).tolist())
    likeliest = next(token for token in ranked if token.startswith(" "))
    assert generate_text(model, encoding, "the big ", 1, temperature=0) == ["the big" + likeliest]
    for prompt in ("the big ", "the  ", " "):
        assert all(text.startswith(prompt) for text in generate_text(model, encoding, prompt, 2, 5.0, n=20))
    assert generate_text(model, encoding, "the ", 0) == ["the "]
    assert generate_text(model, encoding, " ", 2, document_start=False)[0].startswith(" ")


def text_of(prompt: str, **options):
    tokens = {bytes([i]): i for i in range(256)}
    encoding = tiktoken.Encoding("bytes", pat_str=r"\S+|\s+", mergeable_ranks=tokens, special_tokens={"<|e|>": 256})
    return generate_text(small(**options), encoding, prompt, document_start=False)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: small(n_head=64, position="rope"), "make it even for rope"),
        (lambda: small()(ids(length=33)), "33 tokens long and block_size is 32"),
        (lambda: small().generate(torch.zeros(1, 0, dtype=torch.int64), 2), "at least one token"),
        (lambda: small().generate(ids(), 2, temperature=-1), "temperature is -1"),
        (lambda: small().generate(ids(), 2, temperature=1e-320), "temperature is 1e-320"),
        (lambda: small().generate(ids(), 2, temperature=float("nan")), "temperature is nan"),
        (lambda: small().generate(ids(), 2, top_k=0), "top_k is 0"),
        (lambda: small().generate(ids(), 2, top_p=1.5), "top_p is 1.5"),
        (lambda: sample_next(torch.tensor([[0.0, float("nan")]]), 0), "its weights are broken"),
        (lambda: sample_next(torch.tensor([[0.0, float("inf")]])), "its weights are broken"),
        (lambda: text_of("hello"), "257 tokens and the model 96"),
        (lambda: text_of("", vocab_size=257), "the prompt is empty"),
        (lambda: to_hf(small(position="rope")), "rope"),
        (lambda: from_hf(SimpleNamespace(config=SimpleNamespace(model_type="llama"))), "llama"),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
