"""The ledger and a calendar in step, whatever the calendar does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from actions.errors import (
    AuthFailedError,
    BackendError,
    OutcomeUnknownError,
    SlotTakenError,
    UnavailableError,
)
from actions.scheduling.models import AppointmentType, Window
from actions.scheduling.records import Record
from actions.scheduling.sweeper import Sweep, settle
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import GENERAL, NOW, at, open_backend, open_synced
from tests.actions.scheduling.memory_calendar import MemoryCalendar, MemorySystem
from tests.actions.scheduling.scheduling_contract import *  # noqa: F403
from tests.actions.scheduling.scheduling_contract import (
    ELEVEN,
    HALF_PAST_TEN,
    TEN,
    Opening,
    free_starts,
    key_of,
    try_to_book,
)
from tests.actions.scheduling.synced_clinic import ERIKA, KEY, LATER, Clinic, open_clinic, refusals

pytest_plugins = ["tests.databases"]


@pytest.fixture
async def clinic(database: Path) -> AsyncIterator[Clinic]:
    async with open_clinic(database) as clinic:
        yield clinic


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[Opening]:
    system, backends = MemorySystem(), []

    async def open_one() -> SyncedBackend:
        backends.append(await open_synced(database_url, MemoryCalendar(system)))
        return backends[-1]

    yield open_one
    for backend in backends:
        await backend.close()


async def test_a_booking_is_in_the_calendar_with_what_is_known_of_the_patient(clinic: Clinic) -> None:
    """Under a uid of its own; the change is told once, with the patient."""
    booking = await clinic.backend.book(KEY, TEN, ERIKA)
    assert await clinic.backend.book(KEY, TEN, ERIKA) == booking

    [uid] = await clinic.system.holders(TEN)
    [change] = clinic.changes
    assert (change.id, change.booking, change.patient, change.at) == (f"{uid}:booked", booking, ERIKA, NOW)


async def test_a_time_that_is_only_taken_elsewhere_is_not_offered_and_not_booked(clinic: Clinic) -> None:
    """What people write into the calendar counts; of the attempt nothing is left."""
    await clinic.system.occupy(TEN)

    assert TEN not in await free_starts(clinic.backend)
    assert await try_to_book(clinic.backend, "c", TEN) == "taken"
    assert (await clinic.left(), clinic.changes) == ([], [])
    clinic.system.cells.clear()
    assert await try_to_book(clinic.backend, "another", TEN) == "booked"


async def test_nobody_asks_the_calendar_about_times_that_are_taken_here(clinic: Clinic) -> None:
    """Nor if there are none."""
    for slot in await clinic.backend.find_slots(*_morning()):
        await try_to_book(clinic.backend, f"c{slot.start}", slot)
    clinic.calendar.calls.clear()

    assert list(await clinic.backend.find_slots(*_morning())) == []
    assert clinic.calendar.calls == []


def _morning() -> tuple[AppointmentType, Window]:
    return GENERAL, Window(at("2026-11-24T08:00"), at("2026-11-24T09:00"))


@refusals
async def test_a_write_that_is_refused_leaves_nothing(error: BackendError, clinic: Clinic) -> None:
    """The error goes to the caller, the time is free at once, and the repeat books."""
    clinic.calendar.fail("write", error)

    with pytest.raises(type(error)) as caught:
        await clinic.backend.book(KEY, TEN)

    assert caught.value is error
    assert (await clinic.left(), clinic.changes, await clinic.is_free()) == ([], [], True)
    assert (await clinic.backend.book(KEY, TEN)).slot == TEN


@pytest.mark.parametrize("after", [False, True], ids=["and did not arrive", "and arrived"])
async def test_a_write_whose_outcome_is_unknown_is_looked_up(after: bool, clinic: Clinic) -> None:
    """It is there, or it is written again: the caller gets a booking either way, and there is one entry."""
    clinic.calendar.fail("write", OutcomeUnknownError("cut off"), after=after)

    booking = await clinic.backend.book(KEY, TEN)

    assert clinic.calendar.calls == (["write", "find"] if after else ["write", "find", "write"])
    assert booking.slot == TEN
    assert len(await clinic.system.holders(TEN)) == 1
    assert (await clinic.left(), clinic.told()) == ([], [("booked", "09:00")])


@refusals
@pytest.mark.parametrize("after", [False, True], ids=["did not arrive", "arrived"])
async def test_what_cannot_be_looked_up_stays_pending(after: bool, error: BackendError, clinic: Clinic) -> None:
    """The caller hears that nobody knows, nobody else gets the time, and the repeat ends in one booking."""
    clinic.calendar.fail("write", OutcomeUnknownError("cut off"), after=after)
    clinic.calendar.fail("find", error)

    with pytest.raises(OutcomeUnknownError):
        await clinic.backend.book(KEY, TEN)

    assert (await clinic.left(), clinic.changes) == (["pending"], [])
    assert await try_to_book(clinic.backend, "another", TEN) == "taken"
    booking = await (await clinic.open()).book(KEY, HALF_PAST_TEN)
    assert booking.slot == TEN
    assert (await clinic.left(), clinic.told()) == ([], [("booked", "09:00")])


@pytest.mark.parametrize(("after", "swept"), [(False, Sweep(cancelled=1)), (True, Sweep(confirmed=1))])
async def test_what_stays_pending_is_settled_by_the_sweeper(after: bool, swept: Sweep, clinic: Clinic) -> None:
    """What is in the calendar is a booking; what is not is none: nobody was told that it would be written."""
    clinic.calendar.fail("write", OutcomeUnknownError("cut off"), after=after)
    clinic.calendar.fail("find", UnavailableError("down"))
    with pytest.raises(OutcomeUnknownError):
        await clinic.backend.book(KEY, TEN)

    assert await settle(clinic.backend) == Sweep()
    assert await clinic.sweep_later() == swept
    assert await clinic.is_free() is not after
    assert (await clinic.backend.get(KEY) is not None) is after
    assert clinic.told() == ([("booked", "09:00")] if after else [])


async def test_a_write_that_arrives_late_finds_its_time_kept(clinic: Clinic) -> None:
    """The claim is not given back while the write may be on its way: it is its own booking that it meets."""
    clinic.calendar.lose("write")
    clinic.calendar.fail("find", UnavailableError("down"))
    with pytest.raises(OutcomeUnknownError):
        await clinic.backend.book(KEY, TEN)

    assert await try_to_book(clinic.backend, "another", TEN) == "taken"
    clinic.calendar.deliver()
    booking = await clinic.backend.book(KEY, TEN)

    assert clinic.told() == [("booked", "09:00")]
    assert await clinic.backend.get(KEY) == booking
    assert len(await clinic.system.holders(TEN)) == 1


async def test_a_write_that_arrives_after_its_repeat_changes_nothing(clinic: Clinic) -> None:
    """It has the same uid."""
    clinic.calendar.lose("write")
    await clinic.backend.book(KEY, TEN)
    before = dict(clinic.system.cells)

    clinic.calendar.deliver()

    assert clinic.system.cells == before


async def test_a_time_that_is_lost_while_the_outcome_is_unknown_is_given_up(clinic: Clinic) -> None:
    """The caller hears that it is taken. The claim stays until what was on its way has arrived and is removed."""
    clinic.calendar.lose("write")
    hold = clinic.calendar.hold("find")
    booking = asyncio.create_task(clinic.backend.book(KEY, TEN))
    await hold.reached.wait()
    await clinic.system.occupy(TEN)
    hold.release()
    with pytest.raises(SlotTakenError):
        await booking

    clinic.system.cells.clear()
    clinic.calendar.deliver()
    assert await clinic.left() == ["cancelling"]
    assert await try_to_book(clinic.backend, "another", TEN) == "taken"
    assert await clinic.sweep_later() == Sweep(cancelled=1)
    assert (await clinic.is_free(), clinic.changes) == (True, [])


async def test_another_time_can_be_booked_when_an_unknown_one_turns_out_taken(clinic: Clinic) -> None:
    """A record that an earlier call left pending does not keep its key."""
    clinic.calendar.fail("write", OutcomeUnknownError("cut off"))
    clinic.calendar.fail("find", UnavailableError("down"))
    with pytest.raises(OutcomeUnknownError):
        await clinic.backend.book(KEY, TEN)
    await clinic.system.occupy(TEN)

    assert (await clinic.backend.book(KEY, ELEVEN)).slot == ELEVEN
    assert await clinic.left() == ["cancelling"]


async def test_a_call_that_hangs_is_given_up_and_settled(database: Path) -> None:
    """A third of the time after which others take over; the caller hears that nobody knows."""
    calendar = MemoryCalendar()
    backend = await open_synced(database, calendar, settle_after=timedelta(milliseconds=300))
    calendar.hold("write", after=True)
    calendar.hold("find")
    with pytest.raises(OutcomeUnknownError, match=r"did not answer within 0\.1 s"):
        await backend.book(KEY, TEN)

    assert (await backend.book(KEY, TEN)).slot == TEN
    calendar.hold("free")
    with pytest.raises(UnavailableError, match=r"did not answer within 0\.1 s"):
        await free_starts(backend)
    await backend.close()


async def test_a_caller_who_goes_away_does_not_stop_the_booking(clinic: Clinic) -> None:
    """Its deadline is over while the calendar takes its time."""
    hold = clinic.calendar.hold("write")
    caller = asyncio.create_task(clinic.backend.book(KEY, TEN))
    await hold.reached.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    repeat = asyncio.create_task(clinic.backend.book(KEY, ELEVEN))
    hold.release()

    assert (await repeat).slot == TEN
    assert clinic.calendar.calls.count("write") == 1


async def test_closing_waits_and_then_cuts_off(clinic: Clinic) -> None:
    """What is cut off is pending, and its caller hears that nobody knows."""
    hold = clinic.calendar.hold("write", after=True)
    caller = asyncio.create_task(clinic.backend.book(KEY, TEN))
    await hold.reached.wait()
    await clinic.backend.close(grace=0.01)
    with pytest.raises(OutcomeUnknownError):
        await caller

    clinic.backend = await clinic.open()
    assert await clinic.left() == ["pending"]
    assert await clinic.sweep_later() == Sweep(confirmed=1)


async def test_two_processes_with_one_key_at_the_same_moment_are_both_right(clinic: Clinic) -> None:
    """The second finds the first one's pending record, writes the same entry, and one booking is told."""
    hold = clinic.calendar.hold("write")
    first = asyncio.create_task(clinic.backend.book(KEY, TEN))
    await hold.reached.wait()
    second = await (await clinic.open()).book(KEY, ELEVEN)
    hold.release()

    assert await first == second
    assert second.slot == TEN
    assert (clinic.told(), await clinic.left()) == ([("booked", "09:00")], [])


