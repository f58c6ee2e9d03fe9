"""What a lesson takes from earlier ones, for whoever lost a session or came late: look, make what is missing, say so.

The lessons were written so that little is needed: what an earlier one leaves is taken where it is there, and otherwise
the package's own. So nothing is copied into the place of what a learner makes: a lesson then says truly whose it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from workshop_utils.machine.files import sha256
from workshop_utils.machine.hardware import short_path
from workshop_utils.machine.profiles import Profile, setup

MODELS = Path(__file__).parents[1] / "pocket" / "models"


def catch_up(lesson: int | str, profile: Profile | None = None) -> None:
    """Make, or find, what a lesson takes from earlier ones, and print a line for each.

    Args:
        lesson: its number, as in 4 or "04".
        profile: what setup() returned; chosen here if None.

    Raises:
        ValueError: there is no such lesson.
        OSError: a file of the package is damaged, or the hub is needed and does not answer.
    """
    number = str(lesson).strip().zfill(2)
    if number not in NEEDS:
        raise ValueError(f"there is no lesson {lesson!r}: choose one of {', '.join(NEEDS)}")
    profile = profile or setup(quiet=True)
    for look in NEEDS[number]:
        print(look(profile))
    if not NEEDS[number]:
        print(f"lesson {number} takes nothing from earlier ones: begin with its first cell")


def damaged(model: str = "") -> list[str]:
    """Files of the package's models whose hash is not the one that they were made with.

    Args:
        model: "base", "instruct", "gpt" or "stoic"; all if "".
    """
    text = resources.files("workshop_utils").joinpath("data_files/models.json").read_text(encoding="utf-8")
    expected = {name: sha for name, sha in json.loads(text).items() if name.startswith(model)}
    return [name for name, sha in expected.items() if not (MODELS / name).is_file() or sha256(MODELS / name) != sha]


def _shipped(model: str) -> str:
    if bad := damaged(model):
        raise OSError(
            f"{', '.join(bad)} of the package is damaged (another SHA-256): install it again, or git lfs pull"
        )
    return "the package's own, whole (its SHA-256 is right), and the lesson takes it by itself"


def _looked(profile: Profile, pattern: str) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in profile.home.glob(pattern)}


def _tokenizer(profile: Profile) -> str:
    from workshop_utils.text.tokenizer import for_profile

    before, encoding = _looked(profile, "tokenizers/*.json"), for_profile(profile)
    found = "here, and kept" if _looked(profile, "tokenizers/*.json") == before else "made"
    return f"tokenizer   {encoding.name}, {encoding.n_vocab:,} tokens: {found}"


def _tokens(profile: Profile) -> str:
    from workshop_utils.text.corpus import prepare

    before, (train, val, _) = _looked(profile, "data/*/*.tokens"), prepare(profile)
    found = "here, and kept" if _looked(profile, "data/*/*.tokens") == before else "made"
    return f"token files {train.n_tokens:,} and {val.n_tokens:,} tokens: {found}"


def _gpt(profile: Profile) -> str:
    from workshop_utils.training.run_folder import step_folders

    for path in (profile.home / "runs").glob("lesson04-*"):
        if step_folders(path):
            return f"GPT         yours from lesson 04, {short_path(path)}, is kept"
    return f"GPT         none from lesson 04 here: {_shipped('gpt')}"


def _adapter(profile: Profile) -> str:
    from workshop_utils.tuning.lora import BELONGS

    folder = profile.home / "runs" / "lesson07"
    if (folder / BELONGS).is_file():
        return f"adapter     yours from lesson 07, {short_path(folder)}, is kept"
    if profile.name != "pocket":
        return "adapter     none from lesson 07 here, and none fits: the lesson tunes it first, which takes its minutes"
    return f"adapter     none from lesson 07 here: {_shipped('stoic')}"


def _sql(profile: Profile) -> str:
    from workshop_utils.tuning.lora import BELONGS

    if (profile.home / "sql" / BELONGS).is_file():
        return "SQL adapter yours from lesson 08 is kept"
    return "SQL adapter none: only `workshop sql` wants one, and lesson 08's run makes it"


# Seen in the lessons: what each one looks for that another one, or an earlier session, has made.
NEEDS: dict[str, tuple[Callable[[Profile], str], ...]] = {
    "00": (),
    "01": (),
    "02": (),
    "03": (lambda profile: f"GPT         {_shipped('gpt')}",),
    "04": (_tokenizer, _tokens),
    "05": (_tokenizer,),
    "06": (_tokenizer,),
    "07": (),
    "08": (_sql,),
    "09": (_adapter,),
    "10": (_tokenizer, _gpt, _adapter),
    "11": (_tokenizer, lambda profile: f"encoder     {_shipped('encoder')}"),
}
