"""What people write into the calendar counts: for `free`, and for a write that did not know of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from actions.errors import SlotTakenError
from actions.scheduling.models import Slot
from tests.actions.clinic import at, slot_at
from tests.actions.scheduling.caldav.caldav_system import UTC, CalDavSystem
from tests.actions.scheduling.calendar_contract import TEN, ask_free, entry_at

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]

DAY = "2026-11-24"
CLOCK = ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30"]
MORNING = [slot_at(f"{DAY}T{time}") for time in CLOCK]
ALL = tuple(CLOCK)

BERLIN_ZONE = """BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE"""
# A zone that only the calendar itself explains: always seven hours behind.
OWN_ZONE = """BEGIN:VTIMEZONE
TZID:The house's own
BEGIN:STANDARD
TZOFFSETFROM:-0700
TZOFFSETTO:-0700
DTSTART:19700101T000000
END:STANDARD
END:VTIMEZONE"""
# Since summer, Tuesdays at ten: 08:00 UTC at first, 09:00 UTC since 25 October.
TUESDAYS = (
    "DTSTART;TZID=Europe/Berlin:20260602T100000",
    "DTEND;TZID=Europe/Berlin:20260602T103000",
    "RRULE:FREQ=WEEKLY",
)
SECOND = ("END:VEVENT", "BEGIN:VEVENT", "UID:{uid}", "DTSTAMP:20261101T000000Z")


@dataclass(frozen=True)
class Case:
    name: str
    lines: tuple[str, ...]
    taken: tuple[str, ...] = ()
    before: str = ""


CASES = [
    Case("half an hour", ("DTSTART:20261124T090000Z", "DTEND:20261124T093000Z"), ("10:00",)),
    Case("ten minutes", ("DTSTART:20261124T091000Z", "DTEND:20261124T092000Z"), ("10:00",)),
    Case("a duration", ("DTSTART:20261124T090000Z", "DURATION:PT45M"), ("10:00", "10:30")),
    Case("no end", ("DTSTART:20261124T090000Z",)),
    Case("since the evening before", ("DTSTART:20261123T210000Z", "DTEND:20261124T083000Z"), ("09:00",)),
    Case("for a month", ("DTSTART:20261101T210000Z", "DTEND:20261201T083000Z"), ALL),
    Case("a whole day", ("DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261125"), ALL),
    Case("a whole day without an end", ("DTSTART;VALUE=DATE:20261124",), ALL),
    Case("three whole days", ("DTSTART;VALUE=DATE:20261123", "DTEND;VALUE=DATE:20261126"), ALL),
    Case("the day before", ("DTSTART;VALUE=DATE:20261123", "DTEND;VALUE=DATE:20261124")),
    Case("the day after", ("DTSTART;VALUE=DATE:20261125",)),
    Case("a birthday each year", ("DTSTART;VALUE=DATE:19801124", "RRULE:FREQ=YEARLY"), ALL),
    Case(
        "New York",
        ("DTSTART;TZID=America/New_York:20261124T040000", "DTEND;TZID=America/New_York:20261124T043000"),
        ("10:00",),
    ),
    Case(
        "a zone by Microsoft's name",
        (
            "DTSTART;TZID=W. Europe Standard Time:20261124T100000",
            "DTEND;TZID=W. Europe Standard Time:20261124T103000",
        ),
        ("10:00",),
        BERLIN_ZONE.replace("Europe/Berlin", "W. Europe Standard Time"),
    ),
    Case(
        "a zone of its own",
        ("DTSTART;TZID=The house's own:20261124T020000", "DTEND;TZID=The house's own:20261124T023000"),
        ("10:00",),
        OWN_ZONE,
    ),
    Case("no zone", ("DTSTART:20261124T100000", "DTEND:20261124T103000"), ("10:00",)),
    Case("weekly over the clock change", TUESDAYS, ("10:00",), BERLIN_ZONE),
    Case("weekly, not today", (*TUESDAYS, "EXDATE;TZID=Europe/Berlin:20261124T100000"), (), BERLIN_ZONE),
    Case("weekly, not today in UTC", (*TUESDAYS, "EXDATE:20261124T090000Z"), (), BERLIN_ZONE),
    Case(
        "weekly, later today",
        (
            *TUESDAYS,
            *SECOND,
            "RECURRENCE-ID;TZID=Europe/Berlin:20261124T100000",
            "DTSTART;TZID=Europe/Berlin:20261124T110000",
            "DTEND;TZID=Europe/Berlin:20261124T120000",
        ),
        ("11:00", "11:30"),
        BERLIN_ZONE,
    ),
    Case(
        "weekly, cancelled today",
        (
            *TUESDAYS,
            *SECOND,
            "RECURRENCE-ID;TZID=Europe/Berlin:20261124T100000",
            "DTSTART;TZID=Europe/Berlin:20261124T100000",
            "DTEND;TZID=Europe/Berlin:20261124T103000",
            "STATUS:CANCELLED",
        ),
        (),
        BERLIN_ZONE,
    ),
    Case("weekly until yesterday", (*TUESDAYS[:2], "RRULE:FREQ=WEEKLY;UNTIL=20261123T220000Z"), (), BERLIN_ZONE),
    Case("weekly until today", (*TUESDAYS[:2], "RRULE:FREQ=WEEKLY;UNTIL=20261124T090000Z"), ("10:00",), BERLIN_ZONE),
    Case("25 times", (*TUESDAYS[:2], "RRULE:FREQ=WEEKLY;COUNT=25"), (), BERLIN_ZONE),
    Case("26 times", (*TUESDAYS[:2], "RRULE:FREQ=WEEKLY;COUNT=26"), ("10:00",), BERLIN_ZONE),
    Case("the last Tuesday", (*TUESDAYS[:2], "RRULE:FREQ=MONTHLY;BYDAY=-1TU"), ("10:00",), BERLIN_ZONE),
    Case("on two more days", (*TUESDAYS[:2], "RDATE:20260701T090000Z,20261124T090000Z"), ("10:00",), BERLIN_ZONE),
    Case(
        "once more after the rule has ended",
        (*TUESDAYS[:2], "RRULE:FREQ=WEEKLY;COUNT=2", "RDATE:20261124T090000Z"),
        ("10:00",),
        BERLIN_ZONE,
    ),
    Case(
        "Friday's, moved to today",
        (
            "DTSTART:20261106T090000Z",
            "DTEND:20261106T093000Z",
            "RRULE:FREQ=WEEKLY",
            *SECOND,
            "RECURRENCE-ID:20261127T090000Z",
            "DTSTART:20261124T100000Z",
            "DTEND:20261124T103000Z",
        ),
        ("11:00",),
    ),
    Case(
        "five times, the last one moved to today",
        (
            "DTSTART:20261106T090000Z",
            "DTEND:20261106T093000Z",
            "RRULE:FREQ=WEEKLY;COUNT=5",
            *SECOND,
            "RECURRENCE-ID:20261204T090000Z",
            "DTSTART:20261124T090000Z",
            "DURATION:PT1H",
        ),
        ("10:00", "10:30"),
    ),
    Case(
        "one time of a series that somebody else keeps",
        (
            "RECURRENCE-ID:20261130T090000Z",
            "DTSTART:20261124T090000Z",
            "DTEND:20261124T093000Z",
        ),
        ("10:00",),
    ),
    Case("cancelled", ("DTSTART:20261124T090000Z", "DTEND:20261124T093000Z", "STATUS:CANCELLED")),
    Case("shown as free", ("DTSTART:20261124T090000Z", "DTEND:20261124T093000Z", "TRANSP:TRANSPARENT")),
    Case("a holiday shown as free", ("DTSTART;VALUE=DATE:20261124", "TRANSP:TRANSPARENT")),
    Case("tentative", ("DTSTART:20261124T090000Z", "DTEND:20261124T093000Z", "STATUS:TENTATIVE"), ("10:00",)),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_an_event_made_by_hand_takes_its_time(case: Case, system: CalDavSystem) -> None:
    """Whatever way it says when it is, however often it is asked; and a write hears the same as who asks."""
    system.write_by_hand(*case.lines, before=case.before.replace("\n", "\r\n"))
    calendar = await system.open()

    free = await ask_free(calendar, MORNING)

    assert [time for time, slot in zip(CLOCK, MORNING, strict=True) if slot not in free] == list(case.taken)
    entry = entry_at()
    if "10:00" in case.taken:
        with pytest.raises(SlotTakenError):
            await calendar.write(entry)
        assert entry.uid not in await system.holders(TEN)
    else:
        await calendar.write(entry)
        assert await calendar.find(entry)


async def test_a_task_takes_no_time(system: CalDavSystem) -> None:
    """Only events do."""
    task = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//by hand//EN", "BEGIN:VTODO", "UID:task"]
    task += ["DTSTAMP:20261101T000000Z", "DTSTART:20261124T090000Z", "DUE:20261124T093000Z", "SUMMARY:call"]
    system.server.put(f"{system.path}task.ics", "\r\n".join([*task, "END:VTODO", "END:VCALENDAR", ""]))

    assert list(await (await system.open()).free([TEN])) == [TEN]


@pytest.mark.parametrize(
    ("before", "after"),
    [("2026-03-27T10:00", "2026-03-30T10:00"), ("2026-10-23T10:00", "2026-10-26T10:00")],
    ids=["spring", "autumn"],
)
async def test_a_daily_event_keeps_its_wall_time_over_a_clock_change(
    before: str, after: str, system: CalDavSystem
) -> None:
    """Ten o'clock is an hour earlier or later in UTC from one day to the next."""
    start = before.replace("-", "").replace(":", "") + "00"
    system.write_by_hand(
        f"DTSTART;TZID=Europe/Berlin:{start}",
        "DURATION:PT30M",
        "RRULE:FREQ=DAILY;COUNT=5",
        before=BERLIN_ZONE.replace("\n", "\r\n"),
    )
    slots = [slot_at(after.replace("T10", f"T{hour}")) for hour in ("09", "10", "11")]

    assert list(await (await system.open()).free(slots)) == [slots[0], slots[2]]


