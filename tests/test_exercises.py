"""Every exercise of the committed lessons: right answers pass in every form, a wrong one is told its own mistake."""

import ast
import inspect
import itertools
import linecache
import math
import random
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from other_answers import OTHER

from workshop_utils import exercises
from workshop_utils.exercises import sameness
from workshop_utils.exercises.checks import Exercise, judge

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks as tool  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IN_LESSONS = [
    pytest.param(path, i, id=f"{path.stem}-cell{i + 1}")
    for path in LESSONS
    for i, _ in tool.exercises(nbformat.read(path, as_version=4))
]
KNOWN = [exercise for number in exercises.lessons() for exercise in exercises.of_lesson(number)]
MISTAKES = [
    pytest.param(exercise, name, id=f"{exercise.id}-{name}") for exercise in KNOWN for name in exercise.mistakes
]
WRONG = [pytest.param(exercise, name, id=f"{exercise.id}-{name}") for exercise in KNOWN for name in exercise.wrong]
SEEDS = [f"test/{n}" for n in range(5)]

_cells = itertools.count()


def run(statements: list[ast.stmt], source: str, namespace: dict) -> None:
    """Run statements of a cell as a notebook does, so that their lines can be looked up."""
    file = f"/exercise/{next(_cells)}.py"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(ast.Module(statements, []), file, "exec"), namespace)


def is_light(statement: ast.stmt) -> bool:
    """Whether a statement only defines: an import, a function, a class, or a constant. An exercise needs no more."""
    if isinstance(statement, ast.Assign):
        try:
            ast.literal_eval(statement.value)
        except ValueError:
            return False
        return True
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)


def names_before(notebook: nbformat.NotebookNode, index: int) -> dict:
    """What a learner has defined when an exercise comes up, all earlier exercises solved, without running the rest."""
    namespace: dict = {"__name__": "__main__"}
    for cell in notebook.cells[:index]:
        if cell.cell_type == "code" and "colab" not in tool.tags(cell):
            statements = ast.parse(cell.source).body
            setup = "setup" in tool.tags(cell)
            run([s for s in statements if setup or is_light(s)], cell.source, namespace)
    return namespace


def handed_over(path: Path, index: int, with_solution: bool) -> tuple[Exercise, object]:
    """Run one exercise cell up to its check; return the exercise and the answer that the check would get."""
    notebook = nbformat.read(path, as_version=4)
    solved = tool.solved(notebook)
    namespace = names_before(solved, index)
    source = (solved if with_solution else notebook).cells[index].source
    statements = ast.parse(source).body
    at = next(n for n, statement in enumerate(statements) if "check(" in ast.unparse(statement))
    run(statements[:at], source, namespace)
    calls = [node for node in ast.walk(statements[at]) if isinstance(node, ast.Call)]
    call = next(call for call in calls if ast.unparse(call.func) == "check")
    answer = eval(compile(ast.Expression(call.args[1]), "<answer>", "eval"), namespace)
    return exercises.find(ast.literal_eval(call.args[0])), answer


@pytest.mark.parametrize(("path", "index"), IN_LESSONS)
def test_the_solution_passes(path, index):
    exercise, answer = handed_over(path, index, with_solution=True)
    for seed in SEEDS:
        verdict = judge(exercise, answer, seed)
        assert verdict.state == "right", verdict.text


@pytest.mark.parametrize(("path", "index"), IN_LESSONS)
def test_the_untouched_stub_is_not_attempted(path, index):
    assert judge(*handed_over(path, index, with_solution=False)).state == "not attempted yet"


@pytest.mark.parametrize("exercise", KNOWN, ids=lambda exercise: exercise.id)
def test_the_reference_passes_its_own_check(exercise: Exercise):
    for seed in SEEDS:
        verdict = judge(exercise, exercise.reference, seed)
        assert verdict.state == "right", verdict.text


