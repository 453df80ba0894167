"""What every `SchedulingBackend` has to do. A test file runs it with its own fixture `opened`::

from tests.actions.scheduling_contract import *  # noqa: F403

@pytest.fixture
async def opened() -> AsyncIterator[Opening]: ...  # closes at the end what it opened

The backends have the hours and the clock of `tests.actions.clinic`, and book on 24 and 25 November 2026 in Berlin:
"practice" in slots of 30 minutes (and once looks for an hour), "specialist" in slots of 60.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

import pytest

from actions.errors import InvalidRequestError, SlotTakenError
from actions.scheduling.models import AppointmentType, BookingKey, Patient, Slot, Window
from actions.scheduling.port import SchedulingBackend
from tests.actions.clinic import GENERAL, NOW, SPECIALIST, at, days, opening_hours, slot_at

__all__ = [
    "test_a_backend_can_be_used",
    "test_a_booking_can_be_moved_and_keeps_its_reference",
    "test_a_booking_moves_there_and_back",
    "test_a_booking_outlives_its_backend",
    "test_a_caller_who_goes_away_leaves_a_whole_booking",
    "test_a_cancelled_time_and_its_key_are_free_again",
    "test_a_key_fits_the_booking_that_was_made_under_a_wider_or_narrower_one",
    "test_a_move_to_a_taken_time_keeps_the_old_one",
    "test_a_move_to_where_the_booking_is_changes_nothing",
    "test_a_moved_booking_leaves_its_key",
    "test_a_repeated_move_finds_what_the_first_one_did",
    "test_a_slot_outside_of_the_keys_window_is_refused",
    "test_a_taken_slot_is_not_found_any_more",
    "test_a_taken_time_is_given_to_nobody_else",
    "test_another_key_finds_nothing",
    "test_appointments_that_overlap_exclude_each_other",
    "test_neighbours_and_other_resources_do_not_exclude_each_other",
    "test_nothing_is_found_where_the_clinic_is_closed",
    "test_of_two_bookings_that_move_to_one_time_one_gets_it",
    "test_references_can_be_read_aloud",
    "test_the_same_request_at_once_and_again_is_one_booking",
    "test_upcoming_bookings_are_those_that_are_to_come",
    "test_what_is_not_booked_cannot_be_moved",
]

Opening: TypeAlias = Callable[[], Awaitable[SchedulingBackend]]

TEN = slot_at("2026-11-24T10:00")
HALF_PAST_NINE = slot_at("2026-11-24T09:30")
HALF_PAST_TEN = slot_at("2026-11-24T10:30")
ELEVEN = slot_at("2026-11-24T11:00")
WEDNESDAY_TEN = slot_at("2026-11-25T10:00")
TUESDAY = days("2026-11-24", "2026-11-25")
WEDNESDAY = days("2026-11-25", "2026-11-26")
BOTH_DAYS = days("2026-11-24", "2026-11-26")


def key_of(conversation: str, window: Window = TUESDAY, appointment_type: str = "general") -> BookingKey:
    return BookingKey(conversation, appointment_type, window)


async def try_to_book(backend: SchedulingBackend, conversation: str, slot: Slot) -> str:
    try:
        await backend.book(key_of(conversation, Window.at(slot.start)), slot, Patient(conversation, "Erika Mustermann"))
    except SlotTakenError as exc:
        return "taken" if exc.slot == slot else "a lie"
    return "booked"


async def free_starts(backend: SchedulingBackend, window: Window = TUESDAY) -> set[Slot]:
    return set(await backend.find_slots(GENERAL, window))


async def test_a_backend_can_be_used(opened: Opening) -> None:
    """A ping returns."""
    await (await opened()).ping()


async def test_a_taken_time_is_given_to_nobody_else(opened: Opening) -> None:
    """Of fifty bookings of one time at once, one wins and forty-nine hear "taken"."""
    backends = [await opened() for _ in range(2)]

    results = await asyncio.gather(*(try_to_book(backends[n % 2], f"c{n}", TEN) for n in range(50)))

    assert Counter(results) == {"booked": 1, "taken": 49}
    assert TEN not in await free_starts(backends[0])


async def test_the_same_request_at_once_and_again_is_one_booking(opened: Opening) -> None:
    """A message that is delivered ten times is booked once, whichever process and slot the repeats were aimed at."""
    backends = [await opened() for _ in range(2)]
    slots = [TEN, HALF_PAST_TEN] * 5

    bookings = await asyncio.gather(*(backends[n // 5].book(key_of("c"), slot) for n, slot in enumerate(slots)))

    assert len(set(bookings)) == 1
    assert await backends[1].get(key_of("c")) == bookings[0]
    assert await backends[0].book(key_of("c"), slot_at("2026-11-24T16:00")) == bookings[0]
    assert len(await free_starts(backends[0])) == 15


async def test_a_key_fits_the_booking_that_was_made_under_a_wider_or_narrower_one(opened: Opening) -> None:
    """ "Tuesday at ten" after "Tuesday" is the same appointment, if Tuesday at ten is what was booked."""
    backend = await opened()
    booking = await backend.book(key_of("c"), TEN)

    assert await backend.book(key_of("c", Window.at(TEN.start)), TEN) == booking
    assert await backend.get(key_of("c", days("2026-11-23", "2026-11-30"))) == booking


@pytest.mark.parametrize(
    "other",
    [
        key_of("another"),
        key_of("c", appointment_type="specialist"),
        key_of("c", WEDNESDAY),
        key_of("c", Window.at(at("2026-11-24T10:30"))),
    ],
    ids=["conversation", "type", "day", "time"],
)
async def test_another_key_finds_nothing(opened: Opening, other: BookingKey) -> None:
    """Another conversation, type or window is another request."""
    backend = await opened()
    booking = await backend.book(key_of("c"), TEN)

    assert await backend.get(other) is None
    assert await backend.cancel(other) is None
    assert await backend.reschedule(other, ELEVEN) is None
    assert await backend.get(key_of("c")) == booking


@pytest.mark.parametrize("shift", [-25, -5, 5, 25])
async def test_appointments_that_overlap_exclude_each_other(opened: Opening, shift: int) -> None:
    """Five minutes in common are enough, whatever grid the two were booked on."""
    backend = await opened()
    await backend.book(key_of("c"), TEN)
    moved = replace(TEN, start=TEN.start + timedelta(minutes=shift), end=TEN.end + timedelta(minutes=shift))

    assert await try_to_book(backend, "another", moved) == "taken"


async def test_neighbours_and_other_resources_do_not_exclude_each_other(opened: Opening) -> None:
    """Back to back is free, and so is another doctor at the same time."""
    backend = await opened()
    slots = [TEN, HALF_PAST_NINE, HALF_PAST_TEN, slot_at("2026-11-24T10:00", SPECIALIST)]

    assert [await try_to_book(backend, f"c{n}", slot) for n, slot in enumerate(slots)] == ["booked"] * 4


async def test_a_taken_slot_is_not_found_any_more(opened: Opening) -> None:
    """An hour is free only if both of its halves are; another resource's bookings do not matter."""
    backend = await opened()
    hour = AppointmentType("hour", timedelta(hours=1), GENERAL.resource)
    window = Window(at("2026-11-24T09:00"), at("2026-11-24T11:00"))
    await backend.book(key_of("c"), TEN)

    assert [slot.start for slot in await backend.find_slots(hour, window)] == [
        at("2026-11-24T09:00"),
        at("2026-11-24T10:30"),
    ]
    assert len(await backend.find_slots(SPECIALIST, window)) == 4


