"""One source of dependencies: pyproject.toml, constraints.txt, environment.yml, Makefile and README say the same."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from pytest_socket import SocketConnectBlockedError

import workshop_utils
from workshop_utils.command.cli import app

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
# What comes with a package that is declared, and is used by its own name.
COMES_WITH = {
    "gradio": ["fastapi"],
    "huggingface-hub": ["httpx"],
    "ipykernel": ["IPython"],
    "matplotlib": ["PIL"],
    "nbclient": ["jupyter_client", "traitlets"],
    "nbconvert": ["jinja2", "markupsafe"],
    "datasets": ["pyarrow"],
    "rich": ["markdown_it"],
    "scikit-learn": ["sklearn"],
    "tiktoken": ["tiktoken_ext", "regex", "requests"],
}


def requirements(*extras: str) -> dict[str, Requirement]:
    """Name -> requirement of the package with these extras, extras of extras included."""
    found: dict[str, Requirement] = {}
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    for requirement in map(Requirement, lines):
        if requirement.name == PROJECT["name"]:
            found |= requirements(*requirement.extras)
        else:
            found[canonicalize_name(requirement.name)] = requirement
    return found


def test_every_direct_dependency_has_an_exact_version_within_its_range_and_the_limits_of_unsloth():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    exact = {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)}
    limits = map(Requirement, PYPROJECT["tool"]["workshop"]["constraints-limits"])
    for requirement in (*requirements("dev", "finetune", "evaluate").values(), *limits):
        version = exact[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{version} breaks {requirement}: run `make constraints`"
    for name, version in exact.items():
        assert version.local is None, f"{name}=={version} can only be installed where that very build exists"


def test_environment_yml_only_points_at_the_two_sources():
    *conda, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert {entry.split("=")[0] for entry in conda} == {"python", "pip", "make"}
    assert pip["pip"] == ["--constraint constraints.txt", "--editable .[dev]"]
    (python,) = [entry.split("=")[1] for entry in conda if entry.startswith("python=")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def test_what_the_code_imports_is_declared():
    """Also that the from-scratch lessons need no extra: whatever is imported at a module's top is a core package."""
    core, everything = requirements(), requirements("dev", "finetune", "evaluate", "unsloth")
    owners = {canonicalize_name(name): owner for owner, names in COMES_WITH.items() for name in names}
    for path in sorted((ROOT / "workshop_utils").rglob("*.py")):
        tree = ast.parse(path.read_text())
        at_top = set(map(id, tree.body))
        for node in ast.walk(tree):
            for module in imported(node):
                if module in sys.stdlib_module_names or module == "workshop_utils":
                    continue
                name = canonicalize_name(module)
                name = owners.get(name, name)
                allowed = core if id(node) in at_top else everything
                assert name in allowed, f"{path.name} line {node.lineno} imports {module}: declare it in pyproject.toml"


def test_all_data_files_travel_in_the_package():
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["workshop_utils"]
    package = ROOT / "workshop_utils"
    travelling = {path for pattern in patterns for path in package.glob(pattern)}
    data = {path for path in package.rglob("*.*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert data <= travelling, "add their folder to package-data in pyproject.toml"
    assert all(any(package.glob(pattern)) for pattern in patterns), "a pattern of package-data matches nothing"


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        yield node.module.split(".")[0]


def test_importing_the_package_needs_no_torch_and_its_lazy_names_are_there():
    code = "import sys, workshop_utils; print(*{'torch', 'numpy', 'tiktoken'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not done.stdout.strip()
    assert set(workshop_utils.__all__) <= set(dir(workshop_utils))
    assert workshop_utils.setup.__module__ == "workshop_utils.machine.profiles"
    assert workshop_utils.__version__ == PROJECT["version"]
    assert not hasattr(workshop_utils, "set_up")


STUBS = sorted((ROOT / "workshop_utils").glob("*/__init__.pyi"))


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.parent.name)
def test_a_subpackage_offers_what_its_stub_says_and_nothing_twice(stub):
    package = importlib.import_module(f"workshop_utils.{stub.parent.name}")
    nodes = [node for node in ast.parse(stub.read_text(encoding="utf-8")).body if isinstance(node, ast.ImportFrom)]
    offered = {alias.name: node.module for node in nodes for alias in node.names}
    assert sum(len(node.names) for node in nodes) == len(offered) == len(package.__all__)
    for name, module in offered.items():
        if module is None:  # a module of its own, as in `from . import background`
            assert inspect.ismodule(getattr(package, name))
            continue
        home = importlib.import_module(f"{package.__name__}.{module}")
        assert getattr(package, name) is getattr(home, name)
        assert getattr(getattr(package, name), "__module__", home.__name__) == home.__name__  # no re-export


def readme_commands(program: str) -> list[str]:
    """The commands in README's code blocks that begin with a program's name."""
    blocks = re.findall(r"^```(?:bash|sh)\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.split(" ")[0].rpartition("/")[2] == program]


def test_the_commands_of_the_readme_exist():
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for command in readme_commands("make"):
        assert {word for word in shlex.split(command)[1:] if "=" not in word} <= targets, command
    known = typer.main.get_command(app).commands
    commands = [shlex.split(command)[1:] for command in readme_commands("workshop")]
    assert {name for name, *_ in commands} == set(known), "README shows each command once at least"
    for name, *words in commands:
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, words


def test_tests_reach_this_machine_only():
    with pytest.warns(UserWarning, match="connect"), pytest.raises(SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
