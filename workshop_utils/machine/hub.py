"""The way to the Hugging Face hub: whether it is open, answers, wants a token, or is replaced by a folder."""

from __future__ import annotations

import http.client
import importlib
import os
import re
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

from workshop_utils.machine.files import json_object
from workshop_utils.machine.sentences import causes, http_status, one_line, without_secrets

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
    shown = without_secrets(url)
    answers: list[tuple[bool, str]] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=timeout):
                answers.append((True, f"{shown} answers"))
        except urllib.error.HTTPError as error:
            answers.append((False, f"{shown} answers with {error.code} {error.reason}"))
        except (OSError, ValueError, http.client.HTTPException) as error:
            answers.append((False, f"{shown} cannot be reached ({getattr(error, 'reason', error)})"))

    waiter = threading.Thread(target=ask, daemon=True)  # looking up a name knows no timeout, a thread does
    waiter.start()
    waiter.join(timeout)
    return answers[0] if answers else (False, f"{shown} did not answer within {timeout:g} s")


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


def need_own_files(source: str) -> None:
    """Refuse a folder whose list of weights names files outside of it.

    Args:
        source: the folder, or a name on the hub, which has its own rules.

    Raises:
        ValueError: it does.
    """
    for index in Path(source).glob("*.index.json") if Path(source).is_dir() else ():
        names = json_object(index).get("weight_map", {})
        for name in map(str, names.values() if isinstance(names, dict) else ()):
            if name != Path(name).name or "\\" in name:
                raise ValueError(f"{index.name} names {name}, which is no file beside it")


def of_files(error: Exception) -> bool:
    """Whether an error can come from files: damaged ones raise nearly anything, a full memory does not."""
    if isinstance(error, RuntimeError) and not isinstance(error, RecursionError):
        return re.search("mismatch|negative dimension", str(error)) is not None
    return not isinstance(error, ImportError | MemoryError)


def why_not(name: str, meant: str, source: str, error: Exception) -> str:
    """One sentence about a model that cannot be loaded: what is wrong, why, what to do.

    Args:
        name: as it was asked for.
        meant: the name, with those that it may have been meant for.
        source: the folder, or the name on the hub, that was tried.
        error: what came of it.
    """
    from huggingface_hub.errors import GatedRepoError

    pocket = "or take the pocket profile, WORKSHOP_PROFILE=pocket, which needs no network"
    if Path(source).is_dir():
        small = [path for path in sorted(Path(source).iterdir()) if path.is_file() and path.stat().st_size < 1000]
        pointers = [path.name for path in small if path.read_bytes().startswith(b"version https://git-lfs")]
        why = f"{', '.join(pointers)} is a pointer of Git LFS: `git lfs pull` there" if pointers else one_line(error)
        return f"{name} cannot be loaded from {source} ({why}): copy or install it again, {pocket}"
    if http_status(error) in (401, 403) or any(isinstance(part, GatedRepoError) for part in causes(error)):
        token = "with the token in HF_TOKEN" if os.environ.get("HF_TOKEN") else "without a token"
        return (
            f"the hub does not give {name} {token}: accept its licence at https://huggingface.co/{name}, make a token "
            "at https://huggingface.co/settings/tokens, put it into HF_TOKEN (an expired one is refused, too) and run "
            f"this cell again; without a token the lessons take Qwen2.5; {pocket}"
        )
    reachable, reason = hub_reachable()
    if not reachable:
        return f"{meant} is not on this machine and cannot be fetched ({reason}): go online, {pocket}"
    return f"{meant} cannot be loaded from the hub ({one_line(error)}): check the name, {pocket}"
