"""Make the slides from slides/*.md, and look at them before a room does.

python tools/slides.py build             HTML, PDF with notes, notes as text, into build/slides (make slides: all)
python tools/slides.py build 01 --no-pdf only one deck, without its PDF
python tools/slides.py check             what spills, is too small or too pale, lacks notes, or asks the network
python tools/slides.py pictures 01       every slide as PNG, light and dark, into build/slides/pictures

Needs node and chromium: Debian has both (apt-get install nodejs npm chromium), and CHROME_PATH names another browser.
Marp and playwright-core come by `npm ci --prefix slides`, which build does itself the first time.
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from slide_decks import (
    IMAGE,
    LEAST_CONTRAST,
    LEAST_PX,
    ROOT,
    SLIDES,
    Deck,
    Problem,
    data_uri,
    find,
    notes_as_text,
    pale_colours,
    prepared,
    problems,
)

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True, rich_markup_mode=None)
app.pretty_exceptions_enable = False
Decks = Annotated[list[str] | None, typer.Argument(help="numbers, names or paths; all decks if none")]
OUT = ROOT / "build" / "slides"
MODULES = SLIDES / "node_modules"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# Key D, in a deck: light or dark. What was chosen holds for all decks, and for the presenter's window.
SWITCH = """<script>(() => {
  const kept = () => { try { return localStorage.getItem("dark") === "yes" } catch { return false } }
  const show = (dark) => document.querySelectorAll("section").forEach((s) => s.classList.toggle("dark", dark))
  addEventListener("keydown", (e) => {
    if (e.key.toLowerCase() !== "d" || e.ctrlKey || e.metaKey || e.altKey) return
    try { localStorage.setItem("dark", kept() ? "no" : "yes") } catch {}
    show(kept())
  })
  addEventListener("storage", () => show(kept()))
  show(kept())
})()</script>"""


# --- what it runs with


def browser() -> str:
    """The path of chromium or a relative of it; "" if there is none."""
    named = os.environ.get("CHROME_PATH", "")
    found = (shutil.which(name) for name in (([named] if named else []) + list(BROWSERS)))
    return next((path for path in found if path), "")


def missing() -> str:
    """What has to be installed before slides can be drawn, as a sentence; "" if nothing."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not here: apt-get install nodejs npm, or https://nodejs.org, version 18 or newer"
    if not browser():
        return "chromium is not here: apt-get install chromium, or name a browser: CHROME_PATH=/path/to/chrome"
    if not (MODULES / "@marp-team" / "marp-cli").is_dir() or not (MODULES / "playwright-core").is_dir():
        return "Marp is not installed: npm ci --prefix slides"
    return ""


