"""What a committed notebook may hold: normalising, finding what is stale, and comparing two executions.

Used by tools/notebooks.py and the tests. Committed outputs are those of the pocket profile.
"""

from __future__ import annotations

import base64
import io
import re
import struct
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import nbformat
from brand import digest
from nbformat import NotebookNode
from nbformat.v4 import new_output

from workshop_utils.command.report import without_widgets
from workshop_utils.command.run_lessons import notebooks_folder

MAX_BYTES = 500_000
KEPT_METADATA = ("accelerator", "colab", "workshop")
VOLATILE = {"volatile", "stamp"}
HINT_TO_EXECUTE = "run `python tools/notebooks.py execute` with the lesson's number"


def tags(cell: NotebookNode) -> set[str]:
    """Return the tags of a cell."""
    return set(cell.metadata.get("tags", []))


def dump(notebook: NotebookNode) -> str:
    """Write a notebook as the text of its file."""
    return nbformat.writes(notebook) + "\n"


# --- normalising


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Drop from a notebook, in place, whatever differs between two runs that show the same.

    Kept are Colab's settings and our digest, the cells' tags, and outputs without widgets, progress bars, paths of
    this machine and the text that PNG writers leave in pictures. Ids and execution counts are numbered anew.

    Returns:
        The same notebook.
    """
    without_widgets(notebook)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    kept = {key: notebook.metadata[key] for key in KEPT_METADATA if key in notebook.metadata}
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        **kept,
    )
    count = 0
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i + 1:03}"
        cell.metadata = NotebookNode(tags=sorted(tags(cell))) if tags(cell) else NotebookNode()
        cell.source = "\n".join(line.rstrip() for line in cell.source.strip("\n").splitlines())
        cell.pop("attachments", None)
        if cell.cell_type == "code":
            count += cell.execution_count is not None
            cell.execution_count = count if cell.execution_count is not None else None
            cell.outputs = _normalised_outputs(cell.outputs, cell.execution_count)
    return notebook


def _normalised_outputs(outputs: list[NotebookNode], count: int | None) -> list[NotebookNode]:
    """Merge the streams of a cell and clean every output."""
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if kept and kept[-1].output_type == "stream" and kept[-1].name == output.name:
                kept[-1].text += output.text
            else:
                kept.append(new_output("stream", name=output.name, text=output.text))
            continue
        if output.output_type == "execute_result":
            output.execution_count = count
        if "data" in output:
            told = {kind: {"alt": kept["alt"]} for kind, kept in output.metadata.items() if "alt" in str(kept)}
            output.metadata = NotebookNode(told)
            output.data = NotebookNode(
                {kind: _normalised_data(kind, output.data[kind]) for kind in sorted(output.data)}
            )
        if output.output_type == "error":
            output.traceback = [_neutral(line) for line in output.traceback]
        kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = _neutral(_as_a_terminal_shows(output.text, keep=output.name == "stdout"))
    return [output for output in kept if output.output_type != "stream" or output.text.strip()]


def _normalised_data(kind: str, data: str) -> str:
    if kind == "image/png":
        return base64.b64encode(small_png(base64.b64decode(data))).decode() + "\n"
    return _neutral(data) if isinstance(data, str) else data


def _as_a_terminal_shows(text: str, keep: bool) -> str:
    """Resolve carriage returns: keep the last state of a progress line, or drop the line altogether."""
    lines = []
    for line in text.split("\n"):
        states = [state for state in line.split("\r") if state.strip()]
        if "\r" not in line:
            lines.append(line)
        elif keep and states:
            lines.append(states[-1].rstrip())
    return "\n".join(lines)


def _neutral(text: str) -> str:
    """Take the paths of this machine out of a text: the checkout's and the user's own folder."""
    for folder, name in ((notebooks_folder().parent, "slm-workshop"), (Path.home(), "~")):
        text = re.sub(re.escape(str(folder)) + r"(?=[/\\\s'\":,)\]]|$)", name, text)
    return text


def small_png(png: bytes) -> bytes:
    """The picture in at most 256 colours, a third of the size for drawings, without the chunks that hold text or times.

    A picture that has a palette already keeps it, so that a second time changes nothing.
    """
    from PIL import Image

    picture = Image.open(io.BytesIO(png))
    if picture.mode != "P":
        written = io.BytesIO()
        flat = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA")).convert("RGB")
        flat.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
        png = written.getvalue()
    return _strip_png(png)


def _strip_png(png: bytes) -> bytes:
    """Drop the chunks of a PNG that hold text or times; the picture stays the same."""
    kept, at = [png[:8]], 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        chunk = png[at : at + 12 + length]  # length, type, data, checksum
        if chunk[4:8] not in (b"tEXt", b"zTXt", b"iTXt", b"tIME"):
            kept.append(chunk)
        at += len(chunk)
    return b"".join(kept)


# --- what must not be committed


def problems(path: Path) -> list[str]:
    """Say what is stale or not normalised in a committed notebook, a sentence each."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    found = []
    if len(text.encode()) > MAX_BYTES:
        found.append(f"it has {len(text.encode()):,} bytes, more than {MAX_BYTES:,}: fewer or smaller pictures")
    if "widgets" in notebook.metadata:
        found.append("it holds the state of widgets, which GitHub cannot show: normalise it")
    if notebook.metadata.get("workshop", {}).get("digest") != digest(notebook):
        found.append(f"its code has changed since its outputs were made, or was never executed: {HINT_TO_EXECUTE}")
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            found += [f"cell {i + 1} {what}" for what in _problems_of_cell(cell)]
    if dump(normalise(nbformat.reads(text, as_version=4))) != text:
        found.append("it is not normalised: run `python tools/notebooks.py normalise` on it")
    return found


