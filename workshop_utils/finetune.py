"""Fine-tune a model on conversations: LoRA on a frozen base, with TRL's SFTTrainer and every known trap disarmed.

Conversations -> the tokenizer's own template -> loss on the replies -> an adapter, a history and an energy bill.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils import chat, lora
from workshop_utils.config import Config
from workshop_utils.energy import Energy, track_energy
from workshop_utils.files import write_text_atomically
from workshop_utils.models import LanguageModel

if TYPE_CHECKING:
    from torch import nn
    from transformers import TrainerCallback
    from trl.trainer.sft_trainer import SFTTrainer

    from workshop_utils.profiles import Profile

RESULT = "result.json"
EXPLODES = 1e3  # a gradient norm above this, before clipping, is no longer learning


class TuningStopped(RuntimeError):
    """Fine-tuning cannot go on; the message says at which step, why, and what to change."""


@dataclass(frozen=True)
class TuneConfig(Config):
    """How a model is fine-tuned. The defaults suit a model of some billion parameters and about 100 conversations."""

    steps: int = 60  # optimiser updates
    batch_size: int = 2  # conversations in one forward pass: the dial to halve when memory runs out
    grad_accum_steps: int = 4  # forward passes gathered into one update: the dial to double in return
    learning_rate: float = 2e-4  # peak; a model of two million parameters wants ten times as much
    warmup: float = 0.05  # share of the steps in which the rate climbs
    rank: int = 16  # of the adapter's thin matrices
    alpha: int = 32  # their product is added times alpha / rank
    dropout: float = 0.05  # share of the adapter's inputs silenced
    weight_decay: float = 0.0
    grad_clip: float = 1.0  # largest norm of a gradient
    max_length: int = 512  # tokens of a conversation at most; a longer one is refused, never cut
    checkpoint_every: int = 20  # updates between two checkpoints
    gradient_checkpointing: bool = False  # compute activations twice instead of keeping them
    seed: int = 0
    country: str = "GBR"  # where the electricity comes from; "" = do not track energy

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "grad_accum_steps", "rank", "alpha", "max_length", "checkpoint_every"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be a whole number of at least 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate!r}: it must be above 0, or nothing is learned")
        for name in ("warmup", "dropout", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose a share from 0 to below 1")


@dataclass
class Tuned:
    """What `tune` gives back, and leaves beside the adapter as result.json."""

    model: LanguageModel
    config: TuneConfig
    folder: Path
    history: list[dict[str, float]] = field(default_factory=list)  # step, loss, learning_rate, grad_norm
    steps_done: int = 0
    seconds: float = 0.0
    energy: Energy = field(default_factory=Energy)
    trainable: int = 0  # numbers that were learnt
    parameters: int = 0  # numbers in all
    adapter_bytes: int = 0
    base_bytes: int = 0  # of the base in memory, as it was quantised
    peak_bytes: int = 0  # of memory, on the GPU where there is one
    backend: str = "transformers"

    def summary(self) -> dict[str, Any]:
        """The figures, as plain values for JSON."""
        names = ("history", "steps_done", "seconds", "trainable", "parameters", "adapter_bytes", "base_bytes")
        values: dict[str, Any] = {name: getattr(self, name) for name in (*names, "peak_bytes", "backend")}
        return values | {"base": self.model.name, "config": self.config.to_dict(), "energy": self.energy.to_dict()}

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
    resume: bool = True,
    quiet: bool = False,
) -> Tuned:
    """Train the adapter of a model on conversations, the loss on the replies only.

    Args:
        model: from lora.attach.
        conversations: messages, user and assistant in turn; only the last reply of each is learnt.
        config: steps, rate, batch and the rest.
        folder: for checkpoints, adapter and result.json.
        profile: says where and in which precision.
        resume: go on from the last checkpoint in the folder; a finished run is only loaded.
        quiet: print nothing.

    Returns:
        the Tuned, with the model as it is after the last step.

    Raises:
        TuningStopped: the loss is not finite, or the gradient explodes.
        ValueError: a row is no conversation or too long; the message names it. Or the folder holds another run.
    """
    from transformers.trainer_utils import get_last_checkpoint

    folder = Path(folder)
    rows = [_row(model, messages, config.max_length, number) for number, messages in enumerate(conversations)]
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
    trainer = _trainer(tuned, rows, profile, quiet)
    last = get_last_checkpoint(str(folder)) if resume and folder.is_dir() else None
    began = time.perf_counter()
    try:
        with track_energy(config.country) as tuned.energy, _quiet_libraries():
            trainer.train(resume_from_checkpoint=last)
    finally:
        model.model.eval()
        base.generation_config.eos_token_id = stops  # the trainer puts the tokenizer's one in the place of all
    tuned.seconds, tuned.steps_done = time.perf_counter() - began, trainer.state.global_step
    tuned.history = [entry for entry in map(_entry, trainer.state.log_history) if entry]
    tuned.peak_bytes = _peak_bytes(profile)
    tuned.adapter_bytes = lora.save(model, folder)
    write_text_atomically(json.dumps(tuned.summary(), indent=1) + "\n", folder / RESULT)
    if not quiet:
        print(tuned)
    return tuned


def _row(model: LanguageModel, messages: chat.Messages, max_length: int, number: int) -> dict[str, Any]:
    """A row as TRL wants it, checked by the one place that knows conversations."""
    chat.encode(model.tokenizer, messages, max_length, row=number)
    folded = chat.fold_system(messages) if chat.refuses_system(model.tokenizer) else list(messages)
    return {"prompt": folded[:-1], "completion": folded[-1:]}


def _same_run(folder: Path, config: TuneConfig, n_rows: int, resume: bool) -> None:
    """Note the settings in the folder, or make sure that they are those of the run that is there."""
    path = folder / "settings.json"
    settings: dict[str, Any] = {"rows": n_rows} | config.to_dict()
    if path.is_file():
        if not resume:
            raise ValueError(
                f"{folder} already holds a run, which is not written over: pass resume=True, or choose another folder"
            )
        earlier: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        changed = [
            f"{key}: {earlier.get(key)} then, {now} now" for key, now in settings.items() if earlier.get(key) != now
        ]
        if changed:
            raise ValueError(
                f"{folder} holds a run with other settings ({', '.join(changed)}): resuming goes on with the same run "
                "only. Change them back, or choose another folder"
            )
    write_text_atomically(json.dumps(settings, indent=1) + "\n", path)


def _trainer(tuned: Tuned, rows: list[dict[str, Any]], profile: Profile, quiet: bool) -> SFTTrainer:
    """TRL's trainer with the settings that are right here, each for a reason."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with _quiet_libraries():
        trainer = SFTTrainer(
            model=cast(Any, tuned.model.model),
            args=_arguments(tuned.config, tuned.folder, profile),
            train_dataset=Dataset.from_list(rows),
            processing_class=tuned.model.tokenizer,
            callbacks=[_watch(quiet)],
        )
    trainer.remove_callback(PrinterCallback)  # a dictionary a step
    keep_float32(cast(Any, trainer.model))
    return trainer


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """No progress bars over a hundred rows, and no warning about tokens that are put right again below."""
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


