# What `from workshop_utils.text import ...` offers; read by type checkers and, lazily, by __init__.py.
from .corpus import documents as documents
from .corpus import prepare as prepare
from .corpus import split_of as split_of
from .token_file import TokenFile as TokenFile
from .token_file import write_token_file as write_token_file
from .tokenizer import SPLIT_PATTERN as SPLIT_PATTERN
from .tokenizer import fingerprint as fingerprint
from .tokenizer import gpt2 as gpt2
from .tokenizer import padded_vocab_size as padded_vocab_size
from .tokenizer import pocket_tokenizer as pocket_tokenizer
from .tokenizer import to_transformers as to_transformers
from .tokenizer import train_bpe as train_bpe
