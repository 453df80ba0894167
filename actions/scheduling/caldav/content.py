"""What is written into the calendar: the event that people see, and the claims that they do not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from icalendar import Calendar, Event

from actions.scheduling.caldav.cells import Grid, name_of
from actions.scheduling.caldav.zones import UNREADABLE, events_in
from actions.scheduling.remote import Entry

_PRODUCT = "-//action-server//clinic//EN"
# The status of an event whose writer has not looked yet whether anybody else has the time.
TENTATIVE = "TENTATIVE"
_LONGEST_NAME = 80
# Letters of some scripts are joined or kept apart by these two; everything else that is not seen is left out.
_JOINERS = "\u200c\u200d"

# The calendar repeats itself after 28 years, so a claim lies on the same weekday and never on a day that does not
# exist. Nobody looks there, and no query for a time of today finds it.
YEARS_BACK = 28
_BACK = timedelta(days=YEARS_BACK * 365 + YEARS_BACK // 4)

_STATUS = re.compile(r"STATUS[;:]", re.IGNORECASE)
_EVENT = re.compile(r"BEGIN:VEVENT.*?END:VEVENT(?:\r?\n)?", re.IGNORECASE | re.DOTALL)
_CHANGE = re.compile(r"^RECURRENCE-ID[;:]", re.IGNORECASE | re.MULTILINE)
_START = re.compile(r"^DTSTART(?P<value>[;:][^\n]*\n(?:[ \t][^\n]*\n)*)", re.IGNORECASE | re.MULTILINE)
_CLAIM = re.compile(r"(?P<uid>.+)-claim-(?P<number>\d{1,4})-of-(?P<count>\d{1,4})", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """One object of an entry: the cell it claims, its uid, and how many cells there are before and after it."""

    cell: datetime
    uid: str
    number: int
    count: int

    @property
    def name(self) -> str:
        """The object's name in the collection."""
        return name_of(self.cell)

    @property
    def is_event(self) -> bool:
        """Whether this is the event; it claims the last cell."""
        return self.number == self.count


def parts_of(entry: Entry, grid: Grid) -> Sequence[Part]:
    """Return the objects of an entry, in the order in which they are written: claims first, the event last."""
    cells = grid.cells_of(entry.slot)
    return [
        Part(
            cell,
            entry.uid if number == len(cells) else f"{entry.uid}-claim-{number}-of-{len(cells)}",
            number,
            len(cells),
        )
        for number, cell in enumerate(cells, 1)
    ]


def entry_uid(uid: str) -> str:
    """Return the uid of the entry that an object with this uid is a part of."""
    claim = _CLAIM.fullmatch(uid)
    return claim["uid"] if claim else uid


def cells_to_go(uid: str) -> int | None:
    """Return how many cells after a claim its event is; None if the uid is not that of a claim."""
    claim = _CLAIM.fullmatch(uid)
    return int(claim["count"]) - int(claim["number"]) if claim else None


def content(entry: Entry, part: Part, stamp: datetime, with_name: bool) -> bytes:
    """Return the text of one object of the entry; `stamp` is when it is written."""
    event = _appointment(entry, with_name) if part.is_event else _claim(entry, part)
    event.add("uid", part.uid)
    event.add("dtstamp", stamp.replace(microsecond=0))
    event.add("class", "PRIVATE")
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text


def confirm_text(text: str) -> bytes:
    """Return the text of an event with another status, and whatever people wrote into it, line by line."""
    lines: list[str] = []
    inside: list[str] = []
    skips = False
    for line in re.split(r"\r?\n", text.rstrip("\r\n")):
        skips = (skips and line[:1] in (" ", "\t")) or (inside[-1:] == ["VEVENT"] and _STATUS.match(line) is not None)
        name, _, value = line.strip().upper().partition(":")
        if name == "BEGIN":
            inside.append(value)
        elif name == "END" and inside and inside.pop() == "VEVENT":
            lines.append("STATUS:CONFIRMED")
        if not skips:
            lines.append(line)
    return "\r\n".join([*lines, ""]).encode()


def leave_out_text(text: str, changed: int | None = None) -> bytes:
    """Return the text of a series without its first time, and with whatever else people wrote into it.

    `changed` is the number of the event that says what people made of that time, if they changed it on its own: it goes
    as well, since programs show it, left out or not.
    """
    numbers = count()

    def left_out(event: re.Match[str]) -> str:
        if next(numbers) == changed:
            return ""
        return event[0] if _CHANGE.search(event[0]) else _START.sub(r"\g<0>EXDATE\g<value>", event[0], count=1)

    return _EVENT.sub(left_out, text).encode()


def mentions(text: str, entry: Entry) -> bool:
    """Say whether an event has the words that were written into the entry's own, whatever else became of it."""
    try:
        events = events_in(text)
    except UNREADABLE:
        return False
    words = _description(plain(entry.reference))
    return any(words in str(event.get("DESCRIPTION", "")) for event in events)


def _description(reference: str) -> str:
    return f"Booked by the assistant. Reference: {reference}"


def _appointment(entry: Entry, with_name: bool) -> Event:
    name = plain(entry.patient.name or "") if with_name else ""
    kind, reference = plain(entry.appointment_type), plain(entry.reference)
    event = Event()
    event.add("summary", f"{kind}: {name} ({reference})" if name else f"{kind} ({reference})")
    event.add("description", _description(reference))
    event.add("dtstart", entry.slot.start)
    event.add("dtend", entry.slot.end)
    event.add("status", TENTATIVE)
    event.add("transp", "OPAQUE")
    return event


def _claim(entry: Entry, part: Part) -> Event:
    start = part.cell - _BACK
    event = Event()
    event.add("summary", f"Part {part.number} of {part.count} of {plain(entry.reference)}")
    event.add(
        "description",
        f"Not an appointment: keeps other programs from booking a part of {plain(entry.reference)}, "
        f"{YEARS_BACK} years after this. It goes away with it.",
    )
    event.add("related-to", entry.uid)
    event.add("dtstart", start)
    event.add("dtend", start + timedelta(minutes=1))
    event.add("transp", "TRANSPARENT")
    return event


def plain(text: str) -> str:
    """Return one line of text, of reasonable length, without characters that control what is shown."""
    seen = "".join(
        character if character in _JOINERS or unicodedata.category(character)[0] not in "CZ" else " "
        for character in text
    )
    return " ".join(seen.split())[:_LONGEST_NAME]
