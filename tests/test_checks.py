"""check(): right, not yet with a hint that names the mistake, or not attempted; and it never raises."""

import itertools
import linecache
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from workshop_utils import exercises
from workshop_utils.exercises import checks
from workshop_utils.exercises.checks import Exercise, check, judge, randint, randn
from workshop_utils.exercises.sameness import copied, in_form, same, short, unchanged
from workshop_utils.exercises.stubs import is_stub

_cells = itertools.count()


def cell(source: str, name: str) -> object:
    """Run source as a notebook does, with its lines known to linecache, and return what it defines under name."""
    file = f"/cell/{next(_cells)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {"torch": torch}
    exec(compile(source, file, "exec"), namespace)
    return namespace[name]


def rate(step: int, peak: float, warmup: int, total: int) -> float:
    if step < warmup:
        return peak * step / warmup
    return peak * (total - step) / (total - warmup)


def rate_cases(rng: random.Random):
    for _ in range(5):
        warmup = rng.randint(2, 9)
        yield from ((step, 3e-3, warmup, 100) for step in (0, warmup, rng.randint(warmup, 100)))


def rate_hint(args, got, expected):
    step, peak, warmup, _ = args
    if step == warmup:
        return f"at step {step} (the end of the warm-up) your rate is {got:.4f}, not {peak}"
    return None


SCHEDULE = Exercise(
    id="99.1",
    what="schedule",
    reference=rate,
    cases=rate_cases,
    hint=rate_hint,
    praise="both sides meet at peak",
)
ROW_SUMS = Exercise(
    id="99.2",
    what="row sums",
    reference=lambda x: x.sum(dim=-1),
    cases=lambda rng: iter([(randn(rng, 4, 8),), (randn(rng, 2, 3),)]),
)
VALUE = Exercise(id="99.3", what="number", reference=6.93)


class Scale(torch.nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


def run_module(cls, size, weight, x):
    module = cls(size)
    module.load_state_dict({"weight": weight})
    return module(x)


MODULE = Exercise(
    id="99.4",
    what="scale",
    reference=Scale,
    cases=lambda rng: iter([(3, randn(rng, 3), randn(rng, 2, 3))]),
    apply=run_module,
)


@pytest.fixture(autouse=True)
def lesson99(monkeypatch):
    """A made-up lesson 99 in the registry."""
    known = {exercise.id: exercise for exercise in (SCHEDULE, ROW_SUMS, VALUE, MODULE)}

    def find(id):
        if id not in known:
            raise LookupError(f"there is no exercise {id!r}")
        return known[id]

    monkeypatch.setattr(exercises, "find", find)


def said(capsys) -> str:
    return capsys.readouterr().out.strip()


# --- right, and what comes back


def test_right_answer_comes_back_and_is_praised(capsys):
    mine = cell(
        "def f(step, peak, warmup, total):\n    return min(step / warmup, (total - step) / (total - warmup)) * peak",
        "f",
    )
    assert check("99.1", mine) is mine
    assert said(capsys) == "99.1 right: both sides meet at peak"


def test_without_a_praise_the_number_of_inputs_is_said(capsys):
    assert check("99.2", lambda x: torch.einsum("ij->i", x)) is not ROW_SUMS.reference
    assert said(capsys) == "99.2 right: the same as the package's own row sums on 2 random inputs"


def test_the_exercises_own_hint_is_preferred(capsys):
    wrong = cell(
        "def f(step, peak, warmup, total):\n    return peak * (step / warmup if step < warmup else 1 - step / total)",
        "f",
    )
    assert check("99.1", wrong) is rate
    out = said(capsys)
    assert out.startswith("99.1 not yet: at step ")
    assert "the end of the warm-up" in out


def test_where_no_hint_fits_input_and_difference_are_said(capsys):
    check("99.1", lambda step, peak, warmup, total: 1.0)
    assert said(capsys).startswith("99.1 not yet: for the input 0, 0.003, ")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (6.93, "right: the same as the package's own number"),
        (6, "not yet: your result is 6, it should be 6.93."),
        (None, "not attempted yet: the lesson goes on with the package's own number"),
        (..., "not attempted yet"),
        ([..., ...], "not attempted yet"),
        ("six", "not yet: your result is 'six' (a str), it should be the number 6.93."),
        (torch.tensor(6.93), "right"),
        (lambda: 6.93, "not yet: the check wants a value"),
    ],
)
def test_an_exercise_may_ask_for_a_plain_value(answer, sentence, capsys):
    assert check("99.3", answer) in (answer, 6.93)
    assert sentence in said(capsys)


