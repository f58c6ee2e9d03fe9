# What `from workshop_utils.plots import ...` offers; read by type checkers and, lazily, by __init__.py.
from .basics import bars as bars
from .basics import batches as batches
from .basics import coherence as coherence
from .basics import compare_losses as compare_losses
from .basics import loss_and_rate as loss_and_rate
from .basics import merge_counts as merge_counts
from .basics import one_batch as one_batch
from .basics import parts_in_colour as parts_in_colour
from .basics import schedule as schedule
from .basics import shifted_by_one as shifted_by_one
from .basics import tokens_in_colour as tokens_in_colour
from .basics import vocabulary_sizes as vocabulary_sizes
from .blinded import blind as blind
from .coloured import parts_of as parts_of
from .coloured import show_mask as show_mask
from .sliders import live as live
