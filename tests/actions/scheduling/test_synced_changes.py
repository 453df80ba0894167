"""Cancelling and moving in step with a calendar, whatever the calendar does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from actions.errors import (
    BackendError,
    OutcomeUnknownError,
    UnavailableError,
)
from actions.scheduling.sweeper import Sweep
from tests.actions.clinic import NOW
from tests.actions.scheduling.scheduling_contract import ELEVEN, TEN, WEDNESDAY, WEDNESDAY_TEN, free_starts, try_to_book
from tests.actions.scheduling.synced_clinic import KEY, Clinic, open_clinic, refusals


@pytest.fixture
async def clinic(database: Path) -> AsyncIterator[Clinic]:
    async with open_clinic(database) as clinic:
        yield clinic


@refusals
async def test_a_cancellation_that_is_refused_leaves_the_booking(error: BackendError, clinic: Clinic) -> None:
    """The error goes to the caller, and nothing has happened."""
    booking = await clinic.backend.book(KEY, TEN)
    clinic.calendar.fail("remove", error)

    with pytest.raises(type(error)):
        await clinic.backend.cancel(KEY)

    assert await clinic.backend.get(KEY) == booking
    assert (await clinic.left(), clinic.told()) == ([], [("booked", "09:00")])
    assert await clinic.backend.cancel(KEY) == booking


async def test_a_cancellation_whose_outcome_is_unknown_is_repeated(clinic: Clinic) -> None:
    """By the call itself: removing twice does no harm."""
    booking = await clinic.backend.book(KEY, TEN)
    clinic.calendar.fail("remove", OutcomeUnknownError("cut off"))

    assert await clinic.backend.cancel(KEY) == booking
    assert (await clinic.is_free(), clinic.told()) == (True, [("booked", "09:00"), ("cancelled", "09:00")])


@pytest.mark.parametrize("by", ["a repeat", "the sweeper"])
async def test_a_cancellation_that_stays_unknown_goes_on(by: str, clinic: Clinic) -> None:
    """It was wished: it is no booking any more, but its time is kept until the entry is gone."""
    booking = await clinic.backend.book(KEY, TEN)
    clinic.calendar.lose("remove")
    clinic.calendar.fail("remove", UnavailableError("down"))
    with pytest.raises(OutcomeUnknownError):
        await clinic.backend.cancel(KEY)
    assert await clinic.backend.get(KEY) is None
    assert await try_to_book(clinic.backend, "another", TEN) == "taken"
    assert clinic.told() == [("booked", "09:00")]

    if by == "a repeat":
        assert await clinic.backend.cancel(KEY) == booking
    else:
        assert await clinic.sweep_later() == Sweep(cancelled=1)

    assert clinic.told() == [("booked", "09:00"), ("cancelled", "09:00")]
    assert await clinic.is_free()
    assert await clinic.backend.cancel(KEY) is None


async def test_a_booking_that_is_not_known_to_be_there_can_be_cancelled(clinic: Clinic) -> None:
    """If it is there it is cancelled; if not, it does not come back, and nobody is told of what never was."""
    for after, answer in ((True, TEN), (False, None)):
        clinic.changes.clear()
        clinic.calendar.fail("write", OutcomeUnknownError("cut off"), after=after)
        clinic.calendar.fail("find", UnavailableError("down"))
        with pytest.raises(OutcomeUnknownError):
            await clinic.backend.book(KEY, TEN)

        cancelled = await clinic.backend.cancel(KEY)

        assert (cancelled.slot if cancelled else None) == answer
        assert [what for what, _ in clinic.told()] == (["booked", "cancelled"] if after else [])
        assert await clinic.backend.get(KEY) is None
    assert await clinic.sweep_later() == Sweep(cancelled=1)
    assert await clinic.is_free()


@refusals
async def test_a_move_that_is_refused_keeps_the_old_time(error: BackendError, clinic: Clinic) -> None:
    """Nothing is left of it."""
    booking = await clinic.backend.book(KEY, TEN)
    clinic.calendar.fail("write", error)

    with pytest.raises(type(error)):
        await clinic.backend.reschedule(KEY, ELEVEN)

    assert await clinic.backend.get(KEY) == booking
    assert ELEVEN in await free_starts(clinic.backend)
    assert await clinic.left() == []


@pytest.mark.parametrize("by", ["a repeat", "the sweeper"])
@pytest.mark.parametrize("after", [False, True], ids=["did not arrive", "arrived"])
async def test_a_move_that_stays_unknown_keeps_both_times(after: bool, by: str, clinic: Clinic) -> None:
    """The old one is the booking until the new one is certain. A repeat moves it; the sweeper only if it is there."""
    booking = await clinic.backend.book(KEY, TEN)
    clinic.calendar.fail("write", OutcomeUnknownError("cut off"), after=after)
    for _ in range(2):  # the old entry is looked for as well, and the ledger's word for it is enough
        clinic.calendar.fail("find", UnavailableError("down"))
    with pytest.raises(OutcomeUnknownError):
        await clinic.backend.reschedule(KEY, ELEVEN)
    assert await clinic.backend.get(KEY) == booking
    assert list(await clinic.backend.upcoming("c", NOW)) == [booking]
    assert not {TEN, ELEVEN} & await free_starts(clinic.backend)

    if by == "a repeat":
        assert await clinic.backend.reschedule(KEY, ELEVEN) == replace(booking, slot=ELEVEN)
    else:
        assert await clinic.sweep_later() == (Sweep(confirmed=1) if after else Sweep(cancelled=1))

    moved = after or by == "a repeat"
    assert await clinic.backend.get(KEY) == (replace(booking, slot=ELEVEN) if moved else booking)
    assert clinic.told()[1:] == ([("rescheduled", "10:00")] if moved else [])
    assert {TEN, ELEVEN} & await free_starts(clinic.backend) == ({TEN} if moved else {ELEVEN})
    assert await clinic.left() == []


async def test_another_move_gives_up_one_that_is_unknown(clinic: Clinic) -> None:
    """The patient thinks again: in the end there is one time."""
    booking = await clinic.backend.book(KEY, TEN)
    clinic.calendar.fail("write", OutcomeUnknownError("cut off"), after=True)
    for _ in range(2):
        clinic.calendar.fail("find", UnavailableError("down"))
    with pytest.raises(OutcomeUnknownError):
        await clinic.backend.reschedule(KEY, ELEVEN)

    assert await clinic.backend.reschedule(KEY, WEDNESDAY_TEN) == replace(booking, slot=WEDNESDAY_TEN)
    assert await clinic.sweep_later() == Sweep(cancelled=1)
    assert len(await free_starts(clinic.backend)) == 16
    assert len(await free_starts(clinic.backend, WEDNESDAY)) == 15


async def test_an_old_time_that_cannot_be_removed_is_left_to_the_sweeper(clinic: Clinic) -> None:
    """The move is done and told; nobody gets the old time before it is free in the calendar as well."""
    booking = await clinic.backend.book(KEY, TEN)
    clinic.calendar.fail("remove", UnavailableError("down"))

    assert await clinic.backend.reschedule(KEY, ELEVEN) == replace(booking, slot=ELEVEN)
    assert await try_to_book(clinic.backend, "another", TEN) == "taken"
    assert await clinic.sweep_later() == Sweep(cancelled=1)
    assert await clinic.is_free()
    assert clinic.told() == [("booked", "09:00"), ("rescheduled", "10:00")]


async def test_a_booking_that_was_cancelled_while_it_moved_is_cancelled(clinic: Clinic) -> None:
    """Another process cancels between the claim of the new time and its confirmation: neither time is kept."""
    await clinic.backend.book(KEY, TEN)
    hold = clinic.calendar.hold("write", after=True)
    move = asyncio.create_task(clinic.backend.reschedule(KEY, ELEVEN))
    await hold.reached.wait()
    assert await (await clinic.open()).cancel(KEY) is not None
    hold.release()
    with pytest.raises(OutcomeUnknownError):
        await move

    assert clinic.system.cells == {}
    assert len(await free_starts(clinic.backend)) == 16
    assert (clinic.told(), await clinic.left()) == ([("booked", "09:00"), ("cancelled", "09:00")], [])
