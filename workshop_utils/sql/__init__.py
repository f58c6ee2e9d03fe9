"""Text to SQL: examples, a tuning, and a judge that runs queries where they can do no harm (lesson 08)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
