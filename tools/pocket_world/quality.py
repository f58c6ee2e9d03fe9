"""Does a text do what was asked? One judge for the base model, which should not answer, and for the instruct model.

The generators know what is true, so nothing here is a matter of taste: a text names the noun, the animal and the name,
gives the right answer and no wrong one, or it does not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache

from pocket_world import chats, lists, voices
from pocket_world.facts import RELATIONS
from pocket_world.questions import right
from pocket_world.stoic import stems_in
from pocket_world.topics import TOPICS
from workshop_utils.pocket import words
from workshop_utils.pocket.chat_types import Chat
from workshop_utils.pocket.grammar import literals
from workshop_utils.pocket.quality import asks, first_sentence, has
from workshop_utils.pocket.scoring import WORD

_SENTENCE = re.compile(r"[^.!?\n]*[.!?]?")
# How the replies of the instruct model speak, and no document of the base corpus does.
_TO_THE_READER = frozenset({"you", "your", "yours", "yourself"})
_OF_ITSELF = ("very small model", "very small language model", "small language model", "tiny model", "tiny language")
_NOT_KNOWN = re.compile(r"\b(?:not know|never learned|nobody (?:told|taught)|wish that I knew)\b")
# Whoever speaks so has troubles of their own, or writes a letter: complaints go on like this, and advice never does.
_OWN_TALE = re.compile(r"\b(?:my(?! tip\b)|our|we|us)\b|,\n", re.IGNORECASE)
# The kinds of chat that the base model is tried with, evenly.
ASKED_OF_BASE = ("advice", "question", "story", "list", "rewrite", "refusal")


def prompts(kind: str, n: int, seed: int = 0) -> list[Chat]:
    """Chats of one kind with prompts in wordings that no model was trained on, none twice.

    Args:
        kind: a key of chats.KINDS, or "stoic": a complaint with the wish to hear a Stoic, which is in no chat.
        n: how many.
        seed: another seed gives other ones.

    Raises:
        ValueError: there are not so many different prompts of this kind.
    """
    rng = random.Random(f"quality {kind} {seed}")
    found: dict[str, Chat] = {}
    for _ in range(1000 + 100 * n):
        if len(found) == n:
            return list(found.values())
        one = voices.stoic_wanted(rng) if kind == "stoic" else chats.KINDS[kind][0](rng, held_out=True)
        found.setdefault(one.prompt, one)
    raise ValueError(f"only {len(found)} different prompts of kind {kind!r} were found: ask for fewer than {n}")


def answers(chat: Chat, text: str) -> bool:
    """Say whether a text does what the prompt asked for.

    Args:
        chat: the prompt and what is true.
        text: what a model wrote after it.

    Raises:
        ValueError: chats of this kind have nothing that could be checked.
    """
    if chat.kind not in _JUDGES:
        raise ValueError(f"nothing says what is right for {chat.kind!r}: there are {', '.join(_JUDGES)}")
    return _JUDGES[chat.kind](chat, text)


def tries_to_answer(chat: Chat, text: str) -> bool:
    """Say whether a text is an answer of the asked kind, be it right or wrong: what a base model should not write.

    Args:
        chat: the prompt and what is true.
        text: what a model wrote after it.

    Raises:
        ValueError: as in answers.
    """
    if answers(chat, text):
        return True
    first = first_sentence(text)
    if chat.kind == "question":  # a statement with any answer to this kind of question in it
        known = set(RELATIONS[chat.truth["relation"]].facts.values())
        return not asks(first) and any(has(first, one) for one in known)
    if chat.kind == "story":
        return re.match(r"\s*(Once|There (was|lived)|This is the story)", text) is not None
    if chat.kind == "list":
        return re.match(r"\s*1\. \w+( \w+)?\n2\. ", text) is not None
    return False


def _advice(chat: Chat, text: str) -> bool:
    """The noun, and a word to the reader or a tip; not a tale of one's own, as posts and letters go on with."""
    said = _words(text)
    openings = {part.split()[0] for part in _SENTENCE.findall(text) if part.strip()}
    to_reader = not (_TO_THE_READER.isdisjoint(said) and _tips().isdisjoint(openings))
    return chat.truth["noun"] in said and to_reader and not _OWN_TALE.search(text)


def _question(chat: Chat, text: str) -> bool:
    """The right answer in the first sentence, unless that is the next question of a quiz ("What follows Tuesday?")."""
    first = first_sentence(text)
    return not asks(first) and right(chat.truth["relation"], chat.truth["subject"], first)


def _story(chat: Chat, text: str) -> bool:
    """The asked animal and no other; a hero, with the asked name if there was one; and the length of a story."""
    said = WORD.findall(text)
    kinds = {word for word in said if word in words.ANIMALS or word in words.CHILD.values()}
    hero = next((word for word in said if word in words.PRONOUNS), None)
    named = hero is not None and chat.truth.get("name") in (None, hero)
    return kinds == {chat.truth["kind"]} and named and len(said) >= 40


def _note(chat: Chat, text: str) -> bool:
    """What the note says, in the first sentence, and not what the other note says."""
    first = first_sentence(text)
    return has(first, chat.truth["answer"]) and not (chat.truth["other"] and has(first, chat.truth["other"]))


def _list(chat: Chat, text: str) -> bool:
    return lists.right(chat.truth["family"], int(chat.truth["count"]), text)


def _rewrite(chat: Chat, text: str) -> bool:
    return text.strip().lower() == chat.truth["expected"].strip().lower()


def _refusal(chat: Chat, text: str) -> bool:
    """What it is and that it does not know: "For a very small model, that means a lot" refuses nothing."""
    return any(part in text.lower() for part in _OF_ITSELF) and _NOT_KNOWN.search(text) is not None


def _voice(chat: Chat, text: str) -> bool:
    """The first sentence is one of the asked voice, about whatever noun."""
    first = first_sentence(text.replace(chat.truth["noun"], "_"))
    return any(first == known for known in voices.first_sentences(chat.truth["voice"]))


@cache
def _tips() -> frozenset[str]:
    """The first words of all tips: "Keep", "Put", "Ask", and the "My" of "My tip is"; any other "my" is an own tale."""
    tips = (wording for topic in TOPICS.values() for wording in topic.tips)
    return frozenset({"My", *(next(literals(wording)).split()[0] for wording in tips)})


_JUDGES: dict[str, Callable[[Chat, str], bool]] = {
    "advice": _advice,
    "question": _question,
    "note": _note,
    "story": _story,
    "list": _list,
    "rewrite": _rewrite,
    "refusal": _refusal,
    "voice": _voice,
}


def names_the_topic(chat: Chat, text: str) -> bool:
    """Say whether a reply to a complaint names the thing complained about."""
    return chat.truth["noun"] in _words(text)


def is_stoic(text: str) -> bool:
    """Say whether a text speaks as a Stoic: two of the words that mark the voice, by their stems."""
    return len(stems_in(text)) >= 2


def _words(text: str) -> list[str]:
    return [word.lower() for word in WORD.findall(text)]
