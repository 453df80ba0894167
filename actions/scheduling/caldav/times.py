"""When one event is: its start on the wall clock of its zone, and how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any

from icalendar import Event

from actions.scheduling.caldav.spans import Span
from actions.scheduling.caldav.zones import HOURS

_DAY = timedelta(days=1)
_NOTHING = timedelta()


@dataclass(frozen=True)
class Length:
    """How long an event takes: by the wall clock, whose days may have 23 or 25 hours, and then so much of real time."""

    by_the_clock: timedelta = _NOTHING
    real: timedelta = _NOTHING

    @property
    def about(self) -> timedelta:
        """The length, give or take what a clock is changed by."""
        return self.by_the_clock + self.real


@dataclass(frozen=True)
class Times:
    """When an event is, the first time of a series."""

    start: datetime
    zone: tzinfo
    length: Length
    all_day: bool

    @classmethod
    def of(cls, event: Event, zone: tzinfo) -> Times:
        """Read an event; `zone` is meant where it names none. Raises one of `UNREADABLE` if it has no time."""
        first = value_of(event, "DTSTART")
        all_day = not isinstance(first, datetime)
        own_zone = zone if all_day or first.tzinfo is None else first.tzinfo
        start = wall_of(first, own_zone)
        if "DTEND" in event:
            length = Length(wall_of(value_of(event, "DTEND"), own_zone) - start)
        elif "DURATION" in event:
            duration: Any = event["DURATION"]
            length = length_of(duration.dt, in_hours=HOURS in duration.params)
        else:
            length = Length(_DAY if all_day else _NOTHING)
        return cls(start, own_zone, length, all_day)

    def at(self, wall: datetime, length: Length | None = None) -> Span:
        """Return the span that starts at `wall`, as long as the event is or as `length`."""
        length = self.length if length is None else length
        one, other = instant_of(wall, self.zone), instant_of(wall + length.by_the_clock, self.zone) + length.real
        # Some programs write the end first; somebody is busy all the same.
        return Span(min(one, other), max(one, other))


def length_of(duration: timedelta, *, in_hours: bool) -> Length:
    """Return what a duration means: days and weeks are those of the wall clock, hours are hours, 24 of them too."""
    if in_hours:
        return Length(real=duration)
    days = timedelta(days=duration.days)
    return Length(days, duration - days)


def value_of(event: Event, name: str) -> Any:
    """Return the value of a property that has one; raises `KeyError` if there is none."""
    found: Any = event[name]
    return found.dt


def many(event: Event, name: str) -> Sequence[Any]:
    """Return the properties of that name."""
    value: Any = event.get(name, [])
    return value if isinstance(value, list) and not hasattr(value, "to_ical") else [value]


def wall_of(value: date, zone: tzinfo) -> datetime:
    """Return what the wall clock of a zone shows; a value without a zone is meant in it."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return (value if value.tzinfo is None else value.astimezone(zone)).replace(tzinfo=None, fold=0)


def instant_of(value: date, zone: tzinfo) -> datetime:
    """Return the instant (UTC); a value without a zone is meant in `zone`."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        value = wall_of(value, zone).replace(tzinfo=zone)
    return value.astimezone(timezone.utc)
