# What `from workshop_utils.machine import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import doctor as doctor
from . import energy as energy
from . import files as files
from . import hardware as hardware
from . import profiles as profiles
from . import record as record
from . import sentences as sentences
from .profiles import Profile as Profile
from .profiles import choose as choose
from .profiles import hurried as hurried
from .profiles import setup as setup
from .record import stamp as stamp