def test_a_result_in_another_form_is_converted_and_said(capsys):
    mine = cell("def f(x):\n    return x.double().sum(dim=-1).tolist()", "f")
    answer = check("99.2", mine)
    assert said(capsys).endswith("2 random inputs (The lesson converts its results from a list to a float32 tensor.)")
    assert answer.__wrapped__ is mine
    made = answer(torch.ones(3, 2))
    assert made.dtype == torch.float32
    assert made.tolist() == [2.0, 2.0, 2.0]


def test_a_converted_answer_hands_on_what_has_no_such_form():
    answer = judge(ROW_SUMS, lambda x: x.double().sum(dim=-1) if len(x) > 1 else "one row").answer
    assert answer(torch.ones(3, 2)).dtype == torch.float32
    assert answer(torch.ones(1, 2)) == "one row"


def test_a_value_in_another_form_is_converted():
    numbers = Exercise("99.7", "numbers", {"a": [1, 2]})
    assert type(judge(numbers, {"a": np.array([1.0, 2.0])}).answer["a"][0]) is int


@pytest.mark.parametrize(
    ("value", "example"),
    [
        (0.5, 1),
        ("1", 1),
        (None, 1),
        (1, None),
        ("ab", ["a"]),
        ({"a": 1}, [1]),
        ([1], {"a": 1}),
        (torch.tensor([0.5]), torch.tensor([1])),
        (np.array([-1]), np.array([1], dtype=np.uint16)),
        ({1}, {"a": 1}),
    ],
)
def test_what_would_lose_its_value_is_not_converted(value, example):
    with pytest.raises((TypeError, ValueError)):
        in_form(value, example)


# --- trained through

TRAINED = Exercise("99.8", "scaling", lambda x: 3 * x.sin(), cases=lambda rng: iter([(randn(rng, 4),)]), trained=True)


@pytest.mark.parametrize(
    "body",
    [
        "return 3 * x.sin()",
        "return (3 * x.double().sin())",
        "return [3 * value.sin() for value in x]",
        "x = x.sin()\n    x *= 3\n    return x",
    ],
)
def test_gradients_flow_through_a_right_answer_whatever_its_form(body):
    answer = judge(TRAINED, cell(f"def f(x):\n    {body}", "f")).answer
    x = torch.randn(4, requires_grad=True)
    answer(x).sum().backward()
    assert torch.allclose(x.grad, 3 * x.detach().cos())


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("return 3 * x.detach().sin()", "no gradient flows back from your result"),
        ("return torch.tensor([3 * value.sin() for value in x])", "no gradient flows back from your result"),
        ("return x.sin() + 2 * x.detach().sin()", "the gradients that flow back are not: "),
        ("y = x.sin()\n    x += y\n    return 3 * y", "changes its argument in place, as `x += ...` does"),
        ("y = x.exp().log()\n    z = y.sin()\n    y += 1\n    return 3 * z", "the way back through them fails: "),
    ],
)
def test_an_answer_that_cannot_be_trained_through_is_refused(body, sentence):
    verdict = judge(TRAINED, cell(f"def f(x):\n    {body}", "f"))
    assert verdict.state == "not yet"
    assert verdict.text.startswith("your values are right, but ")
    assert sentence in verdict.text
    assert verdict.answer is TRAINED.reference


