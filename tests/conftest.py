"""What all tests share: a home of their own, no hub, no window for pictures. Sockets are closed by pyproject.toml."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything is imported that reads these once.
os.environ["MPLBACKEND"] = "Agg"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # or torch's threads stand still when the machine is busy
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two lessons run beside the tests, and these models are small
os.environ["CODECARBON_LOG_LEVEL"] = "critical"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# What a developer may have set for the lessons must not reach the tests.
for variable in [name for name in os.environ if name.startswith("WORKSHOP_")]:
    del os.environ[variable]


@pytest.fixture(scope="session", autouse=True)
def workshop_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that all tests share, so that the pocket tokenizer is trained once, and that is gone afterwards."""
    folder = tmp_path_factory.mktemp("home")
    os.environ["WORKSHOP_HOME"] = str(folder)
    yield folder
    del os.environ["WORKSHOP_HOME"]


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Take back what a test, or setup() within it, does to the environment variables."""
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
