"""People change bookings in the table itself, and know nothing of claims: the table says what is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from actions.scheduling.embedded import EmbeddedBackend
from actions.scheduling.models import BookingChange, Slot, Window
from tests.actions.clinic import NOW, open_backend
from tests.actions.scheduling.embedded_walks import Connected
from tests.actions.scheduling.scheduling_contract import (
    ELEVEN,
    HALF_PAST_NINE,
    HALF_PAST_TEN,
    TEN,
    free_starts,
    key_of,
    try_to_book,
)

pytest_plugins = ["tests.databases"]


@pytest.fixture
async def backend(database_url: str) -> AsyncIterator[EmbeddedBackend]:
    opened = await open_backend(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def desk(backend: EmbeddedBackend, database_url: str) -> Iterator[Connected]:
    connected = Connected(database_url)
    yield connected
    connected.close()


def change(desk: Connected, **values: Any) -> None:
    """Write other values into every booking that is not cancelled."""
    named = ", ".join(f'"{name}" = :{name}' for name in values)
    desk.write((f"UPDATE bookings SET {named} WHERE state = 'confirmed'", values))  # noqa: S608 (names of the tests)


async def test_a_longer_booking_keeps_all_of_its_time(backend: EmbeddedBackend, desk: Connected) -> None:
    """The half hour after it is neither offered nor given, nor moved to."""
    booking = await backend.book(key_of("c"), TEN)
    change(desk, end=TEN.end + timedelta(minutes=15))

    assert HALF_PAST_TEN not in await free_starts(backend)
    assert await try_to_book(backend, "another", HALF_PAST_TEN) == "taken"
    assert await try_to_book(backend, "another", ELEVEN) == "booked"
    (longer,) = await backend.upcoming("c", NOW)
    assert (longer.reference, longer.slot.end) == (booking.reference, TEN.end + timedelta(minutes=15))


async def test_a_shorter_booking_leaves_the_rest_to_others(backend: EmbeddedBackend, desk: Connected) -> None:
    """An hour of which a half is left."""
    await backend.book(key_of("c"), TEN)
    change(desk, end=HALF_PAST_TEN.end)
    assert await try_to_book(backend, "another", HALF_PAST_TEN) == "taken"
    change(desk, end=TEN.end)

    assert HALF_PAST_TEN in await free_starts(backend)
    assert await try_to_book(backend, "another", HALF_PAST_TEN) == "booked"


async def test_a_booking_that_was_moved_has_its_new_time_and_no_other(
    backend: EmbeddedBackend, desk: Connected
) -> None:
    """Its old one can be had by anybody, the same patient included, who can cancel it and move it on."""
    booking = await backend.book(key_of("c", Window.at(TEN.start)), TEN)
    change(desk, start=ELEVEN.start, end=ELEVEN.end)

    free = await free_starts(backend)
    assert TEN in free
    assert ELEVEN not in free
    assert await try_to_book(backend, "another", ELEVEN) == "taken"
    assert await try_to_book(backend, "c", TEN) == "booked"
    told = [one for one in await backend.upcoming("c", NOW) if one.reference == booking.reference]
    assert told == [replace(booking, slot=ELEVEN, moved_from=TEN.start)]
    moved = await backend.reschedule(key_of("c", Window.at(ELEVEN.start)), HALF_PAST_NINE)
    assert moved is not None
    assert (moved.reference, moved.slot) == (booking.reference, HALF_PAST_NINE)
    assert await try_to_book(backend, "another", ELEVEN) == "booked"
    assert await backend.cancel(key_of("c", Window.at(HALF_PAST_NINE.start))) == moved
    assert await try_to_book(backend, "third", HALF_PAST_NINE) == "booked"


@pytest.mark.parametrize("is_asked_first", [True, False])
async def test_what_was_cancelled_is_told_once_and_its_time_is_free(
    is_asked_first: bool, backend: EmbeddedBackend, desk: Connected
) -> None:
    """Whether its patient asks before somebody else has the time or afterwards."""
    booking = await backend.book(key_of("c"), TEN)
    change(desk, state="cancelled")

    assert TEN in await free_starts(backend)
    if is_asked_first:
        assert list(await backend.cancelled_elsewhere("c", NOW)) == [booking]
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert await try_to_book(backend, "third", TEN) == "taken"
    assert list(await backend.cancelled_elsewhere("c", NOW)) == ([] if is_asked_first else [booking])
    assert list(await backend.cancelled_elsewhere("c", NOW)) == []
    assert list(await backend.upcoming("c", NOW)) == []


async def test_a_change_in_the_table_is_told_to_the_crm_once(backend: EmbeddedBackend, desk: Connected) -> None:
    """A move, and then the end of it."""
    told: list[tuple[str, Slot]] = []

    async def note(_: AsyncConnection, change: BookingChange) -> None:
        told.append((change.change.value, change.booking.slot))

    backend._ledger._on_change = note
    await backend.book(key_of("c"), TEN)
    change(desk, start=ELEVEN.start, end=ELEVEN.end)
    for _ in range(2):
        await backend.upcoming("c", NOW)
    change(desk, end=ELEVEN.end + timedelta(minutes=15))
    await backend.upcoming("c", NOW)
    change(desk, state="cancelled")
    for _ in range(2):
        await backend.cancelled_elsewhere("c", NOW)

    longer = replace(ELEVEN, end=ELEVEN.end + timedelta(minutes=15))
    assert told == [("booked", TEN), ("rescheduled", ELEVEN), ("cancelled", longer)]


async def test_a_booking_that_was_written_without_claims_has_its_time(
    backend: EmbeddedBackend, desk: Connected
) -> None:
    """Another program of the clinic knows the table of bookings alone."""
    now = datetime(2026, 11, 1)
    values = {"start": TEN.start, "end": TEN.end, "now": now}
    booking = (
        'INSERT INTO bookings (uid, reference, "key", conversation, appointment_type, resource, start, "end", state,'
        " changed, confirmed_at) VALUES ('desk', 'APT-DESK', 'desk', 'desk', 'general', 'practice', :start, :end,"
        " 'confirmed', :now, :now)"
    )
    desk.write((booking, values))

    assert TEN not in await free_starts(backend)
    assert await try_to_book(backend, "another", TEN) == "taken"
