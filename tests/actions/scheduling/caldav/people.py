"""What people at the clinic do in their calendar program, and what is true in the calendars afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import count
from random import Random

from actions.scheduling.models import Slot
from tests.actions.clinic import HALF_HOUR
from tests.actions.scheduling.caldav.caldav_system import UTC, CalDavSystem, value_of
from tests.actions.scheduling.walk import TIMES, Kept

_OURS = "Booked by the assistant"
_A_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Event:
    """An event of ours: where it is, and what stands there."""

    system: CalDavSystem
    path: str
    text: str

    @property
    def status(self) -> str:
        return value_of("STATUS", self.text)

    @property
    def is_kept(self) -> bool:
        return self.status != "CANCELLED" and f"EXDATE:{value_of('DTSTART', self.text)}" not in self.text

    @property
    def kept(self) -> Kept:
        start, end = (_instant(value_of(name, self.text)) for name in ("DTSTART", "DTEND"))
        patient = re.search(r"^SUMMARY[^:]*:general: (\w+) \(", self.text, re.MULTILINE)
        return Kept(start, end, patient[1] if patient else "", resource=self.system.resource)

    def put(self, text: str, path: str = "", system: CalDavSystem | None = None) -> None:
        """Write the event as it shall be, at its path or at another one, where it is deleted then."""
        if path:
            self.delete()
        (system or self.system).server.put(path or self.path, text)

    def delete(self) -> None:
        assert self.system.server.request("DELETE", self.path)[0] in (200, 204)


def _instant(text: str) -> datetime:
    return datetime.strptime(text, UTC).replace(tzinfo=timezone.utc)


def _length(kept: Kept) -> timedelta:
    return kept.end - kept.start


def _claimed_for(text: str) -> str:
    """Return the reference of the booking that an object is a claim of; empty if it is none."""
    part = re.search(r"^SUMMARY:Part \d+ of \d+ of (\S+)", text, re.MULTILINE)
    return part[1] if part and "RELATED-TO" in text else ""


def _events(system: CalDavSystem) -> list[Event]:
    objects = system.objects().items()
    return [Event(system, path, text) for path, text in objects if f"DESCRIPTION:{_OURS}" in text]


@dataclass
class Truth:
    """What the calendars have, at one moment: events of ours, and what people keep for themselves."""

    events: Sequence[Event]
    # The references of the bookings that have claims, and the text of all events of ours, also outside of the clinic.
    claims: Sequence[str]
    everything: Sequence[str]
    by_hand: Sequence[Kept]
    closed: Sequence[Kept]

    @property
    def kept(self) -> Sequence[Kept]:
        """All appointments that nobody has cancelled; of a series the first time."""
        return [*(one.kept for one in self.events if one.is_kept), *self.by_hand]

    def is_closed(self, slot: Slot) -> bool:
        return any(one.overlaps(slot) for one in self.closed)

    def is_free(self, slot: Slot) -> bool:
        return not self.is_closed(slot) and not any(one.overlaps(slot) for one in self.kept)

    def hanging(self) -> Sequence[str]:
        """Return the claims of which there is no event any more, under whatever uid and in whichever calendar."""
        there = " ".join(self.everything)
        return [f"a claim of {one}" for one in self.claims if f"Reference: {one}" not in there]


@dataclass
class People:
    """Who works at the clinic. Nothing that they do makes two appointments share time. A `WalkedSystem`."""

    practice: CalDavSystem
    specialist: CalDavSystem
    private: CalDavSystem
    random: Random
    lag: float = 0
    # What people keep for themselves, by its path; `_series` is where this week's time of the series is.
    _by_hand: dict[str, Kept] = field(default_factory=dict)
    _closed: dict[str, Kept] = field(default_factory=dict)
    _series: Kept | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    def truth(self) -> Truth:
        events = [*_events(self.practice), *_events(self.specialist)]
        series = [self._series] if self._series else []
        claims = [
            reference
            for system in (self.practice, self.specialist)
            for text in system.objects().values()
            if (reference := _claimed_for(text))
        ]
        everything = [one.text for one in (*events, *_events(self.private))]
        return Truth(events, claims, everything, [*self._by_hand.values(), *series], [*self._closed.values()])

    def settle(self) -> None: ...

    def edits(self) -> Sequence[Callable[[], str]]:
        return [
            self.drag,
            self.drag_to_next_week,
            self.change_places,
            self.begin_late,
            self.make_a_series,
            self.make_longer,
            self.make_shorter,
            self.delete,
            self.cancel,
            self.rename,
            self.copy_and_delete,
            self.show_as_free,
            self.mark_as_tentative,
            self.give_to_the_specialist,
            self.take_out_of_the_clinic,
            self.book_by_hand,
            self.close_an_hour,
            self.reopen,
            self.move_this_weeks_time_of_the_series,
            self.delete_what_is_old,
        ]

    def drag(self) -> str:
        return self._drag([slot for slot in TIMES if self.truth().is_free(slot)])

    def drag_to_next_week(self) -> str:
        later = [Slot("practice", one.start + _A_WEEK, one.end + _A_WEEK) for one in TIMES]
        return self._drag([slot for slot in later if self.truth().is_free(slot)])

    def change_places(self) -> str:
        one, other = self._ours(self.practice), self._ours(self.practice)
        if one is None or other is None or one.path == other.path or _length(one.kept) != _length(other.kept):
            return ""
        rest = [each for each in self.truth().kept if each not in (one.kept, other.kept)]
        # Who shares a time with what a search could not know of yet would hand that over.
        if any(each.overlaps(place) for each in rest for place in (one.kept, other.kept)):
            return ""
        for changed, place in ((one, other.kept), (other, one.kept)):
            changed.put(_with(changed.text, DTSTART=f"{place.start:{UTC}}", DTEND=f"{place.end:{UTC}}"))
        return f"had {one.kept.start:%H:%M} and {other.kept.start:%H:%M} change places"

    def begin_late(self) -> str:
        """All that is to come in the practice is half an hour later."""
        ours = [one for one in self.truth().events if one.system is self.practice and one.is_kept]
        others = [one for one in self.truth().kept if one not in [each.kept for each in ours]]
        later = [replace(one.kept, start=one.kept.start + HALF_HOUR, end=one.kept.end + HALF_HOUR) for one in ours]
        if any(one.overlaps(other) for one in later for other in others):
            return ""
        for one, at in zip(ours, later, strict=True):
            one.put(_with(one.text, DTSTART=f"{at.start:{UTC}}", DTEND=f"{at.end:{UTC}}"))
        return "made everybody half an hour late"

    def make_a_series(self) -> str:
        """A second time, four weeks later; what the patient gives up is the first one."""
        one = self._ours()
        if one is None or "RRULE" in one.text:
            return ""
        one.put(_with(one.text, RRULE="FREQ=WEEKLY;INTERVAL=4;COUNT=2"))
        return f"made a series of {one.kept.start:%H:%M}"

    def make_longer(self) -> str:
        one = self._ours()
        if one is None:
            return ""
        longer = Slot(one.kept.resource, one.kept.end, one.kept.end + HALF_HOUR / 2)
        if any(other.overlaps(longer) for other in self.truth().kept):
            return ""
        one.put(_with(one.text, DTEND=f"{longer.end:{UTC}}"))
        return f"made {one.kept.start:%H:%M} longer"

    def make_shorter(self) -> str:
        one = self._ours()
        if one is None:
            return ""
        one.put(_with(one.text, DTEND=f"{one.kept.start + HALF_HOUR / 2:{UTC}}"))
        return f"made {one.kept.start:%H:%M} shorter"

    def delete(self) -> str:
        one = self._ours()
        if one is None:
            return ""
        one.delete()
        return f"deleted {one.kept.start:%H:%M}"

    def cancel(self) -> str:
        return self._mark(STATUS="CANCELLED")

    def show_as_free(self) -> str:
        return self._mark(TRANSP="TRANSPARENT")

    def mark_as_tentative(self) -> str:
        return self._mark(STATUS="TENTATIVE")

    def rename(self) -> str:
        one = self._ours()
        if one is None:
            return ""
        one.put(one.text, self._new_path(one.system))
        return f"renamed the object of {one.kept.start:%H:%M}"

    def copy_and_delete(self) -> str:
        """Some programs cut and paste like that, and so do exports that are read in again."""
        one = self._ours()
        if one is None:
            return ""
        one.put(_with(one.text, UID=f"copy-{next(self._numbers)}"), self._new_path(one.system))
        return f"made {one.kept.start:%H:%M} anew, under another uid"

    def give_to_the_specialist(self) -> str:
        one = self._ours(self.practice)
        if one is None:
            return ""
        there = Slot("specialist", one.kept.start, one.kept.end)
        if any(other.overlaps(there) for other in self.truth().kept):
            return ""
        one.put(one.text, self._new_path(self.specialist), self.specialist)
        return f"gave {one.kept.start:%H:%M} to the specialist"

    def take_out_of_the_clinic(self) -> str:
        one = self._ours()
        if one is None:
            return ""
        one.put(one.text, self._new_path(self.private), self.private)
        return f"moved {one.kept.start:%H:%M} to a calendar that is none of the clinic's"

    def book_by_hand(self) -> str:
        truth = self.truth()
        free = [slot for slot in TIMES if truth.is_free(slot)]
        if not free:
            return ""
        slot = self.random.choice(free)
        path = self.practice.write_by_hand(*_times(slot.start, slot.end))
        self._by_hand[path] = Kept(slot.start, slot.end)
        return f"booked {slot.start:%H:%M} by hand"

    def close_an_hour(self) -> str:
        start = self.random.choice(TIMES[:-1]).start
        path = self.practice.write_by_hand(*_times(start, start + 2 * HALF_HOUR))
        self._closed[path] = Kept(start, start + 2 * HALF_HOUR)
        return f"closed an hour at {start:%H:%M}"

    def reopen(self) -> str:
        for path in self._closed:
            self.practice.server.request("DELETE", path)
        self._closed.clear()
        return "reopened"

    def move_this_weeks_time_of_the_series(self) -> str:
        """There is one each Monday; this week's is moved to Tuesday, and on another day again."""
        truth = self.truth()
        free = [slot for slot in TIMES if truth.is_free(slot)]
        if not free:
            return ""
        slot = self.random.choice(free)
        write_series(self.practice, slot)
        self._series = Kept(slot.start, slot.end)
        return f"moved Monday's visit to Tuesday, {slot.start:%H:%M}"

    def delete_what_is_old(self) -> str:
        """Claims lie 28 years back."""
        for path, text in self.practice.objects().items():
            if "RELATED-TO" in text:
                self.practice.server.request("DELETE", path)
        return "deleted what is old"

    def _drag(self, to: Sequence[Slot]) -> str:
        one = self._ours(self.practice)
        if one is None or not to:
            return ""
        slot = self.random.choice(to)
        one.put(_with(one.text, DTSTART=f"{slot.start:{UTC}}", DTEND=f"{slot.end:{UTC}}"))
        return f"dragged {one.kept.start:%H:%M} to {slot.start:%d %b %H:%M}"

    def _mark(self, **values: str) -> str:
        one = self._ours()
        if one is None:
            return ""
        one.put(_with(one.text, **values))
        return f"marked {one.kept.start:%H:%M} as {values}"

    def _ours(self, system: CalDavSystem | None = None) -> Event | None:
        """Return an event of ours that nobody has cancelled."""
        events = [one for one in self.truth().events if one.is_kept]
        found = [one for one in events if system is None or one.system is system]
        return self.random.choice(found) if found else None

    def _new_path(self, system: CalDavSystem) -> str:
        return f"{system.path}by-people-{next(self._numbers)}.ics"


