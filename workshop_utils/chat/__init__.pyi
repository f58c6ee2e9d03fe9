# What `from workshop_utils.chat import ...` offers; read by type checkers and, lazily, by __init__.py.
from .losses import batch_of as batch_of
from .losses import reply_loss as reply_loss
from .models import ModelUnavailable as ModelUnavailable
from .models import pretrained_gpt2 as pretrained_gpt2
from .template import conversation as conversation
from .template import encode as encode
from .template import render as render
