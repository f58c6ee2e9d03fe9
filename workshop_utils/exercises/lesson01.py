"""The exercises of lesson 01, base or instruct: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from workshop_utils.checks import Exercise, randn

Arguments = tuple[Any, ...]

# --- 01.1: a prompt that a base model continues as one wishes


def few_shot(examples: dict[str, str], question: str) -> str:
    """A table of examples, a pair a line, that breaks off where the answer has to come."""
    return "".join(f"{left}: {right}\n" for left, right in examples.items()) + f"{question}:"


_ANIMALS = {"cow": "calf", "cat": "kitten", "dog": "puppy", "sheep": "lamb", "hen": "chick", "fox": "cub"}


def _examples(rng: random.Random) -> Iterator[Arguments]:
    for n in (2, 3, 4):
        chosen = rng.sample(sorted(_ANIMALS), n + 1)
        yield {name: _ANIMALS[name] for name in chosen[:n]}, chosen[n]


def _few_shot_hint(args: Arguments, got: Any, expected: str) -> str | None:
    examples, question = args
    if not isinstance(got, str):
        return f"the prompt should be one string, and yours is a {type(got).__name__}."
    if got == expected + " ":
        return (
            "your prompt ends with a space. The model's tokens carry their space in front: after a lone space it has "
            "to write a word as words never stand in its texts. End with the colon."
        )
    if got == expected + "\n":
        return "your prompt ends with a new line, so the model is past the place of the answer. End with the colon."
    if not got.rstrip().endswith(f"{question}:"):
        wanted = f"{question}:"
        return f"your prompt ends with {got[-20:]!r}. It should break off after {wanted!r}, where the answer comes."
    if any(f"{left}: {right}" not in got for left, right in examples.items()):
        left, right = next((left, right) for left, right in examples.items() if f"{left}: {right}" not in got)
        return f"an example is missing or written otherwise: {left}: {right}."
    if got.replace("\n", "") == expected.replace("\n", ""):
        return f"the pairs run into each other. Put each on a line of its own: {len(examples) + 1} lines in all."
    return None


# --- 01.2: the chat template by hand


def render(messages: list[dict[str, str]]) -> str:
    """Gemma's chat format, up to where the model begins to speak."""
    turns = ""
    for message in messages:
        role = "model" if message["role"] == "assistant" else message["role"]
        turns += f"<start_of_turn>{role}\n{message['content']}<end_of_turn>\n"
    return f"<bos>{turns}<start_of_turn>model\n"


_SAID = ("Hello!", "What colour is a banana?", "Thank you.", "Tell me a story.", "A banana is yellow.", "You are kind.")


def _conversations(rng: random.Random) -> Iterator[Arguments]:
    for n in (1, 3, 5):
        texts = rng.sample(_SAID, n)
        yield ([{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)],)


def _render_hint(args: Arguments, got: Any, expected: str) -> str | None:
    if not isinstance(got, str):
        return f"the rendered conversation should be one string, and yours is a {type(got).__name__}."
    if "<start_of_turn>assistant" in got:
        return 'you wrote the role "assistant" as it stands. In Gemma\'s format the one who answers is called "model".'
    if got.count("<bos>") != 1 or not got.startswith("<bos>"):
        return f"<bos> stands {got.count('<bos>')} times in yours. A conversation begins once, with one <bos> in front."
    if got == expected.removesuffix("<start_of_turn>model\n"):
        return (
            "everything is there but the last line: <start_of_turn>model. Without it the model may go on with the "
            "user's turn instead of answering."
        )
    if got.count("<end_of_turn>") != expected.count("<end_of_turn>"):
        return (
            f"yours has {got.count('<end_of_turn>')} <end_of_turn> and should have {expected.count('<end_of_turn>')}: "
            "each turn that is over ends with one, and the one that the model is to write does not."
        )
    if got.replace("\n", "") == expected.replace("\n", ""):
        return "only the line breaks differ: one after each role, one after each <end_of_turn>, and no others."
    if got.replace(" ", "") == expected.replace(" ", ""):
        return "only spaces differ. To the model a space too many is another token: write none that is not in the text."
    return None


# --- 01.3 and 01.4: how the next token is drawn


def with_temperature(logits: Any, temperature: float) -> Any:
    """Scores (V,) to probabilities (V,), sharper below 1 and flatter above."""
    return (logits / temperature).softmax(dim=-1)


def _logits(rng: random.Random) -> Iterator[Arguments]:
    for temperature in (0.5, 2.0, 1.3):
        yield 3 * randn(rng, 8), temperature


