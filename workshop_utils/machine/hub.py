"""The way to the Hugging Face hub: whether it is open, answers, wants a token, or is replaced by a folder."""

from __future__ import annotations

import http.client
import importlib
import os
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

HUB = "https://huggingface.co"


def has_token() -> bool:
    """Say whether there is a token for the hub, in HF_TOKEN or where `hf auth login` puts it."""
    cache = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return bool(os.environ.get("HF_TOKEN")) or (Path(cache) / "token").is_file()


def take_colab_secrets() -> None:
    """Copy HF_TOKEN and OPENAI_API_KEY from Colab's secrets into the environment: only the kernel can read them."""
    if "google.colab" not in sys.modules:
        return
    userdata = importlib.import_module("google.colab.userdata")
    for name in ("HF_TOKEN", "OPENAI_API_KEY"):
        if os.environ.get(name):
            continue
        try:
            os.environ[name] = userdata.get(name).strip()  # a line end that was pasted along makes a bad header
        except (userdata.SecretNotFoundError, userdata.NotebookAccessError):
            if name == "HF_TOKEN":  # few need the other one
                print(f"note     no secret {name} in this notebook (the key on the left): licensed models stay closed")


def hub_reachable(timeout: float = 3.0) -> tuple[bool, str]:
    """Ask whether the Hugging Face hub answers, and never wait longer than told.

    Args:
        timeout: seconds.

    Returns:
        True and which address answered, or False and what is wrong, as a clause.
    """
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").strip().upper() in ("1", "ON", "YES", "TRUE"):
            return False, f"{variable}={os.environ[variable]} closes the hub"
    url = os.environ.get("HF_ENDPOINT", HUB)
    answers: list[tuple[bool, str]] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout):
                answers.append((True, f"{url} answers"))
        except urllib.error.HTTPError as error:
            answers.append((False, f"{url} answers with {error.code} {error.reason}"))
        except (OSError, ValueError, http.client.HTTPException) as error:
            answers.append((False, f"{url} cannot be reached ({getattr(error, 'reason', error)})"))

    waiter = threading.Thread(target=ask, daemon=True)  # looking up a name knows no timeout, a thread does
    waiter.start()
    waiter.join(timeout)
    return answers[0] if answers else (False, f"{url} did not answer within {timeout:g} s")


def hub_folder() -> Path | None:
    """Return the local copy of hub files that WORKSHOP_HUB names, laid out like the hub; None if it is not set.

    Raises:
        ValueError: it is set, and there is no such folder.
    """
    named = os.environ.get("WORKSHOP_HUB")
    folder = Path(os.path.expanduser(named)).absolute() if named else None
    if folder is not None and not folder.is_dir():
        raise ValueError(
            f"WORKSHOP_HUB is {named}, and there is no such folder: correct it, or unset it to use the hub"
        )
    return folder