async def test_nothing_is_found_where_the_clinic_is_closed(opened: Opening) -> None:
    """A Sunday has no slots."""
    assert list(await (await opened()).find_slots(GENERAL, days("2026-11-29", "2026-11-30"))) == []


async def test_a_cancelled_time_and_its_key_are_free_again(opened: Opening) -> None:
    """Others get the time, and the conversation gets a new reference."""
    backend, other = await opened(), await opened()
    booking = await backend.book(key_of("c"), TEN)

    assert await other.cancel(key_of("c")) == booking
    assert await backend.cancel(key_of("c")) is None
    assert await backend.get(key_of("c")) is None
    assert TEN in await free_starts(backend)
    assert await try_to_book(backend, "another", TEN) == "booked"
    again = await backend.book(key_of("c"), ELEVEN)
    assert again.reference != booking.reference


async def test_a_slot_outside_of_the_keys_window_is_refused(opened: Opening) -> None:
    """Its booking could not be found again by its key."""
    backend = await opened()
    with pytest.raises(InvalidRequestError):
        await backend.book(key_of("c"), WEDNESDAY_TEN)
    assert WEDNESDAY_TEN in await free_starts(backend, WEDNESDAY)


async def test_references_can_be_read_aloud(opened: Opening) -> None:
    """No characters that look alike, and no two are the same."""
    backend = await opened()
    slots = opening_hours().slots(GENERAL, TUESDAY)[:5]

    bookings = [await backend.book(key_of(f"c{n}"), slot) for n, slot in enumerate(slots)]

    assert len({booking.reference for booking in bookings}) == 5
    assert all(re.fullmatch(r"APT-[234679ACDEFGHJKMNPQRTWXYZ]{6}", booking.reference) for booking in bookings)


