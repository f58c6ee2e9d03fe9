"""Conversations as the models see them: rendered, encoded and masked in one place.

Chat -> template -> ids, with a note of the tokens that are trained. Everything about a format comes from the
tokenizer's own chat template, so that training and asking can never differ; and the special tokens in a row are the
template's own, never ones that somebody wrote into a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workshop_utils.gpt.config import Whole, checked

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = Sequence[dict[str, str]]

ROLES = SYSTEM, USER, ASSISTANT = ("system", "user", "assistant")
IGNORED = -100  # the label of a token that does not count, for torch's cross_entropy and for every library
START_OF_TURN, END_OF_TURN = "<start_of_turn>", "<end_of_turn>"
# Special tokens of Gemma's format, in the order of their ids.
GEMMA_SPECIALS = ("<pad>", "<eos>", "<bos>", START_OF_TURN, END_OF_TURN)
# What ends a turn, in the formats that the workshop meets.
TURN_ENDS = (END_OF_TURN, "<|im_end|>", "<|eot_id|>", "<|end|>", "</s>", "<eos>", "<|endoftext|>")


@dataclass(frozen=True)
class Encoded:
    """One conversation in tokens.

    Attributes:
        ids: all tokens, with exactly one beginning-of-sequence token where the template has one.
        trained: for each token whether it is part of the model's turns, their end-of-turn tokens included.
    """

    ids: list[int]
    trained: list[bool]

    @property
    def labels(self) -> list[int]:
        """For each token what the loss expects there: the token itself where it is trained, else IGNORED."""
        return [token if on else IGNORED for token, on in zip(self.ids, self.trained, strict=True)]


def conversation(*texts: str, system: str = "") -> list[dict[str, str]]:
    """Messages from texts that alternate, the user first.

    Args:
        texts: what is said, user and assistant in turn.
        system: an instruction for the whole conversation, put in front as a system message.
    """
    said = [{"role": (USER, ASSISTANT)[i % 2], "content": text} for i, text in enumerate(texts)]
    return ([{"role": SYSTEM, "content": system}] if system else []) + said


def render(tokenizer: PreTrainedTokenizerBase, messages: Messages, reply_next: bool = False) -> str:
    """The text that the model really sees.

    Args:
        tokenizer: with a chat template.
        messages: perhaps a system text, then user and assistant in turn, with "role" and "content" each. The system
            text is folded into the first user turn where the template has no place for it.
        reply_next: end with the beginning of the model's turn, for asking.

    Raises:
        ValueError: the tokenizer has no chat template, or the messages do not fit it.
    """
    _check(messages, asking=True)
    return str(_apply(tokenizer, messages, reply_next, tokenize=False))


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Messages) -> list[int]:
    """The tokens to ask a model with: the conversation so far and the beginning of the model's turn.

    A special token's name that is written in a message, such as "<end_of_turn>", is encoded as plain letters, so
    nobody can end a turn, or begin one, by typing it.

    Args:
        tokenizer: with a chat template.
        messages: the last one is the user's.

    Raises:
        ValueError: as for render.
    """
    _check(messages, asking=True)
    return _ids(tokenizer, messages, reply_next=True)


def encode(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, max_length: int | None = None, row: int | str | None = None
) -> Encoded:
    """A whole conversation in tokens, with the ones marked that are trained.

    These are every turn of the assistant's, up to and with its end-of-turn token, and nothing behind it. The trainer,
    the measured loss, reply_perplexity with its bits per byte, show_mask, exercise 07.1 and tools/build_pocket.py take
    the mask from here.

    Args:
        tokenizer: with a chat template.
        messages: the last one is the assistant's.
        max_length: tokens that the row may have at most.
        row: its number in a data set, or another name of it, for the message of an error.

    Raises:
        ValueError: as for render; or there is no reply, or an empty text; a special token is written in a message; the
            row is too long; the template writes a turn otherwise when it is asked for than when it is there.
    """
    where = "" if row is None else f"row {row}: "
    _check(messages, where)
    if messages[-1]["role"] != ASSISTANT:
        raise ValueError(f"{where}the last turn is the {messages[-1]['role']}'s: there is no reply to learn from")
    for number, message in enumerate(messages, start=1):
        if marker := _markers(tokenizer).search(message["content"]):
            raise ValueError(
                f"{where}turn {number}, the {message['role']}'s, has {marker[1]!r} at character {marker.start() + 1}: "
                "it would be read as a special token, and a turn could end in the middle. Take it out of the text"
            )
    ids = _ids(tokenizer, messages)
    trained = [False] * len(ids)
    ends = set(stop_ids(tokenizer))
    for i, message in enumerate(messages):
        if message["role"] != ASSISTANT:
            continue
        start, turn = _ids(tokenizer, messages[:i], reply_next=True), _ids(tokenizer, messages[: i + 1])
        if turn[: len(start)] != start or ids[: len(turn)] != turn:
            raise ValueError(
                f"{where}turn {i + 1}: the chat template renders it differently as a prompt than in the full "
                "conversation, so a model trained on it would never see what it is asked with: remove the white space "
                "at its start, or use another template"
            )
        stop = max((at for at in range(len(start), len(turn)) if turn[at] in ends), default=len(turn) - 1)
        trained[len(start) : stop + 1] = [True] * (stop + 1 - len(start))
    if max_length is not None and len(ids) > checked("max_length", max_length, Whole):
        raise ValueError(
            f"{where}{len(ids)} tokens, and at most {max_length} are allowed: shorten it, or raise the limit. Cut off "
            "it would lose its end-of-turn token, and the model would not learn to stop"
        )
    return Encoded(ids, trained)


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens at which a reply ends: the end of a turn, and the end of the text."""
    known = tokenizer.get_vocab()
    return [known[end] for end in TURN_ENDS if end in known]


