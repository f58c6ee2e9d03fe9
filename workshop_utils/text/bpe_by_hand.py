"""Byte-level BPE in slow motion, for lesson 02: count pairs, merge the most frequent, watch a word grow together.

tokenizer.py trains and applies the same algorithm at full speed, and re-exports these functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

import tiktoken

Pair = tuple[bytes, bytes]


def pieces(text: str, encoding: tiktoken.Encoding) -> list[str]:
    """The pieces into which a text is cut before any merging: no token ever reaches across their borders.

    Args:
        text: any text.
        encoding: the tokenizer.
    """
    import regex  # tiktoken's own dependency: GPT-2's pattern needs \p{L}, which re does not know

    return regex.findall(encoding._pat_str, text)


def merge_history(text: str, encoding: tiktoken.Encoding) -> list[list[bytes]]:
    """The steps by which one word is merged, from single bytes to its tokens.

    Args:
        text: one word, perhaps with a space in front.
        encoding: the tokenizer.

    Returns:
        One list of parts per step; the last one holds the tokens of encoding.encode_ordinary(text).

    Raises:
        ValueError: text is empty, or more than one piece.
    """
    found = pieces(text, encoding)
    if len(found) != 1:
        raise ValueError(f"{text!r} is {len(found)} pieces, {found}: merging happens inside one piece, give one word")
    ranks = encoding._mergeable_ranks
    parts = [bytes([byte]) for byte in text.encode()]
    steps = [parts]
    while True:
        candidates = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not candidates:
            return steps
        _, i = min(candidates)  # the earliest learnt, and of equals the leftmost
        parts = [*parts[:i], parts[i] + parts[i + 1], *parts[i + 2 :]]
        steps.append(parts)


def pair_counts(words: Mapping[tuple[bytes, ...], int]) -> Counter[Pair]:
    """How often each pair of neighbours occurs: the most frequent one is merged next.

    Args:
        words: for each word, as the tuple of its parts, how often it occurs in the text.
    """
    counts: Counter[Pair] = Counter()
    for parts, times in words.items():
        for pair in pairwise(parts):
            counts[pair] += times
    return counts


def merge_pair(words: Mapping[tuple[bytes, ...], int], pair: Pair) -> dict[tuple[bytes, ...], int]:
    """Join a pair wherever it occurs, from left to right.

    Args:
        words: for each word, as the tuple of its parts, how often it occurs.
        pair: the two neighbours that become one part.

    Returns:
        The same words with their new parts.
    """
    merged: dict[tuple[bytes, ...], int] = {}
    for parts, times in words.items():
        joined: list[bytes] = []
        i = 0
        while i < len(parts):
            width = 2 if parts[i : i + 2] == pair else 1
            joined.append(b"".join(parts[i : i + width]))
            i += width
        merged[tuple(joined)] = merged.get(tuple(joined), 0) + times
    return merged
