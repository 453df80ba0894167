"""When an appointment can start."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from actions.scheduling.models import AppointmentType, Slot, Window
from actions.wallclock import on_the_wall
from tests.actions.clinic import BERLIN, GENERAL, SPECIALIST, at, days, opening_hours, slot_at


def walls(slots: list[Slot]) -> list[str]:
    return [f"{on_the_wall(slot.start, BERLIN):%d %H:%M}" for slot in slots]


def test_starts_fill_the_opening_hours_and_no_appointment_outlasts_them() -> None:
    """An hour must end by noon and by five: the last starts are 11:00 and 16:00."""
    starts = walls(opening_hours().slots(SPECIALIST, days("2026-11-24", "2026-11-25")))

    assert starts == [
        *(f"24 {hour}" for hour in ("08:00", "08:30", "09:00", "09:30", "10:00", "10:30", "11:00")),
        *(f"24 {hour}" for hour in ("13:00", "13:30", "14:00", "14:30", "15:00", "15:30", "16:00")),
    ]


def test_only_starts_within_the_window_count() -> None:
    """The window's start belongs to it, its end does not."""
    window = Window(at("2026-11-24T09:00"), at("2026-11-24T10:00"))

    assert opening_hours().slots(GENERAL, window) == [slot_at("2026-11-24T09:00"), slot_at("2026-11-24T09:30")]


@pytest.mark.parametrize(("wall", "expected"), [("2026-11-24T09:30", ["24 09:30"]), ("2026-11-24T09:40", [])])
def test_an_instant_holds_its_own_start_or_none(wall: str, expected: list[str]) -> None:
    """A time beside the grid is no start at all; it is not rounded."""
    assert walls(opening_hours().slots(GENERAL, Window.at(at(wall)))) == expected


def test_the_grid_is_counted_from_midnight_wherever_the_window_begins() -> None:
    """Opening at 08:10 with a grid of 20 minutes means 08:20, for every window."""
    hours = opening_hours("Mo-Fr 08:10-09:05", every=timedelta(minutes=20))
    kind = AppointmentType("check", timedelta(minutes=20), "practice")

    assert walls(hours.slots(kind, days("2026-11-24", "2026-11-25"))) == ["24 08:20", "24 08:40"]
    assert walls(hours.slots(kind, Window(at("2026-11-24T08:15"), at("2026-11-24T08:40")))) == ["24 08:20"]


def test_a_holiday_is_a_closed_day() -> None:
    """Friday, 25 December 2026 has no starts, the Thursday before it has."""
    assert opening_hours().slots(GENERAL, days("2026-12-25", "2026-12-28")) == []
    assert opening_hours().slots(GENERAL, days("2026-12-24", "2026-12-25")) != []


def test_a_night_shift_does_not_run_into_a_holiday() -> None:
    """What starts before midnight must not end on a holiday."""
    hours = opening_hours("Mo-Su 22:00-02:00", holidays=frozenset({date(2026, 12, 25)}))
    night = Window(at("2026-12-24T23:00"), at("2026-12-26T00:00"))

    assert walls(hours.slots(SPECIALIST, night)) == ["24 23:00"]


def test_an_appointment_may_cross_midnight_where_the_clinic_is_open() -> None:
    """Asking for one day finds the appointment that ends on the next."""
    starts = walls(opening_hours("24/7").slots(SPECIALIST, days("2026-11-24", "2026-11-25")))

    assert len(starts) == 48
    assert starts[-1] == "24 23:30"


def test_by_appointment_only_is_not_open() -> None:
    """Hours that the opening_hours syntax calls unknown are nothing to book on."""
    assert opening_hours('Mo-Fr 08:00-17:00 unknown "call us"').slots(GENERAL, days("2026-11-24", "2026-11-25")) == []


def test_skipped_times_are_not_offered_when_the_clocks_go_forward() -> None:
    """02:00 and 02:30 do not exist on 28 March 2027; an hour from 01:30 lasts until 03:30 on the wall."""
    slots = opening_hours("24/7").slots(SPECIALIST, Window(at("2027-03-28T01:00"), at("2027-03-28T04:00")))

    assert walls(slots) == ["28 01:00", "28 01:30", "28 03:00", "28 03:30"]
    assert [slot.end - slot.start for slot in slots] == [timedelta(hours=1)] * 4


def test_times_that_come_twice_are_offered_once_when_the_clocks_go_back() -> None:
    """02:00 and 02:30 come twice on 31 October 2027: each is offered for the first time it comes."""
    slots = opening_hours("24/7").slots(GENERAL, Window(at("2027-10-31T01:30"), at("2027-10-31T03:30")))

    assert walls(slots) == ["31 01:30", "31 02:00", "31 02:30", "31 03:00"]
    assert slots[1].start == at("2027-10-31T02:00", fold=0)
    assert slots[3].start - slots[2].start == timedelta(minutes=90)


@pytest.mark.parametrize("day", ["2027-03-28", "2027-10-31"])
def test_office_hours_stay_where_the_wall_clock_says_on_the_days_of_a_clock_change(day: str) -> None:
    """08:00 is 08:00, one hour more or less after midnight."""
    morning = Window(at(day), at(f"{day}T12:00"))

    first = opening_hours("Mo-Su 08:00-12:00").slots(GENERAL, morning)[0]

    assert first.start == at(f"{day}T08:00")


def test_an_appointment_must_end_before_closing_time_in_real_minutes() -> None:
    """Closing at 03:00 after the clocks went forward leaves the night one hour shorter."""
    hours = opening_hours("Su 00:00-03:00")
    slots = hours.slots(SPECIALIST, days("2027-03-28", "2027-03-29"))

    assert walls(slots) == ["28 00:00", "28 00:30", "28 01:00"]


def test_times_without_utc_are_refused() -> None:
    """Local or naive times in a window would be compared by the wall clock."""
    with pytest.raises(ValueError, match="UTC"):
        Window(datetime(2026, 11, 24), datetime(2026, 11, 25))
    with pytest.raises(ValueError, match="UTC"):
        Slot("practice", datetime(2026, 11, 24, tzinfo=BERLIN), datetime(2026, 11, 25, tzinfo=BERLIN))


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ('Mo-Fr 09:00-10:00 || "by appointment"', ["23 09:00", "23 09:30"]),
        ("Mo-Fr 09:00-10:00 || off", ["23 09:00", "23 09:30"]),
        ("Mo-Fr 09:00-10:00; PH Mo-Fr off", ["23 09:00", "23 09:30"]),
    ],
)
def test_a_question_from_a_sunday_is_answered_as_one_from_a_monday(text: str, starts: list[str]) -> None:
    """Each day is looked at on its own, whichever days are asked for beside it."""
    hours = opening_hours(text)

    assert walls(hours.slots(GENERAL, days("2026-11-22", "2026-11-24"))) == starts
    assert walls(hours.slots(GENERAL, days("2026-11-23", "2026-11-24"))) == starts


def test_a_rule_for_holidays_says_what_holds_on_them() -> None:
    """Without one they are closed."""
    christmas = days("2026-12-25", "2026-12-26")

    assert opening_hours("Mo-Fr 09:00-10:00").slots(GENERAL, christmas) == []
    assert walls(opening_hours("Mo-Fr 09:00-10:00; PH 11:00-11:30").slots(GENERAL, christmas)) == ["25 11:00"]
    assert walls(opening_hours("Mo-Fr 09:00-09:30; PH Sa off").slots(GENERAL, christmas)) == ["25 09:00"]
