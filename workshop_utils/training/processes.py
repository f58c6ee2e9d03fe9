"""Several processes, one training: who is who under torchrun, whose rows are whose, and how their numbers meet.

Every process runs the same `train` on its own part of each batch. `world()` says which part that is. A process that
torchrun did not start is alone: it gets the same answers without a process group. torchrun.py starts the processes.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

if TYPE_CHECKING:
    from workshop_utils.gpt.model import GPT
    from workshop_utils.machine.energy import Energy

T = TypeVar("T")
HOW = ("ddp", "fsdp")
PATIENCE = timedelta(minutes=30)  # how long a process waits for the others before it gives up


class DistributedError(RuntimeError):
    """The processes cannot work together; the message says why and what to set."""


class World:
    """The processes that train together, as one of them sees it. Alone, everything comes back as it was given."""

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0) -> None:
        self.rank, self.size, self.local_rank = rank, size, local_rank

    @property
    def is_main(self) -> bool:
        """Whether this is the one process that prints and writes."""
        return self.rank == 0

    def sum(self, value: float) -> float:
        """Add up a number over all processes; all of them must call."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(total)
        return total.item()

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank, on every process; all of them must call."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def from_main(self, make: Callable[[], T]) -> T:
        """Let rank 0 make something, and hand it to everybody; the others wait.

        Where rank 0 raises, torchrun ends the others, so that a mistake is said once.
        """
        if self.size == 1:
            return make()
        box: list[Any] = [make() if self.is_main else None]
        dist.broadcast_object_list(box, src=0)
        return cast("T", box[0])

    def shares(self, data: object) -> int:
        """How many processes cut one drawn batch up between them: all, or 1 where the data is already split.

        Args:
            data: batches; a stream says in `world_size` between how many processes its rows are divided, and in `rank`
                whose share it is.

        Raises:
            DistributedError: it is divided between another number of processes, or is the share of another process.
        """
        split, rank = getattr(data, "world_size", 1), getattr(data, "rank", self.rank)
        if split not in (1, self.size) or (split > 1 and rank != self.rank):
            raise DistributedError(
                f"the data is share {rank} of {split}, and this is process {self.rank} of {self.size}: rows would be "
                "read twice or never. Make the data with the rank and the world_size of training.world()"
            )
        return self.size // split

    def rows(self, batch: Tensor, shares: int) -> Tensor:
        """This process's rows of a batch (shares * B, T) that all of them drew alike: (B, T)."""
        return batch if shares == 1 else batch.chunk(shares)[self.rank]

    def use(self, device: str) -> None:
        """Take the GPU that is meant for this process.

        Raises:
            DistributedError: there are more processes than GPUs on this machine.
        """
        if device != "cuda" or self.size == 1:
            return
        there = torch.cuda.device_count()
        if self.local_rank >= there:
            raise DistributedError(
                f"process {self.local_rank + 1} of a machine with {there} GPUs: set --nproc_per_node={there}, or "
                '"device": "cpu" and "dtype": "float32" in the "training" part of the run file'
            )
        torch.cuda.set_device(self.local_rank)
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        mine = visible[self.local_rank] if self.local_rank < len(visible) and visible[0] else str(self.local_rank)
        os.environ.setdefault("CODECARBON_GPU_IDS", mine)  # or each process would count the power of all GPUs

    def bill(self, energy: Energy) -> Energy:
        """The energy of all processes together; all of them must call."""
        if self.size == 1:
            return energy
        parts = self.gather(energy)
        total = sum(parts[1:], parts[0])
        if total.kind == "unavailable":
            return energy
        return replace(total, seconds=energy.seconds, note=f"{total.note}; sum of {self.size} processes")


