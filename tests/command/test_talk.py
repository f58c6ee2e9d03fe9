"""The chat in the terminal: everything is sent again each turn, the oldest is forgotten first, and nothing hangs."""

import io

import pytest
import tiny_models

from workshop_utils.chat import template as chat
from workshop_utils.command.talk import Talk, converse


class Parrot:
    """A model that says how many messages it saw, and counts words as tokens."""

    name, context, n_parameters = "parrot", 40, 7

    def __init__(self) -> None:
        self.seen: list[list[dict[str, str]]] = []
        self.options: list[dict] = []

    def chat_ids(self, messages):
        return [0] * sum(len(message["content"].split()) for message in messages)

    def stream(self, messages, max_new_tokens, **options):
        self.seen.append(list(messages))
        self.options.append(options)
        yield "I saw "
        yield str(len(messages))


def test_each_turn_holds_all_that_was_said_before():
    talk = Talk(Parrot(), max_new_tokens=5)
    assert "".join(talk.ask("one")) == "I saw 1"
    assert "".join(talk.ask("two")) == "I saw 3"
    assert talk.model.seen[1] == chat.conversation("one", "I saw 1", "two")


def test_settings_and_a_seed_of_its_own_reach_every_turn():
    talk = Talk(Parrot(), max_new_tokens=5, temperature=0.3, top_k=4, seed=10)
    for text in ("one", "two"):
        list(talk.ask(text))
    assert talk.model.options == [
        {"temperature": 0.3, "top_k": 4, "top_p": None, "seed": 10},
        {"temperature": 0.3, "top_k": 4, "top_p": None, "seed": 11},
    ]


def test_the_largest_seed_lasts_for_more_than_one_turn():
    talk = Talk(Parrot(), max_new_tokens=5, seed=2**32 - 1)
    for text in ("one", "two"):
        list(talk.ask(text))
    assert [options["seed"] for options in talk.model.options] == [2**32 - 1, 0]


def test_what_no_longer_fits_is_forgotten_from_the_oldest_on_but_never_the_system_prompt():
    talk = Talk(Parrot(), system="be brief", max_new_tokens=10)
    for _ in range(6):
        list(talk.ask("a question of six whole words"))
    last = talk.model.seen[-1]
    assert last[0] == {"role": "system", "content": "be brief"}
    assert len(talk.model.chat_ids(last)) + 10 <= 40
    assert talk.forgotten > 0
    assert last[1]["role"] == "user"  # never cut in the middle of an exchange


def test_a_text_that_can_never_fit_is_refused_and_not_remembered():
    talk = Talk(Parrot(), max_new_tokens=10)
    with pytest.raises(ValueError, match="say it shorter"):
        list(talk.ask("word " * 50))
    assert talk.said == []
    assert "".join(talk.ask("short")) == "I saw 1"


def test_a_refusal_forgets_nothing_that_was_said_before():
    talk = Talk(Parrot(), max_new_tokens=10)
    for text in ("one", "two", "three"):
        list(talk.ask(text))
    said = list(talk.said)
    with pytest.raises(ValueError, match="say it shorter"):
        list(talk.ask("word " * 50))
    assert talk.said == said
    assert talk.forgotten == 0
    assert "".join(talk.ask("four")) == "I saw 7"


def test_an_empty_reply_does_not_end_the_conversation():
    messages = chat.conversation("one", "", "two")
    assert chat.prompt_ids(tiny_models.tokenizer(), messages)


def test_characters_that_a_terminal_lacks_become_question_marks():
    class Polyglot(Parrot):
        def stream(self, messages, max_new_tokens, **options):
            self.seen.append(list(messages))
            yield "čaj 🍵"

    typed = io.TextIOWrapper(io.BytesIO("caf\xe9\n".encode("latin1")), encoding="utf-8")
    shown = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    talk = Talk(Polyglot(), max_new_tokens=5)
    converse(talk, typed, shown, False)
    assert shown.buffer.getvalue().decode("cp1252").strip() == "?aj ?"
    assert talk.said == ["caf\ufffd", "čaj 🍵"]  # nothing of it is lost inside


def test_a_reply_that_is_stopped_leaves_no_half_exchange():
    talk = Talk(Parrot(), max_new_tokens=5)
    stream = talk.ask("one")
    next(stream)
    stream.close()
    assert talk.said == []


def test_lines_in_replies_out_new_forgets_and_bye_ends():
    out = io.StringIO()
    converse(Talk(Parrot(), max_new_tokens=5), io.StringIO("one\n\n/new\ntwo\n/bye\nthree\n"), out, False)
    assert out.getvalue() == "I saw 1\nI saw 1\n"


def test_at_a_terminal_it_says_how_to_leave():
    out = io.StringIO()
    converse(Talk(Parrot(), max_new_tokens=5), io.StringIO("one\n"), out, True)
    assert "/bye" in out.getvalue()
    assert "model  I saw 1" in out.getvalue()
