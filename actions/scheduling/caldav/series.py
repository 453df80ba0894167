"""The times of a series: its rules, further dates, what is left out, what was changed once or from then on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from icalendar import Event

from actions.scheduling.caldav.rules import has_no_gap, starts_of
from actions.scheduling.caldav.spans import Span
from actions.scheduling.caldav.times import Length, Times, instant_of, length_of, many, value_of, wall_of
from actions.scheduling.caldav.zones import UNREADABLE

_log = logging.getLogger(__name__)

_A_DAY = timedelta(days=1)
# Nobody moves a series further; a rule must not be followed to the year 9999.
_FURTHEST_MOVE = timedelta(days=5 * 366)
_RECURRING = ("RRULE", "RDATE", "EXDATE")

Place = Mapping[str, str] | None


def counts(event: Event) -> bool:
    """Say whether an event keeps anybody busy: it is neither cancelled nor transparent."""
    return not is_cancelled(event) and str(event.get("TRANSP", "")).upper() != "TRANSPARENT"


def is_cancelled(event: Event) -> bool:
    """Say whether an event stands there as one that does not take place."""
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def is_series(events: Sequence[Event]) -> bool:
    """Say whether an object has more than one time."""
    return any(name in event for event in events for name in ("RRULE", "RDATE"))


def own_time(events: Sequence[Event], zone: tzinfo) -> Event | None:
    """Return the event that says when the first time of an object is; None if that is left out of its series.

    An appointment is that time, also if people have made a series of it.
    """
    first = next((event for event in events if "RECURRENCE-ID" not in event), events[0])
    start = value_of(first, "DTSTART")
    left_out = [value.dt for values in many(first, "EXDATE") for value in values.dts]
    # Some programs leave out a time by its day. What is left out stays so, whether or not it was changed before.
    if _is_among(start, left_out, zone) or wall_of(start, _zone_of(start, zone)).date() in left_out:
        return None
    for change in _newest_changes(events):
        if _is_among(start, [change.instead_of], zone):
            return change.event
    return first


def _zone_of(value: date, zone: tzinfo) -> tzinfo:
    return (value.tzinfo if isinstance(value, datetime) else None) or zone


def changes_what_follows(event: Event) -> bool:
    """Say whether the change of a time of a series is one of all that follow as well."""
    changed: Any = event.get("RECURRENCE-ID")
    return str(getattr(changed, "params", {}).get("RANGE", "")).upper() == "THISANDFUTURE"


def spans_of(events: Sequence[Event], zone: tzinfo, within: Span, place: Place) -> Iterator[Span]:
    """Return when the events of one uid, a series and its changes for example, keep somebody busy.

    Spans that do not overlap with `within` may be among them. What cannot be read is left out, with a line in the log.
    """
    changes = _newest_changes(events)
    excluded: list[date] = []
    for event in events:
        if "RECURRENCE-ID" not in event:
            try:
                series = _Series(event, zone, changes)
                excluded += series.excluded
                if counts(event) or any(change.goes_on for change in changes):
                    yield from series.spans(within, counts(event), place)
            except UNREADABLE:
                _log.warning("caldav.event_unreadable", extra=place)
    for change in changes:
        try:
            if counts(change.event) and not _is_among(change.instead_of, excluded, zone):
                times = Times.of(change.event, zone)
                yield times.at(times.start)
        except UNREADABLE:
            _log.warning("caldav.event_unreadable", extra=place)


@dataclass(frozen=True)
class _Change:
    """A time of a series that was changed; `goes_on` says that all that follow are changed with it."""

    event: Event
    instead_of: date
    goes_on: bool


def _newest_changes(events: Sequence[Event]) -> Sequence[_Change]:
    """Return the changes, of several for one time the newest."""
    found: dict[object, tuple[tuple[int, int], _Change]] = {}
    for number, event in enumerate(events):
        value = getattr(event.get("RECURRENCE-ID"), "dt", None)
        if isinstance(value, date):
            version = (_sequence(event), number)
            if value not in found or version > found[value][0]:
                found[value] = (version, _Change(event, value, changes_what_follows(event)))
    return [change for _, change in found.values()]


def _sequence(event: Event) -> int:
    text = str(event.get("SEQUENCE", 0))
    return int(text) if text.isdecimal() else 0


def _is_among(value: date, others: Sequence[date], zone: tzinfo) -> bool:
    if not isinstance(value, datetime):
        return value in others
    instants = {instant_of(other, zone) for other in others if isinstance(other, datetime)}
    return instant_of(value, zone) in instants


@dataclass(frozen=True)
class _Move:
    """What happened to a time of a series and to all that follow."""

    since: datetime
    by: timedelta
    length: Length
    counts: bool


class _Series:
    """An event with all of its times; most have one."""

    def __init__(self, event: Event, zone: tzinfo, changes: Sequence[_Change]) -> None:
        self._event = event
        self._zone = zone
        self._changes = changes
        self._times = Times.of(event, zone)
        self.excluded = [value.dt for values in many(event, "EXDATE") for value in values.dts]

    def spans(self, within: Span, is_busy: bool, place: Place) -> Iterator[Span]:
        """Return its times, but for those that were changed on their own; `is_busy` says whether they count."""
        if not (self._changes or any(name in self._event for name in _RECURRING)):
            yield self._times.at(self._times.start)
            return
        if is_busy and any(has_no_gap(rule) for rule in many(self._event, "RRULE")):
            _log.warning("caldav.rule_without_gap", extra=place)
            yield Span(instant_of(self._times.start, self._times.zone), within.end)
        moves = sorted(self._moves(), key=lambda move: move.since)
        for wall, length in self._walls(within, moves, place).items():
            move = next((move for move in reversed(moves) if move.since <= wall), None)
            if move is not None and move.counts:
                yield self._times.at(wall + move.by, length or move.length)
            elif move is None and is_busy:
                yield self._times.at(wall, length or self._times.length)

    def _walls(self, within: Span, moves: Sequence[_Move], place: Place) -> Mapping[datetime, Length | None]:
        """Return the starts on the wall clock, as far as they can matter within the span, with lengths of their own.

        Most have none: they are as long as the series.
        """
        times = self._times
        walls: dict[datetime, Length | None] = {times.start: None, **dict(self._further_dates())}
        reach = max((abs(move.by) for move in moves), default=timedelta()) + _A_DAY
        longest = max(length.about for length in (times.length, *(move.length for move in moves)))
        first = wall_of(within.start, times.zone) - longest - reach
        last = wall_of(within.end, times.zone) + reach
        for rule in many(self._event, "RRULE"):
            try:
                if not has_no_gap(rule):
                    walls |= {wall: walls.get(wall) for wall in starts_of(rule, times, first, last)}
            except UNREADABLE:
                _log.warning("caldav.rule_unreadable", extra=place)
        not_then = [*self.excluded, *(change.instead_of for change in self._changes)]
        # Some programs leave out a time by its day.
        days = {value for value in not_then if not isinstance(value, datetime)}
        gone = {wall_of(value, times.zone) for value in not_then}
        return {wall: length for wall, length in walls.items() if wall not in gone and wall.date() not in days}

    def _further_dates(self) -> Iterator[tuple[datetime, Length | None]]:
        zone = self._times.zone
        for values in many(self._event, "RDATE"):
            for value in values.dts:
                if not isinstance(value.dt, tuple):
                    yield wall_of(value.dt, zone), None
                    continue
                # A period (RFC 5545, 3.8.5.2) has a length of its own.
                start, end = wall_of(value.dt[0], zone), value.dt[1]
                is_length = isinstance(end, timedelta)
                yield start, length_of(end, in_hours=False) if is_length else Length(wall_of(end, zone) - start)

    def _moves(self) -> Iterator[_Move]:
        for change in self._changes:
            if change.goes_on:
                moved = Times.of(change.event, self._zone)
                since = wall_of(change.instead_of, self._times.zone)
                by = wall_of(moved.start.replace(tzinfo=moved.zone), self._times.zone) - since
                if abs(by) > _FURTHEST_MOVE:
                    raise ValueError("a series that moves too far")
                yield _Move(since, by, moved.length, counts(change.event))
