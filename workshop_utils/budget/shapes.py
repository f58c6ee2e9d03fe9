"""The shape of a decoder, as far as memory and computation depend on it: of our GPT, and of models to fine-tune."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workshop_utils.gpt.config import GPTConfig


@dataclass(frozen=True)
class Shape:
    """A decoder, as far as memory and computation depend on it."""

    name: str  # for people
    n_layer: int  # blocks
    n_embd: int  # width of the residual stream
    n_head: int  # heads of queries
    n_kv_head: int  # heads of keys and values; fewer than n_head where several share one (grouped queries)
    head_dim: int  # width of a head
    hidden: int  # width of the MLP's middle
    vocab_size: int  # rows of the token embedding
    block_size: int  # the longest text it is made for, in tokens
    parameters: int  # all that are trained, a tied embedding counted once
    linears: tuple[tuple[int, int], ...]  # (in, out) of the linear layers in a block: quantised, and where LoRA goes
    gated: bool = True  # whether the MLP has a gate (three matrices), as Llama's
    norms: int = 2  # in a block
    rms: bool = True  # whether they are RMSNorms
    rope: bool = True  # whether positions are rotated and not learned
    tied: bool = True  # whether the embedding that reads tokens in also writes them out
    positions: int = 0  # parameters of a learned position embedding, which multiply nothing
    fused: bool = False  # whether q, k and v come out of one matrix, as in GPT-2
    pretrained: bool = True  # whether there are weights to fine-tune

    @property
    def table(self) -> int:
        """Parameters of one token embedding."""
        return self.vocab_size * self.n_embd

    @property
    def inside(self) -> int:
        """Weights of the linear layers of all blocks: what NF4 makes small."""
        return self.n_layer * sum(n_in * n_out for n_in, n_out in self.linears)

    def adapter(self, rank: int) -> int:
        """Parameters of a LoRA adapter on all linear layers of the blocks: matrices (rank, in) and (out, rank)."""
        return self.n_layer * sum(rank * (n_in + n_out) for n_in, n_out in self.linears)

    def flops_per_token(self, block_size: int | None = None) -> int:
        """Floating-point operations to train on one token, forward and backward.

        Args:
            block_size: tokens that are read at a time; the shape's own if None.

        Source: Chowdhery et al., "PaLM", appendix B: 6 per parameter (2 forward, 4 backward), and
            12 * layers * width * block_size for attention. Left out: norms, GELU, softmax, the optimiser; they are few.
            Counted although it is only looked up: an input embedding that is not tied.
        """
        attention = 12 * self.n_layer * self.n_head * self.head_dim * (block_size or self.block_size)
        return 6 * (self.parameters - self.positions) + attention


def of_gpt(config: GPTConfig) -> Shape:
    """The shape of the package's own GPT, with as many parameters as GPT(config).num_params() counts."""
    C, gated, rms = config.n_embd, config.activation == "swiglu", config.norm == "rmsnorm"
    hidden = -(-8 * C // (3 * 64)) * 64 if gated else 4 * C  # with a gate 8/3 of the width, as model.GatedMLP has it
    linears = ((C, 3 * C), (C, C), *[(C, hidden)] * (2 if gated else 1), (hidden, C))
    positions = config.block_size * C if config.position == "learned" else 0
    biases = config.n_layer * sum(n_out for _, n_out in linears) if config.bias else 0
    norms = (2 * config.n_layer + 1) * (C if rms or not config.bias else 2 * C)
    weights = config.n_layer * sum(n_in * n_out for n_in, n_out in linears)
    return Shape(
        name=f"GPT with {config.n_layer} layers, {C} wide",
        n_layer=config.n_layer,
        n_embd=C,
        n_head=config.n_head,
        n_kv_head=config.n_head,
        head_dim=C // config.n_head,
        hidden=hidden,
        vocab_size=config.vocab_size,
        block_size=config.block_size,
        parameters=config.vocab_size * C + positions + weights + biases + norms,
        linears=linears,
        gated=gated,
        rms=rms,
        rope=config.position == "rope",
        positions=positions,
        fused=True,
        pretrained=False,
    )


def of_llama(
    name: str,
    parameters: int,
    sizes: tuple[int, int, int, int, int, int],
    vocab_size: int,
    block_size: int,
    **more: Any,
) -> Shape:
    """The shape of a model of Llama's kind.

    Args:
        name: for people.
        parameters: all of them.
        sizes: n_layer, n_embd, n_head, n_kv_head, head_dim, hidden.
        vocab_size: rows of the token embedding.
        block_size: the longest text, in tokens.
        **more: other fields of Shape.
    """
    _, C, n_head, n_kv_head, head_dim, hidden = sizes
    q, kv = n_head * head_dim, n_kv_head * head_dim
    linears = ((C, q), (C, kv), (C, kv), (q, C), (C, hidden), (C, hidden), (hidden, C))
    return Shape(name, *sizes, vocab_size, block_size, parameters, linears, **more)


# Models that people fine-tune. Sizes from their config.json; parameters as transformers counts them (a test does).
SHAPES = {
    shape.name: shape
    for shape in (
        of_llama("SmolLM2 135M", 134_515_008, (30, 576, 9, 3, 64, 1536), 49_152, 8192),
        of_llama("SmolLM2 360M", 361_821_120, (32, 960, 15, 5, 64, 2560), 49_152, 8192),
        of_llama("Qwen2.5 0.5B", 494_032_768, (24, 896, 14, 2, 64, 4864), 151_936, 32_768),
        of_llama("Qwen2.5 1.5B", 1_543_714_304, (28, 1536, 12, 2, 128, 8960), 151_936, 32_768),
        of_llama("Gemma 2 2B", 2_614_341_888, (26, 2304, 8, 4, 256, 9216), 256_000, 8192, norms=4),
        of_llama("Qwen2.5 7B", 7_615_616_512, (28, 3584, 28, 4, 128, 18_944), 152_064, 32_768, tied=False),
    )
}


def shape_of(model: GPTConfig | Shape | str) -> Shape:
    """The shape of whatever names one: a GPTConfig, a name in SHAPES, or a shape itself.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(model, Shape):
        return model
    if isinstance(model, GPTConfig):
        return of_gpt(model)
    if isinstance(model, str) and model in SHAPES:
        return SHAPES[model]
    raise ValueError(f"there is no shape of {model!r:.60}: take one of {', '.join(SHAPES)}, a GPTConfig, or a Shape")
