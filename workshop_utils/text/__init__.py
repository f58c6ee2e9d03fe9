"""Text into tokens: tokenizers, token files, and the documents that they are made of (lesson 02)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
