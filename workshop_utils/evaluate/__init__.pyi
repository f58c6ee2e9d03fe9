# What `from workshop_utils.evaluate import ...` offers; read by type checkers and, lazily, by __init__.py.
from .classifier import ClassifierJudge as ClassifierJudge
from .endpoint import EndpointJudge as EndpointJudge
from .endpoint import judge_from_environment as judge_from_environment
from .intervals import bootstrap as bootstrap
from .intervals import paired as paired
from .intervals import wilson as wilson
from .judges import Judgement as Judgement
from .judges import Rubric as Rubric
from .judges import agreement as agreement
from .judges import compare as compare
from .measures import distinct as distinct
from .measures import questions_right as questions_right
from .measures import repetition as repetition
from .measures import reply_perplexity as reply_perplexity
from .overlap import leakage as leakage
