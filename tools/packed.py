"""Training of a small Llama on a GPU, as fast as it goes: rows of whole documents, one CUDA graph a step.

Rows are packed with whole documents, each of which attends to itself only. A step is recorded once and replayed: a
model of this size is bound by the launching of kernels; where that fails, and on a CPU, it runs step by step. The rate
falls linearly with the time that is spent or with the steps that are done, whichever is further.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

ROW = 512
Documents = Sequence[tuple[Sequence[int], Sequence[bool] | None]]  # ids, and which of them are learnt; None: all
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """Of the model: layers, width, heads, hidden width of the MLP, vocabulary."""

    layers: int = 4
    width: int = 256
    heads: int = 8
    hidden: int = 704
    vocab: int = 1152


@dataclass(frozen=True)
class Plan:
    """Of one training: peak rates of Muon and of AdamW, seconds and steps at most, rows a step, seed."""

    muon: float
    adam: float
    seconds: float
    steps: int
    batch: int = 16
    seed: int = 1


def pack(documents: Documents, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shuffle documents and fit them into rows.

    Args:
        documents: ids with what is learnt.
        seed: of the shuffling.

    Returns:
        three arrays (rows, ROW): the tokens, the next ones (-1 where nothing is learnt), the number of the document.
    """
    longest = int(sum(len(ids) for ids, _ in documents) / ROW * 1.12) + 64
    x, y, of = (np.full((longest, ROW), value, np.int16) for value in (0, -1, 0))
    rows, begun = 0, list[list[int]]()  # of rows that have room: number, tokens, documents
    for number in np.random.default_rng(seed).permutation(len(documents)):
        ids, trained = (None if part is None else np.asarray(part)[: ROW + 1] for part in documents[number])
        assert ids is not None
        n = len(ids) - 1
        row = next((one for one in begun if one[1] + n <= ROW), None)
        if row is None:
            if len(begun) >= 12:
                begun.remove(max(begun, key=lambda one: one[1]))
            row = [rows, 0, 0]
            begun.append(row)
            rows += 1
        here = slice(row[1], row[1] + n)
        x[row[0], here] = ids[:-1]
        y[row[0], here] = ids[1:] if trained is None else np.where(trained[1:], ids[1:].astype(np.int32), -1)
        row[1], row[2] = row[1] + n, row[2] + 1
        of[row[0], here] = row[2]
    return x[:rows], y[:rows], of[:rows]


def fresh(shape: Shape, seed: int) -> Weights:
    """Weights to begin with; those of all layers lie in one tensor for each kind."""
    torch.manual_seed(seed)
    layers, c, hidden = shape.layers, shape.width, shape.hidden
    wide, out = 1 / math.sqrt(c), 0.02 / math.sqrt(2 * layers)
    return {
        "emb": torch.randn(shape.vocab, c) * 0.02,
        "norm": torch.ones(2 * layers + 1, c),
        "qkv": torch.randn(layers, 3 * c, c) * wide,
        "o": torch.randn(layers, c, c) * out,
        "gu": torch.randn(layers, 2 * hidden, c) * wide,
        "down": torch.randn(layers, c, hidden) * out,
    }


