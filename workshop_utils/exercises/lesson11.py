"""The exercises of lesson 11, other language models: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes

# --- 11.1: what the model reads


def hide(ids: Tensor, chosen: Tensor, fate: Tensor, other: Tensor, mask: int) -> tuple[Tensor, Tensor]:
    """The ids to read, with the chosen ones hidden 80/10/10, and the labels."""
    read = torch.where(chosen & (fate < 0.8), mask, ids)
    read = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), other, read)
    return read, torch.where(chosen, ids, -100)


def _to_hide(rng: random.Random) -> Iterator[Arguments]:
    for n in (60, 40):
        generator = torch.Generator().manual_seed(rng.randrange(2**31))
        ids = torch.randint(5, 500, (2, n), generator=generator)
        fate = torch.rand((2, n), generator=generator)
        chosen = torch.rand((2, n), generator=generator) < 0.4
        # One of each, both borders among them, chosen or not.
        fate[0, :10] = torch.tensor([0.0, 0.5, 0.85, 0.89, 0.95, 0.99, 0.8, 0.9, 0.3, 0.86])
        chosen[0, :10] = torch.tensor([True] * 8 + [False] * 2)
        yield ids, chosen, fate, torch.randint(500, 900, (2, n), generator=generator), 4


def _hidden(read: Any, labels: Any) -> Any:
    return lambda ids, chosen, fate, other, mask: (
        read(ids, chosen, fate, other, mask),
        labels(ids, chosen, fate, other, mask),
    )


def _read(*args: Any) -> Tensor:
    return hide(*args)[0]


def _labels(*args: Any) -> Tensor:
    return hide(*args)[1]


HIDDEN: Mistakes = {
    "swapped": (
        lambda *args: hide(*args)[::-1],
        "you return the labels first: return the ids to read, then the labels.",
    ),
    "all masked": (
        _hidden(lambda ids, chosen, fate, other, mask: torch.where(chosen, mask, ids), _labels),
        "you turn every chosen token into [MASK]. Only where fate < 0.8; a tenth gets `other`, a tenth stays.",
    ),
    "all labels": (
        _hidden(_read, lambda ids, *rest: ids),
        "your labels hold every token: the loss would also count tokens that the model can read. Use -100 for those.",
    ),
    "only the masked": (
        _hidden(_read, lambda ids, chosen, fate, other, mask: torch.where(chosen & (fate < 0.8), ids, -100)),
        "the label of a chosen token counts even if it was replaced or left as it was: the model cannot tell which.",
    ),
    "labels of what is read": (
        lambda *args: (hide(*args)[0], torch.where(args[1], hide(*args)[0], -100)),
        "your labels hold what the model reads: take them from the ids before you change them.",
    ),
    "not only the chosen": (
        _hidden(
            lambda ids, chosen, fate, other, mask: torch.where(fate < 0.8, mask, torch.where(fate < 0.9, other, ids)),
            _labels,
        ),
        "you hide tokens that were not chosen: `chosen` must hold as well.",
    ),
    "a fifth replaced": (
        _hidden(
            lambda ids, chosen, fate, other, mask: torch.where(chosen, torch.where(fate < 0.8, mask, other), ids),
            _labels,
        ),
        "all that do not become [MASK] get another token: from 0.9 on, the token stays as it is.",
    ),
}

# --- 11.2: the teacher's probabilities


def soft_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL divergence from the teacher's to the student's softened probabilities, times the temperature squared."""
    p, q = (teacher / temperature).softmax(-1), (student / temperature).log_softmax(-1)
    return F.kl_div(q, p, reduction="batchmean") * temperature**2


def _logits(rng: random.Random) -> Iterator[Arguments]:
    for n, temperature in ((3, 2.0), (5, 4.0), (2, 1.0)):
        generator = torch.Generator().manual_seed(rng.randrange(2**31))
        yield *(3 * torch.randn((n, 7), generator=generator) for _ in range(2)), temperature


