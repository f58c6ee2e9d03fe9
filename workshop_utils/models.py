"""The language models that the lessons talk to, from the package, a local folder or the hub, behind one door.

They are plain transformers models; this module finds them, loads them as the profile says, and asks them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from workshop_utils import chat
from workshop_utils.chat import Messages

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from workshop_utils.profiles import Profile

POCKET = {
    "pocket-base": Path(__file__).parent / "pocket" / "models" / "base",
    "pocket-instruct": Path(__file__).parent / "pocket" / "models" / "instruct",
}
# The base model and the instruction-tuned one of each profile.
GEMMA = ("google/gemma-2-2b", "google/gemma-2-2b-it")
PAIRS = {
    "pocket": ("pocket-base", "pocket-instruct"),
    "t4": ("Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-1.5B-Instruct"),
    "big": ("Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct"),
}
LICENSED = "google/gemma"  # models of this family ask for their licence to be accepted first


class ModelUnavailable(RuntimeError):
    """A model cannot be loaded; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Generated:
    """What a model wrote.

    Attributes:
        text: without the prompt, and without special tokens.
        ids: its tokens, with the one that ended it.
        ended: whether the model ended by itself; False where the limit on new tokens cut it off.
    """

    text: str
    ids: list[int] = field(repr=False)
    ended: bool


