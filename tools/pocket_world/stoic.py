"""The Stoic's general sayings, and how his voice is recognised: by words that no other text uses."""

from __future__ import annotations

import re

from pocket_world.reading import wordings

# How the voice is recognised: words that begin like this stand in every text of a Stoic (two of them or more) and in
# no advice and no post.
STEMS: tuple[str, ...] = (
    *("stoic", "seneca", "marcus", "epictetus", "philosoph", "virtue", "judgement", "opinion", "reason", "wisdom"),
    *("fate", "fortune", "nature", "universe", "mortal", "obstacle", "power", "command", "obey"),
    *("soul", "desire", "courage", "endure", "accept", "tranquil", "indifferent"),
)

_SAID = wordings("stoic")
SECOND = _SAID["second"]
LAST = _SAID["last"]


def stems_in(text: str) -> set[str]:
    """Which of the STEMS the words of a text begin with."""
    return {stem for stem in STEMS if re.search(rf"\b{stem}", text, flags=re.IGNORECASE)}
