"""English words for days ("tomorrow", "next Tuesday", "in two weeks", "the 24th"), matched whole or not at all."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from actions.dates.words import MONTHS, NUMBER, WEEKDAYS, month, number, weekday

DateOrder = Literal["DMY", "MDY"]

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)
# "As soon as possible" is within a week: who waits longer than that wants to be asked.
_SOON = 7 * _DAY

_WEEKDAY = rf"(?P<weekday>{'|'.join(WEEKDAYS)}|mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun)"
_MONTH = rf"(?P<month>{'|'.join(MONTHS)}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
_DAY_NUMBER = r"(?:the )?(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_WEEKS = rf"(?:(?:an? |one )?week|(?:{NUMBER}|[1-9]\d?) weeks)"
_SOME_WEEKS = re.compile(rf"({NUMBER}|\d+) weeks")
_COUNT = rf"(?P<count>\d{{1,3}}|an?|{NUMBER}) (?P<unit>day|week|month)s?"


@dataclass(frozen=True)
class Days:
    """One day or several in a row, `end` excluded."""

    first: date
    end: date


def read_days(text: str, today: date, order: DateOrder) -> Days | None:
    """Return the days that the text names, as seen from `today`; None if it is anything else.

    Raises `ValueError` or `OverflowError` for a day that does not exist.
    """
    for pattern, read in _RULES:
        match = pattern.fullmatch(text)
        if match:
            return read(match, today)
    if match := _EITHER.fullmatch(text):
        return _side_by_side(*(read_days(words, today, order) for words in match.groups()))
    return _numeric(text, today, order)


def _side_by_side(one: Days | None, other: Days | None) -> Days | None:
    """Return the days of both if there is none between them; a wish is one stretch of time."""
    if one is None or other is None:
        return None
    first, second = sorted((one, other), key=lambda days: days.first)
    return Days(first.first, second.end) if first.end == second.first else None


def _one(day: date) -> Days:
    return Days(day, day + _DAY)


def _monday(day: date) -> date:
    return day - day.weekday() * _DAY


def _add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _month(first: date) -> Days:
    return Days(first, _add_months(first, 1))


def _weekday(match: re.Match[str], today: date) -> Days:
    # "Tuesday" said on a Tuesday is not today, or one would say "today"; "this Tuesday" is.
    wanted = weekday(match["weekday"])
    which = match["which"]
    if which == "last":
        return _one(today - ((today.weekday() - wanted - 1) % 7 + 1) * _DAY)
    if which == "this":
        return _one(today + (wanted - today.weekday()) % 7 * _DAY)
    return _one(today + ((wanted - today.weekday() - 1) % 7 + 1) * _DAY)


def _weekday_next_week(match: re.Match[str], today: date) -> Days:
    return _one(_monday(today) + _WEEK + weekday(match["weekday"]) * _DAY)


def _weekday_this_week(match: re.Match[str], today: date) -> Days:
    return _one(_monday(today) + weekday(match["weekday"] or match["other"]) * _DAY)


def _weekday_in_weeks(match: re.Match[str], today: date) -> Days:
    # "Monday week" is a week after the Monday that "Monday" is.
    wanted = weekday(match["weekday"] or match["other"])
    return _one(today + ((wanted - today.weekday() - 1) % 7 + 1) * _DAY + _weeks(match) * _WEEK)


def _weeks(match: re.Match[str]) -> int:
    some = _SOME_WEEKS.search(match[0])
    return number(some[1]) if some else 1


def _day_in_weeks(match: re.Match[str], today: date) -> Days:
    return _one(today + _weeks(match) * _WEEK + (_DAY if "tomorrow" in match[0] else timedelta()))


def _week(match: re.Match[str], today: date) -> Days:
    weeks = {"last": -1, "this": 0, "next": 1}.get(match["which"], 2)
    monday = _monday(today) + weeks * _WEEK
    return Days(monday, monday + _WEEK)


def _weekend(match: re.Match[str], today: date) -> Days:
    saturday = _monday(today) + 5 * _DAY + (_WEEK if match["which"] == "next" else timedelta())
    return Days(saturday, saturday + 2 * _DAY)


def _relative_month(match: re.Match[str], today: date) -> Days:
    months = {"last": -1, "this": 0, "next": 1}[match["which"]]
    return _month(_add_months(today.replace(day=1), months))


def _day_of_next_month(match: re.Match[str], today: date) -> Days:
    return _one(_add_months(today.replace(day=1), 1).replace(day=int(match["day"])))


def _in_so_many(match: re.Match[str], today: date) -> Days:
    count = number(match["count"]) * (-1 if match[0].endswith("ago") else 1)
    if match["unit"] == "month":
        return _one(_add_months(today, count))
    return _one(today + count * (_WEEK if match["unit"] == "week" else _DAY))


def _named_month(match: re.Match[str], today: date) -> Days:
    named = month(match["month"])
    return _month(date(int(match["year"] or today.year + (named < today.month)), named, 1))


def _day_of_month(match: re.Match[str], today: date) -> Days:
    wanted = int(match["day"])
    for months in range(12):
        first = _add_months(today.replace(day=1), months)
        if wanted <= calendar.monthrange(first.year, first.month)[1] and first.replace(day=wanted) >= today:
            return _require_weekday(first.replace(day=wanted), match["weekday"])
    raise ValueError("no month has that day")


def _require_weekday(day: date, said: str | None) -> Days:
    if said and weekday(said) != day.weekday():
        raise ValueError("the day is another weekday")
    return _one(day)


def _named_day(match: re.Match[str], today: date) -> Days:
    in_month, day = month(match["month"]), int(match["day"])
    named = date(int(match["year"]), in_month, day) if match["year"] else _next(in_month, day, today)
    return _require_weekday(named, match["weekday"])


def _next(in_month: int, day: int, today: date) -> date:
    this_year = date(today.year, in_month, day)
    return this_year if this_year >= today else date(today.year + 1, in_month, day)


def _year_first(match: re.Match[str], _today: date) -> Days:
    return _one(date(int(match["year"]), int(match["month"]), int(match["day"])))


def _rule(pattern: str, read: Callable[[re.Match[str], date], Days]) -> _Rule:
    return re.compile(pattern, re.ASCII), read


_Rule = tuple[re.Pattern[str], Callable[[re.Match[str], date], Days]]
_RULES: tuple[_Rule, ...] = (
    _rule(r"today|now", lambda _match, today: _one(today)),
    _rule(r"tomorrow|tmrw", lambda _match, today: _one(today + _DAY)),
    _rule(r"(?:the )?day after tomorrow", lambda _match, today: _one(today + 2 * _DAY)),
    _rule(r"yesterday", lambda _match, today: _one(today - _DAY)),
    _rule(r"(?:the )?day before yesterday", lambda _match, today: _one(today - 2 * _DAY)),
    _rule(
        r"asap|as (?:soon|early) as possible|(?:the )?(?:earliest|soonest|(?:first|next) (?:available|free|possible))"
        r"(?: possible| available)?(?: (?:date|day|time|slot|appointment|opening))?|(?:the )?(?:first|next) opening"
        r"|any ?time|whenever(?: you can| possible)?",
        lambda _match, today: Days(today, today + _SOON),
    ),
    _rule(rf"(?:(?P<which>this|next|last) |(?:this )?coming )?{_WEEKDAY}", _weekday),
    _rule(rf"{_WEEKDAY},? (?:of )?next week", _weekday_next_week),
    _rule(
        rf"{_WEEKDAY}(?:,? in)? {_WEEKS}"
        rf"|(?:week on|{_WEEKS.replace(')?', ')', 1)} (?:on|from)) {_WEEKDAY.replace('weekday', 'other')}",
        _weekday_in_weeks,
    ),
    _rule(rf"(?:today|tomorrow)(?:,? in)? {_WEEKS}|{_WEEKS} (?:from )?(?:today|tomorrow)", _day_in_weeks),
    _rule(rf"next week,? (?:on )?{_WEEKDAY}", _weekday_next_week),
    _rule(rf"{_WEEKDAY},? this week|this week,? (?:on )?{_WEEKDAY.replace('weekday', 'other')}", _weekday_this_week),
    _rule(r"(?:on )?(?:the )?(?P<day>\d{1,2})(?:st|nd|rd|th) (?:of )?next month", _day_of_next_month),
    _rule(r"next month,? on the (?P<day>\d{1,2})(?:st|nd|rd|th)", _day_of_next_month),
    _rule(r"(?P<which>last|this|next) week|the week after next", _week),
    _rule(r"(?:(?P<which>this|next) |at the |the )?weekend", _weekend),
    _rule(r"(?P<which>last|this|next) month", _relative_month),
    _rule(rf"in {_COUNT}(?:(?:'s?)? time)?", _in_so_many),
    _rule(rf"{_COUNT} (?:from (?:now|today)|ago)", _in_so_many),
    _rule(rf"(?:in )?{_MONTH}(?: {_YEAR})?", _named_month),
    _rule(rf"(?:{_WEEKDAY},? )?{_DAY_NUMBER}\.?(?: of)? {_MONTH}\.?(?:,? {_YEAR})?", _named_day),
    _rule(rf"(?:{_WEEKDAY},? )?{_MONTH}\.? {_DAY_NUMBER}(?:,? {_YEAR})?", _named_day),
    _rule(rf"(?:{_WEEKDAY},? )?(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)", _day_of_month),
    _rule(r"(?P<year>\d{4})(?P<mark>[-./])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})", _year_first),
)
_EITHER = re.compile(r"([^,]+?) or (?:on )?((?:(?! or ).)+)")
_NUMERIC = re.compile(
    rf"(?:{_WEEKDAY},? (?:the )?)?(?:(?P<first>\d{{1,2}})(?P<mark>[./])(?P<second>\d{{1,2}})"
    r"(?:(?P=mark)(?P<year>\d{4}|\d\d)?)?|(?P<first_of_three>\d{1,2})-(?P<second_of_three>\d{1,2})-(?P<third>\d{4}|\d\d))",
    re.ASCII,
)


def _numeric(text: str, today: date, order: DateOrder) -> Days | None:
    match = _NUMERIC.fullmatch(text)
    if match is None:
        return None
    if match["weekday"] and match["mark"] == "." and match["year"] is None and not text.endswith("."):
        return None  # "Friday 8.10" may be ten past eight
    first = int(match["first"] or match["first_of_three"])
    second = int(match["second"] or match["second_of_three"])
    day, in_month = (first, second) if order == "DMY" else (second, first)
    written = match["year"] or match["third"]
    if written:
        named = date(int(written) + (2000 if len(written) == 2 else 0), in_month, day)
    else:
        named = _next(in_month, day, today)
    return _require_weekday(named, match["weekday"])
