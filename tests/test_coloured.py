"""Tokens in colour: every token is there, readable, and cannot break the page."""

import re

from workshop_utils.plots import basics as plots
from workshop_utils.plots.coloured import ColouredText, parts_of
from workshop_utils.text.tokenizer import train_bpe

BYTES = train_bpe(["aa ab aa ab"], 258)


def test_every_token_has_a_box_and_special_tokens_are_grey():
    ids = [*BYTES.encode_ordinary("aa ü"), BYTES.eot_token]
    page = plots.tokens_in_colour(ids, BYTES)._repr_html_()
    assert page.count("<code") == len(ids)
    assert page.count("#C9C9C9") == 1
    assert "&lt;|endoftext|&gt;" in page


def test_pieces_of_a_character_are_shown_as_their_bytes():
    assert repr(plots.tokens_in_colour(BYTES.encode_ordinary("ü"), BYTES)) == "‹c3›|‹bc›"


def test_text_cannot_break_the_page():
    page = ColouredText({"<b>": [b"<script>", b"a&b"]})._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<b>&lt;b&gt;</b>" in page


def test_lines_have_a_label_and_a_count():
    page = plots.parts_in_colour({"bytes": [b"a", b" ", b"\n"], "one": [b"a b"]})
    assert repr(page).splitlines() == ["bytes  a|·|⏎", "one    a·b"]
    assert re.findall(r'right">(\d+)<', page._repr_html_()) == ["3", "1"]


def test_parts_give_the_text_back():
    text = "aab ü 🙂"
    assert b"".join(parts_of(BYTES.encode_ordinary(text), BYTES)).decode() == text
