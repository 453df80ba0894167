"""A search that has more than one page, read so that nothing is left out that was there all the time.

Pages are counted off by many servers as they are asked for: if a resource of an earlier page is deleted meanwhile, the
first one of the next page moves up into that, and is on neither. So where a server sorts, nobody turns pages: what
starts at the last start of a page, or later, is asked for anew. Where it does not, pages are read until they have the
same resources as before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from actions.scheduling.fhir.resources import Resource, instant, text

Parameter = tuple[str, str]

# What says that a page may not have all that there is: R4's transient problems, which pass, and what costs too much.
# https://hl7.org/fhir/R4/codesystem-issue-type.html
_IN_PART = frozenset(
    {"transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled", "too-costly"}
)


class Reading:
    """What was read of a search so far, and what to ask for next; `by` is the parameter of the start if it is sorted.

    Of a resource that comes twice the last one counts: it was changed in between.
    """

    def __init__(self, parameters: Sequence[Parameter], by: str | None) -> None:
        self._parameters = parameters
        self._by = by
        self._after: datetime | None = None
        self._found: dict[str, Resource] = {}
        # The links that were followed.
        self.turned: set[str] = set()

    @property
    def found(self) -> list[Resource]:
        """All that was found."""
        return list(self._found.values())

    @property
    def names(self) -> set[str]:
        """The ids of all that was found."""
        return set(self._found)

    @property
    def was_turned(self) -> bool:
        """Whether a page was read of which the server counted off where it begins."""
        return bool(self.turned)

    @property
    def query(self) -> list[Parameter]:
        """What to ask for first, or next after `take` has said so."""
        if self._by is None:
            return [*self._parameters]
        rest, since = [*self._parameters], self._after
        if since is not None:
            rest = [one for one in rest if one[0] != self._by or not one[1].startswith("ge")]
            rest.append((self._by, f"ge{text(since)}"))
        return [*rest, ("_sort", self._by)]

    def take(self, page: Sequence[Resource]) -> bool:
        """Add a page; return whether `query` asks for what follows it, else its own link has to be followed."""
        before = len(self._found)
        for one in page:
            self._found[str(one.get("id", f"{len(self._found)} without an id"))] = one
        starts = starts_of(page) if self._by else None
        # Nothing new: all of the page starts at the same time, or the server does not know the parameter.
        if not starts or not is_rising(starts) or len(self._found) == before:
            return False
        if self._after is not None and starts[-1].replace(microsecond=0) <= self._after:
            return False
        self._after = starts[-1].replace(microsecond=0)
        return True


def starts_of(page: Sequence[Resource]) -> list[datetime] | None:
    """Return when the resources of a page start; None if one of them does not say."""
    starts = [instant(one.get("start")) for one in page]
    known = [start for start in starts if start is not None]
    return known if len(known) == len(starts) else None


def is_rising(starts: Sequence[datetime]) -> bool:
    """Say whether none is before the one in front of it."""
    return all(one <= other for one, other in pairwise(starts))


def is_sorted_as_asked(first: Sequence[Resource], last: Sequence[Resource]) -> bool:
    """Say whether a server sorts, which was asked for the first ones first, and then for the last ones."""
    up, down = starts_of(first) or [], starts_of(last) or []
    return bool(up) and is_rising(up) and is_rising(down[::-1]) and up[:1] < down[:1]


def said_to_be_in_part(bundle: Mapping[str, Any]) -> str | None:
    """Return why a page says that it may not have all that there is, in a code; None if it does not say so."""
    for entry in bundle.get("entry") or ():
        outcome = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(outcome, dict) and outcome.get("resourceType") == "OperationOutcome":
            codes = [code for code in _codes(outcome.get("issue")) if code in _IN_PART]
            if codes:
                return codes[0]
    return None


def _codes(issues: object) -> Collection[str]:
    listed = issues if isinstance(issues, list) else []
    told = [one for one in listed if isinstance(one, dict) and one.get("severity") != "information"]
    return [code for one in told if isinstance(code := one.get("code"), str)]
