"""When the clinic is open: opening hours and public holidays, turned into the times an appointment can start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from actions.scheduling.models import AppointmentType, Slot, Window
from actions.scheduling.opening import OpeningHours
from actions.wallclock import first_instant, instant_of, on_the_wall

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Day:
    """When the clinic is open on a day, on its wall clock in minutes since midnight; `holiday` is what it is called."""

    day: date
    spans: Sequence[tuple[int, int]]
    holiday: str | None


class ClinicHours:
    """The clinic's week: which slots exist at all, taken or not.

    Starts lie on a grid that is counted from midnight on the wall clock ("on the half hour"), so that the same times
    are offered whichever window is asked for. Public holidays, which have names, are closed unless the opening hours
    say themselves what holds then.
    """

    def __init__(
        self, opening_hours: str, zone: ZoneInfo, holidays: Mapping[date, str], start_every: timedelta
    ) -> None:
        """Raise `ValueError`, in a sentence, if it is not certain what the opening hours mean."""
        # Evaluated on the wall clock, without a zone: clock changes are resolved here, where they can be tested.
        self.text = opening_hours
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

    def days(self, first: date, count: int) -> Sequence[Day]:
        """Return what was understood for so many days."""
        return [self._day(first + n * _DAY) for n in range(count)]

    def _day(self, day: date) -> Day:
        holiday = self._holidays.get(day)
        closed = holiday is not None and not self._opening_hours.speaks_of_holidays
        return Day(day, () if closed else self._opening_hours.open_on(day, self._holidays), holiday)

    def _open_intervals(self, window: Window) -> Iterator[tuple[datetime, datetime]]:
        # Whole days, and one more: an interval cut off at the window's end would lose the slots that reach beyond it.
        first, last = (on_the_wall(instant, self._zone).date() for instant in (window.start, window.end))
        begun: datetime | None = None
        end = datetime.min
        for one in self.days(first, (last - first).days + 2):
            midnight = datetime.combine(one.day, time())
            for opens, closes in one.spans:
                opened = midnight + timedelta(minutes=opens)
                if opened != end:
                    if begun is not None:
                        yield begun, end
                    begun = opened
                end = midnight + timedelta(minutes=closes)
        if begun is not None:
            yield begun, end

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
        if end > first_instant(closed, self._zone):
            return None
        return Slot(kind.resource, start, end)
