"""What happens to laptops: kills, full and read-only disks, damaged files, jumping clocks, networks that drop.

Each row says how many tries went wrong: a run that was not the same in the end, a checkpoint that could not be loaded,
a damage that nobody noticed, an error without a sentence, a load without an end. `make bench BENCHES=faults` makes all
tries, --share .1 a tenth of them, --only GGUF the rows of one part.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import hashlib
import io
import json
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import fault_parts
from common import ROOT
from fault_parts import End, Table, apart, each, flipped, malformed, other_values, small_disk, torn, used

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

BIG = 400_000_000  # bytes of a disk that is not full


def digest(*parts: Any) -> str:
    """Tensors and plain values in a few letters."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.detach().numpy().tobytes() if hasattr(part, "detach") else json.dumps(part).encode())
    return found.hexdigest()[:16]


# --- three runs that can go on


class Run(NamedTuple):
    """How a run is made and resumed in a folder, giving its digest, and how its best state is loaded."""

    name: str
    go: Callable[[Path], str]
    best: Callable[[Path], object]


def runs(folder: Path) -> list[Run]:
    """Training on a token file, on a stream, and tuning; their data is written here."""
    from corpus import LINES, byte_encoding, quick, small_gpt, token_file

    from workshop_utils.stream.dataset import StreamingTokenDataset
    from workshop_utils.training.checkpoints import load_model
    from workshop_utils.training.run_folder import step_folders
    from workshop_utils.training.train import train

    folder.mkdir()
    data = token_file(folder / "train.tokens")
    for part in range(2):
        lines = "".join(json.dumps({"text": f"{line} {part}"}) + "\n" for line in LINES * 4)
        (folder / f"part-{part}.jsonl").write_text(lines)
    settings: dict[str, Any] = {"steps": 24, "checkpoint_every": 2, "eval_every": 3, "keep": 2}

    def found(run: Any) -> str:
        return digest([entry.get("loss") for entry in run.history], *run.model.parameters())

    def training(out: Path) -> str:
        config = quick(optimizer="muon", **settings)
        return found(train(small_gpt(dropout=0.1, position="rope"), data, data, config, out, resume=True, quiet=True))

    def streaming(out: Path, files: Iterable[str] = ()) -> str:
        made = list(files) or [str(folder / f"part-{i}.jsonl") for i in range(2)]
        stream = StreamingTokenDataset(made, byte_encoding(), 64, epochs=0, shuffle_buffer=8, val_percent=20)
        held_out = stream.held_out(4)
        config = quick(rows="windows", **settings)
        return found(train(small_gpt(), stream, held_out, config, out, resume=True, quiet=True))

    def best(out: Path) -> None:
        if step_folders(out):
            load_model(out)

    return [Run("training", training, best), Run("streaming", streaming, best), _tuning(folder)]


def _tuning(folder: Path) -> Run:
    import tiny_models

    from workshop_utils.chat.template import conversation
    from workshop_utils.machine.files import last_sealed
    from workshop_utils.machine.profiles import choose
    from workshop_utils.tuning import lora
    from workshop_utils.tuning.finetune import TuneConfig, tune

    pocket = choose("pocket")
    base = tiny_models.save(folder / "some" / "model")
    rows = [
        conversation(f"What colour is a {thing}?", f"A {thing} is yellow.") for thing in ("banana", "user", "a", "b")
    ]
    config = TuneConfig(steps=6, batch_size=2, grad_accum_steps=1, learning_rate=1e-2, checkpoint_every=1, country="")

    def loaded() -> Any:
        return lora.load_base(str(base), pocket, "float32")

    def tuning(out: Path) -> str:
        tuned = tune(lora.attach(loaded(), rank=4), rows * 2, config, out, pocket, quiet=True)
        losses = [entry.get("loss") for entry in tuned.history]
        return digest(losses, *lora.trained_parameters(tuned.model.model)) if (out / lora.WEIGHTS).is_file() else ""

    def best(out: Path) -> None:
        from peft import PeftModel

        if (last := last_sealed(out, "checkpoint-*")) is not None:
            PeftModel.from_pretrained(loaded().model, last)
        if (out / lora.BELONGS).is_file() and last is None:
            lora.load(loaded(), out)

    return Run("tuning", tuning, best)


def undisturbed(run: Run, out: Path) -> tuple[str, float]:
    """The digest of a run that nothing happens to, and its seconds."""
    began = time.monotonic()
    end = apart(partial(run.go, out))
    assert end.how == "done", f"the undisturbed {run.name} fails: {end.said}"
    assert end.said, f"the undisturbed {run.name} leaves nothing"
    return end.said, time.monotonic() - began


