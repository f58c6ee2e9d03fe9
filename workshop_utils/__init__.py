"""Tools of the workshop on small language models.

Names are loaded when they are first used, so that `import workshop_utils` is quick and needs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
