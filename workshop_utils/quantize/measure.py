"""What a quantised model lost and what it gained: its logits against those in floats, its bytes, its speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import torch
from torch import Tensor, nn

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.energy import track_energy

LEAST_SECONDS = 1.0  # of work behind a figure of energy: shorter stretches are not seen by the tracker


@dataclass(frozen=True)
class LogitError:
    """How far a model's logits are from those of another one, averaged over tokens.

    Attributes:
        relative: length of the difference of two rows of logits, divided by the length of the reference's row.
        kl: Kullback-Leibler divergence from the reference's probabilities, in nats.
    """

    relative: float
    kl: float


def logit_error(reference: LanguageModel, other: LanguageModel, rows: Sequence[Sequence[int]]) -> LogitError:
    """Compare the logits of two models at every position of given texts.

    Args:
        reference: the model in floats.
        other: the same model, quantised.
        rows: token ids, at least one row, of any lengths up to the context.

    Raises:
        ValueError: there are no tokens.
    """
    if not any(len(row) for row in rows):
        raise ValueError("there are no tokens: give some rows of token ids to compare the models on")
    relative = kl = 0.0
    tokens = sum(map(len, rows))
    for row in rows:
        wanted, got = _logits(reference, row), _logits(other, row)  # (T, vocab_size)
        relative += float(((got - wanted).norm(dim=-1) / wanted.norm(dim=-1)).sum())
        logs = wanted.log_softmax(-1)
        kl += float((logs.exp() * (logs - got.log_softmax(-1))).sum())
    return LogitError(relative / tokens, kl / tokens)


def _logits(model: LanguageModel, row: Sequence[int]) -> Tensor:
    ids = torch.tensor([list(row)], device=model.model.device)
    with torch.inference_mode():
        return cast(Tensor, model.model(input_ids=ids).logits[0].float())


# --- bytes


def weight_bytes(model: nn.Module) -> int:
    """Bytes of all weights, codes, scales and constants of a model, shared ones counted once, as a file can hold them.

    Unlike get_memory_footprint() it counts the scales of bitsandbytes and what torchao's tensors hold inside; of
    torchao's 4-bit codes, which take a byte each in memory, it counts half.
    """
    held: dict[tuple[str, int], int] = {}
    for tensor in chain(model.parameters(), model.buffers()):
        halved = getattr(tensor, "target_dtype", None) == cast(Any, torch).int4
        for part in _inside(tensor):
            storage = part.untyped_storage()
            held[str(part.device), storage.data_ptr()] = storage.nbytes() // (2 if halved and _is_code(part) else 1)
    return sum(held.values())


def table_and_rest(model: nn.Module) -> tuple[int, int]:
    """Bytes of the embedding table, which is often the head as well, and of everything else."""
    table = weight_bytes(cast(Any, model).get_input_embeddings())
    return table, weight_bytes(model) - table


def _is_code(part: Tensor) -> bool:
    return part.dtype == torch.int8 and part.dim() == 2


def _inside(tensor: Any) -> Iterator[Tensor]:
    """The plain tensors that a tensor is made of: of torchao's the parts, of bitsandbytes' the state beside it."""
    if hasattr(type(tensor), "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            yield from _inside(getattr(tensor, name))
        return
    yield tensor
    yield from _tensors(value for name, value in vars(tensor).items() if name in ("quant_state", "CB", "SCB"))


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif type(value).__name__ == "QuantState":
            yield from _tensors(vars(value).values())


# --- speed


@dataclass(frozen=True)
class Speed:
    """How fast a model writes for one reader.

    Attributes:
        tokens_per_second: of the fastest repeat; other programs only ever make it slower.
        wh_per_1000: watt-hours for 1,000 tokens over all repeats; None where nothing was tracked.
        energy: "measured", "estimated" or "unavailable".
    """

    tokens_per_second: float
    wh_per_1000: float | None
    energy: str


def decode_speed(
    model: LanguageModel, prompt_ids: Sequence[int], new_tokens: int = 64, repeats: int = 3, country: str = ""
) -> Speed:
    """Measure single-stream decoding: one prompt, always the likeliest token, never stopping early.

    Args:
        model: to be measured; it stays as it is.
        prompt_ids: token ids of the prompt; reading it is part of the time.
        new_tokens: to write each time.
        repeats: measured ones, after one that is not.
        country: where the electricity comes from, three letters; "" tracks none.

    Raises:
        ValueError: prompt and new tokens do not fit the context, or a number is below 1.
    """
    from transformers import GenerationConfig

    check_room(model, len(prompt_ids), new_tokens, repeats)
    asked = cast(Any, model.model)
    ids = torch.tensor([list(prompt_ids)], device=asked.device)

    def write() -> float:
        began = time.perf_counter()
        with torch.inference_mode():
            out = asked.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens)
        if asked.device.type == "cuda":
            torch.cuda.synchronize()
        if out.size(1) != ids.size(1) + new_tokens:
            raise RuntimeError(f"{model.name} wrote {out.size(1) - ids.size(1)} tokens instead of {new_tokens}")
        return time.perf_counter() - began

    usual = asked.generation_config
    asked.generation_config = GenerationConfig(pad_token_id=0, do_sample=False)  # nothing ends the text
    try:
        return timed(write, new_tokens, repeats, country)
    finally:
        asked.generation_config = usual


def check_room(model: LanguageModel, prompt: int, new_tokens: int, repeats: int) -> None:
    """Raise ValueError where a speed cannot be measured with so many tokens."""
    if min(prompt, new_tokens, repeats) < 1 or prompt + new_tokens > model.context:
        raise ValueError(
            f"prompt {prompt}, new_tokens {new_tokens}, repeats {repeats}: each must be at least 1, and "
            f"the tokens must fit into the {model.context} that {model.name} sees"
        )


def timed(write: Callable[[], float], new_tokens: int, repeats: int, country: str) -> Speed:
    """The speed of a function that writes new_tokens tokens and returns the seconds that it took."""
    write()  # kernels are chosen and buffers made
    seconds: list[float] = []
    with track_energy(country) as energy:
        while len(seconds) < repeats or (country and sum(seconds) < LEAST_SECONDS):
            seconds.append(write())
    tracked = energy.kind != "unavailable"
    wh = energy.kwh * 1e6 / (new_tokens * len(seconds)) if tracked else None
    return Speed(new_tokens / min(seconds), wh, energy.kind)
