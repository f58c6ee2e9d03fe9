"""A web page that talks to a GGUF file: llama.cpp, compiled to WebAssembly (wllama), in the reader's own browser.

A folder with a GGUF and its card -> the same folder with a page in it, which any web server can hand out, to a phone
for example. The engine is put beside it where npm can fetch it; else the page loads it from a CDN when it is opened.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workshop_utils.machine import hardware
from workshop_utils.machine.files import sha256

VERSION = "3.13.0"  # of wllama, whose files have these hashes
PACKAGES = (f"@wllama/wllama@{VERSION}", f"@wllama/wllama-compat@{VERSION}")
CDN = "https://cdn.jsdelivr.net/npm/"
# What the page calls a file -> where it lies in the packages, its name beside the page, SHA-384. compat is for Safari
# and for browsers before 2025, which lack two features of WebAssembly.
FILES = {
    "main": (
        "wllama/esm/index.js",
        "wllama.js",
        "1IXHURZyRAYx2LmPev5lR2vQNJLbFjSGx7HKPHjrVdpGqgPnkJm6bhGWztq7dNBU",
    ),
    "wasm": (
        "wllama/esm/wasm/wllama.wasm",
        "wllama.wasm",
        "WKrRNgBRwQ97MWPBIuel3xEbflWmkojJdd4jKCpNISH26ujPRdF5Iqtw9QRPqSzl",
    ),
    "compat_main": (
        "wllama-compat/wasm/wllama.js",
        "wllama-compat.js",
        "qj77lXYFodEfG6vuW5WRFmVSKtWQepYXFKXhIbVxLRSdmgQm0Oj07Kfgv5J440nk",
    ),
    "compat_wasm": (
        "wllama-compat/wasm/wllama.wasm",
        "wllama-compat.wasm",
        "fQ0Go4eBGGO3i0VroQZYL5Cx1Mzk7RE8iUF+YNSf8sr/uvmtGJtpAvRIuqiwlG1Q",
    ),
    "licence": (
        "wllama/LICENCE",
        "wllama-LICENCE",
        "gTPBtuBWriuqRePlbeC5Lk/+5r+SIsOFKmOII9TlFpIdVqxNThwVPAXrS7tgHIxo",
    ),
}
PAGE = Path(__file__).parent / "web_page"
EXAMPLES = ("Tell me a story about a brave fox called Mia.",)
CONTEXT = 4096  # tokens at most, for a phone's memory
TOKENS = 200  # of a reply at most
ENGINE = "They stay in this browser. What runs the model, llama.cpp as WebAssembly (wllama, MIT licence), "
LLAMA_CPP = "\n\nThe .wasm files hold llama.cpp and ggml, under the same licence: Copyright (c) The ggml authors\n"
BESIDE = f"{ENGINE}lies beside this page; nothing is loaded from elsewhere."
FROM_CDN = (
    f"{ENGINE}is loaded from cdn.jsdelivr.net when the page is opened, and must have the hash that the export knows; "
    "nothing else is asked for there."
)


def add_engine(folder: Path, packages: Path | None = None) -> str:
    """Put what a page consists of beside a GGUF: its script and style, and llama.cpp as WebAssembly where npm has it.

    Args:
        folder: of the GGUF.
        packages: a folder with wllama's packages, as npm leaves them in node_modules/@wllama; by npm if None.

    Returns:
        where the engine comes from, as a sentence: from beside the page, or from the network, and why.
    """
    for name in ("chat.mjs", "style.css"):
        shutil.copyfile(PAGE / name, folder / name)
    if why := _from_npm(folder) if packages is None else _chosen(packages, folder):
        return f"The page loads its engine from {CDN} when it is opened, and needs a network for it: {why}."
    with open(folder / FILES["licence"][1], "a", encoding="utf-8") as licence:
        licence.write(LLAMA_CPP)
    return "The page's engine lies beside it: nothing is loaded from elsewhere."


def add_page(folder: Path, examples: Sequence[str] = EXAMPLES) -> None:
    """Write the page itself, index.html, after add_engine.

    Args:
        folder: holds one GGUF, and its card as README.md, which the page shows.
        examples: things to say, offered on the empty page.

    Raises:
        ValueError: the folder holds no GGUF, or several.
        OSError: no space is left, or the folder cannot be written.
    """
    files = sorted(folder.glob("*.gguf"))
    if len(files) != 1:
        raise ValueError(f"{hardware.short_path(folder)} holds {len(files)} GGUF files: a page talks to one")
    beside = (folder / FILES["main"][1]).is_file()
    card, name = _card(folder / "README.md", files[0].stem)
    context = min(CONTEXT, _context(files[0]))
    settings = {
        "file": files[0].name,
        "bytes": files[0].stat().st_size,
        "sha256": sha256(files[0]),
        "context": context,
        "tokens": min(TOKENS, context),
        "examples": list(examples),
        "engine": {
            key: {"url": here if beside else _at_cdn(there), "integrity": f"sha384-{digest}"}
            for key, (there, here, digest) in FILES.items()
            if key != "licence"
        },
    }
    filled = {
        "policy": policy(beside),
        "name": html.escape(name),
        "settings": json.dumps(settings).replace("<", "\\u003c"),
        "file": html.escape(files[0].name),
        "sha256": settings["sha256"],
        "engine": BESIDE if beside else FROM_CDN,
        "card": card,
    }
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    page = re.sub(r"\{(\w+)\}", lambda found: str(filled[found[1]]), page)
    (folder / "index.html").write_text(page, encoding="utf-8")


def _at_cdn(there: str) -> str:
    package, _, path = there.partition("/")
    return f"{CDN}@wllama/{package}@{VERSION}/{path}"


def policy(beside: bool) -> str:
    """The Content-Security-Policy: the page's own files, its engine's, and nothing else.

    The engine's files are checked by their hash and started from memory, which is what blob: allows.
    """
    rules = {
        "default-src": "'none'",
        "script-src": "'self' blob: 'wasm-unsafe-eval'",
        "worker-src": "blob:",
        "connect-src": f"'self' blob:{'' if beside else f' {CDN}@wllama/'}",
        "style-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _from_npm(folder: Path) -> str:
    """Copy the engine into a folder, kept from the last time or by npm; else say why it cannot be had."""
    kept = hardware.make_home() / f"wllama-{VERSION}"
    if not all(_whole(kept / here, digest) for _, here, digest in FILES.values()):
        npm = shutil.which("npm")
        if npm is None:
            return "npm is not installed (https://nodejs.org has it)"
        with tempfile.TemporaryDirectory(dir=kept.parent) as made:
            order = [npm, "install", "--prefix", made, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"]
            order += ["--fetch-retries=0", "--loglevel=error", *PACKAGES]
            try:
                done = subprocess.run(order, capture_output=True, text=True, timeout=300)
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"npm did not end ({type(error).__name__})"
            if done.returncode:
                said = [*filter(str.strip, (done.stderr or done.stdout).splitlines()), "it does not say why"]
                return f"npm could not fetch {' and '.join(PACKAGES)} ({said[0].strip()})"
            if why := _chosen(Path(made, "node_modules", "@wllama"), kept):
                return why
    for _, here, _ in FILES.values():
        shutil.copyfile(kept / here, folder / here)
    return ""


def _chosen(packages: Path, folder: Path) -> str:
    """Copy what the page needs of the packages, if all of it has its hash; else say what has not."""
    for there, _, digest in FILES.values():
        if not _whole(packages / there, digest):
            return f"{there} in {hardware.short_path(packages)} is missing, or not that of wllama {VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    for there, here, _ in FILES.values():
        shutil.copyfile(packages / there, folder / here)
    return ""


def _whole(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return base64.b64encode(hashlib.file_digest(file, "sha384").digest()).decode() == digest


def _context(path: Path) -> int:
    """Tokens that the model of a file sees, as the file says."""
    from gguf import GGUFReader

    fields: dict[str, Any] = GGUFReader(path).fields
    return int(fields[f"{fields['general.architecture'].contents()}.context_length"].contents())


def _card(path: Path, name: str) -> tuple[str, str]:
    """A model card as HTML, without its hashes, which the page has anyway; and the name of the model."""
    from markdown_it import MarkdownIt

    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    _, _, body = text.partition("\n---\n") if text.startswith("---\n") else ("", "", text)
    title = re.search(r"^# (.+)$", body, re.MULTILINE)
    if title:
        name, body = title[1].strip(), body.replace(title[0], "", 1)
    body = re.sub(r"^SHA-256.*?\n.*?^```.*?^```$", "", body, flags=re.MULTILINE | re.DOTALL)
    shown = MarkdownIt("commonmark", {"html": False}).render(body.strip()).replace("</strong>: ", "</strong> ")
    return shown or "<p>It has no model card.</p>", name
