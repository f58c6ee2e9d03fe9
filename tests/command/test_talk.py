"""The chat in the terminal: everything is sent again each turn, the oldest is forgotten first, and nothing hangs."""

import io
import sys

import pytest
import tiny_models

from workshop_utils.chat.template import conversation, prompt_ids
from workshop_utils.command.talk import Talk, converse


class Parrot:
    """A model that says how many messages it saw, and counts words as tokens."""

    name, context, n_parameters = "parrot", 40, 7

    def __init__(self) -> None:
        self.seen, self.options = [], []

    def chat_ids(self, messages):
        return [0] * sum(len(message["content"].split()) for message in messages)

    def stream(self, messages, max_new_tokens, **options):
        self.seen.append(list(messages))
        self.options.append(options)
        yield "I saw "
        yield f"{len(messages)} č"


def test_each_turn_holds_all_that_was_said_before_and_has_a_seed_of_its_own():
    talk = Talk(Parrot(), max_new_tokens=5, sampling={"temperature": 0.3}, seed=2**32 - 1)
    assert ["".join(talk.ask(text)) for text in ("one", "two")] == ["I saw 1 č", "I saw 3 č"]
    assert talk.model.seen[1] == conversation("one", "I saw 1 č", "two")
    assert talk.model.options == [{"temperature": 0.3, "seed": 2**32 - 1}, {"temperature": 0.3, "seed": 0}]
    assert prompt_ids(tiny_models.tokenizer(), conversation("one", "", "two"))  # an empty reply does not end it


def test_what_no_longer_fits_is_forgotten_from_the_oldest_on_but_never_the_system_prompt():
    talk = Talk(Parrot(), system="be brief", max_new_tokens=10)
    for _ in range(6):
        list(talk.ask("a question of six whole words"))
    last = talk.model.seen[-1]
    assert last[0] == {"role": "system", "content": "be brief"}
    assert len(talk.model.chat_ids(last)) + 10 <= 40
    assert talk.forgotten > 0
    assert last[1]["role"] == "user"  # never cut in the middle of an exchange


def test_a_text_that_can_never_fit_or_a_reply_that_is_stopped_changes_nothing():
    talk = Talk(Parrot(), max_new_tokens=10)
    for text in ("one", "two", "three"):
        list(talk.ask(text))
    said = list(talk.said)
    with pytest.raises(ValueError, match="say it shorter"):
        list(talk.ask("word " * 50))
    stream = talk.ask("four")
    next(stream)
    stream.close()
    assert (talk.said, talk.forgotten) == (said, 0)
    assert "".join(talk.ask("five")) == "I saw 7 č"


@pytest.mark.parametrize("typing", [False, True])
def test_lines_in_replies_out_new_forgets_bye_ends_and_odd_characters_lose_nothing(typing, monkeypatch, capsys):
    typed = io.TextIOWrapper(io.BytesIO("caf\xe9\n\n/new\ntwo\n/bye\nthree\n".encode("latin1")), encoding="utf-8")
    typed.isatty = lambda: typing
    monkeypatch.setattr(sys, "stdin", typed)
    talk = Talk(Parrot(), max_new_tokens=5)
    converse(talk)
    out = capsys.readouterr().out
    assert [messages[0]["content"] for messages in talk.model.seen] == ["caf\ufffd", "two"]
    assert out == "I saw 1 č\nI saw 1 č\n" or typing
    assert ("/bye" in out) == ("model  I saw 1" in out) == typing


def test_temperature_and_top_k_are_set_in_the_conversation_and_nonsense_changes_nothing():
    talk = Talk(Parrot(), sampling={"temperature": 0.7, "top_k": None})
    talk.said = ["a", "b"]
    talk.obey("/temperature 0.2\n")
    talk.obey("/top-k 5")
    for nonsense in ("/temperature hot", "/temperature -1", "/temperature nan", "/top-k 1.5", "/top-k", "/what"):
        assert "not understood" in talk.obey(nonsense)
    assert talk.sampling == {"temperature": 0.2, "top_k": 5}
    assert talk.said == ["a", "b"]
    talk.obey("/top-k 0")
    talk.obey("/new")
    assert (talk.sampling["top_k"], talk.said) == (None, [])
