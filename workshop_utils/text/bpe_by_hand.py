"""Byte-level BPE in slow motion, for lesson 02: how one word is merged from its bytes to its tokens.

tokenizer.py does the same at full speed.
"""

from __future__ import annotations

from itertools import pairwise

import tiktoken


def merge_history(text: str, encoding: tiktoken.Encoding) -> list[list[bytes]]:
    """The steps by which one word is merged, from single bytes to its tokens.

    Args:
        text: one word, perhaps with a space in front.
        encoding: the tokenizer.

    Returns:
        One list of parts per step; the last one holds the tokens of encoding.encode_ordinary(text).

    Raises:
        ValueError: text is empty, or more than one piece of the tokenizer's split pattern.
    """
    import regex  # tiktoken's own dependency: GPT-2's pattern needs \p{L}, which re does not know

    pieces = regex.findall(encoding._pat_str, text)
    if len(pieces) != 1:
        raise ValueError(f"{text!r} is {len(pieces)} pieces, {pieces}: tokens never reach across, give one word")
    ranks = encoding._mergeable_ranks
    parts = [bytes([byte]) for byte in text.encode()]
    steps = [parts]
    while True:
        candidates = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not candidates:
            return steps
        _, i = min(candidates)  # the earliest merge, and of equals the leftmost
        parts = [*parts[:i], parts[i] + parts[i + 1], *parts[i + 2 :]]
        steps.append(parts)
