# What `from workshop_utils.encoder import ...` offers; read by type checkers and, lazily, by __init__.py.
from .classify import Classifier as Classifier
