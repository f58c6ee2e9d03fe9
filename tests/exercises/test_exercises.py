"""Every exercise of the committed lessons: right answers pass in every form, a wrong one is told its own mistake."""

import ast
import inspect
import itertools
import linecache
import math
import re
import zlib
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from other_answers import IMPORTS, OTHER

import notebooks as tool
from workshop_utils import exercises
from workshop_utils.exercises import sameness
from workshop_utils.exercises.checks import Exercise, judge

LESSONS = {path: nbformat.read(path, 4) for path in sorted((Path(tool.__file__).parents[1] / "notebooks").glob("*"))}
CELLS = [
    pytest.param(lesson, i, id=f"{path.stem}-cell{i + 1}")
    for path, lesson in LESSONS.items()
    for i, _ in tool.exercises(lesson)
]
KNOWN = [exercise for number in exercises.lessons() for exercise in exercises.of_lesson(number)]
FUNCTIONS = [exercise for exercise in KNOWN if exercise.cases is not None and exercise.apply is None]
SEEDS = [f"test/{n}" for n in range(5)]

_cells = itertools.count()


def run(statements: list[ast.stmt], source: str, namespace: dict) -> None:
    """Run statements of a cell as a notebook does, so that their lines can be looked up."""
    file = f"/exercise/{next(_cells)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(ast.Module(statements, []), file, "exec"), namespace)


def is_light(statement: ast.stmt) -> bool:
    """Whether a statement only defines: an import, a function, a class, or a constant. An exercise needs no more."""
    if isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Attribute):
        try:
            ast.literal_eval(statement.value)
        except ValueError:
            return False
        return True
    if isinstance(statement, ast.FunctionDef):  # a default may be a setting of the machine, which is not there
        return all(isinstance(default, ast.Constant) for default in statement.args.defaults)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.ClassDef)


def handed_over(lesson: nbformat.NotebookNode, index: int, solved: bool) -> tuple[Exercise, object]:
    """Run one exercise cell up to its check, after the light statements of the cells above with earlier exercises
    solved; return the exercise and the answer that the check would get."""
    namespace: dict = {"__name__": "__main__"}
    all_solved = tool.solved(lesson)
    for cell in all_solved.cells[:index]:
        if cell.cell_type == "code" and "colab" not in tool.tags(cell):
            setup = "setup" in tool.tags(cell)
            run([s for s in ast.parse(cell.source).body if setup or is_light(s)], cell.source, namespace)
    source = (all_solved if solved else lesson).cells[index].source
    statements = ast.parse(source).body
    at = next(n for n, statement in enumerate(statements) if "check(" in ast.unparse(statement))
    run(statements[:at], source, namespace)
    calls = [node for node in ast.walk(statements[at]) if isinstance(node, ast.Call)]
    call = next(call for call in calls if ast.unparse(call.func) == "check")
    answer = eval(compile(ast.Expression(call.args[1]), "<answer>", "eval"), namespace)
    return exercises.find(ast.literal_eval(call.args[0])), answer


def is_right(exercise: Exercise, answer: object, seed: str) -> object:
    verdict = judge(exercise, answer, seed)
    assert verdict.state == "right", verdict.text
    return verdict.answer


@pytest.mark.parametrize(("lesson", "index"), CELLS)
def test_the_stub_is_not_attempted_and_the_printed_solution_is_right(lesson, index):
    exercise, stub = handed_over(lesson, index, solved=False)
    assert judge(exercise, stub).state == "not attempted yet"
    _, solution = handed_over(lesson, index, solved=True)
    for seed in SEEDS:
        is_right(exercise, solution, seed)
    if exercise.cases is not None:
        stubs, own = (inspect.signature(one).parameters.values() for one in (stub, exercise.reference))
        assert [(one.name, one.default) for one in stubs] == [(one.name, one.default) for one in own]


@pytest.mark.parametrize("exercise", KNOWN, ids=lambda exercise: exercise.id)
def test_the_reference_is_right_and_every_mistake_is_named_in_every_draw(exercise: Exercise):
    for seed in SEEDS:
        is_right(exercise, exercise.reference, seed)
        for name, (answer, sentence) in exercise.mistakes.items():
            assert judge(exercise, answer, seed).hint == sentence, name
        for name, answer in exercise.wrong.items():
            assert judge(exercise, answer, seed).state == "not yet", name


# --- right answers in another form


