"""Write what a run of the lessons left: a page for each, index.html, and report.json.

Called by run_lessons.run(). The pages stand alone: no script, no font, no picture is fetched from anywhere.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop_utils.machine.record import computer, versions

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from workshop_utils.command.kernel import Outcome

WIDGET = "application/vnd.jupyter.widget-view+json"


def write_lesson(outcome: Outcome, out: Path) -> None:
    """Write <out>/<lesson>.ipynb with the outputs, and the same as <lesson>.html; nothing for a lesson never begun."""
    if outcome.notebook is None:
        return
    import nbformat

    nbformat.write(outcome.notebook, out / f"{outcome.lesson}.ipynb")
    page = lesson_page(outcome.notebook, outcome.lesson)
    (out / f"{outcome.lesson}.html").write_text(page, encoding="utf-8")


def write_report(outcomes: Sequence[Outcome], out: Path, profile: str | None = None) -> None:
    """Write index.html for people and report.json for programs.

    Args:
        outcomes: of the lessons that ran so far.
        out: the folder that holds the lessons' pages.
        profile: the profile that was asked for, if any.
    """
    rows = [{key: getattr(o, key) for key in ("lesson", "status", "seconds", "peak_mb")} for o in outcomes]
    (out / "report.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    (out / "index.html").write_text(index_page(outcomes, out, profile), encoding="utf-8")


def lesson_page(notebook: NotebookNode, name: str) -> str:
    """Render an executed notebook as a page that fetches nothing.

    Args:
        notebook: with its outputs; left as it is.
        name: the title, should the notebook have no heading.

    Returns:
        The page as HTML, light or dark as the reader's system is.
    """
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter

    notebook = _for_the_page(notebook)
    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    css = f"{_STYLE}{_LESSON_STYLE}{light}@media (prefers-color-scheme: dark) {{{dark}}}"
    exporter = HTMLExporter(template_name="lab", raw_template=_LESSON_PAGE, exclude_anchor_links=True)
    # A training overwrites its line of progress: on the page, too, only the last state of it is read.
    exporter.register_preprocessor("nbconvert.preprocessors.CoalesceStreamsPreprocessor", enabled=True)
    exporter.environment.globals.update(workshop_css=css, workshop_title=_title(notebook) or name)
    page, _ = exporter.from_notebook_node(notebook)
    return str(page)


def index_page(outcomes: Sequence[Outcome], out: Path, profile: str | None = None) -> str:
    """Render the table of the lessons with their minutes, memory and status, and what to do about a failed one."""
    from jinja2 import Environment

    from workshop_utils.machine.profiles import hurried

    lessons = []
    for outcome in outcomes:
        notebook = outcome.notebook
        has_page = (out / f"{outcome.lesson}.html").exists() and notebook is not None
        lessons.append(
            {
                "name": outcome.lesson,
                "title": (_title(notebook) if notebook else "") or outcome.lesson,
                "page": f"{outcome.lesson}.html" if has_page else "",
                "status": outcome.status,
                "minutes": f"{outcome.seconds / 60:.1f}",
                "memory": f"{outcome.peak_mb:,.0f}",
                "cell": outcome.cell,
                "error": outcome.error,
                "cure": re.sub(r"`([^`]+)`", r"<code>\1</code>", cure(outcome.error)),
            }
        )
    asked = profile or os.environ.get("WORKSHOP_PROFILE") or "chosen by each lesson from the machine"
    facts = {
        "Profile": f"{asked}, trainings cut to a few steps by WORKSHOP_HURRY=1" if hurried() else asked,
        "Machine": computer(),
        "Versions": versions(),
        "Date": f"{datetime.now().astimezone():%d %B %Y, %H:%M}",
    }
    return (
        Environment(autoescape=True)
        .from_string(_INDEX_PAGE)
        .render(
            lessons=lessons,
            facts=facts,
            style=_STYLE,
            minutes=f"{sum(outcome.seconds for outcome in outcomes) / 60:.1f}",
            failed=sum(outcome.status != "passed" for outcome in outcomes),
        )
    )


def cure(error: str) -> str:
    """Say what a reader can do about the error that ended a lesson."""
    if error.startswith("ModuleNotFoundError"):
        return "A package is missing: `make workshop` installs all of them, `workshop doctor` names those that lack."
    if "memory" in error.lower():
        return "Close what else is running, or halve the batch size in the lesson; `workshop doctor` shows the memory."
    if error.startswith("stopped with Ctrl-C"):
        return "Run the rest with `workshop run`, followed by the lessons' numbers."
    if error.startswith("no notebook"):
        return "The file is damaged: `git checkout notebooks` brings back the committed one."
    if "longer than" in error:
        return "The machine may be busy or slow: run this lesson alone with `workshop run` and its number."
    return "Its page shows the cell and the whole error. `workshop doctor` says what this machine may lack."


def external_requests(page: str) -> list[str]:
    """List the addresses that a browser would fetch to show a page; links to click on are none."""
    tags = re.findall(r"<(?:script|img|iframe|source|video|audio|embed|link|object)\b[^>]*>", page, re.IGNORECASE)
    in_tags = [
        url for tag in tags for url in re.findall(r"""(?:src|href|data)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)""", tag)
    ]
    in_styles = re.findall(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')]+)""", page)
    return in_tags + in_styles


