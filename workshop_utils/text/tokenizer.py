"""Text to numbers and back: train, save and load byte-level BPE tokenizers.

The first station of the data's way. A tokenizer is a plain tiktoken.Encoding everywhere in the workshop;
to_transformers gives the same vocabulary to the Hugging Face libraries, with equal ids.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import tiktoken

from workshop_utils.machine.files import write_text_atomically
from workshop_utils.machine.sentences import one_line
from workshop_utils.text.bpe_by_hand import merge_history, merge_pair, pair_counts, pieces
from workshop_utils.text.byte_level import (
    END_OF_TEXT,
    ordered_tokens,
    splitter,
    to_bytes,
    to_characters,
    to_transformers,
)

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

__all__ = [
    "END_OF_TEXT",
    "SPLIT_PATTERN",
    "fingerprint",
    "for_profile",
    "gpt2",
    "load_tokenizer",
    "merge_history",
    "merge_pair",
    "padded_vocab_size",
    "pair_counts",
    "pieces",
    "pocket_tokenizer",
    "save_tokenizer",
    "stretches",
    "to_transformers",
    "train_bpe",
]

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
LEARNT_AT_ONCE = 10_000  # characters: the trainer keeps a hundred bytes for each of a text that it is given whole
_LAST_BREAK = re.compile(r"(?s).*\S(?=[ \n])")
FORMAT = "slm-workshop tokenizer 1"
GPT2 = "openai-community/gpt2"  # its name on the hub


def train_bpe(
    texts: Iterable[str],
    vocab_size: int = 1024,
    name: str = "pocket",
    at_most: bool = False,
    special_tokens: Sequence[str] = (END_OF_TEXT,),
) -> tiktoken.Encoding:
    """Learn a byte-level BPE vocabulary: the 256 bytes, then the pairs that occur most often, merged one by one.

    Args:
        texts: documents to learn from, read once; memory grows neither with their number nor with their length. The
            same texts in the same order give the same vocabulary.
        vocab_size: number of tokens, with the 256 bytes and the special tokens.
        name: what the tokenizer calls itself.
        at_most: accept a smaller vocabulary, and print its size, when the texts are too small for vocab_size.
        special_tokens: the tokens that no text is ever cut into.

    Returns:
        The tokenizer. Ids 0 to 255 are the bytes, then come the merges in the order in which they were learnt, and the
        special tokens are the last ones.

    Raises:
        TypeError: texts is a single string, or holds something that is not a string.
        ValueError: vocab_size is too small for the bytes and the special tokens, or the texts are too small for it.

    Source: Sennrich et al., arXiv 1508.07909; bytes instead of characters as in GPT-2.
    """
    from tokenizers import Tokenizer, models, trainers
    from tokenizers.pre_tokenizers import ByteLevel

    n_special = len(special_tokens)
    if vocab_size < 256 + n_special:
        extra = "the end-of-text token" if n_special == 1 else f"{n_special} special tokens"
        raise ValueError(
            f"vocab_size is {vocab_size}: 256 bytes and {extra} need at least {256 + n_special}, choose a larger one"
        )
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = splitter(SPLIT_PATTERN)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - n_special,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=ByteLevel.alphabet(),
        special_tokens=[],
    )
    learner.train_from_iterator(_checked(texts), trainer)

    learnt = learner.get_vocab()
    merged = [to_bytes(token) for token in sorted(learnt, key=learnt.__getitem__) if len(token) > 1]
    reached = 256 + len(merged) + n_special
    if reached < vocab_size:
        too_small = f"the texts are too small for {vocab_size:,} tokens: no pair occurs twice after {reached:,}"
        if not at_most:
            raise ValueError(f"{too_small}; give more text or ask for vocab_size={reached}")
        print(f"{too_small}, so the vocabulary has {reached:,} tokens")
    specials = {token: reached - n_special + i for i, token in enumerate(special_tokens)}
    return _encoding(name, SPLIT_PATTERN, [bytes([b]) for b in range(256)] + merged, specials)


def _checked(texts: Iterable[str]) -> Iterable[str]:
    if isinstance(texts, str):
        raise TypeError("texts is a single string: put it in a list, [text], or it would be read letter by letter")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {index} is a {type(text).__name__}: a tokenizer learns from strings, leave it out")
        yield from stretches(text, LEARNT_AT_ONCE)


def stretches(text: str, longest: int) -> Iterator[str]:
    """Cut a long text where no token reaches across: in front of a blank or line end behind a visible character.

    Ours and GPT-2's split pattern both end a piece there, whatever follows, so the stretches have the tokens of the
    text. Only where there is no such place, as in a million blanks, the cut is made after `longest` characters.

    Args:
        text: any text.
        longest: characters in a stretch.
    """
    start = 0
    while len(text) - start > longest:
        found = _LAST_BREAK.match(text, start, start + longest + 1)
        end = found.end() if found else start + longest
        yield text[start:end]
        start = end
    yield text[start:]


def _encoding(name: str, pattern: str, tokens: list[bytes], special_tokens: dict[str, int]) -> tiktoken.Encoding:
    ranks = {token: rank for rank, token in enumerate(tokens)}
    return tiktoken.Encoding(
        name,
        pat_str=pattern,
        mergeable_ranks=ranks,
        special_tokens=special_tokens,
        explicit_n_vocab=len(tokens) + len(special_tokens),
    )


# --- the tokenizers of the profiles -------------------------------------------------------------------------------


def gpt2(seconds: float = 60) -> tiktoken.Encoding:
    """GPT-2's tokenizer, 50,257 tokens: from WORKSHOP_HUB's copy of it, or else tiktoken's, downloaded once and kept.

    Args:
        seconds: how long to wait for the download.

    Raises:
        ConnectionError: the ranks are not on this machine and cannot be downloaded.
        ValueError: the copy is damaged.
    """
    from workshop_utils.machine.hub import hub_folder

    local = hub_folder()
    if local is not None and (local / GPT2 / "vocab.json").is_file():
        return _gpt2_of(local / GPT2 / "vocab.json")
    found: list[tiktoken.Encoding | Exception] = []

    def load() -> None:
        try:
            found.append(tiktoken.get_encoding("gpt2"))
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong hash is a ValueError
            found.append(error)

    # tiktoken's own download has no time limit: a thread lets us stop waiting.
    waiting = threading.Thread(target=load, daemon=True)
    waiting.start()
    waiting.join(seconds)
    if found and isinstance(found[0], tiktoken.Encoding):
        return found[0]
    cause = found[0] if found else None
    reason = type(cause).__name__ if cause else f"no answer within {seconds:g} s"
    raise ConnectionError(
        f"GPT-2's tokenizer is not on this machine and could not be downloaded ({reason}): connect to the internet "
        f"once, or put the hub's {GPT2} into the folder of WORKSHOP_HUB, or take the pocket profile, "
        "WORKSHOP_PROFILE=pocket, which needs no network"
    ) from (cause if isinstance(cause, Exception) else None)


def _gpt2_of(path: Path) -> tiktoken.Encoding:
    """The tokenizer in the hub's file for it; in a byte-level vocabulary the ids are the ranks."""
    from tiktoken_ext.openai_public import r50k_pat_str

    try:
        ids = json.loads(path.read_bytes())
        specials = {END_OF_TEXT: ids.pop(END_OF_TEXT)}
        ranks = {to_bytes(token): rank for token, rank in ids.items()}
        return tiktoken.Encoding(
            "gpt2",
            pat_str=r50k_pat_str,
            mergeable_ranks=ranks,
            special_tokens=specials,
            explicit_n_vocab=len(ranks) + 1,
        )
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(f"{path} is no vocabulary of GPT-2's ({type(error).__name__}): copy it again") from error


