"""What libraries print where it is no news: silenced, and put back afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


def quiet_libraries() -> None:
    """Silence warnings that are expected without a GPU and that nobody can act on.

    torchao, which transformers imports, names the kernels that it cannot load and upsets torch's pytree; bitsandbytes
    looks on the hub for a faster kernel and says that there is none, and at each layer that int8 casts its inputs.
    """
    for name in ("torchao", "torch.utils._pytree", "bitsandbytes.backends.cpu.ops", "bitsandbytes.autograd._functions"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def no_bar(hidden: bool) -> Iterator[None]:
    """Hide the bar that transformers draws while it loads weights, where `hidden` says so."""
    from transformers.utils import logging as told

    shown = told.is_progress_bar_enabled()
    try:
        if hidden:
            told.disable_progress_bar()
        yield
    finally:
        if shown:
            told.enable_progress_bar()


@contextmanager
def hushed() -> Iterator[None]:
    """No progress bars over a hundred rows, and no warning about tokens that are put right again afterwards."""
    import datasets
    from transformers.utils import logging as told

    level, bars = told.get_verbosity(), datasets.are_progress_bars_disabled()
    told.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        told.set_verbosity(level)
        if not bars:
            datasets.enable_progress_bars()