def _temperature_hint(args: Arguments, got: Any, expected: Any) -> str | None:
    logits, temperature = args
    if not hasattr(got, "shape") or tuple(got.shape) != tuple(expected.shape):
        return "the result should be as long as the scores: a probability for each token."
    if _near(got, logits / temperature):
        return "these are scores still. Softmax turns them into probabilities that sum to 1."
    if _near(got, logits.softmax(dim=-1)):
        return "the temperature has no effect yet: divide the scores by it before the softmax."
    if _near(got, (logits * temperature).softmax(dim=-1)):
        return "you multiplied by the temperature. Then a high one makes the model careful, not bold: divide."
    if _near(got, logits.softmax(dim=-1) / temperature):
        return f"you divided the probabilities: they now sum to {float(got.sum()):.2f}. Divide the scores."
    return None


def nucleus(probabilities: list[float], p: float) -> list[float]:
    """Keep the likeliest tokens until they reach p together, and share the probability out among them."""
    order = sorted(range(len(probabilities)), key=lambda token: -probabilities[token])
    kept, total = set(), 0.0
    for token in order:
        kept.add(token)
        total += probabilities[token]
        if total >= p:
            break
    return [q / total if token in kept else 0.0 for token, q in enumerate(probabilities)]


def _bets(rng: random.Random) -> Iterator[Arguments]:
    for p in (0.75, 0.55, 0.95):
        bets = [rng.randrange(1, 40) for _ in range(7)]
        bets[rng.randrange(7)] += 60
        yield [bet / sum(bets) for bet in bets], p
    yield [0.15, 0.2, 0.6, 0.05], 0.5  # the first one alone is enough


def _nucleus_hint(args: Arguments, got: Any, expected: list[float]) -> str | None:
    probabilities, p = args
    if not isinstance(got, list | tuple) or len(got) != len(probabilities):
        return f"the result should have a probability for each of the {len(probabilities)} tokens, 0 for those cut off."
    kept, wanted = [q > 0 for q in got], [q > 0 for q in expected]
    if not any(kept):
        return f"nothing is left to draw from. The likeliest token always stays, even where it alone reaches {p}."
    if kept == wanted and abs(sum(got) - 1) > 1e-6:
        return f"the right tokens are left, but they sum to {sum(got):.2f}: divide by the sum, so that it is 1 again."
    if kept == [q >= p for q in probabilities] or kept == [q >= 1 - p for q in probabilities]:
        return f"you compared each probability with {p}. It is their running sum, from the likeliest on, that counts."
    if sum(kept) == sum(wanted) - 1:
        return f"you stopped one token too early: those left have less than {p} together. The last one stays."
    if sum(kept) > sum(wanted):
        return f"you kept {sum(kept)} tokens, and {sum(wanted)} are enough to reach {p}."
    if sum(kept) == sum(wanted):
        return "you kept the right number of tokens, but not the likeliest ones: sort them first."
    return None


# --- 01.5: the summary

SUMMARY = {
    "was trained to predict the next token": "both",
    "was trained on conversations, too": "instruct",
    "needs the chat template to be at its best": "instruct",
    "writes the next line of a table that you begin": "both",
    "meets a question with more questions": "base",
    "ends by itself when it has answered": "instruct",
    "has the larger number of parameters": "neither",
    "remembers your last conversation": "neither",
    "may say something false, and sound sure": "both",
}
_WHY = {
    "was trained to predict the next token": "instruction tuning predicts the next token as well, only of other texts",
    "was trained on conversations, too": "that is what made an instruct model of a base model",
    "needs the chat template to be at its best": "only the instruct model was trained in it",
    "writes the next line of a table that you begin": "continuing a text is what every language model does",
    "meets a question with more questions": "to a base model a question looks like the beginning of a worksheet",
    "ends by itself when it has answered": "only the instruct model has learnt to end its turn",
    "has the larger number of parameters": "look at the two numbers printed when they were loaded",
    "remembers your last conversation": "whatever is not in the prompt does not exist for it",
    "may say something false, and sound sure": "look again at what they said about things that they do not know",
}


def _summary_difference(got: Any, expected: dict[str, str]) -> str | None:
    if not isinstance(got, dict) or set(got) != set(expected):
        return "keep the lines of the table as they are, and fill in the right-hand sides."
    for line, wanted in expected.items():
        if got[line] not in ("base", "instruct", "both", "neither"):
            return f'"{line}": you wrote {got[line]!r}; the choices are "base", "instruct", "both" and "neither".'
        if got[line] != wanted:
            return f'"{line}": think again, {_WHY[line]}.'
    return None


