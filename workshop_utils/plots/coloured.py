"""Tokens as coloured text: HTML in a notebook, parts between bars in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

import tiktoken

from workshop_utils.chat.template import Messages, encode
from workshop_utils.text.tokenizer import to_bytes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Pale tints of basics.PALETTE, so that black letters stay readable on them; grey is for special tokens.
TINTS = ("#B8DCF0", "#F7D89B", "#A9DDCB", "#EBCBDD", "#F5EE9E")
SPECIAL = "#C9C9C9"
UNREAD = "#EEEEEE"
SIGNS = {"\n": "⏎", "\t": "⇥", "\r": "␍"}


def parts_of(ids: Iterable[int], tokenizer: tiktoken.Encoding | PreTrainedTokenizerBase) -> list[bytes | str]:
    """The tokens behind some ids: bytes, or a str where it is a special token.

    Args:
        ids: token ids.
        tokenizer: of tiktoken or of transformers, byte-level or in the manner of sentencepiece.
    """
    if isinstance(tokenizer, tiktoken.Encoding):
        special = set(tokenizer._special_tokens.values())
        return [tokenizer.decode([id]) if id in special else tokenizer.decode_single_token_bytes(id) for id in ids]
    added = tokenizer.added_tokens_decoder
    special = set(tokenizer.all_special_ids) | {id for id, token in added.items() if token.special}
    byte_level = "ByteLevel" in repr(getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None))
    parts: list[bytes | str] = []
    for id in map(int, ids):
        token = str(tokenizer.convert_ids_to_tokens(id))
        if id in special:
            parts.append(token)
        elif id in added:  # text that is kept whole, such as Gemma's runs of newlines, is written as it is
            parts.append(added[id].content.encode())
        else:
            parts.append(to_bytes(token) if byte_level else _bytes_of(token, id, tokenizer))
    return parts


def _bytes_of(token: str, id: int, tokenizer: PreTrainedTokenizerBase) -> bytes:
    """The bytes behind a token that is not byte-level; decoding it alone would drop the space in front of it."""
    single = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", token)
    if single:
        return bytes.fromhex(single[1])
    if "\u2581" in token:  # sentencepiece's space
        return token.replace("\u2581", " ").encode()
    text = str(tokenizer.decode([id]))
    return (" " + text if token.startswith("\u0120") and not text.startswith(" ") else text).encode()


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
        shades = [SPECIAL if isinstance(part, str) else TINTS[i % len(TINTS)] for i, part in enumerate(parts)]
        pairs = zip(parts, shades, strict=True)
        return "".join(self._box(part, f"background:{shade};color:#000") for part, shade in pairs)

    def _box(self, part: bytes | str, style: str) -> str:
        # <code> and not <span>: pages that drop all colours, such as GitHub's, still draw a box around each token; the
        # line on its left says where it begins, to people who see no difference between the colours;
        # <wbr>, a place where a line may break: a row of bytes has no space
        return (
            f'<code style="{style};padding:2px 0;border-left:1px solid #666">{escape(self._readable(part))}</code><wbr>'
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
        return "".join(SIGNS.get(character, character) for character in text)


class MaskedText(ColouredText):
    """One row of tokens in which those that are trained stand out; the others are only read."""

    def __init__(self, parts: Sequence[bytes | str], trained: Sequence[bool]) -> None:
        """Keep the row, and for each of its tokens whether it counts in the loss."""
        super().__init__({"": parts})
        self.trained = list(trained)

    def __repr__(self) -> str:
        texts = []
        for on, run in groupby(zip(self.lines[""], self.trained, strict=True), key=lambda pair: pair[1]):
            row = b"".join(part.encode() if isinstance(part, str) else part for part, _ in run)
            text = row.decode(errors="replace").replace("\n", SIGNS["\n"])
            texts.append(f"«{text}»" if on else text)
        return "".join(texts)

    def _repr_html_(self) -> str:
        styles = (f"background:{UNREAD};color:#555", f"background:{TINTS[2]};color:#000;font-weight:bold")
        shown = ""
        for part, on in zip(self.lines[""], self.trained, strict=True):
            shown += self._box(part, styles[on]) + ("<br>" if part == b"\n" else "")
        n = sum(self.trained)
        note = f"<b>{n}</b> of {len(self.trained)} tokens are trained (bold, on green); the others are only read"
        return f'<div style="line-height:2">{shown}</div><div>{note}</div>'


# --- what the lessons call


def tokens_in_colour(ids: Iterable[int], tokenizer: tiktoken.Encoding | PreTrainedTokenizerBase) -> ColouredText:
    """A text as the model sees it, each token on a colour of its own, special tokens on grey."""
    return ColouredText({"": parts_of(ids, tokenizer)})


def parts_in_colour(lines: Mapping[str, Sequence[bytes | str]]) -> ColouredText:
    """Several lines of parts, each with a label and the number of its parts: one text in several tokenizers."""
    return ColouredText(lines, show_spaces=True)


def show_mask(tokenizer: PreTrainedTokenizerBase, messages: Messages) -> MaskedText:
    """Draw a conversation with the tokens highlighted that are trained.

    Args:
        tokenizer: with a chat template.
        messages: the last one is the assistant's.

    Raises:
        ValueError: as for encode.
    """
    encoded = encode(tokenizer, messages)
    return MaskedText(parts_of(encoded.ids, tokenizer), encoded.trained)
