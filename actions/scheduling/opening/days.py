"""The days that a rule is for: years, parts of the year, weeks, weekdays, public holidays."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import date

# Whether a selector takes a day, given the days that are public holidays.
Selector = Callable[[date, Container[date]], bool]
MonthDay = tuple[int, int]


@dataclass(frozen=True)
class Years:
    """Whole years, the last one of a range included."""

    ranges: tuple[tuple[int, int], ...]

    def __call__(self, day: date, _holidays: Container[date]) -> bool:
        """Say whether the day is in one of the years."""
        return any(first <= day.year <= last for first, last in self.ranges)


@dataclass(frozen=True)
class PartsOfTheYear:
    """From one day of the year to another, which is one of the next year if it comes before: Nov 15-Jan 06."""

    ranges: tuple[tuple[MonthDay, MonthDay], ...]

    def __call__(self, day: date, _holidays: Container[date]) -> bool:
        """Say whether the day is in one of the parts, whichever year it is."""
        now = (day.month, day.day)
        return any(
            first <= now <= last if first <= last else now >= first or now <= last for first, last in self.ranges
        )


@dataclass(frozen=True)
class Dates:
    """Days of one year, from the first to the last."""

    ranges: tuple[tuple[date, date], ...]

    def __call__(self, day: date, _holidays: Container[date]) -> bool:
        """Say whether the day is one of the days."""
        return any(first <= day <= last for first, last in self.ranges)


@dataclass(frozen=True)
class Weeks:
    """Weeks of the ISO calendar, every so many from the first of a range to its last one."""

    ranges: tuple[tuple[int, int, int], ...]

    def __call__(self, day: date, _holidays: Container[date]) -> bool:
        """Say whether the day is in one of the weeks."""
        week = day.isocalendar()[1]
        return any(first <= week <= last and (week - first) % every == 0 for first, last, every in self.ranges)


@dataclass(frozen=True)
class Weekdays:
    """Weekdays (Monday is 0), some only as the first, third or last (-1) of the month; or public holidays."""

    every: frozenset[int]
    nth: frozenset[tuple[int, int]] = frozenset()
    holidays: bool = False

    def __call__(self, day: date, holidays: Container[date]) -> bool:
        """Say whether the day is one of the weekdays or, if they are meant, a public holiday."""
        weekday = day.weekday()
        from_start = (day.day - 1) // 7 + 1
        from_end = -((monthrange(day.year, day.month)[1] - day.day) // 7 + 1)
        return (
            weekday in self.every
            or (weekday, from_start) in self.nth
            or (weekday, from_end) in self.nth
            or (self.holidays and day in holidays)
        )
