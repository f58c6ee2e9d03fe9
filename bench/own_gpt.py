"""Lesson 10's answering GPT: what it learns, what it forgets, and what each file of it costs and keeps.

Three held-out sets of requests on seeds of their own, before and after the tuning, with and without rehearsal; then the
same model in torch and in llama.cpp's F32, F16, Q8_0 and Q4_0: greedy tokens, size, load time, speed and quality.
"""

from __future__ import annotations

import gc
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import Row, cpu_seconds, one_core, options, report, row, share

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.export import LlamaCpp, as_transformers, chat_tokenizer, write_gguf
from workshop_utils.gpt import load_shipped
from workshop_utils.gpt.model import GPT
from workshop_utils.lessons import ChatRows, reply, teach_to_answer, with_rows, with_turns
from workshop_utils.machine.energy import track_energy
from workshop_utils.machine.profiles import setup
from workshop_utils.pocket import stories, story_chats
from workshop_utils.pocket.scoring import score
from workshop_utils.text import pocket_tokenizer

N, SEED = 200, 20_000  # requests a set; seeds that no recipe was chosen on
GOALS = {"pairs": "ours >= 0.95", "names": "ours >= 0.9", "wordings": "ours >= 0.9"}
KINDS = ("f32", "f16", "q8_0", "q4_0")
TIE = 0.01  # nats between torch's two likeliest tokens below which another choice counts as equal
FIRST = 24  # tokens of each reply that are compared


def judged(
    name: str, requests: list[story_chats.Request], replies: list[tuple[str, bool]], goal: str = ""
) -> list[Row]:
    """Shares of replies that keep what was asked for, end, and are coherent."""
    both = list(zip(requests, replies, strict=True))
    goals = (goal, "ours >= 0.98", "ours >= 0.9") if goal else ("", "", "")
    found = {
        "animal and name kept": [story_chats.keeps(one, text) for one, (text, _) in both],
        "ends by itself": [ended for _, (_, ended) in both],
        "coherent": [story_chats.coherent(one, text) for one, (text, _) in both],
    }
    lines = [share(f"{name}: {what}", hits, aim) for (what, hits), aim in zip(found.items(), goals, strict=True)]
    print("  ", name, [round(line["ours"], 3) for line in lines], flush=True)
    return lines


def story_loss(model: GPT, rows: ChatRows) -> float:
    """Nats per token on plain stories."""
    total, count = 0.0, 0
    with torch.inference_mode():
        for ids, _ in rows.rows:
            x, y = torch.tensor(ids[None, :-1]), torch.tensor(ids[None, 1:])
            loss, n = float(model(x, y)[1]), y.numel()
            total, count = total + loss * n, count + n
    return total / count


def tells(model: GPT, encoding: Any, n: int) -> list[bool]:
    """Whether stories that it begins and ends on its own are coherent, at temperature .6."""
    end = encoding.eot_token
    said = []
    for seed in range(n):
        steps = model.stream(torch.tensor([[end]]), 250, temperature=0.6, generator=torch.Generator().manual_seed(seed))
        ids: list[int] = []
        for token in steps:
            if int(token) >= end:
                break
            ids.append(int(token))
        said.append(score(encoding.decode(ids)).all)
    return said


def same(torch_ids: list[int], theirs: list[int], logits: torch.Tensor) -> bool:
    """Whether two greedy replies are equal up to the first tie of torch's."""
    for at, (ours, other) in enumerate(zip(torch_ids, theirs, strict=False)):
        if ours != other:
            best = logits[at].topk(2).values
            return bool(best[0] - best[1] < TIE)
    return len(torch_ids) == len(theirs)


