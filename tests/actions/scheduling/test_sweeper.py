"""How the sweeper goes about; what it settles is tested with the backend, and between processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from actions.errors import OutcomeUnknownError, UnavailableError
from actions.scheduling.models import Patient
from actions.scheduling.sweeper import Sweep, settle, sweep_in_background
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import NOW, FixedClock, open_synced
from tests.actions.scheduling.memory_calendar import MemoryCalendar
from tests.actions.scheduling.scheduling_contract import ELEVEN, HALF_PAST_TEN, TEN, key_of

LATER = timedelta(minutes=1)
EVERY = timedelta(seconds=10)


class Rounds:
    """A `sleep` that ends when the test says so, and notes how long it should have been."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._slept = asyncio.Event()
        self._go_on = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._slept.set()
        await self._go_on.wait()
        self._go_on.clear()

    async def end(self) -> None:
        """Wait for the end of the round."""
        await self._slept.wait()

    async def next(self) -> None:
        """Let one more round begin, and wait for its end."""
        self._slept.clear()
        self._go_on.set()
        await self.end()


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


async def test_a_sweeper_sweeps_again_and_again_and_more_slowly_while_it_fails(
    backend: SyncedBackend, calendar: MemoryCalendar, clock: FixedClock
) -> None:
    """Up to five minutes; when all is well it is as quick as before."""
    await leave(backend, calendar, arrived=True)
    for _ in range(6):
        calendar.fail("find", UnavailableError("down"))
    rounds = Rounds()
    async with sweep_in_background(backend, every=EVERY, sleep=rounds.sleep):
        await rounds.end()
        for _ in range(8):
            clock.now += LATER
            await rounds.next()

    assert rounds.pauses == [10, 20, 40, 80, 160, 300, 300, 10, 10]
    assert len(await backend.upcoming(f"the sender {TEN}", NOW)) == 1


@pytest.mark.parametrize("error", [UnavailableError("the disk is full"), RuntimeError("a bug")], ids=["known", "bug"])
async def test_a_sweeper_survives_whatever_goes_wrong(
    error: Exception,
    backend: SyncedBackend,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without it, what is left would keep its time for ever."""

    async def fail(age: timedelta | None = None) -> list[object]:
        raise error

    rounds = Rounds()
    with monkeypatch.context() as patch:
        patch.setattr(backend, "list_unsettled", fail)
        async with sweep_in_background(backend, every=EVERY, sleep=rounds.sleep):
            await rounds.end()
            await rounds.next()

    assert [record.message for record in caplog.records] == ["booking.sweep_failed"] * 2
    assert rounds.pauses == [20, 40]


async def test_a_sweeper_ends_at_once(backend: SyncedBackend, calendar: MemoryCalendar, clock: FixedClock) -> None:
    """Also while it waits for a calendar that hangs: the record is left for the next one."""
    await leave(backend, calendar, arrived=True)
    clock.now += LATER
    hold = calendar.hold("find")
    async with sweep_in_background(backend, every=EVERY):
        await hold.reached.wait()

    clock.now += LATER
    assert await settle(backend) == Sweep(confirmed=1)