class Model:
    """The loss of a batch, in bf16 with weights in float32."""

    def __init__(self, shape: Shape, device: str) -> None:
        """Make the tables of angles and the causal mask."""
        self.shape = shape
        depth = shape.width // shape.heads
        turns = 10000.0 ** (-torch.arange(0, depth, 2, device=device).float() / depth)
        angle = torch.arange(ROW, device=device).float()[:, None] * turns[None]
        self.cos, self.sin = (
            torch.cat([part, part], 1)[:, None, :].to(torch.bfloat16) for part in (angle.cos(), angle.sin())
        )
        self.tokens = torch.arange(shape.vocab, device=device)
        self.causal = torch.ones(ROW, ROW, dtype=torch.bool, device=device).tril()

    def loss(self, weights: Weights, x: Tensor, y: Tensor, of: Tensor) -> Tensor:
        """Mean over what is learnt."""
        s, n, half = self.shape, len(x), torch.bfloat16
        c, depth = s.width, s.width // s.heads
        table = weights["emb"].to(half)
        hot = (x[..., None] == self.tokens).to(half).view(n * ROW, s.vocab)  # a product, since it can be recorded
        h = (hot @ table).view(n, ROW, c).float()
        allowed = (of[:, :, None] == of[:, None, :]) & self.causal
        mask = torch.zeros_like(allowed, dtype=half).masked_fill(~allowed, float("-inf"))[:, None]
        qkv, out, gu, down = (weights[name].to(half).unbind(0) for name in ("qkv", "o", "gu", "down"))
        norm = weights["norm"].unbind(0)
        for i in range(s.layers):
            z = F.rms_norm(h, (c,), norm[2 * i], 1e-5).to(half)
            a = (z @ qkv[i].T).view(n, ROW, 3, s.heads, depth)
            both, v = a[:, :, :2].reshape(n, ROW, 2 * s.heads, depth), a[:, :, 2].transpose(1, 2)
            turned = torch.cat([-both[..., depth // 2 :], both[..., : depth // 2]], -1)
            both = both * self.cos + turned * self.sin
            q, k = both[:, :, : s.heads].transpose(1, 2), both[:, :, s.heads :].transpose(1, 2)
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.expand(n, s.heads, ROW, ROW))
            h = h + (a.transpose(1, 2).reshape(n, ROW, c) @ out[i].T)
            z = F.rms_norm(h, (c,), norm[2 * i + 1], 1e-5).to(half)
            gate, up = (z @ gu[i].T).chunk(2, -1)
            h = h + ((F.silu(gate) * up) @ down[i].T)
        z = F.rms_norm(h, (c,), norm[2 * s.layers], 1e-5).to(half)
        return F.cross_entropy((z @ table.T).float().view(-1, s.vocab), y.view(-1), ignore_index=-1)


class Optimizer:
    """Muon for the matrices of the blocks, AdamW for table and norms; rates are tensors, so that it can be recorded."""

    def __init__(self, weights: Weights, shape: Shape, decay: float = 0.05) -> None:
        """Begin with moments of 0."""
        self.weights, self.shape, self.decay = weights, shape, decay
        device = weights["emb"].device
        self.first = {name: torch.zeros_like(one) for name, one in weights.items()}
        self.second = {name: torch.zeros_like(weights[name]) for name in ("emb", "norm")}
        self.muon, self.adam, self.steps = (torch.zeros((), device=device) for _ in range(3))

    def reset(self) -> None:
        """Forget all moments."""
        for one in (*self.first.values(), *self.second.values(), self.steps):
            one.zero_()

    @torch.no_grad()
    def step(self, gradients: Weights) -> None:
        """One update."""
        s, weights = self.shape, self.weights
        c, layers, hidden = s.width, s.layers, s.hidden
        norm = torch.stack([one.float().norm() for one in gradients.values()]).norm()
        clip = (1.0 / (norm + 1e-6)).clamp(max=1.0)
        moved = {}
        for name in ("qkv", "o", "gu", "down"):
            gradient = gradients[name] * clip
            self.first[name].lerp_(gradient, 0.05)
            moved[name] = torch.lerp(gradient, self.first[name], 0.95)
        square = orthogonal(torch.cat([moved["qkv"].view(3 * layers, c, c), moved["o"]]))
        long = orthogonal(torch.cat([moved["gu"].view(2 * layers, hidden, c).transpose(1, 2), moved["down"]]))
        tall = math.sqrt(hidden / c)
        moved["qkv"], moved["o"] = square[: 3 * layers].reshape(layers, 3 * c, c), square[3 * layers :]
        moved["gu"] = long[: 2 * layers].transpose(1, 2).reshape(layers, 2 * hidden, c) * tall
        moved["down"] = long[2 * layers :]
        for name, change in moved.items():
            weights[name].mul_(1 - self.muon * self.decay)
            weights[name].sub_(change * self.muon)
        self.steps.add_(1)
        for name in ("emb", "norm"):
            gradient = gradients[name] * clip
            self.first[name].lerp_(gradient, 0.1)
            self.second[name].lerp_(gradient * gradient, 0.05)
            first = self.first[name] / (1 - 0.9**self.steps)
            second = self.second[name] / (1 - 0.95**self.steps)
            if name == "emb":
                weights[name].mul_(1 - self.adam * self.decay)
            weights[name].sub_(self.adam * first / (second.sqrt() + 1e-8))


def orthogonal(matrices: Tensor) -> Tensor:
    """Muon's five steps of Newton and Schulz, for many matrices of one shape at once."""
    x = matrices.to(torch.bfloat16)
    x = x / (x.float().flatten(1).norm(dim=1).to(torch.bfloat16)[:, None, None] + 1e-7)
    for _ in range(5):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.float()


def train(
    documents: Documents, shape: Shape, plan: Plan, device: str, start: Weights | None = None
) -> tuple[Weights, dict[str, Any]]:
    """Train until the time is over or the steps are done.

    Args:
        documents: what is read.
        shape: of the model.
        plan: of the training.
        device: "cuda" or "cpu".
        start: weights to go on from.

    Returns:
        the weights on the CPU, and figures: steps_done, seconds, tokens, best_val_loss (of rows kept apart).
    """
    if device == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)
    rows = [torch.from_numpy(part).to(device) for part in pack(documents, plan.seed)]
    n_val = min(96, max(plan.batch, len(rows[0]) // 50)) // plan.batch * plan.batch
    first = {name: one.to(device) for name, one in (start or fresh(shape, plan.seed)).items()}
    weights = {name: one.clone().requires_grad_() for name, one in first.items()}
    model, optimizer = Model(shape, device), Optimizer(weights, shape)
    chosen = torch.arange(plan.batch, device=device)
    shown = torch.zeros((), device=device)

    def batch(which: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return rows[0][which].long(), rows[1][which].long(), rows[2][which]

    def step() -> None:
        loss = model.loss(weights, *batch(chosen))
        optimizer.step(dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True)))
        shown.copy_(loss.detach())

    def begin() -> None:
        with torch.no_grad():
            for name, one in weights.items():
                one.copy_(first[name])
        optimizer.reset()

    run = _recorded(step) if device == "cuda" else step
    begin()
    generator = torch.Generator().manual_seed(plan.seed)
    order = torch.empty(0, dtype=torch.int64)
    began, done = time.time(), 0
    while (spent := max(done / plan.steps, (time.time() - began) / plan.seconds)) < 1:
        rate = min(1.0, (done + 1) / 100) * (1 - spent)
        optimizer.muon.fill_(plan.muon * rate)
        optimizer.adam.fill_(plan.adam * rate)
        for _ in range(10):
            if len(order) < plan.batch:
                order = torch.cat([order, torch.randperm(len(rows[0]) - n_val, generator=generator) + n_val])
            chosen.copy_(order[: plan.batch])
            order = order[plan.batch :]
            run()
        done += 10
        if done % 200 == 0:
            pace = (time.time() - began) / done * 1000
            print(f"step {done:,}: loss {float(shown):.3f}, {pace:.1f} ms a step", flush=True)
    seconds = time.time() - began
    with torch.no_grad():
        parts = torch.arange(n_val, device=device).split(plan.batch)
        losses = [float(model.loss(weights, *batch(part))) for part in parts]
    figures = {"best_val_loss": sum(losses) / len(losses), "steps_done": done, "seconds": seconds}
    figures["tokens"] = done * plan.batch * ROW
    return {name: one.detach().cpu() for name, one in weights.items()}, figures


def _recorded(step: Callable[[], None]) -> Callable[[], None]:
    """The step as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def as_llama(weights: Weights, shape: Shape) -> Weights:
    """The weights under the names that transformers' Llama has for them, in bf16."""
    c, hidden = shape.width, shape.hidden
    found = {"model.embed_tokens.weight": weights["emb"], "model.norm.weight": weights["norm"][-1]}
    for i in range(shape.layers):
        layer = f"model.layers.{i}."
        for name, part in zip("qkv", weights["qkv"][i].split(c), strict=True):
            found[f"{layer}self_attn.{name}_proj.weight"] = part
        found[f"{layer}self_attn.o_proj.weight"] = weights["o"][i]
        gate, up = weights["gu"][i].split(hidden)
        found |= {f"{layer}mlp.gate_proj.weight": gate, f"{layer}mlp.up_proj.weight": up}
        found[f"{layer}mlp.down_proj.weight"] = weights["down"][i]
        found[f"{layer}input_layernorm.weight"] = weights["norm"][2 * i]
        found[f"{layer}post_attention_layernorm.weight"] = weights["norm"][2 * i + 1]
    found["lm_head.weight"] = weights["emb"]
    return {name: one.to(torch.bfloat16).contiguous().clone() for name, one in found.items()}
