"""The command line: `workshop doctor`, `run`, `train`, `sample`, `chat` and `brand`.

Whatever goes wrong by the user's hand is one line on stderr and exit code 2, never a traceback.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException


def _path(value: str) -> Path:
    """A path as it was typed; "" would be taken for the current folder."""
    if not value.strip() or "\n" in value:
        raise typer.BadParameter(f"{value!r} is no path: name a file or folder")
    return Path(value)


app = typer.Typer(
    help="Tools of the workshop on small language models.",
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print the findings as JSON, for bug reports")] = False,
) -> int:
    """Look for what would stop a lesson, and name the cure."""
    from workshop_utils.command import doctor

    findings = doctor.diagnose()
    print(json.dumps(doctor.as_dict(findings), indent=2) if as_json else doctor.as_text(findings))
    return int(any(finding.status == "problem" for finding in findings))


@app.command()
def run(
    lessons: Annotated[list[str] | None, typer.Argument(metavar="[LESSON]...", help="numbers or files")] = None,
    profile: Annotated[str | None, typer.Option(help="pocket, t4 or big; chosen by the machine if left out")] = None,
) -> int:
    """Run lessons, all of them if none is named, and leave their pages and a report in build/workshop."""
    from workshop_utils.command.doctor import wrong_settings
    from workshop_utils.command.run_lessons import run as run_lessons
    from workshop_utils.machine.profiles import asked

    wrong = wrong_settings()  # found before anything has run, and not by every lesson in turn
    if profile is not None:
        profile = asked(profile)
        wrong.pop("WORKSHOP_PROFILE", None)  # the option goes before it
    if wrong:
        raise ValueError("; ".join(wrong.values()))
    return run_lessons(lessons or [], profile)


@app.command()
def train(
    text: Annotated[
        Path | None,
        typer.Option(
            parser=_path, metavar="FILE", help="text file to learn from, UTF-8; <|endoftext|> ends a document"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=_path, metavar="DIR", help="folder for tokenizer, token files, config, checkpoints"),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="optimiser updates [default: 1000]")] = None,
    config: Annotated[
        Path | None, typer.Option(parser=_path, metavar="FILE", help='JSON: {"gpt": {...}, "training": {...}, ...}')
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the run in that folder")] = False,
) -> int:
    """Train a GPT on a text of your own. Ctrl-C saves; --resume goes on.

    The JSON may name "data", "out" and "parallel" too, for runs in many processes: torchrun -m workshop_utils train
    """
    from workshop_utils.command.own_text import train_on_text

    train_on_text(text, out, steps, config, resume)
    return 0


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(parser=_path, metavar="DIR", help="folder that workshop train made")],
    prompt: Annotated[str, typer.Option(help="how the text begins")],
    tokens: Annotated[int, typer.Option(min=1, help="tokens to add at most")] = 200,
    temperature: Annotated[float, typer.Option(min=0, help="0 is always the likeliest token")] = 0.8,
    top_k: Annotated[int | None, typer.Option(min=1, help="draw among the K likeliest tokens only")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="of the dice")] = 0,
) -> int:
    """Let a trained model write on from a prompt."""
    from workshop_utils.command import own_text

    print(own_text.sample(folder, prompt, tokens, temperature, top_k, seed))
    return 0


@app.command()
def chat(
    prompt: Annotated[str, typer.Argument(help="say this, print the reply and end; a conversation if left out")] = "",
    model: Annotated[str, typer.Option(help="pocket-instruct, or a name of the hub")] = "pocket-instruct",
    system: Annotated[str, typer.Option(help='an instruction for all replies, such as "Talk like a pirate."')] = "",
    temperature: Annotated[float, typer.Option(min=0, help="0 is always the likeliest token")] = 0.7,
    top_k: Annotated[int | None, typer.Option(min=1, help="draw among the K likeliest tokens only")] = None,
    top_p: Annotated[float | None, typer.Option(help="draw among the likeliest with this probability together")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="tokens of a reply at most")] = 200,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="of the dice")] = 0,
) -> int:
    """Talk with a small language model, the pocket one if none is named. It needs no network."""
    from workshop_utils.chat import models
    from workshop_utils.command import talk
    from workshop_utils.machine.files import forgiving
    from workshop_utils.machine.profiles import choose, setup

    # setup() closes the hub for the pocket profile; a model of the hub needs it open, on whatever machine.
    profile = setup("pocket", quiet=True) if model in models.POCKET else choose()
    conversation = talk.Talk(models.load(model, profile), system, tokens, temperature, top_k, top_p, seed)
    if prompt:
        out = forgiving(sys.stdout)
        for piece in conversation.ask(prompt):
            print(piece, end="", file=out, flush=True)
        print(file=out)
    else:
        talk.converse(conversation, sys.stdin, sys.stdout, sys.stdin.isatty())
    return 0


@app.command()
def brand(
    repository: Annotated[str, typer.Argument(metavar="[OWNER/REPO]", help="on GitHub; stays if left out")] = "",
    version: Annotated[str, typer.Option(help="of a release, such as 0.2.0 for the tag v0.2.0; stays too")] = "",
    check: Annotated[bool, typer.Option("--check", help="write nothing, say which addresses lead elsewhere")] = False,
) -> int:
    """Make badges, links and install lines lead to a repository (a fork) and a release; or check that they do."""
    from workshop_utils.command import brand
    from workshop_utils.machine.hardware import checkout

    root = checkout()
    if root is None:
        raise FileNotFoundError("brand rewrites the files of a checkout, and there is none: clone the repository first")
    if not (repository or version or check):
        raise ValueError("where shall the addresses lead? Give OWNER/REPO, --version X.Y.Z, or --check")
    now = brand.home_of(root)
    home = brand.Home(repository or now.repository, version or now.version)
    if check:
        strays = brand.strays(root, home)
        print("\n".join(strays) or f"all lead to {home}")
        return int(bool(strays))
    changed = brand.rewrite(root, home)
    print("\n".join(f"rewritten: {path}" for path in changed) or f"all lead to {home} already")
    if changed:
        print(f"Colab installs the tag {home.tag}: commit, then `git tag {home.tag}` and `git push --tags`")
    return 0


def execute(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: as on the command line, without the program's name.

    Returns:
        The exit code: 0 done, 1 done but not all is well, 2 wrong usage or input, 130 stopped with Ctrl-C.
        With WORKSHOP_DEBUG=1 errors are raised instead, for their traceback.
    """
    try:
        return app(list(arguments), standalone_mode=False, prog_name="workshop") or 0
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped with Ctrl-C", 130)
    except BrokenPipeError:  # `workshop doctor | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except TyperException as error:
        context = getattr(error, "ctx", None)
        return _fail(f"{error.format_message()} ({context.command_path if context else 'workshop'} --help says more)")
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if os.environ.get("WORKSHOP_DEBUG"):
            raise
        return _fail(re.sub(r"^\[(?:Errno|WinError) -?\d+\] ", "", str(error)))
    except RuntimeError as error:
        # The package's own errors are sentences for people; anything else is a bug and wants its traceback.
        if os.environ.get("WORKSHOP_DEBUG") or not type(error).__module__.startswith("workshop_utils."):
            raise
        return _fail(str(error), 1 if type(error).__name__ == "TrainingStopped" else 2)


def _fail(message: str, code: int = 2) -> int:
    print(f"workshop: {' '.join(line.strip() for line in message.splitlines())}", file=sys.stderr)
    return code


def main() -> None:
    """Entry point of the `workshop` command."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a console or pipe that knows few characters shows ? for the others
        sys.stdout.reconfigure(errors="replace")
    code = execute(sys.argv[1:])
    if os.environ.get("WORLD_SIZE", "1") != "1":
        from workshop_utils.training.processes import leave

        leave(code)
    sys.exit(code)
