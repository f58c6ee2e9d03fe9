# What `from workshop_utils.training import ...` offers; read by type checkers and, lazily, by __init__.py.
from .checkpoints import load_model as load_model
from .processes import world as world
from .run import TrainingStopped as TrainingStopped
from .run import run_dir as run_dir
from .run_folder import CheckpointError as CheckpointError
from .run_folder import step_folders as step_folders
from .train import estimate_loss as estimate_loss
from .train import train as train
