"""One new token after the other on a GPU, without launching each kernel again.

A GPU computes one token of a small model in less time than Python needs to ask for it. So the pass of one token is
recorded once, as a CUDA graph, and replayed; for this all its tensors must stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache as once
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from workshop_utils.gpt.model import GPT, LayerCache

FEWEST = 16  # new tokens from which recording is worth its time
Decode = Callable[[Tensor], Tensor]  # the new token (B, 1) -> logits (B, 1, vocab_size), overwritten by the next call


def worth_a_graph(model: GPT, new: Tensor, max_new_tokens: int) -> bool:
    """Whether to decode with a graph: on a GPU, for some tokens, and where Python has nothing to do in a pass."""
    if not new.is_cuda or max_new_tokens < FEWEST:
        return False
    if torch.is_autocast_enabled("cuda"):
        return _without_graph("autocast keeps casts of the weights")
    if any(part._forward_hooks or part._forward_pre_hooks for part in model.modules()):
        return _without_graph("the model has hooks, which a graph would not call")
    return True


@once
def _without_graph(reason: str) -> bool:
    """Say once why there is no graph."""
    print(f"generate() works without a CUDA graph here: {reason}")
    return False


def make_decoder(model: GPT, cache: list[LayerCache]) -> Decode | None:
    """Prepare the pass of one token behind a filled cache, recorded where the model is on a GPU.

    Args:
        model: in eval mode, and called in torch.inference_mode().
        cache: with the prompt's keys and values, which are copied.

    Returns:
        what computes it; None where it cannot be recorded, which is said once.
    """
    k, length = cache[0].k, cache[0].length
    token = torch.zeros(k.size(0), 1, dtype=torch.int64, device=k.device)
    place = torch.full((1,), length, device=k.device)
    seen = k.new_full((1, cache[0].capacity), float("-inf"))
    seen[:, :length] = 0.0
    layers = [layer.fixed(place, seen) for layer in cache]

    def one_pass() -> Tensor:
        """Both the positions seen and the place move on by themselves, since a replay runs no Python."""
        seen.index_fill_(1, place, 0.0)  # from now on the new position is seen
        logits, _ = model(token, cache=layers)
        place.add_(1)
        return logits

    def step_by_step(new: Tensor) -> Tensor:
        token.copy_(new)
        return one_pass()

    if not k.is_cuda:
        return step_by_step
    graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    try:
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # a rehearsal: libraries take their memory now and not while it is recorded
            one_pass()
        torch.cuda.current_stream().wait_stream(side)
        place.fill_(length)
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            logits = one_pass()
    except RuntimeError as error:
        _without_graph(str(error).partition("\n")[0])
        return None

    def replay(new: Tensor) -> Tensor:
        token.copy_(new)
        graph.replay()
        return logits

    return replay