def defined_by(source: str) -> object:
    """Run the source of an answer and return what it defines."""
    namespace: dict = {"__name__": "__main__"}
    run(ast.parse(IMPORTS).body, "", namespace)
    before = {*namespace}
    run(ast.parse(source).body, source, namespace)
    (name,) = namespace.keys() - before
    return namespace[name]


def goes_on_as_with_the_reference(exercise: Exercise, answer, seed: str) -> None:
    """Call an answer as a later cell does, also by the names of the arguments."""
    names = list(inspect.signature(exercise.reference).parameters)
    draws = zip(*(exercise.inputs(seed) for _ in range(3)), strict=True)
    for i, (args, args_of_reference, untouched) in enumerate(draws):
        got = answer(*args) if i % 2 else answer(**dict(zip(names, args, strict=False)))
        expected = exercise.reference(*args_of_reference)
        assert sameness.same(got, expected) is None
        assert sameness.converted(got, expected) is None
        assert sameness.unchanged(args, untouched)


def nucleus(probabilities, p):
    ranked, order = torch.tensor(probabilities).sort(descending=True)
    kept = torch.zeros(len(probabilities))
    keep = order[ranked.cumsum(0) - ranked < p]
    kept[keep] = ranked[: len(keep)]
    return kept / kept.sum()


def reversed_in_long_doubles(logits, temperature):
    powers = np.exp(np.array(logits.tolist()[::-1], dtype=np.longdouble) / temperature)
    return (powers / powers.sum())[::-1]


def decoded_from_the_front(ids, pairs):
    tokens = [bytes([byte]) for byte in range(256)] + [left + right for left, right in pairs]
    found = b""
    while ids:
        found += tokens[ids.pop(0)]
    return found.decode("utf-8", "replace")


def removes_in_place(expected, found, ordered):
    if ordered:
        return int(expected == found)
    for row in expected:
        if row not in found:
            return 0
        found.remove(row)
    return int(not found)


# What people really answered, and what was once refused.
RIGHT = [
    *((id, defined_by(source)) for id, source in OTHER.items()),
    ("00.1", lambda counts: {word: Fraction(n, sum(counts.values())) for word, n in counts.items()}),
    ("01.3", reversed_in_long_doubles),
    ("01.4", nucleus),
    ("02.4", decoded_from_the_front),
    ("04.3", lambda losses, tokens: sum(Decimal(x) * n for x, n in zip(losses, tokens, strict=True)) / sum(tokens)),
    ("07.1", lambda prompt, reply, width: (*[-100] * len(prompt), *reply, *[-100] * (width - len(prompt + reply)))),
    ("08.1", removes_in_place),
    ("09.3", lambda log_probabilities: complex(math.exp(-sum(log_probabilities) / len(log_probabilities)))),
]


def test_every_exercise_of_a_lesson_has_a_right_answer_in_another_form():
    assert {*OTHER} == {exercise.id for exercise in KNOWN}


@pytest.mark.parametrize(("id", "answer"), RIGHT)
def test_a_right_answer_in_another_form_passes_in_every_draw_and_comes_back_in_that_of_the_package(id, answer):
    exercise = exercises.find(id)
    for n in range(20):
        made = is_right(exercise, answer, f"draw/{n}")
    if exercise in FUNCTIONS:
        goes_on_as_with_the_reference(exercise, made, "draw/lesson")


# --- wrong answers that were once accepted, or told another mistake


def renames_what_was_said(messages):
    turns = [f"<start_of_turn>{m['role']}\n{m['content']}<end_of_turn>\n" for m in messages]
    return ("<bos>" + "".join(turns)).replace("assistant", "model") + "<start_of_turn>model\n"


def split_by_another_pattern(text, pairs):
    pieces = re.findall(r" ?\w+| ?[^\s\w]+|\s+", text)
    ids = {bytes([byte]): byte for byte in range(256)} | {a + b: 256 + i for i, (a, b) in enumerate(pairs)}
    found = []
    for piece in pieces:
        parts = tuple(bytes([byte]) for byte in piece.encode())
        for pair in pairs:
            parts = merge(parts, pair)
        found += [ids[part] for part in parts]
    return found


def adds_in_place(x, ln_1, attn, ln_2, mlp):
    x += attn(ln_1(x))
    x += mlp(ln_2(x))
    return x


def adds_in_place_later(x, ln_1, attn, ln_2, mlp):
    x = x + attn(ln_1(x))
    x += mlp(ln_2(x))
    return x


def new_tensor(logits, targets):
    losses = [-torch.log(logits[i].softmax(0)[targets[i]]) for i in range(len(targets))]
    return torch.tensor(losses).mean()


