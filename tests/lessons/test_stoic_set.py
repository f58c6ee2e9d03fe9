"""The Stoic set is as the lesson needs it, nothing leaks between its sides, and its errors name the place."""

import json
import re
from collections import Counter
from dataclasses import replace

import pytest
from pocket_world.quality import is_stoic

from workshop_utils.evaluate.overlap import overlaps, words
from workshop_utils.lessons import stoic_run
from workshop_utils.lessons.stoic_set import HELD_OUT_TOPICS, Pair, few_shot, labelled, load, ordinary, prompted, split
from workshop_utils.pocket import quality

PAIRS = load()
TRAIN, HELD_OUT = split(PAIRS)
GOOD = {
    "prompt": "The rain has ruined my new hat.",
    "answer": "Rain falls on hats because nature sends it, and nature asks nobody. Keep your reason dry instead.",
    "topic": "rain",
}


def test_the_set_is_tidy_stoic_and_in_words_that_the_pocket_model_knows():
    for pair in PAIRS:
        for text in (pair.prompt, pair.answer):
            assert re.fullmatch(r"[A-Z][ -;=-~]*[.?!]", text), text  # a plain keyboard has these; no special token
        assert is_stoic(pair.answer), pair.answer
    known = quality.known_words()  # any other word it would have to spell out of pieces
    assert quality.unknown_share([pair.answer for pair in TRAIN], known)[0] < 0.02
    assert quality.unknown_share([pair.answer for pair in HELD_OUT], known)[0] < 0.08


def test_no_two_pairs_are_alike_and_no_training_prompt_is_about_a_held_out_topic():
    assert [(i, j) for i, j, _ in overlaps(PAIRS, PAIRS)] == [(i, i) for i in range(len(PAIRS))]
    assert overlaps(ordinary(30), HELD_OUT) == []
    assert {pair.topic for pair in HELD_OUT} == set(HELD_OUT_TOPICS)
    for pair in TRAIN:
        said = {word.rstrip("s") for word in words(pair.prompt)}
        assert said.isdisjoint(topic.rstrip("s") for topic in HELD_OUT_TOPICS), pair


def test_a_changed_pair_and_a_short_prompt_within_another_are_leaks():
    said = TRAIN[49].answer.upper().replace(",", " -").split()
    said[len(said) // 2] = "something"
    sly = Pair("Nothing of this was said anywhere before.", " ".join(said[1:]), "kettle")
    assert [(i, j) for i, j, _ in overlaps(TRAIN, [*HELD_OUT, sly])] == [(49, len(HELD_OUT))]
    short = replace(TRAIN[0], prompt="My bus was late today.")
    longer = replace(HELD_OUT[0], prompt="Oh no, my bus was LATE today, and I got wet!")
    assert overlaps([short], [longer]) == [(0, 0, "my bus was late today")]


def test_a_style_is_asked_for_in_words_or_by_examples_and_the_complaint_comes_last():
    assert prompted("My bus is late.", "Be calm.") == [{"role": "user", "content": "My bus is late. Be calm."}]
    assert "Stoic" in prompted("My bus is late.")[0]["content"]
    asked = few_shot("My bus is late.", TRAIN[:3])
    assert [message["role"] for message in asked] == [*["user", "assistant"] * 3, "user"]
    assert [message["content"] for message in asked[4:]] == [TRAIN[2].prompt, TRAIN[2].answer, "My bus is late."]


def test_the_split_keeps_the_order_and_takes_other_topics():
    train, held_out = split(PAIRS, ["bus", "train"])
    assert [pair for pair in PAIRS if pair.topic in ("bus", "train")] == held_out
    assert [pair for pair in PAIRS if pair.topic not in ("bus", "train")] == train
    for topics, said in ((["dragon"], "about dragon"), ([], "one side"), ({pair.topic for pair in PAIRS}, "one side")):
        with pytest.raises(ValueError, match=said):
            split(PAIRS, topics)


def test_a_good_file_is_read_in_its_order(tmp_path):
    second = GOOD | {"prompt": "The rain has ruined my old shoes.", "answer": GOOD["answer"] + "\u2028So be it."}
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n" + json.dumps(second, ensure_ascii=False) + "\n", encoding="utf-8")
    assert load(path) == [Pair(**GOOD), Pair(**second)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{'prompt': 'single quotes'}", "is not JSON (JSONDecodeError"),
        ("[" * 100_000, "is not JSON (RecursionError"),
        ([GOOD], "has a list, and a row has the fields prompt"),
        ({"question": "Hi", "answer": "Hello."}, "has the fields question, answer, and a row has the fields prompt"),
        (GOOD | {"prompt": None}, 'field "prompt": is null, which is no text'),
        (
            GOOD | {"answer": "Be calm, my friend."},
            'field "answer": has 4 words and should have 12 to 60, so it is too s',
        ),
        (GOOD | {"topic": "Rain"}, "field \"topic\": is 'Rain'; write 'rain'"),
        (GOOD | {"prompt": "the rain has ruined my new hat!"}, 'field "prompt": is that of line 1'),
    ],
)
def test_a_bad_row_is_named_with_file_line_and_field(tmp_path, row, said):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + (row if isinstance(row, str) else json.dumps(row)) + "\n")
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, line 2, {said}')}"):
        load(path)


def test_ordinary_chats_are_of_all_kinds_in_turn_and_the_same_for_a_seed():
    made = ordinary(15, seed=5)
    assert made == ordinary(20, seed=5)[:15] != ordinary(15)
    assert not any(is_stoic(pair.answer) for pair in made)
    for options in ({"n": 61}, {"n": 3, "kinds": ["opera"]}, {"n": 3, "seed": 7}):
        with pytest.raises(ValueError, match=r"the package keeps \d+ ordinary chats of the kinds"):
            ordinary(**options)


def test_labelled_pairs_are_about_held_out_complaints_and_every_label_has_its_reason():
    pairs = labelled()
    trained = {pair.prompt for pair in TRAIN + stoic_run.in_small_words(100)}
    assert len(pairs) == 40 == len({(pair.prompt, pair.kind, pair.a) for pair in pairs})
    assert not trained & {pair.prompt for pair in pairs}
    assert all(pair.label in ("a", "b", "tie") and pair.reason and pair.a != pair.b for pair in pairs)
    assert min(Counter(pair.label for pair in pairs).values()) > 8  # no label is the safe guess
