"""Which of somebody's appointments is meant. Today is Sunday, 22 November 2026, 17:20 in Berlin."""

from __future__ import annotations

import pytest

from actions.choice import fitting_bookings
from actions.dates import DateReader
from actions.scheduling.models import Booking
from tests.actions.clinic import BERLIN, NOW, SPECIALIST, slot_at

TUESDAY = Booking("APT-TUES1", "general", slot_at("2026-11-24T10:00"))
THURSDAY = Booking("APT-THUR1", "specialist", slot_at("2026-11-26T14:00", SPECIALIST))
FRIDAY = Booking("APT-FRID1", "general", slot_at("2026-11-27T10:00"))
ALL = [TUESDAY, THURSDAY, FRIDAY]


@pytest.mark.parametrize(
    ("choice", "fits"),
    [
        (None, ALL),
        ("APT-THUR1", [THURSDAY]),
        ("cancel apt-thur1 please", [THURSDAY]),
        ("the one on Tuesday", [TUESDAY]),
        ("the second", [THURSDAY]),
        ("my last appointment", [FRIDAY]),
        ("the latest one", [FRIDAY]),
        ("my earliest appointment", [TUESDAY]),
        ("the first general one", [TUESDAY]),
        ("the last general one", [FRIDAY]),
        ("general", [TUESDAY, FRIDAY]),
        ("the specialist appointment", [THURSDAY]),
        ("Friday at 10", [FRIDAY]),
        ("Friday at 11", []),
        ("the specialist on Friday", []),
        ("the fifth", []),
        ("this week or so", []),
        ("yes", []),
        ("", []),
        (2, []),
        ("x" * 121, []),
    ],
)
def test_a_choice_fits_what_it_surely_names(choice: object, fits: list[Booking]) -> None:
    """By reference, place, type and day, together if need be; words that say nothing fit nothing."""
    assert list(fitting_bookings(choice, ALL, DateReader(BERLIN), BERLIN, NOW)) == fits


def test_the_weekday_of_today_is_today_to_who_has_an_appointment() -> None:
    """Who books on a Tuesday for "Tuesday" means next week's; who has one today may mean that."""
    now = slot_at("2026-11-24T08:00").start

    assert fitting_bookings("Tuesday", ALL, DateReader(BERLIN), BERLIN, now) == [TUESDAY]
    assert fitting_bookings("next Tuesday", ALL, DateReader(BERLIN), BERLIN, now) == []


def test_nobody_without_appointments_has_a_first_one() -> None:
    """Nor a last one."""
    assert fitting_bookings("the last", [], DateReader(BERLIN), BERLIN, NOW) == []
