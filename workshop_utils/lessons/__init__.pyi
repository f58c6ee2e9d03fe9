# What `from workshop_utils.lessons import ...` offers; read by type checkers and, lazily, by __init__.py.
from . import background as background
from .catching_up import catch_up as catch_up
from .notes import Notes as Notes
from .notes import pocket_notes as pocket_notes
from .range_test import lr_range_test as lr_range_test
from .stoic_scoring import KEYWORDS as KEYWORDS
from .stoic_scoring import commonest_frame as commonest_frame
from .stoic_scoring import frames as frames
from .stoic_scoring import keyword_score as keyword_score
from .stoic_scoring import names_topic as names_topic
from .stoic_scoring import stoic_score as stoic_score
from .torchrun import device_for as device_for
from .torchrun import launch as launch
