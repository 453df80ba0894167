"""Whose public holidays close the clinic, and what a choice of them leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import holidays
from pydantic import BaseModel, ConfigDict, model_validator

_PUBLIC = "public"
# Italy has a patron's day in each of its hundred provinces.
_MOST_NAMED = 60


class HolidaySettings(BaseModel):
    """Whose public holidays close the clinic.

    Attributes:
        country: by ISO 3166: DE, GB, CH.
        subdivision: a state, canton or part of the country (BY, ENG, ZH): many holidays are holidays of one only.
        categories: further kinds of holidays besides the public ones, such as catholic in DE (15 August in BY) or
            bank in some countries.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    country: str
    subdivision: str | None = None
    categories: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_known(self) -> HolidaySettings:
        try:
            country = holidays.country_holidays(self.country)
        except NotImplementedError:
            raise ValueError("names no country whose holidays are known") from None
        try:
            holidays.country_holidays(self.country, subdiv=self.subdivision)
        except NotImplementedError:
            known = ", ".join(country.subdivisions) or "none"
            raise ValueError(f"names no subdivision that is known of the country; there are {known}") from None
        if not set(self.categories) <= set(country.supported_categories):
            known = ", ".join(sorted(country.supported_categories))
            raise ValueError(f"names no category that is known of the country; there are {known}")
        return self

    def calendar(self) -> holidays.HolidayBase:
        """Return the holidays; years are worked out when they are asked for."""
        return self._calendar(self.subdivision)

    def _calendar(self, subdivision: str | None, years: Sequence[int] = ()) -> holidays.HolidayBase:
        country = holidays.country_holidays(self.country)
        wanted = {*self.categories, *({_PUBLIC} & set(country.supported_categories))}
        categories = tuple(sorted(wanted)) or None
        return holidays.country_holidays(self.country, subdiv=subdivision, years=years, categories=categories)

    def left_out(self, today: date) -> Sequence[str]:
        """Return what may be missing, one sentence each.

        That is years of which nothing is known, subdivisions with holidays of their own, and other categories.
        """
        calendar = self.calendar()
        unknown = [year for year in _years(today) if not self._calendar(self.subdivision, [year])]
        found = [f"no holidays of {self.country} are known for {year}" for year in unknown]
        if self.subdivision is None and (own := self._with_more(calendar, today)):
            whole = f"only holidays of the whole of {self.country} are known: set holidays.subdivision"
            more = f" and {len(own) - _MOST_NAMED} more" if len(own) > _MOST_NAMED else ""
            found.append(f"{whole} to one of {', '.join(own[:_MOST_NAMED])}{more}")
        other = sorted(set(calendar.supported_categories) - {_PUBLIC, *self.categories})
        if other:
            found.append(f"holidays.categories could also hold {', '.join(other)}")
        return found

    def _with_more(self, calendar: holidays.HolidayBase, today: date) -> Sequence[str]:
        """Return the subdivisions that have holidays, this year or next, which the country as a whole has not."""
        country = set(self._calendar(None, _years(today)))
        return [name for name in calendar.subdivisions if not set(self._calendar(name, _years(today))) <= country]


def _years(today: date) -> Sequence[int]:
    """Return this year and the next one, into which the coming appointments reach."""
    return today.year, today.year + 1
