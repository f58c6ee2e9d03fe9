"""The exercises of lesson 01, base or instruct: references, inputs, and the mistakes that people really make."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from workshop_utils.exercises.checks import Arguments, Exercise, Mistakes, randn

# --- 01.1: a prompt that a base model continues with the answer


def few_shot(examples: dict[str, str], question: str) -> str:
    """A table of examples, a pair a line, that breaks off where the answer has to come."""
    return "".join(f"{left}: {right}\n" for left, right in examples.items()) + f"{question}:"


_ANIMALS = {"cow": "calf", "cat": "kitten", "dog": "puppy", "sheep": "lamb", "hen": "chick", "fox": "cub"}


def _examples(rng: random.Random) -> Iterator[Arguments]:
    for n in (2, 3, 4):
        chosen = rng.sample(sorted(_ANIMALS), n + 1)
        yield {name: _ANIMALS[name] for name in chosen[:n]}, chosen[n]


FEW_SHOT: Mistakes = {
    "ends with a space": (
        lambda examples, question: few_shot(examples, question) + " ",
        "your prompt ends with a space. The model's tokens carry their space in front: a lone space "
        "is rare in its training data. End with the colon.",
    ),
    "ends with a new line": (
        lambda examples, question: few_shot(examples, question) + "\n",
        "your prompt ends with a new line, so the model would begin the next pair instead of answering. End with the "
        "colon.",
    ),
    "asks a question": (
        lambda examples, question: few_shot(examples, question)[:-1] + "?",
        "your prompt ends with a question mark. It should break off after a colon, where the answers of the examples "
        "come.",
    ),
    "no colon": (
        lambda examples, question: few_shot(examples, question)[:-1],
        "your prompt ends before the colon, so the model has to write it first. Break off right after it.",
    ),
    "all on one line": (
        lambda examples, question: few_shot(examples, question).replace("\n", ""),
        "the pairs run into each other. Put each on a line of its own.",
    ),
    "blank lines": (
        lambda examples, question: few_shot(examples, question).replace("\n", "\n\n"),
        "there is an empty line between the pairs. End each pair with one line break.",
    ),
    "a new line in front": (
        lambda examples, question: "\n" + few_shot(examples, question),
        "your prompt begins with an empty line. Begin with the first pair.",
    ),
    "no space after the colon": (
        lambda examples, question: few_shot(examples, question).replace(": ", ":"),
        "a space is missing after the colon of each example. The model repeats the form that it sees: `cow: calf`.",
    ),
    "separated by commas": (
        lambda examples, question: few_shot(examples, question).replace("\n", ", "),
        "the pairs stand on one line, with commas between them. Put each on a line of its own.",
    ),
    "the pairs turned round": (
        lambda examples, question: few_shot({right: left for left, right in examples.items()}, question),
        "your examples have the two words of a pair in the wrong order. It is `cow: calf`, the animal first.",
    ),
    "the last pair only": (
        lambda examples, question: few_shot(dict([*examples.items()][-1:]), question),
        "only the last of the examples is left. Add each pair to the text, instead of writing over it.",
    ),
    "no question": (
        lambda examples, question: few_shot(examples, question).removesuffix(f"{question}:"),
        "the last line is missing: the question and a colon.",
    ),
    "no examples": (
        lambda examples, question: f"{question}:",
        "the examples are missing, and they are what tells the model which kind of answer you want.",
    ),
}


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
    user, assistant = "user", "assistant"
    for roles in ([user], [user, assistant, user], [user, user, assistant, user], [assistant, user], [user, assistant]):
        texts = [*rng.sample(_SAID, len(roles) - 1), "Are you an assistant?"]  # a word of the text, and no role
        yield ([{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)],)


def _respaced(messages: list[dict[str, str]], after_role: str, end: str) -> str:
    """The template with something else behind each role, and at the end of each turn."""
    role = {"user": "user", "assistant": "model"}
    turns = [f"<start_of_turn>{role[m['role']]}{after_role}{m['content']}{end}" for m in messages]
    return f"<bos>{''.join(turns)}<start_of_turn>model\n"


RENDERED: Mistakes = {
    "assistant instead of model": (
        lambda messages: render(messages).replace("model\n", "assistant\n"),
        'you wrote the role "assistant" as it stands. In Gemma\'s format the assistant is called "model".',
    ),
    "assistant in the messages": (
        lambda messages: render(messages).replace("model\n", "assistant\n").removesuffix("assistant\n") + "model\n",
        'you wrote the role "assistant" as it stands. In Gemma\'s format the assistant is called "model".',
    ),
    "the role ignored": (
        lambda messages: render([m | {"role": "user"} for m in messages]),
        'every turn is the user\'s in your text. Read the role of each message, message["role"].',
    ),
    "roles by turns": (
        lambda messages: render([m | {"role": ("user", "assistant")[i % 2]} for i, m in enumerate(messages)]),
        'you alternate the roles. Read the role of each message, message["role"]: a user may write twice here.',
    ),
    "a turn for the model only after the user's": (
        lambda messages: (
            render(messages)
            if messages[-1]["role"] == "user"
            else render(messages).removesuffix("<start_of_turn>model\n")
        ),
        "you open the model's turn only after one of the user. Open it in any case.",
    ),
    "no turn for the model": (
        lambda messages: render(messages).removesuffix("<start_of_turn>model\n"),
        "everything is there but the last line: <start_of_turn>model. Without it the model may go on with the user's "
        "turn instead of answering.",
    ),
    "no line break at the end": (
        lambda messages: render(messages).removesuffix("\n"),
        "only the very last line break is missing, the one after <start_of_turn>model.",
    ),
    "no end of turns": (
        lambda messages: render(messages).replace("<end_of_turn>", ""),
        "no turn ends: each one that is over is closed by <end_of_turn>.",
    ),
    "a <bos> for each turn": (
        lambda messages: render(messages).replace("<start", "<bos><start").removeprefix("<bos>"),
        "there is a <bos> before every turn. A conversation begins once, with one <bos> in front.",
    ),
    "no <bos>": (
        lambda messages: render(messages).removeprefix("<bos>"),
        "there is no <bos>. A conversation begins with one.",
    ),
    "no line breaks": (
        lambda messages: render(messages).replace("\n", ""),
        "only the line breaks are missing: one after each role, and one after each <end_of_turn>.",
    ),
    "no line break after a role": (
        lambda messages: _respaced(messages, "", "<end_of_turn>\n"),
        "the line break after the role of each message is missing.",
    ),
    "no line break after a turn": (
        lambda messages: _respaced(messages, "\n", "<end_of_turn>"),
        "the line break after each <end_of_turn> is missing.",
    ),
    "a space after a role": (
        lambda messages: _respaced(messages, " ", "<end_of_turn>\n"),
        "there is a space after the role of each message, where a line break should be.",
    ),
    "a line break before the end of a turn": (
        lambda messages: _respaced(messages, "\n", "\n<end_of_turn>\n"),
        "there is a line break in front of each <end_of_turn>. It follows the content directly.",
    ),
    "a line break after <bos>": (
        lambda messages: render(messages).replace("<bos>", "<bos>\n"),
        "there is a line break after <bos>. The first turn follows it directly.",
    ),
    "the last message only": (
        lambda messages: render(messages[-1:]),
        "only the last message is left. Add each turn to the text, instead of writing over it.",
    ),
    "the model's turn after every message": (
        lambda messages: "<bos>" + "".join(render([message]).removeprefix("<bos>") for message in messages),
        "you open the model's turn after each message. Open it once, behind the last one.",
    ),
    "ends the turn that is to come": (
        lambda messages: render(messages) + "<end_of_turn>",
        "you closed the turn that the model is still to write: the text breaks off after its role and the line break.",
    ),
}


# --- 01.3 and 01.4: how the next token is drawn


def with_temperature(logits: Any, temperature: float) -> Any:
    """Scores (V,) to probabilities (V,), sharper below 1 and flatter above."""
    return (logits / temperature).softmax(dim=-1)


def _logits(rng: random.Random) -> Iterator[Arguments]:
    for temperature in (0.5, 2.0, 1.3):
        yield 3 * randn(rng, 8), temperature


TEMPERATURE: Mistakes = {
    "multiplied": (
        lambda logits, temperature: (logits * temperature).softmax(dim=-1),
        "you multiplied by the temperature. Then a high one makes the distribution sharper instead of flatter: divide.",
    ),
    "after the softmax": (
        lambda logits, temperature: logits.softmax(dim=-1) / temperature,
        "you divided the probabilities, so that they no longer sum to 1. Divide the scores.",
    ),
    "no softmax": (
        lambda logits, temperature: logits / temperature,
        "these are still scores. Softmax turns them into probabilities that sum to 1.",
    ),
    "logarithms": (
        lambda logits, temperature: (logits / temperature).log_softmax(dim=-1),
        "these are the logarithms of the probabilities. Use softmax, without the log.",
    ),
    "no sum": (
        lambda logits, temperature: (logits / temperature).exp(),
        "you took e to the power of each, but they do not sum to 1 yet: divide by their sum, as softmax does.",
    ),
    "ignored": (
        lambda logits, temperature: logits.softmax(dim=-1),
        "the temperature has no effect yet: divide the scores by it before the softmax.",
    ),
}


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


def _distributions(rng: random.Random) -> Iterator[Arguments]:
    for p in (0.75, 0.55, 0.95):
        while True:  # no two alike, and no sum that is p but for rounding: any order of sorting finds the same tokens
            shares = rng.sample(range(1, 40), 7)
            shares[rng.randrange(7)] += 60
            sums = accumulate(sorted(shares, reverse=True))
            if all(abs(part / sum(shares) - p) > 1e-6 for part in sums):
                break
        yield [share / sum(shares) for share in shares], p
    yield [0.15, 0.2, 0.6, 0.05], 0.5  # the first one alone is enough
    yield [0.125, 0.5, 0.0625, 0.25, 0.0625], 0.75  # two reach p to the last bit
    yield [0.3 * (1 - 1e-7), 0.5 * (1 - 1e-7), 0.2 * (1 - 1e-7)], 1.0  # rounding: all together do not reach p


def _top(probabilities: list[float], n: int) -> list[float]:
    kept = sorted(range(len(probabilities)), key=lambda token: -probabilities[token])[:n]
    total = sum(probabilities[token] for token in kept)
    return [q / total if token in kept else 0.0 for token, q in enumerate(probabilities)]


def _size(probabilities: list[float], p: float) -> int:
    return sum(q > 0 for q in nucleus(probabilities, p))


def _past(probabilities: list[float], p: float) -> list[float]:
    order = sorted(probabilities, reverse=True)
    return _top(probabilities, 1 + sum(total <= p for total in accumulate(order)))


def _up_to(probabilities: list[float], p: float) -> list[float]:
    order = sorted(probabilities, reverse=True)
    n = sum(total <= p for total in accumulate(order))
    return _top(probabilities, n) if n else [0.0 for _ in probabilities]


def _least(probabilities: list[float], p: float) -> list[float]:
    order = sorted(range(len(probabilities)), key=lambda token: probabilities[token])
    sums = list(accumulate(probabilities[token] for token in order))
    kept = order[: 1 + sum(total < p for total in sums)]
    total = sum(probabilities[token] for token in kept)
    return [q / total if token in kept else 0.0 for token, q in enumerate(probabilities)]


def _by_id(probabilities: list[float], n: int) -> list[float]:
    total = sum(probabilities[:n])
    return [q / total if token < n else 0.0 for token, q in enumerate(probabilities)]


NUCLEUS: Mistakes = {
    "compares each one": (
        lambda q, p: [x if x >= p else 0.0 for x in q],
        "you compared each probability with p. It is their running sum, from the most probable on, that counts.",
    ),
    "not shared out again": (
        lambda q, p: [x if y > 0 else 0.0 for x, y in zip(q, nucleus(q, p), strict=True)],
        "the right tokens are left, but they no longer sum to 1: divide by their sum.",
    ),
    "stops one too early": (
        lambda q, p: _top(q, _size(q, p) - 1),
        "you stopped one token too early: those left have less than p together. The one that reaches p stays.",
    ),
    "> for >=": (
        _past,
        "where the sum is p to the last bit, you go on and keep one token more. At least p is asked for: >=, not >.",
    ),
    "the sum at most p": (
        _up_to,
        "you keep tokens while the sum is p at most. The token that takes the sum to p or above it stays, too: at "
        "least one is always kept.",
    ),
    "the least probable": (
        _least,
        "you begin with the least probable tokens, or keep them all. Begin with the most probable, and stop at p.",
    ),
    "sorted": (
        lambda q, p: sorted(nucleus(q, p), reverse=True),
        "the probabilities are right, but in the order of your sorting. Give each token's in the order that came in.",
    ),
    "divided by p": (
        lambda q, p: [x / p if y > 0 else 0.0 for x, y in zip(q, nucleus(q, p), strict=True)],
        "you divided by p. The tokens that are left have p or more together: divide by their own sum.",
    ),
    "one too many": (
        lambda q, p: _top(q, _size(q, p) + 1),
        "you kept one token more than are needed to reach p.",
    ),
    "in the order of the ids": (
        lambda q, p: _by_id(q, _size(q, p)),
        "you kept the right number of tokens, but the first ones, not the most probable: sort them first.",
    ),
    "unchanged": (
        lambda q, p: list(q),
        "you begin with the least probable tokens, or keep them all. Begin with the most probable, and stop at p.",
    ),
}


# --- 01.5: two ways of asking, on the same questions


def gained_and_lost(before: list[bool], after: list[bool]) -> tuple[int, int]:
    """Of the same questions: how many only the second way answers rightly, and how many only the first."""
    pairs = list(zip(before, after, strict=True))
    return pairs.count((False, True)), pairs.count((True, False))


def _marked(rng: random.Random) -> Iterator[Arguments]:
    yield [True, False, False, True, False], [True, True, True, False, False]
    for n in (6, 12, 30):
        yield [rng.random() < 0.6 for _ in range(n)], [rng.random() < 0.5 for _ in range(n)]


GAINED: Mistakes = {
    "the other way round": (
        lambda before, after: gained_and_lost(after, before),
        "the two numbers are in the wrong order: first the questions that were wrong before and are right after.",
    ),
    "only the difference": (
        lambda before, after: sum(after) - sum(before),
        "this is the difference of the two totals. It hides that some questions are gained and others lost: return "
        "both counts.",
    ),
    "both together": (
        lambda before, after: sum(a != b for a, b in zip(before, after, strict=True)),
        "this is the number of questions on which the two ways differ. Split it: those gained, and those lost.",
    ),
    "the totals": (
        lambda before, after: (sum(after), sum(before)),
        "these are the right answers of each way. Count the questions on which the two ways differ.",
    ),
    "right both times and wrong both times": (
        lambda before, after: (
            sum(a and b for a, b in zip(before, after, strict=True)),
            sum(not (a or b) for a, b in zip(before, after, strict=True)),
        ),
        "you counted the questions on which the two ways agree. Those on which they differ are asked for.",
    ),
    "the difference, split": (
        lambda before, after: (max(0, sum(after) - sum(before)), max(0, sum(before) - sum(after))),
        "you split the difference of the totals. A question that was gained and one that was lost cancel out in it: "
        "go through the questions one by one.",
    ),
    "places instead of counts": (
        lambda before, after: tuple(
            [i for i, pair in enumerate(zip(before, after, strict=True)) if pair == wanted]
            for wanted in ((False, True), (True, False))
        ),
        "you return which questions they are. Return how many.",
    ),
}


EXERCISES = [
    Exercise(
        "01.1",
        "prompt with examples",
        few_shot,
        FEW_SHOT,
        _examples,
        praise="the text breaks off where the answer has to come, and the examples show which kind of answer.",
    ),
    Exercise(
        "01.2",
        "chat template",
        render,
        RENDERED,
        _conversations,
        praise="for these messages, letter for letter what the tokenizer's own template writes.",
    ),
    Exercise(
        "01.3",
        "temperature",
        with_temperature,
        TEMPERATURE,
        _logits,
        praise="the logits are divided, and the softmax does the rest.",
    ),
    Exercise(
        "01.4",
        "nucleus",
        nucleus,
        NUCLEUS,
        _distributions,
        praise="few tokens are kept where the distribution is concentrated, and many where it is flat.",
    ),
    Exercise(
        "01.5",
        "count of gains and losses",
        gained_and_lost,
        GAINED,
        _marked,
        praise="questions that both ways answer alike say nothing about their difference.",
    ),
]