@pytest.mark.parametrize("exercise", KNOWN, ids=lambda exercise: exercise.id)
def test_two_plausible_mistakes_are_known(exercise: Exercise):
    assert len(exercise.mistakes) + len(exercise.wrong) >= 2


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES)
def test_a_mistake_is_named_in_every_draw(exercise: Exercise, mistake: str):
    answer, sentence = exercise.mistakes[mistake]
    for seed in SEEDS:
        assert judge(exercise, answer, seed).hint == sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(("exercise", "mistake"), WRONG)
def test_other_wrong_answers_fail_in_every_draw(exercise: Exercise, mistake: str):
    for seed in SEEDS:
        assert judge(exercise, exercise.wrong[mistake], seed).state == "not yet"


# --- right answers in another form


def defined_by(source: str) -> object:
    """Run the source of an answer and return what it defines."""
    namespace: dict = {"__name__": "__main__"}
    run(ast.parse("import math, re, zlib\nimport torch").body, "", namespace)
    before = {*namespace}
    run(ast.parse(source).body, source, namespace)
    (name,) = namespace.keys() - before
    return namespace[name]


def test_every_exercise_of_a_lesson_has_a_right_answer_in_another_form():
    assert {*OTHER} == {exercise.id for exercise in KNOWN}


@pytest.mark.parametrize("id", OTHER)
def test_a_right_answer_in_another_form_passes_and_comes_back_in_the_form_of_the_package(id: str):
    exercise, answer = exercises.find(id), defined_by(OTHER[id])
    for seed in SEEDS:
        verdict = judge(exercise, answer, seed)
        assert verdict.state == "right", verdict.text
        if exercise.cases is not None and exercise.apply is None:
            goes_on_as_with_the_reference(exercise, verdict.answer, f"{seed}/lesson")


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


@pytest.mark.parametrize(("path", "index"), IN_LESSONS)
def test_a_stub_has_the_arguments_of_the_reference(path, index):
    exercise, stub = handed_over(path, index, with_solution=False)
    if exercise.cases is None:
        return
    stubs, own = (inspect.signature(one).parameters.values() for one in (stub, exercise.reference))
    assert [(one.name, one.default) for one in stubs] == [(one.name, one.default) for one in own]


@pytest.mark.parametrize("exercise", [e for e in KNOWN if e.cases is not None], ids=lambda exercise: exercise.id)
def test_a_renamed_argument_is_named(exercise: Exercise):
    verdict = judge(exercise, lambda *others: exercise.reference(*others))
    name = next(iter(inspect.signature(exercise.reference).parameters))
    assert verdict.state == "not yet"
    assert verdict.text.startswith("your results are right, but ")
    assert f"`{name}`" in verdict.text


