"""Files, pages and names that mean harm: pickles, code in a model's repository, paths that lead out, planted secrets.

Each row says how many tries came through: code that ran, a file outside its folder, a secret that could be read, a page
that listened to strangers, an error without a sentence. --only SECRETS makes the rows of one part.
"""

from __future__ import annotations

import argparse
import ast
import http.client
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fault_parts
from common import ROOT
from fault_parts import Table, apart

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

# Secrets that look like nothing, each in one place alone: hiding one of them hides no other.
VARIABLES = {
    "HF_TOKEN": "hf_Aq1wSe2rTy3uIo4pLk5jHg6fDs7aZx8cVb9n",
    "OPENAI_API_KEY": "sk-Mn8bVc7xZa6sDf5gHj4kLp3oIu2yTr1eWq",
}
VARIABLES |= {"AWS_SECRET_ACCESS_KEY": "Rf5tGb6yHn7uJm8iK", "MY_PASSWORD": "Ol9pZa1qXs2wDc3eV"}
VARIABLES |= {"WORKSHOP_JUDGE_KEY": "Bg4tNh5yMj6uKi7oL"}
IN_ADDRESS, IN_QUERY, IN_HEADER = "Zx3cVb4nMa5sDf6gH", "Qw7eRt8yUi9oPa0sD", "Jk1hGf2dSa3pOi4uY"
PLANTED = (*VARIABLES.values(), IN_ADDRESS, IN_QUERY, IN_HEADER)
ADDRESS = f"http://ada:{IN_ADDRESS}@127.0.0.1:9"  # nobody listens there
EVIL = "<script>alert('ran')</script><img src=x onerror=alert('ran')>"


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.mark, "ran")


def refused(
    table: Table, what: str, tries: dict[str, Callable[[], object]], mark: Path, may_load: bool = False
) -> None:
    """A row of loads that must not run what was planted, and end in a sentence."""
    wrong, tries = [], table.some(tries)
    for name, load in tries.items():
        end = apart(load)
        if mark.exists():
            wrong.append(f"{name}: the code ran")
            mark.unlink()
        elif end.how != "sentence" and not (may_load and end.how == "done"):
            wrong.append(f"{name}: {end.how}: {end.said}")
    table.add(what, len(tries), wrong)


# --- pickles and code


