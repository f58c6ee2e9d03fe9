# What `from workshop_utils.command import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import brand as brand
from . import cli as cli
from . import kernel as kernel
from . import own_text as own_text
from . import report as report
from . import run_file as run_file
from . import run_lessons as run_lessons
from . import talk as talk
