"""A story in one line: what a pocket model is tuned to write, and which facts of the story its line keeps.

The grammar knows the truth: story -> name, animal, problem, ending -> the line to learn, and what a line is scored by.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workshop_utils.encoder.classify import HELD_OUT_PLOTS, TRAINED_PLOTS
from workshop_utils.pocket import words
from workshop_utils.pocket.library import PLOTS
from workshop_utils.pocket.scoring import WORD
from workshop_utils.pocket.stories import Story, story

if TYPE_CHECKING:
    from workshop_utils.chat.language_model import LanguageModel

ASK = "Say this story in one line.\n\n{story}"
MAX_NEW_TOKENS = 48
STEPS, BATCH = 100, 8
N_TRAIN = STEPS * BATCH  # no story comes twice
FACTS = ("name", "animal", "problem", "ending")
_THINGS = frozenset(thing for plot in PLOTS.values() for thing in plot.objects)


def told(n: int, split: str = "train", seed: int = 0) -> list[Story]:
    """Stories, none twice.

    Args:
        n: how many.
        split: "train"; "test" for other stories with the same plots; "plots" for plots that are held out.
        seed: another seed tells other stories.

    Raises:
        ValueError: there is no such split.
    """
    if split not in ("train", "test", "plots"):
        raise ValueError(f"split is {split!r}: choose train, test or plots")
    rng, found = random.Random(f"summaries {split} {seed}"), dict[str, Story]()
    while len(found) < n:
        one = story(rng, rng.choice(HELD_OUT_PLOTS if split == "plots" else TRAINED_PLOTS))
        found.setdefault(one.text, one)
    return list(found.values())


def line(of: Story) -> str:
    """The line to learn: "Mia the fox: fetched together (the kite is stuck in a tree).".

    The ending stands first, since it is learnt sooner there: behind the problem, which leaves two endings to choose
    from, half of them were wrong after 80 updates.
    """
    return f"{of.name} the {of.kind}: {of.ending} ({of.problem})."


def conversations(stories: Iterable[Story]) -> list[list[dict[str, str]]]:
    """The conversations to tune on: a request with the story in it, and the line."""
    return [
        [{"role": "user", "content": ASK.format(story=one.text)}, {"role": "assistant", "content": line(one)}]
        for one in stories
    ]


def summaries(model: LanguageModel, stories: Sequence[Story], batch_size: int = 32) -> list[str]:
    """The model's line for each story, always the likeliest token."""
    prompts = [model.chat_ids(ASK.format(story=one.text)) for one in stories]
    return [made.text.strip() for made in model.generate(prompts, MAX_NEW_TOKENS, batch_size=batch_size)]


@dataclass(frozen=True)
class Kept:
    """What a line says of a story.

    Attributes:
        name: the hero is named.
        animal: what the hero is, is said.
        problem: with its object, in the words of the plot.
        ending: in the words of the plot.
        invented: names, animals, things and places in the line of which the story says nothing, and problems and
            endings of other stories.
    """

    name: bool
    animal: bool
    problem: bool
    ending: bool
    invented: tuple[str, ...]

    @property
    def all(self) -> bool:
        """Every fact kept, and none invented."""
        return self.name and self.animal and self.problem and self.ending and not self.invented


def kept(said: str, of: Story) -> Kept:
    """Compare a line with the story that it is about.

    Args:
        said: by a model.
        of: the story, with its truth.
    """
    spoken = _words(said)
    listed = {*words.PRONOUNS, *words.ANIMALS, *words.CHILD.values(), *words.BIRDS, *words.PLACES, *_THINGS}
    new = [word for word in spoken if word in listed and word not in _words(of.text)]
    bare = said.lower()
    new += [end for plot in PLOTS.values() for end in plot.endings if end in bare and end != of.ending]
    return Kept(
        name=of.name in spoken,
        animal=of.kind in spoken,
        problem=of.problem.lower() in bare,
        ending=of.ending.lower() in bare,
        invented=tuple(new),
    )


def _words(text: str) -> list[str]:
    return [re.sub(r"'s$", "", word) for word in WORD.findall(text)]


def tune(
    model: LanguageModel,
    stories: Sequence[Story],
    steps: int = STEPS,
    learning_rate: float = 1.5e-3,
    batch_size: int = BATCH,
    seed: int = 0,
    bfloat16: bool = False,
) -> list[float]:
    """Train all weights of a chat model on stories and their lines, in place, the loss on the lines alone.

    With some million parameters this is quicker than an adapter, which needs more updates for the same lines.

    Args:
        model: from lora.load_base or chat.models.load, in float32.
        stories: with their truth.
        steps: updates.
        learning_rate: at its peak.
        batch_size: stories in an update.
        seed: of their order.
        bfloat16: multiply in 16 bits, where the machine is quicker in them; the weights stay as they are.

    Returns:
        the loss before each update, in nats per token of a line.
    """
    import torch

    from workshop_utils.chat import encode
    from workshop_utils.chat.losses import loss_of
    from workshop_utils.encoder.heads import fit

    model.model.requires_grad_(True)
    rows = [encode(model.tokenizer, turns) for turns in conversations(stories)]

    def loss(batch: list[int]) -> torch.Tensor:
        with torch.autocast(model.model.device.type, torch.bfloat16, enabled=bfloat16):
            total, n_tokens = loss_of(model, [rows[i] for i in batch])
        return total / n_tokens

    return fit(model.model, len(rows), loss, steps, learning_rate, batch_size, seed)
