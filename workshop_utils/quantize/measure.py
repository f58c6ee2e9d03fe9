"""What a quantised model lost and what it gained: its bets against the unquantised model's, its bytes, its speed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.machine.energy import Energy, track_energy

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST_SECONDS = 1.0  # of work behind a figure of energy: shorter stretches are not seen by the tracker


@dataclass(frozen=True)
class LogitError:
    """How far a model's bets are from those of another one, averaged over tokens.

    Attributes:
        relative: length of the difference of two rows of logits, divided by the length of the reference's row.
        kl: Kullback-Leibler divergence from the reference's probabilities, in nats.
        top1: share of places at which both bet most on the same token.
        tokens: how many places there were.
    """

    relative: float
    kl: float
    top1: float
    tokens: int


def logit_error(reference: LanguageModel, other: LanguageModel, rows: Sequence[Sequence[int]]) -> LogitError:
    """Compare the bets of two models at every place of given texts.

    Args:
        reference: the unquantised model.
        other: the same model, quantised.
        rows: token ids, at least one row, of any lengths up to the context.

    Raises:
        ValueError: there are no tokens, or the models have different vocabularies.
    """
    if not any(len(row) for row in rows):
        raise ValueError("there are no tokens: give some rows of token ids to compare the models on")
    relative = kl = same = 0.0
    tokens = 0
    for row in rows:
        wanted, got = _logits(reference, row), _logits(other, row)  # (T, vocab_size)
        if wanted.shape != got.shape:
            raise ValueError(
                f"{reference.name} bets on {wanted.size(-1)} tokens and {other.name} on {got.size(-1)}: only models "
                "with one vocabulary can be compared"
            )
        relative += float(((got - wanted).norm(dim=-1) / wanted.norm(dim=-1)).sum())
        chances = wanted.log_softmax(-1)
        kl += float((chances.exp() * (chances - got.log_softmax(-1))).sum())
        same += float((wanted.argmax(-1) == got.argmax(-1)).sum())
        tokens += len(row)
    return LogitError(relative / tokens, kl / tokens, same / tokens, tokens)


def _logits(model: LanguageModel, row: Sequence[int]) -> Tensor:
    import torch

    with torch.inference_mode():
        return cast(
            "Tensor", model.model(input_ids=torch.tensor([list(row)], device=model.model.device)).logits[0].float()
        )


# --- bytes


def bytes_in_memory(model: nn.Module) -> int:
    """Bytes of all weights, codes, scales and constants of a model, shared ones counted once.

    Unlike get_memory_footprint() it counts the scales of bitsandbytes, what torchao's tensors hold inside, and what
    layers of our own have packed.
    """
    import itertools

    held: dict[tuple[str, int], int] = {}
    packed = 0
    for tensor in itertools.chain(model.parameters(), model.buffers()):
        for part in _inside(tensor):
            storage = part.untyped_storage()
            held[str(part.device), storage.data_ptr()] = storage.nbytes()
    for module in model.modules():
        packed += cast(Any, module).held_bytes() if hasattr(module, "held_bytes") else 0
    return sum(held.values()) + packed


def _inside(tensor: Any) -> Iterator[Tensor]:
    """The plain tensors that a tensor is made of."""
    import torch

    if hasattr(type(tensor), "__tensor_flatten__"):
        for name in tensor.__tensor_flatten__()[0]:
            yield from _inside(getattr(tensor, name))
        return
    yield tensor
    yield from _tensors(value for name, value in vars(tensor).items() if name in ("quant_state", "CB", "SCB"))
    assert isinstance(tensor, torch.Tensor)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among values, and inside of bitsandbytes' quantisation states."""
    import torch

    for value in values:
        if isinstance(value, torch.Tensor):
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
        model: to be measured.
        prompt_ids: token ids of the prompt; reading it is part of the time.
        new_tokens: to write each time.
        repeats: measured ones, after one that is not.
        country: where the electricity comes from, three letters; "" tracks none.

    Raises:
        ValueError: prompt and new tokens do not fit the context, or a number is below 1.
    """

    def write() -> float:
        began = time.perf_counter()
        written = _write(model, prompt_ids, new_tokens)
        if len(written) != new_tokens:
            raise RuntimeError(f"{model.name} wrote {len(written)} tokens where {new_tokens} were asked for")
        return time.perf_counter() - began

    check_room(model, len(prompt_ids), new_tokens, repeats)
    return timed(write, new_tokens, repeats, country)


def check_room(model: LanguageModel, prompt: int, new_tokens: int, repeats: int) -> None:
    """Raise ValueError where a speed cannot be measured so."""
    if min(prompt, new_tokens, repeats) < 1:
        raise ValueError(f"prompt {prompt}, new_tokens {new_tokens}, repeats {repeats}: each must be at least 1")
    if prompt + new_tokens > model.context:
        raise ValueError(f"{prompt} + {new_tokens} tokens do not fit into the {model.context} that {model.name} sees")


def timed(write: Any, new_tokens: int, repeats: int, country: str) -> Speed:
    """The speed of a function that writes new_tokens tokens and returns the seconds that it took."""
    write()  # kernels are chosen and buffers made
    seconds: list[float] = []
    with track_energy(country) as energy:
        while len(seconds) < repeats or (country and sum(seconds) < LEAST_SECONDS):
            seconds.append(write())
    return Speed(new_tokens / min(seconds), _wh(energy, new_tokens * len(seconds)), energy.kind)


def _wh(energy: Energy, tokens: int) -> float | None:
    return None if energy.kind == "unavailable" else energy.kwh * 1e6 / tokens


def _write(model: LanguageModel, prompt_ids: Sequence[int], new_tokens: int) -> list[int]:
    import torch
    from transformers import GenerationConfig

    asked = cast(Any, model.model)
    ids = torch.tensor([list(prompt_ids)], device=asked.device)
    usual = asked.generation_config
    asked.generation_config = GenerationConfig(pad_token_id=0, do_sample=False)  # nothing ends the text
    try:
        with torch.inference_mode():
            out = asked.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens)
    finally:
        asked.generation_config = usual
    if asked.device.type == "cuda":
        torch.cuda.synchronize()
    return [int(token) for token in out[0, ids.size(1) :]]
