"""Tell a learner at once whether an exercise is right, and if not, what to look at.

A lesson calls `learning_rate = check("04.2", learning_rate)`. Whatever the learner wrote, the lesson goes on: with the
learner's answer if it is right, else with the package's own. What a right answer returns in another form, such as a
list for a tensor, is converted on the way, and what it would change in place is copied first: later cells cannot tell.
The exercises live in workshop_utils/exercises/.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from workshop_utils import exercises
from workshop_utils.exercises.sameness import converted, copied, in_form, same, short, unchanged
from workshop_utils.exercises.stubs import is_blank, is_stub, is_unfinished, lines_of_error
from workshop_utils.machine import progress

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
Arguments = tuple[Any, ...]
Mistakes = dict[str, tuple[Any, str]]  # name of a wrong answer: the answer, and the sentence for whoever gave it

_tries: Counter[str] = Counter()  # every call of check draws fresh inputs, and a fresh kernel draws the same ones again


@dataclass(frozen=True)
class Exercise:
    """One exercise: what is asked, the package's own answer, and how the two are compared.

    Attributes:
        id: lesson and number, as in "04.2".
        what: what the lesson falls back to, as in "schedule": "the lesson goes on with the package's own schedule".
        reference: the package's own answer: a function, or a plain value.
        mistakes: wrong answers that people really give, by a few words that name each, with the sentence for whoever
            gave it. It is said to an answer that did the same as the wrong one on every input of a try, and to no
            other. A test sees each of them fail with its sentence.
        cases: draws the inputs: gets a random.Random and yields one tuple of arguments after the other, the same ones
            for the same state of the generator. None for an answer that is a plain value.
        apply: how the answer is used on the arguments; answer(*args) unless told.
        compare: None if the learner's result is right, else a sentence that says what differs.
        wrong: more wrong answers, of which `compare` says what differs.
        detail: a better sentence about a wrong result than that of `compare`: gets the arguments, the result and the
            right one, and returns "" where it has nothing to say.
        trained: the lesson trains through the answer, so that gradients must flow through it, too.
        praise: what to say when it is right: one sentence worth keeping.
    """

    id: str
    what: str
    reference: Any
    mistakes: Mistakes = field(default_factory=dict, repr=False)
    cases: Callable[[random.Random], Iterator[tuple[Any, ...]]] | None = None
    apply: Callable[..., Any] | None = None
    compare: Callable[[Any, Any], str | None] = same
    wrong: dict[str, Any] = field(default_factory=dict, repr=False)
    detail: Callable[[Arguments, Any, Any], str] | None = None
    trained: bool = False
    praise: str = field(kw_only=True)

    def inputs(self, seed: str) -> Iterator[tuple[Any, ...]]:
        """Yield the tuples of arguments of one try; the same seed gives the same ones, in fresh objects."""
        # Copies: `cases` may use one list in several inputs, and an answer may change it in place.
        yield from map(copied, [()] if self.cases is None else self.cases(random.Random(seed)))

    def result(self, answer: Any, args: tuple[Any, ...]) -> Any:
        """Use an answer on one tuple of arguments."""
        if self.apply is not None:
            return self.apply(answer, *args)
        return answer if self.cases is None else answer(*args)


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes:
        state: "right", "not yet" or "not attempted yet".
        text: the sentence for the learner.
        answer: what the lesson goes on with.
        hint: the sentence of a mistake, if that is what the text is; else empty.
    """

    state: str
    text: str
    answer: Any = None
    hint: str = ""


@dataclass(frozen=True)
class _Try:
    """What an answer did with one tuple of arguments."""

    args: tuple[Any, ...]  # as they were before
    got: Any
    expected: Any
    kept: bool  # whether the arguments are still what they were


