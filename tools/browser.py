"""A real browser for tests and benches of pages: a plan goes to tools/web_page.mjs, what it saw comes back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import slides
from workshop_utils.export import web

WLLAMA = slides.MODULES / "@wllama"
READY = ["wait", "/Ready|Not ready/.test(document.getElementById('status').textContent)"]
WRITTEN = "[...document.querySelectorAll('.note')].length && [...document.querySelectorAll('.note')].at(-1).textContent"


def missing() -> str:
    """What a browser and a page need that is not here, as a sentence; "" if nothing."""
    if why := slides.missing():
        return why
    return "" if WLLAMA.is_dir() else "wllama is not installed: npm ci --prefix slides"


def keep_engine(home: Path) -> None:
    """Let exports find wllama in a home folder, as if npm had fetched it before: no network is asked."""
    assert not web._chosen(WLLAMA, home / f"wllama-{web.VERSION}")


def temperature(value: float) -> list[Any]:
    """The step that moves the page's slider."""
    return [
        "eval",
        f"(() => {{ const t = document.getElementById('temperature'); t.value = {value};"
        " t.dispatchEvent(new Event('input')) })()",
    ]


def drive(url: str, *steps: list[Any], **plan: Any) -> dict[str, Any]:
    """Open a page and go through some steps.

    Args:
        url: of the page.
        steps: of tools/web_page.mjs, as in ["click", "#send"].
        plan: what else it takes: colour, width, height, instead.

    Returns:
        what the steps that look at something found, in turn ("said"), the addresses that were asked for ("requests"),
        the errors in the console ("errors").

    Raises:
        RuntimeError: a step failed, or the browser did.
    """
    order = json.dumps(plan | {"url": url, "steps": [["goto", url], *steps]})
    script = Path(__file__).with_name("web_page.mjs")
    env = os.environ | {"CHROME_PATH": slides.browser()}
    done = subprocess.run(
        ["node", str(script), str(slides.MODULES.parent)],
        input=order,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"the browser failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    if "failed" in found:
        raise RuntimeError(f"{found['failed']}; errors {found['errors']}; {found['steps']}")
    found["said"] = [value for value in found["steps"] if value is not True and value is not None]
    return found
