"""The slides: what can be read in their files always, what a browser sees where node and chromium are there."""

from __future__ import annotations

import re
import sys
import zlib
from pathlib import Path

import pytest
import slide_decks
from PIL import Image, PngImagePlugin

import slides

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "slides"))

import make_figures  # noqa: E402

DECKS = slide_decks.find()
NAMES = [deck.name for deck in DECKS]
CSS = (ROOT / "slides" / "theme.css").read_text(encoding="utf-8")
needs_browser = pytest.mark.skipif(bool(slides.missing()), reason=slides.missing())

FRONT = "---\nmarp: true\ntheme: workshop\npaginate: true\ntitle: A test\n---\n\n"
WORDS = "Say what there is to be seen, show the cell live, and tell what people ask. " * 3
NOTES = f"\n\n<!--\nminutes: 1\n{WORDS}\n-->\n"


def deck_of(tmp_path: Path, *bodies: str, notes: str = NOTES, front: str = FRONT) -> slide_decks.Deck:
    """A deck with some slides."""
    path = tmp_path / "opening.md"
    path.write_text(front + "\n---\n\n".join(body + notes for body in bodies), encoding="utf-8")
    return slide_decks.read(path)


def said(deck: slide_decks.Deck) -> str:
    """What the check of the text says about a deck."""
    return "\n".join(map(str, slide_decks.problems(deck, set())))


# --- the decks


@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_a_deck_is_complete(deck):
    assert slide_decks.problems(deck) == []


def test_the_opening_comes_first_and_the_decks_are_a_three_hour_workshop():
    assert NAMES[0] == "opening"
    planned = [deck for deck in DECKS if deck.key in slide_decks.PLAN]
    assert {deck.key for deck in planned} == set(slide_decks.PLAN)
    assert sum(deck.minutes for deck in planned) == 180


def test_every_picture_is_drawn_by_a_script_and_used_and_says_how_small_its_letters_are():
    drawn = set(make_figures.DRAWINGS) | set(make_figures.lessons.DRAWINGS)
    there = {path.stem: path for path in (ROOT / "slides" / "figures").glob("*.png")}
    shown = {Path(m["src"]).stem for deck in DECKS for s in deck.slides for m in slide_decks.IMAGE.finditer(s.body)}
    assert set(there) == drawn
    assert shown <= drawn
    assert [name for name, path in there.items() if not slides.smallest_letters(path)] == []


# --- the theme


def test_every_pair_of_colours_can_be_told_apart_light_and_dark_and_a_pale_one_is_found():
    assert slide_decks.pale_colours(CSS) == []
    light, dark = (slide_decks.colours(CSS)[name] for name in ("light", "dark"))
    assert light["paper"] != dark["paper"]
    assert {"ink", "soft", "accent", "strong"} <= set(light)
    (problem,) = slide_decks.pale_colours(re.sub(r"--soft: #[0-9a-f]{6}", "--soft: #9a9fa6", CSS, count=1))
    assert str(problem).startswith("theme.css, deck: soft on paper has a contrast of 2.")


def test_theme_and_index_bring_everything_along_and_lead_to_every_deck():
    page = slides.index(DECKS)
    assert not re.search(r"url\(|@import|https?:|@font-face", CSS + slides.SWITCH + page)
    assert all(f'href="{name}.html"' in page for name in NAMES)


# --- the check of the text finds what is wrong


@pytest.mark.parametrize(
    ("body", "notes", "problem"),
    [
        ("# A", NOTES, ""),
        ("# A", "", "slide 1: it has no notes, or no minutes in them"),
        ("# A", "\n\n<!--\nminutes: 1\nToo short.\n-->", "slide 1: its notes have 2 words, fewer than 25"),
        ("# A", f"\n\n<!--\nminutes: 0\n{WORDS}\n-->", "slide 1: it takes 0 minutes"),
        ("# A\n\n<!-- a second comment -->", NOTES, "slide 1: the notes are not the one comment at its end"),
        ("A word.", NOTES, "slide 1: it has no heading"),
        ("# A\n\n### B", NOTES, "slide 1: its headings skip a level: [1, 3]"),
        ("# A\n\n" + "word " * 60, NOTES, "slide 1: it has 61 words"),
        ("# A\n\n```python\n" + "x = 1\n" * 13 + "```", NOTES, "slide 1: a block of code has 13 lines"),
        ("# A\n\n![h:300](figures/no.png)", NOTES, "figures/no.png has no alt text"),
        ("# A\n\n![A cat](figures/no.png)", NOTES, "the picture figures/no.png is not there"),
        ("# A\n\n[B](no.md)", NOTES, "the link to no.md leads nowhere"),
        ("# A\n\n[B](https://example.org)", NOTES, "leads away from the project"),
        ("# A\n\nhttps://example.org", NOTES, "the address https://example.org stands bare"),
        ('# A\n\n<img src="https://example.org/a.png">', NOTES, "it has HTML that loads something"),
    ],
)
def test_what_is_wrong_with_a_slide_is_said(tmp_path, body, notes, problem):
    found = said(deck_of(tmp_path, body, notes=notes))
    assert problem in found if problem else found.count("\n") == 0  # only the minutes of the plan


