# What `from workshop_utils.export import ...` offers; read by type checkers and, lazily, by __init__.py.
from .gguf import write_gguf as write_gguf
