"""Write what lessons need of the pocket world's generators into the package, so that no lesson has to run them.

python tools/freeze_pocket.py     ten seconds; writes workshop_utils/pocket/texts/*.jsonl

Everything comes from seeds: the same generators give the same bytes. Run it again after any change to them.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from pocket_world import corpus, kinds, pairs, quality, shops
from pocket_world.chats import KINDS, conversations
from pocket_world.facts import RELATIONS
from pocket_world.stoa import held_out_nouns

from workshop_utils.lessons import stoic_set
from workshop_utils.lessons.stoic_set import Pair
from workshop_utils.machine.files import write_text_atomically
from workshop_utils.pocket import asked, frozen, scoring, words
from workshop_utils.pocket.chat_types import Chat

N_QUESTIONS, N_ORDINARY, N_DOCUMENTS = 200, 60, 20_000
# What is replayed among the Stoic's pairs, or measured beside them: kinds of chat, taken in turn, and the seed.
ORDINARY = (
    (stoic_set.ORDINARY_KINDS, 0),
    (stoic_set.ORDINARY_KINDS, 5),
    (("question",), 0),
    (("question", "story"), 0),
    ((*("question",) * 5, "story"), 0),
)


def known_words() -> list[str]:
    """Every word of the training texts, in small letters."""
    texts = [text for _, text in corpus.documents(N_DOCUMENTS)]
    for one in (one for turns in conversations(N_DOCUMENTS) for one in turns):
        texts += [] if one.kind == "note" else [one.prompt, one.reply]  # its animals have names that do not exist
    texts += [text for pair in pairs.trained() + pairs.held_out() for text in (pair.prompt, pair.answer)]
    lists = [*words.PRONOUNS, *words.ANIMALS, *asked.MOODS, *scoring.known_words()]
    return sorted({word.lower() for text in [*texts, *lists] for word in scoring.WORD.findall(text)})


def prose_sentences(n_documents: int = 2000) -> list[str]:
    """The sentences of the factual prose among the first documents, none twice."""
    prose = [text for kind, text in corpus.documents(n_documents) if kind == "prose"]
    sentences = [sentence for text in prose for sentence in re.findall(r"[^.!?\n]+\.", text)]
    return list(dict.fromkeys(sentence.strip() for sentence in sentences if len(sentence.split()) > 2))


def ordinary(n: int, kinds: Sequence[str], seed: int) -> list[Pair]:
    """Ordinary chats of some kinds, taken in turn, no prompt twice."""
    rng = random.Random(f"ordinary {seed}")
    found: dict[str, Pair] = {}
    while len(found) < n:
        made = KINDS[kinds[len(found) % len(kinds)]][0](rng)
        found.setdefault(made.prompt, Pair(made.prompt, made.reply, stoic_set.ORDINARY))
    return list(found.values())


def judge_examples() -> list[dict[str, Any]]:
    """What the classifier of evaluate/classifier.py learns from: Stoic answers, and as many ordinary replies.

    None of them is about a noun that is held out.
    """
    by_hand = [pair for pair in stoic_set.split(stoic_set.load())[0] if pair.topic not in held_out_nouns()]
    stoics = {"Stoic, by hand": by_hand, "Stoic, in small words": pairs.trained()[: len(by_hand)]}
    found = [_example(pair.answer, True, pair.topic, kind) for kind, pairs in stoics.items() for pair in pairs]
    n = len(found)
    # advice answers the same complaints in the ordinary voice; the rest keeps "not advice" from meaning "Stoic"
    for kind, count in (("advice", n // 2), ("question", n // 4), ("story", n - n // 2 - n // 4)):
        found += _ordinary_examples(kind, count)
    return found


def _ordinary_examples(kind: str, n: int) -> list[dict[str, Any]]:
    rng = random.Random(f"judge {kind} 0")
    found: dict[str, dict[str, Any]] = {}
    while len(found) < n:
        chat: Chat = KINDS[kind][0](rng)
        topic = chat.truth["noun" if kind == "advice" else "subject" if kind == "question" else "kind"]
        if topic not in held_out_nouns():
            found.setdefault(chat.reply, _example(chat.reply, False, topic, kind))
    return list(found.values())


def _example(text: str, stoic: bool, topic: str, kind: str) -> dict[str, Any]:
    return {"text": text, "stoic": stoic, "topic": topic, "kind": kind}


# The name of a file -> its rows.
FILES: dict[str, Callable[[], Sequence[Any]]] = {
    "questions": lambda: [asdict(chat) for chat in quality.prompts("question", N_QUESTIONS)],
    "answers": lambda: [
        {"relation": name, "answers": list(dict.fromkeys(one.facts.values()))} for name, one in RELATIONS.items()
    ],
    "known_words": known_words,
    "prose": prose_sentences,
    "ordinary": lambda: [
        {"kinds": kinds, "seed": seed, "prompt": pair.prompt, "answer": pair.answer}
        for kinds, seed in ORDINARY
        for pair in ordinary(N_ORDINARY, kinds, seed)
    ],
    "small_words": lambda: [asdict(pair) for pair in pairs.trained()],
    "small_words_held_out": lambda: [asdict(pair) for pair in pairs.held_out()],
    "judge_examples": judge_examples,
    "shops": shops.rows,
    "kinds": kinds.rows,
}


def text_of(name: str) -> str:
    """A file as it should be: one row a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in FILES[name]())


def main() -> int:
    """Write all files."""
    for name in FILES:
        text = text_of(name)
        write_text_atomically(text, frozen.TEXTS / f"{name}.jsonl")
        print(f"{name}.jsonl: {text.count(chr(10)):,} rows, {len(text.encode()) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
