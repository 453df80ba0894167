"""Times that moved on with the clock: an action that answers "in twenty minutes" answers the same tomorrow."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from action_server.testing.recordings import RecordedCall

_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
_DATE = len("2026-11-29")
# What an action takes on a busy machine, and what is lost where seconds are left out.
_SLACK = timedelta(seconds=60)


def since_recorded(call: RecordedCall) -> timedelta:
    """Return how long ago a call was answered; no time at all where its file does not say when."""
    try:
        return datetime.now(timezone.utc) - datetime.fromisoformat(str(call.content.get("recorded")))
    except (ValueError, TypeError):
        return timedelta()


def settle_times(before: Any, after: Any, passed: timedelta) -> Any:
    """Return ``after`` with the times of ``before`` where both stand in one place and lie as far apart as ``passed``.

    Times are texts in ISO 8601; of dates the days count.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: settle_times(before[key], v, passed) if key in before else v for key, v in after.items()}
    if isinstance(before, list) and isinstance(after, list):
        settled = [settle_times(old, new, passed) for old, new in zip(before, after, strict=False)]
        return [*settled, *after[len(settled) :]]
    return before if _has_moved(before, after, passed) else after


def _has_moved(before: Any, after: Any, passed: timedelta) -> bool:
    if not all(isinstance(text, str) and _ISO.fullmatch(text) for text in (before, after)):
        return False
    try:
        moved = _moment(after) - _moment(before)
    except (ValueError, TypeError):
        # One of them has a time zone and the other has none.
        return False
    return abs(moved - passed) < (timedelta(days=1) if len(before) == len(after) == _DATE else _SLACK)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
