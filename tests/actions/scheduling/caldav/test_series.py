"""Series mean what they mean to recurring-ical-events, which is the oracle here and too slow for hostile rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import pytest
import recurring_ical_events  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from actions.scheduling.caldav.busy import busy
from actions.scheduling.caldav.spans import Span
from tests.actions.clinic import BERLIN

A_DAY = timedelta(days=1)
Times = list[tuple[datetime, datetime]]

ZONE = "TZID=Europe/Berlin"
NEXT = ("END:VEVENT", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20261101T000000Z")


def calendar(*lines: str) -> str:
    text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20261101T000000Z"]
    return "\r\n".join([*text, *lines, "END:VEVENT", "END:VCALENDAR", ""])


def ours(text: str, within: Span) -> Times:
    return sorted({(span.start, span.end) for span in busy(text, BERLIN, within)})


def oracles(text: str, within: Span) -> Times:
    # A day more on both sides: it takes times without a zone for those of the question.
    found = recurring_ical_events.of(Calendar.from_ical(text)).between(within.start - A_DAY, within.end + A_DAY)
    times = [
        (instant(event.start), instant(event.end)) for event in found if str(event.get("STATUS", "")) != "CANCELLED"
    ]
    return sorted({(a, b) for a, b in times if Span(a, b).overlaps(within)})


def instant(value: date) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=BERLIN)).astimezone(timezone.utc)


def between(first: str, end: str) -> Span:
    return Span(*(datetime.fromisoformat(day).replace(tzinfo=timezone.utc) for day in (first, end)))


NOVEMBER = between("2026-11-01", "2026-12-20")
CHANGE = between("2026-10-23", "2026-11-03")
WEEKLY = ("DTSTART:20261103T090000Z", "DTEND:20261103T093000Z", "RRULE:FREQ=WEEKLY")
MOVED_SINCE = (
    *NEXT,
    "RECURRENCE-ID;RANGE=THISANDFUTURE:20261117T090000Z",
    "DTSTART:20261118T110000Z",
    "DTEND:20261118T120000Z",
)
CASES: dict[str, tuple[tuple[str, ...], Span]] = {
    "periods have lengths of their own": (
        (*WEEKLY[:2], "RDATE;VALUE=PERIOD:20261124T120000Z/PT2H,20261125T120000Z/20261125T150000Z"),
        NOVEMBER,
    ),
    "periods keep their lengths where all that follow are moved": (
        (*WEEKLY, "RDATE;VALUE=PERIOD:20261124T120000Z/PT2H", *MOVED_SINCE),
        NOVEMBER,
    ),
    "a day over a clock change": ((f"DTSTART;{ZONE}:20261024T100000", "DURATION:P1D"), CHANGE),
    "a night each week": (
        (f"DTSTART;{ZONE}:20261010T200000", f"DTEND;{ZONE}:20261011T080000", "RRULE:FREQ=WEEKLY"),
        CHANGE,
    ),
    "a night each week, the first over a clock change": (
        (f"DTSTART;{ZONE}:20261024T200000", f"DTEND;{ZONE}:20261025T080000", "RRULE:FREQ=WEEKLY"),
        CHANGE,
    ),
    "a week of whole days over a clock change": (("DTSTART;VALUE=DATE:20261022", "DTEND;VALUE=DATE:20261028"), CHANGE),
    "this and all that follow": ((*WEEKLY, *MOVED_SINCE), NOVEMBER),
    "this and all that follow, twice": (
        (
            *WEEKLY,
            *MOVED_SINCE,
            *NEXT,
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20261201T090000Z",
            "DTSTART:20261201T130000Z",
            "DTEND:20261201T133000Z",
        ),
        NOVEMBER,
    ),
    "one of those that follow moved on its own": (
        (
            *WEEKLY,
            *MOVED_SINCE,
            *NEXT,
            "RECURRENCE-ID:20261124T090000Z",
            "DTSTART:20261127T110000Z",
            "DTEND:20261127T120000Z",
        ),
        NOVEMBER,
    ),
    "moved and left out": (
        (
            *WEEKLY,
            "EXDATE:20261117T090000Z",
            *NEXT,
            "RECURRENCE-ID:20261117T090000Z",
            "DTSTART:20261118T110000Z",
            "DTEND:20261118T120000Z",
        ),
        NOVEMBER,
    ),
    "moved twice, the older one last": (
        (
            *WEEKLY,
            *NEXT,
            "SEQUENCE:2",
            "RECURRENCE-ID:20261117T090000Z",
            "DTSTART:20261118T110000Z",
            "DTEND:20261118T120000Z",
            *NEXT,
            "SEQUENCE:1",
            "RECURRENCE-ID:20261117T090000Z",
            "DTSTART:20261119T110000Z",
            "DTEND:20261119T120000Z",
        ),
        NOVEMBER,
    ),
    "an event that leaves out its only time": ((*WEEKLY[:2], "EXDATE:20261103T090000Z"), NOVEMBER),
}


@pytest.mark.parametrize(("lines", "within"), CASES.values(), ids=CASES)
def test_a_series_means_what_the_oracle_says(lines: tuple[str, ...], within: Span) -> None:
    """RFC 5545, where readers are known to differ."""
    expected = oracles(calendar(*lines), within)

    assert ours(calendar(*lines), within) == expected
    assert bool(expected) != ("EXDATE" in lines[-1])


def test_twenty_four_hours_are_no_day() -> None:
    """A duration in hours ends when they are over, whatever the clock shows; the oracle takes them for a day."""
    for written, end in (("PT24H", "08:00"), ("P1D", "09:00"), ("P1DT1H", "10:00"), ("PT25H", "09:00")):
        text = calendar(f"DTSTART;{ZONE}:20261024T100000", f"DURATION:{written}")
        [(_, ended)] = ours(text, CHANGE)
        assert f"{ended:%d %H:%M}" == f"25 {end}"


def test_all_that_follow_may_be_cancelled() -> None:
    """Or no longer keep anybody busy."""
    for word in ("STATUS:CANCELLED", "TRANSP:TRANSPARENT"):
        text = calendar(*WEEKLY, *MOVED_SINCE, word)
        assert [f"{start:%d}" for start, _ in ours(text, NOVEMBER)] == ["03", "10"]


def test_a_series_that_moves_for_ever_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody follows a rule for eight thousand years."""
    far = "RECURRENCE-ID;RANGE=THISANDFUTURE:20261117T090000Z"
    text = calendar(*WEEKLY[:2], "RRULE:FREQ=HOURLY", *NEXT, far, "DTSTART:99991118T110000Z", "DURATION:PT1H")

    assert ours(text, NOVEMBER) == []
    assert [record.getMessage() for record in caplog.records] == ["caldav.event_unreadable"]


