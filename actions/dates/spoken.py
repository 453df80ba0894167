"""The last resort: dateparser, asked only about texts made of words that name days, and not believed blindly.

On its own it turns "no", "ok", "a" and "10" into dates, skips the "after" of "after Friday", reads "Monday 24 November"
as a Tuesday, "November 24 25" as the year 2125, and "tomorrow EST" as another zone's day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from importlib import import_module
from typing import Any

import dateparser

from actions.dates.days import DateOrder, Days
from actions.dates.words import MONTHS, WEEKDAYS

_DAY = timedelta(days=1)
_RELATIVE = ("0 day ago", "1 day ago", "2 day ago", "in 1 day", "in 2 day")
_FILLERS = frozenset({"on", "of", "the", "le"})
# Short forms of weekdays are everyday words: German "so", "die" and "mit" would be Sunday, Tuesday and Wednesday.
_SHORTEST_WEEKDAY = 4
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_DIGITS = re.compile(r"\d+")


class SpokenDays:
    """Reads days in several languages, as far as dateparser knows them."""

    def __init__(self, languages: Sequence[str], order: DateOrder) -> None:
        tables = [_words_of(language) for language in languages]
        self._languages = list(languages)
        self._order = order
        self._weekdays = _index_of_forms(tables, WEEKDAYS)
        self._months = _index_of_forms(tables, MONTHS)
        self._relative = frozenset(_index_of_forms(tables, _RELATIVE))

    def read(self, text: str, today: date) -> Days | None:
        """Return the one day that the text names; None unless it surely names one."""
        words = _WORD.findall(text)
        has_month = any(word in self._months for word in words)
        # Beside a month a number is a day or a year; beside anything else ("tomorrow 10") it may be a time as well.
        if not self._name_a_day(words) or (_DIGITS.search(text) and not has_month):
            return None
        # A day before today makes today's own date one of the future. Never the time of day: dateparser keeps the
        # settings of every call for good.
        base = today - _DAY if has_month else today
        settings: dict[str, Any] = {
            "DATE_ORDER": self._order,
            "PREFER_DATES_FROM": "future",
            "RELATIVE_BASE": datetime.combine(base, time()),
            "REQUIRE_PARTS": ["day"] if has_month else [],
        }
        parsed = dateparser.parse(text, languages=self._languages, settings=settings)
        if parsed is None or parsed.tzinfo is not None or not self._agrees(words, text, parsed.date()):
            return None
        return Days(parsed.date(), parsed.date() + _DAY)

    def _name_a_day(self, words: Sequence[str]) -> bool:
        naming = [
            word in self._months
            or word in self._relative
            or (word in self._weekdays and len(word) >= _SHORTEST_WEEKDAY)
            for word in words
        ]
        known = all(
            named or word in self._weekdays or word in _FILLERS for named, word in zip(naming, words, strict=True)
        )
        return known and any(naming)

    def _agrees(self, words: Sequence[str], text: str, day: date) -> bool:
        weekdays = {self._weekdays[word] for word in words if word in self._weekdays}
        months = {self._months[word] + 1 for word in words if word in self._months}
        numbers = {int(digits) for digits in _DIGITS.findall(text)}
        return weekdays <= {day.weekday()} and months <= {day.month} and numbers <= {day.day, day.year}


def _index_of_forms(tables: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, int]:
    return {
        form.casefold(): index
        for table in tables
        for index, key in enumerate(keys)
        for form in table.get(key, ())
        if " " not in form
    }


def _words_of(language: str) -> Mapping[str, Any]:
    # dateparser has no public way to ask which words of a language name a day; its tables are plain data files.
    info: dict[str, Any] = import_module(f"dateparser.data.date_translation_data.{language}").info
    return {**info, **info["relative-type"]}
