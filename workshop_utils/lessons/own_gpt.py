"""The GPT of lessons 03 and 04 learns to answer: turns for its tokenizer, rows with a mask, and train() as it is.

A base model and its tokenizer -> two more tokens, which begin and end a turn -> conversations in the pocket models'
chat template, of which only the replies count -> training.train, all weights -> a model that answers and stops.
teach_to_answer does all of it, with the conversations of pocket.story_chats.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tiktoken
import torch
from torch import Tensor

from workshop_utils.chat import template
from workshop_utils.export.hf import chat_tokenizer
from workshop_utils.gpt.config import TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.profiles import Profile, hurried
from workshop_utils.pocket import stories, story_chats
from workshop_utils.text.tokenizer import END_OF_TEXT, TOKENIZER, fingerprint, save_tokenizer
from workshop_utils.training.run import Run
from workshop_utils.training.train import train

TURNS = (template.START_OF_TURN, template.END_OF_TURN)
PADDED_TO = 64  # rows of an embedding table
STEPS, CHATS, REHEARSED = 1_000, 8_000, 1_400  # updates; rows to draw from: conversations, and plain stories
SETTINGS: dict[str, Any] = {"batch_size": 8, "grad_accum_steps": 1, "rows": "rows", "milestones": (), "keep": 1}
SETTINGS |= {"optimizer": "muon", "muon_lr": 5e-3, "learning_rate": 1e-3, "weight_decay": 0.0}


def with_turns(encoding: tiktoken.Encoding) -> tiktoken.Encoding:
    """The same vocabulary with two tokens more, which mark where a turn begins and ends, split by GPT-2's pattern.

    Args:
        encoding: of a base model. Its ids stay what they are, and on text like the stories the pattern changes none of
            them; programs such as llama.cpp know GPT-2's pattern and no other.
    """
    from tiktoken_ext.openai_public import r50k_pat_str

    return tiktoken.Encoding(
        f"{encoding.name}-chat",
        pat_str=r50k_pat_str,
        mergeable_ranks=encoding._mergeable_ranks,
        special_tokens=encoding._special_tokens | {turn: encoding.n_vocab + i for i, turn in enumerate(TURNS)},
    )


def with_rows(model: GPT, vocab_size: int, seed: int = 0) -> GPT:
    """A copy of a model with rows in its embedding table for a larger vocabulary, drawn as the first ones were.

    Args:
        model: stays as it is.
        vocab_size: tokens that the table must have room for; it is padded to a multiple of 64.
        seed: of the new rows, whose size is that of the old ones.
    """
    rows = -(-max(vocab_size, model.config.vocab_size) // PADDED_TO) * PADDED_TO
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        larger = GPT(replace(model.config, vocab_size=rows))
        table = model.lm_head.weight.detach()
        new = torch.randn(rows - len(table), table.size(1)) * table.std() + table.mean(dim=0)
    weights = dict(model.state_dict())
    weights["lm_head.weight"] = weights["transformer.wte.weight"] = torch.cat([table.cpu(), new])
    larger.load_state_dict(weights)
    return larger


class ChatRows:
    """Conversations and documents as batches for training.train: of a conversation only the replies count.

    Attributes:
        rows: of each conversation or document its ids, and for each id whether it is trained.
    """

    def __init__(
        self,
        encoding: tiktoken.Encoding,
        conversations: Sequence[template.Messages],
        documents: Sequence[str] = (),
    ) -> None:
        """Encode everything once.

        Args:
            encoding: of with_turns.
            conversations: messages, user and assistant in turn.
            documents: plain text, of which every token counts, as in the training before: what is rehearsed.

        Raises:
            ValueError: as for chat.template.encode, with the row's number.
        """
        tokenizer = chat_tokenizer(encoding)
        self.fingerprint, self.vocab_size = fingerprint(encoding), encoding.n_vocab
        encoded = [template.encode(tokenizer, said, row=row) for row, said in enumerate(conversations)]
        self.rows = [(np.array(one.ids), np.array(one.trained)) for one in encoded]
        end = encoding.encode_single_token(END_OF_TEXT)
        for document in documents:
            ids = np.array([end, *encoding.encode_ordinary(document), end])
            self.rows.append((ids, np.ones(len(ids), bool)))

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw rows; x and y (B, T), T that of the longest row. y is -1 where nothing is trained.

        Args:
            how: rows are all that there is.
            batch_size: B.
            block_size: what lies beyond it is cut off.
            generator: of the draw.
        """
        if how != "rows":
            raise ValueError(f"rows is {how!r}: conversations come a row each, rows='rows'")
        chosen = [self.rows[i] for i in torch.randint(len(self.rows), (batch_size,), generator=generator).tolist()]
        T = min(block_size, max(len(ids) for ids, _ in chosen) - 1)
        x = torch.zeros(batch_size, T, dtype=torch.long)
        y = torch.full((batch_size, T), -1)
        for row, (ids, trained) in enumerate(chosen):
            n = min(T, len(ids) - 1)
            x[row, :n] = torch.from_numpy(ids[:n])
            y[row, :n] = torch.from_numpy(np.where(trained[1 : n + 1], ids[1 : n + 1], -1))
        return x, y


