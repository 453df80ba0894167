"""When the events of a calendar object keep somebody busy: recurrence, time zones, whole days, what does not count."""

from __future__ import annotations

import logging
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import islice
from typing import Any

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from icalendar import Event

from actions.scheduling.caldav.zones import UNREADABLE, events_in

_log = logging.getLogger(__name__)

# A rule by the minute or the second is one long appointment; counting its times could take for ever.
_WITHOUT_A_GAP = ("SECONDLY", "MINUTELY")

_BY_THE_DAY = ("HOURLY", "DAILY")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of time (UTC) from `start` to before `end`; one that takes no time overlaps with nothing."""

    start: datetime
    end: datetime

    def overlaps(self, other: Span) -> bool:
        """Say whether the two share any time."""
        return max(self.start, other.start) < min(self.end, other.end)


class Spans:
    """Many spans, for questions about overlaps."""

    def __init__(self, spans: Iterable[Span]) -> None:
        merged: list[Span] = []
        for span in sorted(span for span in spans if span.start < span.end):
            if merged and span.start <= merged[-1].end:
                merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
            else:
                merged.append(span)
        self._merged = merged
        self._starts = [span.start for span in merged]

    def overlap(self, span: Span) -> bool:
        """Say whether any of them shares time with `span`."""
        # They share no time with each other, so the last one that starts in time also ends last.
        index = bisect_left(self._starts, span.end) - 1
        return index >= 0 and self._merged[index].overlaps(span)


def busy(content: str, zone: tzinfo, within: Span, place: Mapping[str, str] | None = None) -> Sequence[Span]:
    """Return when the events of one calendar object keep somebody busy, as far as it overlaps with `within`.

    Cancelled and transparent events do not count, nor do those that take no time. Whole days and times without a zone
    are meant in `zone`. A series is expanded by the wall clock of its own zone, as iCalendar defines it; times that
    were moved or cancelled on their own are replaced. Only "this and all that follow" as a change of a series
    (RANGE=THISANDFUTURE), which no common program writes, is taken for a change of the one time.

    What cannot be read is left out, with a line in the log that says at which `place` it is (the calendar and the
    object, say) and nothing of what stands there.
    """
    found: list[Span] = []
    try:
        events = events_in(content)
    except UNREADABLE:
        _log.warning("caldav.object_unreadable", extra=place)
        return []
    moved = {value for event in events if (value := _recurrence_id(event)) is not None}
    for event in events:
        try:
            if counts(event):
                found += [span for span in _spans(event, zone, within, moved, place) if span.overlaps(within)]
        except UNREADABLE:
            _log.warning("caldav.event_unreadable", extra=place)
    return found


def span_of(event: Event, zone: tzinfo) -> Span:
    """Return the time of an event, the first one of a series; raises one of `UNREADABLE` if it has none."""
    times = _Times.of(event, zone)
    return times.at(times.start)


def stamp_of(event: Event) -> datetime:
    """Return when an event was written, as its writer says; raises one of `UNREADABLE` if that is not said."""
    return _instant(_value(event, "DTSTAMP"), timezone.utc)


def counts(event: Event) -> bool:
    """Say whether an event keeps anybody busy: it is neither cancelled nor transparent."""
    return str(event.get("STATUS", "")).upper() != "CANCELLED" and str(event.get("TRANSP", "")).upper() != "TRANSPARENT"


@dataclass(frozen=True)
class _Times:
    """When an event is: its start on the wall clock of its zone, and how long it takes."""

    start: datetime
    zone: tzinfo
    length: timedelta
    all_day: bool

    @classmethod
    def of(cls, event: Event, zone: tzinfo) -> _Times:
        first = _value(event, "DTSTART")
        all_day = not isinstance(first, datetime)
        own_zone = zone if all_day or first.tzinfo is None else first.tzinfo
        start = _wall(first, own_zone)
        if "DTEND" in event:
            last = _value(event, "DTEND")
            length = _wall(last, own_zone) - start if all_day else _instant(last, zone) - _instant(first, zone)
        elif "DURATION" in event:
            length = _value(event, "DURATION")
        else:
            length = timedelta(days=1) if all_day else timedelta()
        return cls(start, own_zone, length, all_day)

    def at(self, wall: datetime) -> Span:
        """Return the span that starts at `wall`. Days are days of the wall clock, hours are hours."""
        start = _instant(wall, self.zone)
        return Span(start, _instant(wall + self.length, self.zone) if self.all_day else start + self.length)


def _spans(
    event: Event, zone: tzinfo, within: Span, moved: set[date], place: Mapping[str, str] | None
) -> Iterator[Span]:
    times = _Times.of(event, zone)
    if "RECURRENCE-ID" in event or not ("RRULE" in event or "RDATE" in event):
        yield times.at(times.start)
        return
    # Each series is one object, so what was moved was moved out of this series.
    not_then = [*moved, *_dates(event, "EXDATE")]
    walls = {times.start, *(_wall(value, times.zone) for value in _dates(event, "RDATE"))}
    for rule in _many(event, "RRULE"):
        try:
            if rule.get("FREQ", [""])[0] in _WITHOUT_A_GAP:
                yield Span(_instant(times.start, times.zone), within.end)
            else:
                walls.update(_starts(rule, times, within))
        except UNREADABLE:
            _log.warning("caldav.rule_unreadable", extra=place)
    walls -= {_wall(value, times.zone) for value in not_then}
    # Some programs leave out a time by its day.
    days = {value for value in not_then if not isinstance(value, datetime)}
    yield from (times.at(wall) for wall in walls if wall.date() not in days)


def _starts(rule: Any, times: _Times, within: Span) -> Iterator[datetime]:
    """Return the starts that a rule gives, on the wall clock, as far as they can matter within the span."""
    parts = dict(rule)
    if any(interval < 1 for interval in parts.get("INTERVAL", [])):
        raise ValueError("a rule that stands still")
    first = _wall(within.start, times.zone) - times.length - _A_DAY
    ends = [_wall(within.end, times.zone) + _A_DAY, *(_last(value, times) for value in parts.pop("UNTIL", []))]
    count = next(iter(parts.pop("COUNT", [])), None)
    allowed = _limits(parts) if parts["FREQ"][0] in _BY_THE_DAY else None
    text = type(rule)(parts).to_ical().decode()
    starts = filter(allowed, rrulestr(text, dtstart=times.start).replace(until=min(ends)))
    return (start for start in islice(starts, count) if start >= first)


def _limits(parts: dict[str, Any]) -> Callable[[datetime], bool]:
    """Take the parts that only leave days out from a rule, and return what they allow.

    dateutil ends at a given time only if it finds something: a rule such as "daily in February, on the 30th" would
    take it to the year 9999 day by day, which is seconds, or minutes by the hour.
    """
    months = set(parts.pop("BYMONTH", ()))
    days = set(parts.pop("BYMONTHDAY", ()))
    days_of_year = set(parts.pop("BYYEARDAY", ()))
    weekdays = {_WEEKDAYS.index(str(day).upper()) for day in parts.pop("BYDAY", ())}
    if "BYWEEKNO" in parts:
        raise ValueError("weeks are counted in rules by the year only")

    def allowed(wall: datetime) -> bool:
        rest_of_month = wall.day - monthrange(wall.year, wall.month)[1] - 1
        rest_of_year = (wall.date() - date(wall.year, 12, 31)).days - 1
        return (
            (not months or wall.month in months)
            and (not days or wall.day in days or rest_of_month in days)
            and (not days_of_year or wall.timetuple().tm_yday in days_of_year or rest_of_year in days_of_year)
            and (not weekdays or wall.weekday() in weekdays)
        )

    return allowed


def _last(value: date, times: _Times) -> datetime:
    if isinstance(value, datetime) or times.all_day:
        return _wall(value, times.zone)
    return datetime.combine(value, time.max)


def _recurrence_id(event: Event) -> date | None:
    value = getattr(event.get("RECURRENCE-ID"), "dt", None)
    return value if isinstance(value, date) else None


def _value(event: Event, name: str) -> Any:
    found: Any = event[name]
    return found.dt


def _many(event: Event, name: str) -> Sequence[Any]:
    value: Any = event.get(name, [])
    return value if isinstance(value, list) and not hasattr(value, "to_ical") else [value]


def _dates(event: Event, name: str) -> Iterator[date]:
    for values in _many(event, name):
        for value in values.dts:
            # An RDATE may be a period: its start counts, with the length of the series.
            yield value.dt[0] if isinstance(value.dt, tuple) else value.dt


def _wall(value: date, zone: tzinfo) -> datetime:
    """Return what the wall clock of a zone shows; a value without a zone is meant in it."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return (value if value.tzinfo is None else value.astimezone(zone)).replace(tzinfo=None, fold=0)


def _instant(value: date, zone: tzinfo) -> datetime:
    if not isinstance(value, datetime) or value.tzinfo is None:
        value = _wall(value, zone).replace(tzinfo=zone)
    return value.astimezone(timezone.utc)
