"""Checkpoints of a model that no process holds as a whole: each writes its slices, and any number reads them.

torch.distributed.checkpoint in its safetensors form, within the folder, the name and the checksums of checkpoints.py.
A folder of slices can be read by one process, and a folder of one process by many.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from workshop_utils.gpt.model import GPT
from workshop_utils.training.processes import World
from workshop_utils.training.run_folder import FILES, CheckpointError, written_whole

SLICES = "slices"  # where they lie in a checkpoint's folder


def in_folder(folder: Path) -> bool:
    """Whether a checkpoint consists of slices."""
    return (folder / SLICES).is_dir()


def save(out_dir: Path, step: int, model: GPT, training: dict[str, Tensor], state: dict[str, Any], here: World) -> None:
    """Write the checkpoint of a step, all processes together; it gets its name when all slices are on the disk.

    Args:
        out_dir: folder of the run, which every process must see.
        step: updates done so far.
        model: sharded.
        training: tensors of the optimiser and of the random number generators; slices and whole ones.
        state: everything else, as plain values.
        here: the processes.

    Raises:
        CheckpointError: it cannot be written.
    """
    from torch.distributed.checkpoint.api import CheckpointException

    slices = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}  # tied
    slices |= {name: tensor for name, tensor in training.items() if _is_slice(tensor)}
    whole = {name: tensor for name, tensor in training.items() if name not in slices}
    if not here.is_main:
        _write(slices, here.from_main(Path) / SLICES)
        return
    with written_whole(out_dir, step, model, state) as temporary:
        (temporary / SLICES).mkdir()
        here.from_main(lambda: temporary)
        try:
            _write(slices, temporary / SLICES)
        except CheckpointException as error:
            raise OSError("; ".join(f"process {rank}: {part}" for rank, part in error.failures.items())) from error
        save_file(whole, temporary / FILES[1])


def _write(slices: dict[str, Tensor], folder: Path) -> None:
    from torch.distributed.checkpoint import state_dict_saver
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter

    if not folder.is_dir():
        raise CheckpointError(
            f"rank 0 writes to {folder}, which another process does not see: choose a folder for out that lies on a "
            "file system that all machines share"
        )
    state_dict_saver.save(slices, storage_writer=HuggingFaceStorageWriter(str(folder), save_distributed=True))


def _read(wanted: dict[str, Tensor], folder: Path) -> None:
    """Fill tensors, whole ones or slices, from a folder of slices."""
    import torch.distributed as dist
    from torch.distributed.checkpoint import state_dict_loader
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader

    alone = not dist.is_initialized()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # as it should be
        state_dict_loader.load(wanted, storage_reader=HuggingFaceStorageReader(str(folder / SLICES)), no_dist=alone)


def load_weights(model: GPT, folder: Path) -> None:
    """Copy weights from a checkpoint into a model, where the checkpoint, the model or both are in slices."""
    wanted = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}  # tied
    if in_folder(folder):
        _read(wanted, folder)
        return
    found = load_file(folder / FILES[0])
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(like(tensor, found[name]))


def load_optimizer(optimizers: list[torch.optim.Optimizer], folder: Path) -> dict[str, Tensor]:
    """The tensors of the optimisers' state that lie in slices, as they fit the parameters of this process."""
    if not in_folder(folder):
        return {}
    from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader

    there = set(HuggingFaceStorageReader(str(folder / SLICES)).read_metadata().state_dict_metadata)
    wanted = {}
    for i, optimizer in enumerate(optimizers):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for name in there:
            if name.startswith(f"optimizer{i}."):
                wanted[name] = torch.zeros_like(parameters[int(name.split(".")[1])])
    _read(wanted, folder)
    return wanted


def like(wanted: Tensor, whole: Tensor) -> Tensor:
    """A whole tensor, cut as another one is: into this process's slice, or not at all."""
    if not _is_slice(wanted) or _is_slice(whole) or whole.shape != wanted.shape:
        return whole
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(wanted, DTensor)
    return distribute_tensor(whole.to(wanted.device), wanted.device_mesh, wanted.placements, src_data_rank=None)


def _is_slice(tensor: Tensor) -> bool:
    return hasattr(tensor, "device_mesh")
