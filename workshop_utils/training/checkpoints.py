"""Checkpoints that survive what happens to laptops: a kill, a full disk, a flipped bit, the wrong tokenizer.

A checkpoint is a folder `step-000200` with safetensors and JSON, never an executable pickle. It is written under a
temporary name and renamed when it is whole; every file's checksum lies beside it and is compared before it is used.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from workshop_utils.gpt.config import GPTConfig
from workshop_utils.gpt.model import GPT
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.sentences import one_line
from workshop_utils.training.run_folder import (
    FILES,
    CheckpointError,
    sha256,
    state_digest,
    step_folders,
    step_of,
    written_whole,
)

if TYPE_CHECKING:
    import tiktoken

BEST = "best.json"


def save(out_dir: Path, step: int, model: GPT, training: dict[str, Tensor], state: dict[str, Any]) -> Path:
    """Write the checkpoint of a step.

    Args:
        out_dir: folder of the run.
        step: updates done so far.
        model: its weights go to model.safetensors, its config into state.json.
        training: tensors of the optimiser and of the random number generators.
        state: everything else, as plain values.

    Returns:
        the checkpoint's folder.

    Raises:
        CheckpointError: it cannot be written (disk full, no permission); earlier checkpoints are untouched.
    """
    weights = {name: t.contiguous() for name, t in model.state_dict().items() if name != "lm_head.weight"}  # tied
    with written_whole(out_dir, step, model, state) as temporary:
        save_file(weights, temporary / FILES[0])
        save_file(training, temporary / FILES[1])
    return out_dir / f"step-{step:06d}"


def mark_best(out_dir: Path, step: int, val_loss: float) -> None:
    """Note which step has the lowest validation loss.

    Raises:
        CheckpointError: it cannot be written; the checkpoint itself has been.
    """
    try:
        write_text_atomically(json.dumps({"step": step, "val_loss": val_loss}), out_dir / BEST)
    except OSError as error:
        raise CheckpointError(
            f"{out_dir / BEST} could not be written: {error}. The checkpoints are whole; go on with resume=True"
        ) from error


def tidy(out_dir: Path, keep: int, milestones: set[int]) -> None:
    """Delete all but the last `keep` checkpoints, the best one and the milestones, before the disk is full of them."""
    kept = milestones | {_best_step(out_dir)}
    for folder in step_folders(out_dir)[:-keep]:
        if step_of(folder) not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def read(folder: Path) -> dict[str, Any]:
    """The state of a checkpoint, after every file has been compared with its checksum.

    Raises:
        CheckpointError: a file is missing, cut short or changed.
    """
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        sums = state["sha256"]
        intact = state_digest(state) == sums["state"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} is damaged: state.json cannot be read ({error})") from error
    if not intact:
        raise CheckpointError(f"{folder} is damaged: state.json is not what was written")
    for name in sorted(set(sums) - {"state"}):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder} is damaged: {name} is missing")
        if sha256(folder / name) != sums[name]:
            size = (folder / name).stat().st_size
            raise CheckpointError(f"{folder} is damaged: {name} ({size:,} bytes) is not what was written")
    return state


def newest(out_dir: Path) -> tuple[Path, dict[str, Any]] | None:
    """The last checkpoint that is whole, with its state; says so when a damaged one is passed over.

    Raises:
        CheckpointError: there are checkpoints, and every one is damaged.
    """
    folders = step_folders(out_dir)
    for folder in reversed(folders):
        try:
            return folder, read(folder)
        except CheckpointError as error:
            print(f"{error}: going back to the one before")
    if folders:
        raise CheckpointError(
            f"no checkpoint in {out_dir} is whole ({len(folders)} damaged): choose another folder and train again"
        )
    return None


def check_tokenizer(found: str, wanted: str, what: str) -> None:
    """Refuse to mix tokenizers.

    Raises:
        CheckpointError: the two fingerprints differ.
    """
    if found and wanted and found != wanted:
        raise CheckpointError(
            f"{what} was made with the tokenizer {found}, and this one is {wanted}: the same ids mean other pieces of "
            "text, so the output would be noise. Load the tokenizer that lies beside it, or start in another folder"
        )


def load_model(
    out_dir: Path | str,
    which: str = "best",
    step: int | None = None,
    encoding: tiktoken.Encoding | None = None,
) -> GPT:
    """A trained model from a run's folder, ready to write.

    Args:
        out_dir: folder of the run.
        which: "best" (lowest validation loss) or "last".
        step: instead, the checkpoint of exactly this step.
        encoding: the tokenizer to be used with it, compared with the one that it was trained with.

    Returns:
        the GPT on the CPU in float32, in eval mode.

    Raises:
        CheckpointError: there is no such checkpoint, it is damaged, or it was trained with another tokenizer.
    """
    out_dir = Path(out_dir)
    folders = {step_of(path): path for path in step_folders(out_dir)}
    if not folders:
        raise CheckpointError(f"{out_dir} holds no checkpoint: train first, or check the folder's name")
    if step is None and which == "best":
        step = _best_step(out_dir)
        if step is not None and step not in folders:
            print(f"the best checkpoint of {out_dir}, step {step}, is gone: the last one takes its place")
            step = None
    if step is None:
        folder, state = newest(out_dir) or (out_dir, {})
    elif step in folders:
        folder, state = folders[step], read(folders[step])
    else:
        raise CheckpointError(f"{out_dir} holds no checkpoint of step {step}: it has {', '.join(map(str, folders))}")
    if encoding is not None:
        from workshop_utils.text.tokenizer import fingerprint

        check_tokenizer(state["fingerprint"], fingerprint(encoding), f"the checkpoint {folder}")
    model = GPT(GPTConfig.from_dict(state["gpt"]))
    load_weights(model, folder)
    return model.eval()


def load_weights(model: GPT, folder: Path) -> None:
    """Copy the weights of a checkpoint into a model of the same shape."""
    from workshop_utils.training import shards
    from workshop_utils.training.processes import is_sharded

    if shards.in_folder(folder) or is_sharded(model):
        shards.load_weights(model, folder)
        return
    weights = load_file(folder / FILES[0])
    model.load_state_dict(weights | {"lm_head.weight": weights["transformer.wte.weight"]})


def load_training(folder: Path) -> dict[str, Tensor]:
    """The tensors of the optimiser and of the random number generators, free of the file that they came from."""
    return {name: tensor.clone() for name, tensor in load_file(folder / FILES[1]).items()}


def pack_optimizer(optimizer: torch.optim.Optimizer, prefix: str) -> tuple[dict[str, Tensor], list[Any]]:
    """Split an optimiser's state into tensors, by name, and plain values for JSON."""
    saved = optimizer.state_dict()
    tensors = {f"{prefix}.{i}.{key}": value for i, slots in saved["state"].items() for key, value in slots.items()}
    return {name: value.contiguous() for name, value in tensors.items()}, saved["param_groups"]


def unpack_optimizer(
    optimizer: torch.optim.Optimizer, prefix: str, tensors: dict[str, Tensor], groups: list[Any]
) -> None:
    """Put back what `pack_optimizer` took apart; whole tensors are cut where the parameters are in slices."""
    from workshop_utils.training.shards import like

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(prefix + "."):
            _, i, key = name.split(".")
            state.setdefault(int(i), {})[key] = like(parameters[int(i)], value)
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _best_step(out_dir: Path) -> int | None:
    """The step with the lowest validation loss; None where none was measured."""
    path = out_dir / BEST
    if not path.is_file():
        return None
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        print(f"{path} is damaged ({one_line(error)}): which step was best is not known, the last one takes its place")
        return None
