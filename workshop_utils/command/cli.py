"""The command line: `workshop doctor`, `run`, `train`, `chat`, `export`, `serve`, `prefetch` and so on.

Whatever goes wrong by the user's hand is one line on stderr and exit code 2, never a traceback.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from workshop_utils.machine.files import forgiving


def _path(value: str) -> Path:
    """A path as it was typed; "" would be taken for the current folder."""
    if not value.strip() or "\n" in value:
        raise typer.BadParameter(f"{value!r} is no path: name a file or folder")
    return Path(value)


app = typer.Typer(help="Tools of the workshop on small language models.", add_completion=False, rich_markup_mode=None)
Tokens = Annotated[int, typer.Option(min=1, help="tokens to write at most")]
Temperature = Annotated[float, typer.Option(min=0, help="0 is always the likeliest token")]
TopK = Annotated[int | None, typer.Option(min=1, help="draw among the K likeliest tokens only")]
TopP = Annotated[float | None, typer.Option(help="draw among the likeliest with this probability together")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="of the sampling")]
Text = Annotated[Path | None, typer.Option(parser=_path, metavar="FILE", help="UTF-8; <|endoftext|> ends a document")]
Out = Annotated[Path | None, typer.Option(parser=_path, metavar="DIR", help="folder for all that a run makes")]
Config = Annotated[Path | None, typer.Option(parser=_path, metavar="FILE", help='JSON, {"gpt": {...}, ...}')]


@app.command()
def doctor(
    room: Annotated[
        bool, typer.Option("--room", help="the evening before, on the machine of the room: a minute")
    ] = False,
    kits: Annotated[
        int, typer.Option(min=1, help="of --room: copies of WORKSHOP_HUB's kit, or homes, to have disk for")
    ] = 1,
) -> int:
    """Look for what would stop a lesson, and name the cure."""
    from workshop_utils.command import doctor

    if room:
        from workshop_utils.command.room import diagnose

        findings = diagnose(kits)
    else:
        findings = doctor.diagnose()
    print(doctor.as_text(findings))
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

    if profile is not None:
        os.environ["WORKSHOP_PROFILE"] = asked(profile)  # for the kernels, too
    if wrong := wrong_settings():  # found before anything has run, and not by every lesson in turn
        raise ValueError("; ".join(wrong.values()))
    return run_lessons(lessons or [])


@app.command()
def train(
    text: Text = None,
    out: Out = None,
    steps: Annotated[int | None, typer.Option(min=1, help="optimiser updates [default: 1000]")] = None,
    config: Config = None,
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
    tokens: Tokens = 200,
    temperature: Temperature = 0.8,
    top_k: TopK = None,
    seed: Seed = 0,
) -> int:
    """Let a trained model write on from a prompt."""
    from workshop_utils.command.own_text import Settings
    from workshop_utils.gpt.sampling import generate_text
    from workshop_utils.text.tokenizer import TOKENIZER, load_tokenizer
    from workshop_utils.training.checkpoints import load_model

    settings, encoding = Settings.load(folder), load_tokenizer(folder / TOKENIZER)
    model = load_model(folder, "best", encoding=encoding)  # the checkpoint with the lowest validation loss
    begins = settings.training.rows == "rows"  # windows start anywhere: there the model knows no beginnings
    written = generate_text(model, encoding, prompt, tokens, temperature, top_k, seed=seed, document_start=begins)
    print(written[0])
    return 0


@app.command()
def chat(
    prompt: Annotated[str, typer.Argument(help="say this, print the reply and end; a conversation if left out")] = "",
    model: Annotated[
        str | None, typer.Option(help="a name, a run's folder or a GGUF file [default: pocket-instruct]")
    ] = None,
    adapter: Annotated[Path | None, typer.Option(parser=_path, metavar="DIR", help="put on the model")] = None,
    system: Annotated[str, typer.Option(help='an instruction for all replies, such as "Talk like a pirate."')] = "",
    temperature: Temperature = 0.7,
    top_k: TopK = None,
    top_p: TopP = None,
    tokens: Tokens = 200,
    seed: Seed = 0,
    web: Annotated[bool, typer.Option("--web", help="in the browser, for this computer alone; needs Gradio")] = False,
) -> int:
    """Talk with a small language model, the pocket one if none is named. It needs no network."""
    from workshop_utils.command import talk
    from workshop_utils.command.export_model import profile_for
    from workshop_utils.export import load_any

    if web:
        from workshop_utils.command import web_chat

        web_chat.gradio()  # found missing before a model is loaded
    name = model or (str(adapter) if adapter else "pocket-instruct")  # an adapter names its base itself
    loaded = load_any(name, profile_for(name), adapter if model else None)
    sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    conversation = talk.Talk(loaded, system, tokens, sampling, seed)
    if web:
        web_chat.launch(web_chat.page(conversation))
    elif prompt:
        for piece in conversation.ask(prompt):
            print(piece, end="", flush=True)
        print()
    else:
        talk.converse(conversation)
    return 0


@app.command()
def export(
    source: Annotated[str, typer.Argument(help="a run's folder, an adapter's, or a name such as pocket-instruct")],
    to: Annotated[
        str, typer.Option(help="gguf (llama.cpp), ollama, hf (transformers, vLLM), or web (a page)")
    ] = "gguf",
    quant: Annotated[str, typer.Option(help="f32, f16, q8_0 or q4_0: numbers in a GGUF")] = "q8_0",
    out: Annotated[Path | None, typer.Option(parser=_path, metavar="DIR", help="[default: NAME-TO]")] = None,
    force: Annotated[bool, typer.Option("--force", help="replace an earlier export in that folder")] = False,
) -> int:
    """Write a model for other programs, with a model card and hashes beside it."""
    from workshop_utils.command.export_model import export_model

    export_model(source, to, quant, out, force)
    return 0


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(parser=_path, metavar="FOLDER", help="that export --to web made")],
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="[default: 8000, or the next that is free]")
    ] = None,
    lan: Annotated[bool, typer.Option("--lan", help="let the local network in, such as a phone")] = False,
) -> int:
    """Serve a page to the browser, for this computer alone unless told otherwise."""
    from workshop_utils.command import serve

    serve.serve(folder, port, lan)
    return 0


@app.command()
def sql(
    question: Annotated[str, typer.Argument(help='in plain words, such as "How many toys are there?"')],
    schema: Annotated[Path, typer.Option(parser=_path, metavar="FILE", help="SQL that makes the tables and rows")],
    adapter: Annotated[
        Path | None, typer.Option(parser=_path, metavar="DIR", help="tuned by lesson 08 [default: where it leaves it]")
    ] = None,
) -> int:
    """Ask a database: the tuned model writes the query, which is run read-only, in a process of its own."""
    from workshop_utils.command import ask_database
    from workshop_utils.machine.profiles import setup

    profile = setup(quiet=True)
    query, result = ask_database.ask(question, schema, adapter or profile.home / "sql", profile)
    print(query, ask_database.as_table(result), sep="\n\n")
    return int(bool(result.error))


@app.command()
def prefetch(
    to: Out = None,
    profile: Annotated[str, typer.Option(help="pocket, t4 or big")] = "t4",
    verify: Annotated[Path | None, typer.Option(parser=_path, metavar="DIR", help="only check this kit")] = None,
) -> int:
    """Fetch all that a profile takes from the hub into a folder, for WORKSHOP_HUB. Run it again to go on."""
    from workshop_utils.command import kit
    from workshop_utils.machine.profiles import asked

    if to is not None and verify is None:
        return kit.prefetch(asked(profile) or "t4", to)
    if to is None and verify is not None:
        return kit.report(verify)
    raise ValueError("name a folder: --to DIR fetches into it, --verify DIR checks it")


@app.command("catch-up")
def catch_up(lesson: Annotated[str, typer.Argument(help="its number, such as 09")]) -> int:
    """Make or find what a lesson takes from earlier ones. Nothing of yours is overwritten."""
    from workshop_utils.lessons import catch_up

    catch_up(lesson)
    return 0


@app.command()
def progress(
    share: Annotated[
        Path | None, typer.Option(parser=_path, metavar="DIR", help="write yours into this folder")
    ] = None,
    name: Annotated[str, typer.Option(help="goes with --share; without it nobody is named")] = "",
    room: Annotated[Path | None, typer.Option(parser=_path, metavar="DIR", help="what a room has shared there")] = None,
) -> int:
    """Show which checks have passed; for an instructor, where a room is stuck."""
    from workshop_utils.command import progress
    from workshop_utils.machine.progress import tried

    if (room is not None and (share is not None or name)) or (name and share is None):
        raise ValueError("--share DIR may have a --name, and --room DIR stands alone")
    if room is not None:
        print(progress.room(room))
        return 0
    print(progress.table(tried()))
    if share is not None:
        print(f"\nwritten to {progress.share(share, name)}, {'as ' + name if name else 'without a name'}")
    return 0


@app.command()
def record(lesson: Annotated[str, typer.Argument(help="07, the one that has something to record")] = "07") -> int:
    """Let the model of this machine's profile answer before and after lesson 07's run, and keep its replies."""
    from workshop_utils.lessons import recorded
    from workshop_utils.machine.hardware import short_path
    from workshop_utils.machine.profiles import setup

    if lesson != "07":
        raise ValueError(f"lesson {lesson!r} has nothing to record: workshop record 07")
    profile = setup()
    path = recorded.record(profile, profile.home)
    recorded.show(profile.home)
    print(f"\nwritten to {short_path(path)}: lesson 07 shows it from now on")
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
        code = app(list(arguments), standalone_mode=False, prog_name="workshop") or 0
        return _fail("stopped with Ctrl-C", code) if code == 130 else code  # typer's silent Ctrl-C
    except BrokenPipeError:  # `workshop doctor | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except TyperException as error:
        context = getattr(error, "ctx", None)
        return _fail(f"{error.format_message()} ({context.command_path if context else 'workshop'} --help says more)")
    except (ValueError, OSError, ModuleNotFoundError, RuntimeError) as error:
        # Of RuntimeErrors the package's own are sentences for people; any other is a bug and wants its traceback.
        ours = not isinstance(error, RuntimeError) or type(error).__module__.startswith("workshop_utils.")
        if os.environ.get("WORKSHOP_DEBUG") or not ours:
            raise
        said = re.sub(r"^\[(?:Errno|WinError) -?\d+\] ", "", str(error))
        return _fail(said, 1 if type(error).__name__ == "TrainingStopped" else 2)


def _fail(message: str, code: int = 2) -> int:
    print(f"workshop: {' '.join(line.strip() for line in message.splitlines())}", file=sys.stderr)
    return code


def main() -> None:
    """Entry point of the `workshop` command."""
    forgiving(sys.stdout)
    code = execute(sys.argv[1:])
    if os.environ.get("WORLD_SIZE", "1") != "1":
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """End this process of several, when everything is written, without Python's own cleaning up.

    Source: seen with torch 2.13, in one run of forty. gloo's threads let go of the last tensors a little later than its
    callers, for which they need Python's lock. If Python is ending by then, the process aborts ("terminate called
    without an active exception"), and torchrun calls a finished training failed. DDP keeps these threads alive.
    """
    gc.collect()  # what is left of a loader ends its workers
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
