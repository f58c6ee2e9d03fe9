"""The package in figures and as a picture, both read from its imports: `python tools/structure.py [--write]`.

Prints what stands at the top, the layers and the lines; --write also draws the picture in CONTRIBUTING.md anew.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "workshop_utils"
CORE = ("gpt", "text", "training", "chat", "tuning")
APART = ("exercises", "pocket")  # counted by themselves
BEGIN, END = "<!-- drawn by tools/structure.py -->", "<!-- end of the drawing -->"


def imports() -> grimp.ImportGraph:
    """Read who imports whom when the package runs; imports for type checkers alone are left out."""
    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


def subpackages(graph: grimp.ImportGraph) -> dict[str, set[str]]:
    """Return for each subpackage the other ones that it imports."""
    names = {child.split(".")[1] for child in graph.find_children(PACKAGE) if graph.find_children(child)}
    found: dict[str, set[str]] = {name: set() for name in names}
    for module in graph.modules:
        for target in graph.find_modules_directly_imported_by(module):
            here, there = (f"{name}.".split(".")[1] for name in (module, target))
            if here in names and there in names and here != there:
                found[here].add(there)
    return found


def layers(needs: dict[str, set[str]]) -> dict[str, int]:
    """Return how high each subpackage stands: 1 where it imports none, else one more than the highest that it imports.

    Raises:
        ValueError: some import each other in a circle.
    """
    height: dict[str, int] = {}
    while len(height) < len(needs):
        free = [name for name in needs if name not in height and needs[name] <= height.keys()]
        if not free:
            raise ValueError(f"a circle of imports among {', '.join(sorted(needs.keys() - height.keys()))}")
        height |= {name: 1 + max((height[below] for below in needs[name]), default=0) for name in free}
    return height


def lines(folder: Path) -> int:
    """Count the lines of all Python files below a folder."""
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in folder.rglob("*.py"))


def figures(needs: dict[str, set[str]]) -> dict[str, int]:
    """Count what CONTRIBUTING promises."""
    package = ROOT / PACKAGE
    top = [path for path in package.iterdir() if not path.name.startswith("__") and path.name != "data_files"]
    size = Counter({name: lines(package / name) for name in needs})
    return {
        "entries at the top": len(top),
        "layers of subpackages": max(layers(needs).values()),
        "lines, without exercises and pocket": lines(package) - sum(size[name] for name in APART),
        f"lines of the core ({', '.join(CORE)})": sum(size[name] for name in CORE),
        **{f"lines of {name}": size[name] for name in sorted(needs)},
        "lines of the tests": lines(ROOT / "tests"),
    }


def picture(needs: dict[str, set[str]]) -> str:
    """Draw the subpackages as a Mermaid graph, from the ground up; an arrow that others imply is left out."""
    height = layers(needs)
    reach: dict[str, set[str]] = {}
    for name in sorted(needs, key=lambda name: height[name]):
        reach[name] = needs[name].union(*(reach[below] for below in needs[name]))
    drawn = ["```mermaid", "graph BT"]
    for level in range(1, max(height.values()) + 1):
        drawn += [f"  {name}[{name}/]" for name in sorted(needs) if height[name] == level]
    for name in sorted(needs):
        implied = set().union(*(reach[below] for below in needs[name]))
        drawn += [f"  {below} --> {name}" for below in sorted(needs[name] - implied)]
    return "\n".join([*drawn, "```"])


def redrawn(text: str, drawing: str) -> str:
    """Return CONTRIBUTING's text with the drawing between its two marks."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{drawing}\n\n{END}{rest.split(END)[1]}"


def main(arguments: list[str]) -> None:
    """Print the figures; draw the picture if asked."""
    needs = subpackages(imports())
    for what, count in figures(needs).items():
        print(f"{count:>8,}  {what}")
    if "--write" in arguments:
        path = ROOT / "CONTRIBUTING.md"
        path.write_text(redrawn(path.read_text(encoding="utf-8"), picture(needs)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