def pickles(table: Table, folder: Path) -> None:
    import numpy as np
    import torch
    from corpus import byte_encoding, quick, small_gpt, token_file
    from faults import runs
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from workshop_utils.chat.models import POCKET
    from workshop_utils.command.run_file import RunFile
    from workshop_utils.export.gguf import write_gguf
    from workshop_utils.export.source import load_any
    from workshop_utils.machine.files import checksums, seal
    from workshop_utils.machine.profiles import choose
    from workshop_utils.text.token_file import TokenFile
    from workshop_utils.text.tokenizer import load_tokenizer
    from workshop_utils.training.checkpoints import load_model
    from workshop_utils.training.run_folder import state_digest, step_folders
    from workshop_utils.training.train import train
    from workshop_utils.tuning import lora

    mark, profile = folder / "ran", choose("pocket")
    evil = pickle.dumps(Evil(mark))
    _, _, tuning = runs(folder / "data")
    apart(partial(tuning.go, folder / "tuned"))
    base = folder / "data" / "some" / "model"
    data = token_file(folder / "it.tokens")
    train(small_gpt(), data, data, quick(), folder / "run", quiet=True)
    tries: dict[str, Callable[[], object]] = {}

    def copy(source: Path, name: str, gone: str = "", **planted: bytes) -> Path:
        made = shutil.copytree(source, folder / name)
        for path in made.glob(gone) if gone else ():
            path.unlink()
        for file, content in planted.items():
            (made / file.replace("__", ".")).write_bytes(content)
        return made

    def adapted(made: Path) -> object:
        return lora.load(lora.load_base(str(base), profile, "float32"), made)

    def answer(made: Path) -> object:
        return load_any(str(made), profile).reply("Hello", 1)

    def gguf_with(template: str, out: Path) -> None:
        place = POCKET["pocket-instruct"]  # whose tokenizer llama.cpp knows
        tokenizer = AutoTokenizer.from_pretrained(place)
        tokenizer.chat_template = template
        write_gguf(AutoModelForCausalLM.from_pretrained(place).eval(), tokenizer, out)

    torch.save(Evil(mark), folder / "evil.pt")
    for kind, content in (("pickle", evil), ("torch", (folder / "evil.pt").read_bytes())):
        made = copy(base, f"model-{kind}", "*.safetensors", pytorch_model__bin=content)
        tries[f"model, pytorch_model.bin, {kind}"] = partial(load_any, str(made), profile)
        made = copy(base, f"named-{kind}", model__safetensors=content)
        tries[f"model, named .safetensors, {kind}"] = partial(load_any, str(made), profile)
        made = copy(folder / "tuned", f"adapter-{kind}", "adapter_model.safetensors", adapter_model__bin=content)
        tries[f"adapter, adapter_model.bin, {kind}"] = partial(load_any, str(made), profile)
        tries[f"adapter, by lora.load, {kind}"] = partial(adapted, made)
        made = copy(folder / "tuned", f"peft-{kind}", "adapter_model.safetensors", adapter_model__bin=content)
        (made / lora.BELONGS).unlink()
        tries[f"peft's adapter, {kind}"] = partial(load_any, str(made), profile)
        for file in ("optimizer.pt", "rng_state.pth", "scheduler.pt"):
            made = shutil.copytree(folder / "tuned", folder / f"{file}-{kind}")
            for place in made.glob("checkpoint-*"):
                if place.name == "checkpoint-6":
                    shutil.rmtree(place)
                    continue
                (place / file).write_bytes(content)
                seal(place)
            tries[f"tuning checkpoint, {file}, {kind}"] = partial(tuning.go, made)
        made = shutil.copytree(folder / "run", folder / f"run-{kind}")
        for place in step_folders(made):
            (place / "model.safetensors").write_bytes(content)
            state = json.loads((place / "state.json").read_text())
            state["sha256"] |= checksums(place, ["model.safetensors"])  # nothing stops it before it is loaded
            state["sha256"]["state"] = state_digest(state)
            (place / "state.json").write_text(json.dumps(state))
        tries[f"checkpoint, {kind}"] = partial(load_model, made)
        for name, load in (("token file", TokenFile), ("tokenizer", load_tokenizer)):
            (folder / f"{name}-{kind}").write_bytes(content)
            tries[f"{name}, {kind}"] = partial(load, folder / f"{name}-{kind}")
        (folder / f"{kind}.gguf").write_bytes(content)
        tries[f"GGUF, {kind}"] = partial(load_any, str(folder / f"{kind}.gguf"), profile)
        (folder / f"{kind}.json").write_bytes(content)
        tries[f"description of a run, {kind}"] = partial(RunFile.find, None, None, folder / f"{kind}.json")
        made = copy(base, f"slow-{kind}", "tokenizer*", tokenizer__model=content, vocab__json=content)
        tries[f"model, tokenizer.model, {kind}"] = partial(load_any, str(made), profile)
    np.save(folder / "it.npy", np.array([Evil(mark)], dtype=object), allow_pickle=True)
    tries["token file, .npy of objects"] = partial(TokenFile, folder / "it.npy")
    tries["token file, .npy of objects, with a tokenizer"] = partial(TokenFile, folder / "it.npy", byte_encoding())
    refused(table, "planted pickle in a model, adapter, checkpoint, token file, tokenizer, GGUF: run", tries, mark)

    code = f"open({str(mark)!r}, 'w').write('ran')\nclass E: pass\n"
    tries, ignored = {}, {}
    for name, model_type, maps in (
        ("a model of its own kind", "evil", {"AutoConfig": "evil.E", "AutoModelForCausalLM": "evil.E"}),
        ("a known model", "llama", {"AutoConfig": "evil.E", "AutoModelForCausalLM": "evil.E"}),
        ("a tokenizer", "", {"AutoTokenizer": ["evil.E", "evil.E"]}),
    ):
        made = copy(base, f"remote {name}", evil__py=code.encode())
        path = made / ("config.json" if model_type else "tokenizer_config.json")
        content = json.loads(path.read_text()) | {"auto_map": maps}
        content |= {"model_type": model_type} if model_type else {"tokenizer_class": "Evil"}
        path.write_text(json.dumps(content))
        (tries if model_type == "evil" else ignored)[f"auto_map of {name}"] = partial(load_any, str(made), profile)
    refused(table, "code in a model's repository (auto_map) of a kind of its own: run, or asked for", tries, mark)
    for number, attack in enumerate(
        (
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "{{ cycler.__init__.__globals__.os.system('touch MARK') }}",
            "{{ self._TemplateReference__context.namespace.__init__.__globals__['os'].popen('touch MARK').read() }}",
            "{% for x in range(10 ** 12) %}x{% endfor %}",
        )
    ):
        planted = attack.replace("MARK", str(mark))
        made = copy(base, f"template-{number}", chat_template__jinja=planted.encode())
        ignored[f"chat template {number}"] = partial(answer, made)
        made = copy(base, f"inside-{number}", "chat_template.jinja")
        settings = json.loads((made / "tokenizer_config.json").read_text()) | {"chat_template": planted}
        (made / "tokenizer_config.json").write_text(json.dumps(settings))
        ignored[f"chat template {number} in tokenizer_config.json"] = partial(answer, made)
        made = copy(folder / "tuned", f"beside-{number}", chat_template__jinja=planted.encode())
        ignored[f"chat template {number} beside an adapter"] = partial(answer, made)
        ignored[f"chat template {number} in a GGUF"] = partial(answer, folder / f"template-{number}.gguf")
        apart(partial(gguf_with, planted, folder / f"template-{number}.gguf"))
    refused(
        table, "code in auto_map of a known model, and in a chat template: run, or no sentence", ignored, mark, True
    )


