"""Tokens as coloured text: HTML in a notebook, parts between bars in a terminal.

plots.py offers it to the lessons as tokens_in_colour and parts_in_colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tiktoken

# Pale tints of plots.PALETTE, so that black letters stay readable on them; grey is for special tokens.
TINTS = ("#B8DCF0", "#F7D89B", "#A9DDCB", "#EBCBDD", "#F5EE9E")
SPECIAL = "#C9C9C9"
LINES = {"\n": "⏎", "\t": "⇥", "\r": "␍"}


def parts_of(ids: Iterable[int], encoding: tiktoken.Encoding) -> list[bytes | str]:
    """The tokens behind some ids: bytes, or a str where it is a special token.

    Args:
        ids: token ids.
        encoding: the tokenizer that they belong to.
    """
    special = set(encoding._special_tokens.values())
    return [encoding.decode([id]) if id in special else encoding.decode_single_token_bytes(id) for id in ids]


class ColouredText:
    """Lines of parts, each part on a colour of its own; a notebook shows it when a cell ends with it."""

    def __init__(self, lines: Mapping[str, Sequence[bytes | str]], show_spaces: bool = False) -> None:
        """Keep the lines.

        Args:
            lines: for each label the parts of its line; "" for no label. A str is a special token.
            show_spaces: write a space as a dot.
        """
        self.lines = {label: list(parts) for label, parts in lines.items()}
        self.show_spaces = show_spaces

    def __repr__(self) -> str:
        width = max(map(len, self.lines), default=0)
        return "\n".join(
            f"{label:<{width}}  {'|'.join(map(self._readable, parts))}".strip() for label, parts in self.lines.items()
        )

    def _repr_html_(self) -> str:
        if list(self.lines) == [""]:
            return f'<div style="line-height:2">{self._coloured(self.lines[""])}</div>'
        rows = "".join(
            f'<tr><td style="text-align:left;white-space:nowrap"><b>{escape(label)}</b></td>'
            f'<td style="text-align:right">{len(parts)}</td>'
            f'<td style="text-align:left;line-height:1.8">{self._coloured(parts)}</td></tr>'
            for label, parts in self.lines.items()
        )
        head = '<tr><th></th><th>tokens</th><th style="text-align:left">what they are</th></tr>'
        return f"<table>{head}{rows}</table>"

    def _coloured(self, parts: Sequence[bytes | str]) -> str:
        # <code> and not <span>: pages that drop all colours, such as GitHub's, still draw a box around each token
        # and <wbr>, a place where a line may break: a row of bytes has no space
        return "<wbr>".join(
            f'<code style="background:{SPECIAL if isinstance(part, str) else TINTS[i % len(TINTS)]};color:#000;'
            f'padding:2px 0">{escape(self._readable(part))}</code>'
            for i, part in enumerate(parts)
        )

    def _readable(self, part: bytes | str) -> str:
        """A token as people can read it: whole characters as such, pieces of a character as their bytes."""
        if isinstance(part, str):
            return part
        try:
            text = part.decode()
        except UnicodeDecodeError:
            return "‹" + part.hex(" ") + "›"
        if self.show_spaces or not text.strip():
            text = text.replace(" ", "·")
        return "".join(LINES.get(character, character) for character in text)