def packed_up_to(last):
    """06.2, with another end of the range."""

    def pack(documents, block_size, end):
        joined = [token for document in documents for token in [*document, end]]
        starts = range(0, last(len(joined), block_size), block_size)
        return [(joined[i : i + block_size], joined[i + 1 : i + block_size + 1]) for i in starts]

    return pack


merge, sampled = exercises.find("02.2").reference, exercises.find("03.10").reference
NOT_RIGHT = [
    ("00.1", lambda counts: {word: round(n / sum(counts.values()), 1) for word, n in counts.items()}, "it should be"),
    ("01.2", renames_what_was_said, "for the input "),
    ("02.2", lambda parts, pair: merge(merge(parts, pair), pair[::-1]), "for the input "),
    ("02.3", lambda text, pairs: [int(i) for i in text.encode()], "for the input "),
    ("02.3", split_by_another_pattern, "for the input "),
    ("02.4", lambda ids, pairs: bytes(i for i in ids if i < 256).decode("utf-8", "replace"), "for the input "),
    ("02.6", lambda tokens, start, n: tokens[start : start + n + 1], ": return 2 things, as a tuple."),
    ("03.6", adds_in_place, "changes its argument in place"),
    ("03.6", adds_in_place_later, "changes a tensor that training needs on the way back: write `x = x + ...`."),
    ("03.7", new_tensor, "no gradient flows back"),
    ("03.10", lambda logits, temperature, top_k: sampled(logits, temperature, top_k), "Keep the arguments of the stub"),
    ("05.2", lambda rates, losses: rates[len(rates) // 3], "for the input "),
    ("05.5", lambda run: exercises.find("05.5").reference(run | {"val_loss": run["loss"]}), "for the input "),
    (
        "06.1",
        lambda text, percent: "val" if zlib.adler32(text.encode()) % 100 < percent else "train",
        "for the input '",
    ),
    ("06.2", packed_up_to(lambda n, size: n - size - 1), "or your range stops one too early"),
    ("06.2", packed_up_to(lambda n, size: n // size * size), "none is left for the end of its y"),
    (
        "08.1",
        lambda expected, found, ordered: sorted(expected, key=str) == sorted(found, key=str),
        "the order of the rows is part of the answer",
    ),
    ("08.6", lambda train, test: [i for i, row in enumerate(test) if row not in train], "for the input "),
]


@pytest.mark.filterwarnings("ignore:Converting a tensor")
@pytest.mark.parametrize(("id", "answer", "sentence"), NOT_RIGHT)
def test_a_wrong_answer_is_told_what_is_wrong_in_every_draw(id, answer, sentence):
    exercise = exercises.find(id)
    for n in range(20):
        verdict = judge(exercise, answer, f"draw/{n}")
        assert verdict.state == "not yet"
        assert sentence in verdict.text
        assert verdict.answer is exercise.reference


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda exercise: exercise.id)
def test_nothing_that_looks_like_an_answer_passes(exercise: Exercise):
    right = exercise.reference
    first = right(*next(iter(exercise.inputs("constant"))))
    for wrong in (lambda *args: first, lambda *args: "a text", lambda *args: [right(*args)] * 2, lambda *args: None):
        assert judge(exercise, wrong, SEEDS[0]).state == "not yet"
    renamed = judge(exercise, lambda *others: right(*others)).text
    assert renamed.startswith("your results are right, but ")
    assert f"`{next(iter(inspect.signature(right).parameters))}`" in renamed


# --- the references at the edges


@pytest.mark.parametrize(
    ("id", "args", "expected"),
    [
        ("00.1", ({},), {}),
        ("01.4", ([0.5, 0.5, 0.0], 1.0), [0.5, 0.5, 0.0]),
        ("03.10", (torch.zeros(2), 1.0, 5), torch.full((2,), 0.5)),
        ("04.4", ([torch.zeros(3)], 1.0), [torch.zeros(3)]),
        ("05.6", ([], [1]), 0),
        ("06.2", ([], 4, 0), []),
        ("08.1", ([], [], True), True),
        ("08.6", ([], [("a", "b")]), []),
    ],
)
def test_the_printed_solutions_hold_at_the_edges(id, args, expected):
    cell = next(cell.values for cell in CELLS if f'check("{id}"' in cell.values[0].cells[cell.values[1]].source)
    _, solution = handed_over(*cell, solved=True)
    assert sameness.same(solution(*args), expected) is None
