"""Print how rich the texts of the pocket models are: what the base model reads and what the chats are made of.

python tools/corpus_stats.py [--documents 20000] [--conversations 20000] [--samples 1]
"""

import argparse
import random
import re
import zlib
from collections.abc import Callable, Iterable, Sequence

from pocket_world import chats, corpus, quality
from pocket_world.facts import RELATIONS
from pocket_world.topics import NOUNS, TOPICS
from story_stats import distinct_share, show

from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat

Draw = Callable[[random.Random], str]
WIDTHS = {"how many": 10, "share": 8, "words in one": 14, "different": 11, "4-grams": 10, "zlib": 8, "twice": 8}


def words_of(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return re.findall(r"[\w'-]+", text.lower())


def row(kind: str, cells: Iterable[str]) -> None:
    """Print one line of a table."""
    print(f"{kind:<14}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, WIDTHS.values(), strict=True)))


def measured(kind: str, texts: Sequence[str], of: int, twice: int) -> None:
    """Print the figures of one kind.

    Args:
        kind: its name.
        texts: all of this kind.
        of: how many texts there are of all kinds.
        twice: how many of as many new ones had been drawn before.
    """
    documents = [words_of(text) for text in texts]
    joined = "\n".join(texts).encode()
    cells = (
        f"{len(texts):,}",
        f"{len(texts) / of:.1%}",
        f"{sum(map(len, documents)) / len(texts):.1f}",
        f"{len({word for document in documents for word in document}):,}",
        f"{distinct_share(documents, 4):.3f}",
        f"{len(zlib.compress(joined, 9)) / len(joined):.3f}",
        f"{twice:,}",
    )
    row(kind, cells)


def table(title: str, texts: dict[str, list[str]], draws: dict[str, Draw]) -> None:
    """Print the figures of every kind and of everything together.

    Args:
        title: stands at the head of the first column.
        texts: by kind.
        draws: how one text of a kind is made up; corpus.documents throws away what comes twice, so new ones are drawn.
    """
    print()
    row(title, WIDTHS)
    everything = _all(texts)
    repeated = {kind: len(some) - len(_drawn(draws[kind], kind, len(some))) for kind, some in texts.items()}
    for kind, some in texts.items():
        measured(kind, some, len(everything), repeated[kind])
    measured("together", everything, len(everything), sum(repeated.values()))


def by_kind(kinds: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Texts under the name of their kind, in the order of the kinds; kinds without any are left out."""
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    for kind, text in pairs:
        found[kind].append(text)
    return {kind: texts for kind, texts in found.items() if texts}


def shown(chat: Chat) -> str:
    """Both sides of an exchange as one text."""
    return f"{chat.prompt}\n{chat.reply}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000, help="how many of the base corpus are measured")
    parser.add_argument("--conversations", type=int, default=20_000, help="how many are measured")
    parser.add_argument("--samples", type=int, default=1, help="how many of each kind are shown")
    options = parser.parse_args()
    documents = by_kind(corpus.KINDS, corpus.documents(options.documents))
    talks = list(chats.conversations(options.conversations))
    exchanges = [chat for turns in talks for chat in turns]
    asked = by_kind(chats.KINDS, ((chat.kind, shown(chat)) for chat in exchanges))

    read = _all(documents)
    in_documents, in_chats = ({word for text in texts for word in words_of(text)} for texts in (read, _all(asked)))
    topical = {chat.truth["noun"] for chat in exchanges if chat.kind == "advice"}
    ordinary = [chat for chat in exchanges if chat.kind != "stoic"]
    n_stoic = len(exchanges) - len(ordinary)
    show("topics, goal 60 (met in advice)", f"{len(TOPICS)} ({len({NOUNS[noun] for noun in topical})})")
    show("nouns of the topics, goal 300 (met in advice)", f"{len(NOUNS)} ({len(topical)})")
    show("facts, in so many relations", f"{sum(len(one.facts) for one in RELATIONS.values())}, {len(RELATIONS)}")
    show("names", str(len(words.PRONOUNS)))
    show("animals that stories can be asked about", str(len(words.ANIMALS)))
    show("different words of documents, of chats, of both", _counts(in_documents, in_chats))
    show("exchanges in a conversation", len(exchanges) / len(talks))
    show("exchanges with the Stoic, share", n_stoic / len(exchanges))
    show("conversations with the Stoic, share", _share(any(chat.kind == "stoic" for chat in turns) for turns in talks))
    show("other replies in the voice of the Stoic, share", _share(quality.is_stoic(chat.reply) for chat in ordinary))
    show("documents in the voice of the Stoic, share", _share(map(quality.is_stoic, read)))
    table("documents", documents, {kind: make for kind, (make, _) in corpus.KINDS.items()})
    table("chats", asked, {kind: _both_sides(make) for kind, (make, _) in chats.KINDS.items()})
    print("\n4-grams: of words, distinct ones as a share of all; zlib: size as a share of the text")
    for kind, texts in [*documents.items(), *asked.items()]:
        for text in texts[: options.samples]:
            print(f"\n[{kind}]\n{text}")


def _all(texts: dict[str, list[str]]) -> list[str]:
    return [text for some in texts.values() for text in some]


def _share(found: Iterable[bool]) -> float:
    seen = list(found)
    return sum(seen) / len(seen)


def _counts(one: set[str], other: set[str]) -> str:
    return f"{len(one):,}, {len(other):,}, {len(one | other):,}"


def _both_sides(make: Callable[..., Chat]) -> Draw:
    return lambda rng: shown(make(rng))


def _drawn(draw: Draw, kind: str, n: int) -> set[str]:
    rng = random.Random(f"twice {kind}")
    return {draw(rng) for _ in range(n)}


if __name__ == "__main__":
    main()
