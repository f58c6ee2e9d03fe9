"""The site: what leads where, tested on small pages; whether it is whole, where Sphinx is installed."""

from __future__ import annotations

import subprocess
import sys

import make_site
import pytest

SHOWN = make_site.places()
README = make_site.ROOT / "README.md"


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


def test_the_site_builds_without_a_warning_and_needs_no_network():
    for command in ("build", "check"):
        done = subprocess.run(
            [sys.executable, "tools/make_site.py", command], cwd=make_site.ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
