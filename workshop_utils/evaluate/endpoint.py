"""A language model behind an address as a judge: OpenAI's, or any server that speaks its protocol.

llama.cpp's server, Ollama and vLLM on this machine need no key and cost nothing. For the others the key comes from the
environment, is read anew for every request and kept nowhere, and nothing is spent before somebody has said yes.
"""

from __future__ import annotations

import ipaddress
import math
import os
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from workshop_utils.evaluate.judges import Rubric, Verdict, parse

if TYPE_CHECKING:
    import openai

    from workshop_utils.machine.profiles import Profile

OPTIONS: dict[str, Any] = {"temperature": 0, "max_tokens": 16}
BYTES_PER_TOKEN = 2  # of English it is 4 and more in a large vocabulary: the estimate should rather be too high
TOKENS_OF_TEMPLATE = 20  # what a server puts around a question
NO_KEY = "none"  # the client insists on one


class JudgeError(RuntimeError):
    """A judge cannot be asked; the message says what is wrong, why, and what to do."""


@dataclass(frozen=True)
class Estimate:
    """What a comparison takes, or took.

    Attributes:
        requests: questions to the server.
        tokens_in: tokens of the questions.
        tokens_out: tokens of the replies.
        money: in the currency of the prices.
    """

    requests: int
    tokens_in: int
    tokens_out: int
    money: float

    def __str__(self) -> str:
        return (
            f"{self.requests:,} requests, {self.tokens_in:,} tokens in and {self.tokens_out:,} out: {self.money:.4f} "
            "in the currency of the prices"
        )


