"""The site: lessons with their outputs, slides, benchmarks, glossary and reference, as pages that need no network.

On its front page a visitor talks to the pocket model, which `workshop export --to web` writes.

python tools/make_site.py build       into build/site (make site)
python tools/make_site.py check       links that lead nowhere, and what a page would load from elsewhere
python tools/make_site.py look        in a browser, what is too pale or too wide, has no text, or asks elsewhere
python tools/make_site.py picture     the picture of README's first screen, from the built site

Lessons are shown as they are committed and not run. A link to a file that the site does not show leads to the
repository. Slides and what runs the model come from what `npm ci --prefix slides` installs; without it the site has
none, and says so.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import browser
import slide_decks
import typer
from brand import ROOT, home_of

import slides
from workshop_utils.chat import models
from workshop_utils.export import bundle, origin_of
from workshop_utils.machine.profiles import setup

SOURCE, OUT = ROOT / "build" / "site-source", ROOT / "build" / "site"
BENCHES = ROOT / "build" / "bench" / "report.html"  # which `make bench` writes
# Folders and files of the repository, and where they stand in the site.
PAGES = {
    "notebooks": "lessons",
    "site/index.md": "index.md",
    "site/reference.md": "reference.md",
    "site/glossary.md": "glossary.md",
    "site/slides.md": "slides.md",
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "bench/RESULTS.md": "benchmarks.md",
    "instructor": "instructor",
}
LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<target>[^()\s]+)\)")
BADGE = re.compile(r"\[!\[Open in Colab\]\([^)]*\)\]\((?P<to>[^)]*)\)")
HEAD = '<!doctype html><html lang="en-GB"><meta charset="utf-8">'
LOADED = ("*.gguf", "wllama.wasm", "wllama.js")  # of the page that talks, in most browsers
app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True, rich_markup_mode=None)
app.pretty_exceptions_enable = False


def places() -> dict[Path, str]:
    """Each file of the repository that the site shows, and the page that it becomes."""
    shown: dict[Path, str] = {}
    for name, page in PAGES.items():
        path = ROOT / name
        files = sorted(path.glob("*.ipynb" if name == "notebooks" else "*.md")) if path.is_dir() else [path]
        shown |= {file: f"{page}/{file.name}" if path.is_dir() else page for file in files if file.is_file()}
    return shown


def rewritten(text: str, file: Path, shown: dict[Path, str]) -> str:
    """Markdown of a file of the repository, with links that are right on its page of the site.

    Raises:
        ValueError: a link leads to a file that does not exist.
    """
    own, where = home_of(ROOT), shown[file]

    def lead(found: re.Match[str]) -> str:
        target, hash_, anchor = found["target"].partition("#")
        if urlsplit(found["target"]).scheme or not target:
            return found[0]
        path = Path(os.path.normpath(file.parent / unquote(target)))
        if not path.exists():
            raise ValueError(f"{file.relative_to(ROOT)} links to {target}, which does not exist")
        if found["image"]:
            copy = SOURCE / "pictures" / path.name
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)
            to = os.path.relpath(copy, (SOURCE / where).parent)
        elif path in shown:
            to = os.path.relpath(shown[path], Path(where).parent)
        else:
            kind = "tree" if path.is_dir() else "blob"
            to = f"https://github.com/{own.repository}/{kind}/{own.tag}/{path.relative_to(ROOT).as_posix()}"
        return f"{found['image']}[{found['text']}]({Path(to).as_posix() if '://' not in to else to}{hash_}{anchor})"

    return LINK.sub(lead, BADGE.sub(r"[Open in Colab](\g<to>)", text))


def describe(cells: list[dict[str, Any]]) -> None:
    """Give the pictures of each cell their text: what the cell has noted, or else under which heading they stand."""
    heading = ""
    for cell in cells:
        if cell["cell_type"] == "markdown":
            heading = [heading, *re.findall(r"^#+ (.+)$", "".join(cell["source"]), re.MULTILINE)][-1]
            continue
        drawn = [output for output in cell["outputs"] if "image/png" in output.get("data", {})]
        noted = [output["metadata"].get("image/png", {}).get("alt", "") for output in drawn]
        alt = " ".join(filter(None, noted)) or f"A picture that this cell draws; its section is: {heading}"
        cell["metadata"]["mystnb"] = {"image": {"alt": alt}}


def collect() -> None:
    """Copy everything that becomes a page into SOURCE."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shown = places()
    for file, page in shown.items():
        to = SOURCE / page
        to.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".ipynb":
            lesson = json.loads(text)
            describe(lesson["cells"])
            for cell in lesson["cells"]:
                if cell["cell_type"] == "markdown":
                    cell["source"] = rewritten("".join(cell["source"]), file, shown)
            to.write_text(json.dumps(lesson), encoding="utf-8")
        else:
            text = text.replace("```mermaid", "```text")  # GitHub draws it
            if page == "benchmarks.md" and BENCHES.is_file():
                link = '<a href="bench/report.html">The report of the last run of all benches, with pictures</a>'
                text = text.replace("\n\n", f"\n\n{link}\n\n", 1)
            to.write_text(rewritten(text, file, shown), encoding="utf-8")
    shutil.copyfile(ROOT / "site" / "conf.py", SOURCE / "conf.py")
    shutil.copytree(ROOT / "site" / "_static", SOURCE / "_static")
    extra = SOURCE / "extra"
    extra.mkdir()
    for name, write in (("slides", add_slides), ("talk", add_talk)):
        try:
            write(extra / name)
        except RuntimeError as why:
            print(f"the site has no {name}: {why}")
            sentence = f"This copy of the site was built without {name}: {html.escape(str(why))}"
            (extra / name).mkdir()
            (extra / name / "index.html").write_text(f"{HEAD}<title>{name}</title><p>{sentence}</p>", encoding="utf-8")
    size = sum(path.stat().st_size for name in LOADED for path in (extra / "talk").glob(name)) / 1e6
    front = SOURCE / "index.md"
    front.write_text(front.read_text(encoding="utf-8").replace("TALK-SIZE", f"{size:.0f} MB"), encoding="utf-8")


