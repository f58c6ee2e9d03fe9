"""What a heap of text means before a model sees it: tokens, files, hours of tokenising, and why nobody loads it all."""

from __future__ import annotations

from dataclasses import dataclass

from workshop_utils.budget.units import amount, duration, size

PYTHON_INT = 36  # bytes of a token in a Python list: 28 of the number, 8 of the place that points to it


@dataclass(frozen=True)
class TextBudget:
    """A heap of text in numbers.

    Attributes:
        text_bytes: of the text, UTF-8.
        tokens: that it makes.
        token_bytes: of one token in a token file: 2, or 4 for a vocabulary above 65,536.
        files: of the token files that it fills.
        hours: to tokenise it, on all the cores that were asked about.
        download_hours: to fetch it.
    """

    text_bytes: float
    tokens: float
    token_bytes: int
    files: int
    hours: float
    download_hours: float

    @property
    def file_bytes(self) -> float:
        """All token files together."""
        return self.tokens * self.token_bytes

    @property
    def list_bytes(self) -> float:
        """Memory that the tokens would take as one Python list: the way in which the first script loads its text."""
        return self.tokens * PYTHON_INT

    def __str__(self) -> str:
        return (
            f"{size(self.text_bytes)} of text are about {amount(self.tokens)} tokens: "
            f"{duration(self.download_hours)} to download, {duration(self.hours)} to tokenise, {self.files:,} token "
            f"files of {size(self.file_bytes)} in all, and {size(self.list_bytes)} of memory for whoever loads them "
            "into one list"
        )


def text_budget(
    text_bytes: float = 10e12,
    bytes_per_token: float = 4.5,
    tokens_per_second: float = 1.8e6,
    cores: int = 1,
    vocab_size: int = 50_257,
    file_tokens: float = 100e6,
    bytes_per_second: float = 100e6,
) -> TextBudget:
    """Work out what a heap of text takes.

    Args:
        text_bytes: of the text, UTF-8.
        bytes_per_token: an assumption for English prose and a vocabulary like GPT-2's, which takes 4 to 5; verse, code
            and other languages take fewer. Measure a megabyte of your own.
        tokens_per_second: of one core; tiktoken was measured at 1.8 to 2.0 million.
        cores: that tokenise side by side.
        vocab_size: of the tokenizer.
        file_tokens: in one token file.
        bytes_per_second: of the network.

    Raises:
        ValueError: a number is 0 or less.
    """
    for name, value in locals().copy().items():
        if not value > 0:
            raise ValueError(f"{name} is {value}: it must be above 0")
    tokens = text_bytes / bytes_per_token
    return TextBudget(
        text_bytes=text_bytes,
        tokens=tokens,
        token_bytes=2 if vocab_size <= 2**16 else 4,
        files=int(-(-tokens // file_tokens)),
        hours=tokens / tokens_per_second / cores / 3600,
        download_hours=text_bytes / bytes_per_second / 3600,
    )
