"""A name that a calendar gives its own time zone means what that very object says, whoever else uses the name."""

from __future__ import annotations

import pytest
from icalendar import Calendar

from actions.scheduling.caldav.busy import busy
from actions.scheduling.caldav.content import confirm_text
from actions.scheduling.caldav.spans import Span
from actions.scheduling.caldav.zones import events_in
from tests.actions.clinic import BERLIN, at

DAY = Span(at("2026-11-24T00:00"), at("2026-11-25T00:00"))


def zone(name: str, offset: str) -> str:
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}", "BEGIN:STANDARD", f"TZOFFSETFROM:{offset}", f"TZOFFSETTO:{offset}"]
    return "\r\n".join([*lines, "DTSTART:19700101T000000", "END:STANDARD", "END:VTIMEZONE"])


def calendar(definition: str, *lines: str, zone_last: bool = False) -> str:
    event = ["BEGIN:VEVENT", "UID:1", "DTSTAMP:20261101T000000Z", *lines, "END:VEVENT"]
    parts = [*event, definition] if zone_last else [definition, *event]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", *parts, "END:VCALENDAR", ""])


def starts(text: str) -> list[str]:
    return [f"{span.start:%H:%M}" for span in busy(text, BERLIN, DAY)]


@pytest.mark.parametrize(
    "name", ["Customized Time Zone", "W. Europe Standard Time", "EST", "/example.org/Europe/Berlin"]
)
@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("zone_last", [False, True], ids=["zone first", "zone last"])
def test_two_calendars_may_name_their_zones_alike(name: str, quoted: bool, zone_last: bool) -> None:
    """15:00 is 13:00 UTC in the one and 20:00 UTC in the other, in whichever order they are read."""
    param = f'"{name}"' if quoted else name
    lines = (f"DTSTART;TZID={param}:20261124T150000", f"DTEND;TZID={param}:20261124T153000")
    east, west = (calendar(zone(name, o), *lines, zone_last=zone_last) for o in ("+0200", "-0500"))

    assert [starts(text) for text in (east, west, east)] == [["13:00"], ["20:00"], ["13:00"]]


def test_what_somebody_else_read_does_not_matter() -> None:
    """Another part of the process may use icalendar, which keeps the first zone of a name for good."""
    lines = ("DTSTART;TZID=My zone:20261124T150000", "DURATION:PT30M")
    Calendar.from_ical(calendar(zone("My zone", "+0900"), *lines))

    assert starts(calendar(zone("My zone", "-0500"), *lines)) == ["20:00"]
    assert starts(calendar("", *lines)) != ["20:00"]


def test_all_times_of_an_event_are_in_its_zone() -> None:
    """Series, what is left out of it and what is added to it, in lines that are folded."""
    text = calendar(
        zone("Customized Time Zone", "-0500"),
        "DTSTART;TZID=Customized Time Zone:20261120T080000",
        "DTEND;TZID=Customized\r\n  Time Zone:20261120T083000",
        "RRULE:FREQ=DAILY",
        "EXDATE;TZID=Customized Time Zone:20261123T080000,20261124T080000",
        "RDATE;VALUE=PERIOD;TZID=Customized Time Zone:20261124T100000/20261124T110000",
        "RDATE;TZID=Customized Time Zone:20261124T120000",
        "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20261101T000000Z",
        "RECURRENCE-ID;TZID=Customized Time Zone:20261125T080000",
        "DTSTART;TZID=Customized Time Zone:20261124T140000",
        "DURATION:PT30M",
    )

    assert sorted(starts(text)) == ["15:00", "17:00", "19:00"]


def test_a_place_of_the_zone_database_is_that_place() -> None:
    """Programs write what they know of it, which may be a year's worth."""
    lines = ("DTSTART;TZID=America/New_York:20261124T040000", "DURATION:PT30M")

    assert starts(calendar(zone("America/New_York", "+0900"), *lines)) == ["09:00"]


@pytest.mark.parametrize(
    "definition", ["", "BEGIN:VTIMEZONE\r\nTZID:Odd zone\r\nEND:VTIMEZONE", zone("Other", "+0900")]
)
def test_a_zone_that_nobody_explains_is_the_clinics(definition: str) -> None:
    """As a time without a zone."""
    lines = ("DTSTART;TZID=Odd zone:20261124T100000", "DURATION:PT30M")

    assert starts(calendar(definition, *lines)) == ["09:00"]


def test_a_word_in_a_text_is_no_zone() -> None:
    """Only times have zones."""
    text = calendar(
        zone("Mine", "-0500"),
        "SUMMARY:DTSTART;TZID=Mine:20261124T100000",
        "DTSTART:20261124T090000Z",
        "DURATION:PT30M",
    )

    assert starts(text) == ["09:00"]
    assert str(events_in(text)[0]["SUMMARY"]) == "DTSTART;TZID=Mine:20261124T100000"


def test_confirming_an_event_changes_its_status_and_nothing_else() -> None:
    """Not its zone, nor the status of what lies inside of it, nor a single letter that people wrote."""
    alarm = ["BEGIN:VALARM", "STATUS:ODD", "END:VALARM"]
    lines = ["STATUS;X=1:TENTA\r\n TIVE", "SUMMARY:a\u2028b", "DTSTART;TZID=Mine:20261124T100000", *alarm]
    text = calendar(zone("Mine", "-0500"), *lines)

    confirmed = confirm_text(text).decode()

    assert confirmed == text.replace("STATUS;X=1:TENTA\r\n TIVE\r\n", "").replace(
        "END:VEVENT", "STATUS:CONFIRMED\r\nEND:VEVENT"
    )
