"""`workshop export`: a run, an adapter or a named model -> a folder for another program, with card and hash."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from workshop_utils.machine.hardware import short_path
from workshop_utils.machine.profiles import Profile, choose, setup

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel


def profile_for(what: str) -> Profile:
    """This machine's profile, with the hub open where a name of the hub is asked for."""
    from workshop_utils.chat.models import POCKET

    # setup() closes the hub for the pocket profile; a model of the hub needs it open, on whatever machine.
    local = what in POCKET or Path(what).expanduser().exists()
    return setup("pocket", quiet=True) if local else choose()


def export_model(
    what: str, to: str = "gguf", quant: str = "q8_0", out: Path | None = None, force: bool = False
) -> Path:
    """Load what is named and write it; print where it is, and how it is started.

    Args:
        what: as in export.load_any, but no GGUF.
        to: one of export.bundle.TARGETS.
        quant: one of export.gguf.KINDS, for a GGUF.
        out: folder; NAME-TO in the current one if None.
        force: replace an earlier export there.

    Returns:
        the folder.

    Raises:
        ValueError: there is no such target or kind, or it is a GGUF already, or the model cannot be written so.
        FileExistsError: the folder is there.
    """
    from workshop_utils.export import bundle, gguf, load_any, origin_of

    if to not in bundle.TARGETS:
        raise ValueError(f"--to is {to!r}: choose one of {', '.join(bundle.TARGETS)}")
    if quant not in gguf.KINDS:
        cure = "others, such as Q4_K_M, are made from f16 by llama.cpp's own tool: the model card has the command"
        raise ValueError(f"--quant is {quant!r}: choose one of {', '.join(gguf.KINDS)}; {cure}")
    if Path(what).suffix == ".gguf":
        raise ValueError(f"{what} is a GGUF file already: name the run, adapter or model that it was made from")
    if out is not None:
        bundle.need_free(out, force)
    model = cast("LanguageModel", load_any(what, profile_for(what)))
    folder = out or Path(f"{bundle.name_of(model)}-{to}")
    bundle.export(model, origin_of(model), folder, to, quant, force)
    files = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{short_path(folder.resolve())}: {files / 1e6:,.1f} MB; README.md there says how it is started")
    if not model.tokenizer.chat_template:
        print("It is a base model: it continues text, and answers nothing.")
    return folder
