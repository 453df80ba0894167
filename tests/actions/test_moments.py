"""How instants are written."""

from __future__ import annotations

import pytest

from actions.moments import Moments
from tests.actions.clinic import BERLIN, at

TEN = at("2026-11-24T10:00")


@pytest.mark.parametrize(
    ("locale", "full", "short"),
    [
        ("en_GB", "Tuesday, 24 November 2026, 10:00", "Tue 24 Nov, 10:00"),
        ("de", "Dienstag, 24. November 2026, 10:00", "Di., 24. Nov., 10:00"),
    ],
)
def test_an_instant_is_written_in_the_clinics_locale(locale: str, full: str, short: str) -> None:
    """Never short of the day or the hour; the short form fits a button of twenty characters."""
    moments = Moments(BERLIN, locale)

    assert (moments.full(TEN), moments.short(TEN)) == (full, short)
    assert moments.date(TEN) in full
    assert moments.time(TEN) in full
    assert len(short) <= 20


def test_a_button_sends_the_clinics_own_clock() -> None:
    """The date reader takes that back as the very instant."""
    assert Moments(BERLIN, "en_US").iso(TEN) == "2026-11-24T10:00"