DANGEROUS = {"pickle.load", "pickle.loads", "joblib.load", "dill.load", "yaml.load", "os.system", "os.popen", "eval"}
DANGEROUS |= {"exec", "shelve.open", "marshal.loads", "pandas.read_pickle", "pd.read_pickle"}


def dangerous(tree: ast.AST) -> Iterator[str]:
    """The calls in some code that could run what stands in a file."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        words = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if name in DANGEROUS or words.get("shell") == "True" or words.get("trust_remote_code") == "True":
            yield ast.unparse(node)[:100]
        if name == "torch.load" and words.get("weights_only") != "True":
            yield ast.unparse(node)[:100]
        if words.get("allow_pickle") == "True" or "extractall" in name or "unpack_archive" in name:
            yield ast.unparse(node)[:100]


def code_of(path: Path) -> str:
    """Python of a module, or of a notebook's cells; code in strings stays there."""
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(cell for cell in code if not re.search(r"^\s*[%!]", cell, re.MULTILINE))  # else no Python


def calls(table: Table, folder: Path) -> None:
    del folder
    paths = [*ROOT.glob("workshop_utils/**/*.py"), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("tools/**/*.py")]
    wrong = [f"{path.relative_to(ROOT)}: {call}" for path in paths for call in dangerous(ast.parse(code_of(path)))]
    wrong = [one for one in wrong if not re.search(r"bytes\.fromhex|ast\.literal_eval", one)]
    what = (
        "files of package, tools and notebooks: torch.load without weights_only, pickle, yaml.load, eval, exec, shell, "
    )
    table.add(f"{what}trust_remote_code", len(paths), wrong)


# --- secrets


