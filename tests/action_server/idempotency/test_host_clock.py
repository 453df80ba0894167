"""What a SQLite file holds goes by a time that a clock which is set anew does not move."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from action_server.database import Database
from action_server.errors import StillRunningError
from action_server.idempotency import host_clock
from action_server.idempotency.store import IdempotencyStore
from action_server.idempotency.unfinished import list_unfinished
from action_server.jobs import table
from action_server.jobs.queue import JobQueue
from tests.action_server.idempotency.store_fixtures import BOOKED, Job, call
from tests.action_server.jobs.job_fixtures import order

DAY = 86_400.0

pytestmark = pytest.mark.skipif(not host_clock._BOOT.exists(), reason="only Linux tells one boot from another")


def move_the_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)


@pytest.mark.parametrize("seconds", [2 * DAY, -2 * DAY], ids=["ahead", "back"])
async def test_a_clock_that_is_set_anew_lets_nothing_run_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Neither what runs, for a worker that starts afterwards as well, nor what has its answer; and nothing is swept."""
    file = tmp_path / "answers.sqlite3"
    first = await IdempotencyStore.open(file)
    held, done = Job.held(), Job()
    running = asyncio.create_task(call(first, held, ttl=DAY))
    await held.running.wait()
    await call(first, done, "b" * 64, ttl=DAY)

    move_the_clock(monkeypatch, seconds)
    second = await IdempotencyStore.open(file)
    with pytest.raises(StillRunningError):
        await call(second, Job(), wait=0, on_crash="rerun")
    assert await call(second, done, "b" * 64) == (BOOKED, True)
    assert await second.sweep() == 0
    database = await Database.open(file, lambda _: None)
    assert [one.state for one in await list_unfinished(database)] == ["running"]

    held.released.set()
    await running
    await asyncio.gather(first.close(), second.close(), database.close())


async def test_a_job_is_due_when_its_delay_is_over_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waits an hour is not due at once, and what runs is nobody else's to take over."""
    database = await Database.open(tmp_path / "jobs.sqlite3", table.metadata.create_all)
    queue = JobQueue(database, clock=await host_clock.host_clock(database))
    await queue.enqueue(order("now"))
    await queue.enqueue(order("later", delay=3600.0, deadline=DAY))
    assert len(await queue.claim(["now"], 1)) == 1

    move_the_clock(monkeypatch, 2 * DAY)
    other = JobQueue(database, clock=await host_clock.host_clock(database))

    assert await other.claim(["now", "later"], 2) == []
    await database.close()


async def test_after_a_boot_it_is_what_the_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The monotonic clock began anew, and what was agreed on before is worth nothing."""
    database = await Database.open(tmp_path / "answers.sqlite3", lambda _: None)
    before = await host_clock.host_clock(database)
    move_the_clock(monkeypatch, DAY)
    monkeypatch.setattr(host_clock, "_boot", lambda: "another boot")
    looked = await host_clock.host_clock_as_agreed(database)
    after = await host_clock.host_clock(database)

    assert before is not None
    assert after is not None
    assert looked is time.time
    assert after() - before() == pytest.approx(DAY, abs=60)
    await database.close()


async def test_where_no_boot_is_told_it_is_the_hosts_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written down there."""
    database = await Database.open(tmp_path / "answers.sqlite3", lambda _: None)
    monkeypatch.setattr(host_clock, "_BOOT", tmp_path / "nothing")

    assert await host_clock.host_clock(database) is time.time
    assert await host_clock.host_clock_as_agreed(database) is time.time
    await database.close()
