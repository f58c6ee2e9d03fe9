"""A language model that can be asked: a transformers model and its tokenizer, and what lessons do with them.

models.py loads one; here it continues texts, answers in its chat template, and shows its probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from workshop_utils.chat import template
from workshop_utils.chat.template import Messages
from workshop_utils.gpt.config import Count, Seed, checked

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
        backend: what loaded it, "transformers" or "unsloth".
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: str = ""
    backend: str = "transformers"

    @property
    def context(self) -> int:
        """How many tokens it can look back at most."""
        return int(self.model.config.get_text_config().max_position_embeddings)  # nested where a model sees pictures

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return self.model.num_parameters()

    def gigabytes(self) -> float:
        """Memory of its weights, in GB (10^9 bytes)."""
        return self.model.get_memory_footprint() / 1e9

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
        """The tokens of a plain text, as the tokenizer begins them.

        Raises:
            ValueError: it is no valid Unicode.
        """
        if problem := template.unicode_problem(prompt):
            raise ValueError(f"the prompt {problem}")
        return list(self.tokenizer(prompt)["input_ids"])

    def chat_ids(self, messages: Messages | str) -> list[int]:
        """The tokens of a conversation, with the beginning of the model's turn."""
        said = template.conversation(messages) if isinstance(messages, str) else messages
        return template.prompt_ids(self.tokenizer, said)

    def stop_ids(self) -> list[int]:
        """The tokens at which it stops: what its generation config says, and what ends a turn in its template."""
        stops = self.model.generation_config.eos_token_id
        listed = [stops] if isinstance(stops, int) else list(stops or [])
        return sorted({*listed, *(template.stop_ids(self.tokenizer) if self.tokenizer.chat_template else [])})

    def generate(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int = 60,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        batch_size: int = 32,
        **more: Any,
    ) -> list[Generated]:
        """Continue prompts of any lengths, side by side.

        Args:
            prompts: token ids, at least one each.
            max_new_tokens: tokens to add at most; fewer where the model sees no more, and then `ended` is False.
            temperature: above 1 bolder, below 1 more careful, 0 always the likeliest token (greedy).
            top_k: draw among the k likeliest tokens only.
            top_p: draw among the likeliest tokens that together have this probability.
            seed: of the sampling; torch's global random state is the same before and after.
            batch_size: prompts at a time.
            more: for generate() of transformers, such as a streamer.

        Raises:
            ValueError: a prompt is empty, or too long for the model; or a setting is out of range.
        """
        import torch

        from workshop_utils.gpt.sampling import check_sampling

        checked("max_new_tokens", max_new_tokens, Count)
        checked("seed", seed, Seed)
        check_sampling(temperature, top_k, top_p)
        if not all(map(len, prompts)):
            raise ValueError("a prompt has no tokens: a model needs at least one to continue from")
        longest = max(map(len, prompts), default=0)
        if longest >= self.context:
            raise ValueError(f"a prompt has {longest} tokens and {self.name} sees {self.context} at most: shorten it")
        # Qwen2.5's own settings ask for a repetition penalty of 1.1: greedy would not be greedy.
        more |= {"pad_token_id": self._pad_id(), "eos_token_id": self.stop_ids(), "repetition_penalty": 1.0}
        if temperature == 0:
            more |= {"do_sample": False, "temperature": None, "top_k": None, "top_p": None}
        else:  # transformers draws among 50 tokens unless it is told not to
            more |= {"do_sample": True, "temperature": temperature, "top_k": top_k or 0, "top_p": top_p or 1.0}
        # With little room left a prompt goes alone: in a batch it would shorten the others' replies as well.
        room = self.context - max_new_tokens
        roomy = [i for i, prompt in enumerate(prompts) if len(prompt) <= room]
        batches = [roomy[start : start + batch_size] for start in range(0, len(roomy), batch_size)]
        batches += [[i] for i, prompt in enumerate(prompts) if len(prompt) > room]
        found: dict[int, Generated] = {}
        device = self.model.device  # a pocket model never wakes the GPU beside it
        with torch.inference_mode(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            for numbers in batches:
                made = self._batch([list(prompts[i]) for i in numbers], max_new_tokens, more)
                found |= dict(zip(numbers, made, strict=True))
        return [found[i] for i in range(len(prompts))]

    def _batch(self, prompts: list[list[int]], max_new_tokens: int, settings: dict[str, Any]) -> list[Generated]:
        import torch

        width = max(map(len, prompts))
        # filled up on the left, so that all of them go on at the same position
        filled = [[settings["pad_token_id"]] * (width - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        out = cast(Any, self.model).generate(
            input_ids=torch.tensor(filled, device=self.model.device),
            attention_mask=torch.tensor(mask, device=self.model.device),
            max_new_tokens=min(max_new_tokens, self.context - width),
            **settings,
        )
        results = []
        for row in out[:, width:].tolist():
            ends = [at for at, token in enumerate(row) if token in settings["eos_token_id"]]
            ids = row[: ends[0] + 1] if ends else row
            results.append(Generated(str(self.tokenizer.decode(ids, skip_special_tokens=True)), ids, bool(ends)))
        return results

    def stream(self, messages: Messages | str, max_new_tokens: int = 200, **options: Any) -> Iterator[str]:
        """Answer in a chat, piece by piece as it is written.

        Args:
            messages: as in reply.
            max_new_tokens: as in reply.
            options: as in reply.

        Yields:
            pieces of text, whole words as far as possible. Closing the generator stops generation.

        Raises:
            ValueError: as for reply and generate.
        """
        from threading import Event, Thread

        import torch
        from transformers import StoppingCriteriaList, TextIteratorStreamer

        prompt = self.chat_ids(messages)
        left = Event()  # nobody reads any more
        stop = StoppingCriteriaList([lambda ids, scores: torch.full(ids.shape[:1], left.is_set(), device=ids.device)])
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=True, skip_special_tokens=True)
        errors: list[BaseException] = []

        def write() -> None:
            try:
                self.generate([prompt], max_new_tokens, streamer=streamer, stopping_criteria=stop, **options)
            except BaseException as error:  # raised again below: the thread would swallow it, the reader wait for ever
                errors.append(error)
                streamer.end()

        writer = Thread(target=write, daemon=True)
        writer.start()
        try:
            yield from streamer
        finally:
            left.set()
            writer.join()
        if errors:
            raise errors[0]

    def next_tokens(self, ids: Sequence[int]) -> Any:
        """The model's probabilities for the next token, (vocab_size,), on the CPU in float32.

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
