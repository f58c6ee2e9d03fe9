"""One vocabulary, two libraries: what a tiktoken.Encoding looks like to Hugging Face's tokenizers.

tokenizer.py trains and stores tokenizers with it, and re-exports to_transformers.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import tiktoken

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
BOS = "<bos>"
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+"  # how it begins


def splitter(pattern: str) -> Any:
    """Cut text into pieces by the pattern, then write each piece's bytes as visible characters."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

    return Sequence([Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])


def to_transformers(encoding: tiktoken.Encoding) -> PreTrainedTokenizerFast:
    """The same vocabulary as a transformers tokenizer.

    For a tokenizer of train_bpe, hf(text)["input_ids"] == encoding.encode(text, allowed_special="all") for any text.
    For GPT-2's it holds as far as both libraries' Unicode tables agree on what a letter is. Where the tokenizer has
    Gemma's special tokens, they begin, end and pad, and "<bos>" is added in front as Gemma's tokenizer does; else
    "<|endoftext|>" has all three roles and nothing is added.

    Args:
        encoding: the tokenizer.
    """
    from transformers import PreTrainedTokenizerFast

    specials = encoding._special_tokens
    roles = {f"{role}_token": f"<{role}>" if f"<{role}>" in specials else END_OF_TEXT for role in ("bos", "eos", "pad")}
    tokenizer = _tokenizers_object(encoding)
    if BOS in specials:
        from tokenizers.processors import TemplateProcessing

        tokenizer.post_processor = TemplateProcessing(
            single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, specials[BOS])]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **roles,
        clean_up_tokenization_spaces=False,
        model_max_length=1_000_000,  # the model's block_size is the limit, not the tokenizer
    )


def _tokenizers_object(encoding: tiktoken.Encoding) -> Tokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from tokenizers.pre_tokenizers import ByteLevel

    # tiktoken merges any two neighbours that make a token together, whatever pair the training merged: list all.
    # (In a vocabulary that BPE training made only the trained pair can ever meet, so ties need no thought.)
    tokens = ordered_tokens(encoding)
    written = {token: to_characters(token) for token in tokens}
    merges = [
        (written[token[:cut]], written[token[cut:]])
        for token in tokens
        for cut in range(1, len(token))
        if token[:cut] in written and token[cut:] in written
    ]
    vocabulary = {text: encoding._mergeable_ranks[token] for token, text in written.items()}
    vocabulary |= encoding._special_tokens
    # ignore_merges: a piece that is a token is that token at once, as in tiktoken
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    if encoding._pat_str.startswith(GPT2_PATTERN):
        tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=True)  # the library knows this one
    else:
        tokenizer.pre_tokenizer = splitter(encoding._pat_str)
    tokenizer.decoder = decoders.ByteLevel()
    specials = sorted(encoding._special_tokens, key=encoding._special_tokens.__getitem__)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    return tokenizer


def ordered_tokens(encoding: tiktoken.Encoding) -> list[bytes]:
    """All tokens but the special ones, in rank order."""
    ranks = encoding._mergeable_ranks
    return sorted(ranks, key=ranks.__getitem__)


@cache
def _byte_alphabet() -> dict[int, str]:
    """GPT-2's way to write any byte as a visible character: printable ones stay, the others move above 255."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    moved = [byte for byte in range(256) if byte not in visible]
    return {byte: chr(byte) for byte in visible} | {byte: chr(256 + i) for i, byte in enumerate(moved)}


@cache
def _charactersto_bytes() -> dict[str, int]:
    return {character: byte for byte, character in _byte_alphabet().items()}


def to_characters(token: bytes) -> str:
    alphabet = _byte_alphabet()
    return "".join(alphabet[byte] for byte in token)


def to_bytes(text: str) -> bytes:
    alphabet = _charactersto_bytes()
    return bytes(alphabet[character] for character in text)