async def test_a_booking_outlives_its_backend(opened: Opening) -> None:
    """Another one on the same system finds it, in UTC as it was."""
    booking = await (await opened()).book(key_of("c"), TEN, Patient("c", "Erika Mustermann", "e@example.org", "030 1"))

    other = await opened()
    assert await other.get(key_of("c")) == booking
    assert booking.slot == TEN


async def test_a_caller_who_goes_away_leaves_a_whole_booking(opened: Opening) -> None:
    """Cancelled at any step, what was begun is finished: the repeat gets its reference, nobody else gets the time."""
    backend = await opened()
    for steps, slot in enumerate(opening_hours().slots(GENERAL, TUESDAY), start=1):
        key = key_of(f"c{steps}", Window.at(slot.start))
        task = asyncio.create_task(backend.book(key, slot))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await backend.book(key, slot) == await backend.get(key)
        assert await try_to_book(backend, "another", slot) == "taken"


async def test_a_booking_can_be_moved_and_keeps_its_reference(opened: Opening) -> None:
    """Its new time is taken and its old one free, for everybody."""
    backend, other = await opened(), await opened()
    booking = await backend.book(key_of("c"), TEN, Patient("c", "Erika Mustermann"))

    moved = await backend.reschedule(key_of("c"), ELEVEN)

    assert moved == replace(booking, slot=ELEVEN)
    assert await other.get(key_of("c")) == moved
    assert await other.get(key_of("c", Window.at(TEN.start))) is None
    assert {TEN, ELEVEN} & await free_starts(other) == {TEN}
    assert await try_to_book(other, "another", ELEVEN) == "taken"
    assert await try_to_book(other, "another", TEN) == "booked"


async def test_a_moved_booking_leaves_its_key(opened: Opening) -> None:
    """Who moved from Tuesday to Wednesday can book on Tuesday again, and cancels Wednesday by Wednesday."""
    backend = await opened()
    first = await backend.book(key_of("c"), TEN)
    await backend.reschedule(key_of("c"), WEDNESDAY_TEN)

    second = await backend.book(key_of("c"), TEN)

    assert second.reference != first.reference
    assert await backend.cancel(key_of("c", WEDNESDAY)) == replace(first, slot=WEDNESDAY_TEN)
    assert await backend.get(key_of("c", BOTH_DAYS)) == second
    assert WEDNESDAY_TEN in await free_starts(backend, WEDNESDAY)


async def test_a_booking_moves_there_and_back(opened: Opening) -> None:
    """Times that it had before are like any other."""
    backend = await opened()
    booking = await backend.book(key_of("c"), TEN)

    for slot in (ELEVEN, TEN, WEDNESDAY_TEN, TEN):
        assert await backend.reschedule(key_of("c", BOTH_DAYS), slot) == replace(booking, slot=slot)

    assert len(await free_starts(backend)) == 15
    assert len(await free_starts(backend, WEDNESDAY)) == 16