# What people really answered, and how it was taken once: id, answer, part of the sentence it should get.
RIGHT = {
    "01.4 sorted by argsort, the last of the likeliest first": OTHER["01.4"],
    "01.4 as a tensor": """
def nucleus(probabilities, p):
    ranked, order = torch.tensor(probabilities).sort(descending=True)
    kept = torch.zeros(len(probabilities))
    keep = order[ranked.cumsum(0) - ranked < p]
    kept[keep] = ranked[: len(keep)]
    return kept / kept.sum()
""",
    "02.4 as a float": OTHER["02.4"],
    "03.1 float64": OTHER["03.1"],
    "06.3 floats": """
def training_bytes(parameters, moment_bytes):
    return {"weights": 4e0 * parameters, "gradients": 4e0 * parameters, "Adam": 2e0 * parameters * moment_bytes}
""",
    "06.6 numbers of NumPy": """
def steps_for(tokens, tokens_per_update, batch_size, block_size, gpus):
    import numpy as np

    return np.int64(tokens_per_update // (batch_size * block_size * gpus)), np.int64(-(-tokens // tokens_per_update))
""",
    "07.1 a tuple": """
def labels_of(prompt, reply, width):
    return (*[-100] * len(prompt), *reply, *[-100] * (width - len(prompt) - len(reply)))
""",
    "07.2 the scale as a float": """
def quantise(block, levels):
    scale = block.abs().max().item()
    return (block[:, None] / scale - levels).abs().argmin(dim=1), scale
""",
    "00.1 fractions": """
def probabilities(counts):
    from fractions import Fraction

    return {word: Fraction(n, sum(counts.values())) for word, n in counts.items()}
""",
    "01.3 reversed, in long doubles": """
def with_temperature(logits, temperature):
    import numpy as np

    powers = np.exp(np.array(logits.tolist()[::-1], dtype=np.longdouble) / temperature)
    return (powers / powers.sum())[::-1]
""",
    "04.1 a long double": """
def perplexity(losses):
    import numpy as np

    return np.exp(np.array(losses, dtype=np.longdouble).mean())
""",
    "04.2 fractions": """
def learning_rate(step, peak, warmup, total):
    from fractions import Fraction

    rest = Fraction(step, warmup) if step < warmup else Fraction(total - step, total - warmup)
    return Fraction(peak) * rest
""",
    "04.3 a decimal": """
def accumulate(losses, tokens):
    from decimal import Decimal

    return sum(Decimal(loss) * n for loss, n in zip(losses, tokens)) / sum(tokens)
""",
    "05.6 next to each other": """
def first_rise(rates, warmup):
    rises = [i for i, (a, b) in enumerate(zip(rates, rates[1:]), 1) if b > a and i > warmup]
    return (rises + [-1])[0]
""",
    "09.1 a fraction": """
def stem_score(text, stems):
    from fractions import Fraction

    words = re.findall("[a-z]+", text.lower())
    found = sum(any(word.startswith(stem) for word in words) for stem in stems)
    return min(Fraction(1), Fraction(10 * found, max(1, len(words))))
""",
    "09.3 complex": """
def perplexity(log_probabilities):
    import cmath

    return cmath.exp(-sum(log_probabilities) / len(log_probabilities))
""",
    "04.4 no gradient at all": """
def clip(gradients, limit):
    length = sum(float((g**2).sum()) for g in gradients) ** 0.5
    return [g * (limit / length) if length > limit else g for g in gradients]
""",
}
NOT_RIGHT = {
    "00.1 softmax": (
        """
def probabilities(counts):
    weights = torch.tensor(list(counts.values())).float().softmax(0)
    return dict(zip(counts, weights.tolist()))
""",
        "that is the softmax",
    ),
    "00.1 one more of each": (
        """
def probabilities(counts):
    return {word: (n + 1) / (sum(counts.values()) + len(counts)) for word, n in counts.items()}
""",
        "you added 1 to each count",
    ),
    "00.1 rounded": (
        """
def probabilities(counts):
    return {word: round(n / sum(counts.values()), 1) for word, n in counts.items()}
""",
        "it should be",
    ),
    "01.2 ignores the role": (
        """
def render(messages):
    text = "<bos>"
    for i, message in enumerate(messages):
        text += f"<start_of_turn>{('user', 'model')[i % 2]}\\n{message['content']}<end_of_turn>\\n"
    return text + "<start_of_turn>model\\n"
""",
        "you took the roles by turns",
    ),
    "02.2 bytes.replace": (
        """
def merge(parts, pair):
    return tuple(b"|".join(parts).replace(b"|".join(pair), b"".join(pair)).split(b"|"))
""",
        "you replaced letters in a joined text",
    ),
    "01.2 renames what was said": (
        """
def render(messages):
    turns = [f"<start_of_turn>{m['role']}\\n{m['content']}<end_of_turn>\\n" for m in messages]
    return ("<bos>" + "".join(turns)).replace("assistant", "model") + "<start_of_turn>model\\n"
""",
        "for the input ",
    ),
    "01.4 above p": (
        """
def nucleus(probabilities, p):
    kept, total = set(), 0.0
    for token in sorted(range(len(probabilities)), key=lambda token: -probabilities[token]):
        kept.add(token)
        total += probabilities[token]
        if total > p:
            break
    return [q / total if token in kept else 0.0 for token, q in enumerate(probabilities)]
""",
        "for the input ",
    ),
    "02.2 letters of two parts": (
        """
def merge(parts, pair):
    parts, i = list(parts), 0
    while i < len(parts) - 1:
        if parts[i] + parts[i + 1] == pair[0] + pair[1]:
            parts[i : i + 2] = [pair[0] + pair[1]]
        i += 1
    return tuple(parts)
""",
        "for the input ",
    ),
    "02.2 in any order": (
        """
def merge(parts, pair):
    parts, i = list(parts), 0
    while i < len(parts) - 1:
        if {parts[i], parts[i + 1]} == set(pair):
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        i += 1
    return tuple(parts)
""",
        "for the input ",
    ),
    "02.4 one byte": (
        """
def corpus_bytes(n_tokens, vocab_size):
    return n_tokens * (1 if vocab_size <= 256 else 2 if vocab_size <= 65_536 else 4)
""",
        "for the input ",
    ),
    "02.5 one array": (
        """
def window(tokens, start, block_size):
    return tokens[start : start + block_size + 1]
""",
        ": return 2 things, as a tuple.",
    ),
    "03.7 no defaults": (
        """
def bets(logits, temperature, top_k):
    logits = logits / temperature
    if top_k is not None:
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], float("-inf"))
    return logits.softmax(dim=-1)
""",
        "Keep the arguments of the stub, their names and their order.",
    ),
    "03.4 adds in place": (
        """
def residual_block(x, ln_1, attn, ln_2, mlp):
    x += attn(ln_1(x))
    x += mlp(ln_2(x))
    return x
""",
        "changes its argument in place",
    ),
    "03.5 a loop, and a new tensor": (
        """
def cross_entropy(logits, targets):
    losses = [-torch.log(logits[i].softmax(0)[targets[i]]) for i in range(len(targets))]
    return torch.tensor(losses).mean()
""",
        "no gradient flows back",
    ),
    "04.2 cosine": (
        """
def learning_rate(step, peak, warmup, total):
    if step < warmup:
        return peak * step / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
""",
        "falls along a cosine",
    ),
    "04.5 stops at the first rise": (
        """
def best_step(history):
    last = None
    for entry in history:
        if "val_loss" in entry:
            if last and entry["val_loss"] > last["val_loss"]:
                break
            last = entry
    return last["step"]
""",
        "you stopped where the validation loss rises for the first time",
    ),
    "05.1 below the limit": (
        """
def what_fits(rows, fixed, per_row, limit):
    batch = max(b for b in range(1, rows + 1) if rows % b == 0 and fixed + b * per_row < limit)
    return batch, rows // batch
""",
        "<= and not <",
    ),
    "05.1 never all rows": (
        """
def what_fits(rows, fixed, per_row, limit):
    batch = max(b for b in range(1, rows // 2 + 1) if rows % b == 0 and fixed + b * per_row <= limit)
    return batch, rows // batch
""",
        "for the input 16, ",
    ),
    "05.4 letters alone": (
        """
def seen_before(train, test):
    def plain(text):
        return re.sub("[^a-z]", "", text.lower())

    return [i for i, text in enumerate(test) if plain(text) in [plain(one) for one in train]]
""",
        "for the input ",
    ),
    "05.4 the place of an equal text": (
        """
def seen_before(train, test):
    def plain(text):
        return re.findall(r"[a-z0-9]+", text.lower())

    return [test.index(text) for text in test if plain(text) in [plain(one) for one in train]]
""",
        "for the input ",
    ),
    "05.6 not the last step": (
        """
def first_rise(rates, warmup):
    return next((i for i in range(warmup + 1, len(rates) - 1) if rates[i] > rates[i - 1]), -1)
""",
        "for the input ",
    ),
    "05.6 by a hundredth": (
        """
def first_rise(rates, warmup):
    return next((i for i in range(warmup + 1, len(rates)) if rates[i] > 1.01 * rates[i - 1]), -1)
""",
        "for the input ",
    ),
    "05.6 the highest": (
        """
def first_rise(rates, warmup):
    highest = rates.index(max(rates))
    return highest if highest > warmup else -1
""",
        "for the input ",
    ),
    "05.3 int()": (
        """
def save_every(save_seconds, hours_between_failures, step_seconds):
    return max(1, int(math.sqrt(2 * save_seconds * hours_between_failures * 3600) / step_seconds))
""",
        "you always round down",
    ),
    "05.3 ceil()": (
        """
def save_every(save_seconds, hours_between_failures, step_seconds):
    return max(1, math.ceil(math.sqrt(2 * save_seconds * hours_between_failures * 3600) / step_seconds))
""",
        "you always round up",
    ),
    "05.4 first three words": (
        """
def seen_before(train, test):
    def begin(text):
        return re.findall(r"[a-z0-9]+", text.lower())[:3]

    return [i for i, text in enumerate(test) if begin(text) in [begin(one) for one in train]]
""",
        "you compared the first three words",
    ),
    "05.4 a bag of words": (
        """
def seen_before(train, test):
    def bag(text):
        return frozenset(re.findall(r"[a-z0-9]+", text.lower()))

    return [i for i, text in enumerate(test) if bag(text) in {bag(one) for one in train}]
""",
        "the same words in another order",
    ),
    "05.7 the last rate": (
        """
def diagnose(run):
    if max(run["lr"]) == run["lr"][-1]:
        return "schedule"
    norms = run["grad_norm"]
    if max(norms[len(norms) // 2 :]) > 10 * norms[0]:
        return "rate"
    return "leak" if run["val_loss"][-1] < run["fresh_loss"][-1] / 2 else "healthy"
""",
        "you look whether the last rate is the highest",
    ),
    "06.1 md5": (
        """
def split_of(text, val_percent):
    import hashlib

    return "val" if int(hashlib.md5(text.encode()).hexdigest(), 16) % 100 < val_percent else "train"
""",
        "for the input '",
    ),
    "06.2 no start beyond": (
        """
def pack(documents, block_size, end):
    joined = [token for document in documents for token in [*document, end]]
    starts = range(0, len(joined) - block_size - 1, block_size)
    return [(joined[i : i + block_size], joined[i + 1 : i + block_size + 1]) for i in starts]
""",
        "or your range stops one too early",
    ),
    "06.2 all whole blocks": (
        """
def pack(documents, block_size, end):
    joined = [token for document in documents for token in [*document, end]]
    starts = range(0, len(joined) // block_size * block_size, block_size)
    return [(joined[i : i + block_size], joined[i + 1 : i + block_size + 1]) for i in starts]
""",
        "none is left for the end of its y",
    ),
    "06.5 how many": (
        """
def rows_of(n_rows, rank, world_size):
    return n_rows // world_size
""",
        "it should be a list of row numbers",
    ),
    "06.5 no numbers": (
        """
def rows_of(n_rows, rank, world_size):
    return ["first", "second"]
""",
        "it should be a list of row numbers",
    ),
    "07.6 growth of the gap": (
        """
def overfitting(runs):
    def growth(name):
        learnt, held_out = runs[name]
        return (held_out[-1] - learnt[-1]) - (held_out[0] - learnt[0])

    return max(runs, key=growth)
""",
        "the gap of that run grows the most",
    ),
    "09.4 torchao's own 127.5": (
        """
def quantise_rows(W):
    scales = W.abs().amax(dim=1) / 127.5
    return (W / scales[:, None]).round().clamp(-128, 127).to(torch.int8), scales
""",
        "you divided by 127.5",
    ),
    "09.5 up to the first above": (
        """
def choose_block(errors, limit):
    best = None
    for block in sorted(errors):
        if errors[block] > limit:
            break
        best = block
    return best, 4 + 16 / best
""",
        "for the input ",
    ),
    "09.5 whole division": (
        """
def choose_block(errors, limit):
    block = max(block for block in errors if errors[block] <= limit)
    return block, 4 + 16 // block
""",
        "16 // block cuts the share",
    ),
    "09.6 the best that fits": (
        """
def ship(rows, megabytes):
    rows = [row for row in rows if row["megabytes"] <= megabytes]
    best = max(rows, key=lambda row: row["score"])
    able = [row for row in rows if row["high"] >= best["low"]]
    return max(able, key=lambda row: row["tokens_per_second"])["name"]
""",
        "The best one counts even if it does not fit",
    ),
    "09.6 no intervals": (
        """
def ship(rows, megabytes):
    best = max(row["score"] for row in rows)
    able = [row for row in rows if row["megabytes"] <= megabytes and row["score"] >= best - 10]
    return max(able, key=lambda row: row["tokens_per_second"])["name"]
""",
        "only a few points below the best",
    ),
}
DRAWS = [f"draw/{n}" for n in range(20)]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_passes_in_every_draw(name: str):
    exercise, answer = exercises.find(name.split()[0]), defined_by(RIGHT[name])
    for seed in DRAWS:
        verdict = judge(exercise, answer, seed)
        assert verdict.state == "right", verdict.text
    goes_on_as_with_the_reference(exercise, verdict.answer, DRAWS[0])


