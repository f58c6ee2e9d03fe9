"""Write what a run of the lessons left: a page for each, index.html, and report.json.

The pages stand alone: no script, no font, no picture is fetched from anywhere.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from workshop_utils.machine.record import computer, versions
from workshop_utils.machine.sentences import without_secrets

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from workshop_utils.command.kernel import Outcome

WIDGET = "application/vnd.jupyter.widget-view+json"
# The first words of an error, and what a reader can do about it.
CURES = {
    "ModuleNotFoundError": "A package is missing: make workshop installs all of them, workshop doctor names it.",
    "the kernel died": "Close what else is running, or halve the batch size; workshop doctor shows the memory.",
    "the cell was stopped": "The machine may be busy or slow: run this lesson alone, with workshop run and its number.",
    "": "Its page shows the cell and the whole error. workshop doctor says what this machine may lack.",
}


def write_lesson(outcome: Outcome, out: Path) -> None:
    """Write <out>/<lesson>.ipynb with the outputs, and the same as <lesson>.html; nothing for a lesson never begun.

    The page is nbconvert's own for JupyterLab, without what it would fetch.
    """
    if outcome.notebook is None:
        return
    import nbformat
    from nbconvert import HTMLExporter

    # A report is handed on: no tokens, no passwords in addresses.
    shown = nbformat.reads(without_secrets(nbformat.writes(outcome.notebook)), as_version=4)
    nbformat.write(shown, out / f"{outcome.lesson}.ipynb")
    notebook = _for_the_page(shown)
    notebook.metadata["title"] = _title(notebook) or outcome.lesson
    left_out = {f"exclude_{what}": True for what in ("anchor_links", "input_prompt", "output_prompt")}
    exporter = HTMLExporter(raw_template=_LESSON_PAGE, **left_out)
    # A training overwrites its line of progress: on the page, too, only the last state of it is read.
    exporter.register_preprocessor("nbconvert.preprocessors.CoalesceStreamsPreprocessor", enabled=True)
    (out / f"{outcome.lesson}.html").write_text(exporter.from_notebook_node(notebook)[0], encoding="utf-8")


def write_report(outcomes: Sequence[Outcome], out: Path) -> None:
    """Write report.json for programs, and index.html for people: minutes, memory and status, and what to do.

    Args:
        outcomes: of the lessons that ran so far.
        out: the folder that holds the lessons' pages.
    """
    from jinja2 import Environment

    rows = [{key: getattr(o, key) for key in ("lesson", "status", "seconds", "peak_mb")} for o in outcomes]
    (out / "report.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    facts = {
        "Profile": os.environ.get("WORKSHOP_PROFILE") or "chosen by each lesson from the machine",
        "Machine": computer(),
        "Versions": versions(),
        "Date": f"{datetime.now().astimezone():%d %B %Y, %H:%M}",
    }
    template = Environment(autoescape=True).from_string(_INDEX_PAGE)
    page = template.render(outcomes=outcomes, facts=facts, title=_title, cure=cure)
    (out / "index.html").write_text(without_secrets(page), encoding="utf-8")


def cure(error: str) -> str:
    """Say what a reader can do about the error that ended a lesson."""
    return next(cure for begins, cure in CURES.items() if error.startswith(begins))


def without_widgets(notebook: NotebookNode) -> None:
    """Drop the outputs that only a running kernel can show, and the widgets' state, in place."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]


def _title(notebook: NotebookNode | None) -> str:
    """Return the first heading of the notebook."""
    cells = notebook.cells if notebook is not None else []
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return next(iter(re.findall(r"^#\s+(.+)$", prose, re.MULTILINE)), "").strip()


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
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                told = output.metadata.get("image/png", {}).get("alt")  # by plots.basics
                output.metadata["alt"] = told or f"Figure of the section “{heading}”"
    return notebook


_LESSON_PAGE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}<style>
body { max-width: 60rem; margin: 0 auto; padding: 1rem; } .jp-Cell img { max-width: 100%; }
.jp-RenderedHTMLCommon { font-size: 16px; } .jp-Cell pre, nav { font-size: 14px !important; }
.jp-RenderedText pre { word-break: normal; overflow-wrap: anywhere; }
details { border: 1px solid #ccc; border-radius: 4px; padding: .4rem .8rem; margin: .8rem 0; }
.jp-InputArea-editor { overflow-x: auto; } .celltag_exercise .jp-InputArea-editor { border-left: 4px solid #0072b2; }
</style>{%- endblock -%}
{%- block body_header -%}{{ super() }}
<nav class="jp-RenderedHTMLCommon"><a href="index.html">All lessons</a></nav>
{%- endblock -%}
{%- block data_png scoped -%}<div class="jp-RenderedImage jp-OutputArea-output"><img alt="{{ output.metadata.alt | e }}"
src="data:image/png;base64,{{ output.data['image/png'] | escape_html }}"></div>{%- endblock -%}
"""

_INDEX_PAGE = """<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>The lessons on this machine</title><style>
:root { color-scheme: light dark; }
body { max-width: 54rem; margin: 0 auto; padding: 2rem 1rem; font: 16px/1.6 system-ui, "Segoe UI", sans-serif; }
table { width: 100%; border-collapse: collapse; } .number { text-align: right; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .8rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top; }
.passed { color: light-dark(#00795a, #4cc9a0); } .failed { color: light-dark(#b23b00, #f0925a); }
section { border-left: 4px solid; padding: .2rem 1rem; margin: 1rem 0; } section p { color: CanvasText; }
</style></head><body><h1>The lessons on this machine</h1>
{% set failed = outcomes | rejectattr("status", "equalto", "passed") | list | length %}
<p>{{ outcomes | length }} lesson{{ "" if outcomes | length == 1 else "s" }},
{{ "%.1f" | format(outcomes | sum("seconds") / 60) }} minutes: {% if failed %}<strong class="failed">{{ failed }} failed
{%- else %}<strong class="passed">all passed{% endif %}</strong>.</p>
<table><thead><tr><th>Lesson</th><th>Status</th><th class="number">Minutes</th>
<th class="number">Peak memory, MB</th></tr></thead><tbody>
{% for o in outcomes %}<tr><td>{% if o.notebook %}<a href="{{ o.lesson }}.html">{{ title(o.notebook) or o.lesson }}</a>
<br><small>{{ o.lesson }} · <a href="{{ o.lesson }}.ipynb">notebook</a></small>{% else %}{{ o.lesson }}{% endif %}</td>
<td class="{{ o.status }}">{{ o.status }}</td><td class="number">{{ "%.1f" | format(o.seconds / 60) }}</td>
<td class="number">{{ "{:,.0f}".format(o.peak_mb) }}</td></tr>
{% endfor %}</tbody></table>
{% for o in outcomes if o.error %}<section class="failed"><strong>{{ title(o.notebook) or o.lesson }}</strong>
stopped{% if o.cell %} in cell {{ o.cell }}{% endif %}:<br><code>{{ o.error }}</code>
<p>{{ cure(o.error) }}</p></section>{% endfor %}
<h2>Where and when</h2><table>
{% for name, fact in facts.items() %}<tr><th>{{ name }}</th><td>{{ fact }}</td></tr>{% endfor %}
</table></body></html>
"""