def _arguments(config: TuneConfig, folder: Path, profile: Profile) -> Any:
    from trl.trainer.sft_config import SFTConfig

    return SFTConfig(
        output_dir=str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.grad_accum_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=math.ceil(config.warmup * config.steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.grad_clip,
        **cast(Any, precision_flags(profile)),
        max_length=config.max_length,
        packing=False,
        completion_only_loss=True,
        gradient_checkpointing=config.gradient_checkpointing,
        logging_steps=1,
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


def _watch(quiet: bool) -> TrainerCallback:
    """A callback that prints one line a step and stops a run that has gone wrong."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            entry = _entry((logs or {}) | {"step": state.global_step})
            if entry is None:
                return
            problem = _problem(entry)
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


def _entry(logs: dict[str, Any]) -> dict[str, float] | None:
    if "loss" not in logs:
        return None
    names = ("step", "loss", "learning_rate", "grad_norm")
    return {name: float(logs[name]) for name in names if name in logs}


def _problem(entry: dict[str, float]) -> str:
    """What is wrong with a step, "" if nothing."""
    step, advice = int(entry["step"]), "halve learning_rate, or lengthen warmup, and start in another folder"
    if not math.isfinite(entry["loss"]):
        return f"the loss is {entry['loss']} at step {step}: the updates have thrown the adapter off; {advice}"
    norm = entry.get("grad_norm", 0.0)
    if not math.isfinite(norm) or norm > EXPLODES:
        return f"the gradient's norm is {norm:,.0f} at step {step}, where 1 is usual: it explodes; {advice}"
    return ""


def _base_bytes(model: LanguageModel) -> int:
    """Memory of the frozen weights, without the adapter."""
    learnt = sum(p.numel() * p.element_size() for p in lora.trained_parameters(model.model))
    return int(model.model.get_memory_footprint()) - learnt


def _peak_bytes(profile: Profile) -> int:
    """The most memory that was in use: on the GPU by torch, else by this process."""
    if profile.device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    try:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)


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
