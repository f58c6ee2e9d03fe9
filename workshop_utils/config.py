"""The two dials of a run: the shape of the model and the way it is trained.

Plain frozen dataclasses without torch, checked when they are made and saved as JSON beside what they produced.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self


class Config:
    """What the configs share: to plain values and back, and the check of a field against its choices."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, for JSON."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild a config from `to_dict`, or from a learner's JSON file.

        Raises:
            ValueError: a field is unknown or has a value that makes no sense.
        """
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(names))
        if unknown:
            raise ValueError(f"{cls.__name__} has no field {', '.join(unknown)}: its fields are {', '.join(names)}")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    def _check_choices(self, choices: dict[str, tuple[str, ...]]) -> None:
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(allowed)}")


@dataclass(frozen=True)
class GPTConfig(Config):
    """The shape of a GPT. Every field is checked, and saved beside the weights."""

    block_size: int = 256  # how many tokens back the model can look
    vocab_size: int = 1024  # rows of the embedding table: the tokenizer's vocabulary, padded to a multiple of 64
    n_layer: int = 4  # blocks on top of each other
    n_head: int = 4  # attention heads side by side in a block; must divide n_embd
    n_embd: int = 128  # width: how many numbers describe one token
    dropout: float = 0.0  # share of activations silenced while training; 0 unless the text is read several times over
    bias: bool = True  # biases in the linear layers and the norms, as GPT-2 has them
    position: str = "learned"  # "learned" (GPT-2) or "rope" (rotary: binds names and pronouns faster in tiny models)
    norm: str = "layernorm"  # "layernorm" (GPT-2) or "rmsnorm" (Llama)
    activation: str = "gelu_tanh"  # "gelu_tanh" (GPT-2), "gelu" (exact, and faster on a CPU) or "swiglu" (Llama's gate)
    init: str = "gpt2"  # "gpt2" (std .02) or "fan_in" (q, k, v and up-projection at 1/sqrt(n_embd): for narrow models)
    attention: str = "auto"  # "written", "sdpa", or "auto": sdpa until `train` has measured which one is faster here

    def __post_init__(self) -> None:
        for name in ("block_size", "vocab_size", "n_layer", "n_head", "n_embd"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd {self.n_embd} is no multiple of n_head {self.n_head}: each head works on an equal share of "
                f"the width, so choose for example n_embd={self.n_head * max(1, round(self.n_embd / self.n_head))}"
            )
        if self.position == "rope" and (self.n_embd // self.n_head) % 2:
            raise ValueError(
                f"a head is {self.n_embd // self.n_head} wide: rope turns pairs of numbers, so make it even"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: choose a share from 0 to below 1")
        self._check_choices(
            {
                "position": ("learned", "rope"),
                "norm": ("layernorm", "rmsnorm"),
                "activation": ("gelu_tanh", "gelu", "swiglu"),
                "init": ("gpt2", "fan_in"),
                "attention": ("auto", "written", "sdpa"),
            }
        )


@dataclass(frozen=True)
class TrainConfig(Config):
    """How a model is trained. The defaults suit a model of one to thirty million parameters."""

    steps: int = 1000  # optimiser updates; not epochs, since a stream has no end
    batch_size: int = 8  # rows in one forward pass: the dial to halve when memory runs out
    grad_accum_steps: int = 1  # forward passes gathered into one update: the dial to double in return
    learning_rate: float = 3e-3  # the peak of the schedule, for AdamW
    min_lr_ratio: float = 0.0  # where the schedule ends, as a share of the peak
    warmup: float = 0.03  # share of the steps in which the rate climbs from 0 to its peak
    schedule: str = "linear"  # "linear" or "cosine" decay after the warm-up, or "constant"
    weight_decay: float = 0.1  # pull of the matrices towards 0 (decoupled, times the rate); norms and biases are free
    beta1: float = 0.9  # memory of Adam's mean of the gradient
    beta2: float = 0.95  # memory of Adam's mean of its square; 0.999 is too slow for short runs
    grad_clip: float = 1.0  # largest norm of a gradient, longer ones are shortened; 0 = off
    optimizer: str = "adamw"  # "adamw", or "muon" for the matrices inside the blocks and AdamW for the rest
    muon_lr: float = 0.02  # peak rate of Muon
    rows: str = "rows"  # "rows" (a document a row, padded) or "windows" (random pieces of the joined text)
    device: str = "cpu"  # "cpu" or "cuda"
    dtype: str = "float32"  # "float32", or mixed precision in "bfloat16" or "float16"
    eval_every: int = 200  # updates between two looks at the validation text
    eval_batches: int = 20  # batches of such a look, always the same ones
    log_every: int = 10  # updates between two entries in the history
    checkpoint_every: int = 200  # updates between two checkpoints; 0 = only the best one and the last one
    keep: int = 2  # how many checkpoints stay on disk, besides the best one and the milestones
    milestones: tuple[float, ...] = ()  # shares of the run, such as (0.1, 0.3), whose checkpoints stay for good
    seed: int = 0  # of the order of the batches and of dropout
    country: str = "GBR"  # three-letter code of where the electricity comes from; "" = do not track energy

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "grad_accum_steps", "eval_every", "eval_batches", "log_every", "keep"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be a whole number of at least 1")
        for name in ("learning_rate", "muon_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be above 0, or nothing is learned")
        for name in ("warmup", "min_lr_ratio", "weight_decay", "beta1", "beta2"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose a share from 0 to 1")
        if self.grad_clip < 0 or self.checkpoint_every < 0:
            raise ValueError("grad_clip and checkpoint_every must be 0 (off) or more")
        if not all(0 < share < 1 for share in self.milestones):
            raise ValueError(f"milestones is {self.milestones}: choose shares of the run between 0 and 1")
        if self.dtype == "float16" and self.device == "cpu":
            raise ValueError("float16 on a CPU is slow and overflows: use float32, or bfloat16 where setup() chose it")
        self._check_choices(
            {
                "schedule": ("linear", "cosine", "constant"),
                "optimizer": ("adamw", "muon"),
                "rows": ("rows", "windows"),
                "device": ("cpu", "cuda"),
                "dtype": ("float32", "bfloat16", "float16"),
            }
        )