SOFT: Mistakes = {
    "no square": (
        lambda student, teacher, temperature: soft_loss(student, teacher, temperature) / temperature**2,
        "multiply by temperature**2: dividing the logits makes the gradients that much smaller.",
    ),
    "other way round": (
        lambda student, teacher, temperature: soft_loss(teacher, student, temperature),
        "student and teacher are exchanged: KL(teacher || student) is not KL(student || teacher).",
    ),
    "mean over everything": (
        lambda student, teacher, temperature: soft_loss(student, teacher, temperature) / student.shape[-1],
        'you divide by the vocabulary as well: sum over the tokens, and take the mean over the rows ("batchmean").',
    ),
    "no temperature": (
        lambda student, teacher, temperature: soft_loss(student, teacher, 1.0),
        "divide both logits by the temperature before the softmax.",
    ),
    "the sum": (
        lambda student, teacher, temperature: soft_loss(student, teacher, temperature) * len(student),
        "take the mean over the rows, or the loss grows with the batch.",
    ),
    "cross-entropy": (
        lambda student, teacher, temperature: (
            F.cross_entropy(student / temperature, (teacher / temperature).softmax(-1)) * temperature**2
        ),
        "this is the cross-entropy: take the teacher's entropy from it, or use F.kl_div.",
    ),
    "no logarithm": (
        lambda student, teacher, temperature: (
            F.kl_div((student / temperature).softmax(-1), (teacher / temperature).softmax(-1), reduction="batchmean")
            * temperature**2
        ),
        "F.kl_div wants log-probabilities of the student: log_softmax and not softmax.",
    ),
}

# --- 11.3: which layers the student keeps


def new_name(name: str) -> str:
    """The name that a parameter of the teacher has in a student with every other layer; "" if it is left out."""
    found = re.search(r"\.layers?\.(\d+)\.", name)
    if found is None:
        return name
    number = int(found[1])
    return "" if number % 2 else f"{name[: found.start(1)]}{number // 2}{name[found.end(1) :]}"


def _names(rng: random.Random) -> Iterator[Arguments]:
    fixed = ["model.embeddings.tok_embeddings.weight", "head.dense.weight", "model.layers.0.attn.Wqkv.weight"]
    fixed += ["model.layers.1.mlp.Wi.weight", "model.layers.4.attn.Wo.weight", "bert.encoder.layer.10.output.bias"]
    fixed += ["bert.encoder.layer.11.attention.self.query.bias", "model.layers.2.mlp.fc2.weight", "model.norm2.weight"]
    fixed += ["model.layers.4.mlp.1.weight", "classifier.1.weight"]
    for name in fixed:
        yield (name,)
    yield (f"model.layers.{2 * rng.randrange(3, 20)}.mlp.Wo.weight",)


def _first_half(name: str) -> str:
    found = re.search(r"\.layers?\.(\d+)\.", name)
    return name if found is None or int(found[1]) < 3 else ""


def _one_digit(name: str) -> str:
    found = re.search(r"\.layers?\.(\d)", name)
    if found is None:
        return name
    number = int(found[1])
    return "" if number % 2 else f"{name[: found.start(1)]}{number // 2}{name[found.end(1) :]}"


NAMES: Mistakes = {
    "the first layers": (
        _first_half,
        "you keep the first layers. Keep every other one: 0, 2, 4, ..., which become 0, 1, 2, ...",
    ),
    "old numbers": (
        lambda name: name if new_name(name) else "",
        "the right layers are kept, under their old numbers: the student's layers are numbered 0, 1, 2, ...",
    ),
    "layers alone": (
        lambda name: new_name(name) if re.search(r"\.layers?\.\d", name) else "",
        "parameters outside the layers, such as the embeddings, are kept under their own names.",
    ),
    "None": (
        lambda name: new_name(name) or None,
        'return the empty text "" for a layer that is left out, not None.',
    ),
    "every number": (
        lambda name: new_name(name).replace("fc2", "fc1").replace("norm2", "norm1"),
        "another number in the name is changed as well, or taken for the layer's: only the one behind `layer.` or "
        "`layers.` counts.",
    ),
    "one digit": (_one_digit, "a layer's number may have two digits, as in `bert.encoder.layer.10.output.bias`."),
}

