"""tokens: what one tokenizer makes of a text, the other makes too, and nothing of the text is lost."""

import functools
import json
import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from workshop_utils.pocket import stories
from workshop_utils.text import tokenizer as tokens
from workshop_utils.text.byte_level import to_characters
from workshop_utils.text.tokenizer import (
    END_OF_TEXT,
    fingerprint,
    load_tokenizer,
    merge_history,
    merge_pair,
    padded_vocab_size,
    pair_counts,
    pieces,
    save_tokenizer,
    stretches,
    to_transformers,
    train_bpe,
)

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
def with_gpt2s_pattern() -> tiktoken.Encoding:
    from tiktoken_ext.openai_public import r50k_pat_str

    ranks, specials = trained()._mergeable_ranks, trained()._special_tokens
    return tiktoken.Encoding("gpt2-like", pat_str=r50k_pat_str, mergeable_ranks=ranks, special_tokens=specials)


@functools.cache
def as_transformers():
    return to_transformers(trained())


def same(encoding, hf, text: str) -> None:
    ids = encoding.encode(text, allowed_special="all")
    assert hf(text)["input_ids"] == ids
    assert encoding.decode(ids) == text
    assert hf.decode(ids) == text


class TestOneVocabulary:
    def test_ids_are_bytes_then_merges_then_end_of_text(self):
        encoding = trained()
        assert encoding.n_vocab == 400
        assert [encoding.decode_single_token_bytes(i) for i in range(256)] == [bytes([i]) for i in range(256)]
        assert encoding.eot_token == 399
        assert encoding.encode(END_OF_TEXT, allowed_special="all") == [399]
        assert 399 not in encoding.encode_ordinary(END_OF_TEXT)

    def test_merges_are_the_most_frequent_pairs(self):
        """The fast trainer agrees with the slow one of lesson 02, up to the order of equally frequent pairs."""
        words = Counter(piece for text in some_texts() for piece in pieces(text, trained()))
        words = {tuple(bytes([b]) for b in word.encode()): times for word, times in words.items()}
        for learnt in range(256, 399):
            token = trained().decode_single_token_bytes(learnt)
            counts = pair_counts(words)
            pair = max((p for p in counts if p[0] + p[1] == token), key=counts.__getitem__)
            assert counts[pair] == max(counts.values())
            words = merge_pair(words, pair)

    def test_same_texts_same_fingerprint_in_another_process(self):
        code = (
            "import sys, json; from workshop_utils.text.tokenizer import *; "
            "print(fingerprint(train_bpe(json.load(sys.stdin), 400)))"
        )
        found = {
            subprocess.run(
                [sys.executable, "-c", code],
                input=json.dumps(some_texts()),
                env={"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            for seed, threads in (("1", "1"), ("2", "3"))
        }
        assert found == {fingerprint(trained())}

    def test_fingerprint_knows_the_order_of_the_tokens_but_not_the_name(self):
        base = trained()
        assert fingerprint(train_bpe(some_texts(), 400, name="other")) == fingerprint(base)
        assert fingerprint(train_bpe(some_texts(), 399)) != fingerprint(base)
        ranks = dict(base._mergeable_ranks)
        a, b = (token for token, rank in ranks.items() if rank in (300, 301))
        ranks[a], ranks[b] = ranks[b], ranks[a]
        swapped = tiktoken.Encoding(
            "pocket", pat_str=base._pat_str, mergeable_ranks=ranks, special_tokens=base._special_tokens
        )
        assert fingerprint(swapped) != fingerprint(base)

    @pytest.mark.parametrize(("multiple", "padded"), [(64, 448), (1, 400), (400, 400), (128, 512)])
    def test_padding(self, multiple, padded):
        assert padded_vocab_size(trained(), multiple) == padded


class TestEqualIds:
    @settings(max_examples=400, deadline=None)
    @given(any_text)
    def test_any_text(self, text):
        same(trained(), as_transformers(), text)

    @settings(max_examples=150, deadline=None)
    @given(st.randoms(use_true_random=False), st.sampled_from(["a", "ab", "abn", "ab ", "aé", "a'st "]))
    def test_any_vocabulary(self, rng, alphabet):
        """Few letters make overlapping merges, where two ways to the same token could be taken in another order."""

        def word(longest: int) -> str:
            return "".join(rng.choices(alphabet, k=rng.randint(0, longest)))

        encoding = train_bpe([word(30) for _ in range(60)], rng.randint(257, 340), at_most=True)
        hf = to_transformers(encoding)
        for _ in range(20):
            same(encoding, hf, word(200))

    def test_every_code_point(self):
        text = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
        for start in range(0, len(text), 5000):
            same(trained(), as_transformers(), " ".join(text[start : start + 5000]))

    @pytest.mark.parametrize("run", [" ", "\n", "a", "ab", " a", "!", "\x00", "é"])
    def test_long_runs(self, run):
        same(trained(), as_transformers(), run * 5000 + "b")
        assert trained().decode(trained().encode_ordinary(run * 1_500_000 + "b")) == run * 1_500_000 + "b"

    def test_after_saving_and_loading(self, tmp_path):
        from transformers import AutoTokenizer

        save_tokenizer(trained(), tmp_path / "t.json")
        loaded = load_tokenizer(tmp_path / "t.json")
        assert fingerprint(loaded) == fingerprint(trained())
        assert loaded.name == trained().name
        as_transformers().save_pretrained(tmp_path / "hf")
        for hf in (to_transformers(loaded), AutoTokenizer.from_pretrained(tmp_path / "hf")):
            for text in [*ODD, "".join(ODD), " ".join(WORDS)]:
                same(loaded, hf, text)

    def test_transformers_tokenizer_adds_nothing_and_knows_the_end(self, tmp_path):
        hf = as_transformers()
        assert (hf.bos_token, hf.eos_token, hf.pad_token) == (END_OF_TEXT,) * 3
        assert hf.eos_token_id == hf.pad_token_id == trained().eot_token
        assert len(hf) == hf.vocab_size == trained().n_vocab
        assert hf("")["input_ids"] == []
        assert hf.decode(hf("a b .")["input_ids"] + [hf.eos_token_id], skip_special_tokens=True) == "a b ."
        batch = hf(["the", "the cat sat"], padding=True)
        assert len(batch["input_ids"][0]) == len(batch["input_ids"][1])


class TestStretches:
    @pytest.mark.parametrize("gpt2s_pattern", [False, True])
    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.sampled_from([*WORDS, *ODD]), max_size=60), st.integers(60, 200))
    def test_have_the_tokens_of_the_whole(self, gpt2s_pattern, words, longest):
        """Words and runs are shorter than a stretch here, so there is always a place to cut."""
        encoding = with_gpt2s_pattern() if gpt2s_pattern else trained()
        text = " ".join(words)
        parts = list(stretches(text, longest))
        assert "".join(parts) == text
        assert all(len(part) <= longest for part in parts)
        assert [i for part in parts for i in encoding.encode_ordinary(part)] == encoding.encode_ordinary(text)

    def test_a_run_without_an_end_is_cut_all_the_same(self):
        for run in (" ", "a", "\n"):
            assert [len(part) for part in stretches(run * 250, 100)] == [100, 100, 50]
        assert list(stretches("", 100)) == [""]

    def test_a_tokenizer_learns_the_same_from_one_long_text(self, monkeypatch):
        """The trainer takes a hundred times what it is given at once; bench/tokenise.py measures the memory."""
        text = "\n\n".join(stories.texts(300))
        assert len(text) > 10 * tokens.LEARNT_AT_ONCE
        assert max(len(part) for part in tokens._checked([text])) <= tokens.LEARNT_AT_ONCE
        in_stretches = train_bpe([text], 600)
        monkeypatch.setattr(tokens, "LEARNT_AT_ONCE", len(text))
        assert fingerprint(train_bpe([text], 600)) == fingerprint(in_stretches)


