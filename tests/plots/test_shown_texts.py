"""What is drawn from is what transformers draws from, and every token of a text can be read."""

import re

import pytest
import tiny_models
import torch

from workshop_utils import plots
from workshop_utils.chat import template
from workshop_utils.gpt.sampling import reshape
from workshop_utils.plots.coloured import ColouredText
from workshop_utils.text.tokenizer import to_transformers, train_bpe

BYTES = train_bpe(["aa ab aa ab"], 258)
SETTINGS = [(0.7, None, None), (1.5, 4, None), (1.0, None, 0.8), (0.7, 6, 0.9), (2.0, 3, 0.5)]


# --- the next token


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), SETTINGS)
def test_what_is_drawn_from_is_what_transformers_generates_from(temperature, top_k, top_p):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = GPT2Config(vocab_size=40, n_positions=8, n_embd=16, n_layer=1, n_head=2, initializer_range=1.0)
    out = GPT2LMHeadModel(shape).eval().generate(
        torch.tensor([[1, 2]]), attention_mask=torch.ones(1, 2), do_sample=True, max_new_tokens=1, pad_token_id=0,
        temperature=temperature, top_k=top_k or 0, top_p=top_p or 1.0,
        output_scores=True, output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    own, theirs = out.logits[0][0].softmax(0), out.scores[0][0].softmax(0)
    ours = reshape(own.log()[None], temperature, top_k, top_p)[0].softmax(0)
    (ax,) = plots.next_tokens(own, [str(i) for i in range(40)], ours, n=40).axes
    drawn, grey = ([bar.get_width() / 100 for bar in bars] for bars in ax.containers)
    order = own.argsort(descending=True)
    assert drawn == pytest.approx(theirs[order].tolist(), abs=1e-5)
    assert grey == pytest.approx(own[order].tolist(), abs=1e-6)
    assert [text.get_text() == "cut" for text in ax.texts] == (theirs[order] == 0).tolist()


# --- coloured text


def test_every_token_has_a_box_and_special_tokens_are_grey():
    ids = [*BYTES.encode_ordinary("aa ü"), BYTES.eot_token]
    page = plots.tokens_in_colour(ids, BYTES)._repr_html_()
    assert page.count("<code") == len(ids)
    assert page.count("#C9C9C9") == 1
    assert "&lt;|endoftext|&gt;" in page
    assert repr(plots.tokens_in_colour(BYTES.encode_ordinary("ü"), BYTES)) == "‹c3›|‹bc›"
    assert b"".join(plots.parts_of(BYTES.encode_ordinary("aab ü 🙂"), BYTES)).decode() == "aab ü 🙂"


def test_lines_have_a_label_and_a_count_and_cannot_break_the_page():
    lines = plots.parts_in_colour({"bytes": [b"a", b" ", b"\n"], "one": [b"a b"]})
    assert repr(lines).splitlines() == ["bytes  a|·|⏎", "one    a·b"]
    assert re.findall(r'right">(\d+)<', lines._repr_html_()) == ["3", "1"]
    page = ColouredText({"<b>": [b"<script>", b"a&b"]})._repr_html_()
    assert "<script>" not in page
    assert "<b>&lt;b&gt;</b>" in page


def test_turns_of_a_byte_level_tokenizer_keep_their_bytes_and_their_marks():
    encoding = train_bpe(
        ["the cat sat, the cat sat", "ein Käse, ein Käse"], 270, special_tokens=template.GEMMA_SPECIALS
    )
    tokenizer = to_transformers(encoding)
    tokenizer.chat_template = tiny_models.GEMMA_TEMPLATE
    messages = template.conversation("the cat ü🙂", "sat")
    ids = template.encode(tokenizer, messages).ids
    (parts,) = plots.tokens_in_colour(ids, tokenizer).lines.values()
    marks = ["<bos>", *["<start_of_turn>", "<end_of_turn>"] * 2]
    assert [part for part in parts if isinstance(part, str)] == marks
    text = b"".join(part.encode() if isinstance(part, str) else part for part in parts).decode()
    assert text == template.render(tokenizer, messages)
    assert len(parts) == len(ids)


def test_turns_of_a_sentencepiece_like_tokenizer_keep_their_spaces_and_bytes():
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁▁", "▁▁▁", "a", "b", "▁a"]
    merges = [("▁", "▁"), ("▁▁", "▁"), ("▁", "a")]
    vocabulary = {word: i for i, word in enumerate(words)}
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Replace(" ", "▁")
    steps = (decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0))
    backend.decoder = decoders.Sequence(list(steps))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    tokenizer.add_special_tokens({"eos_token": "</s>"})
    tokenizer.add_tokens([AddedToken("<br>", special=False)])
    parts = plots.parts_of(tokenizer("a a   üb<br></s>")["input_ids"], tokenizer)
    assert parts == [b"a", b" a", b"   ", b"\xc3", b"\xbc", b"b", b"<br>", "</s>"]


# --- answers side by side


def test_answers_are_side_by_side_on_light_and_dark_pages():
    page = plots.SideBySide(["<b>?", "two"], {"base": ["x & y", ""], "chat": ["a\nb", "c"]})._repr_html_()
    assert page.count("<tr>") == 3
    for text in ("<b>&lt;b&gt;?</b>", "x &amp; y", "a<br>b", "(nothing)"):
        assert text in page
    assert "color:#" not in page
    assert "background" not in page