def run(*command: str | Path) -> str:
    """Run a program, and return what it printed.

    Raises:
        RuntimeError: it failed; with its last words.
    """
    env = os.environ | {"CHROME_PATH": browser(), "CHROME_NO_SANDBOX": "1", "PUPPETEER_SKIP_DOWNLOAD": "1"}
    done = subprocess.run([str(part) for part in command], env=env, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {' '.join((done.stderr or done.stdout).strip().splitlines()[-6:])}")
    return done.stdout


def ready() -> None:
    """Install Marp if only that is missing.

    Raises:
        RuntimeError: node or chromium is missing, or npm cannot install.
    """
    if missing().startswith("Marp"):
        print("Installing Marp into slides/node_modules: the first time this takes a minute.", flush=True)
        run("npm", "ci", "--prefix", SLIDES, "--no-audit", "--no-fund", "--silent")
    if why := missing():
        raise RuntimeError(why)


# --- build


def build(decks: list[Deck], out: Path, pdf: bool = True) -> None:
    """Write HTML, PDF and notes of some decks."""
    if not decks:
        return
    source = out / ".source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for deck in decks:
        (source / f"{deck.name}.md").write_text(prepared(deck), encoding="utf-8")
        (out / f"{deck.name}.notes.txt").write_text(notes_as_text(deck), encoding="utf-8")
    marp: list[str | Path] = [
        "node",
        MODULES / "@marp-team/marp-cli/marp-cli.js",
        "--config-file",
        SLIDES / "marp.config.mjs",
    ]
    run(*marp, "--input-dir", source, "--output", out)
    for deck in decks:
        page = out / f"{deck.name}.html"
        page.write_text(page.read_text(encoding="utf-8").replace("</body>", SWITCH + "</body>"), encoding="utf-8")
    if pdf:
        run(*marp, "--pdf", "--pdf-notes", "--pdf-outlines", "--input-dir", source, "--output", out)
    shutil.rmtree(source)


def index(decks: list[Deck], pdf: bool = True) -> str:
    """A page that leads to all decks, and to their PDFs where there are any."""
    rows, now = [], 0.0
    for deck in decks:
        title, name = html.escape(str(deck.front.get("title", deck.name))), deck.name
        links = [
            f'<a href="{name}.{kind}">{text}</a>' for kind, text in (("pdf", "PDF"), ("notes.txt", "notes"))[not pdf :]
        ]
        rows.append(
            f'<tr><td><a href="{name}.html">{title}</a></td><td>{len(deck.slides)}</td><td>{deck.minutes:g}</td>'
            f"<td>{now:g}–{now + deck.minutes:g}</td><td>{', '.join(links)}</td></tr>"
        )
        now += deck.minutes
    return (
        '<!doctype html><html lang="en-GB"><meta charset="utf-8"><title>The slides</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><style>:root{color-scheme:light dark}'
        "body{font:18px/1.5 Arial,sans-serif;max-width:56em;margin:2em auto;padding:0 1em}"
        "body{background:#fff;color:#1a1d21}"
        "table{border-collapse:collapse}td,th{padding:.4em 1em .4em 0;text-align:left;border-bottom:1px solid #b9c2cc}"
        "a{color:#005f96}@media(max-width:36em){th:nth-child(n+3):nth-child(-n+4),td:nth-child(n+3):nth-child(-n+4)"
        "{display:none}td,th{padding-right:.5em}}@media(prefers-color-scheme:dark){body{background:#12161b;color:#f1f1ec}a{color:#7cc6f2}}"
        "</style><h1>The slides of the workshop</h1><table><tr><th>deck</th><th>slides</th>"
        f"<th>minutes</th><th>from the start</th><th>to print</th></tr>{''.join(rows)}</table>"
        "<p>In a deck: arrows go on and back, F fills the screen, P opens the presenter's window with the notes, "
        "D switches between light and dark.</p></html>\n"
    )


@app.command("build")
def build_command(
    names: Decks = None,
    out: Annotated[Path, typer.Option(help="where to write")] = OUT,
    pdf: Annotated[bool, typer.Option(help="with the PDF, which takes longest")] = True,
) -> None:
    """Write HTML, PDF with notes, notes as text, and a page that leads to all."""
    ready()
    decks = find(names)
    out.mkdir(parents=True, exist_ok=True)
    build(decks, out, pdf)
    if not names:
        (out / "index.html").write_text(index(decks), encoding="utf-8")
    for deck in decks:
        print(f"{deck.name:<28}{len(deck.slides):>3} slides {deck.minutes:>4g} minutes")
    slides, minutes = sum(len(deck.slides) for deck in decks), sum(deck.minutes for deck in decks)
    print(f"{slides} slides, {minutes:g} minutes, in {out}")


# --- check


def looked(pages: list[Path], pngs: Path | None = None) -> list[dict[str, Any]]:
    """What a browser sees in some built decks, one entry each."""
    pictures = ["--png", str(pngs)] if pngs else []
    told = run("node", ROOT / "tools" / "slides_render.mjs", SLIDES, *pictures, *(page.resolve() for page in pages))
    return [json.loads(line) for line in told.splitlines() if line.startswith("{")]


def drawn_problems(deck: Deck, seen: dict[str, Any]) -> list[Problem]:
    """What is wrong with a deck as a browser shows it."""
    found = [
        Problem(deck.name, 0, f"it asks the network for {url}", "Put the thing itself into slides/figures.")
        for url in dict.fromkeys(seen["requests"])
    ]
    if len(seen["slides"]) != len(deck.slides):
        what = f"the browser shows {len(seen['slides'])} slides, the file has {len(deck.slides)}"
        found.append(Problem(deck.name, 0, what, "Separate slides by a line of --- with an empty line before it."))
    letters = {hashlib.sha256(data_uri(p).encode()).hexdigest(): smallest_letters(p) for p in _pictures(deck)}
    for number, views in enumerate(seen["slides"], 1):
        told = set[str]()
        for variant, view in views.items():
            for what, cure in _of_view(view, letters):
                if what not in told:
                    told.add(what)
                    here = f" ({variant})" if variant == "dark" else ""
                    found.append(Problem(deck.name, number, what + here, cure))
    return found


def _of_view(view: dict[str, Any], letters: dict[str, float]) -> list[tuple[str, str]]:
    found = []
    if view["spills"]:
        worst = max(view["spills"], key=lambda one: one["px"])
        cure = "Say less, make two slides of it, or a smaller picture (h:400 in its brackets)."
        found.append((f"{worst['what']!r} spills {worst['px']} px at the {worst['side']}", cure))
    if view["small"]:
        worst = min(view["small"], key=lambda one: one["px"])
        cure = f"The last row reads {LEAST_PX:g} px and more: shorten lines of code, take no smaller class."
        found.append((f"{worst['what']!r} is shown at {worst['px']:g} px", cure))
    if view["pale"]:
        worst = min(view["pale"], key=lambda one: one["ratio"])
        cure = f"Take colours of the theme: {LEAST_CONTRAST} is the least."
        found.append((f"{worst['what']!r} has a contrast of {worst['ratio']}", cure))
    for picture in view["pictures"]:
        px = letters.get(picture["src"], 0.0) * picture["width"]
        if picture["broken"]:
            found.append((f"the picture {picture['alt']!r} is broken", "Make it again: python slides/make_figures.py."))
        elif 0 < px < LEAST_PX - 0.5:
            cure = "Draw it with larger letters, or show it larger."
            found.append((f"letters in the picture {picture['alt'][:40]!r} are shown at {px:.1f} px", cure))
    return found


def _pictures(deck: Deck) -> list[Path]:
    paths = {deck.path.parent / found["src"] for slide in deck.slides for found in IMAGE.finditer(slide.body)}
    return [path for path in paths if path.is_file()]


def smallest_letters(path: Path) -> float:
    """The height of a picture's smallest letters as a share of its width, which make_figures.py notes; 0 if unknown."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return float(getattr(picture, "text", {}).get("smallest letters", 0.0))
    except UnidentifiedImageError:  # the browser will say that it is broken
        return 0.0


@app.command("check")
def check_command(
    names: Decks = None, out: Annotated[Path, typer.Option(help="where the built decks are")] = OUT
) -> None:
    """Say of each slide what is wrong with it, and the cure; builds what is not built or has changed."""
    decks = find(names)
    found = pale_colours((SLIDES / "theme.css").read_text(encoding="utf-8"))
    for deck in decks:
        found += problems(deck)
    if why := missing():
        print(f"the slides were not drawn: {why}")
    else:
        out.mkdir(parents=True, exist_ok=True)
        old = [deck for deck in decks if stale(deck, out)]
        if old:
            build(old, out, pdf=False)
        for deck, seen in zip(decks, looked([out / f"{deck.name}.html" for deck in decks]), strict=True):
            found += drawn_problems(deck, seen)
    for deck in decks:
        print(f"{deck.name:<28}{len(deck.slides):>3} slides {deck.minutes:>4g} minutes")
    print("\n".join(map(str, found)) or "every slide can be read from the last row")
    raise typer.Exit(1 if found or missing() else 0)


def stale(deck: Deck, out: Path) -> bool:
    """Whether a deck's page is older than what it is made from."""
    page = out / f"{deck.name}.html"
    made_from = [deck.path, SLIDES / "theme.css", SLIDES / "marp.config.mjs", Path(__file__), *_pictures(deck)]
    return not page.is_file() or any(path.stat().st_mtime > page.stat().st_mtime for path in made_from)


@app.command("pictures")
def pictures_command(names: Decks = None, out: Annotated[Path, typer.Option(help="where to write")] = OUT) -> None:
    """Write every slide as PNG, light and dark."""
    ready()
    decks = find(names)
    out.mkdir(parents=True, exist_ok=True)
    build([deck for deck in decks if stale(deck, out)], out, pdf=False)
    looked([out / f"{deck.name}.html" for deck in decks], out / "pictures")
    print(out / "pictures")


if __name__ == "__main__":
    try:
        app()
    except (ValueError, RuntimeError) as problem:  # no such deck, nothing to draw with
        sys.exit(f"{problem}")
