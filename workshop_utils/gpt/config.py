"""The two dials of a run: the shape of the model and the way it is trained.

Plain frozen dataclasses without torch, checked when they are made and saved as JSON beside what they produced. A
field's type says which values it takes; `Config` checks them all.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from reprlib import repr as shortened
from typing import Annotated, Any, NamedTuple, Self, get_args, get_origin, get_type_hints


class Allowed(NamedTuple):
    """Which values a field takes: a test, and the words for it."""

    fits: Callable[[Any], bool]
    words: str


def one_of(*choices: str) -> Allowed:
    """Accept only these strings."""
    return Allowed(lambda value: value in choices, f"one of {', '.join(choices)}")


Count = Annotated[int, Allowed(lambda n: 1 <= n <= 10**9, "a whole number from 1 to 10^9")]
Whole = Annotated[int, Allowed(lambda n: 0 <= n <= 10**9, "a whole number from 0 to 10^9")]
Size = Annotated[int, Allowed(lambda n: 1 <= n <= 2**20, "a whole number from 1 to 2^20")]
Seed = Annotated[int, Allowed(lambda n: 0 <= n < 2**32, "a whole number from 0 to 2^32 - 1")]  # what numpy takes
Share = Annotated[float, Allowed(lambda x: 0 <= x <= 1, "a share from 0 to 1")]
ShareBelowOne = Annotated[float, Allowed(lambda x: 0 <= x < 1, "a share from 0 to below 1")]
ShareInside = Annotated[float, Allowed(lambda x: 0 < x < 1, "a share between 0 and 1")]
Rate = Annotated[float, Allowed(lambda x: 0 < x < math.inf, "a finite number above 0, or nothing is learned")]
NotNegative = Annotated[float, Allowed(lambda x: 0 <= x < math.inf, "a finite number of at least 0")]
Percent = Annotated[int, Allowed(lambda n: 0 <= n <= 50, "a whole number from 0 to 50")]
Name = Annotated[str, Allowed(bool, "a string that is not empty")]
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a string", dict: "an object of options"}


def checked(name: str, value: Any, kind: Any) -> Any:
    """A value as its type wants it: numpy's numbers as Python's, a list as a tuple.

    Args:
        name: of the field, for the message.
        value: as it was given.
        kind: the field's type, such as Count, or tuple[Share, ...].

    Raises:
        ValueError: it has another type, or is not allowed; the message says what is.
    """
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{name} is {shortened(value)}: write a list, as in [...]")
        return tuple(checked(f"{name}[{i}]", item, get_args(kind)[0]) for i, item in enumerate(value))
    kind, allowed = get_args(kind) if get_origin(kind) is Annotated else (kind, None)
    plain = get_origin(kind) or kind  # dict[str, Any] -> dict
    a_bool = isinstance(value, bool)  # which Python takes for a whole number
    number = plain in (int, float) and isinstance(value, Integral if plain is int else Real) and not a_bool
    found = plain(value) if number else value
    if not isinstance(found, plain) or a_bool != (plain is bool) or (allowed and not allowed.fits(found)):
        words = allowed.words if allowed else WORDS[plain]
        quoted = "; write it without quotes" if isinstance(value, str) and plain is not str else ""
        raise ValueError(f"{name} is {shortened(value)}: choose {words}{quoted}")
    return found


def unknown_names(given: Iterable[str], known: Sequence[str]) -> str:
    """List the names that were given and are not known, each with the nearest known one; "" if there are none."""
    clauses = []
    for name in sorted(set(given) - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        clauses.append(f"{name} (did you mean {near[0]}?)" if near else name or '""')
    return ", ".join(clauses)


class Config:
    """What the configs share: the check of all fields against their types, to plain values and back."""

    def __post_init__(self) -> None:
        kinds = get_type_hints(type(self), include_extras=True)
        for field in fields(self):  # type: ignore[arg-type]
            value = checked(field.name, getattr(self, field.name), kinds[field.name])
            object.__setattr__(self, field.name, value)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild a config from `to_dict`, or from a learner's JSON file.

        Raises:
            ValueError: a field is unknown, or has a value that makes no sense.
        """
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        if unknown := unknown_names(values, names):
            raise ValueError(f"{cls.__name__} has no field {unknown}: its fields are {', '.join(names)}")
        return cls(**values)


