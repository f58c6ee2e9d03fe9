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
from workshop_utils.exercises.sameness import copied, in_form, same, unchanged

_cells = itertools.count()


def cell(source: str, name: str = "f") -> object:
    """Run source as a notebook does, with its lines known to linecache, and return what it defines under name."""
    file = f"/cell/{next(_cells)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {"torch": torch}
    exec(compile(source, file, "exec"), namespace)
    return namespace[name]


def learner(body: str) -> object:
    """A learner's function of x."""
    return cell(f"def f(x):\n    {body}")


def made_up(id: str, reference: object, *inputs: tuple, praise: str = "well done", **settings: object) -> Exercise:
    """An exercise whose inputs are given; a None among them is drawn."""

    def cases(rng: random.Random):
        return iter([tuple(randn(rng, 4, 3) if x is None else x for x in args) for args in inputs])

    return Exercise(id, "reference", reference, cases=cases if inputs else None, praise=praise, **settings)


ROW_SUMS = made_up("99.1", lambda x: x.sum(dim=-1), (None,), (None,))
TRAINED = made_up("99.2", lambda x: 3 * x.sin(), (None,), trained=True)
TWICE = made_up(
    "99.3",
    lambda x: 2 * x,
    *[(2,), (3,), (5,)],
    mistakes={
        "squared": (lambda x: x * x, "you squared it."),
        "nothing": (lambda x: [][x], "you looked into an empty list."),
    },
)
NUMBER = made_up("99.4", 6.93)


@pytest.fixture(autouse=True)
def lesson99(monkeypatch):
    """A made-up lesson 99 in the registry."""
    known = {exercise.id: exercise for exercise in (ROW_SUMS, TWICE, NUMBER)}
    known["99.5"] = made_up("99.5", lambda x: 1 / 0, (1,))

    def find(id):
        if id not in known:
            raise LookupError(f"there is no exercise {id!r}")
        return known[id]

    monkeypatch.setattr(exercises, "find", find)


def stops(error: BaseException) -> None:
    raise error


# --- what is said, and what the lesson goes on with

RIGHT, NOT_YET, UNTOUCHED = "right", "not yet", "not attempted yet"
OWN = "the lesson goes on with the package's own reference"


@pytest.mark.parametrize(
    ("id", "answer", "state", "words"),
    [
        ("99.1", lambda x: torch.einsum("ij->i", x), RIGHT, "99.1 right: well done\n"),
        ("99.1", lambda: 3, NOT_YET, "it cannot be called (TypeError: "),
        ("99.1", torch.zeros(4), NOT_YET, "Hand over its name, without brackets."),
        ("99.1", learner("total = x[..., :].sum(dim=-1)"), NOT_YET, "returned nothing (None). Is a `return` missing?"),
        ("99.1", learner("...  # your turn\n    return x.nonsense()"), NOT_YET, "not yet: it raised AttributeError"),
        ("99.1", learner("y = x.T\n    return x @ x\n"), NOT_YET, "in line 3: `return x @ x`.\n"),
        ("99.1", lambda x: stops(SystemExit(1)), NOT_YET, "it raised SystemExit: 1"),
        ("99.3", lambda x: 1.0, NOT_YET, "not yet: for the input 2: your result is 1, it should be the whole number 4"),
        ("99.3", lambda x: x**2, NOT_YET, "not yet: you squared it.\n"),
        ("99.4", 6.93, RIGHT, "right: well done"),
        ("99.4", torch.tensor(6.93), RIGHT, "right"),
        ("99.4", 6, NOT_YET, "not yet: your result is 6, it should be 6.93."),
        ("99.4", None, UNTOUCHED, f"not attempted yet: {OWN}\n"),
        ("99.4", lambda: 6.93, NOT_YET, "not yet: the check wants a value"),
        ("99.5", lambda x: 1, NOT_YET, "which is the workshop's mistake (ZeroDivisionError"),
        ("98.7", 5, RIGHT, "98.7 cannot be checked: there is no exercise '98.7'"),
    ],
)
def test_the_verdict_its_sentence_and_what_comes_back(id, answer, state, words, capsys):
    back = check(id, answer)
    assert words in capsys.readouterr().out
    if state == RIGHT:
        assert back is answer or id == "99.4"
    else:
        assert back is exercises.find(id).reference


