# What `from workshop_utils.export import ...` offers; read by type checkers and, lazily, by __init__.py.
from .bundle import Origin as Origin
from .bundle import export as export
from .bundle import hashes as hashes
from .bundle import modelfile as modelfile
from .gguf import write_gguf as write_gguf
from .hf import as_transformers as as_transformers
from .hf import chat_tokenizer as chat_tokenizer
from .llama_cpp import LlamaCpp as LlamaCpp
from .source import answers as answers
from .source import load_any as load_any
from .source import load_run as load_run
from .source import merged as merged
from .source import origin_of as origin_of
