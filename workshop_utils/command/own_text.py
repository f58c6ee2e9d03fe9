"""Train on a text file of one's own: what `workshop train` does.

A folder holds everything of such a run: tokenizer, token files, config.json and the checkpoints.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workshop_utils.command.run_file import TRAIN, VAL, RunFile, read_json
from workshop_utils.gpt.config import GPTConfig, TrainConfig
from workshop_utils.text.corpus import decoded, read_utf8
from workshop_utils.text.tokenizer import END_OF_TEXT, TOKENIZER

if TYPE_CHECKING:
    import tiktoken

    from workshop_utils.training.batches import Batches
    from workshop_utils.training.run import Run

CONFIG = "config.json"
# For a book or so of text, some minutes on a laptop.
MODEL: dict[str, Any] = {"block_size": 128, "n_layer": 4, "n_head": 4, "n_embd": 128}
MODEL |= {"position": "rope", "init": "fan_in"}  # what pays in small models
TRAINING: dict[str, Any] = {"steps": 1000, "batch_size": 16, "learning_rate": 3e-3, "rows": "windows"}
VAL_SHARE = 0.1  # of a single text: there is less of it than of a corpus
WHOLE_DOCUMENTS = 10  # of fewer documents none is held out as a whole
SLICE_BLOCKS = 8  # bytes of a slice that is held out, in block_size: two or three windows
LONGEST_PART = 5_000_000  # bytes of a text with one slice in it, which are tokenised as one document
SYNTAX = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".ipynb", ".html", ".htm", ".xml", ".svg")


@dataclass(frozen=True)
class Settings:
    """What config.json holds: the model, its training, and which text they are for."""

    gpt: GPTConfig
    training: TrainConfig
    text_sha256: str = ""

    @classmethod
    def new(cls, run: RunFile) -> Settings:
        """The defaults, and over them what is given.

        Raises:
            ValueError: a field is unknown or out of range.
        """
        from workshop_utils.machine import profiles

        device = profiles.choose_device()
        found = {"device": device, "dtype": profiles.choose_dtype(device)[0], "country": profiles.country()}
        training = TRAINING | found | run.training
        tenth = max(1, training["steps"] // 10) if isinstance(training["steps"], int) else 1
        training = {"eval_every": tenth, "checkpoint_every": tenth, "log_every": min(10, tenth)} | training
        return cls(GPTConfig.from_dict(MODEL | run.gpt), TrainConfig.from_dict(training))

    @classmethod
    def load(cls, folder: Path) -> Settings:
        """Read config.json of a run.

        Raises:
            FileNotFoundError: there is no run in that folder.
            ValueError: the file is damaged.
        """
        if not (folder / CONFIG).is_file():
            raise FileNotFoundError(
                f"there is no run in {folder}, since it has no {CONFIG}: check the folder, copy the file there, or "
                "start a run with workshop train"
            )
        values = {"gpt": {}, "training": {}} | read_json(folder / CONFIG)
        gpt, training = GPTConfig.from_dict(values["gpt"]), TrainConfig.from_dict(values["training"])
        return cls(gpt, training, values.get("text_sha256", ""))

    def overlaid(self, run: RunFile) -> Settings:
        """What the run was begun with, and over it what is given now; train() refuses what cannot change."""
        gpt = self.gpt.to_dict() | run.gpt | {"vocab_size": self.gpt.vocab_size}
        training = TrainConfig.from_dict(self.training.to_dict() | run.training)
        return replace(self, gpt=GPTConfig.from_dict(gpt), training=training)

    def save(self, folder: Path) -> None:
        """Write config.json, whole or not at all."""
        from workshop_utils.machine.files import write_text_atomically

        write_text_atomically(json.dumps(asdict(self), indent=2) + "\n", folder / CONFIG)


def train_on_text(
    text: Path | None, out: Path | None, steps: int | None = None, config: Path | None = None, resume: bool = False
) -> Run:
    """Train a GPT on a text, on token files or on a stream; of a text, split_text holds out a tenth for validation.

    Under torchrun rank 0 makes the files, and all processes train.

    Args:
        text: the file, UTF-8; what the config names if None.
        out: folder for everything that is made; the config's if None.
        steps: optimiser updates; the config's if None.
        config: JSON file with fields of GPTConfig and TrainConfig, and more: see run_file.py.
        resume: go on with the run that was interrupted in out, if there is one.

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
        found = here.from_main(lambda: RunFile.find(text, out, config, resume, steps))
        with only_run(found.out, here.is_main):
            run, settings = here.from_main(lambda: _lay_out(found, resume))
            train_data, val_data, _ = run.open_data(settings.gpt, settings.training)
            torch.manual_seed(settings.training.seed)  # the first weights
            model, how = GPT(settings.gpt), run.parallel
            return train(model, train_data, val_data, settings.training, run.out, resume, parallel=how)


