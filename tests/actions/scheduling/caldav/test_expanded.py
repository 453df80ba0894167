"""Objects are expanded once for each month, whichever times are asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.scheduling.caldav import expanded
from actions.scheduling.caldav.busy import busy
from actions.scheduling.caldav.expanded import ExpandedObjects
from actions.scheduling.caldav.spans import Span
from tests.actions.clinic import BERLIN, at
from tests.actions.scheduling.caldav.test_series import calendar, series

DAILY = calendar("DTSTART:20261120T220000Z", "DURATION:PT4H", "RRULE:FREQ=DAILY;COUNT=15", "SUMMARY:Erika Geheim")
PLACE = {"resource": "practice", "object": "x.ics"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Span]:
    """The spans that objects were expanded for."""
    found: list[Span] = []

    def counting(content: str, zone: object, within: Span, place: object) -> object:
        found.append(within)
        return busy(content, BERLIN, within)

    monkeypatch.setattr(expanded, "busy", counting)
    return found


def day(date: str, days: int = 1) -> Span:
    return Span(at(date), at(date) + timedelta(days=days))


def test_a_month_is_expanded_once(asked: list[Span]) -> None:
    """However often and for whichever of its days it is asked."""
    objects = ExpandedObjects(BERLIN)
    for date in ("2026-11-24", "2026-11-25", "2026-11-24"):
        assert objects.busy(DAILY, day(date), PLACE) == busy(DAILY, BERLIN, day(date))
    assert len(asked) == 1

    assert objects.busy(DAILY, day("2026-11-28", 7), PLACE) == sorted(busy(DAILY, BERLIN, day("2026-11-28", 7)))
    assert len(asked) == 2


def test_an_object_that_was_changed_is_another(asked: list[Span]) -> None:
    """It is known by all of its text."""
    objects = ExpandedObjects(BERLIN)
    assert objects.busy(DAILY, day("2026-11-24"), PLACE)

    assert objects.busy(DAILY.replace("COUNT=15", "COUNT=1"), day("2026-11-24"), PLACE) == []
    assert len(asked) == 2


def test_not_more_than_so_much_is_remembered(asked: list[Span]) -> None:
    """What was not asked for the longest time is forgotten first, and nothing of the text is kept at all."""
    objects = ExpandedObjects(BERLIN, most=2)
    for date in ("2026-11-24", "2026-12-24", "2026-11-24", "2027-01-24", "2026-11-24"):
        objects.busy(DAILY, day(date), PLACE)
    assert len(asked) == 3

    objects.busy(DAILY, day("2026-12-24"), PLACE)
    assert len(asked) == 4
    assert "Erika" not in repr(vars(objects))


@settings(max_examples=60, deadline=None, database=None)
@given(text=series(), first=st.integers(0, 50), days=st.integers(1, 40))
def test_by_the_month_is_as_at_once(text: str, first: int, days: int) -> None:
    """A time over the end of a month counts in both, and once."""
    within = Span(at("2026-06-05") + timedelta(days=first), at("2026-06-05") + timedelta(days=first + days, hours=7))

    assert ExpandedObjects(BERLIN).busy(text, within, PLACE) == sorted(set(busy(text, BERLIN, within)))