# --- mistakes

TWICE = Exercise(
    "99.9",
    "doubling",
    lambda x: 2 * x,
    {"squared": (lambda x: x * x, "you squared it."), "nothing": (lambda x: [][x], "you looked into an empty list.")},
    cases=lambda rng: iter([(2,), (3,), (rng.randrange(4, 9),)]),
)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x: x**2, "you squared it."),
        (lambda x: [x * x][0] + 0.0, "you squared it."),
        (lambda x: x**2 if x < 4 else 0, ""),  # the same on two of three inputs
        (lambda x: 9, ""),
        (lambda x: [][0], "you looked into an empty list."),
        (lambda x: {}["x"], ""),
        (lambda x: [][0] if x == 2 else 2 * x, ""),
    ],
)
def test_a_mistake_is_named_where_every_result_of_a_try_is_its_own(answer, hint):
    verdict = judge(TWICE, answer)
    assert verdict.state == "not yet"
    assert verdict.hint == hint


# --- not attempted


@pytest.mark.parametrize(
    "body",
    [
        "...",
        "pass",
        '"""Only a docstring."""',
        "raise NotImplementedError",
        "return ...",
        "y = x + 1\n    ...  # your turn",
        "total = ...  # your turn\n    return total",
        "total = ...  # your turn\n    return total + x",
        "total = ...\n    return torch.softmax(total, dim=-1)",
        "total = ...\n    return total.sum()",
        "total = x[..., 0]\n    other = ...\n    return torch.zeros(3) @ torch.ones(4)",
    ],
)
def test_every_kind_of_stub_is_not_attempted(body, capsys):
    stub = cell(f"def f(x):\n    {body}", "f")
    assert check("99.2", stub) is ROW_SUMS.reference
    assert said(capsys) == "99.2 not attempted yet: the lesson goes on with the package's own row sums"


def test_a_forgotten_return_is_not_an_untouched_stub(capsys):
    check("99.2", cell("def f(x):\n    total = x[..., :].sum(dim=-1)", "f"))
    assert said(capsys) == "99.2 not yet: your function returned nothing (None). Is a `return` missing?"


def test_a_blank_left_above_a_written_body_does_not_hide_its_error(capsys):
    check("99.2", cell("def f(x):\n    ...  # your turn\n    return x.nonsense()", "f"))
    assert "not yet: it raised AttributeError" in said(capsys)


# --- a learner's code may do anything


def test_an_error_is_told_with_the_learners_line(capsys):
    assert check("99.2", cell("def f(x):\n    y = x.T\n    return x @ x\n", "f")) is ROW_SUMS.reference
    out = said(capsys)
    assert out.startswith("99.2 not yet: it raised RuntimeError: ")
    assert out.endswith("in line 3: `return x @ x`.")


def test_other_arguments_than_the_stubs_are_named(capsys):
    check("99.2", lambda: 3)
    assert "it cannot be called (TypeError: " in said(capsys)


def test_an_argument_that_the_lesson_passes_by_name_or_leaves_out_is_named():
    dials = Exercise("99.10", "dials", lambda x, k=None: x, cases=lambda rng: iter([(1, None)]))
    assert "none called `k`" in judge(dials, lambda x, top=None: x).text
    assert "keep the stub's default, k=None" in judge(dials, lambda x, k: x).text
    assert "none called `x`" in judge(dials, lambda x, /, k=None: x).text
    for right in (lambda x, k=None, more=3: x, lambda *given, **named: 1):
        assert judge(dials, right).state == "right"


def test_the_result_instead_of_the_function_is_named(capsys):
    check("99.2", torch.zeros(4))
    assert "Hand over its name, without brackets." in said(capsys)


