"""What a single lesson needs: failures to provoke, the Stoic's data and score, notes to search."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
