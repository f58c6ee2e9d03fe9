"""The model: its configuration, the GPT, sampling from it, and the way to and from transformers' GPT-2 (lesson 03)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
