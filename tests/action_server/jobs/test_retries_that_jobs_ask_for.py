"""A job says how it is to go on: later, held with all others of its name while a system is down, or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from action_server import GiveUp, RetryLater, current_job, job, later
from action_server.jobs.queue import JobQueue
from tests.action_server.jobs.running_jobs import ended, opened_queue, running

pytest_plugins = ["tests.databases"]


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[JobQueue]:
    """A queue by the real clock, whose leases are short."""
    async with opened_queue(database_url) as found:
        yield found


def lines(caplog: pytest.LogCaptureFixture, *events: str) -> list[str]:
    """Those of the log that are among the events, in their order."""
    return [record.getMessage() for record in caplog.records if record.getMessage() in events]


async def test_what_is_put_off_is_no_attempt(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """However often; the row has the author's words, the log no traceback."""
    attempts: list[int] = []

    @job(retries=0)
    async def work() -> None:
        attempts.append(current_job().attempt)
        if len(attempts) < 4:
            raise RetryLater("the calendar is busy", 0.01)

    caplog.set_level(logging.INFO)
    async with running(queue, work):
        await ended(queue, (await later(work)).id)

    assert attempts == [1, 1, 1, 1]
    postponed = [record for record in caplog.records if record.getMessage() == "job.postponed"]
    assert [(vars(one)["problem"], one.exc_info) for one in postponed] == [("the calendar is busy", None)] * 3


async def test_what_is_put_off_as_an_attempt_is_parked_in_the_end(queue: JobQueue) -> None:
    """After the retries of the job, at the pauses of the error."""
    attempts: list[int] = []

    @job(retries=1, backoff=3600)
    def work() -> None:
        attempts.append(current_job().attempt)
        raise RetryLater("it refuses the record", 0.01, is_attempt=True)

    async with running(queue, work):
        row = await ended(queue, (await later(work)).id, "parked")

    assert attempts == [1, 2]
    assert row["problem"] == "it refuses the record"


async def test_what_no_run_would_help_is_parked_at_once(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """In the author's words, and without a traceback."""

    @job
    async def work() -> None:
        raise GiveUp("the record is closed")

    async with running(queue, work):
        row = await ended(queue, (await later(work)).id, "parked")

    assert (row["attempt"], row["problem"]) == (1, "the record is closed")
    assert "Traceback" not in caplog.text


async def test_jobs_of_a_system_that_is_down_are_held(queue: JobQueue, caplog: pytest.LogCaptureFixture) -> None:
    """All of them, and those of other names not; then one finds out, and the rest follows."""
    asked: list[int] = []
    is_down = True
    now = most = 0

    @job
    async def tell(number: int) -> None:
        nonlocal now, most
        asked.append(number)
        if is_down:
            raise RetryLater("the CRM does not answer", 0.2, hold=True)
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1

    @job
    async def other() -> None:
        pass

    caplog.set_level(logging.INFO)
    async with running(queue, tell, other, concurrency=1):
        ordered = [await later(tell, number=number) for number in range(5)]
        while len(asked) < 2:
            await ended(queue, (await later(other)).id)
        is_down = False
        for one in ordered:
            await ended(queue, one.id)

    assert lines(caplog, "job.held", "job.resumed") == ["job.held", "job.held", "job.resumed"]
    assert len(asked) == 7
