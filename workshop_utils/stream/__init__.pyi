# What `from workshop_utils.stream import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import batches as batches
from . import blocks as blocks
from . import dataset as dataset
from . import files as files
from . import readers as readers
from . import rows as rows
from . import s3 as s3
from .dataset import StreamingTokenDataset as StreamingTokenDataset
