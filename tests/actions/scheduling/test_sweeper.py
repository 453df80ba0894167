"""How the sweeper goes about; what it settles is tested with the backend, and between processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import svcs

from action_server import Database, RetryLater, keep_jobs
from action_server.jobs.asking import JobRun, running_job
from action_server.jobs.handover import Delivery
from action_server.jobs.keeping import kept_here
from action_server.jobs.origin import Origin
from action_server.jobs.runner import JobRunner
from action_server.runtime import services
from action_server.runtime.threads import ThreadPool
from actions.errors import OutcomeUnknownError, UnavailableError
from actions.scheduling.models import Patient
from actions.scheduling.sweeper import Sweep, settle, sweeping
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import NOW, FixedClock, open_synced
from tests.actions.crm.memory_crm import eventually
from tests.actions.scheduling.memory_calendar import MemoryCalendar
from tests.actions.scheduling.scheduling_contract import ELEVEN, HALF_PAST_TEN, TEN, key_of

LATER = timedelta(minutes=1)


@contextmanager
def run_of_a_job(attempt: int = 1) -> Iterator[None]:
    """Let a job run within the block, for the so many'th time in a row."""

    async def report(_part: float | None, _said: str) -> bool:
        return True

    run = JobRun("id", attempt, attempt, False, report, Delivery("id", "clinic.sweep", ""), Origin.here())
    token = running_job.set(run)
    try:
        yield
    finally:
        running_job.reset(token)


@pytest.fixture
def calendar() -> MemoryCalendar:
    return MemoryCalendar()


@pytest.fixture
async def backend(database: Path, calendar: MemoryCalendar, clock: FixedClock) -> AsyncIterator[SyncedBackend]:
    backend = await open_synced(database, calendar, clock=clock)
    yield backend
    await backend.close()


async def leave(backend: SyncedBackend, calendar: MemoryCalendar, *, arrived: bool) -> None:
    """Leave a pending record whose entry is in the calendar or not."""
    slot = TEN if arrived else HALF_PAST_TEN
    calendar.fail("write", OutcomeUnknownError("cut off"), after=arrived)
    calendar.fail("find", UnavailableError("down"))
    with pytest.raises(OutcomeUnknownError):
        await backend.book(key_of(f"the sender {slot}"), slot, Patient(f"the sender {slot}", "Erika Mustermann"))


async def test_a_sweep_settles_what_is_old_and_logs_it_without_the_patient(
    backend: SyncedBackend, calendar: MemoryCalendar, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A line for each record, with its reference and what became of it."""
    caplog.set_level(logging.INFO, "actions")
    await leave(backend, calendar, arrived=True)
    await leave(backend, calendar, arrived=False)
    clock.now += LATER
    await backend.book(key_of("young"), ELEVEN)

    assert await settle(backend) == Sweep(confirmed=1, cancelled=1)

    lines = [vars(record) for record in caplog.records if record.message == "booking.settled"]
    assert [(line["was"], line["state"]) for line in lines] == [("pending", "confirmed"), ("pending", "cancelled")]
    assert all(line["reference"].startswith("APT-") for line in lines)
    assert "Mustermann" not in str(lines)
    assert "sender" not in str(lines)
    assert await settle(backend) == Sweep()


async def test_any_number_may_sweep_at_once(
    database: Path, backend: SyncedBackend, calendar: MemoryCalendar, clock: FixedClock
) -> None:
    """Each record is settled by one of them."""
    await leave(backend, calendar, arrived=True)
    await leave(backend, calendar, arrived=False)
    clock.now += LATER
    others = [await open_synced(database, calendar, clock=clock) for _ in range(3)]

    sweeps = await asyncio.gather(*(settle(one) for one in (backend, *others)))

    assert sum(sweep.confirmed for sweep in sweeps) == sum(sweep.cancelled for sweep in sweeps) == 1
    assert sum(sweep.left for sweep in sweeps) == 0
    for other in others:
        await other.close()


async def test_one_record_that_cannot_be_settled_does_not_keep_the_others_waiting(
    backend: SyncedBackend, calendar: MemoryCalendar, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left, with a line in the log, and its time comes again."""
    await leave(backend, calendar, arrived=True)
    await leave(backend, calendar, arrived=False)
    clock.now += LATER
    calendar.fail("find", UnavailableError("the calendar cannot be reached"))

    assert await settle(backend) == Sweep(cancelled=1, left=1)
    [line] = [vars(record) for record in caplog.records if record.message == "booking.unsettled"]
    assert line["problem"] == "the calendar cannot be reached"
    assert await settle(backend) == Sweep()
    clock.now += LATER
    assert await settle(backend) == Sweep(confirmed=1)


async def test_a_sweep_that_leaves_something_comes_again_more_and_more_slowly(
    backend: SyncedBackend, calendar: MemoryCalendar, clock: FixedClock
) -> None:
    """Every five minutes in the end; one that leaves nothing is as any good run."""
    await leave(backend, calendar, arrived=True)
    for _ in range(6):
        calendar.fail("find", UnavailableError("down"))
    sweep, pauses = sweeping(backend), []
    for attempt in range(1, 7):
        clock.now += LATER
        with run_of_a_job(attempt), pytest.raises(RetryLater, match="1 appointments could not be settled") as caught:
            await sweep()
        assert (caught.value.is_attempt, caught.value.after, caught.value.hold) == (True, None, False)
        pauses.append(sweep.rules.pause(attempt))
    clock.now += LATER
    with run_of_a_job(7):
        await sweep()

    assert pauses == [20, 40, 80, 160, 300, 300]
    assert len(await backend.upcoming(f"the sender {TEN}", NOW)) == 1


async def test_a_ledger_that_does_not_answer_is_a_failure_as_well(
    backend: SyncedBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own words; of anything else, the platform knows only what it is."""

    async def fail(age: timedelta | None = None) -> list[object]:
        raise UnavailableError("the disk is full")

    monkeypatch.setattr(backend, "list_unsettled", fail)
    with run_of_a_job(), pytest.raises(RetryLater, match="the disk is full"):
        await sweeping(backend)()


async def test_a_worker_sweeps_by_itself(
    database: Path, backend: SyncedBackend, calendar: MemoryCalendar, clock: FixedClock
) -> None:
    """From its start on, also while the calendar hangs when it ends: the record is left for the next one then."""
    await leave(backend, calendar, arrived=True)
    clock.now += LATER
    hold = calendar.hold("find")
    async with sweeping_worker(database, backend):
        await hold.reached.wait()
    clock.now += LATER
    assert len(await backend.list_unsettled()) == 1

    hold.release()
    async with sweeping_worker(database, backend):

        async def is_settled() -> bool:
            return not await backend.list_unsettled()

        await eventually(is_settled)
    assert len(await backend.upcoming(f"the sender {TEN}", NOW)) == 1


@asynccontextmanager
async def sweeping_worker(database: Path, backend: SyncedBackend) -> AsyncIterator[None]:
    """Run the job within the block, in the same database as the ledger."""
    registry, kept_in = svcs.Registry(), await Database.open(database, lambda _connection: None)
    await keep_jobs(registry, kept_in, [sweeping(backend)])
    with services.activate(registry) as opened:
        [kept] = kept_here(opened)
        async with JobRunner(kept.queue, kept.jobs, ThreadPool(1), opened, poll=0.02, grace=0.01):
            yield
    await kept_in.close()
