"""A database that is down at the start is waited for; whatever else is wrong is said at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from action_server.errors import DatabaseError, SettingsError, StartupError
from action_server.runtime import patience
from action_server.runtime.patience import Patience, open_in_time


class Opening:
    """Fails so many times before it opens, with the error of the settings that the server would raise."""

    def __init__(self, failures: int, *, is_down: bool) -> None:
        self.attempts = 0
        self._failures = failures
        self._is_down = is_down

    async def __call__(self) -> str:
        self.attempts += 1
        if self.attempts > self._failures:
            return "open"
        try:
            raise DatabaseError("it is starting or stopping", is_down=self._is_down)
        except DatabaseError as exc:
            raise SettingsError("database", str(exc)) from exc


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 0.001)


async def test_a_database_that_comes_up_is_opened(caplog: pytest.LogCaptureFixture) -> None:
    """Each attempt is said, with what is wrong and when the next one is."""
    opening = Opening(3, is_down=True)

    with caplog.at_level(logging.WARNING):
        assert await Patience(60).wait_for(opening) == "open"

    assert opening.attempts == 4
    assert [record.message for record in caplog.records] == ["start.waiting"] * 3


@pytest.mark.parametrize(("is_down", "seconds"), [(False, 60.0), (True, 0.0)], ids=["refused", "no time"])
async def test_what_is_not_worth_waiting_for_is_raised_at_once(is_down: bool, seconds: float) -> None:
    """A wrong password does not get better, and a check of the services waits for nothing."""
    opening = Opening(1, is_down=is_down)

    with pytest.raises(SettingsError):
        await Patience(seconds).wait_for(opening)

    assert opening.attempts == 1


async def test_the_waiting_ends() -> None:
    """What was wrong at the last attempt is what the start fails with."""
    opening = Opening(10**9, is_down=True)

    with pytest.raises(SettingsError, match="it is starting or stopping"):
        await Patience(0.05).wait_for(opening)

    assert opening.attempts > 1


@asynccontextmanager
async def hanging() -> AsyncIterator[None]:
    await asyncio.Event().wait()
    yield


@asynccontextmanager
async def timing_out() -> AsyncIterator[None]:
    raise asyncio.TimeoutError("its own")
    yield


async def test_what_does_not_come_to_an_end_is_cut_and_its_line_named() -> None:
    """The supervisor would end the worker a moment later, and knows nothing of it."""
    line = hanging.__wrapped__.__code__.co_firstlineno + 2  # type: ignore[attr-defined]

    with pytest.raises(StartupError, match=rf"test_patience.py:{line}: does not come to an end"):
        async with open_in_time(hanging(), 0.0):
            pass


@pytest.mark.parametrize("seconds", [None, 60.0])
async def test_what_opens_in_time_is_opened_and_closed(seconds: float | None) -> None:
    """A time-out of its own is passed on as it is."""
    steps: list[str] = []

    @asynccontextmanager
    async def opening() -> AsyncIterator[str]:
        yield "open"
        steps.append("closed")

    async with open_in_time(opening(), seconds) as opened:
        steps.append(opened)

    assert steps == ["open", "closed"]
    with pytest.raises(asyncio.TimeoutError, match="its own"):
        async with open_in_time(timing_out(), seconds):
            pass