def refuses_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Say whether the chat template refuses a system role, as Gemma's does, or drops it without a word."""
    from jinja2 import TemplateError

    try:
        rendered = tokenizer.apply_chat_template(conversation("b", system="aWordOfItsOwn"), tokenize=False)
    except (TemplateError, RecursionError):
        return True
    return "aWordOfItsOwn" not in str(rendered)


def _check(messages: Messages, where: str = "", asking: bool = False) -> None:
    """Refuse what is no conversation; when a model is asked, its earlier replies may be empty."""
    if not isinstance(messages, list | tuple):
        raise ValueError(f"{where}a conversation is a list of messages, and this is {_described(messages)}")
    expected = USER
    for number, message in enumerate(messages, start=1):
        if problem := _problem(message, number, expected, asking):
            raise ValueError(f"{where}turn {number} {problem}")
        if message["role"] != SYSTEM:
            expected = ASSISTANT if expected == USER else USER
    if not messages or messages[-1]["role"] == SYSTEM:
        raise ValueError(f"{where}nobody has said anything: a conversation begins with the user's turn")


def _problem(message: Mapping[str, Any], number: int, expected: str, asking: bool) -> str:
    """What is wrong with one message, "" if nothing."""
    if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
        return f'should be a message with a "role" and a "content", and is {_described(message)}'
    role, content = message["role"], message["content"]
    if role not in ROLES:
        return f"has the role {role!r:.60}: use {', '.join(ROLES)}; what a tool said belongs in the user's next turn"
    if role == SYSTEM and number > 1:
        return "is a system text: it can only come first"
    if role not in (SYSTEM, expected):
        return f"is the {role}'s, but the {expected}'s turn was expected: they alternate, so join two of one into one"
    if isinstance(content, list):
        return 'has a list of parts as its content: pass "".join(part["text"] for part in message["content"])'
    if not isinstance(content, str):
        return f"has {content!r:.60} as its content, which is no text: write it as one, or leave the row out"
    if not asking and not content.strip():
        return "is empty: leave the row out, or write something"
    for name in message:
        if name not in ("role", "content") and message[name] not in (None, "", [], {}):
            return f"has the field {name!r}, which nobody here reads: put it into the content, or take it out"
    return unicode_problem(content)


def _described(row: object) -> str:
    """What a row has in the place of messages, and what to make of it."""
    fields = f" with the fields {', '.join(map(str, row))}" if isinstance(row, Mapping) else ""
    return f"of type {type(row).__name__}{fields}: make messages of it, as chat.conversation(question, answer) does"


def unicode_problem(text: str) -> str:
    """Why a text is no valid Unicode, as a clause; "" if it is."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"has half a character, {text[error.start]!a}, at character {error.start + 1}: read it again as UTF-8"
    return ""


# --- the tokenizer's template


def _markers(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """Finds where a special token's name begins in a text, overlapping ones too; the name is group 1."""
    added = {token.content: token.special for token in tokenizer.added_tokens_decoder.values()}
    names = [*tokenizer.all_special_tokens, *(name for name, special in added.items() if special)]
    names += [name for name in (START_OF_TURN, *TURN_ENDS) if name in added]
    longest_first = sorted(set(filter(None, names)), key=len, reverse=True)
    return re.compile(f"(?=({'|'.join(map(re.escape, longest_first))}))." if names else "(?!)()", re.DOTALL)


def _ids(tokenizer: PreTrainedTokenizerBase, messages: Messages, reply_next: bool = False) -> list[int]:
    markers, texts = _markers(tokenizer), [message["content"] for message in messages]
    if not any(map(markers.search, texts)):
        return list(_apply(tokenizer, messages, reply_next, tokenize=True, return_dict=True)["input_ids"])
    # Cut each marker behind its first letter, by a character that nobody wrote: no piece holds a whole one.
    cut = next(one for one in map(chr, range(0xE000, 0xF900)) if not any(one in text for text in texts))
    apart = [{**message, "content": markers.sub(r"\g<0>" + cut, message["content"])} for message in messages]
    pieces = str(_apply(tokenizer, apart, reply_next, tokenize=False)).split(cut)
    return [token for piece in pieces for token in tokenizer(piece, add_special_tokens=False)["input_ids"]]


def _apply(tokenizer: PreTrainedTokenizerBase, messages: Messages, reply_next: bool, **options: Any) -> Any:
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise ValueError(
            "this model has no chat template: it is a base model, which knows no turns. Take the instruction-tuned "
            "model of its family, such as pocket-instruct for pocket-base"
        )
    said = list(messages)
    if said[0]["role"] == SYSTEM and refuses_system(tokenizer):
        said[:2] = [{**said[1], "content": f"{said[0]['content']}\n\n{said[1]['content']}"}]
    try:  # somebody's code
        return tokenizer.apply_chat_template(said, add_generation_prompt=reply_next, **options)
    except (TemplateError, ArithmeticError, AttributeError, LookupError, NameError, RecursionError, TypeError) as error:
        roles = ", ".join(message["role"] for message in messages)
        raise ValueError(f"the chat template refuses this conversation ({roles}): {error}") from error
