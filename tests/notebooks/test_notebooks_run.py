"""Every lesson in the pocket profile without a network, with right answers of another form.

`make workshop` runs this path at full length and untouched, and test_rehearsal.py the answers; so `make test` leaves
these out, and `make test PYTEST_ARGS="-m solved"` runs them.
"""

import os
import socket
import subprocess
import sys

import pytest
from lesson_runs import LESSONS, OFFLINE, Ask, Executed

MAX_PEAK_MB = 3000
ATTEMPTS = """
import asyncio, requests, socket, urllib.request
for attempt in (
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
    lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)),
    lambda: socket.getaddrinfo("huggingface.co", 443),
    lambda: socket.gethostbyname("huggingface.co"),
    lambda: urllib.request.urlopen("https://huggingface.co", timeout=1),
    lambda: requests.get("http://192.0.2.1", timeout=1),
    lambda: asyncio.run(asyncio.open_connection("192.0.2.1", 80)),
):
    try:
        attempt()
    except Exception as error:
        assert "refused by the test" in str(error), error
    else:
        raise AssertionError("it was let through")
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(("localhost", here.getsockname()[1]))
socket.getaddrinfo("::1", 1)
"""
# Looked up, and refused: what this machine is called, by torchrun.
ASKED = {"06": {repr(socket.gethostname())}}


def test_the_machine_without_a_network_talks_to_itself_only():
    subprocess.run([sys.executable, "-c", ATTEMPTS], env={**os.environ, "PYTHONPATH": OFFLINE}, check=True)


@pytest.mark.lessons
@pytest.mark.solved
@pytest.mark.parametrize("ask", [("solved", number) for number in LESSONS], ids="-".join)
def test_a_lesson_runs_with_its_exercises_solved(ask: Ask, done: Executed):
    done.passed(MAX_PEAK_MB)
    assert done.refused <= ASKED.get(ask[1], set())
    done.solved()
