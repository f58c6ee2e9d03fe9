"""The fine-tuning of lesson 07: is the tuned model the more Stoic one, does it stay on the subject, what is forgotten?

The pocket profile's run of 60 steps, once for each seed, and what its model then says to complaints about things that
it was never trained on: at a temperature, both with and without the adapter, and asked in formats that are not its own.
Beside the tuned model stands the untuned one, asked for a Stoic in words (prompted) and by four examples (few-shot).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from common import Row, mean, options, report, row

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.evaluate.intervals import paired, wilson
from workshop_utils.lessons import stoic_run, stoic_set
from workshop_utils.lessons.stoic_scoring import commonest_frame, names_topic, stoic_score
from workshop_utils.machine.profiles import Profile, setup
from workshop_utils.pocket import quality
from workshop_utils.tuning import finetune, lora

TEMPERATURE = 0.6
LESS_REPLAY = 12  # ordinary chats among the pairs, where the lesson has 60
FRAMES = 8  # replies among which repeated sentences are counted
# Plain peft in a fresh process, without anything of ours but the path of the base.
RELOAD = """
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base, adapter, ids = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter).eval()
with torch.no_grad():
    torch.save(model(torch.tensor([ids])).logits[0], sys.argv[4])
"""


def difference(name: str, before: Sequence[float], after: Sequence[float], n: int) -> Row:
    """The line of a paired difference between n prompts, each with its mean over the seeds."""
    found = paired(by_prompt(before, n), by_prompt(after, n))
    return row(name, found.mean) | {"spread": [found.low, found.high], "samples": n}


def tuned_with(
    seed: int, profile: Profile, folder: Path, steps: int | None, replayed: int | None = None
) -> finetune.Tuned:
    """The lesson's run with another seed, and perhaps with another number of ordinary chats."""
    config = replace(stoic_run.stoic_config(profile), seed=seed)
    config = replace(config, steps=steps or config.steps)
    train, _ = stoic_run.pairs_for(profile)
    rows = [stoic_set.messages(pair) for pair in train + stoic_run.ordinary_for(profile, replayed)]
    model = lora.attach(lora.load_base(profile.models[1], profile), seed=seed)
    return finetune.tune(model, rows, config, folder, profile, quiet=True)


def asked_for(model: LanguageModel, pairs: Sequence[stoic_set.Pair], seed: int) -> dict[str, list[float]]:
    """Scores of the untuned model, asked for a Stoic in the lesson's two ways, and without the chat template."""
    shots = stoic_run.pairs_for(setup("pocket"))[0][:4]
    ways = {
        "prompted": [stoic_set.prompted(pair.prompt) for pair in pairs],
        "few_shot": [stoic_set.few_shot(pair.prompt, shots) for pair in pairs],
    }
    found = {}
    beginning = stoic_run.FOREIGN["plain text"][1]
    with model.model.disable_adapter():  # type: ignore[operator]
        for name, talks in ways.items():
            rows = [model.chat_ids(talk) for talk in talks]
            made = model.generate(rows, 80, temperature=TEMPERATURE, seed=seed)
            found[name] = [stoic_score(one.text) for one in made]
        rows = [stoic_run.asked_in(model.tokenizer, pair.prompt, beginning) for pair in pairs]
        made = model.generate(rows, 80, temperature=TEMPERATURE, seed=seed)
    return found | {"untuned_in_plain_text": [stoic_score(one.text) for one in made]}


def shared(pairs: Sequence[stoic_set.Pair], texts: Sequence[str]) -> list[int]:
    """How many of each eight replies hold their commonest sentence, the topic blanked out."""
    both = [(pair.topic, text) for pair, text in zip(pairs, texts, strict=True)]
    return [commonest_frame(both[at : at + FRAMES])[1] for at in range(0, len(both) - FRAMES + 1, FRAMES)]


def by_prompt(values: Sequence[float], n: int) -> list[float]:
    """The mean of each of n prompts over the seeds, whose values lie one seed after the other."""
    return [sum(values[at::n]) / len(values[at::n]) for at in range(n)]