@cache
def pocket_tokenizer(vocab_size: int = 1024) -> tiktoken.Encoding:
    """The tokenizer of the pocket profile, learnt once from the package's own stories and kept in the workshop's home.

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


def for_profile(profile: Profile) -> tiktoken.Encoding:
    """The tokenizer that a profile works with.

    Args:
        profile: its tokenizer is "pocket" or "gpt2".

    Raises:
        ValueError: the profile names another tokenizer.
    """
    if profile.tokenizer == "pocket":
        return pocket_tokenizer()
    if profile.tokenizer == "gpt2":
        return gpt2()
    raise ValueError(f'the profile asks for the tokenizer {profile.tokenizer!r}: there are "pocket" and "gpt2"')


# --- files and other libraries ------------------------------------------------------------------------------------


def save_tokenizer(encoding: tiktoken.Encoding, path: str | Path) -> None:
    """Write a tokenizer as one JSON file, whole or not at all.

    Args:
        encoding: the tokenizer.
        path: where to; missing folders are made.
    """
    content = {
        "format": FORMAT,
        "name": encoding.name,
        "fingerprint": fingerprint(encoding),
        "pattern": encoding._pat_str,
        "special_tokens": encoding._special_tokens,
        "tokens": [to_characters(token) for token in ordered_tokens(encoding)],
    }
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
        raise FileNotFoundError(
            f"there is no tokenizer at {path}: check the path, or copy it there; train_bpe makes a new one"
        )
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            raise ValueError("another format")
        tokens = [to_bytes(token) for token in content["tokens"]]
        encoding = _encoding(content["name"], content["pattern"], tokens, content["special_tokens"])
        found = fingerprint(encoding)
        if found != content["fingerprint"]:
            raise ValueError(f"fingerprint {found}, not {content['fingerprint']}")
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ValueError(
            f"{path} is damaged or no tokenizer of this workshop ({one_line(error)}): copy it "
            "there again from where it is whole, or choose another one"
        ) from error
    return encoding


def fingerprint(encoding: tiktoken.Encoding) -> str:
    """16 hex digits that say which tokenizer made some ids: equal exactly when pattern, tokens and specials are.

    Args:
        encoding: the tokenizer; its name does not count.
    """
    ranks = [(encoding._mergeable_ranks[token], token.hex()) for token in ordered_tokens(encoding)]
    parts = [encoding._pat_str, sorted(encoding._special_tokens.items()), ranks]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def padded_vocab_size(encoding: tiktoken.Encoding, multiple: int = 64) -> int:
    """The vocabulary's size rounded up: matrices whose sides divide evenly are faster, and the extra rows cost little.

    Args:
        encoding: the tokenizer.
        multiple: round up to a multiple of this.
    """
    return -(-encoding.n_vocab // multiple) * multiple
