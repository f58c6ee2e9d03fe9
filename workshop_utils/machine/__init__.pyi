# What `from workshop_utils.machine import ...` offers; read by type checkers and, lazily, by __init__.py.
from .profiles import hurried as hurried
from .record import stamp as stamp