def test_changing_the_input_in_place_spoils_nothing(capsys):
    def inplace(x):
        total = x.sum(dim=-1)
        x.zero_()
        return total

    answer = check("99.2", inplace)
    assert "right" in said(capsys)
    x = torch.ones(2, 2)
    assert answer(x).tolist() == [2.0, 2.0]
    assert x.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_a_hint_that_fails_on_a_strange_result_gives_way_to_the_plain_sentence(capsys):
    check("99.1", lambda step, peak, warmup, total: 0.0 if step == 0 else "fast")  # rate_hint cannot format it
    assert "it should be the number 0.003" in said(capsys)


@pytest.mark.parametrize(
    "result", ["text", [1], {}, object(), int, np.zeros(3), torch.zeros(2, 2, 2), float("nan"), 1j]
)
@pytest.mark.parametrize("id", ["99.1", "99.2", "99.3", "99.4"])
def test_no_result_makes_check_raise(id, result, capsys):
    check(id, lambda *args: result)
    check(id, result)
    assert "not yet" in said(capsys)
    assert "workshop's mistake" not in said(capsys)


def itself() -> list:
    found: list = []
    found.append(found)
    return found


class Silent(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def stops(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda x: itself(), "your result is a list"),
        (lambda x: Silent, "your result is the class Silent"),
        (lambda x: stops(Silent()), "it raised Silent"),
        (lambda x: stops(SystemExit(1)), "it raised SystemExit: 1"),
        (lambda x: [3][x], "it raised TypeError: "),
        (lambda x: map(int, 3), "it raised TypeError: "),
        (lambda x: None, "your function returned nothing (None)"),
        (
            lambda x: print(end=""),
            "your function returned nothing (None)",
        ),
        (
            lambda x: x.sum(dim=-1).to_sparse(),
            "your result is a sparse tensor of shape (4,) and type float32, it should",
        ),
        (lambda x: iter([1]), "your result is a list_iterator, it should"),
        (lambda x: x.nonsense("a line of code", "that is much longer", "than a sentence should be"), " ...`."),
    ],
)
def test_no_code_makes_judge_raise_and_the_sentence_is_true_of_it(answer, sentence):
    verdict = judge(ROW_SUMS, answer)
    assert verdict.state == "not yet"
    assert sentence in verdict.text


def test_an_interrupt_by_the_learner_still_interrupts():
    def endless(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("99.2", endless)


def test_an_unknown_exercise_is_said_and_the_answer_goes_through(capsys):
    assert check("98.7", 5) == 5
    assert "98.7 cannot be checked: there is no exercise '98.7'" in said(capsys)


def test_a_mistake_of_the_workshop_does_not_stop_the_lesson(capsys, monkeypatch):
    broken = Exercise(id="99.5", what="nothing", reference=lambda x: 1 / 0, cases=lambda rng: iter([(1,)]))
    monkeypatch.setattr(exercises, "find", lambda id: broken)
    assert check("99.5", lambda x: 1) is broken.reference
    assert "which is the workshop's mistake (ZeroDivisionError" in said(capsys)


# --- classes


def module(init: str, forward: str) -> object:
    """A learner's class, from the last line of each of its methods."""
    source = f"""class S(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        {init}

    def forward(self, x):
        {forward}
"""
    return cell(source, "S")


def test_classes_are_checked_by_building_and_calling_them(capsys):
    assert check("99.4", Scale) is Scale
    assert check("99.4", module("...", "...")) is Scale
    assert check("99.4", module("self.weight = ...", "return x * self.weight")) is Scale
    assert check("99.4", module("pass", "return x")) is Scale
    check("99.4", Scale(3))
    right, untouched, unfinished, wrong, instance = said(capsys).splitlines()
    assert "99.4 right" in right
    assert "99.4 not attempted yet" in untouched
    assert "99.4 not attempted yet" in unfinished
    assert "99.4 not yet: it raised RuntimeError" in wrong
    assert "the check wants the class itself" in instance


# --- inputs


def test_each_try_draws_fresh_inputs_and_a_fresh_process_draws_the_same_ones(monkeypatch):
    monkeypatch.setattr(checks, "_tries", checks.Counter())
    seen: list[float] = []
    check("99.2", lambda x: seen.append(float(x.sum())))
    check("99.2", lambda x: seen.append(float(x.sum())))
    monkeypatch.setattr(checks, "_tries", checks.Counter())
    check("99.2", lambda x: seen.append(float(x.sum())))
    first, second, again = seen[:2], seen[2:4], seen[4:]  # two inputs each
    assert first != second
    assert first == again


def drawn() -> tuple[float, float, float]:
    """The next numbers of the three global generators."""
    return torch.rand(1).item(), random.random(), float(np.random.random())  # noqa: NPY002 (the global one is meant)


def test_the_lessons_own_random_numbers_go_on_as_if_nothing_was_checked():
    def start():
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002

    start()
    expected = drawn()
    start()
    check("99.2", lambda x: torch.rand(4) + sum(drawn()))
    assert drawn() == expected


def test_what_an_answer_imports_is_not_left_seeded():
    code = (
        "import random; from workshop_utils.exercises.checks import Exercise, judge\n"
        "def f(x):\n    import numpy\n    return x\n"
        "e = Exercise('99.1', 'x', lambda x: x, cases=lambda rng: iter([(1,), (2,)]))\n"
        "print(judge(e, f).state)\nimport numpy\nprint(numpy.random.random())"
    )
    printed = {subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout for _ in range(2)}
    assert len(printed) == 2


def test_a_check_seeds_no_gpu(monkeypatch):
    """The generators of GPUs are not restored, so they must not be seeded either."""
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("seeded"))
    check("99.2", lambda x: x)