async def test_a_move_to_a_taken_time_keeps_the_old_one(opened: Opening) -> None:
    """And nothing is left of the attempt."""
    backend = await opened()
    booking = await backend.book(key_of("c"), TEN)
    assert await try_to_book(backend, "another", ELEVEN) == "booked"

    with pytest.raises(SlotTakenError) as caught:
        await backend.reschedule(key_of("c"), ELEVEN)

    assert caught.value.slot == ELEVEN
    assert await backend.get(key_of("c")) == booking
    assert await backend.cancel(key_of("another")) is not None
    assert await backend.reschedule(key_of("c"), ELEVEN) == replace(booking, slot=ELEVEN)


async def test_of_two_bookings_that_move_to_one_time_one_gets_it(opened: Opening) -> None:
    """The other one keeps what it has."""
    backends = [await opened(), await opened()]
    slots = {"one": TEN, "two": HALF_PAST_NINE}
    for name, slot in slots.items():
        await backends[0].book(key_of(name), slot)

    async def move(backend: SchedulingBackend, name: str) -> str:
        try:
            await backend.reschedule(key_of(name), ELEVEN)
        except SlotTakenError:
            return "taken"
        return "moved"

    results = await asyncio.gather(*(move(b, name) for b, name in zip(backends, slots, strict=True)))

    assert Counter(results) == {"moved": 1, "taken": 1}
    for name, result in zip(slots, results, strict=True):
        kept = await backends[0].get(key_of(name))
        assert kept is not None
        assert kept.slot == (ELEVEN if result == "moved" else slots[name])


async def test_a_move_to_where_the_booking_is_changes_nothing(opened: Opening) -> None:
    """It is what the repeat of a move finds, if its key fits the new time as well."""
    backend = await opened()
    booking = await backend.book(key_of("c"), TEN)

    assert await backend.reschedule(key_of("c"), TEN) == booking
    assert await backend.get(key_of("c")) == booking


async def test_a_repeated_move_finds_what_the_first_one_did(opened: Opening) -> None:
    """Its reply was lost; the key does not fit the new time any more."""
    backend, other = await opened(), await opened()
    await backend.book(key_of("c"), TEN)

    moved = await backend.reschedule(key_of("c"), WEDNESDAY_TEN)

    assert moved is not None
    assert await other.reschedule(key_of("c"), WEDNESDAY_TEN) == moved
    assert len(await free_starts(backend, BOTH_DAYS)) == 31


async def test_what_is_not_booked_cannot_be_moved(opened: Opening) -> None:
    """Neither what never was, nor what was cancelled: no time is taken."""
    backend = await opened()
    assert await backend.reschedule(key_of("c"), ELEVEN) is None
    await backend.book(key_of("c"), TEN)
    await backend.cancel(key_of("c"))

    assert await backend.reschedule(key_of("c"), ELEVEN) is None
    assert {TEN, ELEVEN} <= await free_starts(backend)


async def test_upcoming_bookings_are_those_that_are_to_come(opened: Opening) -> None:
    """In order of time, of one conversation, each once: not what is over, cancelled, or where a moved one was."""
    backend = await opened()
    late = await backend.book(key_of("c", WEDNESDAY), WEDNESDAY_TEN)
    early = await backend.book(key_of("c", Window.at(HALF_PAST_NINE.start)), HALF_PAST_NINE)
    await backend.book(key_of("c", Window.at(TEN.start)), TEN)
    await backend.cancel(key_of("c", Window.at(TEN.start)))
    await backend.book(key_of("another"), TEN)
    assert list(await backend.upcoming("c", NOW)) == [early, late]

    moved = await backend.reschedule(key_of("c", Window.at(HALF_PAST_NINE.start)), ELEVEN)

    assert list(await backend.upcoming("c", NOW)) == [moved, late]
    assert list(await backend.upcoming("c", ELEVEN.start)) == [moved, late]
    assert list(await backend.upcoming("c", ELEVEN.end)) == [late]
    assert list(await backend.upcoming("nobody", NOW)) == []