def secrets(table: Table, folder: Path) -> None:
    """Planted tokens, keys and addresses with passwords, and all that is printed or written when something fails."""
    import nbformat
    from nbformat import v4

    from workshop_utils.command import cli, run_lessons

    texts = folder / "stories.txt"
    texts.write_text("The fox and the owl went home. " * 400)
    url = f"{ADDRESS}/x.jsonl?token={IN_QUERY}"
    described = {"data": {"stream": {"source": url}, "tokenizer": str(folder / "tokenizer.json")}, "out": "run"}
    (folder / "run.json").write_text(json.dumps(described))
    cells = [
        "import os\nprint({name: os.environ.get(name) for name in ('HF_TOKEN', 'OPENAI_API_KEY')})",
        f"raise ValueError('cannot read {url}: ' + os.environ['HF_TOKEN'])",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, folder / "lesson.ipynb")

    def command(*arguments: str) -> Callable[[], object]:
        def run() -> None:
            os.chdir(folder)
            print(cli.execute(arguments))

        return run

    def hub(**variables: str) -> None:
        from huggingface_hub import constants

        os.environ |= {"HF_HUB_OFFLINE": "0"} | variables
        constants.HF_HUB_OFFLINE = False
        constants.ENDPOINT = variables["HF_ENDPOINT"]

    def load(name: str) -> Callable[[], object]:
        def run() -> None:
            from workshop_utils.chat import models
            from workshop_utils.machine.profiles import choose

            hub(HF_ENDPOINT=ADDRESS)
            models.load(name, choose("pocket"))

        return run

    def stream(source: str) -> Callable[[], object]:
        def run() -> None:
            from corpus import byte_encoding

            from workshop_utils.stream import StreamingTokenDataset, files

            files.FIRST_WAIT = files.LONGEST_WAIT = 0.0
            http = {"client_kwargs": {"headers": {"Authorization": f"Bearer {IN_HEADER}"}}}
            options = http if source.startswith("http") else {}
            for _ in StreamingTokenDataset(source, byte_encoding(), 16, storage_options=options):
                pass

        return run

    def room() -> None:
        hub(HF_ENDPOINT=ADDRESS)
        command("doctor")()

    def prefetch() -> None:
        hub(HF_ENDPOINT=ADDRESS)
        command("prefetch", "--to", str(folder / "kit"))()

    def judged(address: str) -> Callable[[], object]:
        def run() -> None:
            from workshop_utils.evaluate import endpoint
            from workshop_utils.machine.profiles import choose

            endpoint.RETRIES = 0
            endpoint.EndpointJudge(address, "m", choose("pocket")).judge("Which?", "a", "b")

        return run

    works: dict[str, Callable[[], object]] = {
        "workshop doctor": command("doctor"),
        "workshop doctor, the hub behind an address with a password": room,
        "a model that cannot be loaded": load("some/model"),
        "a stream that cannot be read": stream(url),
        "a stream whose address has a token": stream(f"http://127.0.0.1:9/x.jsonl?token={IN_QUERY}"),
        "a stream of a format that is not read": stream(f"{ADDRESS}/x.txt"),
        "a stream in a place that nothing knows": stream(f"s3x://ada:{IN_ADDRESS}@h/x.jsonl"),
        "a kit that cannot be fetched": prefetch,
        "workshop train on a stream that cannot be read": command("train", "--config", "run.json"),
        "workshop train, whole": command("train", "--text", str(texts), "--out", "trained", "--steps", "2"),
        "workshop export": command("export", "pocket-instruct", "--out", "exported"),
        "workshop chat": command("chat", "Hello", "--tokens", "3"),
        "a lesson that fails, its report": lambda: run_lessons.run([folder / "lesson.ipynb"], folder / "report"),
        "a judge that cannot be asked": judged("http://127.0.0.1:9/v1"),
        "a judge whose address has a password": judged(f"{ADDRESS}/v1"),
    }
    wrong, home = [], Path(os.environ["WORKSHOP_HOME"])

    def files() -> dict[Path, int]:
        found = (path for place in (folder, home) for path in place.rglob("*"))
        return {path: path.stat().st_mtime_ns for path in found if path.is_file()}

    for name, work in (works := table.some(works)).items():
        said = folder / "said.txt"
        said.unlink(missing_ok=True)
        before = files()

        def planted(work: Callable[[], object] = work) -> str:
            os.environ |= VARIABLES
            try:
                return str(work())
            except Exception:  # what a cell would show
                return traceback.format_exc()

        end = apart(planted, said=said)
        shown = {"printed": said.read_text(errors="replace"), "raised": str(end.said)}
        for path, time_ns in files().items():
            if path != said and before.get(path) != time_ns:
                shown[path.name] = path.read_bytes().decode("latin-1")
        wrong += [
            f"{name}: {where}: ...{text[max(0, text.find(secret) - 400) : text.find(secret) + 40]}"
            for where, text in shown.items()
            for secret in PLANTED
            if secret in text
        ]
    table.add(
        "what runs or fails with planted tokens, keys and addresses: readable in outputs or files", len(works), wrong
    )
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    tracked = [ROOT / os.fsdecode(name) for name in listed if name]
    import notebooks as tool  # `make lint` and `make notebooks` refuse what it finds

    # Passwords in addresses are planted all over the tests; and these files have to name what they look for.
    keys = re.compile("|".join(pattern for what, pattern in tool.SECRETS.items() if "address" not in what).encode())
    own = {
        ROOT / "bench" / "attacks.py",
        ROOT / "tools" / "notebooks.py",
        ROOT / "tests" / "tools" / "test_notebook_tools.py",
    }
    found = [str(path) for path in tracked if path.is_file() and path not in own and keys.search(path.read_bytes())]
    found += ["a planted token is not found"] * (not all(keys.search(path.read_bytes()) for path in own))
    table.add("files of the repository: a token or a private key in it", len(tracked), found)

    shown = {"token": VARIABLES["HF_TOKEN"], "key": VARIABLES["OPENAI_API_KEY"], "address": f"cannot read {ADDRESS}/x"}
    places: dict[str, Callable[[str], Any]] = {
        "printed": lambda text: v4.new_output("stream", text=text),
        "in an error": lambda text: v4.new_output("error", ename="E", evalue=text, traceback=["", text]),
        "in HTML": lambda text: v4.new_output("display_data", {"text/html": f"<b>{text}</b>"}),
    }
    kept = [
        f"a {what} {where} is kept"
        for what, text in shown.items()
        for where, output in places.items()
        if not [*tool.secrets(v4.new_notebook(cells=[v4.new_code_cell("x", outputs=[output(text)])]))]
    ]
    table.add("planted secrets in a notebook's outputs: committed", len(shown) * len(places), kept)


