"""Begins the lessons that the selected tests ask for before the first test runs, and lets their own tests come last."""

import pytest
from lesson_runs import Ask, Executed, Lessons

LESSONS = pytest.StashKey[Lessons]()


@pytest.fixture
def done(ask: Ask, request: pytest.FixtureRequest) -> Executed:
    """What came of the lesson that a test asks for."""
    return request.config.stash[LESSONS].result(*ask)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "browsers" not in config.option.markexpr:  # minutes each: only where they are asked for
        items[:] = [item for item in items if not item.get_closest_marker("browsers")]
    waiting = [item for item in items if "done" in getattr(item, "fixturenames", [])]
    items.sort(key=waiting.__contains__)
    for item in waiting:
        item.add_marker(pytest.mark.timeout(1800))  # the first of them may wait for all others


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = [item.callspec.params["ask"] for item in session.items if "done" in getattr(item, "fixturenames", [])]
    if wanted and not session.config.option.collectonly:
        session.config.stash[LESSONS] = Lessons(wanted)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if LESSONS in config.stash:
        for line in config.stash[LESSONS].close():
            terminalreporter.write_line(line)
