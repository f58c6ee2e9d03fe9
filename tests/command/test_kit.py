"""workshop prefetch, against a hub on this machine: killed, torn and spoilt on purpose, and then used offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import hub_server
import pytest
import tiny_hub
from huggingface_hub import constants

from workshop_utils.command import cli, kit
from workshop_utils.machine import hub, profiles

# Bytes are written in small blocks, so that a killed download of a small file leaves a part of it.
CHILD = "import huggingface_hub.constants as c; c.DOWNLOAD_CHUNK_SIZE = 8192; from workshop_utils.command import cli; "
CHILD += "cli.main()"


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """The folder that the hub serves, with what no kit takes among it."""
    folder = tiny_hub.build(tmp_path_factory.mktemp("hub"), profiles.PAIRS["t4"], profiles.GEMMA)
    for name in ("pytorch_model.bin", "model.gguf", "onnx/config.json", "flax_model.msgpack"):
        path = folder / profiles.PAIRS["t4"][0] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 1000)
    return folder


@pytest.fixture
def server(there, monkeypatch, tmp_path):
    """That hub, asked by this process: the library has read its settings long ago."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no token"))
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with hub_server.serving(there, gated=profiles.GEMMA) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.partition("/{repo_id}")[2]
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{server.url}/{{repo_id}}{template}")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield server


def wrong(folder) -> dict[str, str]:
    return {f"{file.repo}/{file.path}": what for file, what in kit.verify(folder)}


