"""A small copy of the hub for WORKSHOP_HUB: models of the real architectures, data sets with their real files.

Names, files, columns and special tokens are the real ones, weights are random, texts are the package's own stories. So
a lesson takes the path of a GPU's profile without a GPU and without a network; what its models say is noise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tiny_models
import torch

from workshop_utils.chat import template
from workshop_utils.machine import profiles
from workshop_utils.pocket import shops, stories
from workshop_utils.sql.examples import HUB_SET
from workshop_utils.text import train_bpe
from workshop_utils.text.tokenizer import to_characters

BERT, MINILM = "google-bert/bert-base-uncased", "sentence-transformers/all-MiniLM-L6-v2"
TINY_STORIES, GPT2 = "roneneldan/TinyStories", "openai-community/gpt2"
N_STORIES = 1_200  # a lesson in a hurry asks for 1,000 documents
GPT2_VOCAB = 50_257
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


def build(hub: Path, *pairs: tuple[str, str]) -> Path:
    """Fill a folder with TinyStories, text to SQL, GPT-2, BERT, MiniLM, and pairs of models.

    Args:
        hub: the folder, for WORKSHOP_HUB.
        pairs: names of base and instruction-tuned models; of Gemma or Qwen2.5.
    """
    for pair in pairs:
        save_pair(hub, pair)
    save_tiny_stories(hub / TINY_STORIES)
    save_text_to_sql(hub / HUB_SET)
    save_gpt2(hub / GPT2)
    save_bert(hub / BERT, masked=True)
    save_bert(hub / MINILM, masked=False)
    return hub


def save_pair(hub: Path, names: tuple[str, str], **changes: Any) -> None:
    """Two models of one architecture with other weights, and the settings of generation that the real ones carry.

    Args:
        hub: the folder for WORKSHOP_HUB.
        names: of the two on the hub.
        changes: other arguments of tiny_models.save, such as a real model's shape and its vocabulary.
    """
    for seed, name in enumerate(names):
        gemma, instruct = name.startswith(profiles.LICENSED), name.lower().endswith(("-it", "-instruct"))
        settings: dict[str, Any] = {
            "template": instruct or not gemma,  # Qwen2.5's base models come with one, too
            "spare_rows": 0 if gemma else 7,  # Qwen2.5's tables are longer than its tokenizers
            "max_position_embeddings": 1024,
            "initializer_range": 0.02,  # so small that all tokens are likely: there are words in what is drawn
            "tie_word_embeddings": gemma or "7B" not in name,
        }
        tiny_models.save(hub / name, "gemma2" if gemma else "qwen2", seed=seed, **settings | changes)
        _generation(hub / name, gemma, instruct)


def _generation(folder: Path, gemma: bool, instruct: bool) -> None:
    """What generation_config.json of the real models says."""
    path = folder / "generation_config.json"
    content = json.loads(path.read_text())
    stops = content["eos_token_id"]
    if gemma:
        content |= {"cache_implementation": "hybrid"}
        content |= {"eos_token_id": [stops, _id_of(folder, template.END_OF_TURN)]} if instruct else {}
    elif instruct:
        content |= {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.1}
        content |= {"eos_token_id": [stops, content["pad_token_id"]]}
    else:
        content |= {"do_sample": False, "max_new_tokens": 2048, "eos_token_id": content["pad_token_id"]}
    path.write_text(json.dumps(content, indent=1))


def _id_of(folder: Path, token: str) -> int:
    added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    return int(next(entry["id"] for entry in added if entry["content"] == token))


def save_tiny_stories(folder: Path, n: int = N_STORIES) -> None:
    """Four files for training, n stories, and one for validation, which no lesson may train on; one column."""
    texts = list(stories.texts(n, seed=11))
    for part in range(4):
        rows = [{"text": text} for text in texts[part::4]]
        _write(rows, folder / "data" / f"train-0000{part}-of-00004-2d5a1467fff1081b.parquet")
    held = [{"text": f"HELD OUT. {text}"} for text in stories.texts(50, seed=12)]
    _write(held, folder / "data" / "validation-00000-of-00001-869c898b519ad725.parquet")


def save_text_to_sql(folder: Path, n: int = 300) -> None:
    """A file to train on, n rows, and one to test with, in the columns of gretelai/synthetic_text_to_sql."""
    drawn = {"train": shops.to_train(n, n // 2), "test": shops.to_test(n // 2, "databases")}
    for split, asked in drawn.items():
        rows: list[dict[str, Any]] = [
            {"sql_context": a.database.filled(), "sql_prompt": a.question, "sql": f"{a.query};"} for a in asked
        ]
        rows.insert(1, rows[0] | {"sql": f"DELETE FROM {asked[0].database.tables[0].name};"})
        table = asked[0].database.tables[0].name
        rows.insert(2, rows[0] | {"sql": f"SELECT COUNT(*) FROM {table} WHERE name LIKE '%a%';"})
        rows = [{"id": i} | row for i, row in enumerate(rows)]
        _write(rows, folder / f"synthetic_text_to_sql_{split}.snappy.parquet")


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    from datasets import Dataset, disable_progress_bars, enable_progress_bars

    path.parent.mkdir(parents=True, exist_ok=True)
    disable_progress_bars()
    Dataset.from_list(rows).to_parquet(path)
    enable_progress_bars()


def save_gpt2(folder: Path, **changes: Any) -> None:
    """GPT-2 with two thin layers, and vocab.json, from which a tokenizer can be made.

    The real ranks are a megabyte that this repository does not carry: a stand-in of the same size has 2,000 tokens of
    the stories, then 48,000 that hardly occur.

    Args:
        folder: is made.
        changes: of the shape.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"vocab_size": GPT2_VOCAB, "n_positions": 256, "n_embd": 32, "n_layer": 2, "n_head": 2}
    GPT2LMHeadModel(GPT2Config(**shape | changes)).save_pretrained(folder)
    learnt = train_bpe(stories.texts(500, seed=11), 2_257, name="gpt2", at_most=True)
    encoding = tiny_models.filled(learnt, GPT2_VOCAB, GPT2_PATTERN)
    vocab = {to_characters(token): rank for token, rank in encoding._mergeable_ranks.items()}
    (folder / "vocab.json").write_text(json.dumps(vocab | encoding._special_tokens), encoding="utf-8")


def save_bert(folder: Path, masked: bool) -> None:
    """BERT with four thin layers and a WordPiece vocabulary of the stories, in small letters.

    Args:
        folder: is made.
        masked: with the layer that guesses tokens, as bert-base-uncased; else without, as all-MiniLM-L6-v2.
    """
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizer

    torch.manual_seed(0)
    learner = BertWordPieceTokenizer(lowercase=True)
    learner.train_from_iterator(stories.texts(300, seed=11), vocab_size=800, show_progress=False)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    config = BertConfig(vocab_size=learner.get_vocab_size(), **shape)
    (BertForMaskedLM if masked else BertModel)(config).save_pretrained(folder)
    BertTokenizer(vocab=learner.get_vocab(), do_lower_case=True).save_pretrained(folder)
