"""Train on a text file of one's own, and write on from it: what `workshop train` and `workshop sample` do.

A folder holds everything of such a run: tokenizer, token files, config.json and the checkpoints.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop_utils.command.run_file import TOKENIZER, TRAIN, VAL, RunFile, read_json
from workshop_utils.gpt.config import GPTConfig, TrainConfig

if TYPE_CHECKING:
    import tiktoken

    from workshop_utils.training.batches import Batches
    from workshop_utils.training.run import Run

CONFIG = "config.json"
# For a book or so of text, some minutes on a laptop.
MODEL: dict[str, Any] = {"block_size": 128, "n_layer": 4, "n_head": 4, "n_embd": 128}
MODEL |= {"position": "rope", "init": "fan_in"}  # what pays in small models
TRAINING: dict[str, Any] = {"steps": 1000, "batch_size": 16, "learning_rate": 3e-3, "rows": "windows"}


@dataclass(frozen=True)
class Settings:
    """What config.json holds: the model, its training, and which text they are for."""

    gpt: GPTConfig
    training: TrainConfig
    text_sha256: str = ""

    def save(self, folder: Path) -> None:
        """Write config.json, whole or not at all."""
        from workshop_utils.machine.files import write_text_atomically

        values = {"gpt": self.gpt.to_dict(), "training": self.training.to_dict(), "text_sha256": self.text_sha256}
        write_text_atomically(json.dumps(values, indent=2) + "\n", folder / CONFIG)

    @classmethod
    def load(cls, folder: Path) -> Settings:
        """Read config.json of a run.

        Raises:
            FileNotFoundError: there is no run in that folder.
            ValueError: the file is damaged.
        """
        if not (folder / CONFIG).is_file():
            if any(folder.glob("step-*")):
                raise FileNotFoundError(
                    f"{folder} has checkpoints and no {CONFIG}, which says what they are: copy it there again, or "
                    "start anew in another folder"
                )
            raise FileNotFoundError(f"there is no run in {folder}: check the folder, or start one with workshop train")
        values = read_json(folder / CONFIG)
        if not {"gpt", "training"} <= set(values):
            raise ValueError(f'{folder / CONFIG} has no "gpt" or no "training": it is not what workshop train wrote')
        gpt, training = GPTConfig.from_dict(values["gpt"]), TrainConfig.from_dict(values["training"])
        return cls(gpt, training, values.get("text_sha256", ""))


def read_settings(path: Path | None = None, steps: int | None = None) -> Settings:
    """Put the settings of a new run together: the defaults, then a learner's file, then the command line.

    Args:
        path: JSON as in {"gpt": {"n_layer": 6}, "training": {"learning_rate": 1e-3}}; any field may be left out.
        steps: optimiser updates.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such JSON, or a field is unknown or out of range.
    """
    from workshop_utils.machine import profiles

    given = read_json(path) if path is not None else {}
    device = profiles.choose_device()
    found = {"device": device, "dtype": profiles.choose_dtype(device)[0], "country": profiles.choose("pocket").country}
    training = TRAINING | found | given.get("training", {}) | ({"steps": steps} if steps is not None else {})
    tenth = max(1, training["steps"] // 10) if isinstance(training["steps"], int) else 1
    training = {"eval_every": tenth, "checkpoint_every": tenth, "log_every": min(10, tenth)} | training
    return Settings(GPTConfig.from_dict(MODEL | given.get("gpt", {})), TrainConfig.from_dict(training))


def train_on_text(
    text: Path | None,
    out: Path | None,
    steps: int | None = None,
    config: Path | None = None,
    resume: bool = False,
) -> Run:
    """Train a GPT on a text file, cut into random windows; a tenth of it, as split_text chooses, is for validation.

    Under torchrun rank 0 makes the files, and all processes train.

    Args:
        text: the file, UTF-8; what the config names if None.
        out: folder for everything that is made. A tokenizer that already lies in it is used. The config's if None.
        steps: optimiser updates; the config's if None.
        config: JSON file with fields of GPTConfig and TrainConfig, and more: see run_file.py.
        resume: go on with the run that was interrupted in out.

    Returns:
        The Run.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file makes no sense, or the text is too short.
        CheckpointError, TrainingStopped: as train() says.
    """
    from workshop_utils.machine.hardware import share_cores

    share_cores()
    import torch

    from workshop_utils.gpt.model import GPT
    from workshop_utils.training.processes import together
    from workshop_utils.training.run_folder import only_run
    from workshop_utils.training.train import train

    with together() as here:
        found = here.from_main(lambda: RunFile.find(text, out, config, resume))
        with only_run(found.out, here.is_main):
            run, settings = here.from_main(lambda: _lay_out(found, steps, config, resume))
            train_data, val_data, _ = run.open_data(settings.gpt, settings.training)
            torch.manual_seed(settings.training.seed)  # the first weights
            return train(
                GPT(settings.gpt),
                train_data,
                val_data,
                settings.training,
                out_dir=run.out,
                resume=resume,
                parallel=run.parallel,
            )


def _lay_out(run: RunFile, steps: int | None, config: Path | None, resume: bool) -> tuple[RunFile, Settings]:
    """Make everything that the training needs, or find it made; the RunFile that comes back names no text."""
    from workshop_utils.text.corpus import read_corpus
    from workshop_utils.training.processes import restarted
    from workshop_utils.training.train import for_this_machine

    out = run.out
    again = resume or (restarted(out) and (out / CONFIG).is_file())
    if not again:
        _refuse_to_overwrite(run)
        new = read_settings(config, steps)
        for_this_machine(new.training, resume=False)  # refuses a GPU that is not there before anything is written
    if run.text is None:
        return run, _resumed(run, steps, config) if again else _lay_out_data(run, new)
    content = read_corpus(run.text)
    digest = hashlib.sha256(content).hexdigest()
    if again:
        settings = _settings_to_resume(run, digest, steps, config, by_hand=resume)
        _mend(content, out, settings)
    else:
        settings = _prepare(content, digest, out, new, run.text)
    run = replace(run, text=None, train=out / TRAIN, val=out / VAL, tokenizer=out / TOKENIZER)
    return run, settings


def _lay_out_data(run: RunFile, settings: Settings) -> Settings:
    """Check token files or a stream, and keep their tokenizer and the settings beside the checkpoints."""
    from workshop_utils.text.tokenizer import save_tokenizer

    train, val, encoding = run.open_data(settings.gpt, settings.training)
    _check_reach(train, settings)
    if val is None:
        print("no validation: the file names nothing for it")
    if encoding is not None:
        save_tokenizer(encoding, run.out / TOKENIZER)
    settings = replace(settings, gpt=replace(settings.gpt, vocab_size=-(-train.vocab_size // 64) * 64))
    run.out.mkdir(parents=True, exist_ok=True)
    settings.save(run.out)
    return settings


def _resumed(run: RunFile, steps: int | None, config: Path | None) -> Settings:
    """The settings that a run was begun with, and over them what its file says now; train() compares the two."""
    begun, given = Settings.load(run.out), read_json(config) if config is not None else {}
    training = begun.training.to_dict() | given.get("training", {}) | ({"steps": steps} if steps is not None else {})
    gpt = begun.gpt.to_dict() | given.get("gpt", {}) | {"vocab_size": begun.gpt.vocab_size}
    return replace(begun, gpt=GPTConfig.from_dict(gpt), training=TrainConfig.from_dict(training))


def _refuse_to_overwrite(run: RunFile) -> None:
    out = run.out
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: give --out a folder")
    written = [out / name for name in (CONFIG, "best.json", "run.json")]
    if run.text is not None:
        written += [out / TRAIN, out / VAL]
    elif run.tokenizer is not None and run.tokenizer.resolve() != (out / TOKENIZER).resolve():
        written.append(out / TOKENIZER)
    found = [path for path in (*out.glob("step-*"), *written) if path.exists()]
    if found:
        resume = "go on with the run there by --resume, or " if (out / CONFIG).is_file() else ""
        raise ValueError(
            f"{out} already holds {found[0].name}, which this run would write over: {resume}choose another folder "
            "for --out"
        )


def _settings_to_resume(
    run: RunFile, digest: str, steps: int | None, config: Path | None, by_hand: bool = True
) -> Settings:
    out = run.out
    if config is not None and by_hand and not run.whole:
        raise ValueError(f"--config and --resume exclude each other: a resumed run goes on with {out / CONFIG}")
    settings = _resumed(run, steps, config) if run.whole or not by_hand else Settings.load(out)
    if settings.text_sha256 != digest:
        raise ValueError(
            f"{run.text} is not the text that {out} was trained on: give that one, or start in another folder"
        )
    if steps not in (None, settings.training.steps):
        raise ValueError(
            f"the run in {out} was laid out for {settings.training.steps:,} steps, and its learning rate falls until "
            "then: resume it without --steps, or start in another folder"
        )
    return settings


def _prepare(content: bytes, digest: str, out: Path, settings: Settings, text: Path) -> Settings:
    """Make tokenizer, token files and config.json; return the settings with the vocabulary's real size."""
    from workshop_utils.text.corpus import split_text
    from workshop_utils.text.token_file import TokenFile, write_token_file
    from workshop_utils.text.tokenizer import load_tokenizer, padded_vocab_size, save_tokenizer, train_bpe

    parts, said = split_text(content, settings.gpt.block_size)
    print(said)
    if (out / TOKENIZER).is_file():
        encoding = load_tokenizer(out / TOKENIZER)
        print(f"tokenizer: {out / TOKENIZER}, {encoding.n_vocab:,} tokens, found there")
    else:
        learnt_from = _decoded(parts["train"], "learning the tokenizer")
        encoding = train_bpe(learnt_from, settings.gpt.vocab_size, name="own", at_most=True)
        print(f"tokenizer: {encoding.n_vocab:,} tokens, learnt from {text.name}")
    _check_length(parts["val"], encoding, settings.gpt.block_size, text)
    settings = Settings(replace(settings.gpt, vocab_size=padded_vocab_size(encoding)), settings.training, digest)
    try:
        for split, pieces in parts.items():
            made = write_token_file(_decoded(pieces, f"encoding {split}"), out / f"{split}.tokens", encoding)
            print(f"{split + ':':<11}{made.n_tokens:,} tokens")
        _check_reach(TokenFile(out / TRAIN), settings)  # before the tokenizer, which a later start would find
    except BaseException:  # a later start would take them for somebody's own
        for name in (TRAIN, VAL):
            with suppress(OSError):
                (out / name).unlink()
        raise
    save_tokenizer(encoding, out / TOKENIZER)
    settings.save(out)  # last: where it is, everything is
    return settings


