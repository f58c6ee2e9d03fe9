"""Note which arguments the pinned releases of Unsloth take, for a test that needs none of them installed.

python tools/unsloth_signatures.py 2026.10.7 2026.10.9     downloads the wheels, writes tests/unsloth_signatures.json
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

OUT = Path(__file__).resolve().parents[1] / "tests" / "unsloth_signatures.json"
# Where FastLanguageModel has its methods from: file, class, methods.
WHERE = (
    ("unsloth/models/loader.py", "FastLanguageModel", ("from_pretrained",)),
    ("unsloth/models/llama.py", "FastLlamaModel", ("get_peft_model", "for_training", "for_inference")),
)


def signatures(version: str) -> dict[str, list[str]]:
    """The names of all arguments of each method, by method."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        subprocess.run([*command, f"unsloth=={version}"], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for path, owner, methods in WHERE:
                tree = ast.parse(archive.read(path))
                (cls,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner]
                for node in cls.body:
                    if isinstance(node, ast.FunctionDef) and node.name in methods:
                        found[node.name] = [one.arg for one in (*node.args.args, *node.args.kwonlyargs)]
    missing = {method for _, _, methods in WHERE for method in methods} - set(found)
    if missing:
        raise SystemExit(f"unsloth {version} has no {', '.join(sorted(missing))} where they are looked for")
    return found


def main() -> None:
    """Write the file."""
    versions = sys.argv[1:]
    if not versions:
        raise SystemExit(__doc__)
    OUT.write_text(json.dumps({version: signatures(version) for version in versions}, indent=1) + "\n")


if __name__ == "__main__":
    main()
