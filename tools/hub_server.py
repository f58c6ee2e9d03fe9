"""A hub on this machine: serves a folder laid out for WORKSHOP_HUB, by what kits and models need of the hub's API.

HF_ENDPOINT=http://127.0.0.1:PORT makes huggingface_hub ask it; `rate` makes it as slow as a room's wifi.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = 10_000  # bytes from which a file is in LFS, here
BLOCK = 16_384
REVISION = "5" * 40
LISTED = re.compile(r"/api/(?:models|datasets)/([^/]+/[^/]+)(/auth-check)?(/revision/[^/]+)?")
FETCHED = re.compile(r"(?:/datasets)?/([^/]+/[^/]+)/resolve/[^/]+/(.+)")


class HubServer(ThreadingHTTPServer):
    """The server, with what it can be told to do, and what it has done."""

    daemon_threads = True

    def __init__(self, folder: Path, rate: float = 0, gated: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.rate, self.gated = folder, rate, gated  # rate: bytes a second, 0 for no limit
        self.sent: dict[str, int] = {}  # bytes of each path
        self.resumed = 0  # requests for the rest of a file
        self.spoil = ""  # the next answer of the file of this name has one bit changed

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/":
            self._json({})
        elif found := LISTED.fullmatch(path):
            self._repository(found[1], bool(found[2]))
        elif (found := FETCHED.fullmatch(path)) and (self.server.folder / found[1] / found[2]).is_file():
            if found[1] in self.server.gated:
                self._json({"error": "gated"}, 403, {"X-Error-Code": "GatedRepo"})
            else:
                self._file(self.server.folder / found[1] / found[2], found[2])
        else:
            self._json({"error": "not found"}, 404, {"X-Error-Code": "EntryNotFound"})

    def _repository(self, name: str, auth: bool) -> None:
        folder = self.server.folder / name
        if not folder.is_dir():
            return self._json({"error": "not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        if auth and name in self.server.gated:
            return self._json({"error": "gated"}, 403, {"X-Error-Code": "GatedRepo"})
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        siblings = [{"rfilename": path.relative_to(folder).as_posix()} | _blob(path) for path in paths]
        return self._json({"id": name, "sha": REVISION, "siblings": siblings})

    def _file(self, path: Path, name: str) -> None:
        content, start = path.read_bytes(), 0
        if self.server.spoil == name:
            content, self.server.spoil = bytes([content[0] ^ 1]) + content[1:], ""
        if asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(asked[1])
            self.server.resumed += 1
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("X-Repo-Commit", REVISION)
        blob = _blob(path)
        self.send_header("ETag", f'"{blob["lfs"]["sha256"] if "lfs" in blob else blob["blobId"]}"')
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            for at in range(start, len(content), BLOCK):
                block = content[at : at + BLOCK]
                self.wfile.write(block)
                self.server.sent[name] = self.server.sent.get(name, 0) + len(block)
                if self.server.rate:
                    time.sleep(len(block) / self.server.rate)
        except OSError:
            pass  # whoever asked is gone

    def _json(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


def _blob(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    blob = {"size": len(content), "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}
    if len(content) < LARGE:
        return blob
    return blob | {"lfs": {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 134}}


@contextmanager
def serving(folder: Path, **options: Any) -> Iterator[HubServer]:
    """Serve a folder in a thread as long as the block lasts."""
    server = HubServer(folder, **options)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
