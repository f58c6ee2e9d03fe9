"""Training a GPT: the loop, its batches, optimisers, checkpoints and processes (lessons 04 and 06)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
