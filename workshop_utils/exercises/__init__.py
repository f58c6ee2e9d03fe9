"""The exercises of the lessons, one module a lesson, loaded when a lesson asks for them.

Each module lessonNN.py holds EXERCISES, a list of workshop_utils.exercises.checks.Exercise.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workshop_utils.exercises.checks import Exercise


def lessons() -> list[str]:
    """List the numbers of the lessons that have exercises, as in ["02", "03", "04"]."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(name.removeprefix("lesson") for name in names if name.startswith("lesson"))


def of_lesson(number: str) -> list[Exercise]:
    """Load the exercises of one lesson.

    Args:
        number: two digits, as in "04".

    Returns:
        Its exercises, in the order of their numbers.

    Raises:
        LookupError: the lesson has none.
    """
    if number not in lessons():
        raise LookupError(f"there are no exercises for lesson {number!r}, only for {', '.join(lessons()) or 'none'}")
    module = importlib.import_module(f"{__name__}.lesson{number}")
    return sorted(module.EXERCISES, key=lambda exercise: [int(part) for part in exercise.id.split(".")])


def find(id: str) -> Exercise:
    """Find an exercise by its id.

    Args:
        id: lesson and number, as in "04.2".

    Returns:
        The exercise.

    Raises:
        LookupError: no exercise has this id.
    """
    known = of_lesson(str(id).partition(".")[0])
    for exercise in known:
        if exercise.id == id:
            return exercise
    raise LookupError(f"there is no exercise {id!r}, only {', '.join(exercise.id for exercise in known)}")
