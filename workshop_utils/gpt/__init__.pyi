# What `from workshop_utils.gpt import ...` offers; read by type checkers and, lazily, by __init__.py.
from .config import GPTConfig as GPTConfig
from .config import TrainConfig as TrainConfig
from .gpt2 import from_hf as from_hf
from .gpt2 import to_hf as to_hf
from .model import GPT as GPT
from .sampling import generate_text as generate_text
from .shipped import load_shipped as load_shipped