def test_answers_that_draw_from_the_global_generator_draw_like_the_reference():
    noisy = Exercise("99.6", "noise", lambda x: x + torch.rand(3), cases=lambda rng: iter([(randn(rng, 3),)] * 3))
    assert judge(noisy, lambda x: torch.rand(3) + x).state == "right"


def test_importing_checks_does_not_import_torch():
    code = (
        "import sys, workshop_utils.exercises.checks; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- same()


@pytest.mark.parametrize(
    ("got", "expected", "sentence"),
    [
        (torch.zeros(4, 8), torch.zeros(4, 8, 8), "your result has shape (4, 8), it should be (4, 8, 8)."),
        (
            torch.ones(2, dtype=torch.long),
            torch.ones(2, dtype=torch.bool),
            "of type int64, it should be bool.",
        ),
        (torch.tensor([1.0, float("nan")]), torch.ones(2), "holds 1 value that is not a number (nan)."),
        (0.00300004, 0.003, "your result is 0.00300004, it should be 0.003."),
        (2.0000000001, 2, "your result is 2.0000000001, it should be the whole number 2."),
        (
            torch.tensor([[1.0, 2.0]]),
            torch.ones(1, 2),
            "1 of the 2 values of your result differ. The first is at [0, 1]: 2, it should be 1.",
        ),
        (torch.tensor(2.0), torch.tensor(1.0), "your result is 2, it should be 1."),
        ([1.0, 2.0], torch.ones(2), "The first is at [1]: 2, it should be 1."),
        ([[1.0], [2.0, 3.0]], torch.ones(2, 1), "your result is [[1], [2, 3]], it should be a tensor of shape (2, 1)."),
        ("ab", torch.ones(2), "your result is 'ab', it should be a tensor of shape (2,)."),
        ([1, 2, 3], [1, 2], "your result has 3 items, it should have 2."),
        ([1, 5], [1, 2], "item 1 of your result is 5, it should be 2."),
        ([torch.zeros(2)], [torch.zeros(3)], "item 0 of your result has shape (2,), it should be (3,)."),
        (5, [1, 2], "your result is 5 (an int), it should be a list of 2 items."),
        ({"a": 1}, {"a": 1, "b": 2}, "your result lacks the key 'b'."),
        ({"a": 1, "c": 2}, {"a": 1}, "your result has the key 'c', which should not be there."),
        ({"a": 1}, {"a": 2}, "what your result has under 'a' is 1, it should be 2."),
        (2.5, 2, "your result is 2.5, it should be the whole number 2."),
        ([1], [1, 2], "your result has 1 item, it should have 2."),
        (True, 1.0, "your result is True (a bool), it should be the number 1."),
        (1, True, "your result is 1 (an int), it should be True (a bool)."),
        ("Once upon a tide", "Once upon a time", "differs from character 14 on: 'de', it should go on with 'me'."),
        (b"ab", b"ac", "your result is b'ab', it should be b'ac'."),
        ("x", 1.5, "your result is 'x' (a str), it should be the number 1.5."),
        (torch.zeros(3), 1.5, "it should be one number, about 1.5."),
        ({1}, {2}, "your result is {1}, it should be {2}."),
        (None, 1, "your result is None, it should be the number 1."),
    ],
)
def test_the_difference_is_said_in_a_sentence(got, expected, sentence):
    assert same(got, expected).endswith(sentence)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (torch.ones(3).double(), torch.ones(3)),
        (torch.ones(3) + 1e-6, torch.ones(3)),
        (torch.tensor([float("-inf")]), torch.tensor([float("-inf")])),
        (torch.ones(2, requires_grad=True), torch.ones(2, dtype=torch.bfloat16)),
        (np.ones(3), torch.ones(3)),
        ([1, 1, 1], torch.ones(3)),
        ([torch.ones(2), torch.ones(2)], torch.ones(2, 2)),
        (torch.zeros(2, dtype=torch.long), torch.zeros(2)),
        (torch.tensor([3.0]), torch.tensor([3])),
        (1.5, torch.tensor(1.5)),
        (np.array([1, 2]), [1, 2]),
        (range(1, 3), [1, 2]),
        (torch.tensor([[1, 2], [3, 4]]), ([1, 2], [3, 4])),
        (2.0, 2),
        (np.int64(2), 2),
        (np.str_("a"), "a"),
        (torch.tensor(True), True),
        ((1, 2), [1, 2]),
        (0, 0.0),
        (np.float32(0.1), 0.1),
        (torch.tensor(3), 3),
        (float("nan"), float("nan")),
        ({"a": [1.0]}, {"a": [1.0 + 1e-9]}),
    ],
)
def test_what_counts_as_the_same(got, expected):
    assert same(got, expected) is None