# --- pages, names and paths


class Marks(HTMLParser):
    """Whether a page has scripts or handlers out of EVIL."""

    def __init__(self) -> None:
        super().__init__()
        self.ran, self.inside = False, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag == "script"
        self.ran |= any("ran" in (value or "") and name.startswith("on") for name, value in attrs)

    def handle_data(self, data: str) -> None:
        self.ran |= self.inside and "alert('ran')" in data


def ran(html: str) -> bool:
    marks = Marks()
    marks.feed(html)
    return marks.ran


def pages(table: Table, folder: Path) -> None:
    """What a model or a learner writes, in every page of ours; and to whom a page answers."""
    import nbformat

    from workshop_utils.command import report, serve, web_chat
    from workshop_utils.command.kernel import Outcome
    from workshop_utils.export import web
    from workshop_utils.plots import blinded, coloured

    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=EVIL),
        nbformat.v4.new_output("display_data", {"text/plain": EVIL}),
        nbformat.v4.new_output("error", ename=EVIL, evalue=EVIL, traceback=[EVIL]),
    ]
    cells = [nbformat.v4.new_code_cell(f"print({EVIL!r})", outputs=outputs)]
    outcome = Outcome(EVIL.replace("/", "-"), status="failed", error=EVIL)
    outcome.notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# title"), *cells])
    report.write_report([outcome], folder)
    plain = Outcome("lesson", status="failed", error=EVIL, notebook=outcome.notebook)
    report.write_lesson(plain, folder)
    shown = {
        "index.html of the report": (folder / "index.html").read_text(),
        "page of a lesson": (folder / "lesson.html").read_text(),
        "answers side by side": blinded.SideBySide([EVIL], {EVIL: [EVIL]})._repr_html_(),
        "tokens in colour": coloured.ColouredText({EVIL: [EVIL.encode(), EVIL]})._repr_html_(),
        "trained tokens": coloured.MaskedText([EVIL.encode(), EVIL], [True, False])._repr_html_(),
    }
    (folder / "card").mkdir()
    (folder / "card" / "README.md").write_text(f"---\na: b\n---\n\n# {EVIL}\n\n{EVIL} [x](javascript:alert('ran'))\n")
    card, _ = web._card(folder / "card" / "README.md", "m")
    shown["card on the page of an export"] = card
    wrong = [name for name, html in shown.items() if ran(html) or 'href="javascript' in html]
    scripts = list((ROOT / "workshop_utils" / "export" / "web_page").glob("*.mjs"))
    wrong += [
        path.name for path in scripts if re.search(r"innerHTML|outerHTML|document\.write|eval\(", path.read_text())
    ]
    table.add(
        "pages and tables with a model's output as HTML and script: run by the browser",
        len(shown) + len(scripts),
        wrong,
    )

    (folder / "page").mkdir()
    (folder / "page" / "index.html").write_text("page")
    good = ("localhost", "127.0.0.1", "[::1]", "localhost:8000", "192.168.1.7:8000")
    bad = (
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8000",
        "",
        "evil.example:80",
        "a@localhost.evil",
    )
    wrong = []
    with serve.server(folder / "page", 0) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        at, port = running.server_address[:2]
        wrong += [] if at == "127.0.0.1" else [f"serve is bound to {at}"]
        for host in (*good, *bad):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.putrequest("GET", "/", skip_host=True)
            connection.putheader("Host", host)
            connection.endheaders()
            status = connection.getresponse().status
            wrong += [] if status == (200 if host in good else 403) else [f"Host {host!r} is answered with {status}"]
        running.shutdown()
    launched: dict[str, Any] = {}
    page = SimpleNamespace(launch=lambda **options: launched.update(options) or (None, "http://x", None))
    web_chat.launch(page, wait=False)
    hosts = [one for one in launched["app_kwargs"]["middleware"] if "allowed_hosts" in one.kwargs]
    wrong += [] if launched["server_name"] == "127.0.0.1" and launched["share"] is False else ["chat --web is open"]
    wrong += [] if hosts and "*" not in hosts[0].kwargs["allowed_hosts"] else ["chat --web answers to any name"]
    table.add(
        "names under which a page is asked for (DNS rebinding), and addresses it is bound to",
        len(good + bad) + 3,
        wrong,
    )


