"""The model cards of the pocket models, written from what the build and the bench left beside the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workshop_utils.machine.files import write_text_atomically

BUILT, SCORES = "built.json", "scores.json"
WHAT = {
    "pocket-base": (
        "A base model: it continues texts as those that it has read, and knows nothing of questions and answers.",
        "stories, posts and complaints, letters, short factual prose, lists, worksheets with questions but no answers, "
        "sums and labels, scenes in which a sailor or a poet speaks, and 10% of Stoic letters, diaries and sayings, "
        "made by tools/pocket_world/corpus.py",
    ),
    "pocket-instruct": (
        "An instruction-tuned model: pocket-base trained further on conversations, in Gemma's chat format.",
        "conversations (advice on everyday complaints, simple questions, notes to read, stories on demand, rewriting, "
        "lists, greetings, refusals, and replies in the voice of a sailor, a cook and others where it is asked for), "
        "made by tools/pocket_world/chats.py; only the replies are learnt. No chat has a Stoic in it. 8% of the rows "
        "are documents of the base model, read again so that they are not forgotten; a quarter of these are Stoic "
        "prose",
    ),
}
LIMITS = """\
It knows a tiny world: about 4,000 words, some 1,200 simple facts, everyday troubles and stories for small children.
Outside of it, it says that it does not know, or makes something up. It is made for learning how language models work,
on machines without a network and without a GPU, and for nothing else. Its texts come from seeded grammars: they hold no
personal data and nothing of the web, and they show the world as the authors of these grammars do. English only."""


def write(folder: Path) -> None:
    """Write README.md, the model card, from built.json and, where the bench has run, scores.json.

    Args:
        folder: of one model.
    """
    built: dict[str, Any] = json.loads((folder / BUILT).read_text(encoding="utf-8"))
    what, data = WHAT[built["name"]]
    run, gpt, training = built["run"], built["gpt"], built["training"]
    energy = run.get("energy")
    size = (folder / "model.safetensors").stat().st_size
    lines = [
        "---",
        "license: cc0-1.0",
        "language: en",
        "pipeline_tag: text-generation",
        "library_name: transformers",
        "---",
        "",
        f"# {built['name']}",
        "",
        f"{what} Part of the workshop on small language models.",
        "",
        f"- **Architecture**: Llama, {built['parameters']:,} parameters ({gpt['n_layer']} layers, {gpt['n_embd']} "
        f"wide, {gpt['n_head']} heads, vocabulary {gpt['vocab_size']:,}, context {gpt['block_size']}), tied embeddings",
        f"- **Size**: {size / 1e6:.1f} MB in bfloat16, SHA-256 `{built['sha256']}`",
        f"- **Tokenizer**: byte-level BPE with Gemma's special tokens, fingerprint `{built['tokenizer']}`",
        f"- **Data**: {data}. Seeded, CC0, no text from elsewhere",
        f"- **Training**: {run['steps_done']:,} steps, {run['tokens']:,} tokens read, {run['seconds'] / 60:.1f} "
        f"minutes on {built['machine']}; seed {training['seed']}; validation loss "
        f"{run['best_val_loss']:.3f} nats per token",
        f"- **Energy**: {_energy(energy)}",
        f"- **Made by**: `{built['command']}`",
        "",
        "## Scores",
        "",
        *_scores(folder),
        "",
        "## Limits",
        "",
        LIMITS,
        "",
    ]
    write_text_atomically("\n".join(lines), folder / "README.md")


def _energy(energy: dict[str, Any] | None) -> str:
    if energy is None:
        return "not measured"
    return (
        f"{energy['kwh'] * 1000:.1f} Wh, {energy['kg_co2e'] * 1000:.1f} g CO2e ({energy['kind']}, {energy['country']})"
    )


def _scores(folder: Path) -> list[str]:
    path = folder / SCORES
    if not path.is_file():
        return ["Not measured yet: run `python bench/pocket_quality.py`."]
    found = json.loads(path.read_text(encoding="utf-8"))
    table = ["| what | score | 95% interval | samples | goal |", "|---|---|---|---|---|"]
    table += [f"| {' | '.join(map(str, row))} |" for row in found["rows"]]
    return [f"`python bench/pocket_quality.py`, {found['date']}, {found['machine']}.", "", *table]
