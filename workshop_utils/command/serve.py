"""A web server for one folder: `workshop serve FOLDER`, for the page that `workshop export --to web` makes.

It reads files and nothing else, answers this computer alone unless told otherwise, and shows no list of a folder.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from workshop_utils.machine.hardware import short_path

PORT = 8000
TRIES = 20  # ports from there on
NOT_THERE = f"{os.devnull}/"  # neither a file nor a folder
TYPES = {
    "": "application/octet-stream",
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
# The first two let a page compute with several threads; the others keep it to itself and fresh.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # Windows would let two servers have one port


class _Handler(SimpleHTTPRequestHandler):
    """Files of one folder, by GET and HEAD."""

    extensions_map = TYPES

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def translate_path(self, path: str) -> str:
        # The library drops "..", but would follow a link that leads out of the folder, and show hidden files.
        try:
            found, root = Path(super().translate_path(path)).resolve(), Path(self.directory).resolve()
        except ValueError:  # a null byte
            return NOT_THERE
        inside = found.is_relative_to(root) and not any(part.startswith(".") for part in found.relative_to(root).parts)
        return str(found) if inside else NOT_THERE

    def parse_request(self) -> bool:
        """Refuse a page of another site that has itself resolved to this computer (DNS rebinding)."""
        if not super().parse_request():
            return False
        if is_ours(self.headers.get("Host", "localhost")):
            return True
        cure = "open the page by the address that workshop serve has printed, or as http://localhost with its port"
        self.send_error(HTTPStatus.FORBIDDEN, "Not under this name", cure)
        return False

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        self.send_error(HTTPStatus.NOT_FOUND, "File not found")

    def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
        try:
            super().copyfile(source, outputfile)
        except ConnectionError:  # the browser was closed meanwhile
            self.close_connection = True

    def version_string(self) -> str:
        return "workshop"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: who reads a page is nobody's business."""


def server(folder: Path, port: int | None = None, lan: bool = False) -> ThreadingHTTPServer:
    """Make a server for a folder, bound to its port and not started yet.

    Args:
        folder: with an index.html.
        port: None takes PORT, or the next that is free; 0 any.
        lan: answer the local network too, not this computer alone.

    Raises:
        ValueError: there is no page in the folder.
        OSError: the port is taken, or may not be used.
    """
    if not (folder / "index.html").is_file():
        cure = "workshop export MODEL --to web makes a folder with a page"
        raise ValueError(f"{short_path(folder)} holds no index.html: {cure}")
    handler = partial(_Handler, directory=str(folder.resolve()))
    for number in range(PORT, PORT + TRIES) if port is None else (port,):
        try:
            return _Server(("0.0.0.0" if lan else "127.0.0.1", number), handler)
        except (OSError, OverflowError) as error:
            if getattr(error, "errno", 0) == errno.EADDRINUSE and port is None:
                continue
            why = "is taken by another program" if getattr(error, "errno", 0) == errno.EADDRINUSE else f"fails: {error}"
            raise OSError(f"port {number} {why}: name another one, such as --port {PORT + 80}") from error
    raise OSError(f"ports {PORT} to {PORT + TRIES - 1} are all taken: name another one, such as --port 9000")


def is_ours(host: str) -> bool:
    """Whether a Host header names this computer: by an address, as localhost, or by its own name in the network."""
    name = (host.rpartition(":")[0] if re.search(r":\d+$", host) else host).lower().rstrip(".")
    try:
        ipaddress.ip_address(name.strip("[]"))
        return True
    except ValueError:
        own = socket.gethostname().lower()
        short = own.partition(".")[0]
        return name in ("localhost", own, short, f"{short}.local", socket.getfqdn().lower())


def lan_address() -> str:
    """The address of this computer in its network, "" if it has none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # no such computer (RFC 5737): it only asks which way it would go
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def told(port: int, lan: bool) -> str:
    """What to type into a browser, and who can do so."""
    here = f"http://localhost:{port}/"
    if not lan:
        return f"{here}  (this computer alone; --lan lets a phone in the same network in). Ctrl-C ends it."
    address = lan_address()
    there = f"http://{address}:{port}/" if address else "(this computer has no address in a network)"
    return (
        f"here:       {here}\non a phone: {there}  (in the same network)\n"
        "As long as this runs, everybody in that network can open the page and copy the model; what they type stays\n"
        "in their own browser. Over a network the page cannot check the model's hash: for that it needs https://.\n"
        "Ctrl-C ends it."
    )


def serve(folder: Path, port: int | None = None, lan: bool = False) -> None:
    """Serve a folder until Ctrl-C.

    Args and errors: as of server.
    """
    with server(folder, port, lan) as running:
        number = running.server_address[1]
        if port is None and number != PORT:
            print(f"Port {PORT} is taken: this is {number}.")
        print(told(int(number), lan), flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print("\nended")