def _problems_of_cell(cell: NotebookNode) -> Iterator[str]:
    if not cell.source.strip():
        yield "is empty: remove it"
    elif cell.execution_count is None:
        yield f"was never executed: {HINT_TO_EXECUTE}"
    for output in cell.outputs:
        if output.output_type == "error" and "raises-exception" not in tags(cell):
            yield f"ended in an error: {output.ename}"
        if output.output_type == "stream" and output.name == "stderr":
            yield f"printed a warning: {output.text.strip().splitlines()[0][:80]}"
        shown = re.sub(r"data:image/[^\"')]+", "", " ".join(_texts(output).values()))
        address = re.search(r"\b0x[0-9a-f]{8,}|(?<!\w)(?:/home|/Users|/root|/tmp)/\w+|[A-Z]:\\\w+", shown)
        if address:
            yield f"shows {address[0]!r}, which is another on every machine"


# --- comparing two executions


def differences(old: NotebookNode, new: NotebookNode) -> list[str]:
    """Say in which cells two normalised notebooks show something else.

    Every type of text is compared. Pictures, and all of a cell tagged volatile or stamp, count only by their type.
    """
    if [cell.source for cell in old.cells] != [cell.source for cell in new.cells]:
        return ["the sources differ"]
    found = []
    for i, (before, after) in enumerate(zip(old.cells, new.cells, strict=True)):
        kinds = [[_kinds(output) for output in cell.get("outputs", [])] for cell in (before, after)]
        if kinds[0] != kinds[1]:
            found.append(f"cell {i + 1}: the types of its outputs were {kinds[0]}, now {kinds[1]}")
        elif not tags(before) & VOLATILE:
            for was, now in zip(before.get("outputs", []), after.get("outputs", []), strict=True):
                change = _change(was, now)
                if change:
                    found.append(f"cell {i + 1}: {change}")
    return found


def _kinds(output: NotebookNode) -> str:
    return output.get("name") or " ".join(sorted(output.get("data", {}))) or output.output_type


def _texts(output: NotebookNode) -> dict[str, str]:
    """Return all texts of an output by their type."""
    data = {
        kind: text for kind, text in output.get("data", {}).items() if isinstance(text, str) and "image/" not in kind
    }
    stream = {output.name: output.text} if output.output_type == "stream" else {}
    return {**data, **stream}


def _change(before: NotebookNode, after: NotebookNode) -> str | None:
    for kind, text in _texts(before).items():
        lines = zip_longest(text.splitlines(), _texts(after)[kind].splitlines(), fillvalue="")
        for was, now in lines:
            if was != now:
                return f"{kind} was {was[:80]!r}, now {now[:80]!r}"
    return None
