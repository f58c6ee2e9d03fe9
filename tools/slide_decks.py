"""Read the decks of slides/ and find what is wrong with their text, without drawing them. tools/slides.py draws.

A deck is Marp Markdown. Each slide ends with one comment, its notes, whose first line says how many minutes it takes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import yaml
from brand import home_of

ROOT = Path(__file__).resolve().parents[1]
SLIDES = ROOT / "slides"
FIRST = "opening"
FRONT = {"marp": True, "theme": "workshop", "paginate": True}
# What a workshop of 180 minutes gives each deck; one that is not named may take what it needs.
PLAN = {
    "opening": 10,
    "00": 5,
    "01": 15,
    "02": 16,
    "03": 21,
    "04": 21,
    "05": 14,
    "06": 13,
    "07": 35,
    "09": 30,
}
NOTE_WORDS, SLIDE_WORDS, CODE_LINES = 25, 55, 12
LEAST_PX, LEAST_CONTRAST = 18.0, 4.5
# A link may lead to the project, and to the paper or page that a slide names as its source. Nothing is loaded there.
SOURCES = ("https://arxiv.org/", "https://doi.org/", "https://huggingface.co/")

IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<src>[^)\s]+)\)")
LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?P<to>[^)\s]+)\)")
NOTES = re.compile(r"<!--\s*minutes:\s*(?P<minutes>[0-9.]+)\s*\n(?P<text>.*?)-->", re.DOTALL)
DIRECTIVE = re.compile(r"<!--\s*_?[a-zA-Z]+:[^\n]*?-->")
KEYWORDS = re.compile(r"\b(?:w|h|width|height|bg|left|right|contain|cover|fit|center)(?::\S+)?(?=\s|$)|\S+%$")


@dataclass(frozen=True)
class Problem:
    """What is wrong with a slide, and what to do about it."""

    deck: str
    slide: int  # 0: the deck as a whole
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.deck}, {f'slide {self.slide}' if self.slide else 'deck'}: {self.what}. {self.cure}"


@dataclass(frozen=True)
class Slide:
    """One slide, in Markdown."""

    source: str  # everything, the notes included
    body: str  # without notes and directives
    notes: str  # "" if there are none
    minutes: float  # 0 if it is not said
    comments: int  # notes that are there, directives not counted
    ends_with_notes: bool

    @property
    def told(self) -> str:
        """The notes, and under them what each picture shows, for those who cannot see it."""
        texts = [KEYWORDS.sub("", found["alt"]).strip() for found in IMAGE.finditer(without_code(self.body))]
        return "\n\n".join([self.notes, *(f"Picture: {text}" for text in texts)])

    @property
    def heading(self) -> str:
        """The first heading, as plain text."""
        found = re.search(r"^#{1,3}\s+(.*)$", self.body, re.MULTILINE)
        return plain(found[1]) if found else ""


@dataclass(frozen=True)
class Deck:
    """One file of slides."""

    path: Path
    front: dict[str, object]
    slides: tuple[Slide, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def key(self) -> str:
        """As in PLAN: the number of the lesson, or the name."""
        return self.name[:2] if self.name[:2].isdigit() else self.name

    @property
    def minutes(self) -> float:
        return sum(slide.minutes for slide in self.slides)

    def marks(self) -> list[str]:
        """When each slide begins and ends, as in "12–14 min", counted from the beginning of the deck."""
        now, marks = 0.0, []
        for slide in self.slides:
            marks.append(f"{now:g}–{now + slide.minutes:g} min")
            now += slide.minutes
        return marks


def read(path: Path) -> Deck:
    """Read a deck.

    Raises:
        ValueError: it does not begin with a front matter.
    """
    text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    found = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    front = yaml.safe_load(found[1]) if found else None
    if found is None or not isinstance(front, dict):
        raise ValueError(f"{path} has no front matter: begin it with lines between --- and ---, as the other decks do")
    return Deck(path, front, tuple(_slide(part) for part in _parts(text[found.end() :])))


def find(names: list[str] | None = None, folder: Path = SLIDES) -> list[Deck]:
    """Read decks by name, number or path; all of them, the opening first, if none are named.

    Raises:
        ValueError: no deck goes by a name.
    """
    here = {path.stem: path for path in sorted(folder.glob("*.md")) if path.stem != "README"}
    here = {FIRST: here.pop(FIRST), **here} if FIRST in here else here
    chosen = []
    for name in names or here:
        known = [p for stem, p in here.items() if name in (stem, stem[:2]) or name.zfill(2) == stem[:2]]
        known = [Path(name)] if Path(name).is_file() else known
        if len(known) != 1:
            raise ValueError(f"no deck goes by {name!r}: there are {', '.join(here) or 'none'}")
        chosen.append(read(known[0]))
    return chosen


def _parts(text: str) -> list[str]:
    """Cut at lines of three dashes, except in code and in comments."""
    parts, lines, fence, comment = [], list[str](), "", False
    for line in text.split("\n"):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and not comment:
            fence = "" if fence and line.strip().startswith(fence) else fence or mark[1]
        elif not fence:
            comment = (comment or "<!--" in line) and "-->" not in line
        if line.strip() == "---" and not fence and not comment:
            parts.append("\n".join(lines))
            lines = []
        else:
            lines.append(line)
    return [*parts, "\n".join(lines)]


def _slide(source: str) -> Slide:
    found = list(NOTES.finditer(source))
    directives = DIRECTIVE.findall(source)
    others = [c for c in re.findall(r"<!--.*?-->", source, re.DOTALL) if c not in directives]
    body = re.sub(r"<!--.*?-->", "", source, flags=re.DOTALL)
    last = found[-1] if found else None
    return Slide(
        source=source,
        body=body,
        notes=last["text"].strip() if last else "",
        minutes=float(last["minutes"]) if last else 0.0,
        comments=len(others),
        ends_with_notes=last is not None and not source[last.end() :].strip(),
    )


def without_code(text: str) -> str:
    """The text without blocks of code and without what stands between backticks."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^\s*```.*?^\s*```", "", text, flags=re.DOTALL | re.MULTILINE))


