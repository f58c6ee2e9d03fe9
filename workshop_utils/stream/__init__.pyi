# What `from workshop_utils.stream import ...` offers; read by type checkers and, lazily, by __init__.py.
from .dataset import StreamingTokenDataset as StreamingTokenDataset
from .readers import StreamSettings as StreamSettings