@pytest.mark.parametrize("name", NOT_RIGHT)
def test_a_wrong_answer_is_told_what_is_wrong_in_every_draw(name: str):
    source, sentence = NOT_RIGHT[name]
    exercise, answer = exercises.find(name.split()[0]), defined_by(source)
    for seed in DRAWS:
        verdict = judge(exercise, answer, seed)
        assert verdict.state == "not yet", verdict.text
        assert sentence in verdict.text
        assert verdict.answer is exercise.reference


# --- no hint without its condition


def altered(value: object, change) -> object:
    """Change all numbers of a result; what has none comes back as it is."""
    if isinstance(value, torch.Tensor | np.ndarray | int | float):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(altered(item, change) for item in value)
    return {key: altered(item, change) for key, item in value.items()} if isinstance(value, dict) else value


def turned(value: object) -> object:
    """Turn a result round: the last item first, the last dimension first."""
    if isinstance(value, torch.Tensor):
        return value.T if value.ndim == 2 else value.flip(0) if value.ndim else value
    return value[::-1] if isinstance(value, list | tuple | str | np.ndarray) else value


def raises(*args):
    raise ValueError("no idea")


def mutants(exercise: Exercise) -> dict[str, object]:
    """Wrong answers that nobody thought of when the hints were written."""
    right = exercise.reference
    (args, *_) = exercise.inputs("constant")
    first = right(*args)

    def of(change):
        return lambda *args: change(right(*args))

    return {
        "constant": lambda *args: first,
        "off by one": of(lambda result: altered(result, lambda x: x + 1)),
        "negated": of(lambda result: altered(result, lambda x: -x)),
        "noise": of(lambda result: altered(result, lambda x: x + type(x)(3) if isinstance(x, int) else x + 0.1)),
        "half noise": of(lambda result: altered(result, lambda x: x + 7) if random.random() < 0.5 else result),
        "turned": of(turned),
        "shorter": of(lambda result: result[:-1] if hasattr(result, "__getitem__") and len(result) else result),
        "none": lambda *args: None,
        "sometimes none": of(lambda result: result if random.random() < 0.5 else None),
        "raises": raises,
        "text": lambda *args: "a text",
        "object": lambda *args: object(),
        "a list": of(lambda result: [result, result]),
        "zeros": of(lambda result: altered(result, lambda x: 0 * x)),
        "half": of(lambda result: altered(result, lambda x: x / 2)),
        "twice": of(lambda result: altered(result, lambda x: 2 * x)),
    }


