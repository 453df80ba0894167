"""When the events of a calendar object keep somebody busy."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timezone, tzinfo

from icalendar import Event

from actions.scheduling.caldav.series import Place, is_cancelled, own_time, spans_of
from actions.scheduling.caldav.spans import Span
from actions.scheduling.caldav.times import Times, instant_of, value_of
from actions.scheduling.caldav.zones import UNREADABLE, events_in

_log = logging.getLogger(__name__)


def busy(content: str, zone: tzinfo, within: Span, place: Place = None) -> Sequence[Span]:
    """Return when the events of one calendar object keep somebody busy, as far as it overlaps with `within`.

    Cancelled and transparent events do not count, nor do those that take no time. Whole days and times without a zone
    are meant in `zone`. A series is expanded by the wall clock of its own zone, as iCalendar defines it; times that
    were moved or cancelled, on their own or with all that follow, are replaced. A time that is left out (EXDATE) stays
    so, whether or not it was moved before.

    What cannot be read is left out, with a line in the log that says at which `place` it is (the calendar and the
    object, say) and nothing of what stands there.
    """
    try:
        events = events_in(content)
        by_uid: dict[str, list[Event]] = {}
        for event in events:
            by_uid.setdefault(str(event.get("UID", "")), []).append(event)
    except UNREADABLE:
        _log.warning("caldav.object_unreadable", extra=place)
        return []
    return [span for group in by_uid.values() for span in spans_of(group, zone, within, place) if span.overlaps(within)]


def own_span(content: str, zone: tzinfo) -> Span | None:
    """Return the first time of a calendar object, which is that of an appointment, also if people made a series of it.

    None if it is cancelled, or left out of its series. Raises one of `UNREADABLE` if it has none.
    """
    event = own_time(events_in(content), zone)
    if event is None or is_cancelled(event):
        return None
    times = Times.of(event, zone)
    return times.at(times.start)


def stamp_of(event: Event) -> datetime:
    """Return when an event was written, as its writer says; raises one of `UNREADABLE` if that is not said."""
    return instant_of(value_of(event, "DTSTAMP"), timezone.utc)
