"""The site: what leads where, tested on small pages; whether it is whole, where Sphinx is installed."""

from __future__ import annotations

import re
import subprocess
import sys

import browser
import make_site
import pytest

ROOT = make_site.ROOT
SHOWN = make_site.places()
README = ROOT / "README.md"
needs_browser = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing())


def rewritten(text: str) -> str:
    return make_site.rewritten(text, README, SHOWN)


def test_a_link_leads_to_a_page_of_the_site_or_to_the_repository():
    assert rewritten("[a](notebooks/00_start_here.ipynb#questions)") == "[a](lessons/00_start_here.ipynb#questions)"
    assert rewritten("[a](bench/RESULTS.md)") == "[a](benchmarks.md)"
    assert rewritten("[a](LICENSE)").startswith("[a](https://github.com/")
    assert rewritten("[a](workshop_utils)").split("/")[5] == "tree"
    assert rewritten("[a](https://example.org/x)") == "[a](https://example.org/x)"
    with pytest.raises(ValueError, match=r"README.md links to no/such.md, which does not exist"):
        rewritten("[a](no/such.md)")


def test_a_badge_becomes_words_since_its_picture_lies_elsewhere():
    badge = "[![Open in Colab](https://elsewhere.org/badge.svg)](https://colab.research.google.com/x)"
    assert rewritten(badge) == "[Open in Colab](https://colab.research.google.com/x)"


def test_every_lesson_has_its_page():
    lessons = {path.name for path in (make_site.ROOT / "notebooks").glob("*.ipynb")}
    assert {f"lessons/{name}" for name in lessons} <= set(SHOWN.values())


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="other.html#there">', ""),
        ('<a href="#here">', ""),
        ('<a href="https://example.org">', ""),
        ('<img src="data:image/png;base64,AA">', ""),
        ('<a href="gone.html">', "leads to gone.html, which does not exist"),
        ('<a href="other.html#gone">', "leads to other.html#gone, where there is no such place"),
        ('<img src="https://example.org/a.png">', "loads https://example.org/a.png"),
        ('<script src="//example.org/a.js"></script>', "loads //example.org/a.js"),
        ('<link rel="stylesheet" href="https://example.org/a.css">', "loads https://example.org/a.css"),
        ('<img src="gone.png">', "leads to gone.png, which does not exist"),
    ],
)
def test_what_leads_nowhere_or_loads_from_elsewhere_is_named(tmp_path, html, problem):
    (tmp_path / "index.html").write_text(f'<h1 id="here">x</h1>{html}')
    (tmp_path / "other.html").write_text('<h1 id="there">x</h1>')
    assert list(make_site.problems(tmp_path)) == ([f"index.html {problem}"] if problem else [])


def test_pictures_of_a_lesson_get_the_text_that_their_cell_has_noted_or_the_heading_above():
    png = {"data": {"image/png": "AA"}, "metadata": {"image/png": {"alt": "Bars. a: 1; b: 2."}}}
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "## Bars\n"]},
        {"cell_type": "code", "metadata": {}, "outputs": [png]},
        {"cell_type": "code", "metadata": {}, "outputs": [png | {"metadata": {}}]},
    ]
    make_site.describe(cells)
    assert [cell["metadata"]["mystnb"]["image"]["alt"] for cell in cells[1:]] == [
        "Bars. a: 1; b: 2.",
        "A picture that this cell draws; its section is: Bars",
    ]


# --- the whole site


