# What `from workshop_utils.tuning import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import backends as backends
from . import finetune as finetune
from . import lora as lora
from . import trainer as trainer
from .backends import choose_backend as choose_backend
from .finetune import TuneConfig as TuneConfig
from .finetune import tune as tune
