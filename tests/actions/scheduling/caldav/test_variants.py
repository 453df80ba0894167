"""Bookings on whatever its standards allow a CalDAV server to do, and what people write there meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from actions.errors import InvalidRequestError
from tests.actions.clinic import NOW, open_synced
from tests.actions.scheduling.caldav.caldav_system import UTC, CalDavSystem
from tests.actions.scheduling.caldav.variants import VARIANTS, varied
from tests.actions.scheduling.calendar_contract import HALF_PAST_TEN, TEN, TEN_TO_ELEVEN, entry_at, try_to_write
from tests.actions.scheduling.scheduling_contract import ELEVEN, free_starts, key_of, try_to_book

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]


@pytest.mark.parametrize("name", VARIANTS)
async def test_a_booking_lives_there(name: str, system: CalDavSystem, database: Path) -> None:
    """It is made, seen, moved by people, and cancelled, beside what people have written before; nothing is left."""
    for hour in (6, 16):
        system.write_by_hand(f"DTSTART:20261124T{hour:02}0000Z", f"DTEND:20261124T{hour + 1:02}0000Z")
    weekly = system.write_by_hand("DTSTART:20261110T093000Z", "DTEND:20261110T100000Z", "RRULE:FREQ=WEEKLY")
    before = system.objects()
    transport = varied(VARIANTS[name])
    backend = await open_synced(database, await system.open(transport))
    another = await system.open(transport)

    assert await free_starts(backend) >= {TEN, ELEVEN}
    assert await try_to_write(another, entry_at(HALF_PAST_TEN)) == "taken"
    booking = await backend.book(key_of("c"), TEN)
    assert list(await backend.upcoming("c", NOW)) == [booking]
    assert await try_to_write(another, entry_at()) == "taken"
    assert list(await another.free([TEN, HALF_PAST_TEN, ELEVEN])) == [ELEVEN]

    (path,) = [path for path, text in system.objects().items() if booking.reference in text]
    text = system.objects()[path]
    start, end = (
        line
        for line in text.split("\r\n")
        if line.startswith(("DTSTART;", "DTEND;", "DTSTART:2026", "DTEND:2026")) and "16010101" not in line
    )
    moved = text.replace(start, f"DTSTART:{ELEVEN.start:{UTC}}").replace(end, f"DTEND:{ELEVEN.end:{UTC}}")
    system.server.put(path, moved)
    (now,) = await backend.upcoming("c", NOW)
    assert (now.slot, now.reference) == (ELEVEN, booking.reference)
    assert await try_to_book(backend, "d", TEN) == "booked"
    assert await backend.cancel(key_of("c")) == now
    assert await backend.cancel(key_of("d"))
    assert system.objects() == before
    assert weekly in before
    await backend.close()


@pytest.mark.parametrize("name", VARIANTS)
async def test_an_hour_is_whole_or_not_there(name: str, system: CalDavSystem) -> None:
    """Its claim and its event are written, repeated and removed; whoever writes it a second time is the same."""
    system.write_by_hand("DTSTART:20261124T060000Z", "DTEND:20261124T070000Z")
    calendar = await system.open(varied(VARIANTS[name]))
    entry = entry_at(TEN_TO_ELEVEN)

    assert await try_to_write(calendar, entry) == "written"
    assert await try_to_write(calendar, entry) == "written"
    assert await calendar.find(entry)
    assert await system.holders(TEN_TO_ELEVEN) == {entry.uid}
    await calendar.remove(entry)
    assert await system.holders(TEN_TO_ELEVEN) == set()
    assert len(system.objects()) == 1


@pytest.mark.parametrize("name", VARIANTS)
async def test_who_writes_by_hand_before_us_keeps_the_time(name: str, system: CalDavSystem) -> None:
    """After the time was offered, and before it was booked."""
    for hour in (6, 16):
        system.write_by_hand(f"DTSTART:20261124T{hour:02}0000Z", f"DTEND:20261124T{hour + 1:02}0000Z")
    calendar = await system.open(varied(VARIANTS[name]))
    assert list(await calendar.free([TEN])) == [TEN]
    await system.occupy(TEN)

    assert await try_to_write(calendar, entry_at()) == "taken"
    assert await system.holders(TEN) == {"somebody else"}


async def test_a_uid_that_is_elsewhere_may_be_forbidden(system: CalDavSystem) -> None:
    """People renamed the object of an entry that is written again; RFC 4791 has 403 and 409 for that."""
    calendar = await system.open(varied(VARIANTS["a uid elsewhere is forbidden"]))
    entry = entry_at()
    await calendar.write(entry)
    system.rename()

    with pytest.raises(InvalidRequestError, match="under another name"):
        await calendar.write(entry)
    assert len(system.objects()) == 1
