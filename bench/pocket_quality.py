"""The pocket models: does the base model continue, does the instruct model answer, are they quick enough.

Every prompt is in wordings that no model was trained on; the generators know what is right. No peer: the goals are
those that the offline workshop needs. With the models of the package, the scores go into their model cards, too.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from common import OUT, Row, machine, one_core, options, report, row, share

from workshop_utils.chat import models
from workshop_utils.chat.language_model import Generated, LanguageModel
from workshop_utils.evaluate.intervals import wilson
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.profiles import setup
from workshop_utils.pocket import stories
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.quality import known_words, unknown_share

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
from pocket_world import card, quality

SEEDS = (0, 1, 2)
TEMPERATURE = 0.6
SAMPLES = 210  # of each figure and seed
Answered = list[tuple[Chat, Generated]]
ORDINARY = ("advice", "question", "story", "list", "rewrite", "refusal", "greeting", "styled")  # nobody asks a Stoic


def base_rows(base: LanguageModel, samples: int) -> list[Row]:
    """Does it continue, and do its stories hold together?"""
    continued, told = [], []
    for seed in SEEDS:
        for kind in quality.ASKED_OF_BASE:
            chats = quality.prompts(kind, max(2, samples // len(quality.ASKED_OF_BASE)), seed)
            prompts = [base.ids(chat.prompt) for chat in chats]
            texts = base.generate(prompts, 60, TEMPERATURE, seed=seed)
            continued += [not quality.tries_to_answer(chat, made.text) for chat, made in zip(chats, texts, strict=True)]
        opening = base.ids(stories.PROMPT)
        made = base.generate([opening] * samples, 300, TEMPERATURE, seed=seed)
        told += [stories.score(stories.PROMPT + one.text) for one in made]
    print(f"base: {stories.PROMPT}{made[0].text}", flush=True)
    return [
        share("base_continues", continued, "ours >= 0.95"),
        share("base_pronoun", [one.pronoun is True for one in told], "ours >= 0.95"),
        share("base_name", [one.name is True for one in told], "ours >= 0.90"),
        share("base_object", [one.object is True for one in told], "ours >= 0.70"),
        share("base_all_seven", [one.all for one in told]),
    ]


def ask(instruct: LanguageModel, kind: str, samples: int) -> Answered:
    """Replies to prompts of one kind, over all seeds."""
    found: Answered = []
    for seed in SEEDS:
        chats = quality.prompts(kind, samples, seed)
        made = instruct.generate([instruct.chat_ids(chat.prompt) for chat in chats], 300, TEMPERATURE, seed=seed)
        found += zip(chats, made, strict=True)
    for chat, made_for_it in found[:2]:
        print(f"{kind}: {chat.prompt!r} -> {made_for_it.text!r}", flush=True)
    return found


def instruct_rows(instruct: LanguageModel, samples: int) -> list[Row]:
    """Does it answer, rightly, in known words, and stop?"""
    replies = {kind: ask(instruct, kind, samples) for kind in (*ORDINARY, "voice", "stoic")}
    ordinary = [pair for kind in ORDINARY for pair in replies[kind]]
    everything = [made for pairs in replies.values() for _, made in pairs]
    unknown, n_words = unknown_share([made.text for made in everything], known_words())

    replies["note"] = ask(instruct, "note", samples)  # not counted above: its animals have names that do not exist

    def right(kind: str) -> list[bool]:
        return [quality.answers(chat, made.text) for chat, made in replies[kind]]

    topic = [quality.names_the_topic(chat, made.text) for chat, made in replies["advice"]]
    return [
        share("instruct_questions", right("question"), "ours >= 0.90"),
        share("instruct_topic", topic, "ours >= 0.85"),
        share("instruct_animal", right("story"), "ours >= 0.80"),
        share("instruct_ends", [made.ended for made in everything], "ours >= 0.99"),
        row("out_of_vocabulary", unknown, goal="ours <= 0.02")
        | {"spread": list(wilson(unknown, n_words)), "samples": n_words},
        share("stoic_unasked", [quality.is_stoic(made.text) for _, made in ordinary], "ours <= 0.02"),
        share("voice_asked", right("voice")),
        share("stoic_asked", [quality.is_stoic(made.text) for _, made in replies["stoic"]]),
        share("instruct_notes", right("note")),
        share("instruct_lists", right("list"), "ours >= 0.70"),
        share("instruct_rewrites", right("rewrite"), "ours >= 0.80"),
        share("instruct_refuses", right("refusal")),
    ]


def speed_rows(samples: int) -> list[Row]:
    """Seconds until both are loaded, and tokens a second of one text on one core."""
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: F401  imports are not what is timed

    one_core()
    profile = setup("pocket", quiet=True)
    seconds, rates = [], []
    for _ in range(3):
        began = time.perf_counter()
        base, instruct = (models.load(name, profile) for name in models.POCKET)
        seconds.append(time.perf_counter() - began)
    prompt = instruct.chat_ids("Tell me a story about a brave fox called Mia.")
    for seed in range(samples):
        began = time.perf_counter()
        made = base.generate([prompt], 128, TEMPERATURE, seed=seed)[0]
        rates.append(len(made.ids) / (time.perf_counter() - began))
    spread = {"spread": [min(rates), max(rates)], "samples": len(rates)}
    return [
        row("load_seconds", min(seconds), goal="ours <= 1") | {"spread": [min(seconds), max(seconds)], "samples": 3},
        row("tokens_per_second", sorted(rates)[len(rates) // 2], goal="ours >= 300") | spread,
    ]


def write_cards(rows: list[Row]) -> None:
    """The scores into the model cards of the package."""
    at = machine()
    for folder, mine in ((models.POCKET["pocket-base"], "base_"), (models.POCKET["pocket-instruct"], "")):
        lines = [
            [
                line["what"],
                f"{line['ours']:.3g}",
                " to ".join(f"{value:.3g}" for value in line.get("spread", [])),
                f"{line.get('samples', 1):,}",
                line.get("goal", "").replace("ours ", ""),
            ]
            for line in rows
            if line["what"].startswith("base_") == bool(mine) or line["what"] in ("load_seconds", "tokens_per_second")
        ]
        scores = {"date": at["date"], "machine": f"{at['cpu']}, {at['cores']} cores", "rows": lines}
        write_text_atomically(json.dumps(scores, indent=1) + "\n", folder / card.SCORES)
        card.write(folder)


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--models", type=Path, help="folder with base/ and instruct/, if not those of the package")
    args = parser.parse_args()
    if args.models:
        models.POCKET.update({f"pocket-{kind}": args.models / kind for kind in ("base", "instruct")})
    samples = 2 if args.quick else args.n or SAMPLES
    profile = setup("pocket")
    rows = base_rows(models.load("pocket-base", profile), samples)
    rows += instruct_rows(models.load("pocket-instruct", profile), samples)
    rows += speed_rows(2 if args.quick else 12)
    notes = (
        f"{samples} samples of each figure with each of the seeds {', '.join(map(str, SEEDS))}, temperature "
        f"{TEMPERATURE}; intervals are Wilson's, 95%, over all samples; of speeds the range. load_seconds: both models "
        "and tokenizers, libraries imported before. tokens_per_second: transformers' generate, float32, one text at a "
        "time, one thread."
    )
    report("pocket_quality", rows, args, notes)
    if not (args.models or args.quick or args.n) and args.out == OUT:
        write_cards(rows)


if __name__ == "__main__":
    main()
