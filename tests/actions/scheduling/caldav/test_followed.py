"""A booking is its event: what people do to it, or to its claims, is followed and forgets nothing. On two servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from actions.scheduling.models import AppointmentType, BookingKey, Slot, Window
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import NOW, open_synced, slot_at
from tests.actions.scheduling.caldav.caldav_system import CalDavSystem, edit
from tests.actions.scheduling.calendar_contract import HALF_PAST_TEN, TEN, TEN_TO_ELEVEN, entry_at
from tests.actions.scheduling.scheduling_contract import TUESDAY, key_of, try_to_book

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]

HOUR = AppointmentType("hour", TEN_TO_ELEVEN.end - TEN_TO_ELEVEN.start, "practice")
HOUR_KEY = BookingKey("c", "hour", TUESDAY)


@pytest.fixture
async def backend(system: CalDavSystem, database: Path) -> AsyncIterator[SyncedBackend]:
    opened = await open_synced(database, await system.open())
    yield opened
    await opened.close()


def at_two(text: str) -> str:
    """Return the event at 14:00 in Berlin."""
    return text.replace("20261124T090000Z", "20261124T130000Z").replace("20261124T093000Z", "20261124T133000Z")


async def test_an_event_that_people_moved_is_the_booking_at_its_new_time(
    system: CalDavSystem, backend: SyncedBackend
) -> None:
    """Nobody else gets that time, and the patient can cancel it there."""
    booking = await backend.book(key_of("c"), TEN)
    (uid,) = await system.holders(TEN)
    edit(system, replace(entry_at(TEN), uid=uid), at_two)

    two = slot_at("2026-11-24T14:00")
    moved = replace(booking, slot=two, moved_from=TEN.start)
    assert list(await backend.upcoming("c", NOW)) == [moved]
    assert list(await backend.upcoming("c", NOW)) == [moved]
    assert await try_to_book(backend, "another", two) == "taken"
    assert await backend.cancel(key_of("c", Window.at(two.start))) == moved
    assert system.objects() == {}


async def test_a_claim_that_people_deleted_does_not_undo_a_booking(
    system: CalDavSystem, backend: SyncedBackend
) -> None:
    """Somebody cleans up what is 28 years old; the event is there."""
    booking = await backend.book(HOUR_KEY, Slot("practice", TEN.start, TEN_TO_ELEVEN.end))
    (claim,) = [path for path, text in system.objects().items() if "RELATED-TO:" in text]
    system.server.request("DELETE", claim)

    assert await backend.get(HOUR_KEY) == booking
    assert await try_to_book(backend, "another", HALF_PAST_TEN) == "taken"
    assert await backend.cancel(HOUR_KEY) == booking
    assert system.objects() == {}


async def test_an_event_that_people_renamed_or_cancelled(system: CalDavSystem, backend: SyncedBackend) -> None:
    """Another name is the same booking; a cancelled event is none, and its patient can be told."""
    booking = await backend.book(key_of("c"), TEN)
    [(path, text)] = system.objects().items()
    system.server.request("DELETE", path)
    system.server.put(f"{system.path}renamed.ics", text)
    assert await backend.get(key_of("c")) == booking

    system.server.put(f"{system.path}renamed.ics", text.replace("STATUS:CONFIRMED", "STATUS:CANCELLED"))
    assert await backend.get(key_of("c")) is None
    assert list(await backend.cancelled_elsewhere("c", NOW)) == [booking]
