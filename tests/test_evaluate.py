"""Surprise is exact, a reply is measured alone, and a blinded table does not tell who is who."""

import math
from dataclasses import replace

import pytest
import tiny_models
import torch

from workshop_utils.chat import models
from workshop_utils.chat import template as chat
from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.losses import reply_loss
from workshop_utils.chat.template import conversation
from workshop_utils.evaluate import measures as evaluate
from workshop_utils.lessons.stoic_set import Pair
from workshop_utils.machine.profiles import choose
from workshop_utils.plots import blinded
from workshop_utils.pocket import quality
from workshop_utils.text.tokenizer import to_transformers, train_bpe

NAME = "some/model"
LONG = "A banana is yellow. What colour is hello? " * 5
TEXTS = ["hello user", LONG, "Ein süßer Käse kostet 3 €."]
PROMPTS, LEFT, RIGHT = ["one?", "two?", "three?", "four?"], ["a0", "a1", "a2", "a3"], ["b0", "b1", "b2", "b3"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> LanguageModel:
    hub = tmp_path_factory.mktemp("hub")
    tiny_models.save(hub / NAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_HUB", str(hub))
        return models.load(NAME, choose("pocket"))


def surprise(model: LanguageModel, past: list[int], token: int) -> float:
    return -math.log(float(model.next_tokens(past).double()[token]))


def naive(model: LanguageModel, text: str, context: int, stride: int) -> float:
    """One token at a time: the window of each is the first one that reaches it."""
    ids = [model.tokenizer.bos_token_id, *model.tokenizer(text, add_special_tokens=False)["input_ids"]]
    total = 0.0
    for at in range(1, len(ids)):
        start = 0
        while at - start > context:
            start += stride
        assert at - start >= min(at, context - stride)
        total += surprise(model, ids[start:at], ids[at])
    return total


# --- surprise


@pytest.mark.parametrize(("context", "stride"), [(16, 16), (16, 5), (16, 1), (1, 1), (128, 64), (None, None)])
def test_every_token_is_predicted_once_from_the_past_that_it_should_have(model, context, stride):
    found = evaluate.perplexity(model, TEXTS, context, stride)
    own = 128 if context is None else context
    each = [naive(model, text, own, stride or own // 2) for text in TEXTS]
    tokens = [len(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in TEXTS]
    assert found.nats == pytest.approx(sum(each), rel=1e-5)
    assert found.tokens == sum(tokens)
    assert found.perplexity == pytest.approx(math.exp(sum(each) / sum(tokens)), rel=1e-5)
    assert found.each == pytest.approx([nats / n for nats, n in zip(each, tokens, strict=True)], rel=1e-5)
    assert found.bytes == sum(len(text.encode("utf-8")) for text in TEXTS) > sum(map(len, TEXTS))
    assert found.bits_per_byte == pytest.approx(found.nats / math.log(2) / found.bytes)
    assert str(found).startswith(f"perplexity {found.perplexity:.4g} a token, ")


def test_windows_of_other_strides_see_another_past(model):
    assert evaluate.perplexity(model, [LONG], 16, 16).nats != pytest.approx(
        evaluate.perplexity(model, [LONG], 16, 1).nats, rel=1e-3
    )


def test_the_batch_changes_nothing_and_a_second_run_is_the_same_to_the_last_bit(model):
    alone = evaluate.perplexity(model, TEXTS, 16, 5, batch_size=1)
    together = evaluate.perplexity(model, TEXTS, 16, 5, batch_size=64)
    assert together.each == pytest.approx(alone.each, rel=1e-5)
    assert evaluate.perplexity(model, TEXTS, 16, 5, batch_size=64) == together
    turned = evaluate.perplexity(model, TEXTS[::-1], 16, 5, batch_size=3)
    assert turned.each[::-1] == pytest.approx(alone.each, rel=1e-5)


def test_a_beginning_that_is_written_already_is_not_repeated(model):
    assert evaluate.perplexity(model, ["<bos>hello user"]) == evaluate.perplexity(model, ["hello user"])


def test_a_family_without_bos_begins_with_what_parts_documents(model):
    plain = to_transformers(train_bpe(tiny_models.TEXTS, 300, at_most=True))
    plain.bos_token = None
    separator = plain.convert_tokens_to_ids("<|endoftext|>")
    text = "hello user"
    ids = [separator, *plain(text)["input_ids"]]
    other = LanguageModel("other", model.model, plain)
    expected = sum(surprise(model, ids[:at], ids[at]) for at in range(1, len(ids)))
    assert evaluate.perplexity(other, [text]).nats == pytest.approx(expected, rel=1e-5)


def test_bits_per_byte_compare_tokenizers_where_perplexity_cannot(tmp_path):
    # Two models that know nothing: each token costs the logarithm of the vocabulary, and what counts is how many.
    from transformers import LlamaConfig, LlamaForCausalLM

    text, found = tiny_models.TEXTS[0], {}
    for size in (262, 300):
        tokenizer = to_transformers(train_bpe(tiny_models.TEXTS, size, special_tokens=chat.GEMMA_SPECIALS))
        made = LlamaForCausalLM(LlamaConfig(vocab_size=size, tie_word_embeddings=False, **tiny_models.SHAPE)).eval()
        torch.nn.init.zeros_(made.lm_head.weight)
        found[size] = evaluate.perplexity(LanguageModel(str(size), made, tokenizer), [text])
        tokens = len(tokenizer(text, add_special_tokens=False)["input_ids"])
        assert found[size].perplexity == pytest.approx(size)
        assert found[size].bits_per_byte == pytest.approx(tokens * math.log2(size) / len(text.encode()))
    assert found[300].perplexity > found[262].perplexity  # a larger choice each time
    assert found[300].bits_per_byte < found[262].bits_per_byte  # and yet the better model of the text


def test_every_reply_is_measured_with_its_end_and_nothing_else(model):
    turns = [conversation("hello", "A banana is yellow."), conversation("What colour?", "yellow", "hello", "user")]
    found = evaluate.reply_perplexity(model, turns)
    nats, tokens = 0.0, 0
    stop = model.tokenizer.convert_tokens_to_ids("<end_of_turn>")
    for messages in (turns[0], turns[1][:2], turns[1]):
        start = model.chat_ids(messages[:-1])
        reply = [*model.tokenizer(messages[-1]["content"], add_special_tokens=False)["input_ids"], stop]
        nats += sum(surprise(model, start + reply[:at], reply[at]) for at in range(len(reply)))
        tokens += len(reply)
    assert found.nats == pytest.approx(nats, rel=1e-5)
    assert found.tokens == tokens
    assert found.bytes == len("A banana is yellow.") + len("yellow") + len("user")
    alone = evaluate.reply_perplexity(model, turns[:1], batch_size=1)
    assert alone.each == pytest.approx(found.each[:1], rel=1e-5)
    assert alone.each[0] == pytest.approx(reply_loss(model, [chat.encode(model.tokenizer, turns[0])]), rel=1e-5)


def test_the_bytes_of_replies_are_those_of_the_mask(model, monkeypatch):
    talk, encode = conversation("hello", "yellow"), chat.encode
    monkeypatch.setattr(model.tokenizer, "chat_template", chat.GEMMA_TEMPLATE.replace("| trim", ""))
    assert evaluate.reply_perplexity(model, [conversation("hello", "yellow  ")]).bytes == len("yellow  ")  # is trained

    def everything(*args, **options):
        row = encode(*args, **options)
        return replace(row, trained=[False] + [True] * (len(row.ids) - 1))

    monkeypatch.setattr(chat, "encode", everything)
    assert evaluate.reply_perplexity(model, [talk]).bytes == len("user\nhello\nmodel\nyellow\n")


@pytest.mark.parametrize(
    ("texts", "options", "told"),
    [
        ([], {}, "there are no texts"),
        ("hello", {}, r"put it into a list, \[text\]"),
        (["hello", ""], {}, "text 1 is empty"),
        (["<bos>"], {}, "text 0 is empty"),
        (["hello"], {"context": 16, "stride": 17}, "stride is 17 and context is 16"),
        (["hello"], {"context": 16, "stride": 0}, "stride is 0"),
        (["hello"], {"context": 129}, "context is 129, and some/model looks at 1 to 128 tokens"),
        (["hello"], {"context": 0}, "context is 0"),
        (["hello"], {"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_what_cannot_be_measured_is_told(model, texts, options, told):
    with pytest.raises(ValueError, match=told):
        evaluate.perplexity(model, texts, **options)


def test_replies_that_cannot_be_measured_are_told(model):
    with pytest.raises(ValueError, match="no conversations"):
        evaluate.reply_perplexity(model, [])
    with pytest.raises(ValueError, match="row 1: the last turn is the user's"):
        evaluate.reply_perplexity(model, [conversation("a", "b"), conversation("a")])
    with pytest.raises(ValueError, match=r"row 0: .* at most 128 are allowed"):
        evaluate.reply_perplexity(model, [conversation("a", LONG * 9)])


# --- variety, right answers, leaks


def test_distinct_counts_runs_over_all_texts():
    assert evaluate.distinct(["The kettle, the kettle!", "the kettle"]) == pytest.approx(2 / 4)
    assert evaluate.distinct(["one two three", "four five six"]) == 1
    assert evaluate.distinct(["a b a"], n=1) == pytest.approx(2 / 3)


def test_repetition_counts_what_has_stood_in_the_same_text():
    assert evaluate.repetition(["one two three four five"] * 3) == 0  # the others are no matter
    assert evaluate.repetition(["go on go on go on go on"], n=2) == pytest.approx(5 / 7)
    assert evaluate.repetition(["go on go on", "short", "all is well"], n=2) == pytest.approx((1 / 3 + 0) / 2)


def test_no_runs_are_told():
    for count in (evaluate.distinct, evaluate.repetition):
        with pytest.raises(ValueError, match="none of the 2 texts has 4 words"):
            count(["one two", ""], n=4)
        with pytest.raises(ValueError, match="n is 0"):
            count(["one two"], n=0)
        with pytest.raises(ValueError, match="no texts"):
            count([])


def test_right_answers_are_counted_by_the_judge_of_the_pocket_world(model, monkeypatch):
    chats = quality.prompts("question", 4)
    said = [chats[0].reply, "I like trains.", chats[2].reply, ""]
    asked = []

    def generate(self, prompts, max_new_tokens, **options):
        asked.extend(prompts)
        return [evaluate_generated(text) for text in said]

    monkeypatch.setattr(LanguageModel, "generate", generate)
    assert evaluate.questions_right(model, chats) == [True, False, True, False]
    assert asked == [model.chat_ids(one.prompt) for one in chats]


def evaluate_generated(text: str):
    from workshop_utils.chat.language_model import Generated

    return Generated(text, [], True)


def test_the_pocket_model_answers_simple_questions():
    pocket = models.load("pocket-instruct", choose("pocket"))
    right = evaluate.questions_right(pocket, quality.prompts("question", 12), max_new_tokens=40)
    assert sum(right) > 4


def test_leaks_are_found_in_texts_and_pairs():
    seen = "my kettle will not boil and i am very late for work"
    assert evaluate.leakage(["nothing of the kind"], [seen]) == []
    (told,) = evaluate.leakage(["a first text", f"Oh: {seen}!"], [Pair("Help me", f"No, {seen}", "kettle")])
    assert told.startswith("training row 1 and test row 0 share 'my kettle will not boil")
    assert evaluate.leakage(["one two three"], ["two three four"], n=2)
    with pytest.raises(ValueError, match="n is 1"):
        evaluate.leakage(["a"], ["b"], n=1)


# --- a blinded look


def seed_where(swapped: bool) -> int:
    """A seed that puts the first model of a single prompt on the right, or on the left."""
    return next(
        seed for seed in range(50) if blinded.Blind(["p"], ["x"], ["y"], seed=seed).items[0].left == "xy"[swapped]
    )


def test_the_table_does_not_tell_the_order_before_the_reveal():
    # The same two replies on the same sides, once by one model and once by the other: nothing may differ.
    one = blinded.Blind(["p"], ["x"], ["y"], seed=seed_where(False))
    other = blinded.Blind(["p"], ["y"], ["x"], seed=seed_where(True))
    for table in (one, other):
        assert (table.items[0].left, table.items[0].right) == ("x", "y")
        table.vote(0, "left")
        for page in (table._repr_html_(), repr(table), repr(table.items), str(table.votes)):
            assert "before" not in page
            assert "after" not in page
    assert one._repr_html_() == other._repr_html_()
    assert repr(one) == repr(other)
    with pytest.raises(ValueError, match="vote first"):
        one.counts()
    assert one.reveal()._repr_html_() != other.reveal()._repr_html_()
    assert (one.counts()["before"], other.counts()["before"]) == (1, 0)


def test_sides_are_random_even_and_the_same_for_a_seed():
    orders = set()
    for seed in range(60):
        table = blinded.Blind(PROMPTS, LEFT, RIGHT, seed=seed)
        sides = tuple(item.left[0] for item in table.items)
        assert sides.count("a") == 2
        assert [item.left[0] == "a" for item in table.items] == [item.right[0] == "b" for item in table.items]
        assert sides == tuple(item.left[0] for item in blinded.Blind(PROMPTS, LEFT, RIGHT, seed=seed).items)
        orders.add(sides)
    assert len(orders) == 6
    assert {blinded.Blind(["p"], ["x"], ["y"], seed=seed).items[0].left for seed in range(20)} == {"x", "y"}


def test_votes_are_counted_for_whom_they_meant():
    table = blinded.Blind(PROMPTS, LEFT, RIGHT, names=("small", "large"), seed=3)
    assert "0 of 4 voted" in repr(table)
    for i in (0, 1):
        table.vote(i, "right")
        table.vote(i, "left" if table.items[i].left.startswith("b") else "right")  # a vote may change: now for b
    table.vote(2, "tie")
    assert "3 of 4 voted" in table._repr_html_()
    revealed = table.reveal()
    assert revealed is table
    assert table.counts() == {"small": 0, "large": 2, "tie": 1, "no vote": 1}
    for page in (repr(table), table._repr_html_()):
        assert "small: 0, large: 2, tie: 1, no vote: 1" in page
        assert page.index("a0") < page.index("b0")
    assert "large:\n    b0" in repr(table)
    with pytest.raises(ValueError, match="would not be blind"):
        table.vote(3, "left")


def test_texts_are_shown_as_text_and_not_run():
    table = blinded.Blind(["<script>p"], ["<b>x"], ["a & b"], names=("<i>", "two"))
    for page in (table._repr_html_(), table.reveal()._repr_html_()):
        assert "<script>" not in page
        assert "<b>x" not in page
        assert "<i>" not in page
        assert "a &amp; b" in page


def test_what_cannot_be_compared_or_counted_is_told():
    with pytest.raises(ValueError, match="4 prompts, 3 replies and 4 others"):
        blinded.Blind(PROMPTS, LEFT[:3], RIGHT)
    with pytest.raises(ValueError, match="0 prompts"):
        blinded.Blind([], [], [])
    for names in (("a", "a"), ("left", "b"), ("tie", "b")):
        with pytest.raises(ValueError, match="choose two different ones"):
            blinded.Blind(PROMPTS, LEFT, RIGHT, names=names)
    table = blinded.Blind(PROMPTS, LEFT, RIGHT)
    for i, choice in ((4, "left"), (-1, "left"), (0, "before")):
        with pytest.raises(ValueError, match="the items are 0 to 3"):
            table.vote(i, choice)