@dataclass
class LanguageModel:
    """A causal language model and its tokenizer.

    Attributes:
        name: as on the hub, or "pocket-base" and "pocket-instruct".
        model: of transformers, ready to generate.
        tokenizer: of transformers.
        source: the folder that it was loaded from, or its name on the hub.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: str = ""

    @property
    def context(self) -> int:
        """How many tokens it can look back at most."""
        return int(self.model.config.max_position_embeddings)

    @property
    def n_parameters(self) -> int:
        """Number of trained numbers."""
        return self.model.num_parameters()

    def gigabytes(self) -> float:
        """Memory of its weights, in GB (10^9 bytes)."""
        return self.model.get_memory_footprint() / 1e9

    def complete(self, prompt: str, max_new_tokens: int = 60, **options: Any) -> str:
        """Write on from a text, as any language model does; no template.

        Args:
            prompt: how the text begins. The tokenizer puts its beginning-of-sequence token in front, if it has one.
            max_new_tokens: tokens to add at most.
            options: temperature, top_k, top_p, seed, as in generate.

        Returns:
            what was added.
        """
        return self.generate([self.ids(prompt)], max_new_tokens, **options)[0].text

    def reply(self, messages: Messages | str, max_new_tokens: int = 200, **options: Any) -> str:
        """Answer in a chat: the messages in the model's chat template, up to its end of turn.

        Args:
            messages: the conversation so far, or one thing that the user says.
            max_new_tokens: tokens of the reply at most.
            options: temperature, top_k, top_p, seed, as in generate.

        Raises:
            ValueError: the model has no chat template, or the messages do not fit it.
        """
        return self.generate([self.chat_ids(messages)], max_new_tokens, **options)[0].text

    def ids(self, prompt: str) -> list[int]:
        """The tokens of a plain text, as the tokenizer begins them."""
        return list(self.tokenizer(prompt)["input_ids"])

    def chat_ids(self, messages: Messages | str) -> list[int]:
        """The tokens of a conversation, with the beginning of the model's turn."""
        said = chat.conversation(messages) if isinstance(messages, str) else messages
        return chat.prompt_ids(self.tokenizer, said)

    def stop_ids(self) -> list[int]:
        """The tokens at which it stops: what its generation config says, and what ends a turn in its template."""
        stops = self.model.generation_config.eos_token_id
        listed = [stops] if isinstance(stops, int) else list(stops or [])
        return sorted({*listed, *(chat.stop_ids(self.tokenizer) if self.tokenizer.chat_template else [])})

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int = 60,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        batch_size: int = 32,
    ) -> list[Generated]:
        """Continue prompts of any lengths, side by side.

        Args:
            prompts: token ids, at least one each.
            max_new_tokens: tokens to add at most.
            temperature: above 1 bolder, below 1 more careful, 0 always the likeliest token (greedy).
            top_k: draw among the k likeliest tokens only.
            top_p: draw among the likeliest tokens that together have this probability.
            seed: of the dice.
            batch_size: prompts at a time.

        Raises:
            ValueError: a prompt is empty, or too long for the model.
        """
        import torch

        if any(len(prompt) == 0 for prompt in prompts):
            raise ValueError("a prompt has no tokens: a model needs at least one to write on from")
        longest = max(map(len, prompts), default=0)
        if longest >= self.context:
            raise ValueError(f"a prompt has {longest} tokens and {self.name} sees {self.context} at most: shorten it")
        torch.manual_seed(seed)
        found: list[Generated] = []
        for start in range(0, len(prompts), batch_size):
            batch = [list(prompt) for prompt in prompts[start : start + batch_size]]
            found += self._generate(batch, max_new_tokens, temperature, top_k, top_p)
        return found

    def _generate(
        self, batch: list[list[int]], max_new_tokens: int, temperature: float, top_k: int | None, top_p: float | None
    ) -> list[Generated]:
        import torch

        width = max(map(len, batch))
        pad, stops = self._pad_id(), self.stop_ids()
        filled = [[pad] * (width - len(ids)) + ids for ids in batch]  # on the left, so that all go on at the same place
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in batch]
        device = self.model.device
        with torch.inference_mode():
            out = cast(Any, self.model).generate(
                input_ids=torch.tensor(filled, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=max(1, min(max_new_tokens, self.context - width)),
                pad_token_id=pad,
                eos_token_id=stops,
                **self._sampling(temperature, top_k, top_p),
            )
        results = []
        for row in out[:, width:].tolist():
            end = next((at for at, token in enumerate(row) if token in stops), None)
            ids = row if end is None else row[: end + 1]
            results.append(Generated(str(self.tokenizer.decode(ids, skip_special_tokens=True)), ids, end is not None))
        return results

    def stream(self, messages: Messages | str, max_new_tokens: int = 200, **options: Any) -> Iterator[str]:
        """Answer in a chat, piece by piece as it is written.

        Args: as in reply.

        Yields:
            pieces of text, whole words as far as possible.
        """
        from threading import Thread

        import torch
        from transformers import TextIteratorStreamer

        ids = torch.tensor([self.chat_ids(messages)], device=self.model.device)
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        torch.manual_seed(options.pop("seed", 0))
        settings = self._sampling(**{"temperature": 0.0, "top_k": None, "top_p": None} | options)
        errors: list[BaseException] = []

        def write() -> None:
            try:
                cast(Any, self.model).generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=max(1, min(max_new_tokens, self.context - ids.size(1))),
                    pad_token_id=self._pad_id(),
                    eos_token_id=self.stop_ids(),
                    streamer=streamer,
                    **settings,
                )
            except (
                BaseException
            ) as error:  # raised again below: a thread would swallow it, and the reader wait for ever
                errors.append(error)
                streamer.end()

        writer = Thread(target=write, daemon=True)
        writer.start()
        yield from streamer
        writer.join()
        if errors:
            raise errors[0]

    def next_tokens(self, ids: Sequence[int]) -> Any:
        """The model's bets on the next token: probabilities (vocab_size,), on the CPU in float32.

        Args:
            ids: the tokens so far, from ids() or chat_ids().
        """
        import torch

        with torch.inference_mode():
            logits = self.model(input_ids=torch.tensor([list(ids)], device=self.model.device)).logits[0, -1]
        return logits.float().cpu().softmax(dim=-1)

    def _pad_id(self) -> int:
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.stop_ids()[0])

    @staticmethod
    def _sampling(temperature: float, top_k: int | None, top_p: float | None) -> dict[str, Any]:
        from workshop_utils.sampling import check_sampling

        check_sampling(temperature, top_k, top_p)
        if temperature == 0:
            return {"do_sample": False, "temperature": None, "top_k": None, "top_p": None}
        # transformers draws among 50 tokens unless it is told not to
        return {"do_sample": True, "temperature": temperature, "top_k": top_k or 0, "top_p": top_p or 1.0}


