"""What stands in the calendar, for people and for other programs, whatever a patient is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
import vobject  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from actions.scheduling.caldav.cells import Grid
from actions.scheduling.caldav.content import content, parts_of
from actions.scheduling.caldav.zones import events_in
from actions.scheduling.remote import Entry
from tests.actions.clinic import NOW, FixedClock
from tests.actions.scheduling.caldav.caldav_system import CalDavSystem, value_of
from tests.actions.scheduling.calendar_contract import PATIENT, TEN, TEN_TO_ELEVEN, entry_at

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]

HOSTILE = {
    "line breaks": ("Anna\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:free", "Anna END:VEVENT BEGIN:VEVENT SUMMARY:free"),
    "a lone line feed": ("Anna\nSTATUS:CANCELLED", "Anna STATUS:CANCELLED"),
    "other line breaks": ("Anna\u2028TRANSP:TRANSPARENT\u0085\x0b\x0cx", "Anna TRANSP:TRANSPARENT x"),
    "iCalendar's own characters": ('a;b,c\\n:d"e\\', 'a;b,c\\n:d"e\\'),
    "umlauts": ("Jürgen Groß-Łukasiewicz", "Jürgen Groß-Łukasiewicz"),
    "another script": ("நிலா \U0001f469\u200d\u2695", "நிலா \U0001f469\u200d\u2695"),
    "too long": ("ü" * 5000, "ü" * 80),
    "half of a character": ("Anna\ud83d Müller", "Anna Müller"),
    "right to left": ("\u202egro.live\u202c", "gro.live"),
    "nothing to see": ("\u200b\x00\t ", ""),
    "XML": ("]]></C:calendar-data><D:href>", "]]></C:calendar-data><D:href>"),
}


def named(name: str | None) -> Entry:
    return replace(entry_at(), patient=replace(PATIENT, name=name))


async def test_an_appointment_is_one_event_that_people_can_read(system: CalDavSystem) -> None:
    """Whatever it takes to keep others out lies 28 years back, and keeps nobody busy."""
    system.clock = FixedClock()
    entry = entry_at(TEN_TO_ELEVEN, "specialist")
    await (await system.open()).write(entry)

    [event] = [text for text in system.objects().values() if value_of("UID", text) == entry.uid]
    [claim] = [text for text in system.objects().values() if value_of("UID", text) != entry.uid]

    assert shown(event) == {
        "SUMMARY": "specialist: Erika Geheim (APT-4K7WQX)",
        "DESCRIPTION": "Booked by the assistant. Reference: APT-4K7WQX",
        "DTSTART": "20261124T090000Z",
        "DTEND": "20261124T100000Z",
        "DTSTAMP": "20261122T162000Z",
        "CLASS": "PRIVATE",
        "STATUS": "CONFIRMED",
        "TRANSP": "OPAQUE",
    }
    assert shown(claim)["DTSTART"] == "19981124T090000Z"
    assert shown(claim)["TRANSP"] == "TRANSPARENT"
    assert "Erika" not in claim


async def test_a_patients_addresses_are_never_written(system: CalDavSystem) -> None:
    """Nor is the conversation; the name is not, if that is not wanted."""
    for calendar in (await system.open(), await system.open(patient_name=False)):
        entry = entry_at()
        await calendar.write(entry)
        [text] = system.objects().values()
        for secret in (PATIENT.conversation, PATIENT.email, PATIENT.phone):
            assert secret is not None
            assert secret not in text
        await calendar.remove(entry)

    assert value_of("SUMMARY", text) == "general (APT-4K7WQX)"


@pytest.mark.parametrize(("name", "seen"), HOSTILE.values(), ids=HOSTILE)
async def test_a_name_is_a_name(name: str, seen: str, system: CalDavSystem) -> None:
    """It comes back from the server as it is, on one line, and nothing of it is taken for something else."""
    entry = named(name)
    calendar = await system.open()

    await calendar.write(entry)

    assert await calendar.find(entry)
    assert list(await calendar.free([TEN])) == []
    [text] = system.objects().values()
    [event] = vobject.readOne(text).vevent_list
    assert event.summary.value == (f"general: {seen} (APT-4K7WQX)" if seen else "general (APT-4K7WQX)")
    assert event.dtend.value - event.dtstart.value == timedelta(minutes=30)
    assert {"BEGIN:VEVENT": text.count("\nBEGIN:"), "status": event.status.value} == {
        "BEGIN:VEVENT": 1,
        "status": "CONFIRMED",
    }


async def test_a_patient_without_a_name_has_an_appointment(system: CalDavSystem) -> None:
    """The reference is enough."""
    await (await system.open()).write(named(None))

    assert [value_of("SUMMARY", text) for text in system.objects().values()] == ["general (APT-4K7WQX)"]


@given(st.text(max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_any_text_gives_one_event_of_short_lines(name: str, kind: str, reference: str) -> None:
    """RFC 5545: lines end in CRLF, are at most 75 octets long, and hold no other control characters."""
    entry = replace(named(name), appointment_type=kind, reference=reference, slot=TEN_TO_ELEVEN)

    for part in parts_of(entry, Grid(30)):
        text = content(entry, part, NOW, with_name=True)
        lines = text.split(b"\r\n")
        assert max(map(len, lines)) <= 75
        assert not any(byte < 32 or byte == 127 for line in lines for byte in line)
        [event] = events_in(text.decode())
        assert str(event["UID"]) == part.uid


def test_claims_of_leap_days_lie_on_days_that_exist() -> None:
    """On the same weekday, 28 years before."""
    slot = replace(TEN_TO_ELEVEN, start=TEN.start.replace(2028, 2, 29), end=TEN_TO_ELEVEN.end.replace(2028, 2, 29))
    entry = replace(entry_at(), slot=slot)

    claim = content(entry, parts_of(entry, Grid(30))[0], NOW, with_name=True).decode()

    assert value_of("DTSTART", claim) == "20000229T090000Z"


def shown(text: str) -> Mapping[str, str]:
    """Return what a calendar program shows."""
    names = ("SUMMARY", "DESCRIPTION", "DTSTART", "DTEND", "DTSTAMP", "CLASS", "STATUS", "TRANSP")
    return {name: value_of(name, text) for name in names}