def without_widgets(notebook: NotebookNode) -> None:
    """Drop the outputs that only a running kernel can show, and the widgets' state, in place."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]


def _title(notebook: NotebookNode) -> str:
    """Return the first heading of the notebook."""
    for cell in notebook.cells:
        found = re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else None
        if found:
            return found[1].strip()
    return ""


def _for_the_page(notebook: NotebookNode) -> NotebookNode:
    """Copy a notebook without widgets and remote pictures, and give every figure a text for those who cannot see it."""
    notebook = copy.deepcopy(notebook)
    without_widgets(notebook)
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+\s+(.+)$", cell.source, re.MULTILINE) or [heading])[-1]
            # A badge is a remote picture: keep its words.
            cell.source = re.sub(r"!\[([^\]]*)\]\(https?://[^)]*\)", r"\1", cell.source)
            cell.source = re.sub(r"<img\b[^>]*src=.https?://[^>]*>", _alt_of, cell.source)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.metadata["alt"] = f"Figure of the section “{heading}”"
    return notebook


def _alt_of(tag: re.Match[str]) -> str:
    found = re.search(r"""alt=["']([^"']*)""", tag[0])
    return found[1] if found else ""


_STYLE: Any = """
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5b6576; --paper: #fbfaf7; --card: #fff; --line: #dfe2e8;
  --accent: #0072b2; --good: #00795a; --bad: #b23b00; --code: #f3f4f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #a2abba; --paper: #14171d; --card: #1c2028;
  --line: #333a46; --accent: #6bb8ea; --good: #4cc9a0; --bad: #f0925a; --code: #20252e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, "Segoe UI", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.01em; } h2 { margin-top: 2.2em; } a { color: var(--accent); }
table { border-collapse: collapse; } th, td { padding: .5rem .9rem; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top; } th { color: var(--soft); font-weight: 600; font-size: .85rem; }
code, pre { font: .875rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
"""

_LESSON_STYLE = """
nav { max-width: 54rem; margin: 0 auto; padding: 1rem 1.25rem 0; font-size: .9rem; }
pre { overflow-x: auto; margin: 0; } img, svg { max-width: 100%; height: auto; }
p code, li code, td code { background: var(--code); padding: .1em .3em; border-radius: 4px; }
.jp-CodeCell { margin: 1.2rem 0; } .jp-InputPrompt, .jp-OutputPrompt, .jp-Collapser { display: none; }
.jp-InputArea-editor, .jp-MarkdownCell .highlight { background: var(--code); border: 1px solid var(--line);
  border-radius: 8px; padding: .7rem .9rem; }
.highlight { background: none !important; }
.jp-OutputArea-output { padding: .5rem .9rem; } .jp-OutputArea-output pre { white-space: pre-wrap; color: var(--ink); }
.jp-OutputArea-output img { background: #fff; border-radius: 6px; }
.jp-RenderedHTML { background: #fff; color: #1d2433; border-radius: 6px; overflow-x: auto; }
[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"] {
  border-left: 3px solid var(--bad); }
details { border: 1px solid var(--line); border-radius: 8px; padding: .5rem .9rem; margin: .6rem 0; }
summary { cursor: pointer; font-weight: 600; }
.celltag_exercise .jp-InputArea-editor { border-left: 4px solid var(--accent); }
.ansi-red-fg, .ansi-red-intense-fg { color: var(--bad); } .ansi-green-fg { color: var(--good); }
.ansi-cyan-fg, .ansi-blue-fg, .ansi-blue-intense-fg { color: var(--accent); } .ansi-bold { font-weight: 700; }
"""

_LESSON_PAGE = """{%- extends 'base.html.j2' -%}
{%- block header -%}<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ workshop_title | e }}</title><style>{{ workshop_css }}</style></head>
<body><nav><a href="index.html">All lessons</a></nav><main class="jp-Notebook">{%- endblock header -%}
{%- block data_png scoped -%}<div class="jp-RenderedImage jp-OutputArea-output"><img alt="{{ output.metadata.alt | e }}"
src="data:image/png;base64,{{ output.data['image/png'] | escape_html }}"></div>{%- endblock data_png -%}
{%- block footer -%}</main></body></html>{%- endblock footer -%}
"""

_INDEX_PAGE = """<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>The lessons on this machine</title><style>{{ style | safe }}
.good { color: var(--good); } .bad { color: var(--bad); } .lead { font-size: 1.15rem; color: var(--soft); }
.lessons { width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  border-collapse: separate; border-spacing: 0; overflow: hidden; } .lessons tr:last-child td { border-bottom: 0; }
.number { text-align: right; font-variant-numeric: tabular-nums; } .failure { border-left: 4px solid var(--bad);
  background: var(--card); padding: .6rem 1.1rem; margin: 1rem 0; } .failure > code { color: var(--bad); }
.facts th { width: 7rem; } td small { color: var(--soft); }</style></head>
<body><main><h1>The lessons on this machine</h1>
<p class="lead">{{ lessons | length }} lesson{{ "" if lessons | length == 1 else "s" }}, {{ minutes }} minutes:
{% if failed %}<strong class="bad">{{ failed }} failed</strong>{% else %}<strong class="good">all passed</strong>
{% endif %}.</p>
<table class="lessons"><thead><tr><th>Lesson</th><th>Status</th><th class="number">Minutes</th>
<th class="number">Peak memory, MB</th></tr></thead><tbody>
{% for lesson in lessons %}<tr><td>{% if lesson.page %}<a href="{{ lesson.page }}">{{ lesson.title }}</a><br>
<small>{{ lesson.name }} · <a href="{{ lesson.name }}.ipynb">notebook</a></small>{% else %}{{ lesson.title }}{% endif %}
</td><td class="{{ 'good' if lesson.status == 'passed' else 'bad' }}">{{ lesson.status }}</td>
<td class="number">{{ lesson.minutes }}</td><td class="number">{{ lesson.memory }}</td></tr>
{% endfor %}</tbody></table>
{% for lesson in lessons if lesson.error %}<div class="failure"><strong>{{ lesson.title }}</strong>
{% if lesson.cell %}stopped in cell {{ lesson.cell }}{% else %}stopped{% endif %}:<br><code>{{ lesson.error }}</code>
<p>{{ lesson.cure | safe }}</p></div>{% endfor %}
<h2>Where and when</h2><table class="facts">
{% for name, fact in facts.items() %}<tr><th>{{ name }}</th><td>{{ fact }}</td></tr>{% endfor %}
</table></main></body></html>
"""
