"""Dates and times as people at the clinic write them: on its clock, in its locale."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time

from actions.wallclock import on_the_wall


class Moments:
    """Writes instants; never short of a day or an hour, so that a misunderstanding shows."""

    def __init__(self, zone: ZoneInfo, locale: str) -> None:
        self._zone = zone
        self._locale = Locale.parse(locale)

    def date(self, instant: datetime) -> str:
        """Return the day, such as "Tuesday, 24 November 2026"."""
        return format_date(self._wall(instant), "full", locale=self._locale)

    def time(self, instant: datetime) -> str:
        """Return the time of day, such as "10:00"."""
        return format_time(self._wall(instant).time(), "short", locale=self._locale)

    def full(self, instant: datetime) -> str:
        """Return day and time, such as "Tuesday, 24 November 2026, 10:00"."""
        return self._join(self.date(instant), instant)

    def short(self, instant: datetime) -> str:
        """Return day and time for a button, which many channels cut at twenty characters: "Tue 24 Nov, 10:00"."""
        return self._join(format_skeleton("MMMEd", self._wall(instant), locale=self._locale), instant)

    def iso(self, instant: datetime) -> str:
        """Return what a button sends: "2026-11-24T10:00", on the clinic's clock."""
        return self._wall(instant).isoformat(timespec="minutes")

    def _join(self, day: str, instant: datetime) -> str:
        # Not the "full" pattern: Babel has no data for "at", and the sentence around it is the response's.
        pattern: str = self._locale.datetime_formats["short"]
        return pattern.replace("{1}", day).replace("{0}", self.time(instant))

    def _wall(self, instant: datetime) -> datetime:
        return on_the_wall(instant, self._zone)
