"""The shape of a model, as a budget needs it: how many numbers, in which matrices, how wide between them.

A shape comes from a GPTConfig by counting, from a config of transformers by building that model without memory, or by
the name of a model that many people fine-tune. memory.py turns it into bytes, estimates.py into hours and money.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workshop_utils.gpt.config import GPTConfig

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@dataclass(frozen=True)
class Shape:
    """A decoder, as far as memory and computation depend on it.

    Attributes:
        name: for people.
        n_layer: blocks.
        n_embd: width of the stream between the blocks.
        n_head: heads that ask.
        n_kv_head: heads that offer; fewer than n_head where several share one (grouped queries).
        head_dim: width of a head.
        hidden: width of the MLP's middle.
        gated: whether the MLP has a gate (three matrices), as Llama's.
        norms: norms in a block.
        rms: whether they are RMSNorms.
        rope: whether positions are turned and not learned.
        vocab_size: rows of the token table.
        block_size: the longest text it is made for, in tokens.
        dropout: share of activations silenced while training.
        parameters: all trained numbers, a tied table counted once.
        positions: those of a learned position table, which multiply nothing.
        tied: whether the table that reads tokens in also writes them out.
        linears: (in, out) of the linear layers in one block: what is quantised, and where LoRA goes.
        fused: whether q, k and v come out of one matrix, as in GPT-2.
        pretrained: whether there are weights to fine-tune.
    """

    name: str
    n_layer: int
    n_embd: int
    n_head: int
    n_kv_head: int
    head_dim: int
    hidden: int
    gated: bool
    norms: int
    rms: bool
    rope: bool
    vocab_size: int
    block_size: int
    dropout: float
    parameters: int
    positions: int
    tied: bool
    linears: tuple[tuple[int, int], ...]
    fused: bool = False
    pretrained: bool = True

    @property
    def table(self) -> int:
        """Numbers of one token table."""
        return self.vocab_size * self.n_embd

    @property
    def inside(self) -> int:
        """Numbers of the linear layers of all blocks: what NF4 makes small."""
        return self.n_layer * sum(n_in * n_out for n_in, n_out in self.linears)

    def adapter(self, rank: int) -> int:
        """Numbers of a LoRA adapter on all linear layers of the blocks: thin matrices (rank, in) and (out, rank)."""
        return self.n_layer * sum(rank * (n_in + n_out) for n_in, n_out in self.linears)

    def flops_per_token(self, block_size: int | None = None) -> int:
        """Floating-point operations to train on one token, forward and backward.

        Args:
            block_size: tokens that are read at a time; the shape's own if None.

        Source: Chowdhery et al., "PaLM", appendix B: 6 a parameter (2 forward, 4 backward), and
            12 * layers * width * block_size for attention. Left out: norms, GELU, softmax, the optimiser; they are few.
            Counted although it is only looked up: an input table that is not tied.
        """
        attention = 12 * self.n_layer * self.n_head * self.head_dim * (block_size or self.block_size)
        return 6 * (self.parameters - self.positions) + attention


def parts(config: GPTConfig) -> dict[str, int]:
    """The parameters of a GPT, part by part; together what GPT(config).num_params() counts.

    Args:
        config: the shape; nothing is built.
    """
    C, bias = config.n_embd, int(config.bias)
    n_in, n_out = zip(*_linears(config), strict=True)
    attention, mlp = slice(0, 2), slice(2, None)
    sizes = [a * b + bias * b for a, b in zip(n_in, n_out, strict=True)]
    norm = C if config.norm == "rmsnorm" else C + bias * C
    return {
        "token table (tied: it reads and writes)": config.vocab_size * C,
        "position table": config.block_size * C if config.position == "learned" else 0,
        "attention": config.n_layer * sum(sizes[attention]),
        "MLPs": config.n_layer * sum(sizes[mlp]),
        "norms": (2 * config.n_layer + 1) * norm,
    }


def _linears(config: GPTConfig) -> tuple[tuple[int, int], ...]:
    C, hidden = config.n_embd, _hidden(config)
    up = [(C, hidden), (C, hidden)] if config.activation == "swiglu" else [(C, hidden)]
    return ((C, 3 * C), (C, C), *up, (hidden, C))


def _hidden(config: GPTConfig) -> int:
    """Four times the width; with a gate 8/3 times, up to a multiple of 64, as model.GatedMLP has it."""
    return -(-8 * config.n_embd // (3 * 64)) * 64 if config.activation == "swiglu" else 4 * config.n_embd


def of_gpt(config: GPTConfig) -> Shape:
    """The shape of the package's own GPT."""
    counted = parts(config)
    return Shape(
        name=f"GPT with {config.n_layer} layers, {config.n_embd} wide",
        n_layer=config.n_layer,
        n_embd=config.n_embd,
        n_head=config.n_head,
        n_kv_head=config.n_head,
        head_dim=config.n_embd // config.n_head,
        hidden=_hidden(config),
        gated=config.activation == "swiglu",
        norms=2,
        rms=config.norm == "rmsnorm",
        rope=config.position == "rope",
        vocab_size=config.vocab_size,
        block_size=config.block_size,
        dropout=config.dropout,
        parameters=sum(counted.values()),
        positions=counted["position table"],
        tied=True,
        linears=_linears(config),
        fused=True,
        pretrained=False,
    )