def test_dashes_in_code_and_in_notes_are_no_new_slide_and_names_of_no_deck_are_refused(tmp_path):
    for call in (lambda: slide_decks.find(["55"]), lambda: slide_decks.read(ROOT / "LICENSE")):
        with pytest.raises(ValueError, match=r"no deck goes by '55'|has no front matter"):
            call()
    notes = NOTES.replace("-->", "\n---\n-->")
    deck = deck_of(tmp_path, "# A\n\n```yaml\n---\n```", "# B", notes=notes)
    assert [slide.heading for slide in deck.slides] == ["A", "B"]


# --- what Marp gets


def test_the_build_adds_running_minutes_and_takes_everything_in(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    deck = deck_of(tmp_path, "# A\n\n![Black](a.png)", "# B\n\n`![Black](a.png)`", "# C\n\n[on](opening.md)")
    text = slide_decks.prepared(deck)
    assert [f"A test · {m}" in text for m in ("0–1 min", "1–2 min", "2–3 min")] == [True] * 3
    assert text.count("data:image/png;base64,") == 1
    assert "`![Black](a.png)`" in text
    assert "[on](opening.html)" in text
    assert "minutes: 1" not in text
    told = slide_decks.notes_as_text(deck)
    assert "--- 3. C  (2–3 min)" in told
    assert told.count("Picture: Black") == text.count("Picture: Black") == 1  # for those who cannot see it


def test_links_to_files_lead_to_the_repository():
    deck = next(deck for deck in DECKS if deck.key == "01")
    home, tag = slide_decks.repository()
    assert f"](https://github.com/{home}/blob/{tag}/{deck.front['lesson']})" in slide_decks.prepared(deck)


# --- what a browser sees


@needs_browser
def test_the_browser_finds_what_is_wrong(tmp_path):
    told = PngImagePlugin.PngInfo()
    told.add_text("smallest letters", "0.01")
    Image.new("RGB", (400, 100)).save(tmp_path / "tiny.png", pnginfo=told)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    bodies = {
        "spills": "# A\n\n" + "\n".join("- a point" for _ in range(20)),
        "is shown at 12 px": '# A\n\n<span style="font-size:12px">tiny</span>',
        "has a contrast of": '# A\n\n<span style="color:#bbbbbb">pale</span>',
        "letters in the picture 'Small' are shown at": "# A\n\n![w:400 Small](tiny.png)",
        "the picture 'Broken' is broken": "# A\n\n![Broken](broken.png)",
        "the picture '' is broken": '# A\n\n<img src="http://127.0.0.1:9/a.png">',
        "": "# A\n\nA word, and $x^2$.",
    }
    deck = deck_of(tmp_path, *bodies.values())
    slides.build([deck], tmp_path / "out", pdf=False)
    (seen,) = slides.looked([tmp_path / "out" / "opening.html"])
    found = {(problem.slide, problem.what) for problem in slides.drawn_problems(deck, seen)}
    assert any("asks the network for http://127.0.0.1:9/a.png" in what for slide, what in found if slide == 0)
    for number, expected in enumerate(bodies, 1):
        said = " ".join(what for slide, what in found if slide == number)
        assert expected in said if expected else not said


@needs_browser
def test_every_slide_can_be_read_from_the_last_row(tmp_path):
    slides.build(DECKS, tmp_path, pdf=False)
    seen = slides.looked([tmp_path / f"{name}.html" for name in NAMES])
    found = [p for deck, one in zip(DECKS, seen, strict=True) for p in slides.drawn_problems(deck, one)]
    assert [str(problem) for problem in found] == []


@needs_browser
def test_html_and_pdf_carry_the_notes(tmp_path):
    deck = deck_of(tmp_path, "# A\n\n$x^2$")
    slides.build([deck], tmp_path / "out")
    page = (tmp_path / "out" / "opening.html").read_text(encoding="utf-8")
    assert "Say what there is to be seen" in page
    assert "0–1 min" in page
    assert not re.search(r'(?:src|href)="https?:|url\(["\']?https?:', page)
    pdf = (tmp_path / "out" / "opening.pdf").read_bytes()
    parts = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    assert b"/Annot" in b"".join(zlib.decompressobj().decompress(part) for part in parts if part[:1] == b"x")
    assert "1. A" in (tmp_path / "out" / "opening.notes.txt").read_text(encoding="utf-8")
