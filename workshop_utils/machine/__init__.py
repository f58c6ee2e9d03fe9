"""The machine: what it has, which profile fits, the hub, files and energy (lesson 00)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