@pytest.mark.parametrize(("rule", "days"), [("RSCALE=GREGORIAN;FREQ=WEEKLY", 7), ("FREQ=WEEKLY;RSCALE=CHINESE", 1)])
def test_a_rule_of_everybodys_calendar_is_a_rule(rule: str, days: int) -> None:
    """RFC 7529 names it; of other calendars the first time is all that is known."""
    assert len(ours(calendar(*WEEKLY[:2], f"RRULE:{rule}"), NOVEMBER)) == days


SUMMER = between("2026-06-15", "2026-07-20")
DAY = st.integers(0, 60).map(lambda n: datetime(2026, 5, 25) + timedelta(days=n))


@st.composite
def series(draw: Any) -> str:
    """A series of May to August, in one zone and without a clock change, with whatever may be changed of it."""
    zone, mark = draw(st.sampled_from([(f";{ZONE}", ""), (";TZID=America/New_York", ""), ("", "Z"), ("", "")]))
    start = draw(DAY) + timedelta(minutes=draw(st.integers(0, 47)) * 30)
    minutes = draw(st.integers(1, 60)) * 30

    def at(moment: datetime) -> str:
        return f"{moment:%Y%m%dT%H%M%S}{mark}"

    def span(moment: datetime, length: int) -> Sequence[str]:
        return [f"DTSTART{zone}:{at(moment)}", f"DTEND{zone}:{at(moment + timedelta(minutes=length))}"]

    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    rule = f"RRULE:FREQ={frequency};INTERVAL={draw(st.integers(1, 3))}"
    rule += draw(
        st.sampled_from(["", ";COUNT=1", ";COUNT=7", ";BYDAY=MO,TH"] if frequency != "YEARLY" else ["", ";COUNT=2"])
    )
    lines = [*span(start, minutes), rule]
    some = [start + timedelta(days=n) for n in draw(st.lists(st.integers(0, 50), max_size=6, unique=True))]
    if draw(st.booleans()):
        lines += [
            f"RDATE{zone}:{at(start + timedelta(days=n, hours=1))}"
            for n in draw(st.lists(st.integers(0, 30), max_size=2))
        ]
    lines += [f"EXDATE{zone}:{at(moment)}" for moment in some[:2]]
    for moment in some[1:4]:
        moved = moment + timedelta(minutes=30 * draw(st.integers(-90, 90)))
        status = draw(st.sampled_from(["STATUS:CONFIRMED", "STATUS:CANCELLED"]))
        lines += [*NEXT, f"RECURRENCE-ID{zone}:{at(moment)}", *span(moved, draw(st.integers(1, 9)) * 30), status]
    for moment in some[4:5]:
        lines += [*NEXT, f"RECURRENCE-ID;RANGE=THISANDFUTURE{zone}:{at(moment)}"]
        lines += span(moment + timedelta(minutes=30 * draw(st.integers(-90, 90))), draw(st.integers(1, 9)) * 30)
    return calendar(*lines)


@settings(max_examples=150, deadline=None, database=None)
@given(series())
def test_any_series_means_what_the_oracle_says(text: str) -> None:
    """Rules, further dates, exceptions, single changes, and those with all that follow, in any mixture."""
    assert ours(text, SUMMER) == oracles(text, SUMMER)
