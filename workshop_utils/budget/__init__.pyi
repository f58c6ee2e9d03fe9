# What `from workshop_utils.budget import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import cures as cures
from . import estimates as estimates
from . import gpus as gpus
from . import memory as memory
from . import shapes as shapes
from . import units as units
from . import wording as wording
from .estimates import estimate as estimate
from .estimates import table as table
from .memory import Plan as Plan
from .wording import PYTHON_INT as PYTHON_INT
from .wording import text_budget as text_budget
