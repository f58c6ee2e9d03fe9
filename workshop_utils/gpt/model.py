"""The GPT of lesson 03: token ids in, scores of the next token out.

Faithful to GPT-2 by default, so that transformers' weights fit and give equal logits. It stands between the batches
of text.TokenFile and the loop of training.train. Read it from the top: each class uses only what is above it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workshop_utils.gpt.config import GPTConfig as GPTConfig
from workshop_utils.gpt.sampling import stream
from workshop_utils.kernels.decoding import FixedCache
from workshop_utils.kernels.loss import loss_in_pieces

LOGITS = 2**29  # bytes of float32 logits that training holds at once; more are made in pieces


def attention_weights(q: Tensor, k: Tensor) -> Tensor:
    """How much each position attends to itself and to each earlier one.

    Args:
        q: queries (..., T, head_dim), of the last T positions.
        k: keys (..., S, head_dim), S >= T: of all positions so far.

    Returns:
        (..., T, S), each row sums to 1 and is 0 for positions that lie in the future. Another mask must also stand
        in the other ways of CausalSelfAttention.forward, and in `seen` of kernels/decoding.py.

    Source: Vaswani et al., "Attention Is All You Need", equation 1, with the causal mask of a decoder.
    """
    T, S = q.size(-2), k.size(-2)
    scores = (q / math.sqrt(q.size(-1))) @ k.transpose(-2, -1)  # (..., T, S); scaling q is cheaper than scaling these
    future = torch.ones(T, S, dtype=torch.bool, device=q.device).triu(1 + S - T)
    return scores.masked_fill_(future, float("-inf")).softmax(dim=-1)


def written_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """Causal attention in three readable lines; agrees with torch's scaled_dot_product_attention(is_causal=True).

    Args:
        q: queries (B, n_head, T, head_dim).
        k: keys (B, n_head, S, head_dim).
        v: values (B, n_head, S, head_dim).
        dropout: share of the weights silenced.

    Returns:
        (B, n_head, T, head_dim): for each position the weighted mean of the values it may see.
    """
    weights = attention_weights(q, k)
    weights = F.dropout(weights, dropout) if dropout else weights
    return weights @ v


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x[i], x[i + head_dim/2]) by an angle that grows with the position (rotary embedding).

    Args:
        x: queries or keys (B, n_head, T, head_dim).
        cos: cosines of the angles (T, head_dim / 2).
        sin: sines of the angles (T, head_dim / 2).

    Returns:
        (B, n_head, T, head_dim). The dot product of two turned vectors depends only on their distance.

    Source: Su et al., "RoFormer", arXiv 2104.09864, in the half-split layout of Llama.
    """
    x1, x2 = x.chunk(2, dim=-1)
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    return torch.cat((x1 * cos - x2 * sin, x2 * cos + x1 * sin), dim=-1)


class LayerCache:
    """Keys and values of one layer, kept so that generating a token costs one position instead of all of them."""

    place: Tensor | None = None  # of a kernels.decoding.FixedCache: where the new position is
    seen: Tensor | None = None  # and what is added to the scores

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add new positions (B, n_head, T, head_dim); returns all so far (B, n_head, length, head_dim)."""
        if not self.length:
            shape = (*k.shape[:2], self.capacity, k.size(3))
            self.k, self.v = k.new_empty(shape), v.new_empty(shape)
        start, self.length = self.length, self.length + k.size(2)
        self.k[:, :, start : self.length] = k
        self.v[:, :, start : self.length] = v
        return self.k[:, :, : self.length], self.v[:, :, : self.length]


Cache = LayerCache | FixedCache


def make_dropout(config: GPTConfig) -> nn.Module:
    """Dropout, or nothing at all where its share is 0: in a small model an idle one is a tenth of generating's time."""
    return nn.Dropout(config.dropout) if config.dropout else nn.Identity()