def check(id: str, answer: T) -> T:
    """Compare an answer with the package's own on fresh random inputs, print a sentence, and never raise.

    Args:
        id: the exercise, as in "04.2".
        answer: what the learner wrote: a function or a value; the untouched stub is welcome too.

    Returns:
        The answer if it is right, else the package's own, so that the lesson can go on. A right function whose results
        have another form than the package's, or that changes its arguments in place, comes back in a wrapper that
        converts the ones and copies the others.
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
    if verdict.state != "not attempted yet":
        progress.note(id, verdict.state)
    return verdict.answer


def judge(exercise: Exercise, answer: Any, seed: str | None = None) -> Verdict:
    """Compare an answer with the reference of an exercise, without printing.

    Args:
        exercise: the exercise.
        answer: what the learner wrote.
        seed: of the random inputs; new ones on each call if None.

    Returns:
        The verdict.
    """
    own = exercise.reference
    not_attempted = Verdict("not attempted yet", f"the lesson goes on with the package's own {exercise.what}", own)
    if is_stub(answer):
        return not_attempted
    kind = _wrong_kind(exercise, answer)
    if kind:
        return Verdict("not yet", kind, own)
    if seed is None:
        _tries[exercise.id] += 1
        seed = f"{exercise.id}/{_tries[exercise.id]}"

    tries: list[_Try] = []
    # Three draws of the same inputs: an answer that changes its arguments in place spoils neither of the others.
    draws = zip(exercise.inputs(seed), exercise.inputs(seed), exercise.inputs(seed), strict=True)
    with _own_randomness():
        for args, args_of_reference, untouched in draws:
            _seed_everything(len(tries))
            expected = exercise.result(own, args_of_reference)
            got = _outcome(exercise, answer, args, len(tries))
            if not tries and is_unfinished(answer, got):
                return not_attempted
            tries.append(_Try(untouched, got, expected, unchanged(args, untouched)))
        for one in tries:
            problem = _difference(exercise, answer, one)
            if problem:
                hint = _mistake(exercise, seed, tries)
                return Verdict("not yet", hint or problem, own, hint)
        problem = _not_as_in_the_lesson(exercise, answer)
        if problem:
            return Verdict("not yet", f"your results are right, but {problem}", own)
        mine, notes = _for_the_lesson(exercise, answer, tries)
        if exercise.trained:
            problem = _gradient_problem(exercise, mine, answer, seed, all(one.kept for one in tries))
            if problem:
                return Verdict("not yet", problem, own)
    return Verdict("right", " ".join([exercise.praise, *notes]), mine)


def randn(rng: random.Random, *shape: int) -> torch.Tensor:
    """Draw a float32 tensor of the given shape from the normal distribution, by a random.Random."""
    import torch

    return torch.randn(*shape, generator=torch.Generator().manual_seed(rng.getrandbits(48)))


def randint(rng: random.Random, high: int, *shape: int) -> torch.Tensor:
    """Draw an int64 tensor of the given shape with values from 0 to high - 1, by a random.Random."""
    import torch

    return torch.randint(high, shape, generator=torch.Generator().manual_seed(rng.getrandbits(48)))


def _wrong_kind(exercise: Exercise, answer: Any) -> str | None:
    """Say when a result was handed over where the function itself is wanted, or the other way round."""
    if exercise.cases is not None and callable(exercise.reference) and not callable(answer):
        return f"the check wants the function itself and got {short(answer)}. Hand over its name, without brackets."
    if exercise.cases is None and callable(answer) and not callable(exercise.reference):
        return f"the check wants a value and got {short(answer)}. Call it, and hand over what it returns."
    return None


def _outcome(exercise: Exercise, answer: Any, args: tuple[Any, ...], number: int) -> Any:
    """Return what an answer makes of the arguments of one try: its result, or the exception that it raised."""
    _seed_everything(number)
    try:
        return exercise.result(answer, args)
    except (Exception, SystemExit) as error:  # whatever a learner's code raises becomes part of the sentence
        return error


def _difference(exercise: Exercise, answer: Any, one: _Try) -> str | None:
    """Return the generic sentence about what is wrong, or None if nothing is."""
    if isinstance(one.got, BaseException):
        return lines_of_error(answer, one.got)
    if is_blank(one.got):
        return "your function returned nothing (None). Is a `return` missing?"
    try:
        problem = exercise.compare(one.got, one.expected)
        if problem and exercise.detail and (sentence := exercise.detail(one.args, one.got, one.expected)):
            return sentence
    except Exception as error:  # a result of an unforeseen kind is the learner's mistake, not a crash
        return f"your result is {short(one.got)}, it should be {short(one.expected)} ({type(error).__name__}: {error})."
    if problem is None:
        return None
    return f"for the input {', '.join(map(short, one.args))}: {problem}" if one.args else problem


def _not_as_in_the_lesson(exercise: Exercise, answer: Any) -> str | None:
    """Say which argument a later cell could not pass by its name, or leave out, or None if there is none."""
    if not callable(answer):
        return None
    try:
        theirs = inspect.signature(answer).parameters
    except ValueError:  # a built-in function may not tell its arguments
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in theirs.values()):
        return None
    for name, wanted in inspect.signature(exercise.reference).parameters.items():
        given = theirs.get(name)
        if given is None or given.kind in (given.POSITIONAL_ONLY, given.VAR_POSITIONAL):
            return (
                "keep the stub's names for the arguments, since a lesson may pass them by name: yours has none called "
                f"`{name}`."
            )
        if wanted.default is not wanted.empty and given.default is given.empty:
            return f"the lesson may leave out `{name}`: keep the stub's default, {name}={wanted.default!r}."
    return None


def _mistake(exercise: Exercise, seed: str, tries: list[_Try]) -> str:
    """Return the sentence of the mistake that did the same as the answer on every input of a try, or nothing."""
    for wrong, sentence in exercise.mistakes.values():
        made = (_outcome(exercise, wrong, args, number) for number, args in enumerate(exercise.inputs(seed)))
        if all(_alike(one.got, other) for one, other in zip(tries, made, strict=True)):
            return sentence
    return ""


def _alike(got: Any, made: Any) -> bool:
    """Tell whether two answers did the same, be it a result or an error."""
    try:
        if isinstance(got, BaseException) or isinstance(made, BaseException):
            return type(got) is type(made) and str(got) == str(made)
        return same(got, made) is None
    except Exception:  # a result of an unforeseen kind is like no other
        return False


# --- what the lesson goes on with


def _for_the_lesson(exercise: Exercise, answer: T, tries: list[_Try]) -> tuple[T, list[str]]:
    """Make a right answer safe for what follows, and say what was needed for that.

    Returns:
        The answer itself where nothing is needed, else its value in the expected form, or a function that calls the
        learner's own; and a sentence for each thing that it does.
    """
    notes, examples = [], []
    # What `apply` makes of an answer says nothing about the form of the answer's own results.
    pairs = [] if exercise.apply else [(one.got, one.expected) for one in tries]
    change = next((words for pair in pairs if (words := converted(*pair))), None)
    if change:
        examples = [example for _, example in pairs]
        notes.append(f"(The lesson converts its results from {change}.)")
    if exercise.cases is None:
        return (in_form(answer, exercise.reference) if change else answer), notes
    keeps = all(one.kept for one in tries)
    if not keeps:
        notes.append("(It changes its arguments in place, so the lesson hands it copies.)")
    return (_adapted(answer, examples, not keeps) if notes else answer), notes


def _adapted(answer: Any, examples: list[Any], copies: bool) -> Any:
    """Wrap a learner's function: results in the form of one of the examples, arguments copied if they would change."""

    @functools.wraps(answer)
    def yours(*args: Any, **kwargs: Any) -> Any:
        if copies:
            args, kwargs = copied(args), copied(kwargs)
        result = answer(*args, **kwargs)
        for example in examples:
            with contextlib.suppress(TypeError, ValueError, RuntimeError):  # not this one's form: the next one's
                return in_form(result, example)
        return result

    return yours