@pytest.mark.parametrize(
    "body",
    [
        "...",
        "pass",
        '"""Only a docstring."""',
        "raise NotImplementedError",
        "return ...",
        "y = x + 1\n    ...  # your turn",
        "total = ...  # your turn\n    return total + x",
        "total = ...\n    return torch.softmax(total, dim=-1)",
        "total = x[..., 0]\n    other = ...\n    return torch.zeros(3) @ torch.ones(4)",
    ],
)
def test_every_kind_of_stub_is_not_attempted(body, capsys):
    assert check("99.1", learner(body)) is ROW_SUMS.reference
    assert capsys.readouterr().out == f"99.1 not attempted yet: {OWN}\n"


@pytest.mark.parametrize(
    "result", ["text", [1], {}, object(), int, np.zeros(3), torch.zeros(2, 2, 2), float("nan"), 1j]
)
@pytest.mark.parametrize("id", ["99.1", "99.3", "99.4"])
def test_no_result_makes_check_raise(id, result, capsys):
    check(id, lambda *args: result)
    check(id, result)
    out = capsys.readouterr().out
    assert out.count("not yet") == 2
    assert "workshop's mistake" not in out


def test_an_interrupt_by_the_learner_still_interrupts():
    with pytest.raises(KeyboardInterrupt):
        check("99.1", lambda x: stops(KeyboardInterrupt()))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, top=None: x, "none called `k`"),
        (lambda x, k: x, "keep the stub's default, k=None"),
        (lambda x, /, k=None: x, "none called `x`"),
        (lambda *given, **named: 1, "well done"),
    ],
)
def test_an_argument_that_the_lesson_passes_by_name_or_leaves_out_is_named(answer, words):
    assert words in judge(made_up("99.8", lambda x, k=None: x, (1, 2)), answer).text


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x: x**2, "you squared it."),
        (lambda x: [x * x][0] + 0.0, "you squared it."),
        (lambda x: x**2 if x < 4 else 0, ""),  # the same on two of three inputs
        (lambda x: [][0], "you looked into an empty list."),
        (lambda x: [][0] if x == 2 else 2 * x, ""),
    ],
)
def test_a_mistake_is_named_where_every_result_of_a_try_is_its_own(answer, hint):
    verdict = judge(TWICE, answer)
    assert (verdict.state, verdict.hint) == ("not yet", hint)


# --- a right answer in another form


def test_a_result_in_another_form_is_converted_and_said(capsys):
    mine = learner("return x.double().sum(dim=-1).tolist() if len(x) > 1 else 'one row'")
    answer = check("99.1", mine)
    assert "(The lesson converts its results from a list to a float32 tensor.)" in capsys.readouterr().out
    assert answer.__wrapped__ is mine
    made = answer(torch.ones(3, 2))
    assert (made.dtype, made.tolist()) == (torch.float32, [2.0, 2.0, 2.0])
    assert answer(torch.ones(1, 2)) == "one row"  # has no such form, and is handed on


@pytest.mark.parametrize(
    ("value", "example"),
    [
        (0.5, 1),
        ("1", 1),
        ("ab", ["a"]),
        ({"a": 1}, [1]),
    ],
)
def test_what_would_lose_its_value_is_not_converted(value, example):
    with pytest.raises((TypeError, ValueError)):
        in_form(value, example)


def test_changing_the_input_in_place_spoils_nothing():
    verdict = judge(ROW_SUMS, learner("total = x.sum(dim=-1)\n    x.zero_()\n    return total"))
    assert verdict.state == "right"
    x = torch.ones(2, 2)
    assert verdict.answer(x).tolist() == [2.0, 2.0]
    assert x.tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 3 * x.detach().sin()", "no gradient flows back from your result"),
        ("return torch.tensor((3 * x.sin()).tolist())", "no gradient flows back from your result"),
        ("return x.sin() + 2 * x.detach().sin()", "the gradients that flow back are not: "),
        ("y = x.sin()\n    x += y\n    return 3 * y", "changes its argument in place, as `x += ...` does"),
        (
            "y = x.exp().log()\n    z = y.sin()\n    y += 1\n    return 3 * z",
            "changes a tensor that training needs on the",
        ),
        (
            "y = x.sin()\n    y.requires_grad and y.register_hook(lambda g: 1 / 0)\n    return 3 * y",
            "the way back through them fails: ",
        ),
    ],
)
def test_an_answer_that_cannot_be_trained_through_is_refused(body, words):
    verdict = judge(TRAINED, learner(body))
    assert verdict.text.startswith("your values are right, but ")
    assert words in verdict.text
    assert verdict.answer is TRAINED.reference


# --- inputs and random numbers


