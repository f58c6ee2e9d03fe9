# What `from workshop_utils.tuning import ...` offers; read by type checkers and, lazily, by __init__.py.
from .backends import choose_backend as choose_backend
from .finetune import TuneConfig as TuneConfig
from .finetune import tune as tune
