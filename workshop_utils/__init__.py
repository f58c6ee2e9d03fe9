"""Tools of the workshop on small language models.

Names are loaded when they are first used, so that `import workshop_utils` is quick and needs no torch. It imports
nothing that is not Python's own: colab.py must run before anything is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workshop_utils.exercises.checks import check as check
    from workshop_utils.machine.profiles import Profile as Profile
    from workshop_utils.machine.profiles import setup as setup

_HOME_OF = {"check": "exercises.checks", "Profile": "machine.profiles", "setup": "machine.profiles"}
__all__ = ["Profile", "check", "setup"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("slm-workshop")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOME_OF, "__version__"]
