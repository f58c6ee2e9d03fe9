"""The exported page in a real browser: seconds until it is ready, and tokens a second, on one thread.

The peer is llama.cpp itself, compiled for this machine (xllamacpp), with the same file and one thread.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from threading import Thread
from typing import Any

from common import Row, one_core, options, report, rounds_row, row

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import browser

from workshop_utils.chat import models
from workshop_utils.command import serve
from workshop_utils.export import bundle, origin_of
from workshop_utils.export.llama_cpp import LlamaCpp
from workshop_utils.machine.profiles import setup

STORY = "Tell me a story about a brave fox called Mia."
ROUNDS = 7


def visit(home: str, like_safari: bool = False) -> tuple[float, float, list[str]]:
    """Open the page in a browser that was just started, and let it tell a story.

    Returns:
        seconds until it was ready, tokens a second of the story, and the addresses elsewhere that it asked for.
    """
    seen = browser.drive(
        "about:blank",
        *([["before", "delete WebAssembly.Suspending"]] if like_safari else []),
        ["goto", f"{home}/"],
        browser.READY,
        browser.temperature(0),
        ["fill", "#text", STORY],
        ["click", "#send"],
        ["wait", browser.WRITTEN],
        ["eval", "[Number(document.body.dataset.ready), Number(document.querySelector('.note').dataset.speed)]"],
        allowed=[home],
    )
    ready, speed = seen["said"][-1]
    elsewhere = [url for url in seen["requests"] if not url.startswith((home, "blob:", "about:"))]
    return ready / 1000, speed, elsewhere


def here(model: LlamaCpp, ids: list[int]) -> float:
    """Tokens a second of llama.cpp in this process: the time of 121 tokens less that of the prompt and the first."""
    first, all_ = model.write(ids, 1), model.write(ids, 121)
    return 120 / (all_ - first)


def measured(rounds: int) -> dict[str, list[Any]]:
    """The figures of every round: of the page, of the page as in Safari, and of the peer."""
    profile = setup("pocket", quiet=True)
    browser.keep_engine(profile.home)
    model = models.load("pocket-instruct", profile)
    figures: dict[str, list[Any]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as made:
        folder = bundle.export(model, origin_of(model), Path(made, "page"), "web")
        native = LlamaCpp(next(folder.glob("*.gguf")))
        ids = native.chat_ids(STORY)
        with serve.server(folder, 0) as running:
            Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
            home = f"http://127.0.0.1:{running.server_address[1]}"
            for _ in range(rounds):
                for way in ("", "safari "):
                    seconds, speed, elsewhere = visit(home, bool(way))
                    for name, value in (("seconds", seconds), ("speed", speed), ("elsewhere", elsewhere)):
                        figures[way + name].append(value)
                    print(f"{way}ready after {seconds:.2f} s, {speed:.0f} tokens a second; {elsewhere}", flush=True)
                figures["peer"].append(here(native, ids))
            running.shutdown()
    return figures


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    if why := browser.missing():
        raise SystemExit(why)
    one_core()
    figures = measured(1 if args.quick else ROUNDS)

    def median(name: str, values: list[float], goal: str = "") -> Row:
        return row(name, statistics.median(values), goal=goal) | {"spread": [min(values), max(values)]}

    rows = [
        median("seconds until ready", figures["seconds"], "ours <= 2"),
        rounds_row("tokens a second", figures["speed"], figures["peer"], goal="ours >= 50"),
        row("requests elsewhere", sum(map(len, figures["elsewhere"])), goal="ours <= 0"),
        median("seconds until ready, as in Safari", figures["safari seconds"]),
        rounds_row("tokens a second, as in Safari", figures["safari speed"], figures["peer"]),
    ]
    notes = (
        "`workshop export pocket-instruct --to web` (Q8_0), served on this machine to a headless Chromium that is "
        "started anew each round: nothing is cached. The peer is llama.cpp outside the browser, with the same file and "
        "as many threads, one. As in Safari: with the engine for browsers that cannot suspend WebAssembly."
    )
    report("web_page", rows, args, notes)


if __name__ == "__main__":
    main()
