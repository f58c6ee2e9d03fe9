"""A language model behind an address as a judge: OpenAI's, or any server that speaks its protocol.

llama.cpp's server, Ollama and vLLM on this machine need no key and cost nothing. For the others the key comes from the
environment and is kept nowhere, and nothing is spent before somebody has said yes. Retries, growing pauses and timeouts
are the openai client's.
"""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from textwrap import shorten
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from workshop_utils.evaluate.judges import Judgement, Rubric, parse

if TYPE_CHECKING:
    from workshop_utils.machine.profiles import Profile

KEY = "OPENAI_API_KEY"
OPTIONS: dict[str, Any] = {"temperature": 0, "max_tokens": 16}
TIMEOUT, RETRIES = 60.0, 3  # seconds for one reply; further attempts after a timeout, a lost connection, 429 or 5xx
BYTES_PER_TOKEN = 2  # of English it is 4 and more in a large vocabulary: the estimate should rather be too high
TOKENS_OF_TEMPLATE = 20  # what a server puts around a question


class JudgeError(RuntimeError):
    """A judge cannot be asked; the message says what is wrong, why, and what to do."""


def ask_person(question: str) -> bool:
    """Ask the person at the keyboard; anything but y or yes is a no, and so is a notebook that nobody watches."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, OSError, NotImplementedError):  # what input() raises where there is no keyboard
        return False


class EndpointJudge:
    """A model behind an OpenAI-compatible address.

    What it has once been asked is remembered: a comparison that broke off goes on where it stopped, and costs nothing
    twice.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        profile: Profile,
        prices: tuple[float, float] | None = None,
        options: dict[str, Any] | None = None,
        confirm: Callable[[str], bool] = ask_person,
    ) -> None:
        """Check everything that can be checked without a connection.

        Args:
            base_url: such as "http://127.0.0.1:8080/v1" or "https://api.openai.com/v1".
            model: as the server calls it; its name in tables and pictures, too.
            profile: pocket opens no connection to other machines.
            prices: of a million tokens, in and out; (0, 0) for free. Needed for every server on another machine.
            options: further arguments of a request, over OPTIONS; None takes one away. Models that think first want
                {"temperature": None, "max_tokens": None, "max_completion_tokens": 2000}.
            confirm: gets a question about money; only True spends it.

        Raises:
            ValueError: the address, a price or an option makes no sense.
            JudgeError: the profile forbids the connection, or there is no key in OPENAI_API_KEY.
        """
        self.base_url, self.local = _checked_url(base_url)
        self.name = self.model = model
        host = urlsplit(self.base_url).netloc
        if not self.local and profile.name == "pocket":
            raise JudgeError(
                f"the pocket profile opens no connection to other machines, and {host} is one: take a server on this "
                "machine (http://127.0.0.1:...), ClassifierJudge, or another profile"
            )
        if (prices is None and not self.local) or any(not 0 <= price < math.inf for price in prices or ()):
            raise ValueError(f"prices are {prices}: {host} may cost money, so give those of a million tokens, or 0, 0")
        self.prices = prices or (0.0, 0.0)
        self.options = {name: value for name, value in {**OPTIONS, **(options or {})}.items() if value is not None}
        self._most = int(self.options.get("max_completion_tokens", self.options.get("max_tokens", 0)))
        if self.prices[1] and not self._most:
            raise ValueError("options limit neither max_tokens nor max_completion_tokens, so it could cost any sum")
        if not self.local and not self._key():
            raise JudgeError(
                f"{host} wants a key and the environment variable {KEY} is empty: set it before Jupyter starts, or put "
                "it into Colab's secrets (the key on the left); never write it into a cell"
            )
        self.rubric, self.confirm = Rubric(), confirm
        self._judgements: dict[str, Judgement] = {}
        self._paid: set[str] = set()  # questions that somebody has agreed to pay for

    def prepare(self, prompts: Sequence[str], a: Sequence[str], b: Sequence[str]) -> None:
        """Ask for the money of a whole comparison at once; compare calls it before the first question.

        Args:
            prompts: what was asked.
            a: one answer to each.
            b: the other answer to each.

        Raises:
            JudgeError: it was not confirmed.
        """
        rows = list(zip(prompts, a, b, strict=True))
        self._pay(self.rubric.asked(p, *pair) for p, x, y in rows for pair in ((x, y), (y, x)))

    def judge(self, prompt: str, first: str, second: str) -> Judgement:
        """Ask the model once.

        Args:
            prompt: the complaint.
            first: shown as A.
            second: shown as B.

        Returns:
            its judgement; with winner None if it said something else than A, B or tie, or nothing at all.

        Raises:
            JudgeError: it cannot be asked, or its cost was not confirmed.
        """
        question = self.rubric.asked(prompt, first, second)
        if question not in self._judgements:
            self._pay([question])
            said, problem = self._ask(question)
            if problem:  # outside of any except: an error of the client knows its request, and that knows the key
                raise JudgeError(f"{self.base_url}: {self._shown(problem)}")
            self._judgements[question] = Judgement(parse(said), self._shown(said) or "(no text)")
        return self._judgements[question]

    def _pay(self, questions: Iterable[str]) -> None:
        """Ask for the money of what is new among questions; retries are not in the estimate."""
        new = set(questions) - self._judgements.keys() - self._paid
        tokens_in = sum(-(-len(text.encode()) // BYTES_PER_TOKEN) + TOKENS_OF_TEMPLATE for text in new)
        tokens_out = len(new) * self._most
        money = (tokens_in * self.prices[0] + tokens_out * self.prices[1]) / 1e6
        cost = (
            f"{len(new):,} requests, {tokens_in:,} tokens in and {tokens_out:,} out: {money:.4f} in the currency of "
            "the prices"
        )
        if money and self.confirm(f"{self.model} at {self.base_url}: at most about {cost}. Spend it?") is not True:
            raise JudgeError(
                f"{cost}: that was not confirmed, so nothing was sent. Run the cell again and answer y, or pass "
                "confirm=lambda question: True where nobody can be asked"
            )
        self._paid |= new

    @cached_property
    def _http(self) -> Any:
        """Connections, without the key: openai's own client would hold it."""
        import openai

        # No proxy stands between this machine and itself, and nobody may send a key on to another address.
        return openai.DefaultHttpxClient(trust_env=not self.local, follow_redirects=False)

    def _ask(self, question: str) -> tuple[str, str]:
        """What the model said, and, where it cannot be asked, why."""
        import openai

        settings = {"timeout": TIMEOUT, "max_retries": RETRIES, "http_client": self._http}
        client = openai.OpenAI(api_key=self._key() or "none", base_url=self.base_url, **settings)  # it insists on a key
        messages: Any = [{"role": "user", "content": question}]
        try:
            answer: Any = client.chat.completions.create(model=self.model, messages=messages, **self.options)
        except (openai.OpenAIError, TypeError) as error:
            return "", self._why(error)
        except (ValueError, RecursionError):  # JSON that is none
            answer = None
        try:  # the client checks no types
            said = answer.choices[0].message.content or answer.choices[0].message.refusal or ""
        except (AttributeError, LookupError, TypeError):
            said = None
        if not isinstance(said, str):
            return "", "it answers, but not with a chat completion: most addresses end in /v1; look at base_url"
        return said, ""

    def _key(self) -> str:
        return "" if self.local else os.environ.get(KEY, "").strip()

    def _shown(self, text: str) -> str:
        """A text of the server without the key, should it repeat that."""
        key = self._key()
        return shorten(text.replace(key, "***") if key else text, 400, placeholder=" ...")

    def _why(self, error: Exception) -> str:
        """What to do about an error of the client, with what the server said."""
        import openai

        again = "what was answered so far is kept, so run the comparison again"
        advice = {
            openai.APITimeoutError: f"no answer in {TIMEOUT:g} s, {RETRIES + 1} times: take a smaller model; {again}",
            openai.APIConnectionError: f"nothing answers there: start the server, look at port and network; {again}",
            openai.AuthenticationError: f"it refuses the key in {KEY} (no key is sent to a server on this machine)",
            openai.PermissionDeniedError: f"the key in {KEY} is not allowed {self.model}",
            openai.NotFoundError: f"it knows no model {self.model!r}, or the address is wrong: most end in /v1",
            openai.RateLimitError: f"it allows no more requests for now, or the credit is used up: wait; {again}",
            openai.InternalServerError: f"it fails itself: look at its log, or try it later; {again}",
        }
        found = next((text for kind, text in advice.items() if isinstance(error, kind)), "")
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return f"{found} ({error.status_code})"  # what it says itself may repeat parts of the key
        return f"{found or 'it cannot be asked: change base_url, options or the texts'} ({error})"


def judge_from_environment(profile: Profile) -> EndpointJudge | None:
    """The judge named by environment variables, or None.

    WORKSHOP_JUDGE_URL and WORKSHOP_JUDGE_MODEL say which; WORKSHOP_JUDGE_PRICES what a million tokens cost, in and out,
    as in "0.15,0.60" ("0,0" for free), and may be left out for a server on this machine.

    Args:
        profile: as in EndpointJudge.

    Raises:
        ValueError: the model is missing, or the prices are no two numbers; or as in EndpointJudge.
        JudgeError: as in EndpointJudge.
    """
    url, model, prices = (os.environ.get(f"WORKSHOP_JUDGE_{name}", "") for name in ("URL", "MODEL", "PRICES"))
    if not url:
        return None
    if not model:
        raise ValueError(f"WORKSHOP_JUDGE_URL is {url!r}, and WORKSHOP_JUDGE_MODEL does not say which model to ask")
    try:
        parts = [float(part) for part in prices.split(",")] if prices else None
        if parts is not None and len(parts) != 2:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"WORKSHOP_JUDGE_PRICES is {prices!r}: write what a million tokens cost, in and out, as in 0.15,0.60"
        ) from None
    try:
        return EndpointJudge(url, model, profile, (parts[0], parts[1]) if parts else None)
    except (ValueError, JudgeError) as error:  # which knows nothing of the variables
        raise type(error)(f"WORKSHOP_JUDGE_URL, _MODEL or _PRICES: {error}") from None


def _checked_url(url: str) -> tuple[str, bool]:
    """The address without a slash at the end, and whether it is this machine's; ValueError where it is none."""
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
            f"put the key into {KEY}"
        )
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        local = host == "localhost"
    if parts.scheme == "http" and not local:
        raise ValueError(f"base_url is {url!r}: over http everybody on the way can read the key; write https")
    return url.strip().rstrip("/"), local
