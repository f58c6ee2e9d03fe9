"""A machine with exactly one GPU, a T4, played by the CPU: sitecustomize.py imports this where ONE_GPU is set.

torch says that there is a CUDA device, and whatever is sent to "cuda" stays on the CPU. So the package and the lessons
take every branch of a GPU, float16 with its overflows included. What only the chip has is not seen: its memory, its
kernels, and a tensor that somebody forgot to move.
"""

import functools
import importlib.abc
import importlib.machinery
import resource
import sys
from pathlib import Path
from types import SimpleNamespace

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # of Linux
NAME, CAPABILITY, BYTES = "Tesla T4", (7, 5), int(15.8e9)


def _on_cpu(value):
    """The CPU in the place of a CUDA device, however it is named; anything else as it is."""
    import torch

    if isinstance(value, str) and value.split(":")[0] == "cuda":
        return "cpu"
    return torch.device("cpu") if isinstance(value, torch.device) and value.type == "cuda" else value


def _redirected(function):
    """A function that computes on the CPU what it was asked to compute on the GPU."""

    @functools.wraps(function)
    def redirected(*args, **kwargs):
        for name in {"device", "map_location"} & set(kwargs):
            kwargs[name] = _on_cpu(kwargs[name])
        return function(*map(_on_cpu, args), **kwargs)

    return redirected


def _cpu_class(kind):
    """Make a class whose first argument is the device's type, torch.autocast or GradScaler, take "cpu" for "cuda"."""
    init = kind.__init__

    def __init__(self, device="cuda", *args, **kwargs):  # GradScaler's default; autocast's is always given
        init(self, "cpu" if str(kwargs.pop("device_type", device)).startswith("cuda") else device, *args, **kwargs)

    kind.__init__ = __init__


def _status(name):
    """A line of /proc/self/status, in bytes."""
    return int(STATUS.read_text().partition(f"\n{name}:")[2].split()[0]) * 1024


def _limit(fraction, device=0):
    """Let torch have this share of the GPU's memory and no more; what it has already counts."""
    import torch

    left, (_, most) = int(fraction * BYTES) - torch.cuda.memory_allocated(), resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (_status("VmData") + left if fraction < 1 else most, most))


def _patch_torch(torch):
    from torch.utils._device import _device_constructors

    for function in _device_constructors():  # torch.zeros, torch.tensor, torch.arange, ...
        if getattr(torch, function.__name__, None) is function:
            setattr(torch, function.__name__, _redirected(function))
    torch.Tensor.to = _redirected(torch.Tensor.to)
    torch.load = _redirected(torch.load)
    torch.Generator = type("Generator", (torch.Generator,), {"__new__": _redirected(torch.Generator.__new__)})
    torch.Tensor.cuda = torch.Tensor.pin_memory = lambda self, *args, **kwargs: self
    _cpu_class(torch.amp.autocast_mode.autocast)
    _cpu_class(torch.amp.grad_scaler.GradScaler)
    answers = {
        "is_available": True,
        "is_initialized": True,
        "is_bf16_supported": True,  # as on a T4, which emulates it
        "device_count": 1,
        "current_device": 0,
        "set_device": None,
        "get_device_name": NAME,
        "get_device_capability": CAPABILITY,
        "get_device_properties": SimpleNamespace(
            name=NAME, total_memory=BYTES, major=CAPABILITY[0], minor=CAPABILITY[1], multi_processor_count=40
        ),
        "mem_get_info": (BYTES - 10**9, BYTES),
        "empty_cache": None,
        "synchronize": None,
        "manual_seed": None,
        "manual_seed_all": None,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda *args, _answer=answer, **kwargs: _answer)
    held = _status("RssAnon")  # torch's books begin here
    torch.cuda.memory_allocated = lambda device=0: max(0, _status("RssAnon") - held)
    torch.cuda.memory_reserved = torch.cuda.memory_allocated
    torch.cuda.max_memory_allocated = lambda device=0: max(
        0, _status("VmHWM") - _status("RssFile") - _status("RssShmem") - held
    )
    torch.cuda.reset_peak_memory_stats = lambda device=0: CLEAR_REFS.write_text("5")
    torch.cuda.set_per_process_memory_fraction = _limit
    for module in (torch.cuda, torch.cuda.random):
        module.get_rng_state = lambda device=0: torch.get_rng_state()
        module.set_rng_state = lambda state, device=0: torch.set_rng_state(state)


def _patch_safetensors(torch_part):
    torch_part.load_file = _redirected(torch_part.load_file)


def _patch_transformers(modeling_utils):
    """Load where the weights are, and say that they are on the GPU, or accelerate refuses to train them there."""
    load = modeling_utils.PreTrainedModel.from_pretrained.__func__

    @functools.wraps(load)
    def from_pretrained(cls, *args, device_map=None, **kwargs):
        if device_map is None:
            return load(cls, *args, **kwargs)
        made = load(cls, *args, device_map={part: _on_cpu(place) for part, place in device_map.items()}, **kwargs)
        model = made[0] if isinstance(made, tuple) else made  # with output_loading_info
        model.hf_device_map = device_map
        return made

    modeling_utils.PreTrainedModel.from_pretrained = classmethod(from_pretrained)


def _without_gpu(run, module):
    """Import a module as on a machine without a GPU: bitsandbytes would load kernels for CUDA, which are not there."""
    import torch

    found, torch.cuda.is_available = torch.cuda.is_available, lambda: False
    run(module)
    torch.cuda.is_available = found


def _then(patch):
    def imported(run, module):
        run(module)
        patch(module)

    return imported


_WANTED = {
    "torch": _then(_patch_torch),
    "safetensors.torch": _then(_patch_safetensors),
    "transformers.modeling_utils": _then(_patch_transformers),
    "bitsandbytes": _without_gpu,
}


class _Patcher(importlib.abc.MetaPathFinder):
    """Has a say when a module is imported, and imports nothing itself: most processes here need no torch."""

    def find_spec(self, name, path, target=None):
        if name not in _WANTED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader.exec_module = functools.partial(_WANTED[name], spec.loader.exec_module)
        return spec


sys.meta_path.insert(0, _Patcher())