async def test_a_refusal_does_not_end_what_another_process_has_taken_over(clinic: Clinic) -> None:
    """The first one's write is refused after the second has taken the record over: the second decides."""
    hold = clinic.calendar.hold("write")
    clinic.calendar.fail("write", UnavailableError("never met"))
    first = asyncio.create_task(clinic.backend.book(KEY, TEN))
    await hold.reached.wait()
    other_calendar = MemoryCalendar(clinic.system)
    other_hold = other_calendar.hold("write")
    second = asyncio.create_task((await clinic.open(other_calendar)).book(KEY, TEN))
    await other_hold.reached.wait()
    await clinic.system.occupy(TEN)
    hold.release()
    with pytest.raises(SlotTakenError):
        await first
    assert await clinic.left() == ["pending"]
    clinic.system.cells.clear()
    other_hold.release()

    assert (await second).slot == TEN
    assert (clinic.told(), await clinic.left()) == ([("booked", "09:00")], [])


async def test_an_entry_that_was_given_up_while_it_was_written_is_removed(clinic: Clinic) -> None:
    """The sweeper of another process took the record for dead, wrongly: its writer removes what it wrote."""
    hold = clinic.calendar.hold("write")
    first = asyncio.create_task(clinic.backend.book(KEY, TEN))
    await hold.reached.wait()
    clinic.clock.now += LATER
    assert await settle(await clinic.open()) == Sweep(cancelled=1)
    hold.release()
    with pytest.raises(OutcomeUnknownError):
        await first

    assert (await clinic.is_free(), await clinic.left(), clinic.changes) == (True, [], [])