def write_series(system: CalDavSystem, moved: Slot | None = None) -> None:
    """Write a visit of each Monday, at 08:00 UTC; this week's may be moved."""
    lines = ["DTSTART:20260907T080000Z", "DTEND:20260907T083000Z", "RRULE:FREQ=WEEKLY;BYDAY=MO"]
    if moved:
        lines += ["END:VEVENT", "BEGIN:VEVENT", "UID:{uid}", "DTSTAMP:20261101T000000Z"]
        lines += ["RECURRENCE-ID:20261123T080000Z", *_times(moved.start, moved.end)]
    path = f"{system.path}series.ics"
    system.server.request("DELETE", path)
    system.write_by_hand(*lines, name="series.ics")


def _times(start: datetime, end: datetime) -> tuple[str, str]:
    return f"DTSTART:{start:{UTC}}", f"DTEND:{end:{UTC}}"


def _with(text: str, **values: str) -> str:
    """Return an event with other values, and the last version of everything else."""
    found: Mapping[str, str] = {name: f"{name}:{value}" for name, value in values.items()}
    for name, line in found.items():
        if re.search(rf"^{name}[;:]", text, re.MULTILINE):
            text = re.sub(rf"^{name}[;:][^\r\n]*", line, text, flags=re.MULTILINE)
        else:
            text = text.replace("END:VEVENT", f"{line}\r\nEND:VEVENT")
    return text