def plain(text: str) -> str:
    """The words of some Markdown."""
    text = LINK.sub(lambda link: link["text"], IMAGE.sub("", re.sub(r"<[^>]+>", " ", text)))
    return re.sub(r"\s+", " ", re.sub(r"[*_`#>|]|^\s*[-:]+\s*$", " ", text)).strip()


# --- what is wrong


def problems(deck: Deck, names: set[str] | None = None) -> list[Problem]:
    """Everything that can be seen without drawing.

    Args:
        deck: the deck.
        names: of all decks, in order to know the last one; those of slides/ if not given.
    """
    found = [Problem(deck.name, 0, *one) for one in _of_deck(deck)]
    for number, slide in enumerate(deck.slides, 1):
        found += [Problem(deck.name, number, *one) for one in _of_slide(deck, slide)]
    names = {path.stem for path in SLIDES.glob("*.md")} if names is None else names
    later = sorted(name for name in names if name[:2].isdigit() and (deck.name == FIRST or name > deck.name))
    found += [Problem(deck.name, *one) for one in _ways(deck, later[0] if later else None)]
    return found


def _of_deck(deck: Deck) -> list[tuple[str, str]]:
    found = [
        (f"the front matter says {key}: {deck.front.get(key)!r}", f"Write {key}: {str(value).lower()}.")
        for key, value in FRONT.items()
        if deck.front.get(key) != value
    ]
    if not deck.front.get("title"):
        found.append(("the front matter has no title", "Write title: and what the lesson is called."))
    lesson = deck.front.get("lesson")
    if deck.name != FIRST and not (lesson and (ROOT / str(lesson)).is_file()):
        found.append((f"its lesson {lesson!r} is not there", "Write lesson: notebooks/NN_name.ipynb."))
    planned = PLAN.get(deck.key)
    if planned and abs(deck.minutes - planned) > 0.01:
        found.append(
            (f"the slides take {deck.minutes:g} minutes, the plan has {planned}", "Change minutes: in the notes.")
        )
    return found


