"""What "next Tuesday afternoon" means: from the words of a wish to the window in which an appointment may start.

ISO 8601 comes first, then a small table of English, into which a few languages are translated, then dateparser. What
none of them surely understands is not understood: nothing here ever guesses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from actions.dates.days import DateOrder, Days, read_days
from actions.dates.iso import read_day, read_moment
from actions.dates.languages import translate
from actions.dates.rewording import reword
from actions.dates.spoken import SpokenDays
from actions.dates.times import DayTime, split_time
from actions.dates.words import NUMBER, number
from actions.errors import DateInPastError, DateNotUnderstoodError
from actions.scheduling.models import Window
from actions.wallclock import day_start, first_instant, instant_of, on_the_wall

__all__ = ["DateOrder", "DateReader"]

# Nobody says a date in more characters, and the patterns below never see a novel.
_LONGEST = 120
_IN_A_WHILE = re.compile(
    rf"(?P<in>in )?(?:(?P<half>half an hour)|(?P<count>an?|{NUMBER}|[1-9]\d{{0,2}})(?P<more> and a half)? "
    r"(?P<unit>hour|minute)s?(?P<still_more> and a half)?)(?(in)(?:'?s? time)?| from now)",
    re.ASCII,
)
_HALF_AN_HOUR = timedelta(minutes=30)
_OPENING = re.compile(r"^(?:(?:on|for|how about|what about|maybe|perhaps|please) |[, ])+")
# The point after "30.11." is a part of it.
_CLOSING = re.compile(r"(?: (?:on|please|thanks|thank you)|[,!? ]|(?<!\d)\.)+$")


class DateReader:
    """Reads wishes as they are meant at the clinic: in its zone, its languages and its order of day and month."""

    def __init__(self, zone: ZoneInfo, languages: Sequence[str] = ("en",), order: DateOrder = "DMY") -> None:
        self._zone = zone
        self._order = order
        self._languages = tuple(languages)
        self._spoken = SpokenDays(languages, order)

    def understand(self, wish: object, now: datetime) -> Window:
        """Return the window that the wish means: a single instant for a time, whole days or parts of a day else.

        Raises `DateNotUnderstoodError`, or `DateInPastError` if nothing of the window is still to come.
        """
        text = _plain(wish)
        try:
            window = read_moment(text, self._zone) or self._read_days(text) or self._read_words(text, now)
        except (ValueError, OverflowError) as exc:  # a date or time that the calendar does not have
            raise DateNotUnderstoodError from exc
        if window is None:
            raise DateNotUnderstoodError
        if window.is_over(now):
            raise DateInPastError
        return window

    def moment(self, wish: object, now: datetime) -> Window | None:
        """Return the instant that a wish in ISO 8601 names, None if it is anything else or is over."""
        try:
            window = read_moment(_plain(wish), self._zone)
        except (ValueError, OverflowError, DateNotUnderstoodError):
            return None
        return None if window is None or window.is_over(now) else window

    def _read_days(self, text: str) -> Window | None:
        days = read_day(text)
        return self._window(days, None) if days else None

    def _read_words(self, text: str, now: datetime) -> Window | None:
        today = on_the_wall(now, self._zone).date()
        window = self._read_english(text, today) or _read_while(reword(text), now)
        for language in self._languages:
            if window is None and (wish := translate(text, language)):
                window = self._read_english(wish, today) or _read_while(reword(wish), now)
        if window is None:
            day_time, words = _parts(text)
            days = self._spoken.read(words.rstrip("."), today) if words else None
            window = self._window(days, day_time) if days else None
        return window

    def _read_english(self, text: str, today: date) -> Window | None:
        day_time, words = _parts(text)
        if not words:
            return self._window(Days(today, today + timedelta(days=1)), day_time) if day_time else None
        days = read_days(words, today, self._order) or read_days(words.rstrip("."), today, self._order)
        return self._window(days, day_time) if days else None

    def _window(self, days: Days, day_time: DayTime | None) -> Window | None:
        if day_time is None:
            return Window(day_start(days.first, self._zone), day_start(days.end, self._zone))
        if days.end - days.first > timedelta(days=1):
            return None  # "next week at ten" is five windows, not one
        start = _at(days.first, day_time.start)
        if day_time.end is None:
            instant = instant_of(start, self._zone)
            return Window.at(instant) if instant else None
        return Window(first_instant(start, self._zone), first_instant(_at(days.first, day_time.end), self._zone))


def _read_while(text: str, now: datetime) -> Window | None:
    """Return the hour that begins where "in two hours" ends, from the next half hour on: a repeat means the same."""
    match = _IN_A_WHILE.fullmatch(_CLOSING.sub("", _OPENING.sub("", text)))
    if match is None:
        return None
    wait = _HALF_AN_HOUR
    if not match["half"]:
        unit = timedelta(hours=1) if match["unit"] == "hour" else timedelta(minutes=1)
        wait = number(match["count"]) * unit + (unit / 2 if match["more"] or match["still_more"] else timedelta())
    begin = now + wait
    late = (begin - datetime.min.replace(tzinfo=begin.tzinfo)) % _HALF_AN_HOUR
    begin += _HALF_AN_HOUR - late if late else timedelta()
    return Window(begin, begin + 2 * _HALF_AN_HOUR)


def _parts(text: str) -> tuple[DayTime | None, str]:
    day_time, words = split_time(reword(text))
    return day_time, _CLOSING.sub("", _OPENING.sub("", words))


def _plain(wish: object) -> str:
    if not isinstance(wish, str) or len(wish) > _LONGEST:
        raise DateNotUnderstoodError
    text = " ".join(wish.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())
    return re.sub(r"\b([ap])\.m\b\.?", r"\1m", text).rstrip("!?,;… ")


def _at(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)
