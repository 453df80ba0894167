"""The ledger with a CalDAV calendar does what every scheduling backend has to do, on two servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import open_synced
from tests.actions.scheduling.caldav.caldav_system import UTC, CalDavSystem, value_of
from tests.actions.scheduling.scheduling_contract import *  # noqa: F403
from tests.actions.scheduling.scheduling_contract import TEN, Opening, free_starts, key_of, try_to_book

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]


@pytest.fixture
async def opened(database: Path, system: CalDavSystem) -> AsyncIterator[Opening]:
    backends: list[SyncedBackend] = []
    calendars = {"practice": system.path, "specialist": system.server.make_calendar(f"{system.path[-9:-1]}-specialist")}

    async def open_one() -> SyncedBackend:
        calendar = await system.open(calendars=calendars)
        backends.append(await open_synced(str(database), calendar))
        return backends[-1]

    yield open_one
    for backend in backends:
        await backend.close()


async def test_what_people_do_in_the_calendar_reaches_the_conversation(opened: Opening, system: CalDavSystem) -> None:
    """A time they give away is not offered; a booking whose event they delete is none, and its time is free."""
    backend = await opened()
    by_hand = system.write_by_hand(f"DTSTART:{TEN.start:{UTC}}", "DURATION:PT30M")
    assert TEN not in await free_starts(backend)
    assert await try_to_book(backend, "c", TEN) == "taken"
    system.server.request("DELETE", by_hand)

    assert await try_to_book(backend, "c", TEN) == "booked"
    [(path, text)] = system.objects().items()
    assert value_of("SUMMARY", text).startswith("general: Erika Mustermann (APT-")
    system.server.request("DELETE", path)

    assert await backend.get(key_of("c")) is None
    assert TEN in await free_starts(backend)


async def test_an_appointment_that_people_write_over_stays(opened: Opening, system: CalDavSystem) -> None:
    """The doctor is ill that day: the patient still has the appointment until somebody cancels it."""
    backend = await opened()
    assert await try_to_book(backend, "c", TEN) == "booked"
    system.write_by_hand("DTSTART;VALUE=DATE:20261124")

    assert await backend.get(key_of("c")) is not None
    assert await free_starts(backend) == set()
