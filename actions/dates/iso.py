"""Dates and times in ISO 8601: what the LLM is asked to write, and what the clinic's own buttons send."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from actions.scheduling.models import Window
from actions.wallclock import instant_of

# `datetime.fromisoformat` of Python 3.10 reads less than this, that of 3.11 reads more ("20261124", "2026-W48-2").
_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})[T ](?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?)?"
    r" ?(?:(?P<utc>Z)|(?P<sign>[+-])(?P<offset_hour>\d{2}):?(?P<offset_minute>\d{2})?)?",
    re.ASCII | re.IGNORECASE,
)


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
        f"{match['date']}T{match['hour']}:{match['minute'] or '00'}:{match['second'] or '00'}{offset}"
    )
    instant = moment.astimezone(timezone.utc) if moment.tzinfo else instant_of(moment, zone)
    if instant is None:
        raise ValueError("the clocks skip that time")
    return Window.at(instant)
