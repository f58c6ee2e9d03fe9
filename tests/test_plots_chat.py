"""The pictures of lesson 01 draw what they were given, and what is drawn from is what the samplers draw from."""

import io
import warnings

import pytest
import tiny_models
import torch

from workshop_utils.chat import template as chat
from workshop_utils.evaluate.intervals import wilson
from workshop_utils.gpt.sampling import sample_next
from workshop_utils.plots import chat as plots_chat
from workshop_utils.text.tokenizer import to_transformers, train_bpe

SETTINGS = [
    (1.0, None, None),
    (0.7, None, None),
    (1.5, 4, None),
    (1.0, None, 0.8),
    (0.7, 6, 0.9),
    (2.0, 3, 0.5),
    (0, 3, 0.5),
]


def drawable(figure) -> None:
    """Draw a figure as a notebook does; a warning, such as of a missing letter, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.canvas.print_figure(io.BytesIO(), format="png", dpi=72, bbox_inches="tight")


def logits(n: int = 12, seed: int = 3) -> torch.Tensor:
    return 2 * torch.randn(n, generator=torch.Generator().manual_seed(seed))


def names_of(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


# --- answers


def test_answers_stand_side_by_side():
    table = plots_chat.side_by_side(["<b>?", "two"], {"base": ["x & y", ""], "chat": ["a\nb", "c"]})
    page = table._repr_html_()
    assert page.count("<tr>") == 3
    assert "<b>&lt;b&gt;?</b>" in page
    assert "x &amp; y" in page
    assert "a<br>b" in page
    assert "(nothing)" in page
    assert "color:#" not in page  # light and dark pages alike
    assert "background" not in page


def test_answers_in_a_terminal_are_wrapped():
    text = repr(plots_chat.side_by_side(["why?"], {"base": ["word " * 50], "chat": ["a\n\nb"]}))
    lines = text.splitlines()
    assert lines[:2] == ["why?", "  base:"]
    assert max(map(len, lines)) <= 100
    assert lines[-4:] == ["  chat:", "    a", "", "    b"]


def test_a_missing_answer_is_told():
    with pytest.raises(ValueError, match="'chat' has 1 answers to 2 prompts"):
        plots_chat.side_by_side(["a", "b"], {"chat": ["c"]})


# --- tokens


TEXTS = ["the cat sat on the mat, the cat sat", "ein Käse, ein Käse"]


def test_turns_of_a_byte_level_tokenizer_are_coloured_and_their_marks_are_grey():
    encoding = train_bpe(TEXTS, 270, special_tokens=chat.GEMMA_SPECIALS)
    tokenizer = to_transformers(encoding)
    tokenizer.chat_template = tiny_models.GEMMA_TEMPLATE
    messages = chat.conversation("the cat ü🙂", "sat")
    ids = chat.encode(tokenizer, messages).ids
    (parts,) = plots_chat.turns_in_colour(ids, tokenizer).lines.values()
    assert [part for part in parts if isinstance(part, str)] == [
        "<bos>", *["<start_of_turn>", "<end_of_turn>"] * 2,
    ]  # fmt: skip
    text = b"".join(part.encode() if isinstance(part, str) else part for part in parts).decode()
    assert text == chat.render(tokenizer, messages)
    assert len(parts) == len(ids)


def test_turns_of_a_sentencepiece_like_tokenizer_keep_their_spaces_and_bytes():
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁▁", "▁▁▁", "a", "b", "▁a"]
    model = models.BPE(
        {word: i for i, word in enumerate(words)},
        [("▁", "▁"), ("▁▁", "▁"), ("▁", "a")],
        unk_token="<unk>",
        byte_fallback=True,
    )
    backend = Tokenizer(model)
    backend.normalizer = normalizers.Replace(" ", "▁")
    steps = (decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0))
    backend.decoder = decoders.Sequence(list(steps))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    tokenizer.add_special_tokens({"eos_token": "</s>"})
    tokenizer.add_tokens([AddedToken("<br>", special=False)])
    ids = tokenizer("a a   üb<br></s>")["input_ids"]
    (parts,) = plots_chat.turns_in_colour(ids, tokenizer).lines.values()
    assert parts == [b"a", b" a", b"   ", b"\xc3", b"\xbc", b"b", b"<br>", "</s>"]


# --- what is drawn from


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), SETTINGS)
def test_what_is_drawn_from_is_what_the_sampler_draws_from(temperature, top_k, top_p):
    scores, n = logits(), 20_000
    expected = plots_chat.reshaped(scores.softmax(0), temperature, top_k, top_p)
    dice = torch.Generator().manual_seed(0)
    drawn = sample_next(scores.expand(n, -1), temperature, top_k, top_p, dice).bincount(minlength=len(scores)) / n
    assert float(expected.sum()) == pytest.approx(1, abs=1e-6)
    assert bool(((expected == 0) <= (drawn == 0)).all())  # what was cut off is never drawn
    assert float((expected - drawn).abs().max()) < 0.015  # more than four standard deviations of 20,000 draws


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), [setting for setting in SETTINGS if setting[0]])
def test_what_is_drawn_from_is_what_transformers_generates_from(temperature, top_k, top_p):
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=40, n_positions=8, n_embd=16, n_layer=1, n_head=2, initializer_range=1.0)
    )
    out = model.eval().generate(
        torch.tensor([[1, 2]]), attention_mask=torch.ones(1, 2), do_sample=True, max_new_tokens=1, pad_token_id=0,
        temperature=float(temperature), top_k=top_k or 0, top_p=top_p or 1.0,
        output_scores=True, output_logits=True, return_dict_in_generate=True,
    )  # fmt: skip
    ours = plots_chat.reshaped(out.logits[0][0].softmax(0), temperature, top_k, top_p)
    theirs = out.scores[0][0].softmax(0)
    assert torch.equal(ours > 0, theirs > 0)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_temperature_0_takes_the_likeliest_and_almost_0_nearly_so():
    own = torch.tensor([0.2, 0.5, 0.3])
    assert plots_chat.reshaped(own, 0).tolist() == [0, 1, 0]
    assert plots_chat.reshaped(own, 1e-6).tolist() == [0, 1, 0]
    assert plots_chat.reshaped([0.2, 0.5, 0.3]).tolist() == pytest.approx([0.2, 0.5, 0.3])


@pytest.mark.parametrize(
    ("numbers", "settings", "said"),
    [
        ([1.0, 2.0], {}, "after softmax"),
        ([-0.5, 1.5], {}, "after softmax"),
        ([float("nan"), 0.5], {}, "after softmax"),
        ([[0.5, 0.5]], {}, "one row"),
        ([0.5, 0.5], {"temperature": -1}, "temperature is -1"),
        ([0.5, 0.5], {"top_k": 0}, "top_k is 0"),
        ([0.5, 0.5], {"top_p": 0.0}, "top_p is 0.0"),
    ],
)
def test_what_cannot_be_drawn_from_is_told(numbers, settings, said):
    with pytest.raises(ValueError, match=said):
        plots_chat.reshaped(numbers, **settings)


def test_bars_of_the_next_token_show_both_probabilities_and_what_was_cut():
    own = [0.1, 0.4, 0.2, 0.3]
    figure = plots_chat.next_tokens(own, [" a", "\n", "", "$x$ $"], 0.5, top_k=3, n=4)
    (ax,) = figure.axes
    wide, thin = ([bar.get_width() for bar in bars] for bars in ax.containers)
    assert thin == pytest.approx([40, 30, 20, 10])
    assert wide == pytest.approx([100 * 16 / 29, 100 * 9 / 29, 100 * 4 / 29, 0])
    assert names_of(ax.yaxis) == ["⏎", "$x$·$", "∅", "·a"]
    assert [label.get_color() for label in ax.get_yticklabels()] == ["black"] * 3 + [plots_chat.CUT]
    assert [text.get_text() for text in ax.texts] == ["55%", "31%", "14%", "cut"]
    assert figure.get_suptitle() == "The next token, temperature 0.5, top-k 3"
    drawable(figure)


def test_what_is_not_shown_is_told():
    (legend,) = plots_chat.next_tokens([0.5, 0.3, 0.2], "abc", top_k=2, n=1).legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["drawn from (38% not among the 1 shown)", "the model's own (50% not among the 1 shown)"]


def test_a_tiny_probability_is_not_called_cut():
    own = logits().mul(20).softmax(0)
    (ax,) = plots_chat.next_tokens(own, "abcdefghijkl", 0.05, top_k=3, n=4).axes
    assert [text.get_text() for text in ax.texts[1:]] == ["0%", "0%", "cut"]


def test_names_that_the_font_lacks_and_rows_without_a_name_are_written_as_numbers(recwarn):
    figure = plots_chat.next_tokens([0.5, 0.3, 0.2], [" 🙂", "京"])
    assert names_of(figure.axes[0].yaxis) == ["·‹1f642›", "‹4eac›", "no. 2"]
    drawable(figure)


def test_names_of_another_tokenizer_are_refused():
    with pytest.raises(ValueError, match="3 names for 2 probabilities"):
        plots_chat.next_tokens([0.5, 0.5], "abc")
    with pytest.raises(ValueError, match="n is 0"):
        plots_chat.next_tokens([0.5, 0.5], "ab", n=0)


def test_every_place_of_a_reply_has_a_bar():
    figure = plots_chat.stop_probability([" Paris", ".", "<end_of_turn>"], [0.0, 0.25, 1.0])
    (ax,) = figure.axes
    assert [bar.get_height() for bar in ax.patches] == [0, 0.25, 1]
    assert names_of(ax.xaxis) == ["·Paris", ".", "<end_of_turn>"]
    assert ax.get_ylim() == (0, 1)
    drawable(figure)


def test_of_a_long_reply_the_end_is_shown():
    (ax,) = plots_chat.stop_probability([str(i) for i in range(90)], [i / 90 for i in range(90)], limit=40).axes
    assert names_of(ax.xaxis) == [str(i) for i in range(50, 90)]
    assert "last 40 of 90" in ax.get_xlabel()


def test_places_without_a_probability_are_told():
    with pytest.raises(ValueError, match="pieces has 1, probabilities has 2"):
        plots_chat.stop_probability(["a"], [0, 1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        plots_chat.stop_probability(["a"], [97])


# --- what was counted


def test_right_answers_have_an_interval_and_share_the_temperature_with_the_openings():
    figure = plots_chat.right_and_varied([0, 0.7, 1.3], [20, 15, 0], 20, [0.05, 0.5, 1.0])
    upper, lower = figure.axes
    (bars,) = upper.containers
    points, _, (lines,) = bars.lines
    assert list(points.get_ydata()) == [100, 75, 0]
    ends = [(line[0, 1], line[1, 1]) for line in lines.get_segments()]
    assert ends[1] == pytest.approx([100 * end for end in wilson(0.75, 20)])
    (line,) = lower.lines
    assert list(line.get_xdata()) == [0, 0.7, 1.3]
    assert list(line.get_ydata()) == [0.05, 0.5, 1.0]
    assert upper.get_xlim() == lower.get_xlim()
    assert lower.get_xlabel() == "temperature"
    drawable(figure)


def test_more_right_answers_than_questions_are_refused():
    with pytest.raises(ValueError, match="21 of 20 is no share"):
        plots_chat.right_and_varied([0], [21], 20, [0.5])
    with pytest.raises(ValueError, match="right has 2"):
        plots_chat.right_and_varied([0], [1, 2], 20, [0.5])


def test_shares_say_their_count():
    figure = plots_chat.shares({"base": (0, 24), "chat": (17, 24)}, "Who stops?", "replies that end", "model")
    (ax,) = figure.axes
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0, 100 * 17 / 24])
    assert [text.get_text() for text in ax.texts] == ["0 of 24", "17 of 24"]
    assert [text.xy[0] for text in ax.texts] == pytest.approx([100 * wilson(k / 24, 24)[1] for k in (0, 17)])
    assert names_of(ax.yaxis) == ["base", "chat"]
    assert "(%" in ax.get_xlabel()
    assert ax.get_ylabel() == "model"
    drawable(figure)
    with pytest.raises(ValueError, match="0 of 0"):
        plots_chat.shares({"a": (0, 0)}, "t", "x")


@pytest.mark.parametrize(("limit", "lines"), [(300, 1), (301, 0)])
def test_a_conversation_grows_up_to_the_context_where_that_is_near(limit, lines):
    figure = plots_chat.growth(["1", "2"], [40, 100], limit)
    (ax,) = figure.axes
    assert [bar.get_height() for bar in ax.patches] == [40, 100]
    assert sum(list(line.get_ydata()) == [limit] * 2 for line in ax.lines) == lines
    (legend,) = figure.legends
    assert any(f"{limit} tokens" in text.get_text() for text in legend.get_texts())
    drawable(figure)


def test_every_figure_is_titled_and_labelled():
    for figure in (
        plots_chat.next_tokens([1.0], ["a"]),
        plots_chat.stop_probability(["a"], [1]),
        plots_chat.right_and_varied([0], [1], 2, [1]),
        plots_chat.shares({"a": (1, 2)}, "t", "x"),
        plots_chat.growth(["a"], [1], 1),
    ):
        assert figure.get_suptitle()
        assert all(ax.get_ylabel() for ax in figure.axes)
        assert figure.axes[-1].get_xlabel()
