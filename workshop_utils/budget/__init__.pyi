# What `from workshop_utils.budget import ...` offers; read by type checkers and, lazily, by __init__.py.
from .estimates import PYTHON_INT as PYTHON_INT
from .estimates import estimate as estimate
from .estimates import table as table
from .gpus import Gpu as Gpu
from .gpus import prices as prices
from .memory import Plan as Plan
from .shapes import Shape as Shape
