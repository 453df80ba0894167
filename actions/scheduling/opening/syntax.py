"""From the text of opening hours to rules; what it is not certain what it means is refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import NoReturn, TypeVar

from actions.scheduling.opening.days import Dates, MonthDay, PartsOfTheYear, Selector, Weekdays, Weeks, Years
from actions.scheduling.opening.rules import Rule, State
from actions.wallclock import MINUTES_PER_DAY

T = TypeVar("T")

_WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STATES = {"open": State.OPEN, "off": State.CLOSED, "closed": State.CLOSED, "unknown": State.UNKNOWN}
# Things that are written correctly and that nothing here can know, or that are not the same to all readers.
_NOT_CERTAIN = (
    (r"\bSH\b", "SH: school holidays are not known here"),
    (r"\b(?:sunrise|sunset|dawn|dusk)\b", "times of the sun: it is not known where the clinic is"),
    (r"\beaster\b", "easter: write the dates, or PH for public holidays"),
    (r"\d\+", "an open end such as 17:00+: write when it closes"),
    (r"\bdays?\b", "days counted from others: write the days themselves"),
    (r":\d\d\s*/", "times that repeat within a span: write the span, appointments have a grid of their own"),
)

_WEEKDAY, _MONTH = rf"(?:{'|'.join(_WEEKDAYS)})", rf"(?:{'|'.join(_MONTHS)})"
_YEARS = re.compile(r"(\d{4})(?:-(\d{4}))?(?!\d|:)")
_MONTHS_ONLY = re.compile(rf"({_MONTH})(?:\s*-\s*({_MONTH}))?\b(?!\s*\d{{1,2}}(?![\d:]))")
_MONTH_DAY = re.compile(
    rf"(?:(\d{{4}})\s+)?(?:({_MONTH})\s+)?(\d{{1,2}})(?![\d:])"
    rf"(?:\s*-\s*(?:(?:(\d{{4}})\s+)?({_MONTH})\s+)?(\d{{1,2}})(?![\d:]))?"
)
_WEEK = re.compile(r"(\d{1,2})(?:\s*-\s*(\d{1,2})(?:/(\d{1,2}))?)?(?![\d:])")
_DAY_OF_WEEK = re.compile(
    rf"(PH)\b|({_WEEKDAY})\[\s*(-?\d(?:\s*,\s*-?\d)*)\s*\]|({_WEEKDAY})(?:\s*-\s*({_WEEKDAY}))?\b"
)
_TIME = re.compile(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)(?!\d)")
_FIRST_DATE = re.compile(rf"(?:\d{{4}}\s+)?{_MONTH}\s+\d{{1,2}}(?![\d:])")
_ALWAYS, _WEEK_WORD = re.compile(r"24/7\b"), re.compile(r"week\b\s*")
# "PH Mo-Fr": public holidays that are on these days, not these days as well.
_HOLIDAYS_AMONG = re.compile(rf"PH\s+(?={_WEEKDAY})")
_STATE_WORD = re.compile(r"(open|off|closed|unknown)\b")
_COMMENT = re.compile(r'"[^"]*"')
_COMMA, _SPACE = re.compile(r"\s*,\s*"), re.compile(r"\s*")


def read_rules(text: str) -> Sequence[Rule]:
    """Return the rules of the text; raises `ValueError` with a sentence if it is not certain what it means."""
    if _COMMENT.sub("", text).count('"'):
        raise ValueError("has a comment whose quotation mark is not closed")
    for pattern, why in _NOT_CERTAIN:
        if re.search(pattern, _COMMENT.sub("", text)):
            raise ValueError(f"holds {why}")
    rules: list[Rule] = []
    for separator, part, begins in _parts(text):
        reader = _Reader(part, begins)
        rules.append(reader.rule(additional=False, fallback=separator == "||"))
        while reader.rest:
            rules.append(reader.rule(additional=True, fallback=separator == "||"))
    if not rules:
        raise ValueError("says nothing")
    _require_certain(rules)
    return rules


def _parts(text: str) -> Sequence[tuple[str, str, int]]:
    """Divide a text at semicolons and bars outside of comments: what stands before each part, the part, its place."""
    found, separator, start = [], ";", 0
    for match in re.finditer(r'"[^"]*"|;|\|\||\Z', text):
        if not match[0].startswith('"'):
            part = text[start : match.start()]
            found.append((separator, part.strip(), start + len(part) - len(part.lstrip())))
            separator, start = match[0], match.end()
    if found[-1][:2] == (";", ""):
        # A semicolon may end the text.
        found.pop()
    if not all(part for _, part, _ in found):
        raise ValueError("has a rule with nothing in it")
    return found


def _require_certain(rules: Sequence[Rule]) -> None:
    for number, rule in enumerate(rules):
        plain = not (rule.additional or rule.fallback)
        if number and plain and not rule.days and rule.state is not State.CLOSED:
            raise ValueError("has a rule without days after another one: say for which days it is")
        if rule.fallback and rule.tomorrow:
            raise ValueError("has a rule after || that goes over midnight")
        if rule.fallback and rule.additional:
            raise ValueError("has a comma in a rule after ||: write one rule after it")


class _Reader:
    """Reads the rules of one part, which commas divide, from the left."""

    def __init__(self, text: str, begins: int) -> None:
        self._text = text
        self._begins = begins
        self._at = 0

    @property
    def rest(self) -> str:
        """What has not been read yet."""
        return self._text[self._at :]

    def rule(self, *, additional: bool, fallback: bool) -> Rule:
        """Read one rule, up to the end or the comma after it."""
        begun = self._at
        always = self._take(_ALWAYS) is not None
        if always and self.rest.startswith(","):
            raise ValueError("has a comma after 24/7: write a semicolon")
        days = () if always else self._days()
        times = () if always else tuple(self._many(_TIME, _span))
        state = self._state()
        if self._at == begun:
            self._refuse()
        if self.rest and not ((always or times or state is not None) and self._take(_COMMA)):
            self._refuse()
        return Rule(days, times, State.OPEN if state is None else state, additional, fallback)

    def _days(self) -> tuple[Selector, ...]:
        found: list[Selector] = []
        if dates := self._month_days():
            found.append(dates)
        else:
            if years := self._many(_YEARS, _years):
                found.append(Years(tuple(years)))
            if months := self._many(_MONTHS_ONLY, _months):
                found.append(PartsOfTheYear(tuple(months)))
                if years:
                    self._require_months_of_the_years(years, months)
            elif dates := self._month_days():
                found.append(dates)
        if self._take(_WEEK_WORD):
            found.append(Weeks(tuple(self._many(_WEEK, _weeks) or self._refuse())))
        if self._take(_HOLIDAYS_AMONG):
            found.append(Weekdays(frozenset(), holidays=True))
        if weekdays := self._many(_DAY_OF_WEEK, _weekdays):
            if any(isinstance(one, PartsOfTheYear) for one in found) and any(len(one.nth) > 1 for one in weekdays):
                raise ValueError("counts a weekday twice beside a month: write each by itself, as in Dec We[1],We[3]")
            every = frozenset[int]().union(*(one.every for one in weekdays))
            nth = frozenset[tuple[int, int]]().union(*(one.nth for one in weekdays))
            found.append(Weekdays(every, nth, any(one.holidays for one in weekdays)))
        return tuple(found)

    def _require_months_of_the_years(
        self, years: Sequence[tuple[int, int]], months: Sequence[tuple[MonthDay, MonthDay]]
    ) -> None:
        if any(last < first for first, last in months):
            raise ValueError("has months over a new year beside a year: write dates with a year at each")
        # "2026 Dec 20:00-22:00" begins as "2026 Dec 20" does.
        (first_year, last_year), (first, last) = years[0], months[0]
        if (len(years), len(months), first_year, first[0]) == (1, 1, last_year, last[0]) and _TIME.match(self.rest):
            raise ValueError("has a time right after a month of one year: write weekdays between them, Mo-Su for all")

    def _month_days(self) -> Selector | None:
        if not _FIRST_DATE.match(self._text, self._at):
            return None
        matches = self._many(_MONTH_DAY, lambda match: match)
        with_year = [match for match in matches if match[1] or match[4]]
        if not with_year:
            return PartsOfTheYear(_parts_of_the_year(matches))
        # All readers agree on years that stand at each date, or on one for days of one month.
        if any(not (match[1] and match[2]) or bool(match[5]) != bool(match[4]) for match in matches):
            raise ValueError("has dates some of which have no year: write it at each, or at none")
        return Dates(tuple(_dates(match) for match in matches))

    def _state(self) -> State | None:
        word = self._take(_STATE_WORD)
        comment = self._take(_COMMENT)
        # A comment alone says under which condition: "by appointment".
        return _STATES[word[1]] if word else State.UNKNOWN if comment else None

    def _many(self, pattern: re.Pattern[str], read: Callable[[re.Match[str]], T]) -> list[T]:
        """Read as many of a kind as stand there with commas between them; a comma before something else is left."""
        found: list[T] = []
        at = self._at
        while match := pattern.match(self._text, at):
            found.append(read(match))
            self._at = match.end()
            comma = _COMMA.match(self._text, self._at)
            if comma is None:
                break
            at = comma.end()
        self._skip()
        return found

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()
            self._skip()
        return match

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _refuse(self) -> NoReturn:
        place = f"is not understood from character {self._begins + self._at + 1} on"
        raise ValueError(f"{place}; days are written as Mo-Fr or Dec 24, times as 09:00-12:00")


def _years(match: re.Match[str]) -> tuple[int, int]:
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise ValueError("has years that end before they begin")
    return first, last


def _months(match: re.Match[str]) -> tuple[MonthDay, MonthDay]:
    return (_MONTHS.index(match[1]) + 1, 1), (_MONTHS.index(match[2] or match[1]) + 1, 31)


def _month_day(month: str, day: str) -> MonthDay:
    number = _MONTHS.index(month) + 1
    try:
        date(2024, number, int(day))
    except ValueError:
        raise ValueError(f"names a day that {month} does not have") from None
    return number, int(day)


def _parts_of_the_year(matches: Sequence[re.Match[str]]) -> tuple[tuple[MonthDay, MonthDay], ...]:
    found, month = [], ""
    for match in matches:
        month = match[2] or month
        first = _month_day(month, match[3])
        month = match[5] or month
        last = _month_day(month, match[6]) if match[6] else first
        if last < first and last[0] == first[0]:
            raise ValueError("has dates that end before they begin")
        found.append((first, last))
    return tuple(found)


def _dates(match: re.Match[str]) -> tuple[date, date]:
    first = _date(match[1], _month_day(match[2], match[3]))
    last = _date(match[4] or match[1], _month_day(match[5] or match[2], match[6])) if match[6] else first
    if last < first:
        raise ValueError("has dates that end before they begin")
    return first, last


def _date(year: str, day: MonthDay) -> date:
    try:
        return date(int(year), *day)
    except ValueError:
        raise ValueError("names a day that the year does not have") from None


def _weeks(match: re.Match[str]) -> tuple[int, int, int]:
    first, last, every = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
    if not 1 <= first <= last <= 53 or not every:
        raise ValueError("has weeks that are not between 1 and 53, in order")
    return first, last, every


def _weekdays(match: re.Match[str]) -> Weekdays:
    if match[1]:
        return Weekdays(frozenset(), holidays=True)
    if match[2]:
        numbers = [int(number) for number in match[3].split(",")]
        if any(not 1 <= abs(number) <= 5 for number in numbers):
            raise ValueError("counts a weekday of the month beyond 1 to 5 or -1 to -5")
        return Weekdays(frozenset(), frozenset((_WEEKDAYS.index(match[2]), number) for number in numbers))
    first = _WEEKDAYS.index(match[4])
    last = _WEEKDAYS.index(match[5] or match[4])
    return Weekdays(frozenset((first + n) % 7 for n in range((last - first) % 7 + 1)))


def _span(match: re.Match[str]) -> tuple[int, int]:
    start_hour, start_minute, end_hour, end_minute = (int(match[n]) for n in range(1, 5))
    start, end = 60 * start_hour + start_minute, 60 * end_hour + end_minute
    if max(start_minute, end_minute) > 59 or start >= MINUTES_PER_DAY or end > 2 * MINUTES_PER_DAY:
        raise ValueError("names a time that no clock shows")
    if start == end:
        raise ValueError("has times that begin and end at the same moment: write 00:00-24:00 for a whole day")
    end += MINUTES_PER_DAY if end < start else 0
    if end - start > MINUTES_PER_DAY:
        raise ValueError("has times of more than a day")
    return start, end
