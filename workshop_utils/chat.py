"""Conversations as the models see them: rendered, encoded and masked in one place.

Chat -> template -> ids, with a note of the tokens that are learnt from. Everything about a format comes from the
tokenizer's own chat template, so that training and asking can never differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from workshop_utils.coloured import MaskedText

Messages = Sequence[dict[str, str]]

ROLES = ("system", "user", "assistant")
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


@dataclass(frozen=True)
class Encoded:
    """One conversation in tokens.

    Attributes:
        ids: all tokens, with exactly one beginning-of-sequence token where the template has one.
        trained: for each token whether it is part of the model's turns, their end-of-turn tokens included.
    """

    ids: list[int]
    trained: list[bool]


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
    return str(_apply(tokenizer, messages, reply_next, tokenize=False))


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Messages) -> list[int]:
    """The tokens to ask a model with: the conversation so far and the beginning of the model's turn.

    Args:
        tokenizer: with a chat template.
        messages: the last one is the user's.

    Raises:
        ValueError: as for render.
    """
    return _ids(tokenizer, messages, reply_next=True)


def check(messages: Messages, row: int | None = None) -> None:
    """Make sure that messages are a conversation: perhaps a system text, then user and assistant in turn.

    Args:
        messages: what should be one.
        row: its number in a data set, for the message.

    Raises:
        ValueError: what is wrong, in which turn of which row, and what to do.
    """
    where = "" if row is None else f"row {row}: "
    if not messages:
        raise ValueError(f"{where}there are no turns: a conversation begins with the user's")
    expected = "user"
    for number, message in enumerate(messages, start=1):
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            raise ValueError(
                f"{where}turn {number} has the role {role!r}: use {', '.join(map(repr, ROLES))}; the template "
                "turns them into what the model knows"
            )
        if not isinstance(content, str) or not content.strip():
            raise ValueError(f"{where}turn {number}, the {role}'s, is empty: leave the row out, or write something")
        if role == "system":
            if number > 1:
                raise ValueError(f"{where}turn {number} is a system text: it can only come first")
            continue
        if role != expected:
            raise ValueError(
                f"{where}turn {number} is the {role}'s, and the {expected}'s should come here: user and assistant take "
                "turns, so join two of the same into one"
            )
        expected = "assistant" if role == "user" else "user"


def encode(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, max_length: int | None = None, row: int | None = None
) -> Encoded:
    """A whole conversation in tokens, with the ones marked that are learnt from.

    Args:
        tokenizer: with a chat template.
        messages: the last one is the assistant's.
        max_length: tokens that the row may have at most.
        row: its number in a data set, for messages.

    Raises:
        ValueError: as for check and render; the row is too long; or the template writes a turn otherwise when it is
            asked for than when it is there.
    """
    check(messages, row)
    where = "" if row is None else f"row {row}: "
    if messages[-1]["role"] != "assistant":
        raise ValueError(f"{where}the last turn is the {messages[-1]['role']}'s: there is no reply to learn from")
    messages = fold_system(messages) if refuses_system(tokenizer) else list(messages)
    ids = _ids(tokenizer, messages)
    trained = [False] * len(ids)
    ends = {tokenizer.convert_tokens_to_ids(end) for end in TURN_ENDS if end in tokenizer.get_vocab()}
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        start = _ids(tokenizer, messages[:i], reply_next=True)
        turn = _ids(tokenizer, messages[: i + 1])
        if turn[: len(start)] != start or ids[: len(turn)] != turn:
            raise ValueError(
                f"{where}message {i}: the chat template writes it differently when it is asked for and when it is "
                "there, so a model trained on it would never see what it is asked with; use another template"
            )
        stop = max((at for at in range(len(start), len(turn)) if turn[at] in ends), default=len(turn) - 1)
        trained[len(start) : stop + 1] = [True] * (stop + 1 - len(start))
    if max_length is not None and len(ids) > max_length:
        raise ValueError(
            f"{where}{len(ids)} tokens, and at most {max_length} are allowed: shorten it, or raise the limit. Cut off "
            "at the end it would lose its end-of-turn token, and the model would not learn to stop"
        )
    return Encoded(ids, trained)


def show_mask(tokenizer: PreTrainedTokenizerBase, messages: Messages) -> MaskedText:
    """Draw a conversation with the tokens highlighted that are learnt from.

    Args:
        tokenizer: with a chat template.
        messages: the last one is the assistant's.

    Raises:
        ValueError: as for encode.
    """
    from workshop_utils.coloured import MaskedText, parts_of_tokenizer

    encoded = encode(tokenizer, messages)
    return MaskedText(parts_of_tokenizer(encoded.ids, tokenizer), encoded.trained)


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens at which a reply ends: the end of a turn, and the end of the text."""
    known = tokenizer.get_vocab()
    return [known[end] for end in TURN_ENDS if end in known]


def _ids(tokenizer: PreTrainedTokenizerBase, messages: Messages, reply_next: bool = False) -> list[int]:
    return list(_apply(tokenizer, messages, reply_next, tokenize=True, return_dict=True)["input_ids"])


def _apply(tokenizer: PreTrainedTokenizerBase, messages: Messages, reply_next: bool, **options: Any) -> Any:
    from jinja2 import TemplateError

    if not getattr(tokenizer, "chat_template", None):
        raise ValueError(
            "this tokenizer has no chat template: it belongs to a base model, which knows no turns. Take the instruct "
            "model's tokenizer"
        )
    try:
        return tokenizer.apply_chat_template(list(messages), add_generation_prompt=reply_next, **options)
    except TemplateError as error:
        if messages and messages[0]["role"] == "system":
            return _apply(tokenizer, fold_system(messages), reply_next, **options)
        roles = ", ".join(message["role"] for message in messages)
        raise ValueError(f"the chat template refuses this conversation ({roles}): {error}") from error
