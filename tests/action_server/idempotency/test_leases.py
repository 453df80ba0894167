"""A run holds a lease: while it is renewed nobody else runs, and after it nobody calls it a success."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from action_server.errors import DatabaseError, OutcomeUnknownError, StillRunningError, StoreUnavailableError
from action_server.idempotency.rules import OnCrash
from action_server.idempotency.store import LEASE, IdempotencyStore
from action_server.protocol.answers import Answer
from tests.action_server.idempotency.store_fixtures import BOOKED, KEY, Clock, Job, Opening, call, rows

pytest_plugins = ["tests.databases", "tests.action_server.idempotency.store_fixtures"]


async def test_a_closing_store_lets_runs_end(store: IdempotencyStore, opened: Opening) -> None:
    """Within its grace; new calls are refused meanwhile, and repeats are not."""
    job = Job.held()
    first = asyncio.create_task(call(store, job))
    await job.running.wait()
    closing_store = asyncio.create_task(store.close(grace=30))
    await asyncio.sleep(0)

    with pytest.raises(StoreUnavailableError):
        await call(store, job, "b" * 64)
    repeat = asyncio.create_task(call(store, job))
    await asyncio.sleep(0)
    job.released.set()
    await closing_store

    assert await first == (BOOKED, False)
    assert await repeat == (BOOKED, True)
    assert await call(await opened(), job) == (BOOKED, True)


@pytest.mark.parametrize("on_crash", ["refuse", "rerun"])
async def test_a_run_that_was_cut_off_is_no_success(
    on_crash: OnCrash, store: IdempotencyStore, opened: Opening, clock: Clock
) -> None:
    """Until its lease is over it counts as running; then repeats are refused, or run where the rule says so."""
    job = Job.held()
    first = asyncio.create_task(call(store, job))
    await job.running.wait()
    await store.close(grace=0)
    with pytest.raises(OutcomeUnknownError, match="was cut off before"):
        await first
    job.released.set()
    second = await opened()

    clock.time += LEASE - 0.1
    with pytest.raises(StillRunningError):
        await call(second, job, wait=0, on_crash=on_crash)
    clock.time += 0.1
    if on_crash == "refuse":
        for _ in range(2):
            with pytest.raises(OutcomeUnknownError) as caught:
                await call(second, job)
            assert (caught.value.action, caught.value.key, caught.value.state) == ("action_book", KEY, "running")
        clock.time += 60 - LEASE
        assert await call(second, job) == (BOOKED, False)
    else:
        assert await call(second, job, on_crash=on_crash) == (BOOKED, False)
        assert await call(second, job) == (BOOKED, True)


async def test_a_long_run_renews_its_lease(store: IdempotencyStore, opened: Opening, clock: Clock) -> None:
    """However long it takes, it counts as alive, its lifetime over or not, and no sweep takes its row."""
    job, second = Job.held(), await opened()
    first = asyncio.create_task(call(store, job, ttl=1))
    await job.running.wait()

    for _ in range(3):
        clock.time += LEASE - 0.1
        await store.renew()
        assert await second.sweep() == 0
        with pytest.raises(StillRunningError):
            await call(second, Job(), wait=0, on_crash="rerun")
    job.released.set()

    assert await first == (BOOKED, False)
    assert await call(second, job) == (BOOKED, True)


async def test_a_store_keeps_its_house_by_itself(opened: Opening, caplog: pytest.LogCaptureFixture) -> None:
    """By the database's own clock: leases are renewed while a run lasts, and a failure of that is logged and no end."""
    lease = 0.3
    store, second = await opened(clock=None, lease=lease), await opened(clock=None, lease=lease)
    job = Job.held()
    failures = [DatabaseError()]

    async def sometimes(renew: Callable[[], Awaitable[None]] = store.renew) -> None:
        if failures:
            raise failures.pop()
        await renew()

    store.renew = sometimes  # type: ignore[method-assign]
    first = asyncio.create_task(call(store, job))
    await asyncio.sleep(3 * lease)
    with pytest.raises(StillRunningError):
        await call(second, Job(), wait=0, on_crash="rerun")
    job.released.set()

    assert await first == (BOOKED, False)
    assert [r.message for r in caplog.records if r.name.startswith("action_server")] == ["idempotent.upkeep_failed"]


async def test_who_lost_its_lease_overwrites_nothing(
    store: IdempotencyStore, opened: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    """A run taken for dead comes back: its caller gets its answer, everybody else the one of the second run."""
    slow, quick = Job.held(Answer([], [{"text": "slow"}])), Job()
    first = asyncio.create_task(call(store, slow))
    await slow.running.wait()
    second = await opened(clock=lambda: time.time() + LEASE + 1)
    assert await call(second, quick, on_crash="rerun") == (BOOKED, False)
    slow.released.set()

    assert await first == (slow.outcomes[0], False)
    assert await call(store, slow) == (BOOKED, True)
    assert [r.message for r in caplog.records] == ["idempotent.lease_lost"]


async def test_an_answer_is_forgotten_after_its_time(store: IdempotencyStore, clock: Clock, database_url: str) -> None:
    """The same call then runs again; a sweep deletes what is over, and nothing else."""
    job = Job()
    await call(store, job, ttl=60)
    await call(store, job, "b" * 64, ttl=120)
    clock.time += 59.9
    assert await call(store, job) == (BOOKED, True)
    assert await store.sweep() == 0
    clock.time += 0.1

    assert await call(store, job, ttl=10) == (BOOKED, False)
    clock.time += 10
    assert await store.sweep() == 1
    assert [key for key, *_ in await rows(database_url)] == ["b" * 64]
