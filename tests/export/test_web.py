"""The page that chats: what the export writes, and, where there is a browser, what a person would see of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import browser
import pytest

from workshop_utils.chat import models
from workshop_utils.command import cli, serve
from workshop_utils.export import bundle, web
from workshop_utils.machine.profiles import choose

needs_browser = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing())
STORY, BANANA = "Tell me a story about a brave fox called Mia.", "What colour is a banana?"
ENGINE = {"wllama.js", "wllama.wasm", "wllama-compat.js", "wllama-compat.wasm", "wllama-LICENCE"}
PAGE = {"index.html", "chat.mjs", "style.css", "README.md"}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    with serve.server(folder, 0) as running:
        Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.fixture(scope="module")
def pocket():
    return models.load("pocket-instruct", choose("pocket"))


@pytest.fixture(scope="module")
def page(workshop_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with the engine beside it."""
    if why := browser.missing():
        pytest.skip(why)
    browser.keep_engine(workshop_home)
    folder = tmp_path_factory.mktemp("web") / "page"
    assert cli.execute(["export", "pocket-instruct", "--to", "web", "--quant", "f16", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with an npm that fails, unless a test writes another one, and with nothing kept."""
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path


def npm(folder: Path, script: str) -> None:
    path = folder / "bin" / "npm"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


# --- what is written


def test_everything_is_in_the_folder_and_named_in_the_card_and_can_be_replaced(page):
    names = {path.name for path in page.iterdir()}
    assert names == PAGE | ENGINE | {"pocket-instruct-f16.gguf"}
    card, shown = (page / "README.md").read_text(), (page / "index.html").read_text()
    assert {line.split("  ")[1] for line in card.splitlines() if re.match(r"[0-9a-f]{64}  ", line)} == names - {
        "README.md"
    }
    assert "workshop serve page" in card
    assert bundle.hashes(page)["pocket-instruct-f16.gguf"] in shown
    assert all(digest in card for digest in bundle.hashes(page).values())
    licence = (page / "wllama-LICENCE").read_text()
    assert "Permission is hereby granted" in licence
    assert "llama.cpp and ggml, under the same licence" in licence
    assert bundle.is_export(page)
    assert not re.search(r"https?://", shown.replace("http://www.w3.org/2000/svg", ""))  # nothing from elsewhere


@pytest.mark.skipif(os.name == "nt", reason="npm is played by a shell script")
@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "npm is not installed"),
        ("echo 'npm error ENOTFOUND registry.npmjs.org' >&2; exit 1", "ENOTFOUND registry"),
        ("exit 0", r"wllama/esm/index.js .* is missing, or not that of wllama 3\.13\.0"),
    ],
)
def test_without_npm_or_with_other_files_the_engine_comes_from_its_cdn_and_that_is_said(script, why, alone, pocket):
    if script:
        npm(alone, script)
    folder = alone / "page"
    folder.mkdir()
    bundle._write_gguf(pocket, folder, "q8_0")
    said = web.add_engine(folder)
    assert re.search(
        rf"from https://cdn.jsdelivr.net/npm/ when it is opened, and needs a network for it: .*{why}", said
    )
    web.add_page(folder)
    assert {path.name for path in folder.iterdir()} == PAGE - {"README.md"} | {"pocket-instruct-q8_0.gguf"}
    shown = (folder / "index.html").read_text()
    assert "is loaded from cdn.jsdelivr.net when the page is opened" in shown
    settings = json.loads(re.search(r'id="settings">(.*?)</script>', shown)[1])
    address = "https://cdn.jsdelivr.net/npm/@wllama/wllama@3.13.0/esm/index.js"
    assert settings["engine"]["main"]["url"] == address
    assert "connect-src 'self' blob: https://cdn.jsdelivr.net/npm/@wllama/;" in shown


def test_the_tests_drive_the_version_that_is_exported():
    tested = json.loads((browser.slides.SLIDES / "package.json").read_text())["devDependencies"]
    assert {f"{name}@{tested[name]}" for name in tested if "wllama" in name} == set(web.PACKAGES)
    assert f"npm/@wllama/wllama@{web.VERSION}/esm/wasm/wllama.wasm" in web._at_cdn(web.FILES["wasm"][0])


def test_a_card_cannot_put_anything_into_the_page(alone, pocket):
    bundle._write_gguf(pocket, alone, "q8_0")
    evil = "<script>alert(1)</script>"
    (alone / "README.md").write_text(
        f"---\nlicense: mit\n---\n\n# a {evil} {{card}}\n\n- **Limits**: {evil} [x](javascript:alert(1))\n\n"
        "- **Licence**: mit\n\nSHA-256, of:\n\n```text\n00  x\n```\n"
    )
    web.add_page(alone, [f"</script>{evil}"])
    shown = (alone / "index.html").read_text()
    assert "<script>alert" not in shown
    assert 'href="javascript' not in shown
    assert shown.count("<script") == 2
    assert "<h1>a &lt;script&gt;alert(1)&lt;/script&gt; {card}</h1>" in shown
    assert "<strong>Licence</strong> mit" in shown
    assert "00  x" not in shown
    shutil.copy(alone / "pocket-instruct-q8_0.gguf", alone / "second.gguf")
    with pytest.raises(ValueError, match="holds 2 GGUF files"):
        web.add_page(alone)


def test_a_base_model_gets_no_page(tmp_path, capsys):
    assert cli.execute(["export", "pocket-base", "--to", "web", "--out", str(tmp_path / "page")]) == 2
    assert "no page for pocket-base: it is a base model" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- what a person sees


@needs_browser
def test_it_loads_streams_stops_and_says_what_torch_says_and_asks_nobody(page, pocket):
    with served(page) as home:
        seen = browser.drive(
            f"{home}/",
            browser.READY,
            ["look"],
            browser.temperature(0),
            ["click", "#examples button"],
            ["wait", "document.querySelector('.model')?.textContent.length > 5"],
            ["eval", "document.querySelector('.model').getAttribute('aria-busy')"],  # still writing: it streams
            ["wait", browser.WRITTEN],
            ["text", ".model"],
            ["text", ".note"],
            ["click", "#new"],
            ["eval", "document.querySelectorAll('#log *').length"],
            ["fill", "#text", BANANA],
            ["press", "Enter"],
            ["wait", browser.WRITTEN],
            ["text", ".model"],
            ["fill", "#text", STORY],
            ["press", "Enter"],
            ["wait", "document.querySelectorAll('.model')[1]?.textContent.length > 20"],
            ["press", "Escape"],
            ["wait", "document.querySelectorAll('.note')[1].textContent"],
            ["eval", "document.querySelectorAll('.note')[1].textContent"],
            ["eval", "document.querySelectorAll('.model')[1].textContent"],
            ["text", "#hash"],
            ["text", "#checked"],
            ["text", ".card"],
            ["look"],
            ["colour", "dark"],
            ["look"],
            ["size", 360, 640],
            ["look"],
        )
    light, busy, story, note, emptied, banana, stopped, part, digest, checked, card, talk, dark, phone = seen["said"]
    assert busy == "true"
    assert story == pocket.reply(STORY, 200)
    assert re.fullmatch(r"\d+ tokens in [\d.]+ s, \d+ a second", note)
    assert emptied == 0
    assert banana == pocket.reply(BANANA, 200)
    assert stopped == "stopped"
    assert story.startswith(part.strip())
    assert len(part) < len(story)
    assert digest == bundle.hashes(page)["pocket-instruct-f16.gguf"]
    assert checked.startswith("Checked")
    for word in ("Made from", "Data", "Limits", "Licence", "cc0-1.0"):
        assert word in card
    for view in (light, talk, dark, phone):
        assert view["pale"] == []
        assert view["wider"] <= 0
        assert view["unlabelled"] == []
    assert light["background"] != dark["background"]
    assert {url.removeprefix(home) for url in seen["requests"] if not url.startswith("blob:")} == {
        *("/", "/style.css", "/chat.mjs", "/wllama.js", "/wllama.wasm", "/pocket-instruct-f16.gguf")
    }
    assert seen["errors"] == []


@needs_browser
def test_a_phone_like_safari_in_the_network_takes_the_other_engine_and_says_the_same(page, pocket):
    with served(page) as here:
        home = here.replace("127.0.0.1", "192.0.2.7")  # neither https:// nor localhost: much is switched off
        seen = browser.drive(
            "about:blank",
            ["before", "delete WebAssembly.Suspending"],
            ["goto", f"{home}/"],
            browser.READY,
            browser.temperature(0),
            ["fill", "#text", BANANA],
            ["click", "#send"],
            ["wait", browser.WRITTEN],
            ["text", ".model"],
            ["fill", "#text", "the cat sat on the mat and " * 120],
            ["click", "#send"],
            ["wait", "document.querySelectorAll('.note')[1]?.textContent"],
            ["eval", "document.querySelectorAll('.note')[1].textContent"],
            ["eval", "document.getElementById('checked').textContent"],
            allowed=[home],
        )
    banana, long, unchecked = seen["said"]
    assert banana == pocket.reply(BANANA, 200)
    assert long.startswith("what was said is longer than the 512 tokens that the model sees")
    assert unchecked.startswith("Not checked: a browser computes hashes only at https://")
    asked = {url.removeprefix(home) for url in seen["requests"]}
    assert {"/wllama-compat.js", "/wllama-compat.wasm"} <= asked
    assert "/wllama.wasm" not in asked
    assert all(url.startswith((home, "blob:")) for url in seen["requests"])


@needs_browser
def test_what_goes_wrong_is_a_sentence(page, tmp_path):
    lost, changed = tmp_path / "lost", tmp_path / "changed"
    for folder in (lost, changed):
        shutil.copytree(page, folder, copy_function=os.link)
        (folder / "pocket-instruct-f16.gguf").unlink()
    data = bytearray((page / "pocket-instruct-f16.gguf").read_bytes())
    data[-1] ^= 1
    (changed / "pocket-instruct-f16.gguf").write_bytes(data)
    says = [browser.READY, ["text", "#trouble"]]
    with served(page) as home, served(lost) as lost_home, served(changed) as changed_home:
        seen = browser.drive(
            (page / "index.html").as_uri(),
            ["eval", "document.getElementById('asleep').getAnimations().forEach((one) => one.finish())"],
            ["text", "#asleep"],
            *(["goto", f"{lost_home}/"], *says),
            *(["goto", f"{changed_home}/"], *says, ["text", "#checked"]),
            ["before", "delete globalThis.WebAssembly"],
            *(["goto", f"{home}/"], *says),
            allowed=[home, lost_home, changed_home],
        )
    asleep, gone, wrong, hashes, without = seen["said"]
    assert "workshop serve FOLDER" in asleep
    assert gone == "pocket-instruct-f16.gguf is not beside this page (status 404): copy the whole folder."
    assert "is not the file that was exported" in wrong
    assert "Not the same" in hashes
    assert without.startswith("This browser has no WebAssembly")


@needs_browser
def test_from_its_cdn_the_engine_is_taken_only_with_the_right_hash(page, tmp_path):
    for name in PAGE | {"pocket-instruct-f16.gguf"}:
        shutil.copy(page / name, tmp_path / name)
    web.add_page(tmp_path)
    cdn = "https://cdn.jsdelivr.net/npm/@wllama/wllama@3.13.0/"
    other = tmp_path / "other"
    shutil.copytree(browser.WLLAMA / "wllama" / "esm", other / "esm", copy_function=os.link)
    (other / "esm" / "index.js").unlink()
    (other / "esm" / "index.js").write_text("alert(1)")
    with served(tmp_path) as home:
        plans = [{"instead": {cdn: str(folder)}} for folder in (browser.WLLAMA / "wllama", other)]
        right, wrong = (
            browser.drive(
                f"{home}/",
                browser.READY,
                ["text", "#status"],
                ["eval", "document.getElementById('trouble').textContent"],
                **plan,
            )
            for plan in plans
        )
    assert right["said"][0].startswith("Ready")
    assert {url for url in right["requests"] if not url.startswith((home, "blob:"))} == {
        f"{cdn}esm/index.js",
        f"{cdn}esm/wasm/wllama.wasm",
    }
    assert wrong["said"][0] == "Not ready"
    assert "it comes from the network when this page is opened: is there one?" in wrong["said"][1]
