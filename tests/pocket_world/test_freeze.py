"""What the package keeps is what the generators say: freezing again changes no byte, and both judges agree."""

from __future__ import annotations

import freeze_pocket as tool
import pytest
from pocket_world import quality as world
from pocket_world.facts import RELATIONS

from workshop_utils.pocket import frozen, quality


@pytest.mark.parametrize("name", tool.FILES)
def test_freezing_again_gives_the_same_bytes(name: str) -> None:
    kept = (frozen.TEXTS / f"{name}.jsonl").read_bytes()
    assert kept == tool.text_of(name).encode(), "the generators have changed: run python tools/freeze_pocket.py"


def test_requests_begin_as_all_wordings_without_a_question_mark_do() -> None:
    wordings = [text for one in RELATIONS.values() for text in (*one.questions, *one.held_out_questions)]
    assert {" ".join(text.split()[:2]) for text in wordings if not text.endswith("?")} == set(quality.REQUESTS)


def test_the_judge_of_the_package_says_what_that_of_the_generators_says() -> None:
    asked = world.prompts("question", 60, seed=4)
    said = [*(chat.reply for chat in asked), *(chat.prompt for chat in asked), "No. I do not know.", ""]
    for chat in asked:
        assert [quality.answers(chat, text) for text in said] == [world.answers(chat, text) for text in said]
