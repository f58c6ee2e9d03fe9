# What `from workshop_utils.lessons import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import failures as failures
from . import failures_child as failures_child
from . import failures_process as failures_process
from . import failures_quantised as failures_quantised
from . import notes as notes
from . import stoic_run as stoic_run
from . import stoic_scoring as stoic_scoring
from . import stoic_set as stoic_set
from .notes import Notes as Notes
from .notes import pocket_notes as pocket_notes
from .stoic_scoring import KEYWORDS as KEYWORDS
from .stoic_scoring import keyword_score as keyword_score
from .stoic_scoring import stoic_score as stoic_score
