"""When events keep somebody busy, as far as two real servers do not show it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import combinations

import pytest

from actions.scheduling.caldav.busy import busy
from actions.scheduling.caldav.cells import Grid, name_of
from actions.scheduling.caldav.spans import Span, Spans
from actions.scheduling.models import Slot
from tests.actions.clinic import BERLIN, at

DAY = Span(at("2026-11-24T00:00"), at("2026-11-25T00:00"))


def calendar(*lines: str) -> str:
    text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20261101T000000Z"]
    return "\r\n".join([*text, *lines, "END:VEVENT", "END:VCALENDAR", ""])


def minute(number: int) -> datetime:
    return datetime(2026, 11, 24, tzinfo=timezone.utc) + timedelta(minutes=number)


HALF_HOUR = ("DTSTART:20261124T090000Z", "DTEND:20261124T093000Z")


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;INTERVAL=0"), 0),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"), 0),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=5"), 0),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"), 0),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;BYMONTH=1,11;BYDAY=MO,TU"), 1),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;BYMONTHDAY=-7,3"), 1),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=HOURLY;BYYEARDAY=-38;BYHOUR=9,14"), 2),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;BYDAY=TU;COUNT=46"), 0),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;BYDAY=TU;COUNT=47"), 1),
        (("DTSTART:20260101T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;BYWEEKNO=48"), 0),
        (("DTSTART:20261124T090000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY"), 2),
        (("DTSTART:20260101T090000Z", "DURATION:PT5M", "RRULE:FREQ=HOURLY"), 24),
        (("DTSTART:19000101T090000Z", "DURATION:PT5M", "RRULE:FREQ=DAILY"), 1),
        ((*HALF_HOUR, "RRULE:FREQ=FORTNIGHTLY"), 1),
        ((*HALF_HOUR, "RRULE:FREQ=DAILY;RSCALE=CHINESE"), 1),
        ((*HALF_HOUR, "RRULE:FREQ=DAILY;BYDAY=TU", "RRULE:FREQ=HOURLY;COUNT=3"), 3),
        (("DTSTART:20261123T090000Z", "DURATION:P2D"), 1),
        (("DTSTART:20261120T090000Z", "DURATION:PT26H", "RRULE:FREQ=DAILY"), 2),
        ((*HALF_HOUR, "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20261124"), 0),
        ((*HALF_HOUR, "RDATE;VALUE=PERIOD:20261124T120000Z/PT30M"), 2),
        (("DTSTART;VALUE=DATE:20261123", "RRULE:FREQ=DAILY;UNTIL=20261124"), 1),
        (("DTSTART;VALUE=DATE:20261123", "RRULE:FREQ=DAILY;UNTIL=20261123"), 0),
        (("DTSTART:20261123T090000Z", "DURATION:PT30M", "RRULE:FREQ=DAILY;UNTIL=20261124"), 1),
        (("DTSTART:20261124T093000Z", "DTEND:20261124T090000Z"), 1),
        (("DTSTART:20261124T093000Z", "DURATION:-PT30M"), 1),
        (("DTSTART;TZID=Nowhere/Land:20261124T090000", "DURATION:PT30M"), 1),
        (("DTSTART:yesterday",), 0),
        (("SUMMARY:no time",), 0),
        (("DTSTART:99991231T235959Z", "DURATION:P9D"), 0),
        ((*HALF_HOUR, "STATUS:cancelled"), 0),
        ((*HALF_HOUR, "RECURRENCE-ID:20261120T090000Z"), 1),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_odd_events_neither_hang_nor_hide_others(lines: tuple[str, ...], count: int) -> None:
    """A rule that stands still, that never comes true, that nobody knows: what can be known of the event counts."""
    assert len(busy(calendar(*lines), BERLIN, DAY)) == count


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "caldav.rule_unreadable"),
        ("FREQ=MONTHLY;BYMONTH=4,6;BYMONTHDAY=-31", "caldav.rule_unreadable"),
        ("FREQ=DAILY;INTERVAL=0", "caldav.rule_unreadable"),
        ("FREQ=SECONDLY", "caldav.rule_without_gap"),
        ("FREQ=YEARLY;BYMONTH=2,11;BYMONTHDAY=30", None),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", None),
    ],
)
def test_a_rule_that_may_keep_a_server_busy_is_named(
    rule: str, told: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """With its calendar and object, of which somebody has to take it out."""
    place = {"resource": "practice", "object": "x.ics"}
    busy(calendar("DTSTART:20260101T090000Z", "DURATION:PT30M", f"RRULE:{rule}"), BERLIN, DAY, place)

    found = [(record.msg, vars(record)["resource"], vars(record)["object"]) for record in caplog.records]
    assert found == ([(told, "practice", "x.ics")] if told else [])


@pytest.mark.parametrize("text", ["", "nonsense", "BEGIN:VCALENDAR", "BEGIN:VEVENT\r\nEND:VEVENT", "\x00", "A" * 9999])
def test_what_is_no_calendar_keeps_nobody_busy(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is reported by one constant line."""
    assert busy(text, BERLIN, DAY) == []
    assert [record.message for record in caplog.records] == ["caldav.object_unreadable"]


def test_an_all_day_event_is_as_long_as_the_day() -> None:
    """Twenty-five hours when the clock is put back, twenty-three when it is put forward."""
    for day, hours in (("2026-10-25", 25), ("2026-03-29", 23), ("2026-11-24", 24)):
        within = Span(at(f"{day}T00:00") - timedelta(days=2), at(f"{day}T00:00") + timedelta(days=2))
        [span] = busy(calendar(f"DTSTART;VALUE=DATE:{day.replace('-', '')}"), BERLIN, within)
        assert (span.start, span.end - span.start) == (at(f"{day}T00:00"), timedelta(hours=hours))


def test_many_spans_answer_like_each_of_them() -> None:
    """Sorted and merged, they overlap with the same times; what takes no time overlaps with nothing."""
    spans = [Span(minute(a), minute(b)) for a, b in [(2, 4), (3, 5), (7, 7), (9, 12), (10, 11), (12, 13), (15, 14)]]
    merged = Spans(spans)

    for start, end in combinations(range(17), 2):
        asked = Span(minute(start), minute(end))
        assert merged.overlap(asked) == any(span.overlaps(asked) for span in spans)
    assert not Spans([]).overlap(DAY)


def test_cells_do_not_depend_on_who_asks() -> None:
    """They are counted in UTC; a time off the grid has a part of each cell it touches."""
    start = at("2026-11-24T10:15")
    cells = Grid(30).cells_of(Slot("practice", start, start + timedelta(minutes=30)))

    assert [name_of(cell) for cell in cells] == ["cell-20261124T0900Z.ics", "cell-20261124T0930Z.ics"]
    assert Grid(1440).cells_of(Slot("practice", start, start + timedelta(minutes=30))) == [
        datetime(2026, 11, 24, tzinfo=timezone.utc)
    ]