def _mend(content: bytes, out: Path, settings: Settings) -> None:
    """Write the token files of a resumed run again where they are missing or damaged: its text is here."""
    from workshop_utils.text.corpus import split_text
    from workshop_utils.text.token_file import TokenFile, write_token_file
    from workshop_utils.text.tokenizer import load_tokenizer

    for split, path in {"train": out / TRAIN, "val": out / VAL}.items():
        try:
            TokenFile(path)
        except (FileNotFoundError, ValueError):
            print(f"{path} is missing or damaged: made again from the text")
            pieces = split_text(content, settings.gpt.block_size)[0][split]
            write_token_file(_decoded(pieces, f"encoding {split}"), path, load_tokenizer(out / TOKENIZER))


def _decoded(pieces: list[bytes], doing: str) -> Iterator[str]:
    """The pieces one by one as strings, which take up to four times their memory, behind a progress bar."""
    from tqdm import tqdm

    total = sum(map(len, pieces))
    with tqdm(total=total, desc=doing, unit="B", unit_scale=True, delay=0.5, leave=False, disable=None) as bar:
        for piece in pieces:
            yield piece.decode()
            bar.update(len(piece))


def _check_length(val: list[bytes], encoding: tiktoken.Encoding, block_size: int, text: Path) -> None:
    from workshop_utils.text.tokenizer import encode

    found = 0
    for piece in val:
        found += len(encode([piece.decode()], encoding)) if piece.strip() else 0  # with the end-of-text token
        if found > block_size:
            return
    raise ValueError(
        f"{text} is too short: the tenth of it that is held out for validation has {found} tokens, and block_size "
        f"{block_size} needs {block_size + 1}; give more text, or a smaller block_size by --config"
    )


