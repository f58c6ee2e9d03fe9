# What `from workshop_utils.quantize import ...` offers; read by type checkers and, lazily, by __init__.py.
from .by_hand import absmax_int8 as absmax_int8
from .by_hand import dequantise as dequantise
from .by_hand import nf4 as nf4
from .by_hand import nf4_dequantise as nf4_dequantise
from .methods import METHODS as METHODS
from .methods import quantise as quantise
from .tables import printed as printed
from .tables import table as table
