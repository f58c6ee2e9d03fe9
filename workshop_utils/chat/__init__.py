"""Conversations: the chat template and its mask, and the models that answer (lessons 01 and 07)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
