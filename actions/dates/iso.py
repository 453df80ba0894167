"""Dates and times in ISO 8601: what the LLM is asked to write, and what the clinic's own buttons send."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from actions.dates.days import Days
from actions.scheduling.models import Window
from actions.wallclock import instant_of

# `datetime.fromisoformat` of Python 3.10 reads less than this, that of 3.11 reads more ("20261124", "2026-W48-2").
_DATE = (
    r"(?:(?P<year>\d{4})(?:-(?P<month>\d{2})-(?P<day>\d{2})|-?W(?P<week>\d{2})-?(?P<weekday>[1-7])"
    r"|-(?P<ordinal>\d{3}))|(?P<basic>20\d{6}))"
)
_MOMENT = re.compile(
    _DATE + r"(?:T| at | )(?P<hour>\d{2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]\d{1,9})?)?)?"
    r" ?(?:(?P<utc>Z)|(?P<sign>[+-])(?P<offset_hour>\d{2}):?(?P<offset_minute>\d{2})?)?",
    re.ASCII | re.IGNORECASE,
)
_DAY = re.compile(_DATE, re.ASCII | re.IGNORECASE)
_WEEK = re.compile(r"(?P<year>\d{4})-?W(?P<week>\d{2})", re.ASCII | re.IGNORECASE)
_MONTH = re.compile(r"(?P<year>20\d{2})-(?P<month>\d{2})", re.ASCII)
_INTERVAL = re.compile(r"(?P<first>\d{4}-\d{2}-\d{2})/(?P<last>\d{4}-\d{2}-\d{2})", re.ASCII)


def read_moment(text: str, zone: ZoneInfo) -> Window | None:
    """Return the one instant that an ISO date with a time names, on the wall clock of `zone` unless it has an offset.

    None if the text is no such thing. Raises `ValueError` or `OverflowError` if it is one but does not exist.
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    offset = ""
    if match["utc"]:
        offset = "+00:00"
    elif match["sign"]:
        offset = f"{match['sign']}{match['offset_hour']}:{match['offset_minute'] or '00'}"
    moment = datetime.fromisoformat(
        f"{_date(match).isoformat()}T{match['hour']}:{match['minute'] or '00'}:{match['second'] or '00'}{offset}"
    )
    instant = moment.astimezone(timezone.utc) if moment.tzinfo else instant_of(moment, zone)
    if instant is None:
        raise ValueError("the clocks skip that time")
    return Window.at(instant)


def read_day(text: str) -> Days | None:
    """Return the days that an ISO date, week ("2026-W48"), month ("2026-12") or interval of dates names.

    An interval holds its last day. None if the text is no such thing. Raises `ValueError` or `OverflowError` if it is
    one but does not exist.
    """
    if match := _DAY.fullmatch(text):
        day = _date(match)
        return Days(day, day + timedelta(days=1))
    if match := _WEEK.fullmatch(text):
        monday = date.fromisocalendar(int(match["year"]), int(match["week"]), 1)
        return Days(monday, monday + timedelta(days=7))
    if match := _MONTH.fullmatch(text):
        first = date(int(match["year"]), int(match["month"]), 1)
        return Days(first, (first + timedelta(days=31)).replace(day=1))
    if match := _INTERVAL.fullmatch(text):
        first, last = date.fromisoformat(match["first"]), date.fromisoformat(match["last"])
        if last < first:
            raise ValueError("an interval ends before it begins")
        return Days(first, last + timedelta(days=1))
    return None


def _date(match: re.Match[str]) -> date:
    if match["basic"]:
        basic = match["basic"]
        return date(int(basic[:4]), int(basic[4:6]), int(basic[6:]))
    year = int(match["year"])
    if match["week"]:
        return date.fromisocalendar(year, int(match["week"]), int(match["weekday"]))
    if match["ordinal"]:
        day = date(year, 1, 1) + timedelta(days=int(match["ordinal"]) - 1)
        if day.year != year or match["ordinal"] == "000":
            raise ValueError("the year does not have that day")
        return day
    return date(year, int(match["month"]), int(match["day"]))
