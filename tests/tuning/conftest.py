"""A hub with a tiny model of each family, for the tests of tuning them."""

import pytest
import tiny_models


@pytest.fixture(scope="session")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    for name, family in (("some/model", "llama"), ("google/gemma", "gemma2"), ("Qwen/qwen", "qwen2")):
        tiny_models.save(folder / name, family)
    return folder


@pytest.fixture(autouse=True)
def local_hub(hub, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(hub))
