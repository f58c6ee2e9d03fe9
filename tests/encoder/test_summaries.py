"""Summaries: the line to learn keeps every fact, and whatever a line leaves out or makes up is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workshop_utils.encoder.classify import HELD_OUT_PLOTS, TRAINED_PLOTS
from workshop_utils.encoder.summaries import Kept, conversations, kept, line, told

ONE = told(1)[0]


@pytest.mark.parametrize("split", ["train", "test", "plots"])
def test_the_true_line_keeps_everything_and_invents_nothing(split: str) -> None:
    for one in told(120, split):
        assert kept(line(one), one) == Kept(True, True, True, True, ())
        assert one.plot in (HELD_OUT_PLOTS if split == "plots" else TRAINED_PLOTS)
        assert "\n" not in line(one)


def test_splits_share_no_story() -> None:
    assert not {one.text for one in told(300)} & {one.text for one in told(300, "test")}
    with pytest.raises(ValueError, match="choose train"):
        told(1, "val")


def test_what_is_missing_or_made_up_is_seen() -> None:
    right, ending = line(ONE), next(one for one in told(60) if one.plot != ONE.plot).ending
    other = "Mia" if ONE.name != "Mia" else "Tom"
    assert not kept(right.replace(ONE.name, other), ONE).name
    assert kept(right.replace(ONE.name, other), ONE).invented == ((other,) * right.count(ONE.name))
    wrong = kept(right.replace(ONE.ending, ending), ONE)
    assert not wrong.ending
    assert ending in wrong.invented
    assert wrong.name
    thing = kept(right.replace(ONE.object, "submarine"), replace(ONE, problem=f"the {ONE.object} is lost"))
    assert not thing.problem
    assert kept("", ONE) == Kept(False, False, False, False, ())


def test_a_conversation_asks_for_the_line_of_its_story() -> None:
    (asked, answered) = conversations([ONE])[0]
    assert ONE.text in asked["content"]
    assert answered == {"role": "assistant", "content": line(ONE)}


def test_tuning_trains_on_the_lines() -> None:
    from workshop_utils.chat import models
    from workshop_utils.encoder.summaries import tune
    from workshop_utils.machine.profiles import setup

    model = models.load("pocket-instruct", setup("pocket"))
    losses = tune(model, told(8), steps=4, learning_rate=1e-3, batch_size=2)
    assert losses[-1] < 0.7 * losses[0]
