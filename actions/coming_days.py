"""When the clinic is open in the coming two weeks, for people who want to see whether they were understood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from actions.scheduling.hours import ClinicHours, Day
from actions.scheduling.public_holidays import HolidaySettings
from actions.wallclock import on_the_wall

_TWO_WEEKS = 14


class ComingDays:
    """Says in words what opening hours and holidays were understood as."""

    def __init__(
        self,
        hours: ClinicHours,
        holidays: HolidaySettings | None,
        zone: ZoneInfo,
        clock: Callable[[], datetime],
        zone_data: str = "",
    ) -> None:
        """`zone_data` says which time-zone data are used."""
        self._hours = hours
        self._holidays = holidays
        self._zone = zone
        self._clock = clock
        self._zone_data = zone_data

    def describe(self) -> Sequence[str]:
        """Return a line for each of the coming fourteen days, today first, and what the holidays may leave out."""
        today = on_the_wall(self._clock(), self._zone).date()
        lines = [_line(day) for day in self._hours.days(today, _TWO_WEEKS)]
        told = [*self.left_out(), *([self._zone_data] if self._zone_data else [])]
        return [f"open in the coming two weeks ({self._zone.key}):", *lines, *told]

    def left_out(self) -> Sequence[str]:
        """Return what the choice of holidays may leave out, one sentence each."""
        today = on_the_wall(self._clock(), self._zone).date()
        return self._holidays.left_out(today) if self._holidays else []


def _line(day: Day) -> str:
    spans = ", ".join(f"{_clock_time(start)}-{_clock_time(end)}" for start, end in day.spans)
    holiday = f" ({day.holiday})" if day.holiday else ""
    return f"{day.day:%a %Y-%m-%d}  {spans or 'closed'}{holiday}"


def _clock_time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