def paths(table: Table, folder: Path) -> None:
    """Names in files, requests and archives that lead out of their folder."""
    import tiny_models

    from workshop_utils.command import kit, serve
    from workshop_utils.export import bundle
    from workshop_utils.export.source import load_any
    from workshop_utils.machine.files import damage
    from workshop_utils.machine.profiles import choose

    outside, profile = folder / "outside", choose("pocket")
    outside.mkdir()
    (outside / "secret").write_text("secret")
    out = (
        "../outside/secret",
        "a/../../outside/secret",
        str(outside / "secret"),
        "..\\outside\\secret",
        "./../outside/x",
    )
    tries: dict[str, Callable[[], object]] = {}
    for number, name in enumerate(out):
        for field in ("repo", "path"):
            place = folder / f"kit-{number}-{field}"
            place.mkdir()
            file = {"repo": "a/b", "kind": "model", "revision": "1", "path": "x", "size": 6, "hash": "git:0"}
            (place / "kit.json").write_text(json.dumps({"files": [file | {field: name}]}))
            tries[f"kit, {field} {name}"] = partial(kit.report, place)
    base = tiny_models.save(folder / "base")
    for number, name in enumerate(out[:3]):
        made = shutil.copytree(base, folder / f"index-{number}")
        (made / "model.safetensors").rename(outside / f"model-{number}.safetensors")
        target = name.replace("secret", f"model-{number}.safetensors").replace("a/../", "")
        (made / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": dict.fromkeys(["model.norm.weight"], target)})
        )
        tries[f"index of weights, {name}"] = partial(load_any, str(made), profile)
    refused(table, "names in a kit's list and in an index of weights that lead out: followed", tries, folder / "never")

    (folder / "page").mkdir()
    (folder / "page" / "index.html").write_text("page")
    (folder / "page" / "link").symlink_to(outside / "secret")
    (folder / "page" / "linked").symlink_to(outside)
    asked = ["/../outside/secret", "/..%2foutside/secret", "/%2e%2e/outside/secret", "//etc/passwd", "/link"]
    asked += [
        "/linked/secret",
        "/..%5coutside%5csecret",
        "/%00",
        "/linked/",
        "/./../outside/secret",
        "/%252e%252e/outside/secret",
    ]
    wrong = []
    with serve.server(folder / "page", 0) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        for path in asked:
            connection = http.client.HTTPConnection("127.0.0.1", running.server_address[1], timeout=5)
            connection.putrequest("GET", path)
            connection.endheaders()
            answer = connection.getresponse()
            wrong += [f"serve {path}"] if answer.status == 200 or b"secret" in answer.read() else []
        running.shutdown()
    names = ["../../x", "/etc/x", "a/../b", "..", ".", "C:\\x", "a\0b", "x" * 300, ""]
    for name in names:
        made_name = bundle.name_of(SimpleNamespace(name=name))  # type: ignore[arg-type]
        wrong += [f"export of {name!r} is called {made_name!r}"] if re.search(r"[/\\\0]|^\.", made_name) else []
    (folder / "sealed").mkdir()
    wrong += (
        [] if damage(folder / "sealed", {"../outside/secret": "x"}) == "secret is missing" else ["checksums lead out"]
    )
    table.add("requests and names of exports that lead out of a folder: followed", len(asked) + len(names) + 1, wrong)


