"""The tuning of lesson 08: LoRA, and beside it the embedding rows that SQL needs and that were never trained.

The pocket models have never read the ";" that ends a query. The rows of such tokens are alike, so that no layer can
tell them apart: an adapter alone writes any of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.tuning import lora
from workshop_utils.tuning.finetune import TuneConfig

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

RANK, ALPHA = 32, 64
ALIKE = 0.9  # cosine to the mean of the rows that no text has: a row above was never trained either
N_TRAIN, TOGETHER = 10_560, 2  # questions, and how many of them a conversation puts to one schema


def never_trained(model: LanguageModel) -> set[int]:
    """The tokens whose embedding rows are like those of bytes that no text can have, 0xF5 to 0xFF.

    Where the embedding is also the output layer, all rows that are never right answers are pushed the same way.

    Args:
        model: with a byte-level tokenizer.
    """
    import torch.nn.functional as F

    known = model.tokenizer.get_vocab()
    weights = cast(Any, model.model).get_input_embeddings().weight.detach().float()
    # Byte-level tokenizers write the byte 0xF5 as the character U+00F5, and so on.
    impossible = [known[chr(byte)] for byte in range(0xF5, 0x100) if chr(byte) in known]
    if not impossible:
        return set()
    rows = F.normalize(weights, dim=1)  # (vocab_size, width)
    direction = F.normalize(rows[impossible].mean(0), dim=0)
    return {i for i, cosine in enumerate((rows @ direction).tolist()) if cosine > ALIKE}


def redraw(model: LanguageModel, tokens: Iterable[int], seed: int = 0) -> None:
    """Give embedding rows random directions of the usual length, in place, so that the layers can tell them apart."""
    import torch
    import torch.nn.functional as F

    chosen = sorted(tokens)
    weights = cast(Any, model.model).get_input_embeddings().weight.data
    drawn = torch.randn(len(chosen), weights.shape[1], generator=torch.Generator().manual_seed(seed))
    weights[chosen] = (F.normalize(drawn, dim=1) * weights.float().norm(dim=1).median().cpu()).to(weights)


def attach(base: LanguageModel, conversations: Iterable[list[dict[str, str]]], seed: int = 0) -> LanguageModel:
    """Put an adapter on a base that also trains the rows of the symbols in these conversations.

    Args:
        base: from tuning.lora.load_base.
        conversations: that will be trained on.
        seed: of the adapter and the rows.
    """
    texts = [message["content"] for turns in conversations for message in turns]
    written = base.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    needed = sorted(never_trained(base) & set().union(*written))
    redraw(base, needed, seed)
    more = {"trainable_token_indices": {"embed_tokens": needed}} if needed else {}
    return lora.attach(base, RANK, ALPHA, 0.0, seed, **more)


def config(profile: Profile, steps: int | None = None, seed: int = 0) -> TuneConfig:
    """The settings of the run: on two cores of a CPU at most five minutes.

    Args:
        profile: says where.
        steps: another number of updates.
        seed: of the order of the examples.
    """
    from workshop_utils.machine.profiles import hurried

    pocket = profile.name == "pocket"
    chosen: dict[str, Any] = {
        "steps": 440,
        "batch_size": 12,
        "grad_accum_steps": 1,
        "learning_rate": 4e-3,
        "beta2": 0.98,
        "by_length": True,
    }
    if not pocket:
        chosen = {"steps": 200, "batch_size": 4, "grad_accum_steps": 4, "max_length": 1024}
    chosen |= {"steps": 3, "batch_size": 2} if hurried() else {}
    chosen |= {"steps": steps} if steps else {}
    return TuneConfig(checkpoint_every=chosen["steps"], seed=seed, country=profile.country, **chosen)
