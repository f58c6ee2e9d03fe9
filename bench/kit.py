"""The kit of `workshop prefetch`, killed at a random moment, resumed and checked: how often is it whole?

A hub on this machine serves tiny copies of the t4 profile's files. Each try has a folder of its own: a process fetches
into it and is killed (SIGKILL) when a random share of all bytes has been sent; a second one goes on.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import options, report, row, share

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

import hub_server
import tiny_hub

from workshop_utils.command import kit
from workshop_utils.machine import profiles

N, RATE = 20, 4e6  # tries; bytes a second, so that there are moments to hit
# In small blocks, as these files are small: huggingface_hub writes ten megabytes at once.
FETCH = "import huggingface_hub.constants as c; c.DOWNLOAD_CHUNK_SIZE = 8192; from workshop_utils.command import cli; "
FETCH += "cli.main()"


def one(server: hub_server.HubServer, folder: Path, after: float) -> tuple[bool, float]:
    """Kill a download when this many bytes have been sent, and resume it.

    Returns:
        whether the kit was torn and then whole, and the bytes sent in all, for each byte of the kit.
    """
    env = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    env |= {"HF_ENDPOINT": server.url, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HOME": str(folder / "no token")}
    command = [sys.executable, "-c", FETCH, "prefetch", "--to", str(folder / "kit")]
    server.sent.clear()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    while sum(server.sent.values()) < after and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    torn = any(kit.verify(folder / "kit"))
    ended = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=False).returncode
    whole = not any(kit.verify(folder / "kit"))
    size = sum(file.size for file in kit.manifest(folder / "kit"))
    return torn and ended == 0 and whole, sum(server.sent.values()) / size


def main() -> None:
    args = options(__doc__).parse_args()
    rng = random.Random(args.seeds[0])
    with tempfile.TemporaryDirectory() as scratch:
        hub = tiny_hub.build(Path(scratch) / "hub", profiles.PAIRS["t4"])
        size = 8.6e6  # of the kit, nearly: a quarter of TinyStories is taken
        whole, sent = [], []
        with hub_server.serving(hub, rate=RATE) as server:
            for i in range(1 if args.quick else N):
                good, factor = one(server, Path(scratch) / str(i), rng.uniform(0.01, 0.97) * size)
                whole.append(good)
                sent.append(factor)
                print(f"try {i + 1}: {'whole' if good else 'NOT WHOLE'}, {factor:.3f} bytes sent for each", flush=True)
            resumed = server.resumed
    rows = [
        share("killed, resumed, verified", whole, "ours >= 1"),
        row("bytes sent for each byte of the kit", statistics.fmean(sent)),
        row("downloads that went on inside a file", resumed),
    ]
    notes = (
        f"A share of {len(whole)} tries; the interval is Wilson's, 95%. A tiny kit, {size / 1e6:.0f} MB in 19 files."
    )
    report("kit", rows, args, notes)


if __name__ == "__main__":
    main()
