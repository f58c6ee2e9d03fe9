"""What lesson 08 trains on and tests with, on each machine: the pocket world's shops, or rows of the hub.

Profile -> conversations to train on, sets of held-out examples, a few examples to show in a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from workshop_utils.machine.profiles import Profile, hurried
from workshop_utils.pocket import shops
from workshop_utils.sql import Example, Sandbox, config, conversations, of_hub, of_shops
from workshop_utils.sql.recipe import TOGETHER

N_SHOTS = 3  # examples in a prompt: more do not fit into the pocket model's 512 tokens
# The first pattern that a query has says what kind of question it answers.
KINDS = {
    "join": r"\bjoin\b",
    "group": r"\bgroup by\b",
    "total": r"\b(count|sum|avg|min|max)\(",
    "order": r"\border by\b",
}


@dataclass(frozen=True)
class Data:
    """The examples of a run.

    Attributes:
        train: conversations to train on.
        sets: held-out examples by what is new in them.
        shots: examples to train on, to show in a prompt.
        new_rows: examples to the databases of the last set with other queries; the hub has one row for most of them.
        schemas: of the conversations to train on.
        compact: whether schema and query are written in the pocket form.
    """

    train: list[list[dict[str, str]]]
    sets: dict[str, list[Example]]
    shots: list[Example]
    new_rows: list[Example]
    schemas: list[str]
    compact: bool


def data_for(profile: Profile, n: int = 100) -> Data:
    """Draw the examples of a machine's run.

    Args:
        profile: pocket takes the shops, the others gretelai/synthetic_text_to_sql.
        n: held-out examples in each set; a few where WORKSHOP_HURRY=1 is set.

    Raises:
        ConnectionError, FileNotFoundError, ValueError: as in machine.hub_rows.
    """
    n, run = 8 if hurried() else n, config(profile)
    needed = run.steps * run.batch_size * run.grad_accum_steps
    if profile.name == "pocket":
        train = of_shops(shops.to_train(TOGETHER * needed, together=TOGETHER))
        sets = {of: of_shops(shops.to_test(n, of, seed=1)) for of in ("questions", "wordings", "databases")}
        more = _others(of_shops(shops.to_test(4 * n, "databases", seed=2)), sets["databases"])
        shots, schemas = of_shops(shops.to_train(N_SHOTS, 0)), [one.schema for one in train]
        return Data(conversations(train, TOGETHER), sets, shots, more, schemas, True)
    with Sandbox() as sandbox:
        train = of_hub(needed, "train", sandbox)
        held_out = [one for one in of_hub(8 * n, "test", sandbox) if sandbox.run(one.databases[0], one.query).rows]
    test, more = held_out[:n], _others(held_out[n : 4 * n], held_out[:n])
    sets = {"questions and databases": [replace(one, kind=kind_of(one.query)) for one in test]}
    schemas = [one.schema for one in train]
    return Data(conversations(train, compact=False), sets, train[:N_SHOTS], more, schemas, False)


def _others(examples: Iterable[Example], asked: Iterable[Example]) -> list[Example]:
    """The examples with a query to a schema that is not among those asked, in whatever words."""
    known = {(one.schema, one.query) for one in asked}
    return [one for one in examples if (one.schema, one.query) not in known]


def kind_of(query: str) -> str:
    """What kind of question a query answers, by its words."""
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, query, re.IGNORECASE)), "select")


def by_kind(examples: Iterable[Example], right: Iterable[bool]) -> dict[str, tuple[int, int]]:
    """How many answers are right and how many there are, for each kind of question."""
    found: dict[str, tuple[int, int]] = {}
    for one, hit in zip(examples, right, strict=True):
        hits, tries = found.get(one.kind, (0, 0))
        found[one.kind] = hits + hit, tries + 1
    return found
