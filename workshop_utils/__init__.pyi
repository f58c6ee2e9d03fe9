# What every lesson imports; read by type checkers and, lazily, by __init__.py.
from .exercises.checks import check as check
from .machine.profiles import Profile as Profile
from .machine.profiles import setup as setup
