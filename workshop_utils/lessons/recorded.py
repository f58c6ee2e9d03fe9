"""What was recorded for the lessons: runs for lesson 04's sliders, and replies of a real model for lesson 07.

bench/lesson04_settings.py --record writes the runs, and `workshop record 07` the replies.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from workshop_utils.machine.files import json_object, write_text_atomically
from workshop_utils.machine.profiles import Profile

RUNS = Path(__file__).parents[1] / "data_files" / "recorded_04.json"
SHIPPED = RUNS.with_name("recorded_07.json")
PAIRS = 5


def rates_and_warmups() -> list[dict[str, Any]]:
    """Lesson 04's GPT after 1,200 stories, a run for each rate and warm-up: what plots.rates_and_warmups draws."""
    runs: list[dict[str, Any]] = json.loads(RUNS.read_text(encoding="utf-8"))["runs"]
    return runs


def record(profile: Profile, folder: Path) -> Path:
    """Let this machine's model answer held-out complaints without and with lesson 07's adapter, and write it down.

    Args:
        profile: of the machine; its model is tuned first if lesson 07 has left no adapter here.
        folder: gets the file.

    Returns:
        the file, JSON: model, device, date and the pairs of replies.

    Raises:
        ModelUnavailable: as in models.load.
    """
    from workshop_utils.lessons import stoic_run
    from workshop_utils.machine.hardware import find_gpu
    from workshop_utils.machine.record import computer

    model = stoic_run.load_tuned(profile)
    one_per_topic = {pair.topic: pair.prompt for pair in reversed(stoic_run.pairs_for(profile)[1])}
    prompts = list(one_per_topic.values())[-PAIRS:][::-1]
    replies = zip(prompts, *stoic_run.before_after(model, prompts, 120), strict=True)
    gpu = find_gpu() if profile.device == "cuda" else None
    found = {
        "model": model.name,
        "device": f"{gpu.name}, {profile.dtype}" if gpu else f"{computer()}, float32",
        "date": str(date.today()),
        "pairs": [dict(zip(("prompt", "before", "after"), row, strict=True)) for row in replies],
    }
    path = folder / SHIPPED.name
    write_text_atomically(json.dumps(found, indent=1, ensure_ascii=False) + "\n", path)
    return path


def show(folder: Path) -> None:
    """Print what record wrote into this folder, or else what comes with the package, or say that there is nothing."""
    path = next((path for path in (folder / SHIPPED.name, SHIPPED) if path.is_file()), None)
    if path is None:
        print("No replies of a real model have been recorded yet: `workshop record 07` writes them.")
        return
    found = json_object(path)
    try:
        lines = [f"{found['model']} on {found['device']}, {found['date']}"]
        lines += [f"\n{p['prompt']}\n  before  {p['before']}\n  after   {p['after']}" for p in found["pairs"]]
    except (KeyError, TypeError):
        lines = [f"{path.name} is damaged: `workshop record 07` writes it anew"]
    print("\n".join(lines).encode(errors="replace").decode())