def answering(profile: Profile, steps: int = STEPS, seed: int = 0) -> TrainConfig:
    """How the GPT is tuned: rates a third of those of its first training and less, and no weight decay.

    Args:
        profile: says where to compute, and in which precision.
        steps: updates; a few only where WORKSHOP_HURRY=1 is set.
        seed: of the order of the rows.
    """
    usual = profile.training
    return replace(usual, **SETTINGS, steps=min(steps, usual.steps) if hurried() else steps, seed=seed)


def teach_to_answer(
    model: GPT,
    encoding: tiktoken.Encoding,
    profile: Profile,
    steps: int = STEPS,
    chats: int = CHATS,
    rehearsed: int = REHEARSED,
    folder: Path | str | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Run:
    """Tune all weights of a GPT on requests for stories and small talk.

    Args:
        model: that writes stories; it stays as it is.
        encoding: the one that it was trained with. The tuned model's is with_turns(encoding).
        profile: says where to compute.
        steps: updates of 8 rows.
        chats: how many conversations to draw from.
        rehearsed: how many plain stories are among them, so that the model does not forget what it wrote before.
        folder: to keep it in, as `workshop train` keeps a run: settings, tokenizer and checkpoints. A run that was
            begun there goes on, and one that is done is only loaded.
        seed: of the conversations, of the new rows of the embedding table, and of the order.
        quiet: print nothing.

    Returns:
        the Run; its model is the one that answers.

    Raises:
        ValueError, CheckpointError, TrainingStopped: as for training.train.
    """
    wider, config = with_turns(encoding), answering(profile, steps, seed)
    larger = with_rows(model, wider.n_vocab, seed)
    said = [request.messages for request in story_chats.to_train(chats, seed)]
    rows = ChatRows(wider, said, list(stories.texts(rehearsed, seed=seed + 5)))
    if folder is not None:
        settings = {"gpt": larger.config.to_dict(), "training": config.to_dict(), "text_sha256": ""}
        save_tokenizer(wider, Path(folder) / TOKENIZER)
        write_text_atomically(json.dumps(settings, indent=2) + "\n", Path(folder) / "config.json")
    return train(larger, rows, None, config, folder, resume=folder is not None, quiet=quiet)


def reply(model: GPT, encoding: tiktoken.Encoding, prompts: Sequence[str], **options: Any) -> list[tuple[str, bool]]:
    """Answer prompts, one after the other, greedily unless asked otherwise.

    Args:
        model: a GPT that was tuned to answer, or one that was not.
        encoding: of with_turns.
        prompts: what users say.
        options: temperature, top_k, top_p, generator, as in gpt.sampling.stream.

    Returns:
        for each the reply, and whether it ended by itself.
    """
    tokenizer, stop = chat_tokenizer(encoding), encoding.encode_single_token(template.END_OF_TURN)
    ends = {stop, encoding.encode_single_token(END_OF_TEXT)}
    options = {"temperature": 0.0} | options
    replies = []
    for prompt in prompts:
        ids = template.prompt_ids(tokenizer, template.conversation(prompt))
        written: list[int] = []
        steps = model.stream(
            torch.tensor([ids], device=model.lm_head.weight.device), model.config.block_size - len(ids), **options
        )
        for token in steps:
            if int(token) in ends:
                break
            written.append(int(token))
        ended = len(written) < model.config.block_size - len(ids)
        replies.append((encoding.decode([token for token in written if token < encoding.n_vocab]).strip(), ended))
    return replies