def _lay_out(run: RunFile, resume: bool) -> tuple[RunFile, Settings]:
    """Make everything that the training needs, or find it made; the RunFile that comes back names no text."""
    from workshop_utils.machine.profiles import for_this_machine
    from workshop_utils.text.tokenizer import save_tokenizer

    again = resume and (run.out / CONFIG).is_file()
    if resume and not again:  # the same command starts a run, and goes on with it after torchrun has restarted it
        print(f"there is no run in {run.out} yet: it begins now")
    if again:
        settings = Settings.load(run.out).overlaid(run)
    else:
        _refuse_to_overwrite(run)
        settings = Settings.new(run)
        for_this_machine(settings.training, resume=False)  # refuses a GPU that is not there before anything is written
    if run.text is not None:
        return _lay_out_text(run, run.text, settings, again)
    if not again:  # check token files or a stream, and keep their tokenizer and the settings beside the checkpoints
        train, val, encoding = run.open_data(settings.gpt, settings.training)
        _check_reach(train, settings)
        if val is None:
            print("no validation: the file names nothing for it")
        if encoding is not None:
            save_tokenizer(encoding, run.out / TOKENIZER)
        settings = replace(settings, gpt=replace(settings.gpt, vocab_size=-(-train.vocab_size // 64) * 64))
        settings.save(run.out)
    return run, settings


def _refuse_to_overwrite(run: RunFile) -> None:
    out = run.out
    names = [CONFIG, "best.json", "run.json", TOKENIZER, *([TRAIN, VAL] if run.text is not None else [])]
    written = [*out.glob("step-*"), *(out / name for name in names)]
    own = run.tokenizer.resolve() if run.tokenizer is not None else None
    if found := [path for path in written if path.exists() and path.resolve() != own]:
        cure = "choose another folder for --out, or go on with the run there by --resume, if it is one"
        raise ValueError(f"{out} already holds {found[0].name}, which this run would write over: {cure}")


def _lay_out_text(run: RunFile, text: Path, settings: Settings, again: bool) -> tuple[RunFile, Settings]:
    """Make tokenizer, token files and config.json of a text, or make sure that a resumed run is of the same text."""
    from tiktoken_ext.openai_public import r50k_pat_str

    from workshop_utils.text.token_file import TokenFile
    from workshop_utils.text.tokenizer import padded_vocab_size, save_tokenizer, train_bpe

    out, block_size, content = run.out, settings.gpt.block_size, read_corpus(text)
    digest = hashlib.sha256(content).hexdigest()
    run = replace(run, text=None, train=out / TRAIN, val=out / VAL, tokenizer=out / TOKENIZER)
    if again:
        if settings.text_sha256 != digest:
            raise ValueError(f"{text} is not the text that {out} was trained on: give that one, or another folder")
        return run, settings
    parts, said = split_text(content, block_size)
    print(said)
    learnt_from, n = _decoded(parts["train"], "learning the tokenizer"), settings.gpt.vocab_size
    encoding = train_bpe(learnt_from, n, name="own", at_most=True, pattern=r50k_pat_str)  # llama.cpp knows this one
    print(f"tokenizer: {encoding.n_vocab:,} tokens, learnt from {text.name}")
    settings = Settings(replace(settings.gpt, vocab_size=padded_vocab_size(encoding)), settings.training, digest)
    try:
        for split, pieces in parts.items():
            n_tokens = _write_tokens(pieces, split, out, encoding)
            if n_tokens <= block_size:
                raise ValueError(
                    f"{text} is too short: its part for {split} has {n_tokens} tokens, and block_size {block_size} "
                    f"needs {block_size + 1}; give more text, or a smaller block_size by --config"
                )
        _check_reach(TokenFile(out / TRAIN), settings)
    except BaseException:  # a later start would take them for somebody's own
        for name in (TRAIN, VAL):
            with suppress(OSError):
                (out / name).unlink()
        raise
    save_tokenizer(encoding, out / TOKENIZER)
    settings.save(out)  # last: where it is, everything is
    return run, settings


def _write_tokens(pieces: list[bytes], split: str, out: Path, encoding: tiktoken.Encoding) -> int:
    """Write the token file of a split and return how many tokens it has; none is written where there is no text."""
    from workshop_utils.text.token_file import write_token_file

    if not any(piece.strip() for piece in pieces):
        return 0
    made = write_token_file(_decoded(pieces, f"encoding {split}"), out / f"{split}.tokens", encoding)
    print(f"{split + ':':<11}{made.n_tokens:,} tokens")
    return made.n_tokens


def _decoded(pieces: list[bytes], doing: str) -> Iterator[str]:
    """The pieces one by one as strings, which take up to four times their memory, behind a progress bar."""
    from tqdm import tqdm

    total = sum(map(len, pieces))
    with tqdm(total=total, desc=doing, unit="B", unit_scale=True, delay=0.5, leave=False, disable=None) as bar:
        for piece in pieces:
            yield piece.decode()
            bar.update(len(piece))


def _check_reach(data: Batches, settings: Settings) -> None:
    """Refuse settings that never train on most of the text, and say where few steps leave most of it."""
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
        once = training.steps / share
        print(f"{training.steps:,} steps read {share:.1%} of the text; {once:,.0f} would read it once")


# --- the text


def read_corpus(path: str | Path) -> bytes:
    """Read a text file to train on: as text.corpus.read_utf8 does.

    Args:
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, not UTF-8, or no text file, or its name ends as those of JSON, tables or HTML do.
    """
    path = Path(path)
    content = read_utf8(path)
    if path.suffix.lower() in SYNTAX:
        raise ValueError(
            f"{path} is a {path.suffix} file, and a model would learn its syntax with the text: write its texts into a "
            f'.txt file, with a line {END_OF_TEXT} between them, or name JSON Lines as "stream" in the file of '
            "--config. If you mean the syntax too, let the name end in .txt"
        )
    if not any(piece.replace(END_OF_TEXT, "").strip() for piece in decoded(content)):
        raise ValueError(f"{path} holds no text, only blanks or {END_OF_TEXT}: choose a file with text")
    return content


def split_text(content: bytes, block_size: int) -> tuple[dict[str, list[bytes]], str]:
    """Split the text of a file: documents where it has end-of-text markers, and what is held out for validation.

    Of ten documents or more a tenth of the text is held out, in whole documents, chosen by a hash of each: copies of
    a document share their fate. Else it is slices of each document, spread evenly, since the end of a book may be
    another text than the book.

    Args:
        content: UTF-8, as from read_corpus.
        block_size: tokens in a window; a slice is some windows long, so a short text has few.

    Returns:
        parts: {"train": [...], "val": [...]}, pieces of UTF-8 in the order of the text.
        said: a sentence about what is held out.
    """
    marker = END_OF_TEXT.encode()
    found = [part.strip() for part in content.split(marker)] if marker in content else [content]
    found = [part for part in found if part]
    cut = f"{len(found):,} document{'s' * (len(found) != 1)}, cut at {END_OF_TEXT}; " if marker in content else ""
    sizes: Counter[int] = Counter()
    for part in found:
        sizes[zlib.crc32(part)] += len(part)
    parts: dict[str, list[bytes]] = {"train": [], "val": []}
    if len(sizes) < WHOLE_DOCUMENTS:
        for part in found:
            for split, piece in _slices(part, block_size):
                parts[split].append(piece)
        what = f"{len(parts['val']):,} slices spread over the text" if len(parts["val"]) > 1 else "its middle"
    else:
        left, held_out = VAL_SHARE * sum(sizes.values()), set()
        for hashed in sorted(sizes):
            if sizes[hashed] <= left:
                held_out.add(hashed)
                left -= sizes[hashed]
        for part in found:
            parts["val" if zlib.crc32(part) in held_out else "train"].append(part)
        what = f"{len(parts['val']):,} whole documents"
    share = sum(map(len, parts["val"])) / max(1, sum(map(len, found)))
    return parts, f"{cut}held out for validation: {what}, {share:.0%} of the text"


def _slices(text: bytes, block_size: int) -> Iterator[tuple[str, bytes]]:
    """The middle tenth of each of n equal parts is for validation, what lies between them is trained on."""
    n = max(1, min(len(text) // (SLICE_BLOCKS * block_size * 10), max(10, len(text) // LONGEST_PART)))
    middle = [(i + 0.5 + side * VAL_SHARE / 2) / n for i in range(n) for side in (-1, 1)]
    edges = [0, *(_line_after(text, int(len(text) * at)) for at in middle), len(text)]
    for i, (start, end) in enumerate(pairwise(edges)):
        if start < end:
            yield ("val" if i % 2 else "train"), text[start:end]


def _line_after(text: bytes, at: int) -> int:
    """Where the next line begins, or the next word if it is far; never within a letter."""
    for end in (b"\n", b" "):
        found = text.find(end, at, at + 1000)
        if found >= 0:
            return found + 1
    while at < len(text) and text[at] & 0xC0 == 0x80:
        at += 1
    return at
