"""What lesson 11 builds on its encoder, each beside a simple way: kinds of text, spans, search, summaries.

Everything is tested on wordings, words or stories that were not trained on. `--only tagger search` measures some alone,
`--encoder PATH` takes another encoder, a folder of transformers. The seeds are those of the tests and of the trainings.
"""

from __future__ import annotations

import copy
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import ROOT, Row, cpu_seconds, one_core, options, report, row, share

from workshop_utils.encoder import classify, search, summaries, tag
from workshop_utils.lessons.notes import pocket_notes
from workshop_utils.machine.profiles import Profile, setup
from workshop_utils.tuning import lora

sys.path.append(str(ROOT / "tools"))
from pocket_world import kinds as world

FEW, MANY = 16, 640  # texts to train a classifier on
Pair = tuple[Any, Any]  # an encoder and its tokenizer


def load(args: Any) -> Pair:
    """The encoder that the tasks begin with, fresh each time."""
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    from workshop_utils.encoder import SHIPPED

    folder = args.encoder or SHIPPED
    model = AutoModelForMaskedLM.from_pretrained(folder, dtype="float32")
    return model.base_model.eval(), AutoTokenizer.from_pretrained(folder)


def blank(pair: Pair, seed: int) -> Pair:
    """The same encoder with random weights: what is left when nothing was read before."""
    import torch

    torch.manual_seed(seed)
    return type(pair[0])(pair[0].config), pair[1]


def tested_kinds(n: int, seed: int) -> list[classify.Labelled]:
    """Texts of the held-out halves, made up anew: the frozen ones were there when the settings were chosen."""
    each = n // len(classify.KINDS)
    found = [one for one in classify.kinds("test", 4 * each, seed) if one.label == "story"] if each <= 112 else []
    for kind in world.KINDS:
        found += [classify.Labelled(text, kind) for text in world.texts(kind, each, True, seed)]
    return found


