"""What a wish means. Today is Sunday, 22 November 2026, 17:20 in Berlin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.dates import DateReader
from actions.dates.languages import has_phrasebook
from actions.errors import DateError, DateInPastError, DateNotUnderstoodError
from actions.scheduling.models import Window
from tests.actions.clinic import BERLIN, NOW, at, days
from tests.actions.dates.foreign_phrases import NOT_SAID, SAID
from tests.actions.dates.phrases import (
    FOREIGN_INSTANTS,
    FOREIGN_NOT_UNDERSTOOD,
    FOREIGN_WINDOWS,
    INSTANTS,
    NOT_UNDERSTOOD,
    PAST,
    WINDOWS,
)

READER = DateReader(BERLIN)
POLYGLOT = DateReader(BERLIN, ("de", "fr", "es"))


@pytest.mark.parametrize(("wish", "wall"), INSTANTS.items())
def test_a_wish_for_a_time_means_that_instant(wish: str, wall: str) -> None:
    """A day with a time of day is one instant, on the clinic's clock unless an offset says otherwise."""
    assert READER.understand(wish, NOW) == Window.at(at(wall))


@pytest.mark.parametrize(("wish", "bounds"), WINDOWS.items())
def test_a_wish_for_days_or_a_part_of_a_day_means_that_window(wish: str, bounds: tuple[str, str]) -> None:
    """Days begin and end at midnight in the clinic, whatever the time of asking: a repeat means the same."""
    assert READER.understand(wish, NOW) == days(*bounds)


@pytest.mark.parametrize("wish", PAST)
def test_a_wish_for_a_time_that_is_over_is_told_so(wish: str) -> None:
    """The past is an answer of its own, never moved to next week or next year."""
    with pytest.raises(DateInPastError):
        READER.understand(wish, NOW)


@pytest.mark.parametrize("wish", NOT_UNDERSTOOD, ids=lambda wish: ascii(wish[:40]))
def test_a_wish_that_is_not_surely_a_date_is_not_understood(wish: str) -> None:
    """Small talk, contradictions, half dates and dates that do not exist never become a date."""
    with pytest.raises(DateNotUnderstoodError):
        READER.understand(wish, NOW)


@pytest.mark.parametrize("wish", [None, 10, 2.5, True, ["tomorrow"], {"date": "tomorrow"}])
def test_a_slot_value_that_is_no_text_is_not_understood(wish: object) -> None:
    """Slots hold any JSON."""
    with pytest.raises(DateNotUnderstoodError):
        READER.understand(wish, NOW)


def test_the_order_of_day_and_month_is_a_setting() -> None:
    """Where the month comes first, 12/1 is the first of December, and 24/12 is nothing."""
    american = DateReader(BERLIN, order="MDY")

    assert american.understand("12/1/2026", NOW) == days("2026-12-01", "2026-12-02")
    with pytest.raises(DateNotUnderstoodError):
        american.understand("24/12/2026", NOW)


@pytest.mark.parametrize(("wish", "wall"), FOREIGN_INSTANTS.items())
def test_a_time_is_read_in_the_languages_of_the_clinic(wish: str, wall: str) -> None:
    """Languages come from the settings; accents may be left out."""
    assert POLYGLOT.understand(wish, NOW) == Window.at(at(wall))


@pytest.mark.parametrize(("wish", "bounds"), FOREIGN_WINDOWS.items())
def test_days_are_read_in_the_languages_of_the_clinic(wish: str, bounds: tuple[str, str]) -> None:
    """As they would be in English."""
    assert POLYGLOT.understand(wish, NOW) == days(*bounds)


@pytest.mark.parametrize(("language", "wish"), [(language, wish) for language in SAID for wish in SAID[language]])
def test_a_language_is_read_as_it_is_spoken(language: str, wish: str) -> None:
    """Times of day, parts of the day and idioms: who says eight days in German means a week."""
    meant = SAID[language][wish]
    window = Window.at(at(meant)) if isinstance(meant, str) else days(*meant)

    assert DateReader(BERLIN, (language,)).understand(wish, NOW) == window


@pytest.mark.parametrize(("language", "wish"), [(one, wish) for one in NOT_SAID for wish in NOT_SAID[one]])
def test_a_language_has_words_that_are_no_dates(language: str, wish: str) -> None:
    """Half of what is said may be half of a date."""
    with pytest.raises(DateError):
        DateReader(BERLIN, (language,)).understand(wish, NOW)


def test_a_while_means_the_same_when_it_is_asked_again() -> None:
    """The window begins at a half hour, so that a repeat finds the booking that the first one made."""
    later = at("2026-11-22T17:29")

    assert READER.understand("in an hour", NOW) == READER.understand("in an hour", later)
    assert READER.understand("in an hour", at("2026-11-22T17:30")) == days("2026-11-22T18:30", "2026-11-22T19:30")


@pytest.mark.parametrize(
    ("language", "known"), [("en", True), ("de", True), ("pl", True), ("sv", False), ("ja", False)]
)
def test_a_language_without_a_phrasebook_is_known_as_one(language: str, known: bool) -> None:
    """Days are read in it as far as dateparser can, times of day are not."""
    assert has_phrasebook(language) is known