def test_killed_three_times_it_goes_on_and_the_kit_serves_the_lessons_offline(server, tmp_path, monkeypatch, capsys):
    to, total, env = tmp_path / "kit", 0, dict(os.environ) | {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    server.rate = 3e6
    for share in (0.3, 0.5, 0.8):
        child = subprocess.Popen([sys.executable, "-c", CHILD, "prefetch", "--to", str(to)], env=env)
        while sum(server.sent.values()) < share * 9e6 and child.poll() is None:
            time.sleep(0.02)
        assert child.poll() is None, "it ended before it could be killed"
        child.kill()
        child.wait()
        assert cli.execute(["prefetch", "--verify", str(to)]) == 1  # it knows that it is torn
    server.rate = 0
    assert cli.execute(["prefetch", "--to", str(to)]) == 0
    assert server.resumed, "each time it began anew"
    assert cli.execute(["prefetch", "--verify", str(to)]) == 0
    total = sum(file.size for file in kit.manifest(to))
    assert sum(server.sent.values()) < total + 2e6  # little was fetched twice
    names = {path.name for path in to.rglob("*") if path.is_file()}
    assert not names & {"pytorch_model.bin", "model.gguf", "flax_model.msgpack"}
    assert not [name for name in names if name.endswith(".part")]
    assert not [path for path in to.rglob("*") if path.is_symlink() or kit.NOT_ON_WINDOWS.search(path.name)]
    assert [name for name in names if name.startswith("train-")] == ["train-00000-of-00004-2d5a1467fff1081b.parquet"]
    server.shutdown()

    from workshop_utils.chat import models
    from workshop_utils.sql import of_hub
    from workshop_utils.text import corpus, tokenizer

    monkeypatch.setenv("WORKSHOP_HUB", str(to))
    profile = replace(profiles.choose("t4"), n_documents=100)
    assert profile.models == profiles.PAIRS["t4"]
    assert models.load(profile.models[1], profile).tokenizer.chat_template
    assert len(list(corpus.documents(profile))) == 100
    assert tokenizer.gpt2().n_vocab == 50_257
    assert models.pretrained_gpt2().config.n_layer == 2
    assert len(of_hub(5, "train")) == len(of_hub(5, "test")) == 5


@pytest.fixture
def made(server, tmp_path, capsys):
    """A kit, and the hub that it came from."""
    assert kit.prefetch("t4", tmp_path / "kit") == 0
    server.sent.clear()
    return tmp_path / "kit"


def test_torn_spoilt_and_lost_files_are_named_and_fetched_anew_and_no_others(made, server, capsys):
    files = {file.path.rpartition("/")[2]: file for file in kit.manifest(made)}
    torn, flipped, lost = (
        files["vocab.json"].at(made),
        files["model.safetensors"].at(made),
        files["config.json"].at(made),
    )
    torn.write_bytes(torn.read_bytes()[:-7])
    before = flipped.stat()
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 4
    flipped.write_bytes(content)
    os.utime(flipped, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a bad stick would
    lost.unlink()
    found = wrong(made)
    assert sorted(what.split(" and ")[0] for what in found.values()) == [
        "has 1,300,502 bytes", "has other bytes than the hub's", "is missing"
    ]  # fmt: skip
    assert cli.execute(["prefetch", "--verify", str(made)]) == 1
    assert "3 of 19 files are not whole: fetch it" in capsys.readouterr().out
    assert cli.execute(["prefetch", "--to", str(made)]) == 0
    assert wrong(made) == {}
    assert set(server.sent) == {"vocab.json", "model.safetensors", "config.json"}
    assert "vocab.json has 1,300,502 bytes and not 1,300,509: it is fetched again" in capsys.readouterr().out


def test_what_changes_under_way_is_fetched_once_more(server, tmp_path):
    server.spoil = "vocab.json"
    assert kit.prefetch("t4", tmp_path) == 0
    assert wrong(tmp_path) == {}
    assert server.sent["vocab.json"] == 2 * 1_300_509


def test_without_the_hub_the_same_command_checks_what_is_there(made, monkeypatch, capsys):
    monkeypatch.setattr(hub, "hub_reachable", lambda timeout: (False, "there is no network"))
    assert kit.prefetch("t4", made) == 0
    (made / "roneneldan" / "TinyStories" / "data").rename(made / "elsewhere")
    assert kit.prefetch("t4", made) == 1
    assert "TinyStories/data/train-00000-of-00004-2d5a1467fff1081b.parquet is missing" in capsys.readouterr().out
    assert cli.execute(["prefetch", "--to", str(made / "new")]) == 2
    assert "nothing can be fetched, there is no network: go online" in capsys.readouterr().err


def test_gemma_goes_into_the_kit_only_where_the_hub_gives_it(server, tmp_path, monkeypatch, capsys):
    assert "Qwen/Qwen2.5-1.5B" in {file.repo for file in kit.needed("t4")}
    assert "wants a token" in capsys.readouterr().out
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    assert "Qwen/Qwen2.5-1.5B" in {file.repo for file in kit.needed("t4")}
    assert "does not give google/gemma-2-2b to your token" in capsys.readouterr().out
    server.gated = ()
    assert set(profiles.GEMMA) <= {file.repo for file in kit.needed("t4")}
    assert "terms go with its weights" in capsys.readouterr().out


def test_a_hub_that_stops_answering_is_one_sentence(server, tmp_path, monkeypatch, capsys):
    import httpx

    def slow(name):
        raise httpx.ConnectTimeout("timed out")

    monkeypatch.setattr(kit, "needed", slow)
    assert cli.execute(["prefetch", "--to", str(tmp_path)]) == 2
    assert "the hub gives no list of files (ConnectTimeout: timed out): try again" in capsys.readouterr().err


def file(path="model.safetensors", size=1000) -> kit.File:
    return kit.File("a/b", "model", "5" * 40, path, size, "sha256:" + "0" * 64)


def test_a_disk_that_is_full_fat32_and_names_that_windows_forbids_are_said_before_anything_is_fetched(
    tmp_path, monkeypatch
):
    assert list(kit.cannot_hold(tmp_path, [file(size=2**32)])) == []
    monkeypatch.setattr(kit, "_file_system", lambda folder: "vfat")
    assert list(kit.cannot_hold(tmp_path, [file(size=2**32 - 1)])) == []
    (why,) = kit.cannot_hold(tmp_path, [file(size=2**32)])
    assert "FAT32 holds no file of 4 GB or more, as model.safetensors is: format the stick as exFAT" in why
    monkeypatch.setattr(kit, "free_disk_bytes", lambda folder: 10**9)
    (why,) = kit.cannot_hold(tmp_path, [file(size=3 * 10**9)])
    assert why == "3.0 GB are to be fetched, and 1.0 GB are free: choose another disk"
    for name in ("a:b.json", "what?.txt", "folder/nul.json", "end.", "COM1"):
        (why,) = kit.cannot_hold(tmp_path, [file(name)])
        assert why.startswith("Windows allows no file called")
    assert not kit.NOT_ON_WINDOWS.search("data/train-00000-of-00004-2d5a1467fff1081b.parquet")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a folder: --to DIR fetches into it, --verify DIR checks it"),
        (["--to", "a", "--verify", "b"], "name a folder"),
        (["--profile", "t5", "--to", "a"], "there is no profile 't5'"),
        (["--verify", "no kit"], "is no kit, there is no kit.json: make one"),
        (["--to", ""], "is no path"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments, said, capsys):
    assert cli.execute(["prefetch", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_the_pocket_profile_needs_no_kit_and_a_damaged_list_is_said(tmp_path, capsys):
    assert cli.execute(["prefetch", "--profile", "pocket", "--to", str(tmp_path / "kit")]) == 0
    assert "fetches nothing" in capsys.readouterr().out
    file = {"repo": "a/b", "kind": "model", "revision": "1", "path": "x", "size": 1, "hash": "git:0"}
    wrong = [
        json.dumps({"files": [file | one]}) for one in ({"repo": 1}, {"size": "1"}, {"hash": None}, {"path": "\0"})
    ]
    for content in ("{", "[]", "[" * 100_000, json.dumps({"files": [{"repo": "a"}]}), *wrong):
        (tmp_path / kit.MANIFEST).write_text(content)
        assert cli.execute(["prefetch", "--verify", str(tmp_path)]) == 2
        assert "delete it and run workshop prefetch again" in capsys.readouterr().err
