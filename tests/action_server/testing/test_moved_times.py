"""An answer that is about now is the same one later, and one that is not is not."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from action_server.testing import webhook_request
from action_server.testing.moved_times import settle_times, since_recorded
from action_server.testing.recordings import RecordedCall

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-11-29T15:15:34.994627", "2026-11-30T15:15:42.879422"),
        ("2026-11-29T15:15:34+00:00", "2026-11-30T16:15:40+01:00"),
        ("2026-11-29T15:15Z", "2026-11-30T15:15:50Z"),
        ("2026-12-09", "2026-12-10"),
    ],
)
def test_a_time_that_moved_with_the_clock_is_the_same(before: str, after: str) -> None:
    """Wherever it stands; what it stands beside is compared as it is."""
    answer = {"events": [{"name": "due", "value": before}, 1], "text": "a"}
    later = {"events": [{"name": "due", "value": after, "more": 2}, 1, 3], "text": "b"}

    settled = settle_times(answer, later, DAY)

    assert settled == {"events": [{"name": "due", "value": before, "more": 2}, 1, 3], "text": "b"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-11-29T15:15:00", "2026-11-30T15:20:00"),
        ("2026-11-29T15:15:00", "2026-11-30T15:15:00+00:00"),
        ("2026-11-29", "2026-12-01"),
        ("2026-11-29T15:15 o'clock", "2026-11-30T15:15 o'clock"),
        ("20261129", "20261130"),
        ("a", "b"),
        (1, 2),
        (["2026-11-29"], "2026-11-30"),
    ],
)
def test_any_other_value_stays_another_one(before: Any, after: Any) -> None:
    """Also a time that moved by something else, and what only looks like one."""
    assert settle_times(before, after, DAY) == after


def test_a_recording_says_when_it_was() -> None:
    """One that somebody wrote by hand may not."""
    an_hour_ago = (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat()
    for recorded, least in ((an_hour_ago, timedelta(hours=1)), (None, timedelta()), ("then", timedelta())):
        call = RecordedCall(Path("a.json"), webhook_request("action_a"), 200, {}, 1.0, {"recorded": recorded})
        assert least <= since_recorded(call) < least + timedelta(minutes=5)