def _check_reach(data: Batches, settings: Settings) -> None:
    """Refuse settings under which most of the text can never be trained on, and say where few steps leave most of it.

    Raises:
        ValueError: most of the text lies behind the first block_size tokens of its documents.
    """
    from workshop_utils.text.token_file import TokenFile
    from workshop_utils.training.processes import world

    if not isinstance(data, TokenFile):
        return
    training, size = settings.training, settings.gpt.block_size
    reached = data.share_in_rows(size) if training.rows == "rows" else 1.0
    if reached < 0.5:
        raise ValueError(
            f'"rows": "rows" trains on the first {size:,} tokens (block_size) of each document only, which are '
            f'{reached:.0%} of this text: set "rows": "windows" in "training", or a larger block_size'
        )
    drawn = training.steps * training.batch_size * training.grad_accum_steps * world().size  # rows or windows
    share = drawn / data.n_documents if training.rows == "rows" else drawn * size / data.n_tokens
    if share < 0.5:
        print(
            f"{training.steps:,} steps read {share:.1%} of the text; {training.steps / share:,.0f} would read it once"
        )


def sample(
    folder: Path, prompt: str, tokens: int = 200, temperature: float = 0.8, top_k: int | None = None, seed: int = 0
) -> str:
    """Let the model of a run write on from a prompt.

    Args:
        folder: the run's; its checkpoint with the lowest validation loss is used.
        prompt: how the text begins.
        tokens: how many to add at most.
        temperature: above 1 bolder, below 1 more careful, 0 always the likeliest token.
        top_k: draw among the k likeliest tokens only.
        seed: of the dice.

    Raises:
        FileNotFoundError: there is no run in that folder.
        ValueError, CheckpointError: a file is damaged, or an argument is out of range.
    """
    from workshop_utils.gpt.sampling import generate_text
    from workshop_utils.text.tokenizer import load_tokenizer
    from workshop_utils.training.checkpoints import load_model

    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: check the path, or make it with workshop train")
    if not prompt:
        raise ValueError("the prompt is empty: give at least one character to write on from")
    if not prompt.isascii() and prompt != prompt.encode(errors="replace").decode():
        raise ValueError(f"the prompt {prompt!r} is no valid Unicode: type it again, or set the terminal to UTF-8")
    settings, encoding = Settings.load(folder), load_tokenizer(folder / TOKENIZER)
    model = load_model(folder, "best", encoding=encoding)
    begins = settings.training.rows == "rows"  # windows start anywhere: there the model knows no beginnings
    return generate_text(model, encoding, prompt, tokens, temperature, top_k, seed=seed, document_start=begins)[0]