def of_hub(config: PretrainedConfig, name: str = "") -> Shape:
    """The shape of any causal language model of transformers, built on torch's meta device, which takes no memory.

    Args:
        config: for example transformers.AutoConfig.from_pretrained("Qwen/Qwen2.5-7B").
        name: for people; the type of the model if empty.

    Raises:
        ValueError: transformers has no causal language model for this config.
    """
    import torch
    from transformers import AutoModelForCausalLM

    wanted: Any = config
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(wanted)
    except ValueError as error:
        raise ValueError(
            f"transformers cannot make a causal language model of {type(config).__name__}: take the config of a model "
            "that writes text"
        ) from error
    blocks = max((m for m in model.modules() if isinstance(m, torch.nn.ModuleList)), key=len)
    linears = tuple(sides for sides in map(_sides, blocks[0].modules()) if sides is not None)
    numbers = {id(p): p.numel() for p in model.parameters()}
    n_head = int(wanted.num_attention_heads)
    hidden = getattr(wanted, "intermediate_size", None) or getattr(wanted, "n_inner", None) or 4 * wanted.hidden_size
    found = [m for m in blocks[0].modules() if type(m).__name__.lower().endswith(("norm", "layernorm"))]
    learned = getattr(model.base_model, "wpe", None)
    return Shape(
        name=name or f"{wanted.model_type} of {sum(numbers.values()) / 1e9:.2f}B",
        n_layer=len(blocks),
        n_embd=int(wanted.hidden_size),
        n_head=n_head,
        n_kv_head=int(getattr(wanted, "num_key_value_heads", None) or n_head),
        head_dim=int(getattr(wanted, "head_dim", None) or wanted.hidden_size // n_head),
        hidden=int(hidden),
        gated=sum(hidden in sides for sides in linears) == 3,
        norms=len(found),
        rms=not any(isinstance(m, torch.nn.LayerNorm) for m in found),
        rope=learned is None,
        vocab_size=int(wanted.vocab_size),
        block_size=int(wanted.max_position_embeddings),
        dropout=float(getattr(wanted, "attention_dropout", 0.0) or 0.0),
        parameters=sum(numbers.values()),
        positions=learned.weight.numel() if learned is not None else 0,
        tied=model.get_output_embeddings().weight is model.get_input_embeddings().weight,
        linears=linears,
        fused=learned is not None,
    )


def _sides(module: Any) -> tuple[int, int] | None:
    """(in, out) of a linear layer, GPT-2's Conv1D included; None for anything else."""
    import torch

    if isinstance(module, torch.nn.Linear):
        return module.in_features, module.out_features
    if type(module).__name__ == "Conv1D":  # its weight is (in, out)
        return module.weight.shape[0], module.weight.shape[1]
    return None


def _llama(
    name: str,
    parameters: int,
    sizes: tuple[int, int, int, int, int, int],
    vocab_size: int,
    block_size: int,
    tied: bool = True,
    norms: int = 2,
) -> Shape:
    """A model of Llama's kind: layers, width, heads, shared heads, width of a head and of the MLP's middle."""
    _, C, n_head, n_kv_head, head_dim, hidden = sizes
    q, kv = n_head * head_dim, n_kv_head * head_dim
    linears = ((C, q), (C, kv), (C, kv), (q, C), (C, hidden), (C, hidden), (hidden, C))
    kind = {"gated": True, "norms": norms, "rms": True, "rope": True, "dropout": 0.0, "positions": 0}
    return Shape(
        name, *sizes, vocab_size=vocab_size, block_size=block_size, parameters=parameters, tied=tied, linears=linears,
        **kind,  # type: ignore[arg-type]
    )  # fmt: skip


# Models that people fine-tune. Sizes from their config.json; parameters as transformers counts them (a test does).
SHAPES = {
    shape.name: shape
    for shape in (
        _llama("SmolLM2 135M", 134_515_008, (30, 576, 9, 3, 64, 1536), 49_152, 8192),
        _llama("SmolLM2 360M", 361_821_120, (32, 960, 15, 5, 64, 2560), 49_152, 8192),
        _llama("Qwen2.5 0.5B", 494_032_768, (24, 896, 14, 2, 64, 4864), 151_936, 32_768),
        _llama("Qwen2.5 1.5B", 1_543_714_304, (28, 1536, 12, 2, 128, 8960), 151_936, 32_768),
        _llama("Gemma 2 2B", 2_614_341_888, (26, 2304, 8, 4, 256, 9216), 256_000, 8192, norms=4),
        _llama("Qwen2.5 7B", 7_615_616_512, (28, 3584, 28, 4, 128, 18_944), 152_064, 32_768, tied=False),
    )
}


def shape_of(model: Any) -> Shape:
    """The shape of whatever names one: a GPTConfig, a config of transformers, a name in SHAPES, or a shape itself.

    Raises:
        ValueError: there is no such name.
        TypeError: it is none of these.
    """
    if isinstance(model, Shape):
        return model
    if isinstance(model, GPTConfig):
        return of_gpt(model)
    if isinstance(model, str):
        if model not in SHAPES:
            raise ValueError(f"there is no shape named {model!r}: take one of {', '.join(SHAPES)}, or a config")
        return SHAPES[model]
    if hasattr(model, "model_type") and hasattr(model, "hidden_size"):
        return of_hub(model)
    raise TypeError(
        f"a {type(model).__name__} has no shape: hand over a GPTConfig, a config of transformers, or one of the names "
        f"{', '.join(SHAPES)}"
    )