@cache
def world() -> World:
    """Who this process is. The first call joins the process group if torchrun started several processes.

    Returns:
        the World: from torchrun's RANK, WORLD_SIZE and LOCAL_RANK, or a World of one.

    Raises:
        DistributedError: the variables make no sense.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    if "RANK" not in os.environ:
        raise DistributedError(
            f"WORLD_SIZE is {size}, but RANK is not set: start with torchrun, which sets both, or unset WORLD_SIZE"
        )
    if not dist.is_initialized():
        # Tensors on GPUs travel through NCCL; counts, losses and objects through gloo, whatever the device.
        both = torch.cuda.device_count() > 0 and dist.is_nccl_available()
        c10d = cast("Any", dist)  # which exports more than it says
        store, rank, size = next(iter(c10d.rendezvous("env://", timeout=PATIENCE)))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if both else "gloo",
            store=c10d.PrefixStore(_round(), store),
            rank=rank,
            world_size=size,
            timeout=PATIENCE,
        )
    return World(dist.get_rank(), dist.get_world_size(), int(os.environ.get("LOCAL_RANK", "0")))


def _round() -> str:
    """A name for this start of the processes, unlike that of an earlier start.

    Since torch 2.5 torchrun hands the same store to every start, where the addresses of processes that died still are,
    and a restart may wait for them for ever (pytorch#135712). On one machine the count of restarts tells the starts
    apart. Several machines count differently: there TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 makes torchrun take new ones.
    """
    alone = os.environ.get("GROUP_WORLD_SIZE", "1") == "1"
    return f"start {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0') if alone else '0'}"


@contextmanager
def together() -> Iterator[World]:
    """Join the others for a block of work, and part from them when it has ended well.

    After an error nobody waits: the process ends, torchrun sees it, ends the others, and starts all of them again if it
    may.
    """
    here = world()
    yield here
    if here.size > 1:
        dist.destroy_process_group()
        world.cache_clear()


# --- one model, several processes


def wrap(model: GPT, how: str, device: str, here: World) -> nn.Module:
    """Prepare a model for training in several processes.

    Args:
        model: on its device. Everybody gets the weights of rank 0. With "fsdp" it is changed in place: each process
            keeps a slice of every tensor (of dimension 0), and of the optimiser's state with it.
        how: "ddp" (a whole copy in each process, gradients are averaged) or "fsdp" (FSDP2: for models that do not fit).
        device: "cpu" or "cuda".
        here: the processes.

    Returns:
        what to call in the loop: the model itself, or DDP around it.

    Raises:
        ValueError: how is something else.

    Source: Li et al., arXiv 2006.15704 (DDP); Rajbhandari et al., arXiv 1910.02054 (ZeRO, stage 3, which FSDP is).
    """
    if how not in HOW:
        raise ValueError(f"parallel is {how!r}: choose one of {', '.join(HOW)}")
    if here.size == 1 or is_sharded(model):  # one that was trained before stays in slices
        return model
    if how == "ddp":
        ddp, devices = nn.parallel.DistributedDataParallel, [here.local_rank] if device == "cuda" else None
        new = "forward_sync_buffers" in inspect.signature(ddp).parameters  # the name since torch 2.13
        still: dict[str, Any] = {"forward_sync_buffers" if new else "broadcast_buffers": False}  # they never change
        return ddp(model, devices, gradient_as_bucket_view=True, **still)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    for tensor in (*model.parameters(), *model.buffers()):
        dist.broadcast(tensor.detach(), src=0)
    mesh = init_device_mesh(device, (here.size,))
    for block in model.blocks:  # each is gathered when it is its turn, and let go of afterwards
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)  # the rest: the tied table, which reads in and writes out, and the last norm
    return model


def is_sharded(model: nn.Module) -> bool:
    """Whether each process holds only slices of this model."""
    return any(hasattr(parameter, "device_mesh") for parameter in model.parameters())


def whole(tensors: dict[str, Tensor], here: World) -> dict[str, Tensor]:
    """Gather tensors of which each process may hold a slice, one after the other; all processes must call.

    Args:
        tensors: by name, whole ones and slices.
        here: the processes.

    Returns:
        all of them whole and contiguous, slices on the CPU, on rank 0; nothing elsewhere.
    """
    gathered = {}
    for name, tensor in tensors.items():
        found = full(tensor)
        if here.is_main:
            gathered[name] = (found if found is tensor else found.cpu()).contiguous()
    return gathered


def full(tensor: Tensor) -> Tensor:
    """A whole tensor, also where each process holds a slice of it; then all of them must call."""
    return cast("Any", tensor).full_tensor() if hasattr(tensor, "full_tensor") else tensor


def like(wanted: Tensor, found: Tensor) -> Tensor:
    """A whole tensor, cut as another one is: into this process's slice, or not at all."""
    if not hasattr(wanted, "device_mesh") or found.shape != wanted.shape:  # a step count has no slices
        return found
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(wanted, DTensor)
    return distribute_tensor(found.to(wanted.device), wanted.device_mesh, wanted.placements, src_data_rank=None)


def exchange(module: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Let the gradients of a backward pass meet those of the other processes only after the last micro-batch."""
    if isinstance(module, nn.parallel.DistributedDataParallel):
        return nullcontext() if last else cast("AbstractContextManager[None]", module.no_sync())
    if is_sharded(module):
        cast("Any", module).set_requires_gradient_sync(last)
    return nullcontext()