@dataclass(frozen=True)
class GPTConfig(Config):
    """The shape of a GPT. Every field is checked, and saved beside the weights."""

    block_size: Size = 256  # how many tokens back the model can look
    vocab_size: Size = 1024  # rows of the embedding table: the tokenizer's vocabulary, padded to a multiple of 64
    n_layer: Size = 4  # blocks on top of each other
    n_head: Size = 4  # attention heads side by side in a block; must divide n_embd
    n_embd: Size = 128  # width: how many numbers describe one token
    dropout: ShareBelowOne = 0.0  # of activations, silenced while training; 0 unless the text is read several times
    bias: bool = True  # biases in the linear layers and the norms, as GPT-2 has them
    # "learned" (GPT-2) or "rope" (rotary: binds names and pronouns faster in tiny models)
    position: Annotated[str, one_of("learned", "rope")] = "learned"
    norm: Annotated[str, one_of("layernorm", "rmsnorm")] = "layernorm"  # GPT-2's or Llama's
    # "gelu_tanh" (GPT-2), "gelu" (exact, and faster on a CPU) or "swiglu" (Llama's gate)
    activation: Annotated[str, one_of("gelu_tanh", "gelu", "swiglu")] = "gelu_tanh"
    # "gpt2" (std .02) or "fan_in" (q, k, v and up-projection at 1/sqrt(n_embd): for narrow models)
    init: Annotated[str, one_of("gpt2", "fan_in")] = "gpt2"
    # "auto": sdpa until `train` has measured which one is faster here
    attention: Annotated[str, one_of("auto", "written", "sdpa")] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_embd % self.n_head:
            near = self.n_head * max(1, round(self.n_embd / self.n_head))
            raise ValueError(f"n_embd {self.n_embd} is no multiple of n_head {self.n_head}: choose for example {near}")
        if self.position == "rope" and (self.n_embd // self.n_head) % 2:
            raise ValueError(f"a head is {self.n_embd // self.n_head} wide: make it even for rope, which turns pairs")


@dataclass(frozen=True)
class TrainConfig(Config):
    """How a model is trained. The defaults suit a model of one to thirty million parameters."""

    steps: Count = 1000  # optimiser updates; not epochs, since a stream has no end
    batch_size: Size = 8  # rows in one forward pass: the dial to halve when memory runs out
    grad_accum_steps: Size = 1  # forward passes gathered into one update: the dial to double in return
    learning_rate: Rate = 3e-3  # the peak of the schedule, for AdamW
    min_lr_ratio: Share = 0.0  # where a falling schedule ends, as a share of the peak
    warmup: Share = 0.03  # share of the steps in which the rate climbs from 0 to its peak
    # "linear" or "cosine" decay after the warm-up, or "constant"
    schedule: Annotated[str, one_of("linear", "cosine", "constant")] = "linear"
    weight_decay: Share = 0.1  # pull of the matrices towards 0 (decoupled, times the rate); norms and biases are free
    beta1: ShareBelowOne = 0.9  # memory of Adam's mean of the gradient
    beta2: ShareBelowOne = 0.95  # memory of Adam's mean of its square; 0.999 is too slow for short runs
    grad_clip: NotNegative = 1.0  # largest norm of a gradient, longer ones are shortened; 0 = off
    # "adamw", or "muon" for the matrices inside the blocks and AdamW for the rest
    optimizer: Annotated[str, one_of("adamw", "muon")] = "adamw"
    muon_lr: Rate = 0.02  # peak rate of Muon
    # "rows" (a document a row, padded) or "windows" (random pieces of the joined text)
    rows: Annotated[str, one_of("rows", "windows")] = "rows"
    device: Annotated[str, one_of("cpu", "cuda", "mps")] = "cpu"  # "mps" is Apple's GPU
    # "float32", or mixed precision in "bfloat16" or "float16"
    dtype: Annotated[str, one_of("float32", "bfloat16", "float16")] = "float32"
    # "auto" compiles the model where its device and the length of the run make that pay
    compile: Annotated[str, one_of("auto", "on", "off")] = "auto"
    eval_every: Count = 200  # updates between two evaluations on the validation text
    eval_batches: Count = 20  # batches of an evaluation, always the same ones
    log_every: Count = 10  # updates between two entries in the history
    checkpoint_every: Whole = 200  # updates between two checkpoints; 0 = only the best one and the last one
    keep: Count = 2  # how many checkpoints stay on disk, besides the best one and the milestones
    milestones: tuple[ShareInside, ...] = ()  # shares of the run, such as (0.1, 0.3), whose checkpoints stay for good
    seed: Seed = 0  # of the order of the batches and of dropout
    country: str = "GBR"  # three-letter code of where the electricity comes from; "" = do not track energy

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype != "float32" and self.device == "mps":
            raise ValueError("mixed precision is not known to work on Apple's GPU: use float32")
        if self.dtype == "float16" and self.device == "cpu":
            raise ValueError("float16 on a CPU is slow and overflows: use float32, or bfloat16 where setup() chose it")