class TestMergeHistory:
    @settings(max_examples=100, deadline=None)
    @given(any_text)
    def test_ends_with_the_tokens(self, text):
        steps = [merge_history(piece, trained()) for piece in pieces(text, trained())]
        ids = [trained().encode_single_token(part) for history in steps for part in history[-1]]
        assert ids == trained().encode_ordinary(text)
        for history in steps:
            assert all(len(after) == len(before) - 1 for before, after in pairwise(history))

    def test_only_one_word(self):
        with pytest.raises(ValueError, match="2 pieces"):
            merge_history("the cat", trained())
        with pytest.raises(ValueError, match="0 pieces"):
            merge_history("", trained())

    def test_pieces_keep_one_space_in_front_of_a_word(self):
        assert pieces("The cat's  12\n\nmice!?", trained()) == ["The", " cat", "'s", "  ", "12", "\n\n", "mice", "!?"]


class TestSentences:
    def test_vocabulary_too_small(self):
        with pytest.raises(ValueError, match="at least 257"):
            train_bpe(some_texts(), 256)
        assert train_bpe([], 257).n_vocab == 257

    def test_text_too_small(self, capsys):
        with pytest.raises(ValueError, match="vocab_size=259"):
            train_bpe(["abc abc"], 1024)
        assert train_bpe(["abc abc"], 259).n_vocab == 259
        assert train_bpe(["abc abc"], 1024, at_most=True).n_vocab == 259
        assert "259" in capsys.readouterr().out

    def test_not_a_list_of_strings(self):
        with pytest.raises(TypeError, match="single string"):
            train_bpe("a text")
        with pytest.raises(TypeError, match="text 1 is a int"):
            train_bpe(["a text", 3])

    @pytest.mark.parametrize("damage", ["truncated", "flipped", "other json", "not json", "empty", "not utf-8"])
    def test_damaged_file(self, tmp_path, damage):
        path = tmp_path / "t.json"
        save_tokenizer(trained(), path)
        content = path.read_bytes()
        at = content.index(b'"tokens"') + 2000
        path.write_bytes(
            {
                "truncated": content[:-100],
                "flipped": content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
                "other json": b'{"a": 1}',
                "not json": b"hello",
                "empty": b"",
                "not utf-8": b"\xff\xfe\xfa",
            }[damage]
        )
        with pytest.raises(ValueError, match=r"damaged.*copy it there again"):
            load_tokenizer(path)

    def test_every_flipped_byte_of_a_file_is_noticed(self, tmp_path):
        path = tmp_path / "t.json"
        save_tokenizer(trained(), path)
        content = bytearray(path.read_bytes())
        rng = random.Random(0)
        noticed = 0
        for at in rng.sample(range(content.index(b'"fingerprint"'), len(content)), 200):
            flipped = content.copy()
            flipped[at] ^= 1 << rng.randrange(8)
            path.write_bytes(flipped)
            try:
                loaded = load_tokenizer(path)
            except ValueError as error:
                noticed += "damaged" in str(error)
            else:  # white space between two entries
                assert fingerprint(loaded) == fingerprint(trained())
                noticed += 1
        assert noticed == 200

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no tokenizer at"):
            load_tokenizer(tmp_path / "none.json")

    def test_gpt2_without_a_network(self, monkeypatch):
        def refused(name):
            raise ConnectionError("no route")

        monkeypatch.setattr(tiktoken, "get_encoding", refused)
        with pytest.raises(ConnectionError, match="pocket profile"):
            tokens.gpt2()

    def test_gpt2_comes_from_a_local_copy_of_the_hub(self, tmp_path, monkeypatch):
        def never(name):
            raise AssertionError("tiktoken must not be asked")

        monkeypatch.setattr(tiktoken, "get_encoding", never)
        monkeypatch.setenv("WORKSHOP_HUB", str(tmp_path))
        path = tmp_path / "openai-community" / "gpt2" / "vocab.json"
        path.parent.mkdir(parents=True)
        known = {to_characters(bytes([byte])): byte for byte in range(256)}
        path.write_text(json.dumps(known | {"Ġa": 256, "<|endoftext|>": 257}), encoding="utf-8")
        encoding = tokens.gpt2()
        assert encoding.encode_ordinary("a a") == [97, 256]
        assert (encoding.name, encoding.eot_token, encoding.n_vocab) == ("gpt2", 257, 258)
        path.write_text(json.dumps({"Ġa": 0}))
        with pytest.raises(ValueError, match=r"vocab\.json is no vocabulary of GPT-2's"):
            tokens.gpt2()

    def test_gpt2_never_hangs(self, monkeypatch):
        import threading

        never = threading.Event()
        monkeypatch.setattr(tiktoken, "get_encoding", lambda name: never.wait(30))
        with pytest.raises(ConnectionError, match=r"no answer within 0\.1 s"):
            tokens.gpt2(seconds=0.1)
        never.set()


class TestProfiles:
    def test_pocket_tokenizer_is_made_once(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
        all_texts = stories.texts
        monkeypatch.setattr(stories, "texts", lambda n, seed=0: all_texts(min(n, 300), seed))
        make = tokens.pocket_tokenizer.__wrapped__  # past the cache in memory
        first = make(300)
        (path,) = (tmp_path / "tokenizers").iterdir()
        written = path.stat().st_mtime_ns
        assert fingerprint(make(300)) == fingerprint(first)
        assert path.stat().st_mtime_ns == written
        path.write_text(path.read_text()[:1000])
        assert fingerprint(make(300)) == fingerprint(first)
        assert "damaged" in capsys.readouterr().out
        assert fingerprint(load_tokenizer(path)) == fingerprint(first)

    def test_unknown_tokenizer(self):
        class Profile:
            tokenizer = "llama"

        with pytest.raises(ValueError, match="llama"):
            tokens.for_profile(Profile())
