"""The Stoic set: everyday complaints and what a Stoic answers, written by hand, for the fine-tuning of lesson 07.

stoic.jsonl -> load -> split by topic -> messages -> tokens. What is held out shares neither a topic nor a run of words
with what is trained on, so that a good answer there is not a remembered one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workshop_utils.chat.template import conversation
from workshop_utils.evaluate.overlap import words
from workshop_utils.machine.sentences import one_line
from workshop_utils.pocket import frozen

FILE = Path(__file__).parents[1] / "data_files" / "stoic.jsonl"
LABELLED = FILE.with_name("labelled_pairs.jsonl")  # two answers each, labelled by the authors of this workshop
WORDS = {"prompt": (5, 30), "answer": (12, 60), "topic": (1, 30)}  # fewest and most words of each field
EXAMPLE = 'as in {"prompt": "...", "answer": "...", "topic": "rain"}'
# Never trained on. A fixed list and no hash of the topic: neighbours such as bus and train must stay on one side, and a
# topic that somebody adds must not change what the others were tested on.
HELD_OUT_TOPICS: tuple[str, ...] = (
    *("kettle", "queue", "printer", "parcel", "garden", "cat"),
    *("haircut", "guitar", "teacher", "shoes", "party", "morning"),
)
AS_A_STOIC = "Answer as a Stoic philosopher would."  # asks for the style in words, without training
ORDINARY = "ordinary"  # the topic of what is replayed
ORDINARY_KINDS = ("question", "story", "advice")


@dataclass(frozen=True)
class Pair:
    """A complaint and its answer.

    Attributes:
        prompt: what the user says.
        answer: what the model should say.
        topic: what it is about, in small letters: "kettle". A topic is trained on or held out as a whole.
    """

    prompt: str
    answer: str
    topic: str


@dataclass(frozen=True)
class Labelled:
    """A complaint with two answers, and which of them is better by the judges' rubric.

    Attributes:
        prompt: what the user says.
        a: one answer.
        b: the other.
        label: "a", "b" or "tie", given by the authors of this workshop.
        reason: of the label.
        kind: what the pair tries, as in "another subject" or "close".
    """

    prompt: str
    a: str
    b: str
    label: str
    reason: str
    kind: str


def labelled() -> list[Labelled]:
    """The pairs of answers that judges are tried on; none of the complaints is trained on."""
    return [Labelled(**json.loads(line)) for line in LABELLED.read_text(encoding="utf-8").splitlines()]


def load(path: str | Path | None = None) -> list[Pair]:
    """Read a set of pairs, JSON Lines, and check every row.

    Args:
        path: the file; None for the set that comes with the workshop. Empty lines are skipped.

    Returns:
        the pairs in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, or not UTF-8, or a row is not as it should be; file, line and field are named.
    """
    from workshop_utils.machine.hardware import short_path
    from workshop_utils.machine.text_files import read_text

    path = FILE if path is None else Path(path)
    pairs: list[Pair] = []
    lines_of: dict[tuple[str, ...], int] = {}  # the words of a prompt -> the line that has them first
    # not splitlines, which also cuts at rarer characters that may occur within a text
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{short_path(path)}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}, is not JSON ({one_line(error)}): write one row per line, {EXAMPLE}") from error
        if problem := _problem(row):
            raise ValueError(f"{where}, {problem}")
        first = lines_of.setdefault(tuple(words(row["prompt"])), number)
        if first != number:
            raise ValueError(f'{where}, field "prompt": is that of line {first}, with another answer: change one')
        pairs.append(Pair(**row))
    return pairs


def _problem(row: Any) -> str:
    """What is wrong with a row and what to do, "" if nothing."""
    names = [field.name for field in fields(Pair)]
    if not isinstance(row, dict) or set(row) != set(names):
        has = f"the fields {', '.join(row)}" if isinstance(row, dict) else f"a {type(row).__name__}"
        return f"has {has}, and a row has the fields {', '.join(names)}: write one row per line, {EXAMPLE}"
    for name, text in row.items():
        fewest, most = WORDS[name]
        if not isinstance(text, str) or not text.strip():
            return f'field "{name}": is {json.dumps(text)}, which is no text; write something, in double quotes'
        if not fewest <= (count := len(words(text))) <= most:
            cure = "too short; say a little more" if count < fewest else "too long; cut what is said twice"
            return f'field "{name}": has {count} words and should have {fewest} to {most}, so it is {cure}'
    if row["topic"] != row["topic"].strip().lower():
        return (
            f'field "topic": is {row["topic"]!r}; write {row["topic"].strip().lower()!r}, so that equal ones are equal'
        )
    return ""


def split(pairs: Sequence[Pair], held_out_topics: Collection[str] = HELD_OUT_TOPICS) -> tuple[list[Pair], list[Pair]]:
    """Split the pairs by topic, so that nothing about a held-out topic is ever trained on.

    Args:
        pairs: as from load.
        held_out_topics: the topics to ask about afterwards.

    Returns:
        what to train on and what is held out, each in the order of the pairs.

    Raises:
        ValueError: one of the topics does not occur, or one side would be empty.
    """
    topics = list(dict.fromkeys(pair.topic for pair in pairs))
    missing = [topic for topic in held_out_topics if topic not in topics]
    train = [pair for pair in pairs if pair.topic not in held_out_topics]
    if missing or not train or len(train) == len(pairs):
        why = f"no pair is about {', '.join(missing)}" if missing else "one side would be empty"
        raise ValueError(f"held_out_topics does not split the pairs, {why}: hold out some of {', '.join(topics)}")
    return train, [pair for pair in pairs if pair.topic in held_out_topics]


def messages(pair: Pair) -> list[dict[str, str]]:
    """The pair as a conversation: the user's turn and the model's."""
    return conversation(pair.prompt, pair.answer)


def prompted(prompt: str, instruction: str = AS_A_STOIC) -> list[dict[str, str]]:
    """The complaint with an instruction behind it, in the user's turn: not every template has a system role."""
    return conversation(f"{prompt} {instruction}")


def few_shot(prompt: str, examples: Sequence[Pair]) -> list[dict[str, str]]:
    """The complaint after some pairs, each of which is a turn of the user's and a turn of the model's."""
    return [message for pair in examples for message in messages(pair)] + conversation(prompt)


def ordinary(n: int, seed: int = 0, kinds: Sequence[str] = ORDINARY_KINDS) -> list[Pair]:
    """Ordinary chats to replay among the Stoic ones, so that the model does not forget what else it can do.

    Args:
        n: how many; stoic_run.ordinary_for says how many each model needs. More begin with the same ones.
        seed: another seed gives other ones.
        kinds: kinds of chat of the pocket instruct model, taken in turn. "advice" answers complaints, too, in the
            ordinary style: leave it out for a model that should meet every complaint as a Stoic.

    Returns:
        n pairs with the topic "ordinary", no prompt twice; their answers may be longer than those of the set.

    Raises:
        ValueError: the package keeps no chats of these kinds and this seed, or fewer than n.
    """
    rows = [row for row in frozen.rows("ordinary") if (tuple(row["kinds"]), row["seed"]) == (tuple(kinds), seed)]
    kept = [Pair(row["prompt"], row["answer"], ORDINARY) for row in rows]
    return frozen.first(n, kept, f"ordinary chats of the kinds {', '.join(kinds)} with seed {seed}")
