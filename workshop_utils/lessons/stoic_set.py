"""The Stoic set: everyday complaints and what a Stoic answers, written by hand, for the fine-tuning of lesson 07.

First in that lesson's way of the data: stoic.jsonl -> load -> split by topic -> messages -> tokens. What is held out
shares neither a topic nor a run of words with what is trained on, so that a good answer there is not a remembered one.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import shorten
from typing import Any

from workshop_utils.chat import template as chat
from workshop_utils.evaluate.overlap import overlaps, words
from workshop_utils.machine.sentences import one_line
from workshop_utils.pocket import frozen

FILE = Path(__file__).parents[1] / "data_files" / "stoic.jsonl"
# Fewest and most words of each field that is a text.
WORDS = {"prompt": (5, 30), "answer": (12, 60)}
# Never trained on. A fixed list and no hash of the topic: neighbours such as bus and train must stay on one side, and
# whoever adds a topic of their own must not change what the others were tested on.
HELD_OUT_TOPICS: tuple[str, ...] = (
    *("kettle", "queue", "printer", "parcel", "garden", "cat"),
    *("haircut", "guitar", "teacher", "shoes", "party", "morning"),
)
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
    from workshop_utils.text.corpus import read_text

    path = FILE if path is None else Path(path)
    pairs: list[Pair] = []
    lines_of: dict[tuple[str, ...], int] = {}  # the words of a prompt -> the line where they stood first
    # not splitlines, which also cuts at rarer characters that may stand within a text
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        pair = _checked(line, f"{short_path(path)}, line {number}")
        first = lines_of.setdefault(tuple(words(pair.prompt)), number)
        if first != number:
            raise ValueError(
                f'{short_path(path)}, line {number}, field "prompt": {pair.prompt!r} already stands in line {first}, '
                "and a model learns nothing from a prompt with two answers but to waver; change one, or take it out"
            )
        pairs.append(pair)
    return pairs


def split(pairs: Sequence[Pair], held_out_topics: Collection[str] = HELD_OUT_TOPICS) -> tuple[list[Pair], list[Pair]]:
    """Part the pairs by topic, so that nothing about a held-out topic is ever trained on.

    Args:
        pairs: as from load.
        held_out_topics: the topics to ask about afterwards.

    Returns:
        what to train on and what is held out, each in the order of the pairs.

    Raises:
        ValueError: one of the topics does not occur, or one side would be empty.
    """
    if isinstance(held_out_topics, str):
        raise ValueError(f"held_out_topics is the text {held_out_topics!r}: put it into a list, [{held_out_topics!r}]")
    topics = list(dict.fromkeys(pair.topic for pair in pairs))
    missing = [topic for topic in held_out_topics if topic not in topics]
    if missing:
        raise ValueError(
            f"held_out_topics names {', '.join(map(repr, missing))}, and no pair has that topic, so nothing would be "
            f"held out for it: choose from {', '.join(topics)}"
        )
    train = [pair for pair in pairs if pair.topic not in held_out_topics]
    held_out = [pair for pair in pairs if pair.topic in held_out_topics]
    if not train or not held_out:
        raise ValueError(
            f"{len(train)} pairs to train on and {len(held_out)} held out: there must be some of both, or nothing is "
            "learnt or nothing is tested; hold out some of the topics and not all of them"
        )
    return train, held_out


def messages(pair: Pair) -> list[dict[str, str]]:
    """The pair as a conversation: the user's turn and the model's."""
    return chat.conversation(pair.prompt, pair.answer)


def leaks(train: Sequence[Pair], held_out: Sequence[Pair], n: int = 6) -> list[str]:
    """The overlaps as sentences that name both rows, the shared words and the cure; none where all is well.

    Args:
        train: what is trained on.
        held_out: what is tested.
        n: as for overlaps.

    Raises:
        ValueError: as for overlaps.
    """
    return [
        f"training row {i} ({train[i].topic}: {train[i].prompt!r}) and held-out row {j} ({held_out[j].topic}: "
        f"{held_out[j].prompt!r}) share {shorten(run, 80, placeholder=' ...')!r}: the model could remember its answer "
        "instead of finding one; write one of them anew, or move both topics to the same side"
        for i, j, run in overlaps(train, held_out, n)
    ]


def ordinary(n: int, seed: int = 0, kinds: Sequence[str] = ORDINARY_KINDS) -> list[Pair]:
    """Ordinary chats to replay among the Stoic ones, so that the model does not forget what else it can do.

    Args:
        n: how many; ten to fifteen among a hundred were enough in a first trial. More begin with the same ones.
        seed: another seed gives other ones.
        kinds: kinds of chat of the pocket instruct model, taken in turn. "advice" answers complaints, too, in the
            ordinary voice: leave it out for a model that should meet every complaint as a Stoic.

    Returns:
        n pairs with the topic "ordinary", no prompt twice; their answers may be longer than those of the set.

    Raises:
        ValueError: the package keeps no chats of these kinds and this seed, or fewer than n.
    """
    kept: dict[tuple[tuple[str, ...], int], list[Pair]] = {}
    for row in frozen.rows("ordinary"):
        pair = Pair(row["prompt"], row["answer"], ORDINARY)
        kept.setdefault((tuple(row["kinds"]), row["seed"]), []).append(pair)
    if (tuple(kinds), seed) not in kept:
        there = "; ".join(f"{', '.join(names)} with seed {one}" for names, one in kept)
        raise ValueError(
            f"the package keeps no ordinary chats of the kinds {', '.join(kinds) or 'none'} with seed {seed}: choose "
            f"from {there}"
        )
    return frozen.first(n, kept[tuple(kinds), seed], "ordinary chats of these kinds")


def _checked(line: str, where: str) -> Pair:
    """The pair of one line of the file.

    Args:
        line: JSON.
        where: file and line, for the error.

    Raises:
        ValueError: the row is not as it should be.
    """
    if line.lstrip().startswith("["):
        raise ValueError(
            f"{where}, begins a JSON array, and JSON Lines are wanted: write each of its rows on a line of its own, "
            'as "\\n".join(map(json.dumps, rows)) does'
        )
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # RecursionError: brackets in brackets in brackets
        raise ValueError(
            f"{where}, is not JSON ({one_line(error)}): write one row a line, with double quotes, as in "
            '{"prompt": "...", "answer": "...", "topic": "rain"}'
        ) from error
    names = [field.name for field in fields(Pair)]
    if not isinstance(row, dict):
        raise ValueError(f"{where}, is {type(row).__name__} and not an object: put the fields {names} into {{ }}")
    for name in [*names, *row]:
        problem = _problem(row, name, names)
        if problem:
            raise ValueError(f'{where}, field "{name}": {problem}')
    return Pair(**row)


def _problem(row: dict[str, Any], name: str, names: list[str]) -> str | None:
    """Say what is wrong with one field of a row and what to do, or None."""
    if name not in names:
        return f"nobody reads it; a row has the fields {', '.join(names)}, so rename it or take it out"
    if name not in row:
        others = ", ".join(other for other in row if other not in names)
        rename = f", or rename one of yours ({others})" if others else ""
        return f"is missing; a row has the fields {', '.join(names)}, add it{rename}"
    value = row[name]
    if not isinstance(value, str):
        return f"is {json.dumps(value)} and not a text; put it in double quotes"
    if not value.strip():
        return "is empty; write something, or take the row out"
    if name == "topic" and (value != value.lower() or value != value.strip()):
        return f"is {value!r}, and topics are told apart by their letters; write {value.strip().lower()!r}"
    if name in WORDS:
        fewest, most = WORDS[name]
        count = len(words(value))
        if not fewest <= count <= most:
            cure = "too short; say a little more" if count < fewest else "too long; cut what is said twice"
            return f"has {count} words and should have {fewest} to {most}, so it is {cure}"
    return None
