"""Fine-tuning with LoRA on a frozen, perhaps quantised, model (lesson 07)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
