"""Fine-tune a model on conversations: LoRA on a frozen base, trained by TRL's SFTTrainer.

Conversations -> chat.encode, tokens and mask -> loss on the replies -> an adapter, a history and an energy bill.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.template import Messages
from workshop_utils.gpt.config import Config, Count, NotNegative, Rate, Seed, ShareBelowOne, Size
from workshop_utils.machine.energy import Energy, known_country, track_energy
from workshop_utils.machine.files import json_object, last_sealed, write_text_atomically, writing
from workshop_utils.machine.hardware import peak_memory_bytes
from workshop_utils.machine.profiles import Profile
from workshop_utils.machine.quiet import hushed
from workshop_utils.machine.sentences import differences
from workshop_utils.training.run_folder import only_run
from workshop_utils.tuning import backends, lora
from workshop_utils.tuning.trainer import TuningStopped, build_trainer, history_of, taken_over

__all__ = ["TuneConfig", "Tuned", "TuningStopped", "tune"]
RESULT = "result.json"  # the figures of a run, also of one that was interrupted


@dataclass(frozen=True)
class TuneConfig(Config):
    """How a model is fine-tuned. The defaults suit a model of some billion parameters and about 100 conversations."""

    steps: Count = 60  # optimiser updates
    batch_size: Size = 2  # conversations in one forward pass: the dial to halve when memory runs out
    grad_accum_steps: Size = 4  # forward passes gathered into one update: the dial to double in return
    learning_rate: Rate = 2e-4  # peak; a model of some million parameters wants five to ten times as much
    warmup: ShareBelowOne = 0.05  # share of the steps in which the rate climbs
    weight_decay: ShareBelowOne = 0.0
    beta2: ShareBelowOne = 0.999  # AdamW's memory of squared gradients; .98 suits hundreds of large steps
    grad_clip: NotNegative = 1.0  # largest norm of a gradient
    max_length: Size = 512  # tokens of a conversation at most; a longer one is refused, never cut
    checkpoint_every: Count = 20  # updates between two checkpoints
    eval_every: Count = 10  # updates between two evaluations on the held-out conversations
    by_length: bool = False  # rows of like lengths in a batch, filled up to a multiple of 16: less padding is computed
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
    history: list[dict[str, float]] = field(default_factory=list)  # step, loss, learning_rate, grad_norm, held_out
    steps_done: int = 0
    seconds: float = 0.0
    energy: Energy = field(default_factory=Energy)
    trainable: int = 0  # parameters that were trained
    parameters: int = 0  # parameters in all
    adapter_bytes: int = 0
    base_bytes: int = 0  # of the base in memory, as it was quantised
    peak_bytes: int = 0  # of memory, on the GPU where there is one

    def save(self) -> None:
        """Write the figures as JSON."""
        values = {name: value for name, value in vars(self).items() if name not in ("model", "folder")}
        values |= {"base": self.model.name, "backend": self.model.backend}
        values |= {"config": self.config.to_dict(), "energy": self.energy.to_dict()}
        write_text_atomically(json.dumps(values, indent=1) + "\n", self.folder / RESULT)

    def __str__(self) -> str:
        share = self.trainable / max(1, self.parameters)
        return (
            f"{self.steps_done} steps in {self.seconds:.0f} s, {self.energy}; {self.trainable:,} of "
            f"{self.parameters:,} parameters were trained ({share:.2%}); adapter {self.adapter_bytes / 1e6:.2f} MB "
            f"beside a base of {self.base_bytes / 1e6:,.1f} MB; peak memory {self.peak_bytes / 1e9:.2f} GB"
        )


def tune(
    model: LanguageModel,
    conversations: Sequence[Messages],
    config: TuneConfig,
    folder: Path | str,
    profile: Profile,
    held_out: Sequence[Messages] = (),
    quiet: bool = False,
) -> Tuned:
    """Train the adapter of a model on conversations, the loss on the replies only.

    A run that was interrupted goes on from the last whole checkpoint in its folder; one that has ended is read again.

    Args:
        model: from lora.attach.
        conversations: messages, user and assistant in turn; every reply in them is trained, as chat.encode marks it.
        config: steps, rate, batch and the rest.
        folder: for checkpoints, adapter and result.json.
        profile: says where and in which precision.
        held_out: conversations to evaluate before the first step and every eval_every steps, and never to train on.
        quiet: print nothing.

    Returns:
        the Tuned, with the model as it is after the last step.

    Raises:
        TuningStopped: the loss is not finite, or the gradient explodes.
        CheckpointError: another run is writing to the folder.
        OSError: the disk is full, or the folder cannot be written.
        ValueError: a row is no conversation, or too long, or has a special token in its text; the message names it. Or
            the folder holds another run.
    """
    folder = Path(folder)
    if not conversations:
        raise ValueError("there are no conversations: nothing can be learnt from nothing")
    with only_run(folder), writing(folder, "the checkpoints before are whole: call tune again to go on"):
        trainer = build_trainer(model, config, folder, conversations, held_out, profile, quiet)
        tuned = Tuned(model, config, folder)
        tuned.trainable, tuned.parameters = lora.trainable(model.model)
        adapter = sum(p.numel() * p.element_size() for p in lora.trained_parameters(model.model))
        tuned.base_bytes = int(model.model.get_memory_footprint()) - adapter
        _same_run(folder, {"rows": len(conversations)} | config.to_dict())
        last = last_sealed(folder, "checkpoint-*")
        if last is not None and (earlier := json_object(folder / RESULT)):  # what a killed process used was never noted
            with suppress(KeyError, TypeError, ValueError):  # the file is damaged: the bill begins anew
                tuned.seconds, tuned.peak_bytes = earlier["seconds"], int(earlier["peak_bytes"])
                tuned.energy = Energy(**earlier["energy"])
        base = cast(Any, model.model).get_base_model()
        stops = base.generation_config.eos_token_id
        began, energy = time.perf_counter(), Energy()
        backends.switch(model.model, model.backend, training=True)
        try:
            with track_energy(config.country) as energy, hushed():
                if last is None or not taken_over(trainer, last, config.steps):
                    trainer.train(resume_from_checkpoint=str(last) if last else None)
        finally:
            backends.switch(model.model, model.backend, training=False)
            base.generation_config.eos_token_id = stops  # the trainer puts the tokenizer's one in the place of all
            tuned.seconds += time.perf_counter() - began
            tuned.energy += energy
            tuned.steps_done, tuned.history = trainer.state.global_step, history_of(trainer.state.log_history)
            tuned.save()
        tuned.peak_bytes = max(tuned.peak_bytes, peak_memory_bytes(profile.device))
        tuned.adapter_bytes = lora.save(model, folder)
        tuned.save()
    if not quiet:
        print(tuned)
    return tuned


def _same_run(folder: Path, settings: dict[str, Any]) -> None:
    """Note the settings in the folder, or make sure that they are those of the run that is there."""
    path = folder / "settings.json"
    if (earlier := json_object(path)) and (changed := differences(earlier, settings)):  # a damaged file is written anew
        raise ValueError(
            f"{folder} holds a run with other settings ({', '.join(changed)}): only the same run can go on there. "
            "Change them back, or choose another folder"
        )
    write_text_atomically(json.dumps(settings, indent=1) + "\n", path)