async def test_what_people_delete_is_cancelled(clinic: Clinic) -> None:
    """Whoever asks for it first makes it so, and it is told."""
    for read in (_get, _upcoming, _book_again):
        clinic.changes.clear()
        await clinic.backend.book(KEY, TEN, ERIKA)
        clinic.system.cells.clear()

        assert await read(clinic.backend) is None
        assert [what for what, _ in clinic.told()][:2] == ["booked", "cancelled"]
        assert clinic.changes[1].patient == ERIKA
        await clinic.backend.cancel(KEY)
    assert await clinic.is_free()


async def _get(backend: SyncedBackend) -> object:
    return await backend.get(KEY)


async def _upcoming(backend: SyncedBackend) -> object:
    return next(iter(await backend.upcoming("c", NOW)), None)


async def _book_again(backend: SyncedBackend) -> object:
    booking = await backend.book(KEY, ELEVEN)
    return None if booking.slot == ELEVEN else booking


@refusals
async def test_a_calendar_that_does_not_answer_deletes_nothing(error: BackendError, clinic: Clinic) -> None:
    """The ledger's word counts until the calendar says otherwise."""
    booking = await clinic.backend.book(KEY, TEN)
    for _ in range(3):
        clinic.calendar.fail("find", error)

    assert await clinic.backend.get(KEY) == booking
    assert list(await clinic.backend.upcoming("c", NOW)) == [booking]
    assert await clinic.backend.book(KEY, ELEVEN) == booking


