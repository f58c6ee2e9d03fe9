"""Make the pocket models: tokenizer, base model, instruct model, and write them into the package.

python tools/build_pocket.py [--device cuda] [--base-steps N] [--instruct-steps N] [--out FOLDER] [--work FOLDER]
                             [--new-tokenizer]

Stopped at any time, the same command goes on where it was. Everything comes from seeds: the same command on the same
kind of machine gives the same weights. Measure what was made with bench/pocket_quality.py before it is committed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tiktoken
import torch
from llama import to_llama
from pocket_world import card, chats, corpus
from rows import Rows
from tiktoken_ext.openai_public import r50k_pat_str

from workshop_utils.chat import template
from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.profiles import choose_dtype, setup
from workshop_utils.machine.record import computer
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.text.corpus import split_of
from workshop_utils.text.tokenizer import fingerprint, load_tokenizer, save_tokenizer, to_transformers, train_bpe
from workshop_utils.training.checkpoints import load_model
from workshop_utils.training.run import Run
from workshop_utils.training.train import train

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "workshop_utils" / "pocket" / "models"
# Kept when the chats are given new kinds: with another vocabulary the base model would have to be trained again.
TOKENIZER = ROOT / "tools" / "pocket_world" / "chat_tokenizer.json"
VOCAB_SIZE = 1152  # names and rare nouns are spelled by pieces, which is what a small model learns to copy
N_TOKENIZER, N_DOCUMENTS, N_CONVERSATIONS = 12_000, 150_000, 120_000

# Gemma's format: two roles, user and model, strictly in turn. Like Gemma's own template it refuses a system role.
GEMMA_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
    {%- if message.role == "system" -%}
        {{- raise_exception("System role not supported") -}}
    {%- endif -%}
    {%- if (message.role == "user") != (loop.index0 % 2 == 0) -%}
        {{- raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") -}}
    {%- endif -%}
    {{- "<start_of_turn>" + ("model" if message.role == "assistant" else message.role) + "\\n" -}}
    {{- message.content | trim + "<end_of_turn>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "<start_of_turn>model\\n" -}}
{%- endif -%}
"""
# A small Llama: every side a multiple of 64, as the 4-bit kernels want it.
SHAPE = GPTConfig(
    block_size=512, vocab_size=VOCAB_SIZE, n_layer=4, n_head=8, n_embd=256, position="rope", norm="rmsnorm",
    activation="swiglu", init="fan_in", bias=False,
)  # fmt: skip
# Four rows of 512 are 2,048 tokens a step: many small steps teach a tiny model more than few large ones.
BASE = TrainConfig(
    steps=10_000, batch_size=4, optimizer="muon", muon_lr=0.015, learning_rate=6e-3, weight_decay=0.05,
    eval_every=500, eval_batches=40, checkpoint_every=500, seed=1, log_every=50,
)  # fmt: skip
INSTRUCT = replace(BASE, steps=7_000, muon_lr=0.008, learning_rate=3e-3, seed=2)


def main(arguments: list[str] | None = None) -> int:
    """Build what is not built yet."""
    options = _options(arguments)
    setup("pocket", quiet=True)
    device = {"device": options.device, "dtype": choose_dtype(options.device)[0]}
    work, out = options.work, options.out
    encoding = _tokenizer(work / "tokenizer.json", options.documents, options.new_tokenizer)

    base_rows = _split(_document_rows(encoding, options.documents), encoding)
    base_config = replace(BASE, steps=options.base_steps, **device)
    base_run = _train(GPT, base_rows, base_config, work / "base")
    tokenizer = to_transformers(encoding)
    _write(out / "base", "pocket-base", work / "base", base_run, tokenizer, encoding, ("<eos>",))

    tokenizer.chat_template = GEMMA_TEMPLATE
    instruct_rows = _split(_conversation_rows(tokenizer, options.conversations), encoding)
    instruct_config = replace(INSTRUCT, steps=options.instruct_steps, **device)
    run = _train(lambda shape: load_model(work / "base"), instruct_rows, instruct_config, work / "instruct")
    stops = ("<eos>", template.END_OF_TURN)
    _write(out / "instruct", "pocket-instruct", work / "instruct", run, tokenizer, encoding, stops)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--base-steps", type=int, default=BASE.steps)
    parser.add_argument("--instruct-steps", type=int, default=INSTRUCT.steps)
    parser.add_argument("--documents", type=int, default=N_DOCUMENTS, help="of the base corpus")
    parser.add_argument("--conversations", type=int, default=N_CONVERSATIONS)
    parser.add_argument("--new-tokenizer", action="store_true", help="learn one, instead of taking the package's")
    parser.add_argument("--out", type=Path, default=MODELS, help="where the models go")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "pocket", help="where checkpoints lie")
    return parser.parse_args(arguments)