class CausalSelfAttention(nn.Module):
    """Multi-head attention: each token's query meets the keys of all tokens so far, and their values are averaged."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head, self.dropout, self.kind = config.n_head, config.dropout, config.attention
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)  # q, k and v in one product
        self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.resid_dropout = make_dropout(config)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor] | None = None, cache: Cache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C). With a cache, x holds only the new positions."""
        B, T, C = x.size()
        parts = self.c_attn(x).view(B, T, 3, self.n_head, C // self.n_head).unbind(dim=2)
        q, k, v = (part.transpose(1, 2) for part in parts)  # (B, T, n_head, head_dim) -> (B, n_head, T, head_dim)
        if rope is not None:
            q, k = rotate(q, *rope), rotate(k, *rope)
        if cache is not None:
            k, v = cache.append(k, v)  # (B, n_head, S, head_dim): all S positions so far
        dropout = self.dropout if self.training else 0.0
        if T == 1 and k.size(2) > 1:  # one new token sees all the cached ones: nothing to mask
            y = F.scaled_dot_product_attention(q, k, v, cache.seen if cache is not None else None)
        elif self.kind == "written":
            y = written_attention(q, k, v, dropout)
        else:
            past = k.size(2) - T  # is_causal would count from the first key, and new tokens follow the cached ones
            seen = torch.ones(T, k.size(2), dtype=torch.bool, device=x.device).tril(past) if past else None
            y = F.scaled_dot_product_attention(q, k, v, seen, dropout, is_causal=not past)
        y = y.transpose(1, 2).reshape(B, T, C)  # heads side by side again
        return self.resid_dropout(self.c_proj(y))


class MLP(nn.Module):
    """What each token does on its own with what it has gathered: four times wider, a non-linearity, and back."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.gelu = nn.GELU(approximate="tanh" if config.activation == "gelu_tanh" else "none")
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = make_dropout(config)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class GatedMLP(nn.Module):
    """Llama's MLP: a second projection decides how much of each hidden activation passes (SwiGLU).

    Three matrices instead of two, so the middle is 8/3 and not 4 times as wide, rounded up to a multiple of 64.

    Source: Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        hidden = -(-8 * config.n_embd // (3 * 64)) * 64
        self.c_gate = nn.Linear(config.n_embd, hidden, bias=config.bias)
        self.c_fc = nn.Linear(config.n_embd, hidden, bias=config.bias)
        self.c_proj = nn.Linear(hidden, config.n_embd, bias=config.bias)
        self.dropout = make_dropout(config)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return self.dropout(self.c_proj(F.silu(self.c_gate(x)) * self.c_fc(x)))


def make_norm(config: GPTConfig) -> nn.Module:
    """The norm that the config asks for, over the last dimension."""
    if config.norm == "rmsnorm":
        return nn.RMSNorm(config.n_embd, eps=1e-5)
    return nn.LayerNorm(config.n_embd, eps=1e-5, bias=config.bias)


class Block(nn.Module):
    """Communicate (attention), then compute (MLP), each added to the residual stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1, self.attn = make_norm(config), CausalSelfAttention(config)
        self.ln_2, self.mlp = make_norm(config), (GatedMLP if config.activation == "swiglu" else MLP)(config)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor] | None = None, cache: Cache | None = None) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = x + self.attn(self.ln_1(x), rope, cache)
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """A decoder-only transformer: embeddings, n_layer blocks, a final norm, and a head tied to the embeddings."""

    cos: Tensor
    sin: Tensor
    only_loss = False  # with targets, keep no logits that are large: training sets it

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.config = config
        parts: dict[str, nn.Module] = {"wte": nn.Embedding(config.vocab_size, config.n_embd)}
        if config.position == "learned":
            parts["wpe"] = nn.Embedding(config.block_size, config.n_embd)
        else:
            head_dim = config.n_embd // config.n_head
            rates = 10000.0 ** (-torch.arange(0, head_dim, 2) / head_dim)
            angles = torch.outer(torch.arange(config.block_size), rates)  # (block_size, head_dim / 2)
            self.register_buffer("cos", angles.cos(), persistent=False)
            self.register_buffer("sin", angles.sin(), persistent=False)
        parts["drop"] = make_dropout(config)
        parts["h"] = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        parts["ln_f"] = make_norm(config)
        self.transformer = nn.ModuleDict(parts)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.lm_head.weight = parts["wte"].weight  # type: ignore[assignment]  # tied: one table reads and writes
        self._init_weights()

    def _init_weights(self) -> None:
        """GPT-2's start: small normal weights, the two projections into the residual stream smaller with depth."""
        wide = 1 / math.sqrt(self.config.n_embd) if self.config.init == "fan_in" else 0.02
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.endswith("c_proj.weight"):
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * self.config.n_layer))
            elif parameter.dim() == 2:
                table = name.endswith(("wte.weight", "wpe.weight"))
                nn.init.normal_(parameter, std=0.02 if table else wide)

    @property
    def blocks(self) -> list[Block]:
        """The n_layer blocks, from the first to the last."""
        return cast("list[Block]", self.transformer["h"])

    def use_attention(self, kind: str) -> None:
        """Switch every block to "written" or "sdpa" attention and note it in the config."""
        self.config = replace(self.config, attention=kind)
        for block in self.blocks:
            block.attn.kind = kind

    def forward(
        self,
        idx: Tensor,
        targets: Tensor | None = None,
        all_logits: bool = False,
        cache: Sequence[Cache] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Score the next token at every position.

        Args:
            idx: token ids (B, T), int64, T at most block_size.
            targets: the tokens that really came next (B, T), -1 where a position must not count.
            all_logits: without targets, give the logits of all positions and not only of the last.
            cache: from empty_cache; idx then holds only positions that are not yet in it.

        Returns:
            logits (B, T, vocab_size), without targets (B, 1, vocab_size), and the mean cross-entropy in nats or None.

        Raises:
            ValueError: the text is longer than block_size.
        """
        start = cache[0].length if cache else 0  # the position of the first token in idx
        end, limit = start + idx.size(1), self.config.block_size
        if end > limit:
            raise ValueError(f"the text is {end} tokens long and block_size is {limit}: cut it, idx[:, -{limit}:]")
        x = self.transformer["wte"](idx)  # (B, T) -> (B, T, C)
        rope, place = None, cache[0].place if cache else None
        at = slice(start, end) if place is None else place
        if self.config.position == "learned":
            positions = torch.arange(start, end, device=idx.device) if place is None else place
            x = x + self.transformer["wpe"](positions)  # (B, T, C) + (T, C)
        else:
            rope = self.cos[at], self.sin[at]  # each (T, head_dim / 2)
        x = self.transformer["drop"](x)
        for i, block in enumerate(self.blocks):
            x = block(x, rope, cache[i] if cache else None)
        x = self.transformer["ln_f"](x)  # (B, T, C)
        if targets is None:
            return self.lm_head(x if all_logits else x[:, -1:]), None
        size = max(1, LOGITS // (4 * self.config.vocab_size))  # rows
        if self.only_loss and targets.numel() > size:  # a loss of your own: set LOGITS = math.inf, or change both
            return x.new_empty(0), loss_in_pieces(x.flatten(0, 1), self.lm_head.weight, targets.flatten(), size)
        logits = self.lm_head(x)  # (B, T, vocab_size)
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)).float(), targets.reshape(-1), ignore_index=-1)
        return logits, loss

    def num_params(self) -> int:
        """Number of parameters, the tied table counted once."""
        return sum(parameter.numel() for parameter in self.parameters())

    def flops_per_token(self) -> int:
        """Floating-point operations to train on one token, forward and backward.

        Source: Chowdhery et al., "PaLM", appendix B: 6 per parameter of a matrix product, which position embeddings
            are not, and 12 * n_layer * n_embd * block_size for attention.
        """
        c = self.config
        positions = c.block_size * c.n_embd if c.position == "learned" else 0
        return 6 * (self.num_params() - positions) + 12 * c.n_layer * c.n_embd * c.block_size

    def empty_cache(self) -> list[LayerCache]:
        """One LayerCache per layer, for `forward`."""
        return [LayerCache(self.config.block_size) for _ in range(self.config.n_layer)]

    def stream(self, idx: Tensor, max_new_tokens: int, **options: Any) -> Iterator[Tensor]:
        """Continue the prompts (B, T) one token at a time: yields (B,) ids; arguments as in `sampling.stream`."""
        return stream(self, idx, max_new_tokens, **options)

    def generate(self, idx: Tensor, max_new_tokens: int, **options: Any) -> Tensor:
        """Continue the prompts (B, T) to (B, T + n); arguments as in `sampling.stream`."""
        added = [next_id[:, None] for next_id in stream(self, idx, max_new_tokens, **options)]
        return torch.cat([idx, *added], dim=1)
