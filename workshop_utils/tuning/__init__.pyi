# What `from workshop_utils.tuning import ...` offers; read by type checkers and, lazily, by __init__.py.
from .backends import choose_backend as choose_backend
from .finetune import TuneConfig as TuneConfig
from .finetune import tune as tune
from .own_gpt import ChatRows as ChatRows
from .own_gpt import answering as answering
from .own_gpt import chat_tokenizer as chat_tokenizer
from .own_gpt import reply as reply
from .own_gpt import teach_to_answer as teach_to_answer
from .own_gpt import with_rows as with_rows
from .own_gpt import with_turns as with_turns