def ask_person(question: str) -> bool:
    """Ask whoever sits at the keyboard; anything but y or yes is a no, and so is a notebook that nobody watches."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, OSError, NotImplementedError):  # what input() raises where there is no keyboard
        return False


class EndpointJudge:
    """A model behind an OpenAI-compatible address.

    What it has once been asked is remembered: a comparison that broke off goes on where it stopped, and costs nothing
    twice.

    Attributes:
        name: the model's, in tables and pictures.
        used: what the server says was used so far.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        profile: Profile,
        key_variable: str | None = None,
        price_in: float | None = None,
        price_out: float | None = None,
        rubric: Rubric | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        options: dict[str, Any] | None = None,
        confirm: Callable[[str], bool] = ask_person,
    ) -> None:
        """Check everything that can be checked without a connection.

        Args:
            base_url: such as "http://127.0.0.1:8080/v1" or "https://api.openai.com/v1".
            model: as the server calls it.
            profile: pocket opens no connection to other machines.
            key_variable: the environment variable that holds the key; None sends no key to a server on this machine
                and OPENAI_API_KEY to others, "" sends none.
            price_in: of a million tokens that are sent; 0 for free. Needed for every server on another machine.
            price_out: of a million tokens that come back.
            rubric: what is asked; the usual question if None.
            timeout: seconds to wait for one reply.
            retries: further attempts after a timeout, a lost connection, 429 or 5xx, at growing distances.
            options: further arguments of a request, over OPTIONS; None takes one away. Models that think first want
                {"temperature": None, "max_tokens": None, "max_completion_tokens": 2000}.
            confirm: gets a question about money; only True spends it.

        Raises:
            ValueError: the address, a price or an option makes no sense.
            JudgeError: the profile forbids the connection, or the key is not there.
        """
        self.base_url, self.local = _checked_url(base_url)
        self.name = self.model = model
        if not self.local and profile.name == "pocket":
            raise JudgeError(
                f"the pocket profile opens no connection to other machines, and {self._host} is one: take a server on "
                "this machine (http://127.0.0.1:...), ClassifierJudge or LocalJudge, or another profile"
            )
        self.key_variable = key_variable if key_variable is not None else "" if self.local else "OPENAI_API_KEY"
        if self.key_variable and not self.local and self.base_url.startswith("http:"):
            raise ValueError(
                f"base_url is {self.base_url!r}: over http everybody on the way can read the key. Write https, or "
                'key_variable="" where no key is needed'
            )
        self.price_in, self.price_out = (self._price(price) for price in (price_in, price_out))
        self.rubric, self.timeout, self.retries, self.confirm = rubric or Rubric(), timeout, retries, confirm
        self.options = {name: value for name, value in {**OPTIONS, **(options or {})}.items() if value is not None}
        self._most = self.options.get("max_completion_tokens", self.options.get("max_tokens"))
        if self._most is None and self.price_out:
            raise ValueError("options limit neither max_tokens nor max_completion_tokens, so it could cost any sum")
        self._key()
        self.used = Estimate(0, 0, 0, 0.0)
        self._verdicts: dict[str, Verdict] = {}
        self._allowed = 0
        self._http: Any = None

    def __repr__(self) -> str:
        return f"EndpointJudge({self.base_url!r}, {self.model!r})"

    def estimate(self, prompts: Sequence[str], a: Sequence[str], b: Sequence[str]) -> Estimate:
        """What compare(judge, prompts, a, b) takes at most, without what was asked already; retries are not in it.

        Args:
            prompts: what was asked.
            a: one answer to each.
            b: the other answer to each.
        """
        rows = zip(prompts, a, b, strict=True)
        both = (self.rubric.asked(*row) for p, x, y in rows for row in ((p, x, y), (p, y, x)))
        return self._estimate({question for question in both if question not in self._verdicts})

    def prepare(self, prompts: Sequence[str], a: Sequence[str], b: Sequence[str]) -> None:
        """Ask for the money of a whole comparison at once; compare calls it before the first question.

        Args:
            prompts: what was asked.
            a: one answer to each.
            b: the other answer to each.

        Raises:
            JudgeError: it was not confirmed.
        """
        self._confirm(self.estimate(prompts, a, b))

    def judge(self, prompt: str, first: str, second: str) -> Verdict:
        """Ask the model once.

        Args:
            prompt: the complaint.
            first: shown as A.
            second: shown as B.

        Returns:
            its verdict; with winner None if it said something else than A, B or tie, or nothing at all.

        Raises:
            JudgeError: it cannot be asked, or its cost was not confirmed.
        """
        question = self.rubric.asked(prompt, first, second)
        if question not in self._verdicts:
            if self._costs and self._allowed < 1:
                self._confirm(self._estimate({question}))
            self._allowed -= 1
            self._verdicts[question] = self._read(self._ask(question))
        return self._verdicts[question]

    # --- money

    @property
    def _costs(self) -> bool:
        return self.price_in > 0 or self.price_out > 0

    def _price(self, price: float | None) -> float:
        if price is None and self.local:
            return 0.0
        if price is None or not 0 <= price < math.inf:
            raise ValueError(
                f"a price is {price}: give price_in and price_out of a million tokens, as the price list of "
                f"{self._host} says (0 where it is free), so that the cost can be estimated before it is spent"
            )
        return price

    def _money(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6

    def _estimate(self, questions: set[str]) -> Estimate:
        sizes = (math.ceil(len(question.encode()) / BYTES_PER_TOKEN) for question in questions)
        tokens_in, tokens_out = sum(size + TOKENS_OF_TEMPLATE for size in sizes), len(questions) * int(self._most or 0)
        return Estimate(len(questions), tokens_in, tokens_out, self._money(tokens_in, tokens_out))

    def _confirm(self, cost: Estimate) -> None:
        self._allowed = 0
        if (
            self._costs
            and cost.requests
            and self.confirm(f"{self.model} at {self._host}: at most about {cost}. Spend it?") is not True
        ):
            raise JudgeError(
                f"{cost}: that was not confirmed, so nothing was sent. Run the cell again and answer y, or pass "
                "confirm=lambda question: True where nobody can be asked"
            )
        self._allowed = cost.requests

    # --- the connection

    @property
    def _host(self) -> str:
        return urlsplit(self.base_url).netloc

    def _key(self) -> str:
        """The key, straight from the environment."""
        if not self.key_variable:
            return NO_KEY
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise JudgeError(
                f"{self._host} wants a key and the environment variable {self.key_variable} is empty: set it before "
                "Jupyter starts, or put it into Colab's secrets (the key on the left); never write it into a cell"
            )
        return key

    def _scrubbed(self, text: str) -> str:
        """A text of the server without the key, should it repeat that."""
        key = os.environ.get(self.key_variable, "").strip() if self.key_variable else ""
        return shorten(text.replace(key, "***") if key else text, 300, placeholder=" ...")

    def _client(self) -> openai.OpenAI:
        import openai

        if self._http is None:
            # No proxy stands between this machine and itself, and nobody may send a key on to another address.
            self._http = openai.DefaultHttpxClient(trust_env=not self.local, follow_redirects=False)
            weakref.finalize(self, self._http.close)
        return openai.OpenAI(
            api_key=self._key(),
            base_url=self.base_url,
            timeout=self.timeout,
            max_retries=self.retries,
            http_client=self._http,
        )

    def _ask(self, question: str) -> Any:
        """The server's answer.

        Raises:
            JudgeError: outside of the except, so that no error which knows the request with its key hangs on to it.
        """
        import openai

        problem, client = "", self._client()
        try:
            messages: Any = [{"role": "user", "content": question}]
            return client.chat.completions.create(model=self.model, messages=messages, **self.options)
        except openai.OpenAIError as error:
            problem = self._why(error)
        except ValueError:  # JSON that is none
            problem = self._no_json()
        except TypeError as error:
            problem = f"options are {self.options}, and the openai client refuses them ({error}): take one away"
        raise JudgeError(problem)

    def _read(self, answer: Any) -> Verdict:
        choices = getattr(answer, "choices", None)
        if not isinstance(choices, list):
            raise JudgeError(self._no_json())
        if answer.usage is not None:
            spent = (answer.usage.prompt_tokens or 0, answer.usage.completion_tokens or 0)
            tokens_in, tokens_out = self.used.tokens_in + spent[0], self.used.tokens_out + spent[1]
            self.used = Estimate(self.used.requests + 1, tokens_in, tokens_out, self._money(tokens_in, tokens_out))
        message = choices[0].message if choices else None
        if message is None or not isinstance(message.content, str) or not message.content.strip():
            reason = choices[0].finish_reason if choices else "no choices"
            return Verdict(None, self._scrubbed(f"(no text: {getattr(message, 'refusal', None) or reason})"))
        return Verdict(parse(message.content), self._scrubbed(message.content))

    def _no_json(self) -> str:
        return (
            f"{self.base_url} answers, but not with a chat completion: it is no OpenAI-compatible address. Most end in "
            "/v1; look at base_url"
        )

    def _why(self, error: openai.OpenAIError) -> str:
        """One sentence for a learner. What a server writes about a refused key is left out: it may hold the key."""
        import openai

        server, attempts = self.base_url, f"{self.retries + 1} attempts"
        said = self._scrubbed(str(getattr(error, "message", error)))
        if isinstance(error, openai.APITimeoutError):
            return (
                f"{server} did not answer within {self.timeout:g} s in {attempts}: raise timeout, or take a smaller "
                "model; what was answered so far is kept, so run the comparison again"
            )
        if isinstance(error, openai.APIConnectionError):
            start = "start the server and look at the port" if self.local else "look at the address and the network"
            return f"nothing answers at {server} in {attempts}: {start}, then run the comparison again"
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            key = (
                f"the key in {self.key_variable}" if self.key_variable else "a request without a key (see key_variable)"
            )
            return (
                f"{server} refuses {key} ({error.status_code}): check that it is whole, valid and allowed {self.model}"
            )
        if isinstance(error, openai.NotFoundError):
            return (
                f"{server} knows no model {self.model!r}, or the address is wrong (404: {said}): look up the model's "
                "name there, and end base_url in /v1"
            )
        if isinstance(error, openai.RateLimitError):
            return f"{server} allows no more requests for now, or the credit is used up (429, {attempts}: {said}): wait"
        if isinstance(error, openai.InternalServerError):
            return f"{server} fails itself ({error.status_code}, {attempts}: {said}): look at its log, or try it later"
        if isinstance(error, openai.APIStatusError):
            return f"{server} refuses the request ({error.status_code}: {said}): change base_url, options or the texts"
        return f"{server} cannot be asked ({type(error).__name__}: {said}): look at base_url and options"


def judge_from_environment(profile: Profile) -> EndpointJudge | None:
    """The judge that environment variables name, None where none is named.

    WORKSHOP_JUDGE_URL and WORKSHOP_JUDGE_MODEL say which; WORKSHOP_JUDGE_PRICES what a million tokens cost, in and out,
    as in "0.15,0.60" ("0,0" for free), and may be left out for a server on this machine.

    Args:
        profile: as in EndpointJudge.

    Raises:
        ValueError: the model is missing, or the prices are no two numbers; or as in EndpointJudge.
        JudgeError: as in EndpointJudge.
    """
    url, model = os.environ.get("WORKSHOP_JUDGE_URL", ""), os.environ.get("WORKSHOP_JUDGE_MODEL", "")
    if not url:
        return None
    if not model:
        raise ValueError(
            f"WORKSHOP_JUDGE_URL is {url!r}, and WORKSHOP_JUDGE_MODEL does not say which model to ask there"
        )
    prices = os.environ.get("WORKSHOP_JUDGE_PRICES", "")
    try:
        price_in, price_out = (float(part) for part in prices.split(",")) if prices else (None, None)
    except ValueError:
        raise ValueError(
            f"WORKSHOP_JUDGE_PRICES is {prices!r}: write what a million tokens cost, in and out, as in 0.15,0.60"
        ) from None
    try:
        return EndpointJudge(url, model, profile, price_in=price_in, price_out=price_out)
    except (ValueError, JudgeError) as error:  # which knows nothing of the variables
        raise type(error)(f"WORKSHOP_JUDGE_URL, _MODEL or _PRICES: {error}") from None


def _checked_url(url: str) -> tuple[str, bool]:
    """The address without a slash at the end, and whether it is this machine's.

    Raises:
        ValueError: it is no address, or holds a password or a key.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:  # brackets or a port that make no sense
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError('base_url is no address: write it like "http://127.0.0.1:8080/v1"')
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(
            f"base_url has more than an address in it (at {host}): a name, a password or a key there would be printed; "
            "put the key into an environment variable and name that in key_variable"
        )
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        local = host == "localhost"
    return url.strip().rstrip("/"), local