def _gradient_problem(exercise: Exercise, mine: Any, answer: Any, seed: str, keeps: bool) -> str | None:
    """Say why a lesson could not train through an answer whose values are right, or None if it can.

    Args:
        exercise: the exercise.
        mine: what the lesson would go on with.
        answer: what the learner wrote, to find the line of an error.
        seed: of the inputs.
        keeps: whether the answer leaves its arguments as they are.
    """
    for args, args_of_reference in zip(exercise.inputs(seed), exercise.inputs(seed), strict=True):
        expected = _gradients(exercise, exercise.reference, args_of_reference)
        try:
            got = _gradients(exercise, mine, args)
        except Exception as error:
            if "inplace" in str(error):
                if keeps:
                    return (
                        "your values are right, but a change in place, such as `x += ...`, changes a tensor that "
                        "training needs on the way back: write `x = x + ...`."
                    )
                return (
                    "your values are right, but your function changes its argument in place, as `x += ...` does, and "
                    "training needs the old values on the way back: write `x = x + ...`."
                )
            return f"your values are right, but the way back through them fails: {lines_of_error(answer, error)}"
        if got is None:
            return (
                "your values are right, but the lesson trains through this function, and no gradient flows back from "
                "your result. Use tensor operations from the arguments to the result: .item(), float(), .detach(), "
                "NumPy and torch.tensor(...) end the way back."
            )
        problem = same(got, expected, "the gradients")
        if problem:
            return f"your values are right, but the gradients that flow back are not: {problem}"
    return None


def _gradients(exercise: Exercise, answer: Any, args: tuple[Any, ...]) -> tuple[torch.Tensor, ...] | None:
    """Return the gradients of a weighted sum of an answer's values by its arguments, None if none flows."""
    import torch

    leaves = [arg.requires_grad_() for arg in args if torch.is_tensor(arg) and arg.is_floating_point()]
    # As in a model, where they are the results of others and no leaves.
    inside = [arg * 1 if torch.is_tensor(arg) and arg.requires_grad else arg for arg in args]
    result = exercise.result(answer, tuple(inside))
    if not result.requires_grad:
        return None
    weights = torch.linspace(1, 2, result.numel()).view(result.shape)  # the sum of a softmax alone has no gradient
    return torch.autograd.grad((result * weights).sum(), leaves, allow_unused=True, materialize_grads=True)


@contextlib.contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave the global random generators as they were, so that a lesson goes on the same after any answer."""
    state = random.getstate()
    before = {*sys.modules}
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    state_of_numpy = numpy.random.get_state() if numpy else None
    try:
        with torch.random.fork_rng(devices=[]) if torch else contextlib.nullcontext():
            yield
    finally:
        random.setstate(state)
        if numpy:
            numpy.random.set_state(state_of_numpy)
        # What the answer itself imported was seeded since, and had no seed before.
        if "numpy" not in before and "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()
        if "torch" not in before and "torch" in sys.modules:
            sys.modules["torch"].default_generator.seed()


def _seed_everything(seed: int) -> None:
    """Start the global generators alike for answer and reference, should they draw from them."""
    random.seed(seed)
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy:
        numpy.random.seed(seed)
    if torch:
        torch.default_generator.manual_seed(seed)  # not torch.manual_seed, which would seed the GPUs for good as well
