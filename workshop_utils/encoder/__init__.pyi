# What `from workshop_utils.encoder import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import classify as classify
from . import search as search
from . import summaries as summaries
from . import tag as tag
from .distil import distillation_loss as distillation_loss
from .distil import half as half
from .heads import mean_pool as mean_pool
from .masked import accuracy as accuracy
from .masked import fill as fill
from .masked import masked as masked
from .masked import rows_of as rows_of
from .masked import train as train
from .pocket import SHIPPED as SHIPPED
from .pocket import encoder_tokenizer as encoder_tokenizer
from .pocket import load_encoder as load_encoder
from .pocket import new_encoder as new_encoder
