"""Between the wall clock and instants, on the two odd days of the year."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from actions.wallclock import day_start, divides_the_day, first_instant, instant_of, on_the_wall
from tests.actions.clinic import BERLIN, at


def test_a_time_that_is_skipped_is_no_instant() -> None:
    """An equal wait leads to the time after the gap."""
    wall = datetime(2027, 3, 28, 2, 30)

    assert instant_of(wall, BERLIN) is None
    assert on_the_wall(first_instant(wall, BERLIN), BERLIN) == datetime(2027, 3, 28, 3, 30)


def test_a_time_that_comes_twice_is_its_first_instant() -> None:
    """One wall time names one instant."""
    wall = datetime(2027, 10, 31, 2, 30)

    assert instant_of(wall, BERLIN) == at("2027-10-31T02:30", fold=0)
    assert on_the_wall(at("2027-10-31T02:30", fold=1), BERLIN) == wall


@pytest.mark.parametrize(("day", "hours"), [("2027-03-28", 23), ("2027-10-31", 25), ("2027-06-01", 24)])
def test_a_day_is_as_long_as_it_is(day: str, hours: int) -> None:
    """From midnight to midnight."""
    first = date.fromisoformat(day)

    assert day_start(first + timedelta(days=1), BERLIN) - day_start(first, BERLIN) == timedelta(hours=hours)


def test_a_grid_ends_with_the_day() -> None:
    """Or starts would move from day to day."""
    assert [divides_the_day(minutes) for minutes in (5, 15, 60, 1440)] == [5, 15, 60, 1440]
    with pytest.raises(ValueError, match="divide the day"):
        divides_the_day(50)