def plain(value: object) -> object:
    """A result in lists, its numbers rounded, so that two of them are compared with ==."""
    if isinstance(value, Exception):
        return repr(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return sorted((repr(key), plain(item)) for key, item in value.items())
    if isinstance(value, int | float):
        return "nan" if math.isnan(value) else float(f"{value:.3g}")
    return value


def outcomes(exercise: Exercise, answer, seed: str) -> list:
    found = []
    for number, args in enumerate(exercise.inputs(seed)):
        random.seed(number)
        torch.manual_seed(number)
        try:
            found.append(plain(exercise.result(answer, args)))
        except Exception as error:
            found.append(plain(error))
    return found


FUNCTIONS = [exercise for exercise in KNOWN if exercise.cases is not None and exercise.apply is None]


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda exercise: exercise.id)
def test_a_mistake_is_named_only_to_an_answer_that_did_the_same(exercise: Exercise):
    generic = 0
    for seed in SEEDS[:2]:
        for name, mutant in mutants(exercise).items():
            verdict = judge(exercise, mutant, seed)
            if verdict.state == "right":
                assert outcomes(exercise, mutant, seed) == outcomes(exercise, exercise.reference, seed), name
            alike = [wrong for wrong, sentence in exercise.mistakes.values() if sentence == verdict.hint]
            if alike:
                done = outcomes(exercise, mutant, seed)
                assert any(done == outcomes(exercise, wrong, seed) for wrong in alike), f"{name}: {verdict.text}"
            generic += verdict.state == "not yet" and not verdict.hint
    assert generic >= 10  # most of them are strangers


