"""The starts that one recurrence rule gives, in a time that is bounded whatever stands in it."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from itertools import islice
from typing import Any

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]

from actions.scheduling.caldav.times import Times, wall_of

# A rule by the minute or the second is one long appointment; counting its times could take for ever.
_WITHOUT_A_GAP = ("SECONDLY", "MINUTELY")
_BY_THE_DAY = ("HOURLY", "DAILY")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def has_no_gap(rule: Any) -> bool:
    """Say whether the times of a rule lie so close that they are one."""
    # One that cannot be read is no mapping.
    return isinstance(rule, dict) and rule.get("FREQ", [""])[0] in _WITHOUT_A_GAP


def starts_of(rule: Any, times: Times, first: datetime, last: datetime) -> Iterator[datetime]:
    """Return the starts that a rule gives from `first` to `last`, all of them on the wall clock of the series.

    Raises one of `UNREADABLE` if it is no rule, or one of another calendar than everybody's.
    """
    parts = dict(rule)
    if any(interval < 1 for interval in parts.get("INTERVAL", [])):
        raise ValueError("a rule that stands still")
    # RFC 7529. In the Gregorian calendar a day that a month does not have is left out, unless it says otherwise.
    if [str(scale).upper() for scale in parts.get("RSCALE", [])] == ["GREGORIAN"] and "SKIP" not in parts:
        del parts["RSCALE"]
    if _is_never_met(parts):
        raise ValueError("a rule for days that there are not")
    ends = [last, *(_last(value, times) for value in parts.pop("UNTIL", []))]
    count = next(iter(parts.pop("COUNT", [])), None)
    allowed = _limits(parts) if parts["FREQ"][0] in _BY_THE_DAY else None
    text = type(rule)(parts).to_ical().decode()
    starts = filter(allowed, rrulestr(text, dtstart=times.start).replace(until=min(ends)))
    return (start for start in islice(starts, count) if start >= first)


def _is_never_met(parts: dict[str, Any]) -> bool:
    """Say whether a rule names days of months that none of its months has, as 31 November."""
    days = [abs(day) for day in parts.get("BYMONTHDAY", ())]
    months = parts.get("BYMONTH", ()) or range(1, 13)
    # Of a leap year.
    return bool(days) and min(days) > max(monthrange(2024, month)[1] for month in months if 1 <= month <= 12)


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

    def allows(wall: datetime) -> bool:
        rest_of_month = wall.day - monthrange(wall.year, wall.month)[1] - 1
        rest_of_year = (wall.date() - date(wall.year, 12, 31)).days - 1
        return (
            (not months or wall.month in months)
            and (not days or wall.day in days or rest_of_month in days)
            and (not days_of_year or wall.timetuple().tm_yday in days_of_year or rest_of_year in days_of_year)
            and (not weekdays or wall.weekday() in weekdays)
        )

    return allows


def _last(value: date, times: Times) -> datetime:
    if isinstance(value, datetime) or times.all_day:
        return wall_of(value, times.zone)
    return datetime.combine(value, time.max)
