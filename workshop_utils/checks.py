"""Tell a learner at once whether an exercise is right, and if not, what to look at.

A lesson calls `learning_rate = check("04.2", learning_rate)`. Whatever the learner wrote, the lesson goes on: with the
learner's answer if it is right, else with the package's own. The exercises live in workshop_utils/exercises/.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from workshop_utils import exercises
from workshop_utils.sameness import same, short
from workshop_utils.stubs import is_blank, is_stub, is_unfinished, lines_of_error

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

_tries: Counter[str] = Counter()  # every call of check draws fresh inputs, and a fresh kernel draws the same ones again


@dataclass(frozen=True)
class Exercise:
    """One exercise: what is asked, the package's own answer, and how the two are compared.

    Attributes:
        id: lesson and number, as in "04.2".
        what: what the lesson falls back to, as in "schedule": "the lesson goes on with the package's own schedule".
        reference: the package's own answer: a function, a class, or a plain value.
        wrong: plausible wrong answers, each under a few words that name its mistake; a test sees each of them fail
            with a hint. At least two.
        cases: draws the inputs: gets a random.Random and yields one tuple of arguments after the other, the same ones
            for the same state of the generator. None for an answer that is a plain value.
        apply: how the answer is used on the arguments; answer(*args) unless told. For a class, for example, build it,
            give it weights and call it.
        compare: None if the learner's result is right, else a sentence that says what differs.
        hint: gets the arguments, the learner's result (an Exception where the answer raised one) and the expected one,
            and returns a sentence that names the mistake, or None where it recognises none.
        praise: what to say when it is right: one sentence worth keeping.
    """

    id: str
    what: str
    reference: Any
    wrong: dict[str, Any] = field(repr=False)
    cases: Callable[[random.Random], Iterator[tuple[Any, ...]]] | None = None
    apply: Callable[..., Any] | None = None
    compare: Callable[[Any, Any], str | None] = same
    hint: Callable[[tuple[Any, ...], Any, Any], str | None] | None = None
    praise: str = ""

    def inputs(self, seed: str) -> Iterator[tuple[Any, ...]]:
        """Yield the tuples of arguments of one try; the same seed gives the same ones, in fresh objects."""
        yield from [()] if self.cases is None else self.cases(random.Random(seed))

    def result(self, answer: Any, args: tuple[Any, ...]) -> Any:
        """Use an answer on one tuple of arguments."""
        if self.apply is not None:
            return self.apply(answer, *args)
        return answer if self.cases is None else answer(*args)


@dataclass(frozen=True)
class Verdict:
    """What a check found: the state, the sentence for the learner, and whether an exercise's own hint wrote it."""

    state: str  # "right", "not yet" or "not attempted yet"
    text: str
    specific: bool = False


def check(id: str, answer: T) -> T:
    """Compare an answer with the package's own on fresh random inputs, print a sentence, and never raise.

    Args:
        id: the exercise, as in "04.2".
        answer: what the learner wrote: a function, a class or a value; the untouched stub is welcome too.

    Returns:
        The answer if it is right, else the package's own, so that the lesson can go on.
    """
    try:
        exercise = exercises.find(id)
    except (LookupError, ImportError) as problem:
        print(f"{id} cannot be checked: {problem}. The lesson goes on with your answer.")
        return answer
    try:
        verdict = judge(exercise, answer)
    except Exception as problem:  # a mistake of the workshop must not stop a learner's lesson
        print(f"{id} could not be checked, which is the workshop's mistake ({type(problem).__name__}: {problem}).")
        return exercise.reference
    print(f"{id} {verdict.state}: {verdict.text}")
    return answer if verdict.state == "right" else exercise.reference


