"""The site: lessons with their outputs, slides, benchmarks, glossary and reference, as pages that need no network.

python tools/make_site.py build       into build/site (make site)
python tools/make_site.py check       links that lead nowhere, and what a page would load from elsewhere

Lessons are shown as they are committed and not run. A link to a file that the site does not show leads to the
repository. Slides come from what `npm ci --prefix slides` installs; without it the site has none, and says so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import slide_decks
import typer
from brand import ROOT, home_of

import slides

SOURCE, OUT = ROOT / "build" / "site-source", ROOT / "build" / "site"
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
            for cell in lesson["cells"]:
                if cell["cell_type"] == "markdown":
                    cell["source"] = rewritten("".join(cell["source"]), file, shown)
            to.write_text(json.dumps(lesson), encoding="utf-8")
        else:
            text = text.replace("```mermaid", "```text")  # GitHub draws it
            to.write_text(rewritten(text, file, shown), encoding="utf-8")
    shutil.copyfile(ROOT / "site" / "conf.py", SOURCE / "conf.py")
    shutil.copytree(ROOT / "site" / "_static", SOURCE / "_static")
    extra = SOURCE / "extra"
    extra.mkdir()
    if not (why := slides.missing()):
        out = extra / "slides"
        out.mkdir()
        decks = slide_decks.find()
        slides.build(decks, out, pdf=False)
        (out / "index.html").write_text(slides.index(decks, pdf=False), encoding="utf-8")
    else:
        print(f"the site has no slides: {why}")


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


if __name__ == "__main__":
    try:
        app()
    except (ValueError, RuntimeError) as problem:
        sys.exit(f"{problem}")