# --- 11.4: spans


def span_f1(found: set[Any], wanted: set[Any]) -> float:
    """F1 of spans: a span is right where its start, its end and its kind are; 0 where there is none at all."""
    right = len(set(found) & set(wanted))
    return 2 * right / (len(found) + len(wanted)) if found or wanted else 0.0


def _spans(rng: random.Random) -> Iterator[Arguments]:
    a = rng.randrange(20)
    name, animal, thing = (a, a + 4, "name"), (a + 9, a + 12, "animal"), (a + 20, a + 24, "object")
    yield {name, animal}, {name, animal}
    yield set(), {name}
    yield {name}, set()
    yield set(), set()
    yield {(a + 1, a + 4, "name"), animal}, {name, animal}  # a boundary that is one letter off
    yield {(a, a + 3, "name"), animal}, {name, animal}
    yield {(a, a + 4, "animal")}, {name}  # the right place, another kind
    yield {name, animal}, {name}
    yield {name, animal, thing}, {name}
    yield {name}, {name, animal, thing}


def _shares(found: set[Any], wanted: set[Any]) -> tuple[float, float]:
    right = len(found & wanted)
    return right / max(1, len(found)), right / max(1, len(wanted))


def _overlapping(found: set[Any], wanted: set[Any]) -> float:
    right = sum(any(a < d and c < b and k == m for c, d, m in wanted) for a, b, k in found)
    return 2 * right / (len(found) + len(wanted)) if found or wanted else 0.0


SPANS: Mistakes = {
    "overlaps": (_overlapping, "a span that is one letter too short counted as right: compare both ends."),
    "the end ignored": (
        lambda found, wanted: span_f1({(s[0], s[2]) for s in found}, {(s[0], s[2]) for s in wanted}),
        "a span with the wrong end counted as right: compare both ends.",
    ),
    "any kind": (
        lambda found, wanted: span_f1({s[:2] for s in found}, {s[:2] for s in wanted}),
        "an animal was found where a name stands, and yours counts it as right: compare the kind, too.",
    ),
    "recall": (
        lambda found, wanted: _shares(found, wanted)[1],
        "this is recall: mark everything and it is 1. Spans that are found and wrong must cost something.",
    ),
    "precision": (
        lambda found, wanted: _shares(found, wanted)[0],
        "this is precision: find one span of ten and it is 1. Spans that were missed must cost something.",
    ),
    "the plain mean": (
        lambda found, wanted: sum(_shares(found, wanted)) / 2,
        "F1 is the harmonic mean of precision and recall, 2 * right / (found + wanted), and not the plain one.",
    ),
    "shared": (
        lambda found, wanted: len(found & wanted) / len(found | wanted) if found or wanted else 0.0,
        "you divide by the spans of either set, counted once (Jaccard). F1 is 2 * right / (found + wanted).",
    ),
}

# --- 11.5: a vector for a text


def pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean of the hidden states of the real tokens: (B, C)."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)  # (B, T, 1)
    return (hidden * weights).sum(1) / weights.sum(1)


def _states(rng: random.Random) -> Iterator[Arguments]:
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    for n in (8, 5):
        hidden = torch.randn((3, n, 4), generator=generator)
        mask = torch.zeros((3, n), dtype=torch.long)
        for i, length in enumerate((1, 3, n)):
            mask[i, :length] = 1
            hidden[i, length:] = 100.0
        yield hidden, mask


def _over_all(hidden: Tensor, mask: Tensor) -> Tensor:
    return (hidden * mask.unsqueeze(-1)).mean(1)