def judge(exercise: Exercise, answer: Any, seed: str | None = None) -> Verdict:
    """Compare an answer with the reference of an exercise, without printing.

    Args:
        exercise: the exercise.
        answer: what the learner wrote.
        seed: of the random inputs; new ones on each call if None.

    Returns:
        The verdict.
    """
    not_attempted = Verdict("not attempted yet", f"the lesson goes on with the package's own {exercise.what}")
    if is_stub(answer):
        return not_attempted
    kind = _wrong_kind(exercise, answer)
    if kind:
        return Verdict("not yet", kind)
    if seed is None:
        _tries[exercise.id] += 1
        seed = f"{exercise.id}/{_tries[exercise.id]}"

    tried = 0
    # Three draws of the same inputs: an answer that changes its arguments in place spoils neither of the others.
    draws = zip(exercise.inputs(seed), exercise.inputs(seed), exercise.inputs(seed), strict=True)
    with _own_randomness():
        for args, args_of_reference, args_for_hint in draws:
            _seed_everything(tried)
            expected = exercise.result(exercise.reference, args_of_reference)
            _seed_everything(tried)
            try:
                got = exercise.result(answer, args)
            except Exception as error:  # whatever a learner's code raises becomes part of the hint
                got = error
            if tried == 0 and is_unfinished(answer, got):
                return not_attempted
            problem = _difference(exercise, answer, args_for_hint, got, expected)
            if problem:
                return _not_yet(exercise, args_for_hint, got, expected, problem)
            tried += 1
    return Verdict("right", exercise.praise or _default_praise(exercise, tried))


def torch_generator(rng: random.Random) -> torch.Generator:
    """Make a torch generator whose seed is drawn from rng, for the tensors of an exercise's cases."""
    import torch

    return torch.Generator().manual_seed(rng.getrandbits(48))


def randn(rng: random.Random, *shape: int) -> torch.Tensor:
    """Draw a float32 tensor of the given shape from the normal distribution, by a random.Random."""
    import torch

    return torch.randn(*shape, generator=torch_generator(rng))


def randint(rng: random.Random, high: int, *shape: int) -> torch.Tensor:
    """Draw an int64 tensor of the given shape with values from 0 to high - 1, by a random.Random."""
    import torch

    return torch.randint(high, shape, generator=torch_generator(rng))


def _default_praise(exercise: Exercise, tried: int) -> str:
    if exercise.cases is None:
        return f"the same as the package's own {exercise.what}"
    return f"the same as the package's own {exercise.what} on {tried} random input{'s' if tried > 1 else ''}"


def _wrong_kind(exercise: Exercise, answer: Any) -> str | None:
    """Say when a result was handed over where the function itself is wanted, or the other way round."""
    wants_class = isinstance(exercise.reference, type)
    if wants_class and not isinstance(answer, type):
        return f"the check wants the class itself and got {short(answer)}. Hand over its name, without brackets."
    if exercise.cases is not None and callable(exercise.reference) and not callable(answer):
        return f"the check wants the function itself and got {short(answer)}. Hand over its name, without brackets."
    if exercise.cases is None and callable(answer) and not callable(exercise.reference):
        return f"the check wants a value and got {short(answer)}. Call it, and hand over what it returns."
    return None


def _difference(exercise: Exercise, answer: Any, args: tuple[Any, ...], got: Any, expected: Any) -> str | None:
    """Return the generic sentence about what is wrong, or None if nothing is."""
    if isinstance(got, Exception):
        return lines_of_error(answer, got)
    if is_blank(got):
        return "your function returned nothing (None). Is a `return` missing?"
    try:
        problem = exercise.compare(got, expected)
    except Exception as error:  # a result of an unforeseen kind is the learner's mistake, not a crash
        return f"your result is {short(got)}, it should be {short(expected)} ({type(error).__name__}: {error})."
    if problem is None:
        return None
    return f"for the input {', '.join(map(short, args))}: {problem}" if args else problem


def _not_yet(exercise: Exercise, args: tuple[Any, ...], got: Any, expected: Any, problem: str) -> Verdict:
    """Prefer the exercise's own hint, which names the mistake, to the generic sentence."""
    hint = None
    if exercise.hint is not None and not is_blank(got):
        # A hint that computes with a result of an unforeseen shape may fail: the generic sentence then says it.
        with contextlib.suppress(Exception):
            hint = exercise.hint(args, got, expected)
    return Verdict("not yet", hint or problem, specific=bool(hint))


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave the global random generators as they were, so that a lesson goes on the same after any answer."""
    state = random.getstate()
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    state_of_numpy = numpy.random.get_state() if numpy else None
    try:
        with torch.random.fork_rng(devices=[]) if torch else contextlib.nullcontext():
            yield
    finally:
        random.setstate(state)
        if numpy:
            numpy.random.set_state(state_of_numpy)


def _seed_everything(seed: int) -> None:
    """Start the global generators alike for answer and reference, should they draw from them."""
    random.seed(seed)
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy:
        numpy.random.seed(seed)
    if torch:
        torch.default_generator.manual_seed(seed)  # a GPU's generators are not among those that are restored