def test_tolerances_are_tight_enough_for_an_off_by_one_in_a_thousand():
    assert same(3e-3 * 999 / 1000, 3e-3)
    assert same(torch.full((3,), 0.999), torch.ones(3))
    assert same(0.999, 1.0, atol=0.01) is None


def test_long_things_are_described_shortly():
    assert short(torch.zeros(4, 8)) == "a tensor of shape (4, 8) and type float32"
    assert short("a" * 100).endswith("…")
    assert short([torch.zeros(4, 8)]) == "a list of 1: a tensor of shape (4, 8) and type float32"
    assert "0x" not in short(object())


def test_arguments_are_compared_to_the_last_bit_and_copied_in_depth():
    args = ({"a": [torch.ones(2), np.zeros(2)]}, (1.0, float("nan")), "text")
    again = copied(args)
    assert unchanged(again, args)
    again[0]["a"][0][0] += 1e-7
    assert not unchanged(again, args)
    assert args[0]["a"][0].tolist() == [1.0, 1.0]
    assert unchanged(torch.tensor([float("nan")]), torch.tensor([float("nan")]))
    assert not unchanged([1, 2], [1])


def test_values_are_no_stubs():
    assert not is_stub(0)
    assert not is_stub("")
    assert not is_stub(torch.zeros(1))
    assert not is_stub(torch.nn.Linear(1, 1))
    assert not is_stub([])


def test_randint_stays_below_its_bound():
    drawn = randint(random.Random(0), 5, 100)
    assert drawn.min() == 0
    assert drawn.max() == 4
