"""Opening hours mean what opening_hours.js understands, or are refused; tests/tools/opening_hours writes the table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import holidays
import pytest

from actions.scheduling.opening import OpeningHours

HERE = Path(__file__).parent
TABLE: dict[str, Any] = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
STRINGS = (HERE / "strings.txt").read_text(encoding="utf-8").splitlines()
BERLIN = holidays.country_holidays("DE", subdiv="BE")
DAY = 24 * 60

# Refused, though opening_hours.js reads them: what they mean depends on something that is not known here, or readers
# of the specification differ.
REFUSED = {
    "Mo[1-2] 09:00-10:00": "is not understood from character 3 on",
    "Mo-Fr 09:00-12:00; 2026 Dec 24,31 off": "some of which have no year",
    "Mo-Fr 09:00-12:00; 13:00-15:00": "a rule without days after another one",
    "08:00-12:00; 13:00-15:00": "a rule without days after another one",
    "Mo-Fr 09:00-12:00; open": "a rule without days after another one",
    "Mo-Fr 09:00+": "an open end",
    "Mo-Fr 09:00-17:00+": "an open end",
    "sunrise-sunset": "times of the sun",
    "Mo-Fr 09:00-sunset": "times of the sun",
    "SH Mo-Fr 09:00-12:00": "school holidays are not known",
    "Mo-Fr 09:00-12:00; SH off": "school holidays are not known",
    "Mo-Fr 09:00-12:00; easter off": "easter",
    "Mo-Fr 09:00-12:00; easter -2 days off": "easter",
    "Mo-Fr 09:00-12:00; PH +1 day off": "days counted from others",
    "Mo-Fr 9-12": "is not understood from character 7 on",
    "Mo-Fr 9am-5pm": "is not understood from character 7 on",
    "Mon-Fri 09:00-12:00": "is not understood from character 1 on",
    "mo-fr 09:00-12:00": "is not understood from character 1 on",
    "Mo-Fr: 09:00-12:00": "is not understood from character 6 on",
    "Mo-Fr 09:00\N{EN DASH}12:00": "is not understood from character 7 on",
    "Mo-Fr 09:00-12:00 13:00-15:00": "is not understood from character 19 on",
    "Mo-Fr 09:00-09:00": "begin and end at the same moment",
    "Mo-Fr 24/7": "is not understood from character 7 on",
    "Mo-Fr PH 09:00-12:00": "is not understood from character 7 on",
    "Mar 10-Mar 09 09:00-12:00": "dates that end before they begin",
    "Mo-Fr 09:00-12:00; Dec 31-Dec 24 off": "dates that end before they begin",
    "2026 Nov-Jan": "months over a new year beside a year",
    "2026,2027 Nov-Feb Mo 09:00-12:00": "months over a new year beside a year",
}
NONSENSE = {
    "": "says nothing",
    ";": "a rule with nothing in it",
    "Mo-Fr 09:00-12:00;; Sa off": "a rule with nothing in it",
    "Mo-Fr 09:00-12:00 ||": "a rule with nothing in it",
    'Mo-Fr 09:00-12:00 "call': "quotation mark is not closed",
    "Mo-Fr 09:00-12:00 || 22:00-02:00": "goes over midnight",
    "Mo-Fr 09:00-12:00 || Sa 10:00-11:00, Su 10:00-11:00": "a comma in a rule after",
    "2027-2026 Mo 09:00-12:00": "end before they begin",
    "Mo-Fr 09:00-12:00; Feb 30 off": "a day that Feb does not have",
    "Mo-Fr 09:00-12:00; 2027 Feb 29 off": "a day that the year does not have",
    "Mo-Fr 09:00-12:00; 2027 Feb 10-03 off": "end before they begin",
    "Mo[6] 09:00-10:00": "beyond 1 to 5",
    "week 0 Mo 09:00-10:00": "not between 1 and 53",
    "Mo-Fr 09:61-10:00": "no clock shows",
    "Mo-Fr 23:00-47:30": "of more than a day",
}


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def understood(text: str, first: date, end: date) -> list[tuple[int, int]]:
    hours = OpeningHours(text)
    spans = []
    for number in range((end - first).days):
        spans += [(number * DAY + a, number * DAY + b) for a, b in hours.open_on(first + timedelta(number), BERLIN)]
    return merged(spans)


@pytest.mark.parametrize(
    "text", [text for text, told in TABLE["open"].items() if told is not None and text not in REFUSED]
)
def test_hours_mean_what_opening_hours_js_understands(text: str) -> None:
    """To the minute, in weeks with and without holidays, around the new year and over the end of February."""
    for (first, end), told in zip(TABLE["periods"], TABLE["open"][text], strict=True):
        assert understood(text, date.fromisoformat(first), date.fromisoformat(end)) == merged((a, b) for a, b in told)


@pytest.mark.parametrize(("text", "why"), [*REFUSED.items(), *NONSENSE.items()])
def test_hours_that_are_not_certain_are_refused_in_a_sentence(text: str, why: str) -> None:
    """Which says what to write instead, or where it is not understood."""
    with pytest.raises(ValueError, match=why):
        OpeningHours(text)


@pytest.mark.parametrize("text", [text for text, told in TABLE["open"].items() if told is None])
def test_nothing_is_read_that_opening_hours_js_refuses(text: str) -> None:
    """Its authors have seen more hours than anybody."""
    with pytest.raises(ValueError, match=r"\w"):
        OpeningHours(text)


def test_the_table_is_that_of_the_strings() -> None:
    """Every string was asked about, and most of them are read."""
    assert list(TABLE["open"]) == STRINGS
    assert len(STRINGS) - len(REFUSED) - [*TABLE["open"].values()].count(None) >= 150


@pytest.mark.parametrize(
    ("text", "speaks"),
    [("Mo-Fr 09:00-12:00", False), ("PH off", True), ("Mo,PH 09:00-12:00", True), ("PH Mo off", True)],
)
def test_hours_tell_whether_they_speak_of_holidays(text: str, speaks: bool) -> None:
    """Then they decide what holds on them."""
    assert OpeningHours(text).speaks_of_holidays is speaks


def test_days_to_the_end_of_february_are_open_each_year() -> None:
    """Where opening_hours.js 3.15.0 is open in leap years only: findings/ has it."""
    hours = OpeningHours("Feb 20-28 08:00-17:00")
    assert [hours.open_on(date(year, 2, 25), ()) for year in (2027, 2028)] == [[(480, 1020)]] * 2
