"""Between the clock on the clinic's wall and the instants that are stored, on the two odd days of the year too."""

from __future__ import annotations

from datetime import date, datetime, time, timezone
from zoneinfo import ZoneInfo

MINUTES_PER_DAY = 24 * 60


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(timezone.utc)


def divides_the_day(minutes: int) -> int:
    """Return the minutes of a grid that begins at midnight; raises `ValueError` if it would not end there."""
    if MINUTES_PER_DAY % minutes:
        raise ValueError("must divide the day without a rest, as 15, 20, 30 and 60 do")
    return minutes


def on_the_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """Return what the wall clock shows at `instant`, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the instant at which the wall clock shows `wall`, or None if it never does.

    In spring an hour is skipped: those times do not exist. In autumn an hour comes twice: the first one is meant,
    always, so that one wall time names one instant.
    """
    instant = first_instant(wall, zone)
    return instant if on_the_wall(instant, zone) == wall else None


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when the wall clock first shows `wall` or, if it skips that time, the instant an equal wait leads to."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which `day` begins for the clinic."""
    return first_instant(datetime.combine(day, time()), zone)