def pair(profile_name: str) -> tuple[str, str]:
    """The names of the base model and the instruction-tuned model of a profile.

    Args:
        profile_name: "pocket", "t4" or "big". On a T4 it is Gemma 2 2B where its licence can have been accepted
            (there is a token for the hub, or WORKSHOP_HUB holds both), else Qwen2.5 1.5B, which asks for nothing.
    """
    from workshop_utils.profiles import has_token, hub_folder

    if profile_name != "t4":
        return PAIRS[profile_name]
    local = hub_folder()
    gemma = has_token() if local is None else all((local / name).is_dir() for name in GEMMA)
    return GEMMA if gemma else PAIRS["t4"]


def load(name: str, profile: Profile, quantisation: Any = None, dtype: Any = None) -> LanguageModel:
    """Load a model and its tokenizer, ready to generate.

    Args:
        name: "pocket-base", "pocket-instruct", or a name of the hub; WORKSHOP_HUB/name comes first if it is set.
        profile: says on which device and in which precision.
        quantisation: a quantization_config of transformers; None loads plain weights.
        dtype: of the weights that are not quantised; by the profile if None.

    Raises:
        ModelUnavailable: it cannot be had: no network, no licence, no token, or no such model.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    source = _source(name)
    options: dict[str, Any] = {"dtype": dtype or _dtype(profile, torch)}
    if quantisation is not None:
        options |= {"quantization_config": quantisation, "device_map": {"": profile.device}}
    try:
        options["attn_implementation"] = attention(AutoConfig.from_pretrained(source).model_type)
        tokenizer = AutoTokenizer.from_pretrained(source)
        with _no_bar(name in POCKET):  # four megabytes need no progress bar, four gigabytes do
            model = cast(Any, AutoModelForCausalLM.from_pretrained(source, **options))
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelUnavailable(_why(name, source, error)) from error
    if quantisation is None:
        model = model.to(profile.device)
    return LanguageModel(name, model.eval(), tokenizer, source)


@contextmanager
def _no_bar(hidden: bool) -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    if hidden:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if hidden and shown:
            logging.enable_progress_bar()


def attention(model_type: str) -> str:
    """The attention to ask transformers for: "eager" for Gemma 2, since SDPA cannot soft-cap, else "sdpa"."""
    return "eager" if model_type == "gemma2" else "sdpa"


def release() -> str:
    """Give back the memory of models that nothing refers to any more (del them first), and say what is left in use."""
    import torch

    from workshop_utils.profiles import memory_in_use

    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return memory_in_use()


def _source(name: str) -> str:
    from workshop_utils.profiles import hub_folder

    if name in POCKET:
        return str(POCKET[name])
    local = hub_folder()
    if local is None:
        return name
    if not (local / name).is_dir():
        raise ModelUnavailable(
            f"WORKSHOP_HUB is set, but it holds no {name}: copy the model's files to {local / name}, or unset "
            "WORKSHOP_HUB to fetch it from the hub"
        )
    return str(local / name)


def _dtype(profile: Profile, torch: Any) -> Any:
    """The profile's precision, but float32 on a CPU: for one token at a time its 16-bit products gain nothing."""
    return torch.float32 if profile.device == "cpu" else getattr(torch, profile.dtype)


def _why(name: str, source: str, error: Exception) -> str:
    """One sentence for a learner: what is wrong, why, what to do."""
    import os

    from workshop_utils.profiles import hub_reachable

    pocket = "or take the pocket profile, WORKSHOP_PROFILE=pocket, which needs no network"
    if Path(source).is_dir():
        return f"{name} cannot be loaded from {source} ({_first_line(error)}): copy or install it again, {pocket}"
    text = f"{type(error.__cause__).__name__} {error}"
    if "gated" in text.lower() or "403" in text or "401" in text:
        token = "with the token in HF_TOKEN" if os.environ.get("HF_TOKEN") else "without a token"
        licence = (
            f"accept its licence at https://huggingface.co/{name}" if name.startswith(LICENSED) else "check its page"
        )
        return (
            f"the hub does not give {name} {token}: {licence}, make a token at https://huggingface.co/settings/tokens, "
            f"put it into HF_TOKEN (an expired one is refused, too) and run this cell again; without a token the "
            f"lessons take Qwen2.5; {pocket}"
        )
    reachable, reason = hub_reachable()
    if not reachable:
        return f"{name} is not on this machine and cannot be fetched ({reason}): go online, {pocket}"
    return f"{name} cannot be loaded from the hub ({_first_line(error)}): check the name, {pocket}"


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
