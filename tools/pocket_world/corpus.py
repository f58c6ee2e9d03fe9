"""What the pocket base model reads: stories, posts, letters, short prose, lists and worksheets, in one stream.

Nothing in it is shaped like an assistant's answer: whoever asks the base model something sees it write on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from pocket_world.letters import letter
from pocket_world.lists import listing
from pocket_world.notation import notation
from pocket_world.posts import post
from pocket_world.prose import prose
from pocket_world.stoa import stoa
from pocket_world.tables import table
from pocket_world.voices import scene
from pocket_world.worksheets import sheet
from workshop_utils.pocket import stories


def _story(rng: random.Random) -> str:
    return stories.story(rng).text


# Every kind of document and its share, counted in documents; a story is about three times as long as the others.
KINDS: dict[str, tuple[Callable[[random.Random], str], float]] = {
    "story": (_story, 0.266),
    "post": (post, 0.181),
    "letter": (letter, 0.071),
    "prose": (prose, 0.133),
    "list": (listing, 0.0475),
    "table": (table, 0.052),
    "worksheet": (sheet, 0.0905),
    "notation": (notation, 0.024),
    "scene": (scene, 0.03),
    "stoa": (stoa, 0.105),
}


def documents(n: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """The first n documents of a seed: pairs of the kind and the text, no text twice.

    Args:
        n: how many; a longer run begins with the shorter one.
        seed: another seed gives other documents.
    """
    rng = random.Random(f"corpus {seed}")
    names, shares = list(KINDS), [share for _, share in KINDS.values()]
    seen: set[int] = set()  # hashes, since the texts themselves would fill the memory
    while len(seen) < n:
        kind = rng.choices(names, shares)[0]
        text = KINDS[kind][0](rng)
        if hash(text) not in seen:
            seen.add(hash(text))
            yield kind, text
