# What `from workshop_utils.sql import ...` offers; read by type checkers and, lazily, by __init__.py.
from .examples import Example as Example
from .examples import answers as answers
from .examples import conversations as conversations
from .examples import messages as messages
from .examples import of_hub as of_hub
from .examples import of_shops as of_shops
from .examples import verdicts as verdicts
from .form import compact as compact
from .form import prompt as prompt
from .form import standard as standard
from .judge import Verdict as Verdict
from .judge import judge as judge
from .judge import same as same
from .recipe import attach as attach
from .recipe import config as config
from .sandbox import Result as Result
from .sandbox import Sandbox as Sandbox
