"""Fine-tune a model on conversations: LoRA on a frozen base, trained by TRL's SFTTrainer.

Conversations -> chat.encode, tokens and mask -> loss on the replies -> an adapter, a history and an energy bill.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat import template as chat
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.gpt.config import Config, Count, NotNegative, Rate, Seed, ShareBelowOne, Size, known_country
from workshop_utils.machine.energy import Energy, track_energy
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.hardware import peak_memory_bytes
from workshop_utils.machine.sentences import differences
from workshop_utils.tuning import backends, lora
from workshop_utils.tuning import trainer as sft
from workshop_utils.tuning.trainer import TuningStopped

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

__all__ = ["TuneConfig", "Tuned", "TuningStopped", "before_after", "stream_before_after", "tune"]
RESULT = "result.json"  # the figures of a finished run
SPENT = "spent.json"  # what was used up to an interruption


@dataclass(frozen=True)
class TuneConfig(Config):
    """How a model is fine-tuned. The defaults suit a model of some billion parameters and about 100 conversations."""

    steps: Count = 60  # optimiser updates
    batch_size: Size = 2  # conversations in one forward pass: the dial to halve when memory runs out
    grad_accum_steps: Size = 4  # forward passes gathered into one update: the dial to double in return
    learning_rate: Rate = 2e-4  # peak; a model of two million parameters wants ten times as much
    warmup: ShareBelowOne = 0.05  # share of the steps in which the rate climbs
    rank: Size = 16  # of the adapter's thin matrices
    alpha: Size = 32  # their product is added times alpha / rank
    dropout: ShareBelowOne = 0.05  # share of the adapter's inputs silenced
    weight_decay: ShareBelowOne = 0.0
    grad_clip: NotNegative = 1.0  # largest norm of a gradient
    max_length: Size = 512  # tokens of a conversation at most; a longer one is refused, never cut
    checkpoint_every: Count = 20  # updates between two checkpoints
    eval_every: Count = 10  # updates between two evaluations on the held-out conversations
    gradient_checkpointing: bool = False  # compute activations twice instead of keeping them
    seed: Seed = 0
    country: str = "GBR"  # where the electricity comes from; "" = do not track energy

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "country", known_country(self.country))


@dataclass
class Tuned:
    """What `tune` gives back, and leaves beside the adapter as result.json."""

    model: LanguageModel
    config: TuneConfig
    folder: Path
    # step, loss, learning_rate, grad_norm, and here and there held_out
    history: list[dict[str, float]] = field(default_factory=list)
    steps_done: int = 0
    seconds: float = 0.0
    energy: Energy = field(default_factory=Energy)
    trainable: int = 0  # numbers that were learnt
    parameters: int = 0  # numbers in all
    adapter_bytes: int = 0
    base_bytes: int = 0  # of the base in memory, as it was quantised
    peak_bytes: int = 0  # of memory, on the GPU where there is one

    def summary(self) -> dict[str, Any]:
        """The figures, as plain values for JSON."""
        names = ("history", "steps_done", "seconds", "trainable", "parameters", "adapter_bytes", "base_bytes")
        values: dict[str, Any] = {name: getattr(self, name) for name in (*names, "peak_bytes")}
        values |= {"base": self.model.name, "backend": self.model.backend}
        return values | {"config": self.config.to_dict(), "energy": self.energy.to_dict()}

    def __str__(self) -> str:
        share = self.trainable / max(1, self.parameters)
        return (
            f"{self.steps_done} steps in {self.seconds:.0f} s, {self.energy}; {self.trainable:,} of "
            f"{self.parameters:,} numbers were trained ({share:.2%}); adapter {self.adapter_bytes / 1e6:.2f} MB "
            f"beside a base of {self.base_bytes / 1e6:,.1f} MB; peak memory {self.peak_bytes / 1e9:.2f} GB"
        )


def tune(
    model: LanguageModel,
    conversations: Sequence[chat.Messages],
    config: TuneConfig,
    folder: Path | str,
    profile: Profile,
    held_out: Sequence[chat.Messages] = (),
    resume: bool = True,
    quiet: bool = False,
) -> Tuned:
    """Train the adapter of a model on conversations, the loss on the replies only.

    Args:
        model: from lora.attach.
        conversations: messages, user and assistant in turn; every reply in them is trained, as chat.encode marks it.
        config: steps, rate, batch and the rest.
        folder: for checkpoints, adapter and result.json.
        profile: says where and in which precision.
        held_out: conversations to look at before the first step and every eval_every steps, and never to learn.
        resume: go on from the last checkpoint in the folder; a finished run is only loaded.
        quiet: print nothing.

    Returns:
        the Tuned, with the model as it is after the last step.

    Raises:
        TuningStopped: the loss is not finite, or the gradient explodes.
        ValueError: a row is no conversation, or too long, or has a special token in its text; the message names it. Or
            the folder holds another run.
    """
    from transformers.trainer_utils import get_last_checkpoint

    folder = Path(folder)
    rows, looks = _rows(model, conversations, config, "row"), _rows(model, held_out, config, "held-out row")
    if not rows:
        raise ValueError("there are no conversations: nothing can be learnt from nothing")
    _same_run(folder, config, len(rows), resume)
    tuned = Tuned(model, config, folder, base_bytes=_base_bytes(model))
    tuned.trainable, tuned.parameters = lora.trainable(model.model)
    if not quiet:
        print(
            f"{tuned.trainable:,} of {tuned.parameters:,} numbers are trained: {tuned.trainable / tuned.parameters:.2%}"
        )
    base = cast(Any, model.model).get_base_model()
    stops = base.generation_config.eos_token_id
    trainer = sft.build_trainer(model, config, folder, rows, looks, profile, quiet)
    last = get_last_checkpoint(str(folder)) if resume and folder.is_dir() else None
    if last is not None:
        tuned.seconds, tuned.energy = _spent(folder)
    began, earlier, energy = time.perf_counter(), tuned.energy, Energy()
    backends.ready_to_train(model.model, model.backend)
    try:
        with track_energy(config.country) as energy, sft.quiet_libraries():
            trainer.train(resume_from_checkpoint=last)
    finally:
        backends.ready_to_answer(model.model, model.backend)
        base.generation_config.eos_token_id = stops  # the trainer puts the tokenizer's one in the place of all
        tuned.seconds += time.perf_counter() - began
        tuned.energy = earlier + energy
        spent = {"seconds": tuned.seconds, "energy": tuned.energy.to_dict()}
        write_text_atomically(json.dumps(spent, indent=1) + "\n", folder / SPENT)
    tuned.steps_done = trainer.state.global_step
    tuned.history = sft.history_of(trainer.state.log_history)
    tuned.peak_bytes = peak_memory_bytes(profile.device)
    tuned.adapter_bytes = lora.save(model, folder)
    write_text_atomically(json.dumps(tuned.summary(), indent=1) + "\n", folder / RESULT)
    if not quiet:
        print(tuned)
    return tuned


def _rows(model: LanguageModel, conversations: Sequence[chat.Messages], config: TuneConfig, what: str) -> sft.Rows:
    """Rows as the trainer takes them: the tokens and labels of the one place that knows conversations."""
    if isinstance(conversations, str | Mapping):
        raise ValueError(f"the {what}s are a {type(conversations).__name__}: pass a list with one conversation a row")
    found = []
    for number, messages in enumerate(conversations):
        try:
            encoded = chat.encode(model.tokenizer, messages, config.max_length, row=number)
        except ValueError as error:
            raise ValueError(str(error).replace("row", what, 1)) from None
        found.append({"input_ids": encoded.ids, "labels": encoded.labels})
    return found


def _spent(folder: Path) -> tuple[float, Energy]:
    """Seconds and energy of the same run before it was interrupted.

    What a killed process used after its last start is lost: nobody was left to write it down.
    """
    path = folder / SPENT
    if not path.is_file():
        return 0.0, Energy()
    found = json.loads(path.read_text(encoding="utf-8"))
    return float(found["seconds"]), Energy(**found["energy"])


def _same_run(folder: Path, config: TuneConfig, n_rows: int, resume: bool) -> None:
    """Note the settings in the folder, or make sure that they are those of the run that is there."""
    path = folder / "settings.json"
    settings: dict[str, Any] = {"rows": n_rows} | config.to_dict()
    if path.is_file():
        if not resume:
            raise ValueError(
                f"{folder} already holds a run, which is not written over: pass resume=True, or choose another folder"
            )
        changed = differences(json.loads(path.read_text(encoding="utf-8")), settings)
        if changed:
            raise ValueError(
                f"{folder} holds a run with other settings ({', '.join(changed)}): resuming goes on with the same run "
                "only. Change them back, or choose another folder"
            )
    write_text_atomically(json.dumps(settings, indent=1) + "\n", path)


def _base_bytes(model: LanguageModel) -> int:
    """Memory of the frozen weights, without the adapter."""
    learnt = sum(p.numel() * p.element_size() for p in lora.trained_parameters(model.model))
    return int(model.model.get_memory_footprint()) - learnt


# --- before and after


def before_after(
    model: LanguageModel, prompts: Sequence[str], max_new_tokens: int = 120, **options: Any
) -> tuple[list[str], list[str]]:
    """Answer the same prompts without and with the adapter, with the same dice.

    Args:
        model: with an adapter, which is switched off for the first half.
        prompts: what the user says.
        max_new_tokens: of each reply.
        options: temperature, top_k, top_p, seed, as in LanguageModel.generate.

    Returns:
        the replies before, and after.
    """
    asked = [model.chat_ids(prompt) for prompt in prompts]
    with cast(Any, model.model).disable_adapter():
        before = [made.text for made in model.generate(asked, max_new_tokens, **options)]
    after = [made.text for made in model.generate(asked, max_new_tokens, **options)]
    return before, after


def stream_before_after(
    model: LanguageModel, prompt: str, max_new_tokens: int = 120, **options: Any
) -> Iterator[tuple[str, str]]:
    """The same for one prompt, piece by piece as it is written: yields ("before" or "after", piece)."""
    with cast(Any, model.model).disable_adapter():
        for piece in model.stream(prompt, max_new_tokens, **options):
            yield "before", piece
    for piece in model.stream(prompt, max_new_tokens, **options):
        yield "after", piece