@pytest.mark.parametrize("wish", FOREIGN_NOT_UNDERSTOOD)
def test_everyday_words_of_other_languages_are_no_dates(wish: str) -> None:
    """Short forms of weekdays ("so" is Sunday to dateparser), greetings and contradictions are not believed."""
    with pytest.raises(DateNotUnderstoodError):
        POLYGLOT.understand(wish, NOW)


@pytest.mark.parametrize("wish", ["morgen um 10 Uhr", "demain", "mañana"])
def test_a_language_that_the_clinic_does_not_speak_is_not_read(wish: str) -> None:
    """The same words mean nothing where they are not spoken."""
    with pytest.raises(DateNotUnderstoodError):
        READER.understand(wish, NOW)


@pytest.mark.parametrize("wish", [*INSTANTS, *WINDOWS])
def test_english_means_the_same_whatever_else_is_spoken(wish: str) -> None:
    """A further language adds wishes and changes none."""
    assert POLYGLOT.understand(wish, NOW) == READER.understand(wish, NOW)


def test_the_tables_hold_at_least_two_hundred_phrases() -> None:
    """And none of them twice."""
    phrases = [*INSTANTS, *WINDOWS, *PAST, *NOT_UNDERSTOOD, *FOREIGN_INSTANTS, *FOREIGN_WINDOWS]

    assert len(set(phrases)) == len(phrases) >= 200


@pytest.mark.parametrize(
    ("wish", "hours"),
    [
        ("28 March 2027 in the morning", 11),
        ("31 October 2027 in the morning", 13),
        ("28 March 2027 between 8 and 10", 2),
        ("31 October 2027 between 8 and 10", 2),
        ("2027-W12", 7 * 24 - 1),
        ("2027-W43", 7 * 24 + 1),
    ],
)
def test_a_part_of_a_day_with_a_clock_change_is_as_long_as_it_is(wish: str, hours: int) -> None:
    """Bounds are meant on the wall clock, lengths are real hours."""
    window = READER.understand(wish, NOW)

    assert (window.end - window.start).total_seconds() == hours * 3600


def test_a_day_of_a_clock_change_is_as_long_as_it_is() -> None:
    """The last Sunday of March has 23 hours in Berlin, that of October has 25."""
    spring = READER.understand("2027-03-28", NOW)
    autumn = READER.understand("2027-10-31", NOW)

    assert (spring.end - spring.start).total_seconds() == 23 * 3600
    assert (autumn.end - autumn.start).total_seconds() == 25 * 3600


def test_a_time_that_comes_twice_means_its_first_hour() -> None:
    """When the clocks are put back, 02:30 is the earlier one, unless the offset says otherwise."""
    assert READER.understand("2027-10-31T02:30", NOW) == Window.at(at("2027-10-31T02:30", fold=0))
    assert READER.understand("2027-10-31T02:30+01:00", NOW) == Window.at(at("2027-10-31T02:30", fold=1))


@pytest.mark.parametrize(
    "wish",
    ["on 28 March 2027 at 2:30 am", "2027-03-28T02:30", "28 March 2027 between 2 and 3 in the morning"],
)
def test_a_time_that_the_clocks_skip_is_not_understood(wish: str) -> None:
    """There is no 02:30 on the night in which the clocks are put forward."""
    with pytest.raises(DateNotUnderstoodError):
        READER.understand(wish, NOW)


def test_a_weekday_said_on_that_weekday_means_the_next_one() -> None:
    """Who means today says "today" or "this Tuesday"."""
    tuesday = at("2026-11-24T09:00")

    assert READER.understand("Tuesday", tuesday) == days("2026-12-01", "2026-12-02")
    assert READER.understand("this Tuesday", tuesday) == days("2026-11-24", "2026-11-25")
    with pytest.raises(DateInPastError):
        READER.understand("last Tuesday", tuesday)


@pytest.mark.parametrize("wish", ["tomorrow at 10", "10", None, "2026-11-21T10:00", "2026-02-30T10:00", "2026-11-24"])
def test_only_a_coming_instant_in_iso_8601_is_a_moment(wish: object) -> None:
    """What a button sends is told from what a person says."""
    assert READER.moment(wish, NOW) is None
    assert READER.moment("2026-11-24T10:00", NOW) == Window.at(at("2026-11-24T10:00"))


WORDS = (
    *("next", "last", "this", "in", "on", "at", "the", "tuesday", "monday", "fri", "may", "march", "november", "week"),
    *("weekend", "month", "days", "two", "10", "31", "2026", "1.12.", "10:30", "half", "past", "quarter", "to", "nine"),
    *("am", "pm", "morning", "afternoon", "tomorrow", "today", "ago", "after", "before", "between", "and", "24th", ","),
    *(".", "-", "T", "2026-11-24", "2026-11-24T10:00", "+01:00", "Z", "noon", "o'clock", "every", "not", "asap", "0"),
    *("00:00", "est", "9" * 20),
)


@settings(max_examples=400, deadline=None, database=None)
@given(wish=st.one_of(st.text(max_size=130), st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)))
def test_no_words_at_all_crash_the_reader_or_yield_the_past(wish: str) -> None:
    """Whatever is said: a window that is not over, or one of the two refusals."""
    try:
        window = READER.understand(wish, NOW)
    except DateError:
        return
    assert window.end > NOW
