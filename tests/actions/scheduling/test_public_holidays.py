"""Whose holidays close the clinic, and what a choice of them leaves out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from actions.scheduling.public_holidays import HolidaySettings

TODAY = date(2026, 11, 22)


def settings(country: str, **more: Any) -> HolidaySettings:
    return HolidaySettings.model_validate({"country": country, **more})


@pytest.mark.parametrize(
    ("country", "subdivision", "day"),
    [("GB", "ENG", date(2027, 3, 29)), ("CH", "ZH", date(2026, 12, 26)), ("DE", "BY", date(2027, 1, 6))],
)
def test_a_country_says_which_of_its_parts_have_more_holidays(country: str, subdivision: str, day: date) -> None:
    """Easter Monday in England, Boxing Day in Zurich, Epiphany in Bavaria: unknown until the part is named."""
    assert day not in settings(country).calendar()
    assert day in settings(country, subdivision=subdivision).calendar()
    [whole, *_] = settings(country).left_out(TODAY)
    assert f"only holidays of the whole of {country}" in whole
    assert subdivision in whole
    assert not any("whole of" in said for said in settings(country, subdivision=subdivision).left_out(TODAY))


def test_a_country_without_differences_has_nothing_to_choose() -> None:
    """Its parts have the same public holidays."""
    assert not any("whole of" in said for said in settings("NL").left_out(TODAY))


def test_a_year_of_which_nothing_is_known_is_said() -> None:
    """Sri Lanka follows the moon and is known year by year; the clinic would be open all year."""
    assert "no holidays of LK are known for 2041" in settings("LK").left_out(date(2040, 11, 22))
    assert not any("are known for" in said for said in settings("DE").left_out(TODAY))


def test_a_country_with_a_hundred_parts_names_some_of_them() -> None:
    """Each Italian province has the day of its patron."""
    [whole, *_] = settings("IT").left_out(TODAY)

    assert whole.endswith("more")
    assert len(whole) < 400


@pytest.mark.parametrize(
    ("country", "parts", "categories"),
    [
        ("AU", "ACT, NSW, NT, QLD, SA, TAS, VIC, WA", "bank, half_day"),
        ("CA", "AB, BC, MB, NB, NL, NS, NT, NU, ON, PE, QC, SK, YT", "government, optional"),
        ("ES", "AN, AR, AS", ""),
        ("FR", "57, 6AE, 971", ""),
        ("IN", "AN, AR, AS", "government, optional"),
        ("PT", "", "optional"),
        ("US", "AK, AL, AS", "government, half_day, unofficial"),
    ],
)
def test_parts_and_categories_are_named(country: str, parts: str, categories: str) -> None:
    """Those that make a difference."""
    said = " / ".join(settings(country).left_out(TODAY))

    assert parts in said
    assert f"could also hold {categories}" in said or not categories


def test_further_categories_are_a_setting() -> None:
    """The Assumption, in Bavaria, is a holiday where most people are catholic; Christmas stays one."""
    assumption, christmas = date(2026, 8, 15), date(2026, 12, 25)
    plain, catholic = settings("DE", subdivision="BY"), settings("DE", subdivision="BY", categories=["catholic"])

    assert (assumption in plain.calendar(), christmas in plain.calendar()) == (False, True)
    assert (assumption in catholic.calendar(), christmas in catholic.calendar()) == (True, True)
    assert plain.left_out(TODAY) == ["holidays.categories could also hold catholic, school"]
    assert catholic.left_out(TODAY) == ["holidays.categories could also hold school"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"country": "XX"}, "names no country"),
        ({"country": "GB", "subdivision": "London"}, "there are ENG, NIR, SCT, WLS"),
        ({"country": "GB", "categories": ["catholic"]}, "there are public"),
    ],
)
def test_what_is_not_known_is_refused_with_what_is(given: dict[str, Any], why: str) -> None:
    """One look is enough to set it right."""
    with pytest.raises(ValidationError, match=why):
        HolidaySettings.model_validate(given)
