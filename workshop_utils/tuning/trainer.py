"""TRL's SFTTrainer with every known trap disarmed: the settings that are right here, each for a reason.

Conversations -> tokens and labels -> updates of the adapter. finetune.py runs it and keeps what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.template import Messages, encode
from workshop_utils.machine.files import keep_newest, seal
from workshop_utils.machine.quiet import hushed
from workshop_utils.tuning import lora

if TYPE_CHECKING:
    from transformers import TrainerCallback
    from trl.trainer.sft_trainer import SFTTrainer

    from workshop_utils.machine.profiles import Profile
    from workshop_utils.tuning.finetune import TuneConfig

EXPLODES = 1e3  # a gradient norm above this, before clipping, is no longer learning
OVERFLOWS = 10  # updates in a row that float16 may leave out while its scale is still being halved
NAMES = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "grad_norm", "eval_loss": "held_out"}  # in logs


class TuningStopped(RuntimeError):
    """Fine-tuning cannot go on; the message says at which step, why, and what to change."""


def build_trainer(
    model: LanguageModel,
    config: TuneConfig,
    folder: Path,
    conversations: Sequence[Messages],
    held_out: Sequence[Messages],
    profile: Profile,
    quiet: bool = False,
) -> SFTTrainer:
    """The trainer of a run, from the arguments of finetune.tune.

    Raises:
        ValueError: as in chat.encode; the message names the row.
    """
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    def rows(talks: Sequence[Messages], which: str = "") -> Dataset:
        encoded = [encode(model.tokenizer, talk, config.max_length, f"{i}{which}") for i, talk in enumerate(talks)]
        # TRL and Unsloth leave rows that have both as they are, and only fill them up.
        return Dataset.from_list([{"input_ids": one.ids, "labels": one.labels} for one in encoded])

    settings = SFTConfig(
        output_dir=str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.grad_accum_steps,
        learning_rate=config.learning_rate,
        warmup_steps=math.ceil(config.warmup * config.steps),
        weight_decay=config.weight_decay,
        adam_beta2=config.beta2,
        max_grad_norm=config.grad_clip,
        **cast(Any, precision_flags(profile)),
        max_length=config.max_length,
        # Few widths: Unsloth's kernels are tuned for each.
        pad_to_multiple_of=64 if profile.device == "cuda" else 16 if config.by_length else None,
        train_sampling_strategy="group_by_length" if config.by_length else "random",
        # TRL's own way through the output layer in pieces knows no single trained rows.
        loss_type="nll" if getattr(model.model.active_peft_config, "trainable_token_indices", None) else None,
        gradient_checkpointing=config.gradient_checkpointing,
        logging_steps=1,
        eval_strategy="steps" if held_out else "no",
        eval_steps=config.eval_every,
        eval_on_start=bool(held_out),
        save_steps=config.checkpoint_every,
        seed=config.seed,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=profile.device == "cuda",
    )
    with hushed():
        trainer = SFTTrainer(
            model=cast(Any, model.model),
            args=settings,
            train_dataset=rows(conversations),
            eval_dataset=rows(held_out, ", held out") if held_out else None,
            processing_class=model.tokenizer,
            callbacks=[_watch(quiet)],
        )
    trainer.remove_callback(PrinterCallback)  # it prints a dictionary at each step
    # TRL casts the adapter of a quantised base to bf16. On a T4, under fp16, the GradScaler cannot unscale bf16
    # gradients and stops the run; and in bf16 small updates of a LoRA matrix are lost.
    for parameter in lora.trained_parameters(cast(Any, trainer.model)):
        parameter.data = parameter.data.float()
    return trainer


def taken_over(trainer: SFTTrainer, checkpoint: Path, steps: int) -> bool:
    """Take adapter and log of a checkpoint that has all steps, if it has: resumed there, a trainer makes one more."""
    from transformers import TrainerState

    if (state := TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))).global_step < steps:
        return False
    cast(Any, trainer.model).load_adapter(str(checkpoint), "default", is_trainable=True)  # as when it resumes
    trainer.state = state
    return True


def precision_flags(profile: Profile) -> dict[str, bool]:
    """Mixed precision as the profile decided; the trainer's own choice is bf16, which a T4 claims and only emulates."""
    gpu, dtype = profile.device == "cuda", profile.dtype
    return {"bf16": gpu and dtype == "bfloat16", "fp16": gpu and dtype == "float16", "use_cpu": profile.device == "cpu"}


def history_of(logs: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """The trainer's log as one entry per step: step, loss, learning_rate, grad_norm, and here and there held_out.

    Args:
        logs: trainer.state.log_history. Step 0, if it is there, has held_out alone.
    """
    found: dict[int, dict[str, float]] = {}
    for entry in logs:
        figures = found.setdefault(int(entry["step"]), {"step": float(entry["step"])})
        figures |= {ours: float(entry[theirs]) for theirs, ours in NAMES.items() if theirs in entry}
    return [found[step] for step in sorted(found)]


def _watch(quiet: bool) -> TrainerCallback:
    """A callback that prints one line per step and stops a run that has gone wrong."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        overflows = 0  # in a row

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            newest = Path(args.output_dir, f"checkpoint-{state.global_step}")
            seal(newest)  # its files are written one by one
            keep_newest(newest.parent, "checkpoint-*", 2, newest)  # the trainer goes by the clock, which may jump

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "loss" not in (logs or {}):
                return
            step, loss, norm = state.global_step, float(logs["loss"]), float(logs.get("grad_norm", 0.0))
            # float16's first scales are too large as a rule: the gradient overflows, and GradScaler leaves the update
            # out and halves the scale.
            self.overflows = self.overflows + 1 if args.fp16 and not math.isfinite(norm) else 0
            cure = "halve learning_rate, or lengthen warmup, and start in another folder"
            if not math.isfinite(loss):
                raise TuningStopped(f"the loss is {loss} at step {step}: the updates have ruined the adapter; {cure}")
            if not 0 < self.overflows <= OVERFLOWS and not norm <= EXPLODES:
                raise TuningStopped(f"the gradient explodes at step {step}: its norm is {norm:,.0f}; {cure}")
            if not quiet:
                done = f"step {step}/{state.max_steps}  loss {loss:.2f}  rate {logs['learning_rate']:.1e}"
                end = "\n" if step >= state.max_steps else "\r"
                print(f"{done}  gradient {norm:.2f}   ", end=end, flush=True)

    return Watch()
