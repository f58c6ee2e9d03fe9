"""The Stoic set is as the lesson needs it, its errors name the place, and a leak between its sides is found."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pocket_world.quality import is_stoic

from workshop_utils.lessons import stoic_set
from workshop_utils.lessons.stoic_set import Pair, leaks, load, messages, ordinary, overlaps, split, words
from workshop_utils.pocket import quality

GOOD = {
    "prompt": "The rain has ruined my new hat.",
    "answer": "Rain falls on hats because nature sends it, and nature asks nobody. Keep your reason dry instead.",
    "topic": "rain",
}
FILLERS = (
    "the",
    "and",
    "was",
    "has",
    "had",
    "have",
    "not",
    "that",
    "this",
    "with",
    "for",
    "her",
    "his",
    "she",
    "they",
    "you",
)
PAIRS = load()
TRAIN, HELD_OUT = split(PAIRS)


def written(folder: Path, *rows: object) -> Path:
    """A file with these rows, of which texts are written as they are."""
    path = folder / "mine.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in GOOD.items() if key != name}


# --- the set that comes with the workshop


def test_there_are_enough_pairs_on_both_sides_and_no_topic_is_on_both():
    assert len(PAIRS) >= 132
    assert len(TRAIN) >= 100
    assert len(HELD_OUT) >= 30
    assert len(TRAIN) + len(HELD_OUT) == len(PAIRS)
    assert {pair.topic for pair in TRAIN}.isdisjoint({pair.topic for pair in HELD_OUT})
    assert {pair.topic for pair in HELD_OUT} == set(stoic_set.HELD_OUT_TOPICS)


def test_each_of_many_topics_has_a_few_pairs():
    counts = Counter(pair.topic for pair in PAIRS)
    assert len(counts) >= 44
    assert min(counts.values()) >= 3


def test_texts_are_neither_too_short_nor_too_long_nor_untidy():
    for pair in PAIRS:
        assert 5 <= len(pair.prompt.split()) <= 30, pair
        assert 12 <= len(pair.answer.split()) <= 60, pair
        for text in (pair.prompt, pair.answer):
            assert text.isascii(), f"a plain keyboard has no such sign: {text}"
            assert text == " ".join(text.split()), text
            assert text[0].isupper(), text
            assert text[-1] in ".?!", text


def test_no_two_pairs_are_alike():
    found = [leaks([pair], PAIRS[i + 1 :]) for i, pair in enumerate(PAIRS)]
    assert not any(found), [sentences for sentences in found if sentences]


def test_answers_do_not_all_begin_alike():
    starts = Counter(tuple(words(pair.answer)[:2]) for pair in PAIRS)
    assert starts.most_common(1)[0][1] <= 4, starts.most_common(3)


def test_every_answer_has_the_voice_and_names_what_was_complained_about():
    for pair in PAIRS:
        assert is_stoic(pair.answer), pair.answer
        # a word of the complaint, or its plural or genitive: "neighbour", "neighbour's"
        long = [word for word in words(pair.prompt) if len(word) > 2 and word not in FILLERS]
        said = words(pair.answer)
        assert any(word.rstrip("s").startswith(one.rstrip("s")) for one in long for word in said), pair


def test_most_words_are_known_to_the_pocket_model():
    """Above all the words it is tuned on: whatever it has not read before, it would have to spell out of pieces."""
    known = quality.known_words()
    assert quality.unknown_share([pair.answer for pair in TRAIN], known)[0] < 0.02
    assert quality.unknown_share([pair.answer for pair in HELD_OUT], known)[0] < 0.08


# --- the leakage check


def test_nothing_leaks_from_training_into_what_is_held_out():
    assert leaks(TRAIN, HELD_OUT) == []


def test_no_training_prompt_is_about_a_held_out_topic():
    for pair in TRAIN:
        said = {word.rstrip("s") for word in words(pair.prompt)}
        assert said.isdisjoint(topic.rstrip("s") for topic in stoic_set.HELD_OUT_TOPICS), pair


def test_a_copied_pair_is_a_leak():
    assert (17, len(HELD_OUT), " ".join(words(TRAIN[17].answer))) in overlaps(TRAIN, [*HELD_OUT, TRAIN[17]])


@pytest.mark.parametrize("row", range(0, 100, 7))
def test_a_slightly_changed_pair_is_a_leak(row):
    """Another prompt and topic; of the answer one word is new, another one left out, and case and commas differ."""
    said = TRAIN[row].answer.upper().replace(",", " -").split()
    said[len(said) // 2] = "something"
    sly = Pair("Nothing of this was said anywhere before.", " ".join(said[1:]), "kettle")
    assert [(i, j) for i, j, _ in overlaps(TRAIN, [*HELD_OUT, sly])] == [(row, len(HELD_OUT))]


def test_a_copied_prompt_is_a_leak_even_if_it_is_short_or_stands_within_another():
    short = replace(TRAIN[0], prompt="My bus was late today.")
    longer = Pair("Oh no, my bus was LATE today, and I got wet!", HELD_OUT[0].answer, "kettle")
    assert overlaps([short], [longer]) == [(0, 0, "my bus was late today")]
    assert overlaps([short], [replace(longer, prompt="Oh no, my bus was so late today!")]) == []


def test_fewer_words_make_a_stricter_check():
    one, other = (
        replace(TRAIN[0], prompt="I lost my old blue hat."),
        replace(HELD_OUT[0], prompt="Is my old blue hat in?"),
    )
    assert overlaps([one], [other]) == []
    assert overlaps([one], [other], n=4) == [(0, 0, "my old blue hat")]
    with pytest.raises(ValueError, match="n is 1"):
        overlaps([one], [other], n=1)


def test_a_leak_is_a_sentence_that_names_both_rows():
    (sentence,) = leaks(TRAIN, [HELD_OUT[0], TRAIN[2]])
    assert sentence.startswith("training row 2 (")
    assert "held-out row 1 (" in sentence
    assert sentence.count(repr(TRAIN[2].prompt)) == 2


# --- the split


def test_the_split_keeps_the_order_and_takes_other_topics():
    train, held_out = split(PAIRS, ["bus", "train"])
    assert [pair for pair in PAIRS if pair.topic in ("bus", "train")] == held_out
    assert [pair for pair in PAIRS if pair.topic not in ("bus", "train")] == train


@pytest.mark.parametrize(
    ("topics", "message"),
    [
        (["bus", "dragon"], "names 'dragon', and no pair has that topic"),
        ([], "138 pairs to train on and 0 held out"),
        ("bus", "put it into a list"),
    ],
)
def test_a_split_that_cannot_be_is_refused(topics, message):
    with pytest.raises(ValueError, match=re.escape(message.replace("138", str(len(PAIRS))))):
        split(PAIRS, topics)


def test_everything_held_out_is_refused():
    with pytest.raises(ValueError, match="0 pairs to train on"):
        split(PAIRS, {pair.topic for pair in PAIRS})


# --- rows of one's own


def test_a_good_file_is_read_in_its_order(tmp_path):
    second = GOOD | {"prompt": "The rain has ruined my old shoes.", "answer": GOOD["answer"] + "\u2028So be it."}
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n" + json.dumps(second, ensure_ascii=False) + "\n", encoding="utf-8")
    assert load(path) == [Pair(**GOOD), Pair(**second)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{'prompt': 'single quotes'}", "is not JSON"),
        ([GOOD], "begins a JSON array, and JSON Lines are wanted: write each of its rows on a line of its own"),
        ("[\n", "begins a JSON array"),
        ("12", "is int and not an object"),
        ("prompt,answer,topic", "is not JSON (JSONDecodeError: Expecting value: line 1 column 1 (char 0))"),
        ("7" * 5000, "is not JSON (ValueError: Exceeds the limit"),
        ('{"prompt": ' + "[" * 100_000, "is not JSON (RecursionError: maximum recursion depth"),
        (
            {"instruction": "Hi", "input": "", "output": "Hello."},
            'field "prompt": is missing; a row has the fields prompt, answer, topic, add it, or rename one of yours '
            "(instruction, input, output)",
        ),
        (without("topic"), 'field "topic": is missing'),
        (without("answer"), 'field "answer": is missing'),
        (GOOD | {"mood": "calm"}, 'field "mood": nobody reads it'),
        (GOOD | {"answer": 3}, 'field "answer": is 3 and not a text'),
        (GOOD | {"prompt": None}, 'field "prompt": is null and not a text'),
        (GOOD | {"answer": "  "}, 'field "answer": is empty'),
        (GOOD | {"topic": ""}, 'field "topic": is empty'),
        (
            GOOD | {"answer": "Be calm, my friend."},
            'field "answer": has 4 words and should have 12 to 60, so it is too short',
        ),
        (GOOD | {"answer": "calm " * 61}, 'field "answer": has 61 words and should have 12 to 60, so it is too long'),
        (GOOD | {"prompt": "Bad rain."}, 'field "prompt": has 2 words and should have 5 to 30'),
        (
            GOOD | {"topic": "Rain"},
            "field \"topic\": is 'Rain', and topics are told apart by their letters; write 'rain'",
        ),
        (GOOD | {"prompt": "the rain has ruined my new hat!"}, "already stands in line 1"),
    ],
)
def test_a_bad_row_is_named_with_file_line_and_field(tmp_path, row, message):
    path = written(tmp_path, GOOD, row)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}, line 2, ")


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([*GOOD.values()])
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, "text", "from"]), inner),
    max_leaves=8,
)
damaged = values.map(json.dumps) | st.text(min_size=1, max_size=30) | st.just(json.dumps(GOOD)[:-9])


@settings(max_examples=300, deadline=None)
@given(st.lists(damaged, min_size=1, max_size=3))
def test_a_file_of_whatever_lines_is_refused_in_a_sentence(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "whatever.jsonl"
    path.write_bytes("\n".join([json.dumps(GOOD), *lines]).encode())
    refused = None
    try:
        rows = load(path)
    except ValueError as error:
        refused = error
    if refused is None:
        assert rows[0] == Pair(**GOOD)
    else:
        assert type(refused) is ValueError
        assert re.search(r"whatever\.jsonl(, line | holds .* NUL)", str(refused))
        assert len(str(refused)) > 60


def test_a_missing_file_and_an_empty_one_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mine\.jsonl"):
        load(tmp_path / "mine.jsonl")
    with pytest.raises(ValueError, match=r"mine\.jsonl is empty"):
        load(written(tmp_path))


# --- as conversations, and what is replayed among them


def test_messages_are_a_turn_of_the_user_and_one_of_the_model():
    assert messages(PAIRS[0]) == [
        {"role": "user", "content": PAIRS[0].prompt},
        {"role": "assistant", "content": PAIRS[0].answer},
    ]
    assert not any("<" in pair.prompt + pair.answer for pair in PAIRS), "no text may look like a template's own token"


def test_ordinary_chats_are_of_all_kinds_in_turn_and_the_same_for_a_seed():
    made = ordinary(15, seed=5)
    assert made == ordinary(20, seed=5)[:15]
    assert made != ordinary(15)
    assert len({pair.prompt for pair in made}) == 15
    assert {pair.topic for pair in made} == {"ordinary"}
    assert not any(is_stoic(pair.answer) for pair in made)
    assert sum("story" in pair.prompt.lower() or "tale" in pair.prompt.lower() for pair in made) >= 3


def test_ordinary_chats_do_not_leak_into_what_is_held_out():
    assert leaks(ordinary(30), HELD_OUT) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n": -1, "kinds": ["question"]}, "n is -1"),
        ({"n": 41}, "keeps 40 ordinary chats"),
        (
            {"n": 3, "kinds": ["opera"]},
            "of the kinds opera with seed 0: choose from question, story, advice with",
        ),
        ({"n": 3, "kinds": []}, "of the kinds none"),
        ({"n": 3, "seed": 7}, "with seed 7"),
    ],
)
def test_ordinary_chats_that_cannot_be_are_refused(options, told):
    with pytest.raises(ValueError, match=told):
        ordinary(**options)