def _tokenizer(path: Path, n_documents: int, afresh: bool) -> tiktoken.Encoding:
    """The one of this build or of the package, or one learnt from documents and chats in equal parts."""
    if path.is_file():
        return load_tokenizer(path)
    if not afresh:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOKENIZER, path)
        return load_tokenizer(path)
    n = min(N_TOKENIZER, n_documents)
    texts = [text for _, text in corpus.documents(n)]
    texts += [text for turns in chats.conversations(n) for one in turns for text in (one.prompt, one.reply)]
    learnt = train_bpe(texts, VOCAB_SIZE, name="pocket-chat", special_tokens=template.GEMMA_SPECIALS)
    encoding = tiktoken.Encoding(  # the merges are ours, the pattern is GPT-2's, so that llama.cpp splits alike
        "pocket-chat",
        pat_str=r50k_pat_str,
        mergeable_ranks=learnt._mergeable_ranks,
        special_tokens=learnt._special_tokens,
        explicit_n_vocab=learnt.n_vocab,
    )
    save_tokenizer(encoding, path)
    print(f"tokenizer: {encoding.n_vocab:,} tokens from {len(texts):,} texts", flush=True)
    return encoding


def _document_rows(encoding: tiktoken.Encoding, n: int) -> Iterator[tuple[str, list[int], None]]:
    """<bos> document <eos>, and all of it is learnt."""
    bos, eos = (encoding.encode_single_token(token) for token in ("<bos>", "<eos>"))
    for _, text in corpus.documents(n):
        yield text, [bos, *encoding.encode_ordinary(text), eos], None


def _conversation_rows(tokenizer: PreTrainedTokenizerBase, n: int) -> Iterator[tuple[str, list[int], list[bool]]]:
    """Conversations in the chat template, of which only the replies are learnt."""
    for turns in chats.conversations(n):
        encoded = template.encode(tokenizer, messages_of(turns))
        yield turns[0].prompt + turns[0].reply, encoded.ids, encoded.trained


def messages_of(turns: Iterable[Chat]) -> list[dict[str, str]]:
    """The messages of a conversation."""
    return template.conversation(*(text for one in turns for text in (one.prompt, one.reply)))


class Split:
    """Training and validation rows, by what a document says; made when the first batch is drawn.

    A stage that is finished draws none, so that going on after an interruption costs no minutes.
    """

    def __init__(self, rows: Iterable[tuple[str, list[int], Any]], encoding: tiktoken.Encoding) -> None:
        self.source, self.encoding = rows, encoding
        self.made: dict[str, Rows] = {}

    def part(self, name: str) -> Rows:
        """The rows of "train" or "val"."""
        if not self.made:
            parts: dict[str, list[tuple[list[int], Any]]] = {"train": [], "val": []}
            for text, ids, trained in self.source:
                parts[split_of(text)].append((ids, trained))
            self.made = {n: Rows(p, fingerprint(self.encoding), self.encoding.n_vocab) for n, p in parts.items()}
            sizes = ", ".join(f"{len(rows):,} rows of {n}" for n, rows in self.made.items())
            print(f"{sizes}, {len(self.made['train'].ids):,} tokens to train on", flush=True)
        return self.made[name]


class Part:
    """One half of a Split, as `train` wants its batches."""

    def __init__(self, split: Split, name: str) -> None:
        self.split, self.name = split, name
        self.fingerprint, self.vocab_size = fingerprint(split.encoding), split.encoding.n_vocab

    def batch(self, how: str, batch_size: int, block_size: int, generator: torch.Generator) -> Any:
        """As Rows.batch."""
        return self.split.part(self.name).batch(how, batch_size, block_size, generator)


def _split(rows: Iterable[tuple[str, list[int], Any]], encoding: tiktoken.Encoding) -> tuple[Part, Part]:
    split = Split(rows, encoding)
    return Part(split, "train"), Part(split, "val")


def _train(start: Any, rows: tuple[Part, Part], config: TrainConfig, folder: Path) -> Run:
    torch.manual_seed(config.seed)
    model = start(SHAPE)
    if config.device == "cpu":
        model.use_attention("written")  # "auto" would measure the first batch only, and widths differ
    return train(model, *rows, config, folder, resume=True)


def _write(
    folder: Path,
    name: str,
    checkpoints: Path,
    run: Run,
    tokenizer: PreTrainedTokenizerBase,
    encoding: tiktoken.Encoding,
    stops: tuple[str, ...],
) -> None:
    """The model as transformers saves it, in bf16, with what it was made from beside it."""
    from transformers import GenerationConfig

    final, folder = folder, folder.with_name(f".writing-{folder.name}")
    shutil.rmtree(folder, ignore_errors=True)
    model = load_model(checkpoints, "best", encoding=encoding)
    llama = to_llama(model, torch.bfloat16)
    ids: dict[str, Any] = {f"{role}_token_id": encoding.encode_single_token(f"<{role}>") for role in ("bos", "pad")}
    ids["eos_token_id"] = [encoding.encode_single_token(stop) for stop in stops]
    llama.config.update(ids)
    llama.generation_config = GenerationConfig(**ids)
    llama.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    summary = run.summary()
    built = {
        "name": name,
        "parameters": model.num_params(),
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "tokenizer": fingerprint(encoding),
        "gpt": model.config.to_dict(),
        "training": run.config.to_dict(),
        "run": {name: summary[name] for name in ("best_val_loss", "steps_done", "seconds", "tokens", "energy")},
        "command": " ".join(["python tools/build_pocket.py", *sys.argv[1:]]),
        "machine": computer(),
    }
    write_text_atomically(json.dumps(built, indent=1) + "\n", folder / card.BUILT)
    card.write(folder)
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)  # whole or not at all
    size = os.path.getsize(final / "model.safetensors")
    print(f"{name}: {model.num_params():,} parameters, {size / 1e6:.1f} MB, in {final}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
