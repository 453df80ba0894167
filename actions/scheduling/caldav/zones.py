"""The events of a calendar object, each time in the zone that this very object means by the name it gives.

"Customized Time Zone" is two hours ahead in one doctor's calendar and five behind in another's. icalendar keeps the
first definition of a name for the whole process and gives it to everybody, so it gets to see no definition that a
calendar makes itself: the object's VTIMEZONEs are taken out before, and times are put into their zones afterwards.
Names of the form Area/City mean the same everywhere, and the zone database knows them for more years.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone

# What icalendar and dateutil raise on content that is not as it should be.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)

_LINE_OF_MANY = re.compile(r"\r?\n[ \t]")
_DEFINITION = re.compile(r"^BEGIN:VTIMEZONE[ \t]*\r?\n.*?^END:VTIMEZONE[ \t]*(?:\r?\n|\Z)", re.M | re.S | re.I)
_NAME = re.compile(r"^TZID(?:;[^:\r\n]*)?:([^\r\n]*)", re.M | re.I)
_TIME = re.compile(
    r'^((?:DTSTART|DTEND|RECURRENCE-ID|RDATE|EXDATE)(?:;[^:"\r\n]*(?:"[^"\r\n]*")?)*?);TZID=("[^"\r\n]*"|[^;:,"\r\n]*)',
    re.M | re.I,
)
_ESCAPED = re.compile(r"\\([,;\\])")
# The parameter that stands for a zone of the object's own while icalendar reads it.
_OWN = "X-OWN-ZONE"
# The parameter of a duration that is written in hours: 24 of them are a day to icalendar, whatever the clocks do.
HOURS = "X-IN-HOURS"
_IN_HOURS = re.compile(r"^DURATION((?:;[^:\r\n]*)?):(\+?PT)", re.M | re.I)
_ONE, _SEVERAL = ("DTSTART", "DTEND", "RECURRENCE-ID"), ("RDATE", "EXDATE")


def events_in(content: str) -> Sequence[Event]:
    """Return the events of a calendar object; raises one of `UNREADABLE` if it is none."""
    text = _IN_HOURS.sub(rf"DURATION\1;{HOURS}=1:\2", _LINE_OF_MANY.sub("", content))
    if "TZID" not in text:
        return Calendar.from_ical(text).events
    own = _zones_of(text)
    names = list(own)

    def mark(match: re.Match[str]) -> str:
        name = match[2].strip('"').strip()
        return f"{match[1]};{_OWN}={names.index(name)}" if name in own else match[0]

    events = Calendar.from_ical(_TIME.sub(mark, _DEFINITION.sub("", text))).events
    for event in events:
        _put_into_zones(event, list(own.values()))
    return events


def _zones_of(text: str) -> Mapping[str, tzinfo]:
    """Return the zones that the object defines and that mean something here only."""
    found = {}
    for definition in _DEFINITION.findall(text):
        name = _NAME.search(definition)
        if name is not None and not _is_known_everywhere(word := _ESCAPED.sub(r"\1", name[1]).strip()):
            zone = _zone(_NAME.sub("TZID:UTC", definition))
            if zone is not None:
                found[word] = zone
    return found


def _is_known_everywhere(name: str) -> bool:
    area, _, city = name.partition("/")
    if not area or not city:
        return False
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        return False
    return True


@lru_cache(maxsize=64)
def _zone(definition: str) -> tzinfo | None:
    """Return the zone of a VTIMEZONE, None if it cannot be read. What is kept is kept by its whole definition.

    It must be named UTC: what icalendar knows already it does not take from anybody.
    """
    try:
        found = Timezone.from_ical(definition)
        return found.to_tz(lookup_tzid=False) if isinstance(found, Timezone) else None
    except UNREADABLE:
        return None


def _put_into_zones(event: Event, zones: Sequence[tzinfo]) -> None:
    for name in _ONE:
        if name in event:
            value: Any = event[name]
            zone = _zone_of(value, zones)
            if zone is not None:
                value.dt = _localized(value.dt, zone)
    for name in _SEVERAL:
        several: Any = event.get(name, [])
        for values in several if isinstance(several, list) else [several]:
            zone = _zone_of(values, zones)
            if zone is not None:
                for value in values.dts:
                    value.dt = _localized(value.dt, zone)


def _zone_of(value: Any, zones: Sequence[tzinfo]) -> tzinfo | None:
    index = getattr(value, "params", {}).get(_OWN)
    return None if index is None else zones[int(index)]


def _localized(value: Any, zone: tzinfo) -> date | timedelta | tuple[Any, Any]:
    """Put a time, or both ends of a period, into the zone; days and durations have none."""
    if isinstance(value, tuple):
        start, end = value
        return _localized(start, zone), _localized(end, zone)
    found: date | timedelta = value
    return found.replace(tzinfo=zone) if isinstance(found, datetime) and found.tzinfo is None else found