@pytest.mark.parametrize("exercise", FUNCTIONS, ids=lambda exercise: exercise.id)
def test_the_generic_sentence_never_calls_two_equal_numbers_different(exercise: Exercise):
    def nearly(x):
        return x * (1 + 3e-4) if isinstance(x, float) or (hasattr(x, "dtype") and "float" in str(x.dtype)) else x

    text = judge(exercise, lambda *args: altered(exercise.reference(*args), nearly), SEEDS[0]).text
    shown, found, wanted = text.rpartition(", it should be ")
    assert not found or not shown.endswith(f" {wanted.rstrip('.')}"), text


# --- the printed solutions at the edges


@pytest.mark.parametrize(
    ("id", "args", "expected"),
    [
        ("00.1", ({},), {}),
        ("01.1", ({}, "dog"), "dog:"),
        ("01.4", ([0.5, 0.5, 0.0], 1.0), [0.5, 0.5, 0.0]),
        ("02.1", ({},), {}),
        ("02.2", ((), (b"a", b"b")), ()),
        ("03.7", (torch.zeros(2), 1.0, 5), torch.full((2,), 0.5)),
        ("04.2", (0, 1.0, 0, 10), 1.0),
        ("04.4", ([torch.zeros(3)], 1.0), [torch.zeros(3)]),
        ("05.2", ([], [1]), 0),
        ("05.4", ([], ["a"]), []),
        ("05.6", ([], 0), -1),
        ("06.2", ([], 4, 0), []),
        ("09.1", ("", ["mind"]), 0.0),
    ],
)
def test_the_printed_solutions_hold_at_the_edges(id, args, expected):
    path, index = next((p.values for p in IN_LESSONS if f'check("{id}"' in cell_source(*p.values)), (None, None))
    _, solution = handed_over(path, index, with_solution=True)
    assert sameness.same(solution(*args), expected) is None


def cell_source(path: Path, index: int) -> str:
    return str(nbformat.read(path, as_version=4).cells[index].source)


def test_ids_are_unique_and_begin_with_their_lesson():
    for number in exercises.lessons():
        ids = [exercise.id for exercise in exercises.of_lesson(number)]
        assert len(set(ids)) == len(ids)
        assert all(id.startswith(f"{number}.") for id in ids)


def test_an_unknown_exercise_is_named_with_what_there_is():
    with pytest.raises(LookupError, match="there are no exercises for lesson '77'"):
        exercises.find("77.1")
