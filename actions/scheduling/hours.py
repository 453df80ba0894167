"""When the clinic is open: opening hours and public holidays, turned into the times an appointment can start."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, State

from actions.scheduling.models import AppointmentType, Slot, Window
from actions.wallclock import first_instant, instant_of, on_the_wall

_DAY = timedelta(days=1)
_MOMENT = timedelta.resolution


class ClinicHours:
    """The clinic's week: which slots exist at all, taken or not.

    Starts lie on a grid that is counted from midnight on the wall clock ("on the half hour"), so that the same times
    are offered whichever window is asked for.
    """

    def __init__(self, opening_hours: str, zone: ZoneInfo, holidays: Container[date], start_every: timedelta) -> None:
        # Evaluated on the wall clock, without a zone: clock changes are resolved here, where they can be tested.
        self._opening_hours = OpeningHours(opening_hours)
        self._zone = zone
        self._holidays = holidays
        self._start_every = start_every

    @property
    def zone(self) -> ZoneInfo:
        """Where the clinic's clock is."""
        return self._zone

    def slots(self, kind: AppointmentType, window: Window) -> list[Slot]:
        """Return every slot of that type starting in the window, in order, each wall time at most once."""
        return [
            slot
            for opened, closed in self._open_intervals(window)
            for wall in self._grid(opened, closed)
            if (slot := self._slot(kind, wall, closed)) is not None and slot.start in window
        ]

    def _open_intervals(self, window: Window) -> Iterator[tuple[datetime, datetime]]:
        # Whole days, and one more: an interval cut off at the window's end would lose the slots that reach beyond it.
        first = datetime.combine(on_the_wall(window.start, self._zone), time())
        last = datetime.combine(on_the_wall(window.end, self._zone), time()) + 2 * _DAY
        for opened, closed, state, _comment in self._opening_hours.intervals(first, last):
            if state == State.OPEN:
                yield opened, closed

    def _grid(self, opened: datetime, closed: datetime) -> Iterator[datetime]:
        midnight = datetime.combine(opened, time())
        steps = -((midnight - opened) // self._start_every)  # rounded up: the first step that is not too early
        while (wall := midnight + steps * self._start_every) < closed:
            yield wall
            steps += 1

    def _slot(self, kind: AppointmentType, wall: datetime, closed: datetime) -> Slot | None:
        start = instant_of(wall, self._zone)
        if start is None:
            return None
        end = start + kind.duration
        days = {wall.date(), on_the_wall(end - _MOMENT, self._zone).date()}
        if end > first_instant(closed, self._zone) or any(day in self._holidays for day in days):
            return None
        return Slot(kind.resource, start, end)
