"""A real browser for tests and benches of pages: a plan goes to tools/web_page.mjs, what it saw comes back."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    lacking = [path.name for path in (WLLAMA, slides.MODULES / "axe-core") if not path.is_dir()]
    return f"{' and '.join(lacking)} not installed: npm ci --prefix slides" if lacking else ""


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


def drive(url: str, *steps: list[Any], limit: float = 120, **plan: Any) -> dict[str, Any]:
    """Open a page and go through some steps.

    Args:
        url: of the page.
        steps: of tools/web_page.mjs, as in ["click", "#send"].
        limit: in seconds.
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
        timeout=limit,
    )
    if done.returncode:
        raise RuntimeError(f"the browser failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    if "failed" in found:
        raise RuntimeError(f"{found['failed']}; errors {found['errors']}; {found['steps']}")
    found["said"] = [value for value in found["steps"] if value is not True and value is not None]
    return found


# --- Jupyter

# All cells of the notebook in front; its kernel; when it can be run, and when it has run or a cell has failed.
CELLS = "jupyterapp.shell.currentWidget.content.widgets"
OUTPUTS = f"{CELLS}.filter((c) => c.model.type === 'code').map((c) => c.model.outputs.toJSON())"
IDLE = "globalThis.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
READY_TO_RUN = ["wait", f"{IDLE} && {CELLS}?.length"]
ALL_RUN = [
    "wait",
    f"{IDLE} && ({CELLS}.every((c) => c.model.type !== 'code' || c.model.executionCount)"
    f" || {OUTPUTS}.flat().some((o) => o.output_type === 'error'))",
]
RUN_ALL = [["click", ".lm-MenuBar-item:has-text('Run')"], ["click", "[data-command='runmenu:run-all']"]]


@contextmanager
def jupyter(program: str, folder: Path, home: Path, env: dict[str, str]) -> Iterator[str]:
    """Start JupyterLab or Jupyter Notebook of this Python for this machine alone, with nobody's settings.

    Args:
        program: "lab" or "notebook".
        folder: with the notebooks.
        home: for its settings, its files of this run, and what it says (log.txt).
        env: further environment variables of it and of its kernels.

    Yields:
        The address of a notebook, up to its name and with "?token=..." to come: "{}" stands for the name.

    Raises:
        RuntimeError: it did not start.
    """
    own = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    own |= {"JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
    news = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false", "checkForUpdates": false}')  # or it asks whether it may look for news
    token = secrets.token_hex(16)
    settings: dict[str, Any] = {"ServerApp.ip": "127.0.0.1", "ServerApp.port": 0, "ServerApp.open_browser": False}
    settings |= {"ServerApp.root_dir": folder, "ServerApp.allow_root": True}
    settings |= dict.fromkeys((f"{app}.expose_app_in_browser" for app in ("LabApp", "JupyterNotebookApp")), True)
    command = [sys.executable, "-m", {"lab": "jupyterlab"}.get(program, program)]
    command += [f"--{name}={value}" for name, value in settings.items()]
    environment = os.environ | {name: str(home / place) for name, place in own.items()} | {"JUPYTER_TOKEN": token} | env
    environment.pop("MPLBACKEND", None)  # or figures would not be shown in the notebook
    with open(home / "log.txt", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(300):
            said = next((home / "runtime").glob("jpserver-*.json"), None) if server.poll() is None else None
            if said and (text := said.read_text()):
                at = f"http://127.0.0.1:{json.loads(text)['port']}"
                yield f"{at}/{'lab/tree' if program == 'lab' else 'notebooks'}/{{}}?token={token}"
                return
            if server.poll() is not None:
                break
            time.sleep(0.2)
        raise RuntimeError(f"Jupyter did not start: {(home / 'log.txt').read_text()[-2000:]}")
    finally:
        server.terminate()  # it stops its kernels
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