def test_each_try_draws_fresh_inputs_and_a_fresh_process_draws_the_same_ones(monkeypatch):
    seen: list[float] = []
    for _ in range(2):
        monkeypatch.setattr(checks, "_tries", checks.Counter())
        check("99.1", lambda x: seen.append(float(x.sum())))
        check("99.1", lambda x: seen.append(float(x.sum())))
    assert seen[:2] != seen[2:4]  # two inputs each
    assert seen[:4] == seen[4:]


def drawn() -> tuple[float, float, float]:
    """The next numbers of the three global generators."""
    return torch.rand(1).item(), random.random(), float(np.random.random())  # noqa: NPY002 (the global one is meant)


def test_the_lessons_own_random_numbers_go_on_as_if_nothing_was_checked():
    found = []
    for checked in (False, True):
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        if checked:
            check("99.1", lambda x: torch.rand(4) + sum(drawn()))
        found.append(drawn())
    assert found[0] == found[1]


def test_a_check_seeds_no_gpu(monkeypatch):
    """The generators of GPUs are not restored, so they must not be seeded either."""
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("seeded"))
    check("99.1", lambda x: x)


def test_answers_that_draw_from_the_global_generator_draw_like_the_reference():
    noisy = made_up("99.8", lambda x: x + torch.rand(3), *[(None,)] * 3)
    assert judge(noisy, lambda x: torch.rand(3) + x).state == "right"
    assert set(randint(random.Random(0), 5, 100).tolist()) == {0, 1, 2, 3, 4}


def test_checks_import_neither_torch_nor_numpy_and_leave_nothing_seeded_that_an_answer_imports():
    code = (
        "import sys; from workshop_utils.exercises.checks import Exercise, judge\n"
        "assert not {'torch', 'numpy'} & {*sys.modules}\n"
        "def f(x):\n    import numpy\n    return x\n"
        "e = Exercise('99.1', 'x', lambda x: x, cases=lambda rng: iter([(1,), (2,)]), praise='')\n"
        "print(judge(e, f).state)\nimport numpy\nprint(numpy.random.random())"
    )
    printed = {subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout for _ in range(2)}
    assert len(printed) == 2


# --- same()


@pytest.mark.parametrize(
    ("got", "expected", "sentence"),
    [
        (torch.zeros(4, 8), torch.zeros(4, 8, 8), "your result has shape (4, 8), it should be (4, 8, 8)."),
        (torch.tensor([1.0, float("nan")]), torch.ones(2), "holds 1 value that is not a number (nan)."),
        (0.00300004, 0.003, "your result is 0.00300004, it should be 0.003."),
        (2.0000000001, 2, "your result is 2.0000000001, it should be the whole number 2."),
        ([1, 2, 3], [1, 2], "your result has 3 items, it should have 2."),
        ([torch.zeros(2)], [torch.zeros(3)], "item 0 of your result has shape (2,), it should be (3,)."),
        ({"a": 1}, {"a": 1, "b": 2}, "your result lacks the key 'b'."),
        (True, 1.0, "your result is True (a bool), it should be the number 1."),
        ("Once upon a tide", "Once upon a time", "differs from character 14 on: 'de', it should go on with 'me'."),
        (torch.zeros(3), 1.5, "it should be one number, about 1.5."),
        (torch.full((3,), 0.999), torch.ones(3), "3 of the 3 values of your result differ. The first is at [0]: 0.999"),
    ],
)
def test_the_difference_is_said_in_a_sentence(got, expected, sentence):
    assert sentence in same(got, expected)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (torch.ones(3) + 1e-6, torch.ones(3).double()),
        (torch.tensor([float("-inf")]), torch.tensor([float("-inf")])),
        (torch.ones(2, requires_grad=True), torch.ones(2, dtype=torch.bfloat16)),
        ([1, 1, 1], torch.ones(3)),
        ([torch.ones(2), torch.ones(2)], torch.ones(2, 2)),
        (range(1, 3), [1, 2]),
        (np.int64(2), 2),
        (torch.tensor(True), True),
        (np.float32(0.1), 0.1),
        (float("nan"), float("nan")),
        ({"a": [1.0]}, {"a": [1.0 + 1e-9]}),
    ],
)
def test_what_counts_as_the_same(got, expected):
    assert same(got, expected) is None


def test_arguments_are_compared_to_the_last_bit_and_copied_in_depth():
    args = ({"a": [torch.ones(2), np.zeros(2)]}, (1.0, float("nan")), "text")
    again = copied(args)
    assert unchanged(again, args)
    again[0]["a"][0][0] += 1e-7
    assert not unchanged(again, args)
    assert args[0]["a"][0].tolist() == [1.0, 1.0]
