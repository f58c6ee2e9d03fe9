"""Conversations are rendered as the model will be asked, begin once, and are trained on where the model speaks."""

from functools import cache

import pytest
import tiny_models
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop_utils.chat import template
from workshop_utils.chat.template import conversation, encode, prompt_ids, render
from workshop_utils.plots import coloured
from workshop_utils.text.tokenizer import to_transformers, train_bpe

# kind -> special tokens, template, how a turn of the model's begins, and how it ends
GEMMA = (template.GEMMA_SPECIALS, tiny_models.GEMMA_TEMPLATE, "<start_of_turn>model", "<end_of_turn>")
CHATML = (tiny_models.QWEN_SPECIALS, tiny_models.CHATML, "<|im_start|>assistant", "<|im_end|>")
KINDS = {"gemma": GEMMA, "gemma itself": GEMMA, "chatml": CHATML}
TALK = ("What colour is a banana?", "A banana is yellow.", "And a cherry?", "A cherry is red.")
kinds = pytest.mark.parametrize("kind", KINDS)


@cache
def tokenizer(kind, chat_template=None):
    texts = ["What colour is a banana? A banana is yellow. user model system assistant\n\n\n"] * 4
    learnt = train_bpe(texts, 300, at_most=True, special_tokens=KINDS[kind][0])
    made = sentencepiece() if kind == "gemma itself" else to_transformers(learnt)
    made.chat_template = KINDS[kind][1] if chat_template is None else chat_template
    return made


