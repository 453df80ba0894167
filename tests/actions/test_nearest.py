"""The free times nearest to a wish are found without asking about all that are further away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from actions.nearest import nearest
from actions.scheduling.models import Slot, Window
from tests.actions.clinic import NOW

HALF_HOUR = timedelta(minutes=30)
WHOLE = Window(NOW, NOW + timedelta(days=60))


def slot(hours: float) -> Slot:
    start = NOW + timedelta(hours=hours)
    return Slot("practice", start, start + HALF_HOUR)


@dataclass
class Free:
    """The free times, and for which windows somebody has asked."""

    slots: Sequence[Slot]
    asked: list[Window] = field(default_factory=list)

    async def find(self, window: Window) -> Sequence[Slot]:
        self.asked.append(window)
        return [one for one in self.slots if one.start in window]

    @property
    def days(self) -> float:
        return sum((window.end - window.start) / timedelta(days=1) for window in self.asked)


def by_looking_at_all(free: Sequence[Slot], wish: Window, most: int) -> list[Slot]:
    """Return what is nearest, the simple way."""
    within = [one for one in free if one.start in WHOLE]
    best = sorted(within, key=lambda one: (wish.distance(one.start), one.start))[:most]
    return sorted(best, key=lambda one: one.start)


async def test_a_day_with_enough_free_times_is_all_that_is_asked_for() -> None:
    """Two months are free, and three times are wanted."""
    free = Free([slot(n / 2) for n in range(2000)])

    assert await nearest(free.find, Window.at(NOW), WHOLE, 3) == [slot(0), slot(0.5), slot(1)]
    assert free.days <= 2


async def test_where_little_is_free_more_is_asked_for_and_nothing_twice() -> None:
    """The only free time is in five weeks."""
    free = Free([slot(24 * 35)])

    assert await nearest(free.find, Window.at(NOW), WHOLE, 3) == [slot(24 * 35)]
    assert free.days <= 60


@given(
    hours=st.lists(st.integers(-48, 24 * 70), max_size=30),
    wish=st.tuples(st.integers(-72, 24 * 75), st.integers(1, 24 * 20)),
    most=st.integers(1, 4),
)
async def test_nothing_nearer_is_missed(hours: list[int], wish: tuple[int, int], most: int) -> None:
    """Whatever is free, and whatever the wish is: in the past, beyond the horizon, or weeks long."""
    free = Free([slot(n) for n in sorted(set(hours))])
    window = Window(NOW + timedelta(hours=wish[0]), NOW + timedelta(hours=sum(wish)))

    assert await nearest(free.find, window, WHOLE, most) == by_looking_at_all(free.slots, window, most)
    assert free.days <= 60.001