async def test_what_is_over_is_not_looked_up(clinic: Clinic) -> None:
    """Calendars are tidied; nobody is told that last week's appointment is cancelled."""
    booking = await clinic.backend.book(KEY, TEN)
    clinic.system.cells.clear()
    clinic.clock.now = TEN.end

    assert await clinic.backend.get(KEY) == booking
    assert clinic.told() == [("booked", "09:00")]


async def test_what_was_booked_without_the_calendar_stays_booked(clinic: Clinic) -> None:
    """A clinic that gets a calendar keeps what it had. Cancelling does not ask the calendar, moving writes to it."""
    embedded = await open_backend(clinic.database)
    booking = await embedded.book(KEY, TEN)
    other = await embedded.book(key_of("d"), HALF_PAST_TEN)
    await embedded.close()

    assert await clinic.backend.get(KEY) == booking
    assert await clinic.backend.book(KEY, ELEVEN) == booking
    assert await clinic.backend.cancel(key_of("d")) == other
    moved = await clinic.backend.reschedule(KEY, ELEVEN)
    assert moved == replace(booking, slot=ELEVEN)
    assert len(await clinic.system.holders(ELEVEN)) == 1
    assert await clinic.is_free()
    assert await clinic.left() == []


async def test_a_ledger_that_fails_after_the_write_leaves_the_outcome_unknown(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry is in the calendar and not confirmed here: the repeat finds it."""
    ledger = clinic.backend._ledger
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "confirm", _failing)
        with pytest.raises(OutcomeUnknownError, match="the disk is full"):
            await clinic.backend.book(KEY, TEN)

    assert await clinic.left() == ["pending"]
    assert (await clinic.backend.book(KEY, ELEVEN)).slot == TEN


async def _failing(_record: Record) -> Record | None:
    raise UnavailableError("the disk is full")


async def test_a_ping_asks_both(clinic: Clinic) -> None:
    """The calendar's own words come through."""
    await clinic.backend.ping()
    clinic.calendar.fail("ping", AuthFailedError("the calendar refused the credentials"))

    with pytest.raises(AuthFailedError, match="refused the credentials"):
        await clinic.backend.ping()