class Bench:
    """Collects what each part measures; the seeds of a part are put together."""

    def __init__(self, args: Any) -> None:
        self.args, self.n = args, 20 if args.quick else args.n or 440
        self.hits: dict[str, list[bool]] = defaultdict(list)
        self.values: dict[str, list[float]] = defaultdict(list)
        self.spans: dict[str, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
        self.steps: dict[str, Any] = {"steps": 2} if args.quick else {}

    def timed(self, what: str, work: Callable[[], Any]) -> Any:
        """The result of some work, whose CPU seconds go into the table."""
        found: list[Any] = []
        self.values[f"CPU seconds, {what}"].append(cpu_seconds(lambda: found.append(work())))
        return found[0]

    def kinds(self, seed: int) -> None:
        """Which kind of text?"""
        tested = tested_kinds(self.n, seed + 1)
        for n in (FEW, MANY):
            trained = classify.kinds("train", n, seed)
            self.hits[f"kinds, {n} texts, words"] += classify.hits(classify.bag_of_words(trained), tested)
            self.hits[f"kinds, {n} texts, words and pairs"] += classify.hits(classify.bag_of_words(trained, 2), tested)
            model, tokenizer = load(self.args)
            made = self.timed(
                f"classifier, {n} texts",
                lambda: classify.Classifier(model, tokenizer, trained, batch_size=16, seed=seed, **self.steps),  # noqa: B023
            )
            self.hits[f"kinds, {n} texts, encoder"] += classify.hits(made, tested)

    def tagger(self, seed: int) -> None:
        """Where do names, animals and objects stand?"""
        trained = tag.passages("train", 80 if self.args.quick else 2560, seed)  # none is shown twice
        sets = {
            "known words": tag.passages("test", self.n, seed + 1),
            "new words": tag.passages("test", self.n, seed + 1, new_words=True),
            "invented words": tag.invented(self.n, seed + 2),
        }
        models = {
            "word list": tag.WordList(trained),
            "encoder": self.timed("tagger", lambda: tag.Tagger(*load(self.args), trained, seed=seed, **self.steps)),
            "encoder, untrained before": tag.Tagger(*blank(load(self.args), seed), trained, seed=seed, **self.steps),
        }
        for name, model in models.items():
            for what, some in sets.items():
                found, wanted = self.spans[f"F1 of spans, {what}, {name}"]
                found += model.find([one.text for one in some])
                wanted += [one.spans for one in some]

    def search(self, seed: int) -> None:
        """Which story, which note?"""
        stories, asked = search.texts(seed), search.queries(432 if self.n > 400 else 54, seed + 1)
        notes = pocket_notes()
        of_notes = [(text, notes.index(note)) for note, some in search.NOTE_QUERIES.items() for text in some]
        pair = load(self.args)
        tuned = copy.deepcopy(pair[0]), pair[1]
        pairs = search.pairs(100 if self.args.quick else 1600, seed)
        self.timed("search", lambda: search.tune(*tuned, pairs, seed=seed, **self.steps))
        models: dict[str, Any] = {"encoder as it was": pair, "encoder, tuned": tuned}
        if real := search.real_encoder():
            models["all-MiniLM-L6-v2"] = real
        for name in ("TF-IDF", *models):
            if name == "TF-IDF":
                of_stories = search.TfIdf(stories).scores([one.text for one in asked])
                on_notes = search.TfIdf(notes).scores([text for text, _ in of_notes])
            else:
                vectors = search.embed(*models[name], stories)
                of_stories = search.embed(*models[name], [one.text for one in asked]) @ vectors.T
                on_notes = (
                    search.embed(*models[name], [text for text, _ in of_notes]) @ search.embed(*models[name], notes).T
                )
            ranks = search.ranks(of_stories, [one.wanted for one in asked])
            self.hits[f"recall at 5, stories, {name}"] += [rank <= 5 for rank in ranks]
            self.hits[f"recall at 5, plots without pairs, {name}"] += [
                rank <= 5 for rank, one in zip(ranks, asked, strict=True) if classify.held_out(one.plot)
            ]
            if seed == self.args.seeds[0]:  # there are few questions, the same for every seed
                ranks = search.ranks(on_notes, [wanted for _, wanted in of_notes])
                self.hits[f"recall at 5, notes, {name}"] += [rank <= 5 for rank in ranks]

    def summaries(self, seed: int) -> None:
        """A story in one line."""
        profile = setup("pocket")
        model = lora.load_base(profile.models[1], profile, "float32")
        sets = {"stories": "test", "new plots": "plots"}
        tested = {what: summaries.told(self.n, split, seed + 1) for what, split in sets.items()}
        self._summarised("before", model, {"stories": tested["stories"]})
        tuned = self.timed("summaries", lambda: self._tuned(model, profile, seed))
        self._summarised("after", tuned, tested)

    def _tuned(self, model: Any, profile: Profile, seed: int) -> Any:
        stories = summaries.told(32 if self.args.quick else summaries.N_TRAIN, seed=seed)
        summaries.tune(model, stories, seed=seed, bfloat16=profile.dtype == "bfloat16", **self.steps)
        return model

    def _summarised(self, when: str, model: Any, sets: dict[str, Any]) -> None:
        for what, stories in sets.items():
            lines = summaries.summaries(model, stories)
            for said, one in list(zip(lines, stories, strict=True))[:3]:
                print(f"  {when}, {what}: {said}   ({summaries.line(one)})", flush=True)
            found = [summaries.kept(said, one) for said, one in zip(lines, stories, strict=True)]
            for fact in (*summaries.FACTS, "all"):
                self.hits[f"summaries, {what}, {when}: {fact}"] += [getattr(one, fact) for one in found]
            self.hits[f"summaries, {what}, {when}: something invented"] += [bool(one.invented) for one in found]


PARTS = ("tagger", "kinds", "search", "summaries")
GOALS = {
    f"kinds, {MANY} texts, encoder": "ours >= 0.95",
    "F1 of spans, known words, encoder": "ours >= 0.9",
    "F1 of spans, new words, encoder": "ours >= 0.9",
}


def rows_of(bench: Bench) -> list[Row]:
    """The table."""
    found = [share(what, hits, GOALS.get(what, "")) for what, hits in bench.hits.items()]
    for what, (spans, wanted) in bench.spans.items():
        line = row(what, tag.f1(spans, wanted), goal=GOALS.get(what, ""))
        found.append(line | {"spread": list(tag.f1_interval(spans, wanted)), "samples": len(wanted)})
    found += [row(what, max(values)) | {"samples": len(values)} for what, values in bench.values.items()]
    for name in ("encoder, tuned", "all-MiniLM-L6-v2"):
        what = "recall at 5, stories, {}"
        if bench.hits.get(what.format(name)):
            ours, peer = (bench.hits[what.format(one)] for one in (name, "TF-IDF"))
            goal = "ratio >= 1" if name == "encoder, tuned" else ""
            found.append(
                row(f"{what.format(name)} against TF-IDF", sum(ours) / len(ours), sum(peer) / len(peer), goal=goal)
            )
    return found


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure")
    parser.add_argument("--encoder", type=Path, help="folder of another encoder")
    args = parser.parse_args()
    one_core()
    bench = Bench(args)
    notes = (
        f"{bench.n} texts, passages, queries or stories each, seeds {', '.join(map(str, args.seeds))}, all in wordings "
        "that were not trained on; kinds: complaint, letter, question, story, so that chance is 0.25; F1: strict, by "
        f"span; recall at 5 among {len(search.ENDS)} stories, or all of lesson 07's notes (16 questions); something "
        "invented: less is better; intervals are Wilson's (F1: bootstrap over the passages), 95%, and do not know the "
        "seeds."
    )
    for seed in args.seeds[: 1 if args.quick else None]:
        for part in args.only:
            getattr(bench, part)(seed)
            print(f"seed {seed}: {part} done", flush=True)
            report("encoder_tasks", rows_of(bench), args, notes)  # so far: a run of some minutes may be cut off


if __name__ == "__main__":
    main()
