# What `from workshop_utils.encoder import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import classify as classify
from . import search as search
from . import summaries as summaries
from . import tag as tag
from .heads import mean_pool as mean_pool
