"""What opening hours were understood as is said in words. Today is Sunday, 22 November 2026."""

from __future__ import annotations

from datetime import date

from actions.coming_days import ComingDays
from actions.scheduling.public_holidays import HolidaySettings
from tests.actions.clinic import BERLIN, FixedClock, at, opening_hours


def test_each_of_the_coming_fourteen_days_has_a_line() -> None:
    """Today first, on the clinic's clock, with what holds then."""
    first, *lines = ComingDays(opening_hours(), None, BERLIN, FixedClock(at("2026-11-24T00:10"))).describe()

    assert first == "open in the coming two weeks (Europe/Berlin):"
    assert len(lines) == 14
    assert lines[0] == "Tue 2026-11-24  08:00-12:00, 13:00-17:00"
    assert lines[4] == "Sat 2026-11-28  closed"


def test_holidays_are_named() -> None:
    """Whether they close the clinic or not."""
    clock = FixedClock(at("2026-12-24T09:00"))
    hours = opening_hours(holidays=frozenset({date(2026, 12, 25)}))
    assert "Fri 2026-12-25  closed (a holiday)" in ComingDays(hours, None, BERLIN, clock).describe()
    hours = opening_hours("Mo-Fr 08:00-12:00; PH 10:00-11:00", holidays=frozenset({date(2026, 12, 25)}))
    assert "Fri 2026-12-25  10:00-11:00 (a holiday)" in ComingDays(hours, None, BERLIN, clock).describe()


def test_what_the_holidays_may_leave_out_is_said_below() -> None:
    """Nobody has to find out on Easter Monday."""
    *_, last = ComingDays(opening_hours(), HolidaySettings(country="GB"), BERLIN, FixedClock()).describe()

    assert last.endswith("set holidays.subdivision to one of ENG, NIR, SCT, WLS")