def files(model: LanguageModel, n: int, folder: Path) -> list[Row]:
    """The rows of each file in llama.cpp, and of torch beside them."""
    tests = story_chats.to_test(n, "pairs", SEED)
    prompts = [model.chat_ids(one.prompt) for one in tests]
    began = time.perf_counter()
    made = [model.generate([prompt], 240)[0] for prompt in prompts]
    written = sum(len(one.ids) for one in made)
    lines = [row("torch, float32: tokens a second", written / (time.perf_counter() - began))]
    lines += [row("torch, float32: MB", sum(p.nbytes for p in model.model.parameters()) / 1e6)]
    gaps = []
    with torch.inference_mode():
        for prompt, one in zip(prompts, made, strict=True):
            out = model.model(input_ids=torch.tensor([prompt + one.ids])).logits[0]
            gaps.append(out[len(prompt) - 1 : -1].log_softmax(-1))
    for kind in KINDS:
        path = folder / f"own-{kind}.gguf"
        write_gguf(model.model, model.tokenizer, path, kind)
        began = time.perf_counter()
        server = LlamaCpp(path)
        loaded = time.perf_counter() - began
        equal, replies, seconds, n_written = [], [], 0.0, 0
        for one, mine, gap in zip(tests, made, gaps, strict=True):
            began = time.perf_counter()
            text, ids, ended = server.complete(server.chat_ids(one.prompt), 240)
            seconds, n_written = seconds + time.perf_counter() - began, n_written + len(ids)
            replies.append((text, ended))
            equal.append(same(mine.ids[: len(mine.ids) - mine.ended][:FIRST], ids[:FIRST], gap))
        name = f"llama.cpp, {kind.upper()}"
        lines += [
            share(f"{name}: first {FIRST} greedy tokens as torch's", equal, "ours >= 1" if kind in KINDS[:2] else ""),
            *judged(name, tests, replies),
            row(f"{name}: MB", path.stat().st_size / 1e6),
            row(f"{name}: seconds to load", loaded),
            row(f"{name}: tokens a second", n_written / seconds),
        ]
        del server
        gc.collect()
    return lines


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, default=1_000, help="updates")
    args = parser.parse_args()
    one_core()
    n, steps = (4, 3) if args.quick else (args.n or N, args.steps)
    profile = setup("pocket")
    quiet = replace(profile, country="")
    base, encoding = load_shipped(), pocket_tokenizer()
    wider = with_turns(encoding)
    sets = {name: story_chats.to_test(n, name, SEED) for name in GOALS}  # type: ignore[arg-type]
    plain = ChatRows(wider, [], list(stories.texts(n, seed=SEED)))
    asked = {name: [one.prompt for one in tests] for name, tests in sets.items()}
    untuned = with_rows(base, wider.n_vocab)
    rows = judged("before, pairs", sets["pairs"][: n // 2], reply(untuned, wider, asked["pairs"][: n // 2]))
    runs = {}
    with track_energy(profile.country) as energy:
        took = cpu_seconds(lambda: runs.update(tuned=teach_to_answer(base, encoding, quiet, steps, quiet=True)))
    tuned = runs["tuned"].model
    print(f"{took:.0f} CPU s, {energy}", flush=True)
    rows += [row("tuning, CPU seconds", took), row("tuning, mWh", energy.kwh * 1e6)]
    for name, goal in GOALS.items():
        rows += judged(f"after, {name}", sets[name], reply(tuned, wider, asked[name]), goal)
    without = teach_to_answer(base, encoding, quiet, steps, rehearsed=0, quiet=True).model
    rows += judged("without rehearsal, names", sets["names"][: n // 2], reply(without, wider, asked["names"][: n // 2]))
    for name, model in {"before": untuned, "after": tuned, "without rehearsal": without}.items():
        rows.append(row(f"{name}: loss on plain stories, nats a token", story_loss(model, plain)))
        rows.append(share(f"{name}: plain stories coherent", tells(model, encoding, n // 4)))
        print("  ", name, rows[-2]["ours"], rows[-1]["ours"], flush=True)
    tokenizer = chat_tokenizer(wider)
    loaded = LanguageModel("own", as_transformers(tuned.cpu().float(), tokenizer), tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        rows += files(loaded, n // 2, Path(folder))
    notes = (
        f"{n} requests a set on seeds of their own, half as many before, without rehearsal and for the files, "
        f"greedy; one thread; {steps:,} updates of 8 rows. {energy.kind} energy: {energy.note}. "
        f"A greedy token counts as equal, too, where torch's two likeliest "
        f"are less than {TIE} nats apart; a mood that was asked for counts as a known word of a coherent story."
    )
    report("own_gpt", rows, args, notes)


if __name__ == "__main__":
    main()
