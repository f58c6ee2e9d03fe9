"""The pocket stories: their wordings, their truth, their bits, and a score that is right and hard to fool."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from workshop_utils.pocket import scoring, words
from workshop_utils.pocket.grammar import Dice, every_text, expand, literals, parse
from workshop_utils.pocket.library import OPENINGS, PLOTS, TRAITS
from workshop_utils.pocket.scoring import score, score_many, sentences_of
from workshop_utils.pocket.stories import Story, entropy_per_token, stories, texts
from workshop_utils.text.tokenizer import pocket_tokenizer

TOLD = list(stories(2000, seed=11))
BEATS = [beat for plot in PLOTS.values() for path in plot.paths().values() for beat in path]
WORDINGS = [*OPENINGS, *TRAITS, *(wording for beat in BEATS for wording in beat)]


def test_bits_are_the_logarithm_of_the_probability() -> None:
    """On a grammar small enough to count: how often a text comes is what its bits say."""
    wording = parse("[a|b [c|d|e]] [f|g|h|i]")
    assert "b d h" in every_text(wording)
    rng = random.Random(0)
    seen: Counter[str] = Counter()
    bits = {}
    for _ in range(40_000):
        dice = Dice(rng)
        text = expand(wording, dice, str)
        seen[text], bits[text] = seen[text] + 1, dice.bits
    assert len(seen) == 16
    assert sum(2**-b for b in bits.values()) == pytest.approx(1)
    for text, count in seen.items():
        assert count / 40_000 == pytest.approx(2 ** -bits[text], rel=0.15)


def test_weighted_bits() -> None:
    dice = Dice(random.Random(0))
    assert (dice.pick_weighted({"a": 3.0, "b": 0.0}), dice.bits) == ("a", 0)
    picked = Counter(Dice(random.Random(i)).pick_weighted({"a": 3.0, "b": 1.0}) for i in range(2000))
    assert picked["a"] / 2000 == pytest.approx(0.75, abs=0.04)


def test_a_word_belongs_to_one_family() -> None:
    """Else "bear" the animal and "bear" the toy could not be told apart."""
    families = [words.PRONOUNS, words.ANIMALS, words.PLACES, scoring.things(), words.BIRDS, words.FOLK, words.FAMILY]
    families.append(words.CHILD.values())
    for one, other in itertools.combinations([frozenset(family) for family in families], 2):
        assert not one & other
    assert len(words.PRONOUNS) == len(words.HE_NAMES) + len(words.SHE_NAMES)


def test_wordings_name_nothing_of_their_own() -> None:
    """A story with a kite must not mention a ball in passing: the score would take it for a slip of the tongue."""
    taken = {*words.PRONOUNS, *words.ANIMALS, *words.PLACES, *words.CHILD.values(), *scoring._HE, *scoring._SHE}
    for wording in WORDINGS:
        for text in literals(wording):
            assert not taken & set(re.findall(r"[\w'-]+", text)), text
            assert not scoring._thing_pattern().findall(text), text


def test_no_text_can_be_written_in_two_ways() -> None:
    """Or the bits would count more than the text tells, and the bound on the loss would be loose."""
    for beat in [OPENINGS, TRAITS, *BEATS]:
        every = [text for wording in beat for text in every_text(wording)]
        assert len(every) == len(set(every))
    for names in [words.ANIMALS, *(plot.objects for plot in PLOTS.values()), *(plot.places for plot in PLOTS.values())]:
        assert len(names) == len(set(names))


def test_a_seed_tells_the_same_stories_no_two_are_equal_and_every_plot_and_ending_is_told() -> None:
    told = list(stories(20_000))
    assert list(texts(20)) == [one.text for one in told[:20]]
    assert not {one.text for one in TOLD} & {one.text for one in told}  # another seed
    assert len({one.text for one in told}) == 20_000
    found = {(one.plot, one.ending) for one in told}
    assert Counter(plot for plot, _ in found) == {name: len(plot.endings) for name, plot in PLOTS.items()}


def test_the_text_is_well_made_and_the_truth_is_in_it() -> None:
    for one in TOLD:
        text = one.text
        assert text.isascii()
        assert text == text.strip()
        assert not re.search(r"[{}\[\]|\n]|  |\b[Aa] [aeio]|\b[Aa]n [^aeiouAEIOU]", text), text
        assert not re.search(r"\b(\w+) \1\b", text.replace("had had", "")), text
        assert all(re.match(r'"?[A-Z]', sentence) for sentence in sentences_of(text)), text
        assert re.search(r'[.!?]"?$', text), text
        assert one.pronoun == words.PRONOUNS[one.name]
        assert one.kind in (words.CHILD[one.pronoun], *words.ANIMALS)
        for said in (one.name, one.kind, one.object, one.place, one.friend or one.name):
            assert re.search(rf"\b{said}\b", text)
        assert one.friend != one.name
        assert not set("{}") & set(one.problem + one.ending)


def test_entropy_per_token_is_the_mean_of_the_bits() -> None:
    encoding = pocket_tokenizer()
    few = list(stories(300, seed=1))
    nats = sum(one.bits for one in few) * math.log(2)
    n_tokens = sum(len(encoding.encode_ordinary(one.text)) + 1 for one in few)
    assert entropy_per_token(encoding, n=300, seed=1) == pytest.approx(nats / n_tokens)
    assert entropy_per_token(encoding) == pytest.approx(entropy_per_token(encoding, seed=2), rel=0.02)


def test_true_stories_are_right_in_every_check() -> None:
    shares = score_many(one.text for one in TOLD)
    assert shares == dict.fromkeys(("name", "pronoun", "kind", "object", "place", "words", "finished", "all"), 1.0) | {
        "n": 2000
    }


def other(one: Story, family: Iterable[str], rng: random.Random) -> str:
    return rng.choice([word for word in family if word not in one.text])


def taken_over(one: Story, old: str, new: str) -> str:
    """The later half speaks of another one."""
    half = one.text.find(" ", len(one.text) // 2)
    return one.text[:half] + re.sub(rf"\b{re.escape(old)}\b", new, one.text[half:])


def one_pronoun_flipped(one: Story, rng: random.Random) -> str:
    opposite = {"he": "she", "him": "her", "his": "her", "himself": "herself"}
    opposite |= {"she": "he", "her": "his", "herself": "himself"}
    found = [match for match in re.finditer(r"\b\w+\b", one.text) if match.group().lower() in opposite]
    chosen = rng.choice(found)
    word = opposite[chosen.group().lower()]
    return one.text[: chosen.start()] + (word.title() if chosen.group().istitle() else word) + one.text[chosen.end() :]


def cut_off(one: Story, rng: random.Random) -> str:
    """Between two sentences, where it is hardest to see."""
    sentences = sentences_of(one.text)
    return " ".join(sentences[: rng.randrange(1, len(sentences))])


def garbled(one: Story, rng: random.Random) -> str:
    word = rng.choice(re.findall(r"[a-z]{5,}", one.text))
    return one.text.replace(word, word[:3] + word[2:], 1)


def another_animal(one: Story, rng: random.Random) -> str:
    return one.text.replace(one.name, f"{other(one, words.ANIMALS, rng)} {one.name}", 2)


MUTANTS: dict[str, tuple[str, Callable[[Story, random.Random], str]]] = {
    "another name": ("name", lambda one, rng: taken_over(one, one.name, other(one, words.PRONOUNS, rng))),
    "one pronoun flipped": ("pronoun", one_pronoun_flipped),
    "another thing": ("object", lambda one, rng: taken_over(one, one.object, other(one, scoring.things(), rng))),
    "the thing is never mentioned again": ("object", lambda one, rng: one.text.replace(one.object, "thing")),
    "another animal": ("kind", another_animal),
    "another place": ("place", lambda one, rng: f"{one.text} It was in the {other(one, words.PLACES, rng)}."),
    "a garbled word": ("words", garbled),
    "cut off between two sentences": ("finished", cut_off),
    "cut off in a sentence": ("finished", lambda one, rng: one.text[: rng.randrange(len(one.text) - 2)]),
    "going round in circles": ("finished", lambda one, rng: f"{one.text} {one.text}"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_found(mutant: str) -> None:
    check, mutate = MUTANTS[mutant]
    rng = random.Random(mutant)
    for one in TOLD[:500]:
        text = mutate(one, rng)
        assert text != one.text
        found = score(text)
        assert getattr(found, check) is not True, text
        assert not found.all


def test_the_friend_who_takes_over_is_found() -> None:
    with_friend = [one for one in TOLD if one.friend]
    assert len(with_friend) > 500
    for one in with_friend:
        assert score(taken_over(one, one.name, str(one.friend))).name is False, one


def test_what_cannot_be_judged_counts_as_wrong() -> None:
    for text in ("", "Once upon a time", "The end.", '"' * 9, "word " * 300):
        found = score(text)
        assert not any((found.all, found.name, found.pronoun, found.kind, found.object, found.place, found.finished))
    found = score("There was once a fox. It slept.")
    assert (found.name, found.pronoun, found.object) == (None, None, None)
    assert score_many(["There was once a fox. It slept.", TOLD[0].text])["object"] == 0.5