def same(end: End, expected: str) -> str:
    """What is wrong with the end of a run, "" if it is that of the undisturbed one."""
    return "" if end == ("done", expected) else f"{end.how}: {end.said}, and {expected} was expected"


# --- the parts of the table


def kills(table: Table, folder: Path, percent: int) -> None:
    for run in runs(folder / "data")[: 2 if percent == 1 else 3]:
        expected, seconds = undisturbed(run, folder / run.name)
        rng, n, wrong, tries, hit = random.Random(0), max(1, percent // 2), [], 0, 0
        while hit < n and tries < 4 * n:  # some moments come after the end
            out, tries = folder / f"{run.name}-{tries}", tries + 1
            hit += apart(partial(run.go, out), kill_after=rng.uniform(0.05, 1) * seconds).how == "killed"
            if (end := apart(partial(run.best, out))).how != "done":
                wrong.append(f"the best of a killed run: {end.how}: {end.said}")
            wrong += filter(None, [same(apart(partial(run.go, out)), expected)])
            shutil.rmtree(out, ignore_errors=True)
        wrong += [f"only {hit} of {tries} hit it"] * (hit < n)
        table.add(f"SIGKILL at a random moment of {run.name}, resumed: other bits, or no best", hit, wrong)


def writers(folder: Path) -> dict[str, tuple[Callable[[Path, int], object], Callable[[Path], object]]]:
    """What writes one thing that is there whole or not at all: how, a first and a second time, and how it is read."""
    from corpus import LINES, byte_encoding
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workshop_utils.chat.language_model import LanguageModel
    from workshop_utils.chat.models import POCKET
    from workshop_utils.export import bundle
    from workshop_utils.machine.files import sha256
    from workshop_utils.text.token_file import TokenFile, write_token_file
    from workshop_utils.text.tokenizer import load_tokenizer, pocket_tokenizer, save_tokenizer

    base, origin = folder / "some" / "model", bundle.Origin("nothing", "nothing", "none", "all")

    def export(out: Path, to: str, time: int) -> None:
        place = base if to == "hf" else POCKET["pocket-instruct"]  # whose tokenizer llama.cpp knows
        model = AutoModelForCausalLM.from_pretrained(place).eval()
        made = LanguageModel("tiny", model, AutoTokenizer.from_pretrained(place), str(place))
        bundle.export(made, origin, out, to, force=True)

    def whole(out: Path) -> None:
        lines = re.findall(r"^([0-9a-f]{64})  (.+)$", (out / "README.md").read_text(), re.MULTILINE)
        assert lines
        assert all(sha256(out / name) == digest for digest, name in lines)

    return {
        "a token file": (
            lambda out, time: write_token_file(LINES * (200 + time), out, byte_encoding(), workers=1),
            lambda out: TokenFile(out, byte_encoding()).document(0),
        ),
        "a tokenizer": (lambda out, time: save_tokenizer(pocket_tokenizer(), out), load_tokenizer),
        "an export": (lambda out, time: export(out, "hf", time), whole),
        "a GGUF": (lambda out, time: export(out, "gguf", time), whole),
    }


def full_disks(table: Table, folder: Path, percent: int) -> None:
    if not fault_parts.root():
        print("full disks are left out: they are file systems of some bytes, which only root may mount")
        return
    for run in runs(folder / "data"):
        expected, _ = undisturbed(run, folder / run.name)
        n, wrong, full = max(1, percent // 5), [], 0
        most = 1.4 * used(folder / run.name)  # more lies there while old checkpoints are being deleted
        for i in range(n):
            disk = folder / f"disk-{run.name}-{i}"
            with small_disk(disk, int(16_384 + most * i / n)) as mount_again:
                out = disk / "run"
                if not (end := apart(partial(run.go, out))).well:
                    wrong.append(f"no sentence: {end.how}: {end.said}")
                full += end.how == "sentence"
                if (end := apart(partial(run.best, out))).how != "done":
                    wrong.append(f"the best on a full disk: {end.how}: {end.said}")
                mount_again(f"size={BIG}")
                wrong += filter(None, [same(apart(partial(run.go, out)), expected)])
        wrong += ["no disk was full"] * (not full)
        what = f"disk full in the middle of {run.name} ({full} were), then resumed with space"
        table.add(f"{what}: other bits, or no sentence", n, wrong)
    for what, (write, read) in writers(folder / "data").items():
        n, wrong, full = max(1, percent // 5), [], 0
        apart(partial(write, folder / "once", 1))
        size = used(folder / "once") or (folder / "once").stat().st_size
        shutil.rmtree(folder / "once") if (folder / "once").is_dir() else (folder / "once").unlink()
        for i in range(n):
            disk = folder / f"disk-{what[-4:]}-{i}"
            with small_disk(disk, BIG) as mount_again:
                apart(partial(write, disk / "it", 0))
                before = sorted(path.name for path in disk.iterdir())
                mount_again(f"size={used(disk) + int(size * 1.1 * i / n)}")
                if not (end := apart(partial(write, disk / "it", 1))).well:
                    wrong.append(f"no sentence: {end.how}: {end.said}")
                full += end.how == "sentence"
                if (end := apart(partial(read, disk / "it"))).how != "done":
                    wrong.append(f"the earlier one is lost: {end.said}")
                if left := {path.name for path in disk.iterdir()} - set(before):
                    wrong.append(f"left behind: {left}")
        wrong += ["no disk was full"] * (not full)
        what = f"disk full while {what} is replaced ({full} were)"
        table.add(f"{what}: no sentence, the earlier one lost, or something left", n, wrong)


def read_only(table: Table, folder: Path, percent: int) -> None:
    if not fault_parts.root():
        print("read-only disks are left out: only root may mount them")
        return
    wrong, n = [], 0
    for run in runs(folder / "data"):
        with small_disk(disk := folder / f"ro-{run.name}", BIG) as mount_again:
            apart(partial(run.go, disk / "done"))
            (disk / "empty").mkdir()
            mount_again("ro")
            for place in ("empty", "new"):
                n += 1
                if (end := apart(partial(run.go, disk / place))).how != "sentence":
                    wrong.append(f"{run.name} into {place}: {end.how}: {end.said}")
            n += 1
            if (end := apart(partial(run.best, disk / "done"))).how != "done":
                wrong.append(f"{run.name}, finished, is not read: {end.how}: {end.said}")
    for what, (write, _) in writers(folder / "data").items():
        with small_disk(disk := folder / f"ro-{what[-4:]}", BIG) as mount_again:
            mount_again("ro")
            n += 1
            if (end := apart(partial(write, disk / "it", 0))).how != "sentence":
                wrong.append(f"{what}: {end.how}: {end.said}")
    table.add("read-only folder (mounted so, which binds root): no sentence, or what is there not read", n, wrong)


def spoilt(place: Path, good: dict[Path, bytes], load: Callable[[Path], str], seed: int) -> str:
    """Load from a folder in which one file is torn or has a flipped bit, which is taken back."""
    rng = random.Random(seed)
    path = rng.choice(sorted(good))
    path.write_bytes((flipped if seed % 2 else torn)(rng, good[path]))
    try:
        return load(place)
    finally:
        path.write_bytes(good[path])


def damages(table: Table, folder: Path, percent: int) -> None:
    """Torn and flipped files: noticed, or the one before taken, and never something else."""
    from corpus import byte_encoding, token_file

    from workshop_utils.machine.profiles import choose
    from workshop_utils.text.token_file import TokenFile
    from workshop_utils.training.checkpoints import load_model
    from workshop_utils.training.run_folder import step_folders

    training, _, tuning = runs(folder / "data")
    apart(partial(training.go, folder / "run"))
    apart(partial(tuning.go, folder / "tuned"))
    places = {name: folder / name for name in ("run", "tuned", "gguf", "export", "tokens")}
    made = writers(folder / "data")
    apart(partial(made["a GGUF"][0], places["gguf"], 0))
    apart(partial(made["an export"][0], places["export"], 0))
    token_file(places["tokens"] / "it.tokens")
    from workshop_utils.export.source import load_any

    profile = choose("pocket")

    def best(place: Path) -> str:
        return digest(*load_model(place, "last").parameters())

    def adapter(place: Path) -> str:
        from workshop_utils.tuning import lora

        tuned = lora.load(lora.load_base(str(folder / "data/some/model"), profile, "float32"), place)
        return digest(*(value for name, value in tuned.model.named_parameters() if "lora" in name))

    def tokens(place: Path) -> str:
        file = TokenFile(place / "it.tokens", byte_encoding())
        return digest(file.tokens.tolist(), vars(file)["n_documents"], file.eot_token)

    def gguf_file(place: Path) -> str:
        return str(load_any(str(next(place.glob("*.gguf"))), profile).name)

    def exported(place: Path) -> str:
        return digest(*load_any(str(place), profile).model.parameters())

    def checkpoint(place: Path) -> str:
        with tempfile.TemporaryDirectory() as made:  # what is resumed writes there
            return tuning.go(shutil.copytree(place, Path(made) / "run"))

    steps = step_folders(places["run"])
    earlier = digest(*load_model(places["run"], step=int(steps[-2].name[5:])).parameters())
    notes = ("adapter_model.safetensors", "adapter_config.json", "workshop.json")
    listed = [path for path in places["export"].iterdir() if path.name != "README.md"]
    kinds: list[tuple[str, Path, list[Path], Callable[[Path], str], set[str]]] = [
        ("checkpoint", places["run"], sorted(steps[-1].iterdir()), best, {earlier}),
        ("token file", places["tokens"], [places["tokens"] / "it.tokens"], tokens, set()),
        ("adapter", places["tuned"], [places["tuned"] / name for name in notes], adapter, set()),
        ("GGUF", places["gguf"], list(places["gguf"].glob("*.gguf")), gguf_file, set()),
        ("exported model", places["export"], listed, exported, set()),
    ]
    inside = sorted((places["tuned"] / "checkpoint-6").iterdir())
    tuned = apart(partial(checkpoint, places["tuned"])).said
    kinds.append(("tuning checkpoint, resumed", places["tuned"], inside, checkpoint, {tuned}))
    for what, place, files, load, allowed in kinds:
        good = {path: path.read_bytes() for path in files}
        right = apart(partial(load, place))
        assert right.how == "done", f"{what}: {right.said}"

        ends = each(partial(spoilt, place, good, load), list(range(max(2, percent))))
        wrong = [f"{end.how}: {end.said}" for end in ends if not (end.how == "sentence" or end.said in allowed)]
        noticed = sum(end.how == "sentence" for end in ends)
        table.add(
            f"torn or bit-flipped {what} ({noticed} refused, the others the one before): unnoticed", len(ends), wrong
        )


def clocks(table: Table, folder: Path, percent: int) -> None:
    """The clock jumps back and forth by up to a day during a run."""

    def jumping(work: Callable[[], str], seed: int) -> str:
        from workshop_utils.tuning import trainer

        rng, real, seal = random.Random(seed), {}, trainer.seal
        for name in ("time", "perf_counter", "monotonic"):
            real[name] = getattr(time, name)
            setattr(time, name, lambda name=name: real[name]() + rng.uniform(-86_400, 86_400) * (rng.random() < 0.2))

        def sealed(place: Path) -> None:
            seal(place)
            os.utime(place, (rng.uniform(1, 2e9),) * 2)

        trainer.seal = sealed
        return work()

    for run in runs(folder / "data"):
        expected, _ = undisturbed(run, folder / run.name)
        n = max(1, percent // 10)
        ends = [apart(partial(jumping, partial(run.go, folder / f"clock-{run.name}-{i}"), i)) for i in range(n)]
        table.add(
            f"clock jumping by up to a day during {run.name}: other bits, or an error",
            n,
            filter(None, (same(end, expected) for end in ends)),
        )


def together(table: Table, folder: Path, percent: int) -> None:
    """Two runs in one folder, begun at nearly the same time."""
    rng = random.Random(0)
    for run in runs(folder / "data"):
        expected, seconds = undisturbed(run, folder / run.name)
        n, wrong, refused = max(1, percent // 10), [], 0
        for i in range(n):
            out, ends = folder / f"two-{run.name}-{i}", []
            begin = partial(apart, partial(run.go, out))
            other = threading.Thread(target=lambda ends=ends, begin=begin: ends.append(begin()))
            other.start()
            time.sleep(rng.uniform(0, 0.8) * seconds)
            ends.append(apart(partial(run.go, out)))
            other.join()
            refused += sum(end.how == "sentence" for end in ends)
            if not any(end == ("done", expected) for end in ends):
                wrong.append(f"neither is right: {ends}")
            wrong += [f"{end.how}: {end.said}" for end in ends if end.how != "sentence" and end != ("done", expected)]
            wrong += filter(None, [same(apart(partial(run.go, out)), expected)])
        table.add(f"a second {run.name} in the same folder ({refused} refused): other bits, or no sentence", n, wrong)


class Dropping(BaseHTTPRequestHandler):
    """Files with ranges; now and then the connection is closed in the middle of an answer."""

    protocol_version = "HTTP/1.1"
    folder: Path
    rng: random.Random

    def log_message(self, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        content, code = (self.folder / self.path.lstrip("/")).read_bytes(), 200
        size, start = len(content), 0
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, stop = int(asked[1]), min(int(asked[2] or size), size - 1)
            content, code = content[start : stop + 1], 206
        self.send_response(code)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content)))
        if code == 206:
            self.send_header("Content-Range", f"bytes {start}-{start + len(content) - 1}/{size}")
        self.end_headers()
        if self.command == "GET":
            drops = self.rng.random() < 0.4
            self.wfile.write(content[: self.rng.randrange(len(content))] if drops and content else content)
            self.close_connection = drops


def network(table: Table, folder: Path, percent: int) -> None:
    """The network drops in the middle: a stream, a model of the hub, a kit."""
    _, streaming, _ = runs(folder / "data")
    expected, _ = undisturbed(streaming, folder / "run")

    def stream(i: int) -> str:
        from workshop_utils.stream import files

        files.FIRST_WAIT = files.LONGEST_WAIT = 0.01
        handler = type("Here", (Dropping,), {"folder": folder / "data", "rng": random.Random(i)})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        urls = [f"http://127.0.0.1:{server.server_port}/part-{part}.jsonl" for part in range(2)]
        return streaming.go(folder / f"net-{i}", urls)  # type: ignore[call-arg]

    n = max(1, percent // 5)
    wrong = filter(None, (same(apart(partial(stream, i)), expected) for i in range(n)))
    table.add("network dropped in the middle of streaming, some 40% of all answers: other bits, or an error", n, wrong)

    import hub_server
    import tiny_hub

    from workshop_utils.machine import profiles

    hub = tiny_hub.build(folder / "hub", profiles.PAIRS["t4"])

    def asking(seed: int, work: Callable[[Path], Any], out: Path) -> Any:
        """Ask a hub that closes the connection after some bytes, and then one that does not."""
        from huggingface_hub import constants

        sent = random.Random(seed).uniform(0, 200_000 if work is whole_model else 8e6)

        class Cut:
            def __init__(self, file: Any) -> None:
                self.file = file

            def write(self, content: bytes) -> int:
                nonlocal sent
                sent -= len(content)
                if sent < 0:
                    raise BrokenPipeError
                return self.file.write(content)

            def __getattr__(self, name: str) -> Any:
                return getattr(self.file, name)

        class Handler(hub_server._Handler):
            def setup(self) -> None:
                super().setup()
                self.wfile = Cut(self.wfile)

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True

        with hub_server.serving(hub) as server:
            server.RequestHandlerClass = Handler
            server.handle_error = lambda *_: None
            os.environ |= {"HF_ENDPOINT": server.url, "HF_HOME": str(out / "home"), "HF_HUB_OFFLINE": "0"}
            constants.ENDPOINT, constants.HF_HUB_OFFLINE = server.url, False
            constants.HF_HUB_CACHE = str(out / "cache")
            template = constants.HUGGINGFACE_CO_URL_TEMPLATE.partition("/{repo_id}")[2]
            constants.HUGGINGFACE_CO_URL_TEMPLATE = f"{server.url}/{{repo_id}}{template}"
            constants.DOWNLOAD_CHUNK_SIZE = 8192
            first = fault_parts._ended(partial(work, out))
            if not first.well:
                raise RuntimeError(str(first.said))
            sent = 1e12
            return work(out)

    def whole_model(out: Path) -> str:
        from workshop_utils.chat import models

        loaded = models.load(profiles.PAIRS["t4"][0], profiles.choose("pocket"))
        return digest(*loaded.model.parameters())

    def whole_kit(out: Path) -> str:
        from workshop_utils.command import kit

        code = kit.prefetch("t4", out / "kit")
        return digest(code, [file.path for file in kit.manifest(out / "kit")], len(list(kit.verify(out / "kit"))))

    for what, work in (("a model is loaded from the hub", whole_model), ("a kit is fetched", whole_kit)):
        ends = [
            apart(partial(asking, i, work, folder / f"hub-{work.__name__}-{i}")) for i in range(max(2, percent // 10))
        ]
        known = {end.said for end in ends if end.how == "done"}
        wrong = [f"{end.how}: {end.said}" for end in ends if end.how != "done"]
        wrong += [f"not the same each time: {known}"] * (len(known) > 1)
        table.add(f"network dropped while {what}, then again: no sentence, or not whole", len(ends), wrong)


# --- malformed inputs


def inputs(table: Table, folder: Path, percent: int, only: str = "") -> None:
    """Each file that is read, malformed in any way: read, or refused in a sentence."""
    training, _, tuning = runs(folder / "data")
    apart(partial(training.go, folder / "run"))
    apart(partial(tuning.go, folder / "tuned"))
    made = writers(folder / "data")
    apart(partial(made["a GGUF"][0], folder / "gguf", 0))
    for name, (files, load) in kinds_of_input(folder).items():
        if only and only.lower() not in name.lower():
            continue
        place = folder / "inputs" / name.replace(" ", "-")
        for file, content in files.items():
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).write_bytes(content)
        right = apart(partial(load, place))
        assert right.how == "done", f"{name}: {right.said}"

        table.ends(f"malformed {name}", each(partial(unlike, place, files, load), list(range(10 * percent))))


def unlike(place: Path, files: dict[str, bytes], load: Callable[[Path], object], seed: int) -> None:
    """Load from a folder in which one file is malformed, which is taken back."""
    rng = random.Random(seed)
    file = rng.choice(sorted(files))
    (place / file).write_bytes(malformed(rng, files[file]))
    try:
        load(place)
    finally:
        (place / file).write_bytes(files[file])


def plain(path: Path, good: Any) -> Any:
    """What a program got out of some JSON; other values where that is none, since then it would have stopped before."""
    content = path.read_bytes()
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return other_values(random.Random(content), good)


def kinds_of_input(folder: Path) -> dict[str, tuple[dict[str, bytes], Callable[[Path], object]]]:
    """For each kind: its files as they should be, and what reads them in a folder."""
    import nbformat
    import pyarrow as pa
    from corpus import LINES, byte_encoding, token_file
    from nbformat import v4
    from pyarrow import parquet
    from transformers import AutoTokenizer

    from workshop_utils.chat import template
    from workshop_utils.command import ask_database, kernel, kit, own_text, progress
    from workshop_utils.command.run_file import RunFile
    from workshop_utils.evaluate import endpoint
    from workshop_utils.export.llama_cpp import LlamaCpp
    from workshop_utils.export.source import load_any, origin_of
    from workshop_utils.lessons import recorded, stoic_set
    from workshop_utils.lessons.notes import Notes
    from workshop_utils.machine.profiles import choose
    from workshop_utils.machine.progress import tried
    from workshop_utils.sql import Sandbox, examples, form
    from workshop_utils.stream.dataset import StreamingTokenDataset
    from workshop_utils.text import corpus
    from workshop_utils.text.token_file import HEADER_BYTES, MAGIC, TokenFile
    from workshop_utils.text.tokenizer import load_tokenizer, save_tokenizer

    profile, encoding = choose("pocket"), byte_encoding()
    tokenizer = AutoTokenizer.from_pretrained(folder / "data" / "some" / "model")

    def as_parquet(**columns: list[Any]) -> bytes:
        file = io.BytesIO()
        parquet.write_table(pa.table(columns), file)
        return file.getvalue()

    def files_of(place: Path, names: Iterable[str] | None = None) -> dict[str, bytes]:
        found = names or [str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()]
        return {name: (place / name).read_bytes() for name in found}

    def text(place: Path) -> None:
        own_text.split_text(own_text.read_corpus(place / "it.txt"), 16)

    def stream(place: Path) -> None:
        for _ in islice(StreamingTokenDataset(str(place), encoding, 16, shuffle_buffer=4), 60):
            pass

    def hub_rows(place: Path) -> None:
        os.environ["WORKSHOP_HUB"] = str(place)
        list(corpus.documents(replace(profile, text="roneneldan/TinyStories", n_documents=20)))

    def hub_sql(place: Path) -> None:
        os.environ["WORKSHOP_HUB"] = str(place)
        for one in examples.of_hub(20):
            examples.messages(one)

    def tokens(place: Path) -> None:
        import torch

        file = TokenFile(place / "it.tokens")
        file.document(0)
        for how in ("rows", "windows"):
            file.batch(how, 4, 16, torch.Generator().manual_seed(0))

    def sealed_tokens(place: Path) -> None:
        """The header's own values, with the right checksum, so that nothing stops them before they are looked at."""
        header = (place / "header.json").read_bytes()[:HEADER_BYTES].ljust(HEADER_BYTES - 12)
        whole = MAGIC + zlib.crc32(header).to_bytes(4, "little") + header
        (place / "it.tokens").write_bytes(whole + (folder / "it.tokens").read_bytes()[HEADER_BYTES:])
        try:
            tokens(place)
        finally:
            (place / "it.tokens").unlink()

    def configured(place: Path) -> None:
        own_text.Settings.new(RunFile.find(None, None, place / "run.json"))

    def model(place: Path) -> None:
        loaded = load_any(str(place), profile)
        origin_of(loaded)  # type: ignore[arg-type]
        loaded.chat_ids("Hello")

    def sql(place: Path) -> None:
        schema = (place / "schema.sql").read_text(errors="replace")
        for query in (place / "query.sql").read_text(errors="replace").split("\n--\n"):
            form.standard(form.compact(query))
            form.prompt(schema, query)
            sandbox.run(schema, query)

    def asked(place: Path) -> None:
        try:
            ask_database.ask("How many?", place / "schema.sql", place, profile)
        except ValueError as error:
            if "holds no adapter" not in str(error):
                raise

    def chat(place: Path) -> None:
        messages = plain(place / "it.json", talk)
        template.prompt_ids(tokenizer, messages[:-1] if isinstance(messages, list) else messages)
        template.encode(tokenizer, messages, 200)

    def gguf_file(place: Path) -> None:
        LlamaCpp(place / "it.gguf").reply("Hello", 2)

    def kit_of(place: Path) -> None:
        kit.report(place)

    def shared(place: Path) -> None:
        tried(place)
        progress.room(place)

    def notes(place: Path) -> None:
        Notes((place / "it.txt").read_text(errors="replace").split("\n")).find("What colour is a banana?")

    rows_of_part = partial(StreamingTokenDataset, [folder / "data" / "part-0.jsonl"], encoding, 16, shuffle_buffer=4)
    list(islice(dataset := rows_of_part(), 5))
    place_in_stream = dataset.state_dict()
    buffer = place_in_stream.pop("buffer")

    def went_on(place: Path) -> None:
        again, state = rows_of_part(), plain(place / "state.json", place_in_stream)
        again.load_state_dict(state | {"buffer": buffer} if isinstance(state, dict) else state)
        list(islice(again, 5))

    def judged(place: Path) -> None:
        """A server that answers so, and now and then with half of it."""
        content = (place / "answer.json").read_bytes()

        class Says(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None: ...

            def do_POST(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content) + len(content) % 3 // 2))
                self.end_headers()
                self.wfile.write(content)

        endpoint.RETRIES = 0
        with ThreadingHTTPServer(("127.0.0.1", 0), Says) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            try:
                endpoint.EndpointJudge(f"http://127.0.0.1:{server.server_port}/v1", "m", profile).judge("Q", "a", "b")
            finally:
                server.shutdown()

    sandbox = Sandbox(seconds=0.5)
    talk = template.conversation("Hello", "Hello.", "What colour is a kite?", "It is red.", system="Be brief.")
    lines = "\n".join(LINES).encode()
    rows = "".join(json.dumps({"text": line}) + "\n" for line in LINES).encode()
    config = {"gpt": {"n_layer": 2}, "training": {"steps": 5, "rows": "rows"}, "out": "run", "data": {"text": "b.txt"}}
    schema = "CREATE TABLE toys (id INTEGER PRIMARY KEY, name TEXT, price DECIMAL(5, 2));\n"
    schema += "INSERT INTO toys VALUES (1, 'a', 2);"
    pairs = b"\n".join(stoic_set.FILE.read_bytes().splitlines()[:4])
    answer: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    said = {"role": "assistant", "content": "Better: A"}
    answer["choices"] = [{"index": 0, "message": said, "finish_reason": "stop"}]
    cells = [
        v4.new_markdown_cell("# A lesson"),
        v4.new_code_cell("print(1)", outputs=[v4.new_output("stream", text="1")]),
    ]
    notebook = nbformat.writes(v4.new_notebook(cells=cells)).encode()
    card = b"---\nlicense: mit\n---\n- **Data**: stories\n\n| what | value | interval |\n|---|---|---|\n| a | 1 | 0 |\n"
    query = "SELECT name FROM toys WHERE price > 1 AND name LIKE 'a%' ORDER BY price\n--\nSELECT COUNT(*) FROM toys"
    save_tokenizer(encoding, folder / "tokenizer.json")
    shutil.copyfile(folder / "tokenizer.json", folder / "run" / "tokenizer.json")
    (folder / "run" / "config.json").write_text(
        json.dumps({"gpt": {}, "training": {"rows": "rows"}, "text_sha256": ""})
    )
    token_file(folder / "it.tokens")
    data_hash = hashlib.sha1(b"blob %d\0" % len(lines) + lines).hexdigest()
    manifest = {"repo": "a/b", "kind": "model", "revision": "1", "path": "x.txt", "size": len(lines)}
    manifest |= {"hash": f"git:{data_hash}"}
    recorded_rows: dict[str, Any] = {"model": "m", "device": "d", "date": "2026-11-27"}
    recorded_rows["pairs"] = [{"prompt": "p", "before": "b", "after": "a"}] * 2
    sql_rows = as_parquet(sql_context=[schema] * 30, sql_prompt=["How many?"] * 30, sql=["SELECT 1"] * 30)
    adapter = ("adapter_model.safetensors", "adapter_config.json", "workshop.json", "result.json")
    gguf_good = next((folder / "gguf").glob("*.gguf")).read_bytes()
    tries = b'\n{"at": "x", "exercise": "04.2", "state": "right"}\n' * 3
    room = json.dumps({"name": "Ada", "tried": {"04.2": [2, True], "04.1": [3, False]}}).encode()
    last = max(path.name for path in (folder / "run").glob("step-*"))
    run_files = [f"{last}/{name}" for name in ("model.safetensors", "training.safetensors", "state.json")]
    run_files += ["config.json", "tokenizer.json", "run.json", "best.json"]
    tiny = files_of(folder / "data" / "some" / "model")
    return {
        "text file": ({"it.txt": lines}, text),
        "JSON lines": ({"it.jsonl": rows}, stream),
        "compressed rows": ({"it.jsonl.gz": gzip.compress(rows), "it.jsonl.bz2": bz2.compress(rows)}, stream),
        "place in a stream": ({"state.json": json.dumps(place_in_stream).encode()}, went_on),
        "Parquet rows": ({"it.parquet": as_parquet(text=LINES)}, stream),
        "copy of a data set": ({"roneneldan/TinyStories/train.parquet": as_parquet(text=LINES)}, hub_rows),
        "SQL examples": ({f"{examples.HUB_SET}/train.parquet": sql_rows}, hub_sql),
        "SQL schema and query": ({"schema.sql": schema.encode(), "query.sql": query.encode()}, sql),
        "schema of workshop sql": ({"schema.sql": schema.encode()}, asked),
        "token file": ({"it.tokens": (folder / "it.tokens").read_bytes()}, tokens),
        "header of a token file": (
            {"header.json": (folder / "it.tokens").read_bytes()[12:HEADER_BYTES]},
            sealed_tokens,
        ),
        "tokenizer": (
            {"it.json": (folder / "tokenizer.json").read_bytes()},
            lambda place: load_tokenizer(place / "it.json").encode("A kite"),
        ),
        "run description": ({"run.json": json.dumps(config).encode()}, configured),
        "run of workshop train": (files_of(folder / "run", run_files), model),
        "adapter": (files_of(folder / "tuned", adapter), model),
        "model of transformers": (tiny | {"README.md": card}, model),
        "GGUF": ({"it.gguf": gguf_good}, gguf_file),
        "chat messages": ({"it.json": json.dumps(talk).encode()}, chat),
        "kit": ({"kit.json": json.dumps({"files": [manifest]}).encode(), "a/b/x.txt": lines}, kit_of),
        "progress of a room": ({"progress.jsonl": tries, "progress-a.json": room, "progress-b.json": room}, shared),
        "recorded replies": ({recorded.SHIPPED.name: json.dumps(recorded_rows).encode()}, recorded.show),
        "notes": ({"it.txt": lines}, notes),
        "pairs for tuning": ({"it.jsonl": pairs}, lambda place: stoic_set.load(place / "it.jsonl")),
        "notebook to run": ({"it.ipynb": notebook}, lambda place: kernel._read(place / "it.ipynb")),
        "answer of a judge": ({"answer.json": json.dumps(answer).encode()}, judged),
    }


QUICK = ("kills", "damages")  # parts of a trial, which is part of `make test`
PARTS = {
    "kills": kills,
    "full": full_disks,
    "read-only": read_only,
    "damages": damages,
    "clocks": clocks,
    "together": together,
    "network": network,
}


def fill(table: Table, folder: Path, percent: int, args: argparse.Namespace) -> None:
    """Each try in a fork of one process; full and read-only disks are file systems of their own, mounted by root."""
    part, _, kind = args.only.partition(":")
    for name, work in PARTS.items():
        if name.startswith(part) and (part or not args.quick or name in QUICK):
            (folder / name).mkdir()
            table.part(name, work, table, folder / name, percent)
    if "inputs".startswith(part) and (part or not args.quick):
        (folder / "inputs").mkdir()
        table.part("inputs", inputs, table, folder / "inputs", percent, kind)


def main() -> None:
    fault_parts.main(__doc__, "faults", fill)


if __name__ == "__main__":
    main()
