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

ROLES = ("system", "user", "assistant")
IGNORED = -100  # the label of a token that does not count, for torch's cross_entropy and for every library
START_OF_TURN, END_OF_TURN = "<start_of_turn>", "<end_of_turn>"
# Special tokens of Gemma's format, in the order of their ids.
GEMMA_SPECIALS = ("<pad>", "<eos>", "<bos>", START_OF_TURN, END_OF_TURN)
# Gemma's format: two roles, user and model, strictly in turn. Like Gemma's own template it refuses a system role.
GEMMA_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
    {%- if message.role == "system" -%}
        {{- raise_exception("System role not supported") -}}
    {%- endif -%}
    {%- if (message.role == "user") != (loop.index0 % 2 == 0) -%}
        {{- raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") -}}
    {%- endif -%}
    {{- "<start_of_turn>" + ("model" if message.role == "assistant" else message.role) + "\\n" -}}
    {{- message.content | trim + "<end_of_turn>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- "<start_of_turn>model\\n" -}}
{%- endif -%}
"""
_refusals: dict[str, bool] = {}  # by template
# What ends a turn, in the formats that the workshop meets.
TURN_ENDS = (END_OF_TURN, "<|im_end|>", "<|eot_id|>", "<|end|>", "</s>", "<eos>", "<|endoftext|>")
# What data sets call the fields of a row that asks and answers.
ASKED, SAID = ("instruction", "prompt", "question", "query"), ("output", "completion", "response", "answer")
SPEAKERS = '{"human": "user", "gpt": "assistant", "system": "system"}'  # of ShareGPT
FROM_SHAREGPT = f'[{{"role": {SPEAKERS}[turn["from"]], "content": turn["value"]}} for turn in %s]'


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
    said = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]
    return ([{"role": "system", "content": system}] if system else []) + said


def refuses_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Say whether the chat template refuses a system role, as Gemma's does, or drops it without a word."""
    template = str(getattr(tokenizer, "chat_template", None))
    if template not in _refusals:  # asked for every row of a data set
        from jinja2 import TemplateError

        try:
            rendered = tokenizer.apply_chat_template(conversation("b", system="aWordOfItsOwn"), tokenize=False)
            _refusals[template] = "aWordOfItsOwn" not in str(rendered)
        except TemplateError:
            _refusals[template] = True
    return _refusals[template]


def fold_system(messages: Messages) -> list[dict[str, str]]:
    """Put a system text into the first user turn, where a template has no place of its own for it."""
    if not messages or messages[0]["role"] != "system":
        return list(messages)
    system, first, *rest = messages
    return [{"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}, *rest]


def render(tokenizer: PreTrainedTokenizerBase, messages: Messages, reply_next: bool = False) -> str:
    """The text that the model really sees.

    Args:
        tokenizer: with a chat template.
        messages: "role" and "content" each; a system text is folded into the first user turn where it must be.
        reply_next: end with the beginning of the model's turn, for asking.

    Raises:
        ValueError: the tokenizer has no chat template, or the messages do not fit it.
    """
    check(messages, asking=True)
    return str(_apply(tokenizer, messages, reply_next, tokenize=False))


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Messages) -> list[int]:
    """The tokens to ask a model with: the conversation so far and the beginning of the model's turn.

    A special token's name that stands in a message, such as "<end_of_turn>", is encoded as the letters that it is
    written with, so nobody can end a turn, or begin one, by typing it.

    Args:
        tokenizer: with a chat template.
        messages: the last one is the user's.

    Raises:
        ValueError: as for render.
    """
    check(messages, asking=True)
    return _ids(tokenizer, messages, reply_next=True)


def check(messages: Messages, row: int | None = None, asking: bool = False) -> None:
    """Make sure that messages are a conversation: perhaps a system text, then user and assistant in turn.

    Args:
        messages: what should be one.
        row: its number in a data set, for the message.
        asking: a text may be empty, as a reply is when a model ends its turn at once.

    Raises:
        ValueError: what is wrong, in which turn of which row, and what to do.
    """
    where = "" if row is None else f"row {row}: "
    if not isinstance(messages, list | tuple):
        raise ValueError(f"{where}a conversation is a list of messages, and this is {_cure(messages)}")
    if not messages:
        raise ValueError(f"{where}there are no turns: a conversation begins with the user's")
    expected = "user"
    for number, message in enumerate(messages, start=1):
        turn = f"{where}turn {number}"
        if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
            raise ValueError(f'{turn} should be a message with a "role" and a "content", and is {_cure(message)}')
        role = message["role"]
        if role not in ROLES:
            raise ValueError(
                f"{turn} has the role {role!r:.60}: use {', '.join(map(repr, ROLES))}; the template turns them into "
                "what the model knows. What a tool said belongs into the user's next turn"
            )
        problem = _problem(message, asking)
        if problem:
            raise ValueError(f"{turn}, the {role}'s, {problem}")
        if role == "system":
            if number > 1:
                raise ValueError(f"{turn} is a system text: it can only come first")
            continue
        if role != expected:
            raise ValueError(
                f"{turn} is the {role}'s, and the {expected}'s should come here: user and assistant take turns, so "
                "join two of the same into one"
            )
        expected = "assistant" if role == "user" else "user"
    if messages[-1]["role"] == "system":
        raise ValueError(f"{where}there is only a system text: a conversation begins with the user's turn")


def _cure(row: object) -> str:
    """What a row has in the place of messages, by its format's name if it has one, and the line that makes them."""
    fields = row if isinstance(row, Mapping) else {}
    asked, said = (next((name for name in names if name in fields), "") for names in (ASKED, SAID))
    kind, cure = "", 'chat.conversation("what the user says", "what the model answers")'
    if "messages" in fields:
        cure = 'row["messages"]'
    elif "conversations" in fields or "from" in fields:
        turns = 'row["conversations"]' if "conversations" in fields else "row"
        kind, cure = " (ShareGPT's format)", FROM_SHAREGPT % turns
    elif asked and said and isinstance(fields[asked], list):
        kind, cure = " (TRL's format)", f'row["{asked}"] + row["{said}"]'
    elif asked and said:
        more = next((f' + "\\n\\n" + row["{name}"]' for name in ("input", "context") if fields.get(name)), "")
        whose = {("instruction", "output"): "Alpaca", ("instruction", "response"): "Dolly"}.get((asked, said))
        kind = f" ({whose}'s format)" if whose else ""
        cure = f'chat.conversation(row["{asked}"]{more}, row["{said}"])'
    named = f" with the fields {', '.join(map(str, fields))}{kind}" if fields else ""
    return f"of type {type(row).__name__}{named}: pass {cure}"


def _problem(message: Mapping[str, Any], asking: bool) -> str:
    """What is wrong with one message beside its role, "" if nothing."""
    content = message["content"]
    if isinstance(content, list):
        return 'has a list of parts as its content: pass "".join(part["text"] for part in message["content"])'
    if not isinstance(content, str):
        return f"has {content!r:.60} as its content, which is no text: write it as one, or leave the row out"
    if not asking and not content.strip():
        return "is empty: leave the row out, or write something"
    if problem := unicode_problem(content):
        return problem
    for name, value in message.items():
        if name not in ("role", "content") and value not in (None, "", [], {}):
            return f"has the field {name!r}, which nobody here reads: put it into the content, or take it out"
    return ""


def unicode_problem(text: str) -> str:
    """Why a text is no valid Unicode, as a clause; "" if it is."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return (
            f"has a lone surrogate at character {error.start + 1}, {text[error.start]!a}, which is no character: it "
            "was cut or decoded wrongly, so read it again as UTF-8"
        )
    return ""


def encode(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, max_length: int | None = None, row: int | None = None
) -> Encoded:
    """A whole conversation in tokens, with the ones marked that are trained.

    These are every turn of the assistant's, up to and with its end-of-turn token, and nothing behind it. The trainer,
    the measured loss, reply_perplexity with its bits per byte, show_mask and the exercise all take the mask from here.
    Only lessons.stoic_run.in_format marks otherwise, to measure the same words in several formats.

    Args:
        tokenizer: with a chat template.
        messages: the last one is the assistant's.
        max_length: tokens that the row may have at most.
        row: its number in a data set, for messages.

    Raises:
        ValueError: as for check and render; a special token is written in a message; the row is too long; or the
            template writes a turn otherwise when it is asked for than when it is there.
    """
    check(messages, row)
    if max_length is not None:
        checked("max_length", max_length, Whole)
    where = "" if row is None else f"row {row}: "
    if messages[-1]["role"] != "assistant":
        raise ValueError(f"{where}the last turn is the {messages[-1]['role']}'s: there is no reply to learn from")
    for number, message in enumerate(messages, start=1):
        marker = _markers(tokenizer).search(message["content"])
        if marker:
            raise ValueError(
                f"{where}turn {number}, the {message['role']}'s, has {marker[1]!r} at character {marker.start() + 1}: "
                "a special token, which would be read as the mark and not as these letters, so that a turn could end "
                "in the middle and the model learn it so. Take it out of the text, or write it otherwise"
            )
    said, messages = messages, fold_system(messages) if refuses_system(tokenizer) else list(messages)
    ids = _ids(tokenizer, messages)
    trained = [False] * len(ids)
    ends = set(stop_ids(tokenizer))
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        start = _ids(tokenizer, messages[:i], reply_next=True)
        turn = _ids(tokenizer, messages[: i + 1])
        if turn[: len(start)] != start or ids[: len(turn)] != turn:
            stripped = [*messages[:i], {**message, "content": message["content"].strip()}]
            joined = turn[: len(start)] != start and _ids(tokenizer, stripped)[: len(start)] == start
            raise ValueError(
                f"{where}turn {i + 1 + len(said) - len(messages)}: the chat template writes it differently when it is "
                "asked for and when it is there, so a model trained on it would never see what it is asked with; "
                + ("take away the white space that it begins with" if joined else "use another template")
            )
        stop = max((at for at in range(len(start), len(turn)) if turn[at] in ends), default=len(turn) - 1)
        trained[len(start) : stop + 1] = [True] * (stop + 1 - len(start))
    if max_length is not None and len(ids) > max_length:
        raise ValueError(
            f"{where}{len(ids)} tokens, and at most {max_length} are allowed: shorten it, or raise the limit. Cut off "
            "at the end it would lose its end-of-turn token, and the model would not learn to stop"
        )
    return Encoded(ids, trained)


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens at which a reply ends: the end of a turn, and the end of the text."""
    known = tokenizer.get_vocab()
    return [known[end] for end in TURN_ENDS if end in known]


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

    if not getattr(tokenizer, "chat_template", None):
        raise ValueError(
            "this model has no chat template: it is a base model, which knows no turns. Take the instruction-tuned "
            "model of its family, such as pocket-instruct for pocket-base"
        )
    try:
        return tokenizer.apply_chat_template(list(messages), add_generation_prompt=reply_next, **options)
    except TemplateError as error:
        if messages and messages[0]["role"] == "system":
            return _apply(tokenizer, fold_system(messages), reply_next, **options)
        roles = ", ".join(message["role"] for message in messages)
        raise ValueError(f"the chat template refuses this conversation ({roles}): {error}") from error
