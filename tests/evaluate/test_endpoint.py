"""A judge behind an address: a server that misbehaves, a key that never shows, money asked for."""

import json
import os
import pickle
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from workshop_utils.evaluate import EndpointJudge, Rubric, compare, endpoint, judge_from_environment
from workshop_utils.evaluate.endpoint import JudgeError, ask_person

TEXTS = PROMPT, STOIC, PLAIN = "My kettle broke.", "Your kettle obeys fate, and you obey reason.", "Buy a new kettle."
KEY = "sk-this-must-never-show-qzjxwv"
POCKET, T4 = SimpleNamespace(name="pocket"), SimpleNamespace(name="t4")
REMOTE = "https://judge.example.org/v1"


class Plays(BaseHTTPRequestHandler):
    """Plays its script, one entry a request; the last one for ever."""

    def do_POST(self):
        server = self.server
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked.append(asked | {"headers": str(self.headers)})
        status, body = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "retry-after-ms": "1"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def says(text):
    return 200, {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": text}}]}


def fails(status, message="no"):
    return status, {"error": {"message": message}}


@pytest.fixture
def server(monkeypatch):
    """A function that starts the server with a script."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # no proxy stands between this machine and itself
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    started = []

    def start(*script):
        made = ThreadingHTTPServer(("127.0.0.1", 0), Plays)
        made.script, made.asked, made.url = list(script), [], f"http://127.0.0.1:{made.server_port}/v1"
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        started.append(made)
        return made

    yield start
    for made in started:
        made.shutdown()
        made.server_close()


def test_a_good_server_is_asked_in_both_orders_once_and_without_a_key(server):
    good = server(says("A"), says("B"))
    judge = EndpointJudge(good.url, "some-model", POCKET, options={"max_tokens": None, "max_completion_tokens": 500})
    found = compare(judge, [PROMPT, PROMPT], [PLAIN, STOIC], [STOIC, PLAIN], quiet=True)
    assert (found.judge, found.outcomes) == ("some-model", ["a", "b"])
    first, _ = good.asked  # the second item asks the same two questions, and they are remembered
    assert first["messages"] == [{"role": "user", "content": Rubric().asked(PROMPT, PLAIN, STOIC)}]
    assert (first["model"], first["temperature"], first["max_completion_tokens"]) == ("some-model", 0, 500)
    assert "max_tokens" not in first
    assert KEY not in str(good.asked)


@pytest.mark.parametrize("said", ["A or B", "", None, "A " + "x" * 500])
def test_what_cannot_be_read_is_unparsed_and_not_guessed(server, said):
    assert EndpointJudge(server(says(said)).url, "m", POCKET).judge(*TEXTS).winner is None


def test_trouble_that_passes_is_tried_again_and_a_broken_comparison_goes_on_where_it_stopped(server):
    moody = server(says("A"), fails(429), fails(500), says("B"), fails(400), says("A"), says("B"))
    judge, rows = EndpointJudge(moody.url, "m", POCKET), ([PROMPT, "My bus is late."], [PLAIN] * 2, [STOIC] * 2)
    with pytest.raises(JudgeError):
        compare(judge, *rows, quiet=True)
    assert compare(judge, *rows, quiet=True).outcomes == ["a", "a"]
    assert len(moody.asked) == 7  # four questions, two attempts more, and one again


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (None, "nothing answers there"),
        (fails(429, "you have no credit"), "allows no more requests.*you have no credit"),
        (fails(401), "refuses the key in OPENAI_API_KEY"),
        (fails(404, "not here"), "no model 'some-model', or the address is wrong.*not here"),
        (fails(400, "temperature must be 1"), "change base_url, options.*temperature must be 1"),
        ((200, {"error": "this is a 200"}), "not with a chat completion"),
        *(
            ((200, {"choices": choices}), "not with a chat completion")
            for choices in ([], 5, [{"message": None}], [{}], [None], ["A"], [{"message": "A"}])
        ),
        (says(["A"]), "not with a chat completion"),
        (says(5), "not with a chat completion"),
        ((200, b"[" * 100_000), "not with a chat completion"),
    ],
)
def test_lasting_trouble_is_a_sentence_that_names_the_address(scene, words, server, monkeypatch):
    monkeypatch.setattr(endpoint, "RETRIES", 0 if scene is None else 3)  # a pause that no server shortens
    url = "http://127.0.0.1:9/v1" if scene is None else server(scene).url
    with pytest.raises(JudgeError, match=f"{url}.*{words}"):
        EndpointJudge(url, "some-model", POCKET).judge(*TEXTS)


@pytest.mark.parametrize(
    "scene", [says(f"Your key is {KEY}"), fails(401, f"{KEY[:8]}***{KEY[-4:]}"), fails(500, KEY), (200, KEY.encode())]
)
def test_the_key_never_shows(server, monkeypatch, scene):
    echoes, judge, caught = server(scene), EndpointJudge(REMOTE, "m", T4, (0, 0)), None
    judge.base_url = echoes.url  # a server elsewhere, as far as the judge knows
    shown = [repr(vars(judge)), str(pickle.dumps(judge))]
    monkeypatch.delenv("http_proxy")
    try:
        shown.append(repr(judge.judge(*TEXTS)))
    except JudgeError as error:
        caught, shown = error, [*shown, *traceback.format_exception(error)]
    assert caught is None or caught.__cause__ is caught.__context__ is None  # the client's error knows its request
    assert f"Bearer {KEY}" in str(echoes.asked)  # it was sent, or there would be nothing to hide
    assert not any(KEY in text or KEY[-4:] in text for text in shown)


def test_nothing_is_spent_before_somebody_says_yes_and_one_yes_covers_one_comparison(server):
    paid, asked, answers = server(says("A")), [], iter([False, "yes", True, True, True])
    rows = ([PROMPT], [STOIC], [PLAIN])
    judge = EndpointJudge(paid.url, "m", POCKET, (1.0, 10.0), confirm=lambda text: asked.append(text) or next(answers))
    for _ in range(2):  # a word is no True
        with pytest.raises(JudgeError, match="that was not confirmed, so nothing was sent"):
            compare(judge, *rows, quiet=True)
    assert paid.asked == []
    size = -(-len(Rubric().asked(*TEXTS).encode()) // endpoint.BYTES_PER_TOKEN) + endpoint.TOKENS_OF_TEMPLATE
    assert f"2 requests, {2 * size:,} tokens in and 32 out: {(2 * size + 320) / 1e6:.4f} in the currency" in asked[0]
    for _ in range(2):  # the second time everything is remembered
        compare(judge, *rows, quiet=True)
    assert (len(asked), len(paid.asked)) == (3, 2)
    for question in ("A third.", "A fourth."):  # one yes for one question is none for the next
        judge.judge(question, STOIC, PLAIN)
    assert len(asked) == 5


def test_only_y_or_yes_at_the_keyboard_is_a_yes(monkeypatch):
    for typed, answer in (("y", True), (" YES ", True), ("", False), ("yeah", False)):
        monkeypatch.setattr("builtins.input", lambda question, typed=typed: typed)
        assert ask_person("Spend it?") is answer
    monkeypatch.setattr("builtins.input", lambda question: os.read(9999, 1))  # an OSError, as without a keyboard
    assert ask_person("Spend it?") is False


@pytest.mark.parametrize(
    ("error", "words", "variables"),
    [
        (ValueError, "WORKSHOP_JUDGE_MODEL does not say", {"MODEL": ""}),
        (ValueError, "'cheap': write what a million", {"PRICES": "cheap"}),
        (
            JudgeError,
            "the pocket profile opens no connection",
            {"URL": "https://127.0.0.1.example.org", "PRICES": "0,0"},
        ),
        (JudgeError, "OPENAI_API_KEY is empty.*Colab", {"URL": REMOTE, "PRICES": "0,0", "profile": T4}),
        (ValueError, "prices are None", {"URL": REMOTE, "profile": T4}),
        (ValueError, "read the key; write https", {"URL": "http://judge.example.org/v1", "profile": T4}),
        (ValueError, "put the key into OPENAI_API_KEY", {"URL": f"https://{KEY}@example.org/v1", "profile": T4}),
        (ValueError, "put the key into OPENAI_API_KEY", {"URL": f"https://e.org?k={KEY}", "profile": T4}),
    ],
)
def test_a_judge_that_the_environment_names_wrongly_is_a_sentence(error, words, variables, monkeypatch):
    named = {"URL": "http://127.0.0.1:1/v1", "MODEL": "m", "PRICES": "", "profile": POCKET} | variables
    profile = named.pop("profile")
    for name, value in named.items():
        monkeypatch.setenv(f"WORKSHOP_JUDGE_{name}", value)
    with pytest.raises(error, match=words) as caught:
        judge_from_environment(profile)
    assert KEY not in str(caught.value)


def test_the_environment_names_a_judge_or_none(monkeypatch):
    assert judge_from_environment(POCKET) is None
    for name, value in {"URL": "http://[::1]:8080/v1/", "MODEL": "m", "PRICES": "0.15,0.60"}.items():
        monkeypatch.setenv(f"WORKSHOP_JUDGE_{name}", value)
    judge = judge_from_environment(POCKET)
    assert (judge.base_url, judge.model, judge.prices) == ("http://[::1]:8080/v1", "m", (0.15, 0.60))
    with pytest.raises(ValueError, match="it could cost any sum"):
        EndpointJudge("http://127.0.0.1:1", "m", POCKET, (0, 1), {"max_tokens": None})
