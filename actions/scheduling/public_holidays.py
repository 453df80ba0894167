"""Whose public holidays close the clinic, and what a choice of them leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import holidays
from pydantic import BaseModel, ConfigDict, model_validator

_PUBLIC = "public"


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
        """Return what may be missing, one sentence each: subdivisions with holidays of their own, other categories."""
        found = []
        calendar = self.calendar()
        if self.subdivision is None and (own := self._with_more(calendar, today)):
            whole = f"only holidays of the whole of {self.country} are known: set holidays.subdivision"
            found.append(f"{whole} to one of {', '.join(own)}")
        other = sorted(set(calendar.supported_categories) - {_PUBLIC, *self.categories})
        if other:
            found.append(f"holidays.categories could also hold {', '.join(other)}")
        return found

    def _with_more(self, calendar: holidays.HolidayBase, today: date) -> Sequence[str]:
        """Return the subdivisions that have holidays, this year or next, which the country as a whole has not."""
        years = (today.year, today.year + 1)
        country = set(self._calendar(None, years))
        return [name for name in calendar.subdivisions if not set(self._calendar(name, years)) <= country]