def _near(left: Any, right: Any) -> bool:
    return bool((left - right).abs().max() < 1e-5)


EXERCISES = [
    Exercise(
        "01.1",
        "prompt with examples",
        few_shot,
        wrong={
            "ends with a space": lambda examples, question: few_shot(examples, question) + " ",
            "ends with a new line": lambda examples, question: few_shot(examples, question) + "\n",
            "asks a question": lambda examples, question: few_shot(examples, question)[:-1] + "?",
            "all on one line": lambda examples, question: few_shot(examples, question).replace("\n", ""),
            "no examples": lambda examples, question: f"{question}:",
        },
        cases=_examples,
        hint=_few_shot_hint,
        praise="a text that breaks off where the answer has to come: that is all of few-shot prompting.",
    ),
    Exercise(
        "01.2",
        "chat template",
        render,
        wrong={
            "assistant instead of model": lambda messages: render(messages).replace(
                "<start_of_turn>model", "<start_of_turn>assistant"
            ),
            "no turn for the model": lambda messages: render(messages).removesuffix("<start_of_turn>model\n"),
            "no end of turns": lambda messages: render(messages).replace("<end_of_turn>", ""),
            "a <bos> for each turn": lambda messages: render(messages).replace("<start", "<bos><start"),
            "no line breaks": lambda messages: render(messages).replace("\n", ""),
            "ends the turn that is to come": lambda messages: render(messages) + "<end_of_turn>",
        },
        cases=_conversations,
        hint=_render_hint,
        praise="letter for letter what the tokenizer's own template writes.",
    ),
    Exercise(
        "01.3",
        "temperature",
        with_temperature,
        wrong={
            "multiplied": lambda logits, temperature: (logits * temperature).softmax(dim=-1),
            "after the softmax": lambda logits, temperature: logits.softmax(dim=-1) / temperature,
            "no softmax": lambda logits, temperature: logits / temperature,
            "ignored": lambda logits, temperature: logits.softmax(dim=-1),
        },
        cases=_logits,
        hint=_temperature_hint,
        praise="one division. Everything that temperature does follows from it.",
    ),
    Exercise(
        "01.4",
        "nucleus",
        nucleus,
        wrong={
            "compares each one": lambda q, p: [x if x >= p else 0.0 for x in q],
            "not shared out again": lambda q, p: [x if y > 0 else 0.0 for x, y in zip(q, nucleus(q, p), strict=True)],
            "stops one too early": lambda q, p: _too_early(q, p),
            "one too many": lambda q, p: _top(q, sum(x > 0 for x in nucleus(q, p)) + 1),
            "in the order of the ids": lambda q, p: _by_id(q, sum(x > 0 for x in nucleus(q, p))),
        },
        cases=_bets,
        hint=_nucleus_hint,
        praise="few tokens where the model is sure, many where it is not: that is the point of top-p.",
    ),
    Exercise(
        "01.5",
        "summary",
        SUMMARY,
        wrong={
            "only base models predict tokens": SUMMARY | {"was trained to predict the next token": "base"},
            "instruct models are larger": SUMMARY | {"has the larger number of parameters": "instruct"},
            "models remember": SUMMARY | {"remembers your last conversation": "instruct"},
            "instruct models never err": SUMMARY | {"may say something false, and sound sure": "base"},
            "a word that is no choice": SUMMARY | {"meets a question with more questions": "yes"},
        },
        compare=_summary_difference,
        hint=lambda args, got, expected: _summary_difference(got, expected),
        praise="if you can explain each line to your neighbour, you have understood this lesson.",
    ),
]


def _top(probabilities: list[float], n: int) -> list[float]:
    kept = sorted(range(len(probabilities)), key=lambda token: -probabilities[token])[:n]
    total = sum(probabilities[token] for token in kept)
    return [q / total if token in kept else 0.0 for token, q in enumerate(probabilities)]


def _too_early(probabilities: list[float], p: float) -> list[float]:
    n = sum(q > 0 for q in nucleus(probabilities, p)) - 1
    return _top(probabilities, n) if n else [0.0] * len(probabilities)


def _by_id(probabilities: list[float], n: int) -> list[float]:
    total = sum(probabilities[:n])
    return [q / total if token < n else 0.0 for token, q in enumerate(probabilities)]
