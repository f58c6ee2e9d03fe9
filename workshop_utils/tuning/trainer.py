"""TRL's SFTTrainer with every known trap disarmed: the settings that are right here, each for a reason.

Rows of tokens and labels -> the trainer -> updates of the adapter. finetune.py runs it and keeps what comes out.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.tuning import lora

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainerCallback
    from trl.trainer.sft_trainer import SFTTrainer

    from workshop_utils.machine.profiles import Profile
    from workshop_utils.tuning.finetune import TuneConfig

EXPLODES = 1e3  # a gradient norm above this, before clipping, is no longer learning
OVERFLOWS = 10  # updates in a row that float16 may leave out while its scale is still being halved
Rows = list[dict[str, list[int]]]


class TuningStopped(RuntimeError):
    """Fine-tuning cannot go on; the message says at which step, why, and what to change."""


def build_trainer(
    model: LanguageModel,
    config: TuneConfig,
    folder: Path,
    rows: Rows,
    held_out: Rows,
    profile: Profile,
    quiet: bool = False,
) -> SFTTrainer:
    """The trainer of a run.

    Args:
        model: with an adapter.
        config: of the run.
        folder: for its checkpoints.
        rows: {"input_ids": tokens, "labels": tokens} of chat.encode; a label of -100 is not trained. TRL and Unsloth
            leave both as they are, and only fill them up.
        held_out: rows that are looked at before the first step and every eval_every steps, and never trained.
        profile: says where and in which precision.
        quiet: print no progress.
    """
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with quiet_libraries():
        trainer = SFTTrainer(
            model=cast(Any, model.model),
            args=_arguments(config, folder, profile, bool(held_out)),
            train_dataset=Dataset.from_list(rows),
            eval_dataset=Dataset.from_list(held_out) if held_out else None,
            processing_class=model.tokenizer,
            callbacks=[_watch(quiet)],
        )
    trainer.remove_callback(PrinterCallback)  # a dictionary a step
    keep_float32(cast(Any, trainer.model))
    return trainer


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """No progress bars over a hundred rows, and no warning about tokens that are put right again afterwards."""
    import datasets
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), datasets.are_progress_bars_disabled()
    logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if not bars:
            datasets.enable_progress_bars()


def _arguments(config: TuneConfig, folder: Path, profile: Profile, looks: bool) -> Any:
    from trl.trainer.sft_config import SFTConfig

    return SFTConfig(
        output_dir=str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=config.batch_size,
        gradient_accumulation_steps=config.grad_accum_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=math.ceil(config.warmup * config.steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.grad_clip,
        **cast(Any, precision_flags(profile)),
        max_length=config.max_length,
        packing=False,
        gradient_checkpointing=config.gradient_checkpointing,
        logging_steps=1,
        eval_strategy="steps" if looks else "no",
        eval_steps=config.eval_every,
        eval_on_start=looks,
        save_strategy="steps",
        save_steps=config.checkpoint_every,
        save_total_limit=2,
        seed=config.seed,
        data_seed=config.seed,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=profile.device == "cuda",
    )


def precision_flags(profile: Profile) -> dict[str, bool]:
    """Mixed precision for the trainer, whose defaults are bf16 and whatever GPU there is.

    Args:
        profile: it decided by compute capability; torch.cuda.is_bf16_supported() says yes on a T4, which emulates bf16.
    """
    on_gpu = profile.device == "cuda"
    return {
        "bf16": on_gpu and profile.dtype == "bfloat16",
        "fp16": on_gpu and profile.dtype == "float16",
        "use_cpu": not on_gpu,
    }


def keep_float32(model: nn.Module) -> None:
    """Make the adapter float32 again, which TRL casts to bf16 on a quantised base.

    On a T4, under fp16, the GradScaler cannot unscale bf16 gradients and stops the run; and in bf16 small updates of a
    LoRA matrix are lost.
    """
    for parameter in lora.trained_parameters(model):
        parameter.data = parameter.data.float()


def history_of(logs: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """The trainer's log as one entry a step: step, loss, learning_rate, grad_norm, and held_out where it was looked at.

    Args:
        logs: trainer.state.log_history. Step 0, if it is there, has held_out alone.
    """
    names = {"loss": "loss", "learning_rate": "learning_rate", "grad_norm": "grad_norm", "eval_loss": "held_out"}
    found: dict[int, dict[str, float]] = {}
    for entry in logs:
        values = {ours: float(entry[theirs]) for theirs, ours in names.items() if theirs in entry}
        if values:
            step = int(entry["step"])
            found.setdefault(step, {"step": float(step)}).update(values)
    return [found[step] for step in sorted(found)]


def _watch(quiet: bool) -> TrainerCallback:
    """A callback that prints one line a step and stops a run that has gone wrong."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        overflows = 0  # in a row

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            if "loss" not in (logs or {}):
                return
            (entry,) = history_of([logs | {"step": state.global_step}])
            overflow = args.fp16 and not math.isfinite(entry.get("grad_norm", 0.0))
            self.overflows = self.overflows + 1 if overflow else 0
            problem = problem_of(entry, scaling=0 < self.overflows <= OVERFLOWS)
            if problem:
                raise TuningStopped(problem)
            if not quiet:
                end = "\n" if state.global_step >= state.max_steps else "\r"
                print(
                    f"step {state.global_step}/{state.max_steps}  loss {entry['loss']:.2f}  "
                    f"rate {entry['learning_rate']:.1e}  gradient {entry['grad_norm']:.2f}   ",
                    end=end,
                    flush=True,
                )

    return Watch()


def problem_of(entry: dict[str, float], scaling: bool = False) -> str:
    """What is wrong with a step, "" if nothing.

    Args:
        entry: of a history.
        scaling: whether float16's scale is still being found: the first scales are too large as a rule, the gradient
            overflows, and GradScaler leaves the update out and halves the scale.
    """
    step, advice = int(entry["step"]), "halve learning_rate, or lengthen warmup, and start in another folder"
    if not math.isfinite(entry["loss"]):
        return f"the loss is {entry['loss']} at step {step}: the updates have thrown the adapter off; {advice}"
    norm = entry.get("grad_norm", 0.0)
    if not scaling and (not math.isfinite(norm) or norm > EXPLODES):
        return f"the gradient's norm is {norm:,.0f} at step {step}, where 1 is usual: it explodes; {advice}"
    return ""
