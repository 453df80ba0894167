"""What the clinic and its backends talk about."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from actions.scheduling.models import BookingKey, Window
from tests.actions.clinic import NOW, at, days, slot_at

TUESDAY = days("2026-11-24", "2026-11-25")
KEY = BookingKey("sender", "general", TUESDAY)


def test_a_window_holds_its_start_and_not_its_end() -> None:
    """So that windows side by side share nothing."""
    assert TUESDAY.start in TUESDAY
    assert TUESDAY.end not in TUESDAY
    assert at("2026-11-24T10:00") in Window.at(at("2026-11-24T10:00"))


def test_a_window_ends_after_it_starts() -> None:
    """One that holds nothing is a mistake of whoever made it."""
    with pytest.raises(ValueError, match="end after"):
        Window(NOW, NOW)


def test_a_window_knows_how_far_off_an_instant_is() -> None:
    """Nothing inside, and the way to the nearest start that would be in it outside."""
    assert TUESDAY.distance(at("2026-11-24T10:00")) == timedelta()
    assert TUESDAY.distance(at("2026-11-23T23:00")) == timedelta(hours=1)
    assert TUESDAY.distance(TUESDAY.end) == timedelta(microseconds=1)
    assert (TUESDAY.is_over(TUESDAY.start), TUESDAY.is_over(TUESDAY.end)) == (False, True)


def test_a_digest_is_the_same_for_the_same_key_only() -> None:
    """And tells nobody who asked."""
    others = [
        replace(KEY, conversation="other"),
        replace(KEY, appointment_type="urgent"),
        KEY.after(slot_at("2026-11-24T10:00")),
    ]

    assert replace(KEY).digest == KEY.digest
    assert len({key.digest for key in (KEY, *others)}) == 4
    assert "sender" not in KEY.digest


def test_the_key_of_what_is_left_begins_where_the_slot_ends() -> None:
    """Who books twice within one wish gets the second after the first."""
    slot = slot_at("2026-11-24T10:00")

    assert KEY.after(slot).window == Window(slot.end, TUESDAY.end)
