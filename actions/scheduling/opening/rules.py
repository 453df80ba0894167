"""One rule of opening hours."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

from actions.scheduling.opening.days import Selector
from actions.wallclock import MINUTES_PER_DAY

_ALL_DAY = ((0, MINUTES_PER_DAY),)


class State(IntEnum):
    """What holds at a time. Hours that are "unknown", as by appointment, are nothing to book on."""

    CLOSED = 0
    OPEN = 1
    UNKNOWN = 2


@dataclass(frozen=True)
class Rule:
    """What holds on some days at some times, in minutes since midnight; more than 1440 is on the day after."""

    days: tuple[Selector, ...]
    times: tuple[tuple[int, int], ...]
    state: State
    additional: bool = False
    fallback: bool = False

    @property
    def overrides(self) -> bool:
        """Whether it takes its days from the rules before it."""
        return bool(self.days) and self.state is not State.CLOSED and not (self.additional or self.fallback)

    @property
    def today(self) -> Sequence[tuple[int, int]]:
        """Its times on its days."""
        return [(start, min(end, MINUTES_PER_DAY)) for start, end in self.times] or _ALL_DAY

    @property
    def tomorrow(self) -> Sequence[tuple[int, int]]:
        """Its times on the day after each of its days."""
        return [(0, end - MINUTES_PER_DAY) for _, end in self.times if end > MINUTES_PER_DAY]

    def holds_on(self, day: date, holidays: Container[date]) -> bool:
        """Say whether the day is one of its days."""
        return all(selector(day, holidays) for selector in self.days)
