"""Make the pocket models on a GPU in four minutes: the ones that the package ships were made so.

python tools/train_packed.py [--device cuda] [--share 1.0] [--base-seconds 90] [--instruct-seconds 104] [--out FOLDER]

tools/build_pocket.py makes the same kind of models from the same texts on a CPU, in some hours. What comes out here is
not the same bytes twice: the steps are as many as the time allows. Measure with bench/pocket_quality.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import build_pocket
import packed
import tiktoken
from pocket_world import card, chats, corpus
from pocket_world.voices import voiced

from workshop_utils.chat import template
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.record import computer
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.text.tokenizer import fingerprint, load_tokenizer, to_transformers

# How many documents and conversations are read. The base's rest is all kinds of the corpus but these two; some of its
# documents are read again with the chats, so that they are not forgotten.
BASE = {"rest": 230_000, "stoa": 28_000, "scene": 8_000}
AGAIN = {"rest": 9_000, "stoa": 4_000, "scene": 1_500}
CHATS, VOICES = 155_000, 11_000
SEED = 1


def main(arguments: list[str] | None = None) -> int:
    """Train both and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--share", type=float, default=1.0, help="of the texts that are read")
    parser.add_argument("--base-seconds", type=float, default=90)
    parser.add_argument("--instruct-seconds", type=float, default=104)
    parser.add_argument("--out", type=Path, default=build_pocket.ROOT / "build" / "packed")
    options = parser.parse_args(arguments)
    encoding = load_tokenizer(build_pocket.TOKENIZER)
    c = build_pocket.SHAPE
    shape = packed.Shape(c.n_layer, c.n_embd, c.n_head, -(-8 * c.n_embd // (3 * 64)) * 64, encoding.n_vocab)

    documents = {kind: list(_documents(kind, int(n * options.share), encoding)) for kind, n in BASE.items()}
    plan = packed.Plan(muon=0.02, adam=6e-3, seconds=options.base_seconds, steps=12_000, seed=SEED)
    weights, run = packed.train([row for rows in documents.values() for row in rows], shape, plan, options.device)
    _write(options.out / "base", "pocket-base", weights, shape, encoding, plan, run, BASE, options)

    rows: list[tuple[list[int], list[bool] | None]] = []
    rows += [row for kind, n in AGAIN.items() for row in documents[kind][: int(n * options.share)]]
    rows += _conversations(encoding, int(CHATS * options.share), int(VOICES * options.share))
    plan = packed.Plan(muon=0.01, adam=3e-3, seconds=options.instruct_seconds, steps=9_000, seed=SEED + 1)
    weights, run = packed.train(rows, shape, plan, options.device, weights)
    read = {"chats": CHATS, "voices": VOICES, **AGAIN}
    _write(options.out / "instruct", "pocket-instruct", weights, shape, encoding, plan, run, read, options)
    return 0


def _documents(kind: str, n: int, encoding: tiktoken.Encoding) -> Iterator[tuple[list[int], None]]:
    """<bos> document <eos>, none twice."""
    bos, eos = (encoding.encode_single_token(token) for token in ("<bos>", "<eos>"))
    kinds = {name: one for name, one in corpus.KINDS.items() if (name not in BASE if kind == "rest" else name == kind)}
    shares = [share for _, share in kinds.values()]
    rng = random.Random(kind)

    def make() -> str:
        return kinds[rng.choices(list(kinds), shares)[0]][0](rng)

    for text in _different(make, n):
        yield [bos, *encoding.encode_ordinary(text), eos], None


def _different(make: Callable[[], Any], n: int) -> Iterator[Any]:
    seen: set[int] = set()
    while len(seen) < n:
        made = make()
        if hash(str(made)) not in seen:
            seen.add(hash(str(made)))
            yield made


def _conversations(encoding: tiktoken.Encoding, n: int, n_voices: int) -> list[tuple[list[int], list[bool]]]:
    """Chats of all kinds, and more of those that ask for a voice, sometimes with another chat behind them."""
    tokenizer = to_transformers(encoding)
    tokenizer.chat_template = build_pocket.GEMMA_TEMPLATE
    rng = random.Random("voices")

    def make() -> list[Chat]:
        return [voiced(rng), *([chats.chat(rng)] if rng.random() < chats.FURTHER_TURNS else [])]

    turns: list[Iterable[Chat]] = [*chats.conversations(n), *_different(make, n_voices)]
    rows = [template.encode(tokenizer, build_pocket.messages_of(one)) for one in turns]
    return [(row.ids, row.trained) for row in rows]


def _write(
    folder: Path, name: str, weights: packed.Weights, shape: packed.Shape, encoding: tiktoken.Encoding,
    plan: packed.Plan, run: dict[str, Any], read: dict[str, int], options: argparse.Namespace,
) -> None:  # fmt: skip
    """The model as transformers saves it, in bf16, with its card."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    stops = ("<eos>",) if name == "pocket-base" else ("<eos>", template.END_OF_TURN)
    ids: dict[str, Any] = {f"{role}_token_id": encoding.encode_single_token(f"<{role}>") for role in ("bos", "pad")}
    ids["eos_token_id"] = [encoding.encode_single_token(stop) for stop in stops]
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=shape.vocab, hidden_size=shape.width, num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads, intermediate_size=shape.hidden, max_position_embeddings=packed.ROW,
            rms_norm_eps=1e-5, tie_word_embeddings=True,
        )
    )  # fmt: skip
    llama = torch.nn.Module.to(llama, dtype=torch.bfloat16)
    llama.load_state_dict(packed.as_llama(weights, shape))
    llama.config.update(ids)
    llama.generation_config = GenerationConfig(**ids)
    shutil.rmtree(folder, ignore_errors=True)
    llama.save_pretrained(folder)
    tokenizer = to_transformers(encoding)
    if name != "pocket-base":
        tokenizer.chat_template = build_pocket.GEMMA_TEMPLATE
    tokenizer.save_pretrained(folder)
    built = {
        "name": name,
        "parameters": sum(one.numel() for one in weights.values()),
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "tokenizer": fingerprint(encoding),
        "gpt": build_pocket.SHAPE.to_dict(),
        "training": vars(plan) | {"documents": read, "share": options.share, "device": options.device},
        "run": run,
        "command": " ".join(["python tools/train_packed.py", *sys.argv[1:]]),
        "machine": computer(),
    }
    write_text_atomically(json.dumps(built, indent=1) + "\n", folder / card.BUILT)
    card.write(folder)


if __name__ == "__main__":
    sys.exit(main())
