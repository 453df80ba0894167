"""What rules say about one day after the other."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from datetime import date, timedelta

from actions.scheduling.opening.days import Weekdays
from actions.scheduling.opening.rules import Rule, State
from actions.scheduling.opening.syntax import read_rules
from actions.wallclock import MINUTES_PER_DAY

_DAY = timedelta(days=1)


class OpeningHours:
    """Opening hours, evaluated day by day; raises `ValueError`, whose text says why, if they are not certain.

    A rule with days takes them from the rules before it, with all of their times, unless it is an `off` (which closes
    its own times only), follows after a comma (which adds to them) or after `||` (which holds where nothing else does).
    """

    def __init__(self, text: str) -> None:
        self._rules = read_rules(text)

    @property
    def speaks_of_holidays(self) -> bool:
        """Whether a rule says what holds on public holidays (PH)."""
        selectors = (selector for rule in self._rules for selector in rule.days)
        return any(isinstance(selector, Weekdays) and selector.holidays for selector in selectors)

    def open_on(self, day: date, holidays: Container[date]) -> Sequence[tuple[int, int]]:
        """Return when it is open on that day, in minutes since midnight, in order; 1440 is the midnight that ends it.

        `holidays` are the public ones.
        """
        minutes = bytearray(MINUTES_PER_DAY)
        for rule, spans in self._that_hold(day, holidays):
            for start, end in spans:
                if rule.fallback:
                    part = minutes[start:end]
                    minutes[start:end] = part.replace(bytes([State.CLOSED]), bytes([rule.state]))
                else:
                    minutes[start:end] = bytes([rule.state]) * (end - start)
        return list(_runs(minutes))

    def _that_hold(self, day: date, holidays: Container[date]) -> Sequence[tuple[Rule, Sequence[tuple[int, int]]]]:
        """Return the rules that say something about the day, each with its times then."""
        found: list[tuple[Rule, Sequence[tuple[int, int]]]] = []
        for rule in self._rules:
            if rule.holds_on(day, holidays):
                if rule.overrides:
                    found.clear()
                found.append((rule, rule.today))
            if rule.tomorrow and rule.holds_on(day - _DAY, holidays):
                found.append((rule, rule.tomorrow))
        return found


def _runs(minutes: bytearray) -> Iterator[tuple[int, int]]:
    """Return from where to where it is open."""
    only_open = minutes.replace(bytes([State.UNKNOWN]), bytes([State.CLOSED]))
    start = only_open.find(State.OPEN)
    while start >= 0:
        end = only_open.find(State.CLOSED, start)
        end = MINUTES_PER_DAY if end < 0 else end
        yield start, end
        start = only_open.find(State.OPEN, end)