def _over_batch(hidden: Tensor, mask: Tensor) -> Tensor:
    return (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum()


POOLED: Mistakes = {
    "padding too": (
        lambda hidden, mask: hidden.mean(1),
        "padding is averaged in: your mean changes when the padding does. Multiply by the mask first.",
    ),
    "all positions": (
        _over_all,
        "padding is silenced, but you still divide by all T positions: divide by the sum of each row of the mask.",
    ),
    "first token": (
        lambda hidden, mask: hidden[:, 0],
        "this is the hidden state of the first token alone: take the mean over all real tokens.",
    ),
    "sum": (
        lambda hidden, mask: (hidden * mask.unsqueeze(-1)).sum(1),
        "this is the sum, which grows with the text: divide by each text's own number of tokens.",
    ),
    "whole batch": (
        _over_batch,
        "you divide by the tokens of the whole batch: divide each text by its own number of tokens.",
    ),
}

# --- 11.6: pull together, push apart


def contrastive(one: Tensor, other: Tensor, temperature: float = 0.05) -> Tensor:
    """Cross-entropy of each row's own partner among all rows of `other`, by cosine / temperature."""
    scores = one @ other.T / temperature  # (B, B)
    return F.cross_entropy(scores, torch.arange(len(one), device=one.device))


def _partners(rng: random.Random) -> Iterator[Arguments]:
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    for n, temperature in ((4, 0.5), (3, 0.2), (5, 1.0)):
        first = F.normalize(torch.randn((n, 6), generator=generator), dim=1)
        second = F.normalize(first + 0.8 * torch.randn((n, 6), generator=generator), dim=1)
        yield first, second, temperature
    yield first, second


def _with(scores: Any, targets: Any = torch.arange) -> Any:
    return lambda one, other, temperature=0.05: F.cross_entropy(scores(one, other, temperature), targets(len(one)))


def _nothing_pushed(one: Tensor, other: Tensor, temperature: float = 0.05) -> Tensor:
    return 1 - (one * other).sum(1).mean()


CONTRASTED: Mistakes = {
    "no temperature": (
        _with(lambda one, other, t: one @ other.T),
        "divide the cosines by the temperature: yours is the same for every temperature.",
    ),
    "times": (
        _with(lambda one, other, t: one @ other.T * t),
        "a lower temperature makes differences larger: divide by it.",
    ),
    "nothing pushed": (
        _nothing_pushed,
        "with all texts at the same point this is 0: nothing pushes other texts away. Compare with all rows.",
    ),
    "the first": (
        _with(lambda one, other, t: one @ other.T / t, lambda n: torch.zeros(n, dtype=torch.long)),
        "every row is drawn to the first partner: the right class of row i is i.",
    ),
    "both ways": (
        lambda one, other, temperature=0.05: (
            (contrastive(one, other, temperature) + contrastive(other, one, temperature)) / 2
        ),
        "this is the mean of both directions, as in CLIP, a good loss, too; here rows of `one` alone are classified.",
    ),
    "another default": (
        lambda one, other, temperature=1.0: contrastive(one, other, temperature),
        "where no temperature is given, 0.05 is meant: keep the default of the stub.",
    ),
    "other classified": (
        lambda one, other, temperature=0.05: contrastive(other, one, temperature),
        "you classify the rows of `other` among those of `one`: the other way round.",
    ),
    "itself": (_with(lambda one, other, t: one @ one.T / t), "`other` is not used: compare one with other."),
}

EXERCISES = [
    Exercise("11.1", "masking", hide, HIDDEN, _to_hide, praise="the loss counts the chosen tokens, and no others."),
    Exercise(
        "11.2",
        "soft loss",
        soft_loss,
        SOFT,
        _logits,
        trained=True,
        praise="the student is shown how probable the teacher finds each token, and not only which is right.",
    ),
    Exercise("11.3", "choice of layers", new_name, NAMES, _names, praise="half of the layers, and all of the rest."),
    Exercise("11.4", "span F1", span_f1, SPANS, _spans, praise="a span that is nearly right is wrong."),
    Exercise("11.5", "pooling", pool, POOLED, _states, praise="a text has the same vector, whatever its batch."),
    Exercise(
        "11.6",
        "contrastive loss",
        contrastive,
        CONTRASTED,
        _partners,
        trained=True,
        praise="every other text of the batch is a wrong answer for free.",
    ),
]
