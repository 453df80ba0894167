"""What a wish means. Today is Sunday, 22 November 2026, 17:20 in Berlin."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.dates import DateReader
from actions.errors import DateError, DateInPastError, DateNotUnderstoodError
from actions.scheduling.models import Window
from tests.actions.clinic import BERLIN, NOW, at, days

READER = DateReader(BERLIN)

INSTANTS = {
    "2026-11-24T10:00": "2026-11-24T10:00",
    "2026-11-24 10:00": "2026-11-24T10:00",
    "2026-11-24T10:00:00": "2026-11-24T10:00",
    "2026-11-24T10": "2026-11-24T10:00",
    "2026-11-24T09:00:00Z": "2026-11-24T10:00",
    "2026-11-24T10:00:00.000+0100": "2026-11-24T10:00",
    "2026-11-24T04:00-05": "2026-11-24T10:00",
    "2026-11-24 at 10:00": "2026-11-24T10:00",
    "tomorrow at 10": "2026-11-23T10:00",
    "at 10 tomorrow": "2026-11-23T10:00",
    "Tomorrow 14:30!": "2026-11-23T14:30",
    "tomorrow at 3": "2026-11-23T15:00",
    "tomorrow at 03:00": "2026-11-23T03:00",
    "tomorrow at 3 in the morning": "2026-11-23T03:00",
    "next Tuesday at 10 in the morning": "2026-11-24T10:00",
    "tomorrow at 8 in the evening": "2026-11-23T20:00",
    "10am on Friday": "2026-11-27T10:00",
    "10 a.m. on friday": "2026-11-27T10:00",
    "friday, 2.30 pm": "2026-11-27T14:30",
    "12am tomorrow": "2026-11-23T00:00",
    "12pm tomorrow": "2026-11-23T12:00",
    "half past nine on Thursday": "2026-11-26T09:30",
    "quarter past 2 on thursday": "2026-11-26T14:15",
    "quarter to ten on Thursday": "2026-11-26T09:45",
    "Thursday at half past 9": "2026-11-26T09:30",
    "nine o'clock on wednesday": "2026-11-25T09:00",
    "the day after tomorrow at noon": "2026-11-24T12:00",
    "18:30": "2026-11-22T18:30",
    "at 9pm": "2026-11-22T21:00",
    "24.11.2026 10:00": "2026-11-24T10:00",
    "24.11.2026, at 10.15": "2026-11-24T10:15",
    "Tuesday, November 24 at 10:00": "2026-11-24T10:00",
    "24th of November 2026 at 10am": "2026-11-24T10:00",
}

WINDOWS = {
    "2026-11-24": ("2026-11-24", "2026-11-25"),
    "2026/11/24": ("2026-11-24", "2026-11-25"),
    "today": ("2026-11-22", "2026-11-23"),
    "now": ("2026-11-22", "2026-11-23"),
    "tonight": ("2026-11-22T17:00", "2026-11-23"),
    "this evening": ("2026-11-22T17:00", "2026-11-23"),
    "tomorrow": ("2026-11-23", "2026-11-24"),
    "Tomorrow, please": ("2026-11-23", "2026-11-24"),
    "maybe tomorrow?": ("2026-11-23", "2026-11-24"),
    "day after tomorrow": ("2026-11-24", "2026-11-25"),
    "asap": ("2026-11-22", "2026-11-29"),
    "as soon as possible": ("2026-11-22", "2026-11-29"),
    "the earliest possible date": ("2026-11-22", "2026-11-29"),
    "any time": ("2026-11-22", "2026-11-29"),
    "Tuesday": ("2026-11-24", "2026-11-25"),
    "on tue": ("2026-11-24", "2026-11-25"),
    "this Tuesday": ("2026-11-24", "2026-11-25"),
    "next Tuesday": ("2026-11-24", "2026-11-25"),
    "Tuesday next week": ("2026-11-24", "2026-11-25"),
    "next week on Friday": ("2026-11-27", "2026-11-28"),
    "sunday": ("2026-11-29", "2026-11-30"),
    "this sunday": ("2026-11-22", "2026-11-23"),
    "next Tuesday afternoon": ("2026-11-24T12:00", "2026-11-24T18:00"),
    "tomorrow morning": ("2026-11-23T00:00", "2026-11-23T12:00"),
    "wednesday in the evening": ("2026-11-25T17:00", "2026-11-26"),
    "tomorrow after 3pm": ("2026-11-23T15:00", "2026-11-24"),
    "before noon on Friday": ("2026-11-27", "2026-11-27T12:00"),
    "friday morning after 10": ("2026-11-27T10:00", "2026-11-27T12:00"),
    "between 10 and 12 on friday": ("2026-11-27T10:00", "2026-11-27T12:00"),
    "friday from 2 to 4": ("2026-11-27T14:00", "2026-11-27T16:00"),
    "weekend": ("2026-11-21", "2026-11-23"),
    "next weekend": ("2026-11-28", "2026-11-30"),
    "this week": ("2026-11-16", "2026-11-23"),
    "next week": ("2026-11-23", "2026-11-30"),
    "the week after next": ("2026-11-30", "2026-12-07"),
    "in two weeks": ("2026-12-06", "2026-12-07"),
    "in a week\N{RIGHT SINGLE QUOTATION MARK}s time": ("2026-11-29", "2026-11-30"),
    "in 3 days": ("2026-11-25", "2026-11-26"),
    "3 days from now": ("2026-11-25", "2026-11-26"),
    "in a month": ("2026-12-22", "2026-12-23"),
    "this month": ("2026-11-01", "2026-12-01"),
    "next month": ("2026-12-01", "2027-01-01"),
    "in December": ("2026-12-01", "2027-01-01"),
    "May": ("2027-05-01", "2027-06-01"),
    "march 2027": ("2027-03-01", "2027-04-01"),
    "1.12.2026": ("2026-12-01", "2026-12-02"),
    "1.12.": ("2026-12-01", "2026-12-02"),
    "1/12/26": ("2026-12-01", "2026-12-02"),
    "1-12-2026": ("2026-12-01", "2026-12-02"),
    "22.11.": ("2026-11-22", "2026-11-23"),
    "1.2.": ("2027-02-01", "2027-02-02"),
    "24 November": ("2026-11-24", "2026-11-25"),
    "24. Nov. 2026": ("2026-11-24", "2026-11-25"),
    "the 24th of November, 2026": ("2026-11-24", "2026-11-25"),
    "November 24th": ("2026-11-24", "2026-11-25"),
    "Wed, Nov 25": ("2026-11-25", "2026-11-26"),
    "22 November": ("2026-11-22", "2026-11-23"),
    "the 24th": ("2026-11-24", "2026-11-25"),
    "on the 31st": ("2026-12-31", "2027-01-01"),
    "Wednesday 25th": ("2026-11-25", "2026-11-26"),
    "Wednesday, the 25th": ("2026-11-25", "2026-11-26"),
}

PAST = (
    *("yesterday", "the day before yesterday", "last week", "last month", "last Friday", "two weeks ago"),
    *("2026-11-21", "2026-11-22T17:19", "24 November 2025", "1.1.2026", "at 10", "10:30 a.m.", "this morning"),
)

NOT_UNDERSTOOD = (
    *("", " ", "no", "ok", "a", "at", "10", "12", "24", "in 5", "never", "yes please", "soon", "Monday never", "\x00"),
    *("\N{SLIGHTLY SMILING FACE}", "\N{ARABIC-INDIC DIGIT ONE}0am tomorrow\N{COMBINING ACUTE ACCENT}", "x" * 100_000),
    *("end of the month", "end of next week", "beginning of December", "in 2 hours", "2 days", "half nine tomorrow"),
    *("not tomorrow", "tomorrow or Friday", "Tuesday and Friday", "after Friday", "by Friday", "every Monday"),
    *("Monday 24 November", "Thursday 25th", "Wednesday 25", "tomorrow 11", "tomorrow 23", "November 24 25"),
    *("tomorrow EST", "2026-13-01", "2026-02-30T10:00", "2027-03-28T02:30", "9999-12-31", "0001-01-01"),
    *("12/24/2026", "30.2.2027", "31 November", "the 32nd", "10.30", "24.11.2026 10:00:99", "tomorrow at 25:00"),
    *("13pm tomorrow", "14:00 in the morning tomorrow", "tomorrow between 4 and 2", "next week at 10"),
    *("asap in the morning", "tomorrow at 10 or 11", "I need help on 24 November", "2026-11-24T24:00"),
)


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


@pytest.mark.parametrize(
    ("wish", "bounds"),
    [
        ("24. Dezember", ("2026-12-24", "2026-12-25")),
        ("Dienstag, 24. November", ("2026-11-24", "2026-11-25")),
        ("22. november", ("2026-11-22", "2026-11-23")),
        ("Dienstag", ("2026-11-24", "2026-11-25")),
        ("übermorgen", ("2026-11-24", "2026-11-25")),
        ("le 24 décembre", ("2026-12-24", "2026-12-25")),
        ("aujourd'hui", ("2026-11-22", "2026-11-23")),
    ],
)
def test_other_languages_are_read_if_the_clinic_speaks_them(wish: str, bounds: tuple[str, str]) -> None:
    """Languages come from the settings; the same words mean nothing where they are not spoken."""
    assert DateReader(BERLIN, ("de", "fr")).understand(wish, NOW) == days(*bounds)


@pytest.mark.parametrize(
    "wish",
    [
        "so",
        "die",
        "mit",
        "nie",
        "Mai",
        "guten Morgen",
        "Montag, 24. November",
        "avant mardi",
        "mardi 24",
        "Dezember 10h",
    ],
)
def test_everyday_words_of_other_languages_are_no_dates(wish: str) -> None:
    """Short forms of weekdays ("so" is Sunday to dateparser) and contradictions are not believed."""
    with pytest.raises(DateNotUnderstoodError):
        DateReader(BERLIN, ("de", "fr")).understand(wish, NOW)


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
