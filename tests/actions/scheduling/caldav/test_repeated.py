"""People make a series of an appointment, and change its times: the appointment is the first one. On two servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actions.scheduling.caldav.content import leave_out_text
from actions.scheduling.models import Slot
from actions.scheduling.synced import SyncedBackend
from tests.actions.clinic import NOW, open_synced
from tests.actions.scheduling.caldav.caldav_system import UTC, CalDavSystem
from tests.actions.scheduling.scheduling_contract import ELEVEN, TEN, key_of, try_to_book

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]


@pytest.fixture
async def backend(system: CalDavSystem, database: Path) -> AsyncIterator[SyncedBackend]:
    opened = await open_synced(database, await system.open())
    yield opened
    await opened.close()


def repeat(system: CalDavSystem, *more: str) -> None:
    """Make three weekly times of the only event, with more lines in it, and what follows it."""
    ((path, text),) = system.objects().items()
    system.server.put(path, text.replace("END:VEVENT", "\r\n".join(["RRULE:FREQ=WEEKLY;COUNT=3", *more, "END:VEVENT"])))


def changed_to(start: str, end: str, *more: str) -> list[str]:
    """Return the lines that change the first time of the series."""
    lines = ["END:VEVENT", "BEGIN:VEVENT", "UID:{uid}", "DTSTAMP:20261101T000000Z", f"RECURRENCE-ID:{TEN.start:{UTC}}"]
    return [*lines, f"DTSTART:{start}", f"DTEND:{end}", *more]


def with_uid(system: CalDavSystem, lines: list[str]) -> list[str]:
    ((_, text),) = system.objects().items()
    uid = next(line for line in text.split("\r\n") if line.startswith("UID:"))
    return [line.replace("UID:{uid}", uid) for line in lines]


@pytest.mark.parametrize("how", ["cancel", "reschedule"])
async def test_a_series_stays_without_the_time_that_the_patient_gave_up(
    how: str, system: CalDavSystem, backend: SyncedBackend
) -> None:
    """What people planned after it is theirs; the time itself is free for others."""
    booking = await backend.book(key_of("c"), TEN)
    repeat(system, "COMMENT:ten times of physiotherapy")
    assert list(await backend.upcoming("c", NOW)) == [booking]
    if how == "cancel":
        assert await backend.cancel(key_of("c")) == booking
    else:
        assert await backend.reschedule(key_of("c"), ELEVEN)

    (series,) = [text for text in system.objects().values() if "RRULE" in text]
    assert "ten times of physiotherapy" in series
    assert len(await backend.upcoming("c", NOW)) == (how == "reschedule")
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert await try_to_book(backend, "third", ELEVEN) == ("booked" if how == "cancel" else "taken")
    assert await backend.list_unsettled() == []


async def test_the_first_time_of_a_series_is_where_people_moved_it(
    system: CalDavSystem, backend: SyncedBackend
) -> None:
    """They moved that time alone, and the patient hears of it; cancelled, the others stay."""
    await backend.book(key_of("c"), TEN)
    repeat(system, *with_uid(system, changed_to(f"{ELEVEN.start:{UTC}}", f"{ELEVEN.end:{UTC}}")))

    (moved,) = await backend.upcoming("c", NOW)
    assert (moved.slot, moved.moved_from) == (ELEVEN, TEN.start)
    assert await try_to_book(backend, "another", ELEVEN) == "taken"
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert await backend.cancel(key_of("c")) == moved
    assert await try_to_book(backend, "third", ELEVEN) == "booked"
    (series,) = [text for text in system.objects().values() if "RRULE" in text]
    # Programs show what was changed on its own, left out or not; and hosts find bookings of theirs by it.
    assert "RECURRENCE-ID" not in series
    there = await (await system.open()).written(Slot("practice", TEN.start, ELEVEN.end))
    assert moved.reference not in [one.reference for one in there]


@pytest.mark.parametrize("how", ["left out", "left out by its day", "changed and left out", "cancelled"])
async def test_a_first_time_that_people_took_out_of_the_series_is_cancelled(
    how: str, system: CalDavSystem, backend: SyncedBackend
) -> None:
    """That one alone: the patient hears so, and somebody else can have it; the next week's is kept."""
    booking = await backend.book(key_of("c"), TEN)
    times = f"{TEN.start:{UTC}}", f"{TEN.end:{UTC}}"
    cancelled = with_uid(system, changed_to(*times, "STATUS:CANCELLED"))
    moved = with_uid(system, changed_to(f"{ELEVEN.start:{UTC}}", f"{ELEVEN.end:{UTC}}"))
    left_out = f"EXDATE:{TEN.start:{UTC}}"
    by_day = f"EXDATE;VALUE=DATE:{TEN.start:%Y%m%d}"
    ways = {"cancelled": cancelled, "left out by its day": [by_day], "changed and left out": [left_out, *moved]}
    repeat(system, *ways.get(how, [left_out]))

    assert list(await backend.upcoming("c", NOW)) == []
    assert list(await backend.cancelled_elsewhere("c", NOW)) == [booking]
    assert await try_to_book(backend, "another", TEN) == "booked"
    assert any("RRULE" in text for text in system.objects().values())


SERIES = """BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:Berlin
BEGIN:STANDARD
DTSTART:19701025T030000
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
RECURRENCE-ID;TZID=Berlin:20261201T100000
DTSTART;TZID=Berlin:20261201T110000
END:VEVENT
BEGIN:VEVENT
RRULE:FREQ=WEEKLY
DTSTART;TZID=Ber
 lin:20261124T100000
SUMMARY:x
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_first_time_is_left_out_in_the_words_of_its_series(end: str) -> None:
    """Its zone's name included; neither a change of another time nor the zone's own start is meant."""
    start = "DTSTART;TZID=Ber\n lin:20261124T100000\n"
    expected = SERIES.replace(start, start + start.replace("DTSTART", "EXDATE"))

    assert leave_out_text(SERIES.replace("\n", end)).decode() == expected.replace("\n", end)
