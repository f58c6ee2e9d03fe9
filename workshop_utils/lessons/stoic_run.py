"""The run of lesson 07: its settings on each machine, its pairs, and the formats of a question; lesson 09's rows, too.

Pairs -> the model's format, or a foreign one -> chat.reply_loss. The run itself is tuning.tune.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat.language_model import LanguageModel
from workshop_utils.chat.template import Encoded, conversation, prompt_ids
from workshop_utils.lessons import stoic_set
from workshop_utils.lessons.stoic_set import Pair, messages
from workshop_utils.machine.profiles import Profile, hurried
from workshop_utils.pocket import frozen
from workshop_utils.tuning.finetune import TuneConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHIPPED = Path(__file__).parents[1] / "pocket" / "models" / "stoic"  # the adapter that tools/build_adapter.py makes
# The settings that differ between machines. A model of 3.5 million parameters wants five times the rate of a large one.
RUNS: dict[str, dict[str, Any]] = {
    "pocket": {"learning_rate": 1e-3, "batch_size": 4, "grad_accum_steps": 2},
    "t4": {"learning_rate": 2e-4, "batch_size": 2, "grad_accum_steps": 4},
    "big": {"learning_rate": 2e-4, "batch_size": 8, "grad_accum_steps": 1},
}
HURRY: dict[str, Any] = {"steps": 4, "checkpoint_every": 4}
# Ways to write the same question that a model may not know, and the token that shows whether it does.
FOREIGN = {
    "plain text": ("", "{prompt}\n"),
    "Question and Answer": ("", "Question: {prompt}\nAnswer:\n"),
    "ChatML": ("<|im_start|>", "<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"),
    "Gemma's": ("<start_of_turn>", "<start_of_turn>user\n{prompt}<end_of_turn>\n<start_of_turn>model\n"),
}


def stoic_config(profile: Profile) -> TuneConfig:
    """The settings of the lesson's run: 60 updates of 8 conversations each, on every machine.

    Args:
        profile: pocket takes five times the rate; t4 halves the batch and doubles the accumulation. A few steps only
            where WORKSHOP_HURRY=1 is set.
    """
    config = TuneConfig(country=profile.country, **RUNS[profile.name])
    return replace(config, **HURRY) if hurried() else config


# --- the pairs


def pairs_for(profile: Profile) -> tuple[list[Pair], list[Pair]]:
    """What this machine's model is trained on and what is held out, split by topic, without the ordinary chats.

    Args:
        profile: pocket takes pairs in the few words that its model knows, the others the set that was written by hand.
            From that one the pocket model would learn words and not a style: the lesson tries it.
    """
    if profile.name == "pocket":
        return in_small_words(100), in_small_words(36, held_out=True)
    return stoic_set.split(stoic_set.load())


def ordinary_for(profile: Profile, n: int | None = None) -> list[Pair]:
    """Ordinary chats to replay, without complaints; larger models need no stories of a small one, so only questions.

    Args:
        profile: of the machine. With 12 chats the pocket model lost a tenth of its right answers, with 60 hardly any.
        n: how many; None for 60 on pocket, five questions for each story, and 12 elsewhere.
    """
    if profile.name == "pocket":
        return stoic_set.ordinary(60 if n is None else n, kinds=(*("question",) * 5, "story"))
    return stoic_set.ordinary(12 if n is None else n, kinds=("question",))


def in_small_words(n: int, held_out: bool = False) -> list[Pair]:
    """Complaints and Stoic answers out of the words that the pocket models were made of.

    Args:
        n: how many; more begin with the same ones.
        held_out: those that were written by hand as a whole, about nouns of which no Stoic text speaks (every fifth of
            all nouns, and all topics that the Stoic set holds out), instead of the others.

    Returns:
        n pairs, no prompt twice.

    Raises:
        ValueError: there are not so many.
    """
    kept = [Pair(**row) for row in frozen.rows("small_words_held_out" if held_out else "small_words")]
    return frozen.first(n, kept, "pairs in small words")


# --- lesson 09: the model that came out, and what its table measures


def load_tuned(profile: Profile) -> LanguageModel:
    """The Stoic of lesson 07 on its base in floats: from that lesson's run here, or else the package's, or else new.

    Args:
        profile: on a CPU the base is in float32, on a GPU in the profile's 16 bits.

    Raises:
        ModelUnavailable: as in models.load.
    """
    from workshop_utils.chat import models
    from workshop_utils.tuning import finetune, lora

    name, runs = profile.models[1], profile.home / "runs"
    own = runs / f"lesson09-{name.rpartition('/')[2]}"
    base = lora.load_base(name, profile, "float32" if profile.device == "cpu" else profile.dtype)
    places = {"lesson 07's run on this machine": runs / "lesson07", "an earlier run of this lesson": own}
    if name in models.POCKET:
        places["the package, since lesson 07 left none here"] = SHIPPED
    for where, place in places.items():
        if (place / lora.BELONGS).is_file():
            try:
                tuned = lora.load(base, place)
            except lora.AdapterError as error:
                print(f"passed over: {error}")
                continue
            print(f"adapter from {where}")
            return tuned
    print("lesson 07 has left no adapter here, so its run comes first")
    rows = [messages(pair) for pair in pairs_for(profile)[0] + ordinary_for(profile)]
    fresh = lora.attach(lora.load_base(name, profile))
    finetune.tune(fresh, rows, stoic_config(profile), own, profile)
    del fresh
    models.release()
    return lora.load(base, own)


def precisions_for(profile: Profile, model: LanguageModel) -> list[str]:
    """The methods of quantize.methods.METHODS that lesson 09 compares; the first one is the reference of the others.

    Args:
        profile: a GPU holds the model in 16 bits and a smaller copy of it, and no float32 as well: there the 16 bits
            are the reference.
        model: in floats, to be quantised.

    Returns:
        their names, without those that this machine cannot have, or not with this model; what is left out is printed.
    """
    from workshop_utils.quantize.methods import METHODS, lack_of

    lacking = {name: lack_of(name, model, profile) for name in METHODS}
    reasons: dict[str, list[str]] = {}  # one reason may be that of several methods
    for name, reason in lacking.items():
        if reason:
            reasons.setdefault(reason, []).append(METHODS[name].title)
    if reasons:
        print("left out:", "; ".join(f"{', '.join(titles)} ({reason})" for reason, titles in reasons.items()))
    return [name for name, reason in lacking.items() if not reason]


@dataclass(frozen=True)
class TableSize:
    """How much lesson 09 measures of each row of its table."""

    prompts: int  # complaints that are answered, and conversations whose logits are compared
    tokens: int  # of such an answer
    questions: int  # ordinary ones that are asked, and ordinary replies whose perplexity is taken
    answer: int  # tokens of such an answer
    speed: int  # tokens that are written for the speed, three times


# Estimated for a T4, not measured there. An H200 took 3.6 s for 80 steps with NF4 Gemma 2 2B, 0.045 s for each, nearly
# all of it for launching kernels. Colab's machine is taken to be five times slower: 0.225 s for each step. A row takes
# 32 + 8 + 3 x 16 = 88 steps, 20 s, and about 12 s for 50 passes over short texts and to make the copy. Gemma has seven
# rows there, and three of energy at 5 x 2 x 16 steps: 7 x 32 + 2 x 36 = 5 minutes. The four systems before them write
# 24 replies of 60 tokens each, side by side: 14 s each.
SIZES = {"pocket": TableSize(36, 60, 40, 60, 48), "gpu": TableSize(24, 32, 8, 8, 16)}


def table_size(profile: Profile) -> TableSize:
    """How much lesson 09's table measures here: on a T4 it must take ten minutes at most.

    Args:
        profile: pocket takes all prompts and questions of the lesson, the others some of them.
    """
    return SIZES["pocket" if profile.name == "pocket" else "gpu"]


# --- formats


def in_format(tokenizer: PreTrainedTokenizerBase, pair: Pair, beginning: str | None = None) -> Encoded:
    """A pair in tokens, up to the end of its answer; the answer's words are marked, in every format the same tokens.

    This is no mask to train with, as chat.encode's is: a foreign format has no end-of-turn token, so none is marked in
    any. Losses of these rows can be compared with each other, and not with those of rows from chat.encode.

    Args:
        tokenizer: with a chat template.
        pair: a prompt and its answer.
        beginning: what comes before the answer, with {prompt} in it; None for the model's own template.
    """
    start = asked_in(tokenizer, pair.prompt, beginning)
    answer = list(tokenizer(pair.answer, add_special_tokens=False)["input_ids"])
    return Encoded(start + answer, [False] * len(start) + [True] * len(answer))


def asked_in(tokenizer: PreTrainedTokenizerBase, prompt: str, beginning: str | None = None) -> list[int]:
    """The tokens to ask with in a format: the tokenizer's own template, or plain text that begins as the model's do.

    Args:
        tokenizer: with a chat template.
        prompt: what the user says.
        beginning: as in in_format.
    """
    if beginning is None:
        return prompt_ids(tokenizer, conversation(prompt))
    return list(tokenizer(beginning.replace("{prompt}", prompt))["input_ids"])


def foreign_formats(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """Formats that this model does not know, by its marks: name -> how a question begins in it."""
    known = tokenizer.get_vocab()
    return {name: beginning for name, (mark, beginning) in FOREIGN.items() if mark not in known}


# --- before and after


def before_after(
    model: LanguageModel, prompts: Sequence[str], max_new_tokens: int = 120, **options: Any
) -> tuple[list[str], list[str]]:
    """Answer the same prompts without and with the adapter, with the same random seed.

    Args:
        model: with an adapter, which is switched off for the first half.
        prompts: what the user says.
        max_new_tokens: of each reply.
        options: temperature, top_k, top_p, seed, as in LanguageModel.generate.

    Returns:
        the replies before, and after.
    """
    asked = [model.chat_ids(prompt) for prompt in prompts]
    with cast(Any, model.model).disable_adapter():
        before = [made.text for made in model.generate(asked, max_new_tokens, **options)]
    return before, [made.text for made in model.generate(asked, max_new_tokens, **options)]
