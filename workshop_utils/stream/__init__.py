"""A corpus that is never all there: split, packed, shuffled and resumed as it arrives (lesson 06)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