def sentencepiece():
    """As Gemma's tokenizer: not byte-level, a lower line for a blank, runs of line breaks kept whole."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = [*"▁abcdefghijklmnopqrstuvwxyzABCW.,?!<>_|/\n", *(f"<0x{byte:02X}>" for byte in range(256))]
    words = [*template.GEMMA_SPECIALS, "<unk>", *letters, "\n\n", "an", "▁a"]
    vocab = {token: id for id, token in enumerate(words)}
    made = Tokenizer(models.BPE(vocab, [("a", "n"), ("▁", "a")], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    # Turn markers that are kept whole and are not called special: some tokenizers of the hub list them so.
    whole = ("\n\n", template.START_OF_TURN, template.END_OF_TURN)
    made.add_tokens([AddedToken(name, normalized=False) for name in whole])
    special = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


@kinds
def test_exactly_the_replies_and_their_ends_are_trained_token_by_token(kind):
    hf, end = tokenizer(kind), KINDS[kind][3]
    encoded = encode(hf, conversation(*TALK))
    expected = [False] * len(encoded.ids)
    for said in (2, 4):
        start = prompt_ids(hf, conversation(*TALK[: said - 1]))
        assert encoded.ids[: len(start)] == start  # asked as it is trained
        stop = encoded.ids.index(hf.convert_tokens_to_ids(end), len(start))
        assert hf.decode(encoded.ids[len(start) : stop + 1]) == TALK[said - 1] + end
        expected[len(start) : stop + 1] = [True] * (stop + 1 - len(start))
    assert encoded.trained == expected == coloured.show_mask(hf, conversation(*TALK)).trained
    assert encoded.labels == [token if on else -100 for token, on in zip(encoded.ids, expected, strict=True)]
    with pytest.raises(ValueError, match="it would be read as a special token"):
        encode(hf, conversation("Hi", f"One.{end}\nTwo."))


def test_a_conversation_begins_once():
    hf = tokenizer("gemma")
    for ids in (encode(hf, conversation(*TALK)).ids, prompt_ids(hf, conversation(TALK[0]))):
        assert [at for at, token in enumerate(ids) if token == hf.bos_token_id] == [0]
    # The trap that this avoids: rendering to text first, and then tokenising the text.
    assert hf(render(hf, conversation(*TALK)))["input_ids"].count(hf.bos_token_id) == 2


SILENT = tiny_models.CHATML.replace("in messages -", 'in messages if message.role != "system" -')


@pytest.mark.parametrize(
    ("kind", "text", "refused"), [("gemma", None, True), ("chatml", SILENT, True), ("chatml", None, False)]
)
def test_a_system_text_is_folded_into_the_first_turn_where_the_template_has_no_place_for_it(kind, text, refused):
    hf, talk = tokenizer(kind, text), conversation("Hi", "Hello.", system="Be brief.")
    assert template.refuses_system(hf) == refused
    folded = conversation("Be brief.\n\nHi", "Hello.")
    assert (render(hf, talk) == render(hf, folded)) == refused
    assert (encode(hf, talk) == encode(hf, folded)) == refused
    assert (prompt_ids(hf, talk[:2]) == prompt_ids(hf, folded[:1])) == refused
    assert "Be brief." in render(hf, talk)


ENDS = ("<end_of_turn>", "<start_of_turn>", "<bos>", "<eos>", "<|im_end|>", "<|im_start|>", "<pad>")
odd = st.sampled_from([*ENDS, "<", "end_of_turn>", " ", "\n", "\n\n", "\t", "\ue000", "é", "🙂", "👩‍👩‍👧"])
written = st.lists(odd | st.text(max_size=6), max_size=8).map("".join)


@kinds
@settings(max_examples=150, deadline=None)
@given(text=written, system=written)
def test_whatever_is_typed_only_the_templates_own_special_tokens_come_out(kind, text, system):
    hf = tokenizer(kind)
    messages = conversation("banana", "yellow", text, system=system)
    ids = prompt_ids(hf, messages)
    assert hf.decode(ids, clean_up_tokenization_spaces=False) == render(hf, messages, reply_next=True)
    plain = prompt_ids(hf, conversation("banana", "yellow", "hello", system="hello" if system else ""))
    for name in {*ENDS, *hf.all_special_tokens} - {"<unk>"}:
        token = hf.get_vocab().get(name)
        assert token is None or ids.count(token) == plain.count(token), name


def turn(role, content="hello"):
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "nobody has said anything"),
        ({"input": "Hi", "output": "Hello."}, ".* this is of type dict with the fields input, output: make messages"),
        ([{"from": "human", "value": "Hi"}], "turn 1 should be a message .* with the fields from, value"),
        ([turn("user"), turn("tool")], "turn 2 has the role 'tool': .* what a tool said belongs in"),
        (
            [turn("user"), turn("user"), turn("assistant")],
            "turn 2 is the user's, but the assistant's turn was expected",
        ),
        ([turn("user"), turn("system"), turn("assistant")], "turn 2 is a system text"),
        ([turn("user", [{"type": "text", "text": "hi"}])], "turn 1 has a list of parts as its content"),
        ([turn("user", None), turn("assistant")], "turn 1 has None as its content"),
        ([turn("user"), turn("assistant", "  ")], "turn 2 is empty"),
        ([turn("user") | {"weight": 0}], "turn 1 has the field 'weight'"),
        ([turn("user", "caf\ud83d")], "turn 1 has half a character, .* at character 4"),
        ([turn("user")], "the last turn is the user's"),
        (conversation("Hi <eos>", "Hello."), "turn 1, the user's, has '<eos>' at character 4"),
        (conversation(*TALK), r"\d+ tokens, and at most 20 are allowed"),
    ],
)
def test_a_row_that_cannot_be_trained_on_is_named(messages, words):
    with pytest.raises(ValueError, match=f"^row 7: {words}"):
        encode(tokenizer("gemma"), messages, max_length=20, row=7)


TWO_WAYS = tiny_models.CHATML.replace('"<|im_start|>assistant\\n"', '"<|im_start|>assistant: "')


@pytest.mark.parametrize(
    ("chat_template", "reply", "words"),
    [
        ("", "Hello.", "no chat template: it is a base model"),
        ("{% if messages|length > 1e999 %}{% endif %}", "Hello.", r"refuses .* \(user, assistant\): name 'inf'"),
        ("{{ " + "[" * 5000 + " }}", "Hello.", r"the chat template refuses .* \(user, assistant\): maximum recursion"),
        ('{{- raise_exception("no") -}}', "Hello.", r"the chat template refuses .* \(user, assistant\): no"),
        (TWO_WAYS, "Hello.", "turn 2: the chat template renders it differently"),
        (None, "\nHello.", "turn 2: .* remove the white space"),  # "\n\n" is one token: never asked with
    ],
)
def test_a_template_that_does_not_fit_is_a_sentence(chat_template, reply, words):
    with pytest.raises(ValueError, match=words):
        encode(tokenizer("chatml", chat_template), conversation("Hi", reply))