def reload_difference(model: LanguageModel, base_source: str, adapter: Path, profile: Profile) -> float:
    """The largest difference of logits to a fresh process that loads the adapter with plain peft, in float32."""
    import torch

    ours = lora.load(lora.load_base(model.name, profile, "float32"), adapter)
    ids = ours.chat_ids("My kettle broke this morning.")
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        command = [sys.executable, "-c", RELOAD, base_source, str(adapter), json.dumps(ids), file.name]
        subprocess.run(command, check=True, capture_output=True)
        theirs = torch.load(file.name)
    with torch.no_grad():
        return float((ours.model(torch.tensor([ids])).logits[0] - theirs).abs().max())


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.set_defaults(seeds=[0, 1, 2])
    args = parser.parse_args()
    profile = setup("pocket")
    n = FRAMES if args.quick else args.n
    held_out = stoic_run.pairs_for(profile)[1][:n]
    by_hand = stoic_set.split(stoic_set.load())[1][:n]
    n_held = len(held_out)
    asked = quality.prompts("question", n or 200)
    known = quality.known_words()
    seconds, scores, named, texts, right, formats, asked_ways = [], {}, [], [], [], {}, {}
    frames: dict[str, list[int]] = {"greedy": [], "sampled": []}
    less_replay: list[float] = []
    for seed in args.seeds[: 1 if args.quick else None]:
        folder = Path(tempfile.mkdtemp())
        began = time.perf_counter()
        tuned = tuned_with(seed, profile, folder, 2 if args.quick else None)
        seconds.append(time.perf_counter() - began)
        for name, pairs in (("", held_out), ("_by_hand", by_hand)):
            prompts = [pair.prompt for pair in pairs]
            before, after = stoic_run.before_after(tuned.model, prompts, 80, temperature=TEMPERATURE, seed=seed)
            found = [[stoic_score(text) for text in side] for side in (before, after)]
            scores.setdefault(name, []).extend(zip(*found, strict=True))
            if not name:
                named += [names_topic(pair.topic, text) for pair, text in zip(pairs, after, strict=True)]
                texts += after
                greedy = tuned.model.generate([tuned.model.chat_ids(prompt) for prompt in prompts], 80)
                frames["greedy"] += shared(pairs, [one.text for one in greedy])
                frames["sampled"] += shared(pairs, after)
                for way, found_there in asked_for(tuned.model, pairs, seed).items():
                    asked_ways.setdefault(way, []).extend(found_there)
        answers = stoic_run.before_after(
            tuned.model, [one.prompt for one in asked], 40, temperature=TEMPERATURE, seed=seed
        )
        right += list(zip(*[map(quality.answers, asked, side) for side in answers], strict=True))
        for name, beginning in ({"own": None} | stoic_run.foreign_formats(tuned.model.tokenizer)).items():
            rows = [stoic_run.asked_in(tuned.model.tokenizer, pair.prompt, beginning) for pair in held_out]
            made = tuned.model.generate(rows, 80, temperature=TEMPERATURE, seed=seed)
            formats.setdefault(name, []).extend(stoic_score(one.text) for one in made)
        less = tuned_with(seed, profile, Path(tempfile.mkdtemp()), 2 if args.quick else None, LESS_REPLAY).model
        made = less.generate([less.chat_ids(one.prompt) for one in asked], 40, temperature=TEMPERATURE, seed=seed)
        less_replay += [float(quality.answers(one, reply.text)) for one, reply in zip(asked, made, strict=True)]
        print(f"seed {seed}: {tuned}\n  {held_out[0].prompt} -> {texts[-len(held_out)]}", flush=True)
    unknown, words = quality.unknown_share(texts, known)
    kept = sum(after for _, after in right) / max(1, sum(before for before, _ in right))
    rows = [
        row("minutes", max(seconds) / 60, goal="ours <= 2") | {"samples": len(seconds)},
        mean("more_stoic", [float(after > before) for before, after in scores[""]], "ours >= 0.9"),
        mean("more_stoic_by_hand", [float(after > before) for before, after in scores["_by_hand"]]),
        mean("score_before", [before for before, _ in scores[""]]),
        mean("score_after", [after for _, after in scores[""]]),
        *[mean(f"score_{way}", found) for way, found in asked_ways.items()],
        *[
            difference(f"tuned_minus_{way}", found, [after for _, after in scores[""]], n_held)
            for way, found in asked_ways.items()
            if way != "untuned_in_plain_text"
        ],
        mean("topic_named", list(map(float, named)), "ours >= 0.5"),
        row("out_of_vocabulary", unknown, goal="ours <= 0.02") | {"spread": list(wilson(unknown, words))},
        *[row(f"largest_frame_of_eight_{how}", max(found), goal="ours <= 2") for how, found in frames.items() if found],
        mean("questions_before", [float(before) for before, _ in right]),
        mean("questions_after", [float(after) for _, after in right]),
        mean(f"questions_after_with_{LESS_REPLAY}_chats", less_replay),
        row("questions_kept", kept, goal="ours >= 0.9"),
        *[mean(f"score_asked_in_{name.replace(' ', '_')}", found) for name, found in formats.items()],
        row("adapter_megabytes", tuned.adapter_bytes / 1e6, tuned.base_bytes / 1e6, "lower"),
        row(
            "reload_difference",
            reload_difference(tuned.model, tuned.model.source, tuned.folder, profile),
            goal="ours <= 1e-3",
        ),
    ]
    notes = (
        f"{len(held_out)} held-out prompts in small words (by_hand: {len(by_hand)} written by people) with each of the "
        f"seeds {', '.join(map(str, args.seeds))} of tuning and sampling, temperature {TEMPERATURE}; scores are "
        "stoic_score, 0 to 100; intervals are of the bootstrap, 95%, of out_of_vocabulary Wilson's. questions: "
        f"{len(asked)} simple ones, kept is after / before; with_{LESS_REPLAY}_chats: so many are replayed, "
        "and not 60. adapter_megabytes: the peer is the base in NF4. "
        "prompted and few_shot: the untuned model, asked in the lesson's words or after four examples, on the same "
        "prompts; tuned_minus: paired, of each prompt's mean over the seeds. largest_frame_of_eight: in each eight "
        "replies in a row, those that share their commonest sentence, its topic blanked out; the largest of all eights "
        "and seeds. untuned_in_plain_text: the base of the run, asked without its chat template. "
        "minutes: loading, 60 steps and saving. reload_difference: of logits, plain peft in a fresh process, float32."
    )
    report("stoic_tuning", rows, args, notes)


if __name__ == "__main__":
    main()
