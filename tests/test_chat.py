"""Conversations are rendered as the model will be asked, begin once, and are learnt from where the model speaks."""

import pytest
import tiktoken

from workshop_utils import chat
from workshop_utils.tokens import to_transformers, train_bpe

CHATML = """\
{%- for message in messages -%}
{{- "<|im_start|>" + message.role + "\\n" + message.content + "<|im_end|>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\n" -}}{%- endif -%}"""
LLAMA = """\
{{- bos_token -}}
{%- for message in messages -%}
{{- "<|start_header_id|>" + message.role + "<|end_header_id|>\\n\\n" + message.content | trim + "<|eot_id|>" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|start_header_id|>assistant<|end_header_id|>\\n\\n" -}}{%- endif -%}"""
SPECIALS = {
    "gemma": chat.GEMMA_SPECIALS,
    "chatml": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    "llama": ("<bos>", "<eos>", "<pad>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
}
TEMPLATES = {"gemma": chat.GEMMA_TEMPLATE, "chatml": CHATML, "llama": LLAMA}
TURN_END = {"gemma": "<end_of_turn>", "chatml": "<|im_end|>", "llama": "<|eot_id|>"}
TALK = ("What colour is a banana?", "A banana is yellow.", "And a cherry?", "A cherry is red.")


def encoding(kind: str = "gemma") -> tiktoken.Encoding:
    texts = ["What colour is a banana? A banana is yellow. user model system assistant"] * 4
    return train_bpe(texts, 300, at_most=True, special_tokens=SPECIALS[kind])


def tokenizer(kind: str):
    made = to_transformers(encoding(kind))
    made.chat_template = TEMPLATES[kind]
    return made


kinds = pytest.mark.parametrize("kind", list(TEMPLATES))


@kinds
def test_exactly_the_replies_and_their_ends_are_learnt(kind):
    hf = tokenizer(kind)
    encoded = chat.encode(hf, chat.conversation(*TALK))
    parts, before = [], False
    for token, trained in zip(encoded.ids, encoded.trained, strict=True):
        if trained and not before:
            parts.append([])
        if trained:
            parts[-1].append(token)
        before = trained
    end = TURN_END[kind]
    assert [hf.decode(part) for part in parts] == [f"A banana is yellow.{end}", f"A cherry is red.{end}"]


@kinds
def test_what_is_asked_with_is_how_training_begins(kind):
    hf = tokenizer(kind)
    asked = chat.prompt_ids(hf, chat.conversation(TALK[0]))
    encoded = chat.encode(hf, chat.conversation(*TALK[:2]))
    assert encoded.ids[: len(asked)] == asked
    assert not any(encoded.trained[: len(asked)])
    assert encoded.trained[len(asked)]


@pytest.mark.parametrize("kind", ["gemma", "llama"])
def test_a_conversation_begins_once(kind):
    hf = tokenizer(kind)
    for ids in (chat.encode(hf, chat.conversation(*TALK)).ids, chat.prompt_ids(hf, chat.conversation(TALK[0]))):
        assert ids.count(hf.bos_token_id) == 1
        assert ids[0] == hf.bos_token_id
    # The trap that this avoids: rendering to text first, and then tokenising the text.
    rendered = chat.render(hf, chat.conversation(*TALK))
    assert hf(rendered)["input_ids"].count(hf.bos_token_id) == 2


@kinds
def test_both_libraries_see_the_same_ids(kind):
    hf, ours = tokenizer(kind), encoding(kind)
    text = chat.render(hf, chat.conversation(*TALK))
    assert hf(text, add_special_tokens=False)["input_ids"] == ours.encode(text, allowed_special="all")


def test_gemma_refuses_a_system_role_and_gets_it_folded():
    hf = tokenizer("gemma")
    assert chat.refuses_system(hf)
    with pytest.raises(Exception, match="System role not supported"):
        hf.apply_chat_template(chat.conversation("Hi", system="Be brief."), tokenize=False)
    rendered = chat.render(hf, chat.conversation("Hi", "Hello.", system="Be brief."))
    assert rendered == (
        "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n"
    )
    assert not chat.refuses_system(tokenizer("chatml"))


def test_a_system_text_stays_a_system_text_where_the_template_has_one():
    rendered = chat.render(tokenizer("chatml"), chat.conversation("Hi", system="Be brief."), reply_next=True)
    assert rendered == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_what_does_not_fit_is_a_sentence():
    hf = tokenizer("gemma")
    twice = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    with pytest.raises(ValueError, match=r"refuses this conversation \(user, user\)"):
        chat.render(hf, twice)
    with pytest.raises(ValueError, match="no chat template"):
        chat.render(to_transformers(encoding()), chat.conversation("a"))


def test_a_template_that_writes_turns_two_ways_is_refused():
    hf = tokenizer("chatml")
    hf.chat_template = CHATML.replace('"<|im_start|>assistant\\n"', '"<|im_start|>assistant: "')
    with pytest.raises(ValueError, match="message 1"):
        chat.encode(hf, chat.conversation(*TALK[:2]))


def test_replies_stop_at_the_end_of_a_turn_and_of_the_text():
    hf = tokenizer("gemma")
    assert {hf.convert_ids_to_tokens(token) for token in chat.stop_ids(hf)} == {"<end_of_turn>", "<eos>"}


# --- what learners hand over


def turn(role, content="hello"):
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], r"row 7: there are no turns"),
        ([turn("human"), turn("assistant")], r"row 7: turn 1 has the role 'human'"),
        ([turn("user"), turn("model")], r"row 7: turn 2 has the role 'model'"),
        ([turn("user"), turn("user"), turn("assistant")], r"row 7: turn 2 is the user's, and the assistant's should"),
        ([turn("assistant"), turn("user")], r"row 7: turn 1 is the assistant's, and the user's should"),
        ([turn("user"), turn("system"), turn("assistant")], r"row 7: turn 2 is a system text"),
        ([turn("user"), turn("assistant", "  ")], r"row 7: turn 2, the assistant's, is empty"),
        ([turn("user", None), turn("assistant")], r"row 7: turn 1, the user's, is empty"),
        ([{"role": "user", "text": "hello"}], r"row 7: turn 1, the user's, is empty"),
        ([turn("user")], r"row 7: the last turn is the user's"),
    ],
)
def test_a_row_that_is_no_conversation_is_named_with_its_turn(messages, said):
    with pytest.raises(ValueError, match=said):
        chat.encode(tokenizer("gemma"), messages, row=7)


def test_a_row_that_is_too_long_is_named_and_never_cut():
    hf = tokenizer("gemma")
    n = len(chat.encode(hf, chat.conversation(*TALK)).ids)
    assert len(chat.encode(hf, chat.conversation(*TALK), max_length=n).ids) == n
    with pytest.raises(ValueError, match=f"row 3: {n} tokens, and at most {n - 1} are allowed"):
        chat.encode(hf, chat.conversation(*TALK), max_length=n - 1, row=3)


@kinds
def test_show_mask_marks_the_replies_and_nothing_else(kind):
    shown = chat.show_mask(tokenizer(kind), chat.conversation(*TALK))
    end = TURN_END[kind]
    text = repr(shown)
    assert text.count("«") == text.count("»") == 2
    assert f"«A banana is yellow.{end}»" in text
    assert f"«A cherry is red.{end}»" in text
    html = shown._repr_html_()
    assert html.count("font-weight:bold") == sum(shown.trained)
    assert f"<b>{sum(shown.trained)}</b> of {len(shown.trained)} tokens" in html


def test_show_mask_escapes_what_people_write():
    shown = chat.show_mask(tokenizer("gemma"), chat.conversation("<b>loud</b>", "Fine."))
    assert "<b>loud" not in shown._repr_html_()
