"""Try Colab's first cell for real, in an environment with the versions that Colab brings (`make colab`, minutes)."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workshop_utils import colab

ROOT = Path(__file__).resolve().parent.parent
# What meets our packages of googlecolab/backend-info, pip-freeze.gpu.txt, 2026-08-19. Two differ: torch is the one that
# needs no CUDA, and transformers (5.15.0 there) is out of our range, as it was in June.
BROUGHT = """
torch==2.13.0 numpy==2.1.3 pandas==2.2.3 pillow==11.3.0 scipy==1.16.3 scikit-learn==1.6.1 matplotlib==3.10.0
transformers==5.9.0 tokenizers==0.22.2 huggingface_hub==1.27.0 safetensors==0.8.0 datasets==4.0.0 accelerate==1.14.0
peft==0.20.0 torchao==0.10.0 pyarrow==18.1.0 dill==0.3.8 multiprocess==0.70.16 fsspec==2025.3.0 psutil==5.9.5
rich==13.9.4 typer==0.27.1 click==8.4.2 tqdm==4.67.3 filelock==3.32.3 packaging==26.3 tiktoken==0.14.0 pip==24.1.2
"""
FIRST_CELL = """
import sys, types
import psutil  # Colab's kernel has loaded it
for name in ("google", "google.colab"):
    sys.modules[name] = types.ModuleType(name)
from workshop_utils.colab import install
assert not {"torch", "numpy"} & set(sys.modules)
install("finetune")
"""
LESSON = """
import torch, numpy, transformers, trl, peft, bitsandbytes, datasets, accelerate, sklearn, pandas, matplotlib.pyplot
import workshop_utils
assert "site-packages" in workshop_utils.__file__
numpy.asarray(torch.ones(3)), torch.from_numpy(numpy.ones(3)), pandas.DataFrame({"a": [1]}).to_numpy()
model = torch.nn.Sequential(torch.nn.Linear(4, 4))
peft.get_peft_model(model, peft.LoraConfig(target_modules=["0"]))  # here peft looks at torchao
from workshop_utils.chat import models
print(models.load("pocket-instruct", workshop_utils.setup("pocket", quiet=True)).reply("What colour is a banana?", 10))
"""
LISTING = """
import json
from importlib import metadata
print(json.dumps({d.metadata["Name"]: [d.version, d.requires or []] for d in metadata.distributions()}))
"""


def main(folder: Path) -> None:
    """Beside what Colab brings, the first cell changes only what it must."""
    brought: dict[str, str] = {
        canonicalize_name(name): version for name, version in (pair.split("==") for pair in BROUGHT.split())
    }
    python = folder / "venv" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments: str | Path, code: int = 0) -> str:
        done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, env=environment, cwd=folder)
        assert done.returncode == code, f"{arguments}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def listing() -> dict[str, tuple[str, list[str]]]:
        found = json.loads(run(python, "-c", LISTING))
        return {canonicalize_name(name): tuple(entry) for name, entry in found.items()}

    try:
        run(sys.executable, "-m", "venv", folder / "venv")
        if index := os.environ.get("TORCH_INDEX"):
            torch = f"torch=={brought['torch']}"
            run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--index-url", index, torch)
        others = {name: version for name, version in colab.tested_versions().items() if name not in brought}
        (folder / "others.txt").write_text("".join(f"{name}=={version}\n" for name, version in others.items()))
        versions = [f"{name}=={version}" for name, version in brought.items()]
        run(python, "-m", "pip", "install", "--quiet", "--constraint", folder / "others.txt", *versions)
        source = folder / "checkout"  # a copy, since building leaves files behind
        shutil.copytree(ROOT / "workshop_utils", source / "workshop_utils")
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", source)
        before = listing()
        assert {name: before[name][0].partition("+")[0] for name in brought} == brought

        said = run(python, "-c", FIRST_CELL, code=1)
        after = listing()
        assert "RestartNeeded" in said
        assert "(psutil 5.9.5 -> " in said
        assert "note: " not in said
        assert "nothing was installed" in run(python, "-c", FIRST_CELL)
        assert listing() == after
        run(python, "-c", LESSON)
    finally:
        shutil.rmtree(folder / "venv", ignore_errors=True)  # over a gigabyte

    changed = {name for name in before if after[name][0] != before[name][0]}
    print("changed:", *(f"{name} {before[name][0]} -> {after[name][0]}" for name in sorted(changed)), sep="\n  ")
    assert not {name for name in changed if colab.PROTECTED.match(name)}
    assert {"transformers", "datasets", "torchao", "psutil", "rich", "typer"} <= changed
    new, tested = after.keys() - before.keys(), colab.tested_versions()
    for name in changed:
        asking = [Requirement(line) for other in new | changed | {colab.PACKAGE} for line in after[other][1]]
        limits = [asked.specifier for asked in asking if canonicalize_name(asked.name) == name]
        assert not all(limit.contains(before[name][0], prereleases=True) for limit in limits), name
    assert {name: after[name][0] for name in new | changed} == {name: tested[name] for name in new | changed}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        main(Path(name))