async def test_appointments_on_the_night_of_a_clock_change_are_two(system: CalDavSystem) -> None:
    """The hour that comes twice is two different hours."""
    first, second = at("2026-10-25T02:00"), at("2026-10-25T02:00", fold=1)
    slots = [Slot("practice", start, start + timedelta(minutes=30)) for start in (first, second)]
    calendar = await system.open()
    await calendar.write(entry_at(slots[0]))

    assert list(await calendar.free(slots)) == [slots[1]]
    await calendar.write(entry_at(slots[1]))
    assert list(await calendar.free(slots)) == []


async def test_an_event_that_cannot_be_read_does_not_close_the_clinic(
    system: CalDavSystem, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out and reported, without what stands in it; everything else counts."""
    system.write_by_hand("DTSTART:20261124T090000Z", "DTEND:20261124T093000Z", "RRULE:FREQ=DAILY;INTERVAL=1")
    system.write_by_hand(f"DTSTART:{at('2026-11-24T11:00'):{UTC}}", "DURATION:PT30M", "RRULE:FREQ=DAILY;BYDAY=+9MO")

    free = await (await system.open()).free(MORNING)

    assert slot_at(f"{DAY}T10:00") not in free
    assert slot_at(f"{DAY}T09:00") in free
    assert "by hand" not in caplog.text