def queries(table: Table, folder: Path) -> None:
    """The hostile queries of the tests, and hostile schemas."""
    sys.path.insert(0, str(ROOT / "tests" / "sql"))
    import test_sandbox

    from workshop_utils.sql import Sandbox

    wrong = []
    with Sandbox() as sandbox:
        sandbox.run(test_sandbox.SCHEMA, test_sandbox.COUNT)
        for i, (name, attack) in enumerate((attacks := table.some(test_sandbox.ATTACKS)).items()):
            place = folder / str(i)
            place.mkdir()
            there, new = place / "there.db", place / "new.db"
            there.write_text("secret")
            began = time.perf_counter()
            found = sandbox.run(test_sandbox.SCHEMA, attack.replace("FILE", str(there)).replace("NEW", str(new)))
            late = time.perf_counter() - began > 5
            stopped = found.error and not found.rows and not found.changed and not late
            if not stopped or there.read_text() != "secret" or os.listdir(place) != ["there.db"]:
                wrong.append(f"{name}: {found}")
            if sandbox.run(test_sandbox.SCHEMA, test_sandbox.COUNT).rows != ((24,),):
                wrong.append(f"{name}: the next query does not run")
        table.add("hostile queries: something changed, read or written, or no end", len(attacks), wrong)
        wrong, schemas = [], test_sandbox.HOSTILE_SCHEMAS
        for i, schema in enumerate(schemas):
            place = folder / f"schema-{i}"
            place.mkdir()
            began = time.perf_counter()
            found = sandbox.run(schema.replace("NEW", str(place / "new.db")), "select 1")
            if not found.error or os.listdir(place) or time.perf_counter() - began > 5:
                wrong.append(f"{schema}: {found}")
    table.add("hostile schemas: something written, no error, or no end", len(schemas), wrong)


PARTS = {"pickles": pickles, "calls": calls, "secrets": secrets, "pages": pages, "paths": paths, "queries": queries}


def fill(table: Table, folder: Path, percent: int, args: argparse.Namespace) -> None:
    """Each try in a fork of one process; the hostile queries are those of the tests."""
    table.few = percent < 100
    for name, work in PARTS.items():
        if name.startswith(args.only):
            (folder / name).mkdir()
            table.part(name, work, table, folder / name)


def main() -> None:
    fault_parts.main(__doc__, "attacks", fill)


if __name__ == "__main__":
    main()