def _of_slide(deck: Deck, slide: Slide) -> list[tuple[str, str]]:
    found = []
    if not slide.heading:
        found.append(("it has no heading", "Begin it with # and what is to be seen, in one line."))
    levels = [len(marks) for marks in re.findall(r"^(#+)\s", without_code(slide.body), re.MULTILINE)]
    if any(one > before + 1 for before, one in pairwise([0, *levels])):
        found.append((f"its headings skip a level: {levels}", "Begin with #, and go down one # at a time."))
    if not slide.notes:
        found.append(("it has no notes, or no minutes in them", "End it with <!-- minutes: 2, a line break, text -->."))
    else:
        if not slide.minutes:
            found.append(("it takes 0 minutes", "Say in the first line of the notes how long it takes."))
        if len(slide.notes.split()) < NOTE_WORDS:
            found.append(
                (
                    f"its notes have {len(slide.notes.split())} words, fewer than {NOTE_WORDS}",
                    "Write what to say, what to show live, what people ask, what to skip.",
                )
            )
        if slide.comments != 1 or not slide.ends_with_notes:
            found.append(("the notes are not the one comment at its end", "Join the comments, and put them last."))
    told = plain(re.sub(r"^\|.*$", "", without_code(slide.body), flags=re.MULTILINE))  # tables only have to fit
    words = sum(any(map(str.isalnum, word)) for word in told.split())
    if words > SLIDE_WORDS:
        found.append((f"it has {words} words", f"Keep to {SLIDE_WORDS}: move the rest to the notes or another slide."))
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", slide.body, re.DOTALL | re.MULTILINE):
        if (lines := len(block.rstrip().split("\n"))) > CODE_LINES:
            found.append((f"a block of code has {lines} lines", f"Show {CODE_LINES} at most, the rest live."))
    text = without_code(slide.body)
    for image in IMAGE.finditer(text):
        if not KEYWORDS.sub("", image["alt"]).strip():
            found.append((f"{image['src']} has no alt text", "Say in the brackets what there is to be seen."))
        if not (deck.path.parent / image["src"]).is_file():
            found.append((f"the picture {image['src']} is not there", "Make it: python slides/make_figures.py."))
    if re.search(r"<img\b|<script\b|<iframe\b|<link\b|\burl\(", text):
        found.append(("it has HTML that loads something", "Write a picture as ![what it shows](figures/name.svg)."))
    for link in LINK.finditer(text):
        if reason := _dead(deck, link["to"]):
            found.append((f"the link to {link['to']} {reason}", "Correct it, or take it out."))
    found += [
        (f"the address {address} stands bare", "Write it as a link with words, to the project or to a source.")
        for address in re.findall(r"https?://[^\s)\"'>]+", LINK.sub("", IMAGE.sub("", text)))
    ]
    return found


def _dead(deck: Deck, to: str) -> str:
    if re.match(r"[a-z]+:", to):
        allowed = (
            f"https://github.com/{repository()[0]}",
            f"https://colab.research.google.com/github/{repository()[0]}",
        )
        return "" if to.startswith((*SOURCES, *allowed)) else "leads away from the project, and to no source"
    return "" if (deck.path.parent / to.partition("#")[0]).exists() or to.startswith("#") else "leads nowhere"


def _ways(deck: Deck, following: str | None) -> list[tuple[int, str, str]]:
    """Whether the first and the last slide link the lesson, and the last one the next deck."""
    lesson, found = deck.front.get("lesson"), []
    for number in {1, len(deck.slides)}:
        links = {link["to"] for link in LINK.finditer(deck.slides[number - 1].body)}
        if lesson and f"../{lesson}" not in links:
            found.append((number, "it does not link its lesson", f"Link ../{lesson}."))
        if number == len(deck.slides) and following and f"{following}.md" not in links:
            found.append((number, "it does not link the next deck", f"Link {following}.md."))
    return found


# --- what Marp gets


def repository() -> tuple[str, str]:
    """The project's OWNER/REPO and its tag, from pyproject.toml."""
    home = home_of(ROOT)
    return home.repository, home.tag


