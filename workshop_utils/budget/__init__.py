"""Will it fit, how long will it take, what will it cost: an estimate before the run (lesson 06)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