def add_slides(folder: Path) -> None:
    """Write every deck as a page, and the page that leads to all.

    Raises:
        RuntimeError: Marp or a browser is missing.
    """
    if why := slides.missing():
        raise RuntimeError(why)
    folder.mkdir()
    decks = slide_decks.find()
    slides.build(decks, folder, pdf=False)
    (folder / "index.html").write_text(slides.index(decks, pdf=False), encoding="utf-8")


def add_talk(folder: Path) -> None:
    """Export the pocket model as a page that talks: one thread, and no header that a plain web server would not send.

    Raises:
        RuntimeError: wllama is missing.
    """
    if not browser.WLLAMA.is_dir():
        raise RuntimeError("wllama is not installed: npm ci --prefix slides")
    os.environ["WORKSHOP_HOME"] = str(ROOT / "build" / "site-home")
    profile = setup("pocket", quiet=True)
    browser.keep_engine(profile.home)
    model = models.load("pocket-instruct", profile)
    bundle.export(model, origin_of(model), folder, "web")


@app.command()
def build() -> None:
    """Write the site into build/site."""
    began = time.monotonic()
    try:
        slides.ready()
    except RuntimeError as problem:
        print(f"without slides: {problem}")
    collect()
    shutil.rmtree(OUT, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", SOURCE, OUT]
    done = subprocess.run([str(part) for part in command], cwd=ROOT)
    if done.returncode:
        raise typer.Exit(done.returncode)
    if BENCHES.is_file():
        (OUT / "bench").mkdir()
        shutil.copyfile(BENCHES, OUT / "bench" / BENCHES.name)
    pages = len(list(OUT.rglob("*.html")))
    print(f"{pages} pages in {OUT} after {time.monotonic() - began:.0f} s; open {OUT / 'index.html'}")


class Page(HTMLParser):
    """What a page loads, where it links to, and what can be linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and given.get("rel") not in ("canonical", "author", "license"):
            self.loads.append(given.get("href", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])


def read(path: Path) -> Page:
    """A page of the site."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def problems(folder: Path) -> Iterator[str]:
    """A sentence for each link that leads nowhere, and for each thing that a page loads from elsewhere."""
    pages = {path.resolve(): read(path) for path in folder.rglob("*.html") if path.parent.name != "_static"}
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        for url in (*page.loads, *page.links):
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                if url in page.loads and parts.scheme != "data":
                    yield f"{name} loads {url}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{name} leads to {url}, which does not exist"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{name} leads to {url}, where there is no such place"


@app.command()
def check(folder: Path = OUT) -> None:
    """Say which links lead nowhere, and what a page would load from elsewhere."""
    if not (folder / "index.html").is_file():
        raise ValueError(f"there is no site in {folder}: make site")
    found = sorted(set(problems(folder)))
    print("\n".join(found) or "every link leads somewhere, and no page loads anything from elsewhere")
    raise typer.Exit(1 if found else 0)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Hand out a folder as a plain web server does, without headers of ours."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def copyfile(self, source: Any, outputfile: Any) -> None:
            with suppress(ConnectionError):  # the browser went on to the next page
                super().copyfile(source, outputfile)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as running:
        Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
PHONE = 390  # pixels


def seen(folder: Path, names: Sequence[str]) -> Iterator[str]:
    """What a browser finds on pages of the site, light and dark, and as wide as a phone."""
    with served(folder) as home:
        for colour in ("light", "dark"):
            looks = [step for name in names for step in (["goto", f"{home}/{name}"], ["axe"])]
            found = browser.drive("about:blank", *looks, colour=colour, limit=1200, allowed=[home])
            for name, violations in zip(names, found["said"], strict=True):
                for one in violations:
                    yield f"{name} ({colour}): {one['help']}, {one['nodes']} times: {' | '.join(one['where'])}"
        looks = [step for name in names for step in (["goto", f"{home}/{name}"], ["eval", WIDER])]
        found = browser.drive("about:blank", *looks, width=PHONE, height=844, limit=1200, allowed=[home])
        for name, pixels in zip(names, found["said"], strict=True):
            if pixels > 0:
                yield f"{name} is {pixels} pixels wider than a phone's screen"
        for url in dict.fromkeys(found["requests"]):
            if not url.startswith((home, "data:", "blob:", "about:")):
                yield f"a page asks {url}"


@app.command()
def look(names: Annotated[list[str] | None, typer.Argument(help="pages; all if none")] = None) -> None:
    """Look at every page with a browser: contrast, texts of pictures, order of headings, width, requests."""
    if why := browser.missing():
        raise RuntimeError(why)
    there = [path for path in OUT.rglob("*.html") if path.parent.name != "_static"]
    decks = {f"{deck.name}.html" for deck in slide_decks.find()}  # which `make slides-check` looks at
    pages = names or sorted(path.relative_to(OUT).as_posix() for path in there if path.name not in decks)
    found = list(seen(OUT, pages))
    print("\n".join(found) or f"{len(pages)} pages: nothing too pale, nothing too wide, and nothing asked elsewhere")
    raise typer.Exit(1 if found else 0)


FRAME = "document.getElementById('talk-frame')?.contentDocument"
TOLD = "Tell me a story about a brave fox called Mia."


def talk_steps(text: str = TOLD) -> list[list[Any]]:
    """What a visitor of the front page does: press the button, type, wait for the reply at temperature 0."""
    return [
        ["click", "#talk-start"],
        ["wait", f"/^(Ready|Not ready)/.test({FRAME}?.getElementById('status')?.textContent)"],
        ["wait", f"{FRAME}.activeElement.id === 'text'"],  # where the keyboard is
        [
            "wait",
            f"(t => (t.value = 0, t.dispatchEvent(new Event('input')), t.value === '0'))"
            f"({FRAME}.getElementById('temperature'))",
        ],
        *[["press", "Space" if key == " " else key] for key in text],
        ["press", "Enter"],
        ["wait", f"{FRAME}.querySelector('.note')?.textContent"],
    ]


@app.command()
def picture(to: Path = ROOT / "site" / "talk.png") -> None:
    """Write the picture of README's first screen: the front page, when the model has told a story."""
    from PIL import Image

    into_view = ["wait", "(document.getElementById('talk-frame').scrollIntoView({block: 'end'}), true)"]
    with served(OUT) as home:
        browser.drive(f"{home}/index.html", *talk_steps(), into_view, ["picture", str(to)], width=1000, height=790)
    Image.open(to).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(to, optimize=True)
    print(f"{to.relative_to(ROOT)}, {to.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    try:
        app()
    except (ValueError, RuntimeError) as problem:
        sys.exit(f"{problem}")
