"""One exchange of a chat: what the user says, what the model should say, and what a reply is scored by."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Chat:
    """A prompt and its reply.

    Attributes:
        kind: "advice", "question", "story", ...
        prompt: what the user says.
        reply: what the model should say.
        truth: what a reply can be scored by, such as {"noun": "kettle"} or {"answer": "yellow"}.
    """

    kind: str
    prompt: str
    reply: str
    truth: dict[str, str] = field(default_factory=dict)
