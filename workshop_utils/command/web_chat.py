"""The chat of `workshop chat` in a browser, by Gradio: `workshop chat --web`. It answers this computer alone.

The page keeps the conversation and sends it whole at each turn, as the terminal does; talk.py decides what still fits.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

from workshop_utils.command.talk import Talk

# Gradio's pages want scripts of their own in the page; nothing may come from, or go to, another computer.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'none'; base-uri 'self'"
EXAMPLE = "Tell me a story about a brave fox called Mia."


def gradio() -> Any:
    """Import Gradio, which then tells nobody that it runs.

    Raises:
        ModuleNotFoundError: it is not installed; with the cure.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # it is read when Gradio is imported
    try:
        return importlib.import_module("gradio")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error.name} is not installed: pip install 'slm-workshop[web]'") from error


def said_in(history: list[dict[str, Any]]) -> list[str]:
    """What user and model said in turn, from Gradio's messages; what was never answered is left out."""
    said: list[str] = []
    for message in history:
        content = message["content"]
        text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
        said = said[: len(said) // 2 * 2] if message["role"] == "user" else said
        if len(said) % 2 == (message["role"] == "assistant"):
            said = [*said, text.strip()]
    return said[: len(said) // 2 * 2]


def answering(talk: Talk) -> Callable[..., Iterator[str]]:
    """What Gradio calls for each turn, with a talk whose model and limits it takes over."""

    def answer(
        text: str, history: list[dict[str, Any]], temperature: float, top_k: float, system: str
    ) -> Iterator[str]:
        sampling = talk.sampling | {"temperature": temperature, "top_k": int(top_k or 0) or None}
        turn = replace(talk, said=said_in(history), forgotten=0, system=system.strip(), sampling=sampling)
        written = ""
        try:
            with closing(
                cast("Generator[str]", turn.ask(text))
            ) as pieces:  # Stop closes this generator, and with it the model's
                for piece in pieces:
                    written += piece
                    yield written
        except (ValueError, RuntimeError) as error:  # too long, or llama.cpp refuses: a sentence in either case
            raise gradio().Error(str(error), duration=None, print_exception=False) from error
        if turn.forgotten:
            gradio().Info(f"The oldest {turn.forgotten} exchanges no longer fit and are forgotten.")

    return answer


def page(talk: Talk) -> Any:
    """The page, a gradio.ChatInterface that is not started yet.

    Args:
        talk: says which model answers, and what the settings on the page begin with.
    """
    made = gradio()
    settings = [
        made.Slider(
            0,
            1.5,
            min(1.5, talk.sampling.get("temperature", 0.7)),
            step=0.1,
            label="Temperature",
            info="0: always the likeliest token",
        ),
        made.Number(
            talk.sampling.get("top_k") or 0,
            precision=0,
            minimum=0,
            label="Top-k",
            info="draw among the k likeliest tokens; 0: among all",
        ),
        made.Textbox(talk.system, label="Instruction", info='for all replies, such as "Talk like a pirate."'),
    ]
    return made.ChatInterface(
        answering(talk),
        chatbot=made.Chatbot(  # without the button that uploads a conversation
            label=talk.model.name, placeholder="Say something.", height="62vh", show_label=False, buttons=["copy"]
        ),
        textbox=made.Textbox(
            placeholder=EXAMPLE, label="Your message", show_label=False, submit_btn="Send", stop_btn="Stop"
        ),
        title=talk.model.name,
        description=f"{talk.model.n_parameters:,} parameters, on this computer. It remembers nothing: "
        "the whole conversation is sent again at each turn.",
        additional_inputs=settings,
        additional_inputs_accordion=made.Accordion("Settings", open=False),
        flagging_mode="never",
        analytics_enabled=False,
        cache_examples=False,
        show_progress="hidden",
    )


def launch(interface: Any, port: int | None = None, wait: bool = True) -> str:
    """Start the page on this computer.

    Args:
        interface: from page().
        port: None takes the first that is free from 7860 on.
        wait: until Ctrl-C.

    Returns:
        its address.

    Raises:
        OSError: the port is taken.
    """
    from fastapi.middleware import Middleware
    from fastapi.middleware.trustedhost import TrustedHostMiddleware

    # No page of another site that has itself resolved to this computer (DNS rebinding).
    ours = Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])
    soft = {"body_text_color_subdued": "*neutral_600", "body_text_color_subdued_dark": "*neutral_300"}  # readable
    soft |= {"block_info_text_color": "*neutral_600", "block_info_text_color_dark": "*neutral_300"}
    fonts = [gradio().themes.Font(name) for name in ("system-ui", "sans-serif")]
    mono = [gradio().themes.Font("ui-monospace"), gradio().themes.Font("monospace")]
    _, address, _ = interface.launch(
        server_name="127.0.0.1",
        server_port=port,
        share=False,
        quiet=True,
        inbrowser=wait and sys.stdout.isatty(),
        footer_links=[],
        ssr_mode=False,
        prevent_thread_lock=True,
        theme=gradio().themes.Base(primary_hue="blue", font=fonts, font_mono=mono).set(**soft),
        app_kwargs={"middleware": [ours, Middleware(_Policy)]},
    )
    if wait:
        print(f"{address}  (this computer alone). Ctrl-C ends it.", flush=True)
        try:
            interface.block_thread()
        finally:
            interface.close(verbose=False)
    return str(address)


class _Policy:
    """Adds POLICY to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self.app(scope, receive, sending)