@pytest.fixture(scope="module")
def site():
    """The site, built anew."""
    done = subprocess.run([sys.executable, "tools/make_site.py", "build"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return make_site.OUT


def test_the_site_builds_without_a_warning_and_every_link_leads_somewhere(site):
    assert list(make_site.problems(site)) == []
    pictures = [tag for path in site.rglob("lessons/*.html") for tag in re.findall(r"<img\b[^>]*>", path.read_text())]
    assert len(pictures) > 50
    assert [tag for tag in pictures if not re.search(r'alt="(?!\.\.|_images)[^"]{20,}"', tag)] == []


FOCUS = """(() => { const e = document.activeElement, s = getComputedStyle(e)
    return [e === document.body ? 'BODY' : e.id || e.className || e.tagName,
    s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none'] })()"""


@needs_browser
def test_a_visitor_talks_to_the_pocket_model_on_the_front_page_and_nobody_else_is_asked(site):
    frame = make_site.FRAME
    with make_site.served(site.parent) as home:
        front = f"{home}/{site.name}/index.html"  # below a folder, as on GitHub's pages, and without headers of ours
        seen = browser.drive(
            front,
            [
                "eval",
                "performance.getEntriesByType('resource').filter((one) => /talk\\/|gguf|wasm/.test(one.name)).length",
            ],
            *make_site.talk_steps(),
            [
                "eval",
                f"[{frame}.querySelector('.model').textContent, {frame}.defaultView.crossOriginIsolated]",
            ],
            ["eval", f"getComputedStyle({frame}.body).backgroundColor"],
            ["wait", "(document.documentElement.dataset.theme = 'dark')"],
            ["wait", f"getComputedStyle({frame}.body).backgroundColor === 'rgb(18, 22, 27)'"],
        )
    before, (reply, isolated), paper = seen["said"]
    assert before == 0  # nothing of the model, until the button is pressed
    assert "fox" in reply
    assert not isolated
    assert paper == "rgb(255, 255, 255)"
    assert [url for url in seen["requests"] if not url.startswith((home, f"blob:{home}", "data:", "about:"))] == []


@needs_browser
def test_the_front_page_says_what_stops_it_and_the_keyboard_reaches_everything(site):
    alone = browser.drive((site / "index.html").as_uri(), ["text", "#talk-note"])
    assert "python -m http.server" in alone["said"][0]
    with make_site.served(site) as home:
        off = ["before", "delete globalThis.WebAssembly"]
        seen = browser.drive("about:blank", off, ["goto", home], ["text", "#talk-note"], allowed=[home])
        assert "has no WebAssembly" in seen["said"][0]
        tabs = [step for _ in range(60) for step in (["press", "Tab"], ["eval", FOCUS])]
        seen = browser.drive(f"{home}/index.html", *tabs)
        reached = [name for name, _ in seen["said"]]
        assert [name for name, visible in seen["said"] if not visible and name != "BODY"] == []
        for name in ("search-button", "theme-switch", "talk-start", "reference internal"):
            assert any(name in one for one in reached), (name, reached)
        found = browser.drive(
            f"{home}/search.html?q=attention",
            ["wait", "document.querySelectorAll('#search-results li').length"],
            ["text", "#search-results"],
        )
        assert "Build a GPT" in found["said"][0]


@needs_browser
def test_pages_are_readable_light_and_dark_and_on_a_phone(site):
    pages = ["index.html", "lessons/00_start_here.html", "slides/index.html", "talk/index.html"]  # make site-check: all
    assert list(make_site.seen(site, pages)) == []


@needs_browser
def test_what_is_wrong_with_a_page_is_found(tmp_path):
    body = '<h1>A</h1><h3>B</h3><p style="color:#bbb">pale</p><img src="a.png"><div style="width:500px">wide</div>'
    body += (
        '<b id="b" style="color:#bbb;transition:color 9s">darker</b><script>b.offsetTop;b.style.color="#000"</script>'
    )
    (tmp_path / "a.html").write_text(
        f'<!doctype html><html lang="en"><title>a</title><body>{body}<img src="http://127.0.0.1:9/a">'
    )
    found = "\n".join(make_site.seen(tmp_path, ["a.html"]))
    for problem in ("Heading levels", "contrast", "alternative text", "pixels wider", "asks http://127.0.0.1:9/a"):
        assert problem in found
    assert re.search(r"contrast.*, 1 times", found)  # a colour that is still changing counts by where it ends