def data_uri(path: Path) -> str:
    """A picture as a part of the page that shows it."""
    kind = {".svg": "svg+xml", ".png": "png"}[path.suffix.lower()]
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def prepared(deck: Deck) -> str:
    """The deck as Marp gets it: pictures inside, the running minutes at the foot and in the notes, links that lead on.

    Links between decks lead from page to page; those to lessons and other files lead to the project's repository.
    """
    home, tag = repository()
    root = deck.path.resolve().parent

    def leads(to: str) -> str:
        if re.match(r"[a-z]+:|#", to):
            return to
        target = (root / to).resolve()
        if target.parent == root and target.suffix == ".md":
            return f"{target.stem}.html"
        inside = target.relative_to(ROOT) if target.is_relative_to(ROOT) else Path(to)
        return f"https://github.com/{home}/blob/{tag}/{inside.as_posix()}"

    def picture(found: re.Match[str]) -> str:
        path = root / found["src"]
        return f"![{found['alt']}]({data_uri(path)})" if path.is_file() else found[0]

    def link(found: re.Match[str]) -> str:
        return f"[{found['text']}]({leads(found['to'])})"

    front = {key: value for key, value in deck.front.items() if key != "lesson"} | {"lang": "en-GB"}
    title = str(deck.front.get("title", deck.name))
    slides = []
    for slide, mark in zip(deck.slides, deck.marks(), strict=True):
        notes = f"<!--\n{mark}\n\n{slide.told}\n-->"
        text = NOTES.sub("", slide.source).rstrip()
        text = _outside_code(text, lambda part: IMAGE.sub(picture, LINK.sub(link, part)))
        footer = yaml.safe_dump({"_footer": f"{title} · {mark}"}, allow_unicode=True, width=1000).strip()
        slides.append(f"<!-- {footer} -->\n{text}\n\n{notes}\n")
    return f"---\n{yaml.safe_dump(front, allow_unicode=True, sort_keys=False)}---\n" + "\n---\n\n".join(slides)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    parts = re.split(r"(^```.*?^```[ \t]*$|`[^`\n]*`)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))


def notes_as_text(deck: Deck) -> str:
    """The notes of a deck, to print or to read on a phone."""
    lines = [f"{deck.front.get('title', deck.name)}: {deck.minutes:g} minutes, {len(deck.slides)} slides", ""]
    for number, (slide, mark) in enumerate(zip(deck.slides, deck.marks(), strict=True), 1):
        lines += [f"--- {number}. {slide.heading}  ({mark})", "", slide.told, ""]
    return "\n".join(lines)


# --- colours


def colours(css: str) -> dict[str, dict[str, str]]:
    """The variables of the theme that are colours, of its light and of its dark variant."""

    def block(beginning: str) -> dict[str, str]:
        found = re.search(beginning + r"[^{]*\{(.*?)\}", css, re.DOTALL | re.MULTILINE)
        return dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-fA-F]{6})", found[1] if found else ""))

    light = block(r"^:root")
    return {"light": light, "dark": light | block(r"^section\.dark")}


def contrast(one: str, other: str) -> float:
    """How well two colours can be told apart, 1 to 21, as WCAG 2 defines it.

    Args:
        one: as "#rrggbb".
        other: as "#rrggbb".
    """

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


ON_PAPER = ("ink", "soft", "accent", "strong", "predict", "live", "turn")
ON_PANEL = ("ink", "accent", "strong", "code", "code-comment", "code-string", "code-keyword", "code-number")


def pairs(variant: dict[str, str]) -> dict[str, float]:
    """The contrast of each pair of colours that the theme puts on each other."""
    on = {f"{name} on paper": (name, "paper") for name in ON_PAPER}
    on |= {f"{name} on panel": (name, "panel") for name in ON_PANEL}
    on |= {f"label on {name}": ("on-label", name) for name in ("predict", "live", "turn")}
    return {name: contrast(variant[a], variant[b]) for name, (a, b) in on.items()}


def pale_colours(css: str) -> list[Problem]:
    """The pairs of colours that are too close to each other."""
    return [
        Problem("theme.css", 0, f"{name} has a contrast of {ratio:.2f} ({variant})", f"{LEAST_CONTRAST} is the least.")
        for variant, known in colours(css).items()
        for name, ratio in pairs(known).items()
        if ratio < LEAST_CONTRAST
    ]
