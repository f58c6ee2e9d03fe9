"""Gradio's page: it talks as the terminal does, streams, stops, and neither answers nor asks another computer."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import browser
import pytest

from workshop_utils.command import cli, web_chat
from workshop_utils.command.talk import Talk

needs_browser = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing())


class Slow:
    """A model that counts, ten words a second, and notes when it is stopped."""

    name, context, n_parameters = "slow", 60, 1234

    def __init__(self, words: int = 3, pause: float = 0.0) -> None:
        self.words, self.pause, self.asked, self.reached = words, pause, [], 0

    def chat_ids(self, messages):
        return [0] * sum(len(message["content"].split()) for message in messages)

    def stream(self, messages, max_new_tokens, **options):
        self.asked.append(([(one["role"], one["content"]) for one in messages], options))
        for number in range(self.words):
            self.reached = number
            time.sleep(self.pause)
            yield f"word{number} "


def test_a_turn_holds_what_was_said_and_the_settings_of_the_page():
    pytest.importorskip("gradio")
    model = Slow()
    answer = web_chat.answering(Talk(model, max_new_tokens=5, sampling={"temperature": 0.7, "top_p": 0.9}, seed=3))
    history = [
        {"role": "user", "content": [{"type": "text", "text": "never answered"}]},
        {"role": "user", "content": [{"type": "text", "text": "one"}]},
        {"role": "assistant", "content": " first "},
    ]
    assert list(answer("two", history, 0.2, 5, "be brief")) == ["word0 ", "word0 word1 ", "word0 word1 word2 "]
    said, options = model.asked[0]
    assert said == [("system", "be brief"), ("user", "one"), ("assistant", "first"), ("user", "two")]
    assert {"temperature": 0.2, "top_k": 5, "top_p": 0.9}.items() <= options.items()
    list(answer("three", [], 0, None, ""))
    assert model.asked[1][0] == [("user", "three")]
    assert model.asked[1][1]["top_k"] is None
    with pytest.raises(Exception, match="say it shorter"):
        list(answer("word " * 70, [], 0, 0, ""))


def test_without_gradio_the_cure_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert cli.execute(["chat", "--web"]) == 2
    assert "gradio is not installed: pip install 'slm-workshop[web]'" in capsys.readouterr().err


@needs_browser
def test_a_person_types_reads_along_and_stops_on_this_computer_alone(tmp_path: Path, monkeypatch):
    pytest.importorskip("gradio")
    monkeypatch.chdir(tmp_path)
    model = Slow(words=400, pause=0.05)
    page = web_chat.page(Talk(model, system="be brief", max_new_tokens=5, sampling={"temperature": 0.3}))
    home = web_chat.launch(page, wait=False)
    try:
        seen = browser.drive(
            home,
            ["wait", "document.querySelector('textarea')"],
            ["fill", "textarea", "Hello"],
            ["press", "Enter"],
            ["wait", "document.body.innerText.includes('word3')"],
            ["eval", "document.body.innerText.includes('word399')"],
            ["look"],
            ["click", "[data-testid=stop-button]"],
            ["wait", "document.querySelector('[data-testid=submit-button], .submit-button')"],
            ["eval", "document.body.innerText.match(/word\\d+/g).at(-1)"],
            ["colour", "dark"],
            ["size", 390, 800],
            ["goto", home],
            ["wait", "document.querySelector('textarea')"],
            ["look"],
        )
        stopped_at = model.reached
        time.sleep(0.5)
        assert model.reached == stopped_at  # Stop stops the model, too
    finally:
        page.close(verbose=False)
    whole, light, last, phone = seen["said"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", home)
    assert page.share is False
    assert page.analytics_enabled is False
    assert not whole
    assert 3 <= int(last.removeprefix("word")) < 399
    assert model.asked[0][0] == [("system", "be brief"), ("user", "Hello")]
    assert model.asked[0][1]["temperature"] == 0.3
    for view in (light, phone):
        assert view["pale"] == []
        assert view["wider"] <= 0
    assert all(url.startswith((home, "data:", "blob:")) for url in seen["requests"]), seen["requests"]
    assert [one for one in seen["errors"] if "Content Security Policy" in one] == []
    assert list(tmp_path.iterdir()) == []  # no history, no certificate
