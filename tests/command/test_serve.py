"""The web server for one folder: what it hands out and to whom, and that it ends quietly."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from workshop_utils.command import cli, serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "page"
    (made / "inner").mkdir(parents=True)
    for name in ("index.html", "a.mjs", "a.wasm", "a.gguf", "README.md", ".secret", "inner/x.css"):
        (made / name).write_text(name)
    (tmp_path / "page-outside").mkdir()
    (tmp_path / "page-outside" / "secret").write_text("secret")
    return made


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    with serve.server(folder, 0) as running:
        assert running.server_address[0] == "127.0.0.1"
        Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


def ask(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """What is answered to a path, which is sent as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


def test_files_have_their_types_and_the_headers_that_threads_need(port):
    types = {
        "/": "text/html; charset=utf-8",
        "/a.mjs": "text/javascript; charset=utf-8",
        "/a.wasm": "application/wasm",
        "/a.gguf": "application/octet-stream",
        "/README.md?x=1": "text/plain; charset=utf-8",
        "/inner/x.css": "text/css; charset=utf-8",
    }
    for path, kind in types.items():
        status, headers, body = ask(port, path)
        assert (status, headers["Content-type"]) == (200, kind)
        assert body.decode() == path.strip("/").split("?")[0] or path == "/"
        assert headers.items() >= serve.HEADERS.items()
    assert serve.HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"
    assert serve.HEADERS["Cross-Origin-Embedder-Policy"] == "require-corp"


@pytest.mark.parametrize(
    "path",
    [
        *("/../page-outside/secret", "/..%2fpage-outside/secret", "/%2e%2e/page-outside/secret", "//etc/passwd"),
        *("/../../../../../../etc/passwd", "/..%5c..%5cetc%5cpasswd", "/inner/../../page-outside/secret", "/%00"),
        *("/.secret", "/inner/", "/link", "/linked/secret", "/nothing"),
    ],
)
def test_nothing_outside_hidden_or_listed_is_handed_out(path, folder, port):
    if os.name != "nt":
        (folder / "link").symlink_to(folder.parent / "page-outside" / "secret")
        (folder / "linked").symlink_to(folder.parent / "page-outside")
    status, headers, body = ask(port, path)
    assert (status, b"secret" in body, b"root:" in body, b"x.css" in body) == (404, False, False, False)
    assert "Python" not in headers["Server"]


def test_it_reads_only(port, folder):
    for method in ("POST", "PUT", "DELETE"):
        assert ask(port, "/a.mjs", method)[0] == 501
    assert (folder / "a.mjs").read_text() == "a.mjs"


def test_a_taken_port_is_said_or_the_next_one_taken(folder, monkeypatch, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.execute(["serve", str(folder), "--port", str(port)]) == 2
        assert f"port {port} is taken by another program: name another one" in capsys.readouterr().err
        monkeypatch.setattr(serve, "PORT", port)
        with serve.server(folder) as running:
            assert port < running.server_address[1] < port + serve.TRIES
        monkeypatch.setattr(serve, "TRIES", 1)
        with pytest.raises(OSError, match="are all taken"):
            serve.server(folder)


def test_a_folder_without_a_page_is_refused_with_the_cure(tmp_path, capsys):
    assert cli.execute(["serve", str(tmp_path)]) == 2
    assert "holds no index.html: workshop export MODEL --to web makes" in capsys.readouterr().err


def test_the_network_is_let_in_only_when_asked_and_that_is_said(folder, monkeypatch):
    monkeypatch.setattr(serve, "lan_address", lambda: "192.0.2.7")
    assert "this computer alone; --lan" in serve.told(8000, lan=False)
    with serve.server(folder, 0, lan=True) as running:
        assert running.server_address[0] == "0.0.0.0"
    told = serve.told(8000, lan=True)
    assert "http://192.0.2.7:8000/" in told
    assert "everybody in that network can open the page and copy the model" in told


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_it_quietly(folder):
    order = [sys.executable, "-m", "workshop_utils", "serve", str(folder), "--port", "0"]
    heard = partial(signal.signal, signal.SIGINT, signal.default_int_handler)  # jobs of a shell ignore it
    running = subprocess.Popen(order, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    said = running.stdout.readline()
    assert said.startswith("http://localhost:")
    assert ask(int(said.split(":")[2].split("/")[0]), "/a.mjs")[0] == 200
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=20)
    assert (running.returncode, out.strip(), err) == (0, "ended", "")
