"""A GPT of Llama's shape is transformers' Llama, logit for logit."""

import pytest
import torch
from llama import to_llama

from workshop_utils.gpt import GPT, GPTConfig

LLAMA = {"position": "rope", "norm": "rmsnorm", "activation": "swiglu", "bias": False}


def small(**changes) -> GPT:
    torch.manual_seed(0)
    model = GPT(GPTConfig(block_size=32, vocab_size=96, n_layer=3, n_head=2, n_embd=64, **LLAMA | changes))
    for parameter in model.parameters():  # larger than the initialisation, so that differences show
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def test_logits_are_equal_and_embeddings_tied_in_a_copy_of_the_asked_dtype():
    model, ids = small(), torch.randint(0, 96, (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(to_llama(model)(ids).logits, model(ids, all_logits=True)[0], atol=1e-4)
    llama = to_llama(model, torch.bfloat16)
    assert {p.dtype for p in llama.parameters()} == {torch.bfloat16}
    assert llama.lm_head.weight.data_ptr() == llama.model.embed_tokens.weight.data_ptr()
    assert sum(p.numel() for p in llama.parameters()) == model.num_params()
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "changes", [{"position": "learned"}, {"norm": "layernorm"}, {"activation": "gelu"}, {"bias": True}]
)
def test_another_shape_is_refused_and_named(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        to_llama(small(**changes))
