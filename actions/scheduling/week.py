"""The coming week as a backend understands it, in lines for a person who knows what it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from actions.scheduling.hours import ClinicHours
from actions.scheduling.models import AppointmentType, Slot, Window
from actions.scheduling.remote import CLOSED, FREE, TAKEN
from actions.wallclock import day_start, on_the_wall

Explain = Callable[[AppointmentType, Sequence[Slot]], Awaitable[Sequence[str]]]

_DAYS = 7
_ORDER = (FREE, TAKEN, CLOSED)


def coming_week(now: datetime, zone: ZoneInfo) -> Window:
    """Return from now to the end of the seventh day, on the clinic's clock."""
    return Window(now, day_start(on_the_wall(now, zone).date() + timedelta(days=_DAYS), zone))


async def week_lines(
    kinds: Sequence[AppointmentType], hours: ClinicHours, week: Window, explain: Explain
) -> Sequence[str]:
    """Return for each appointment type a line, and one for each day: how many times are free, taken, closed, left out.

    `explain` says that of each time in a word or two. A day without times in the opening hours is closed.
    """
    lines: list[str] = []
    first = on_the_wall(week.start, hours.zone).date()
    for kind in kinds:
        candidates = hours.slots(kind, week)
        words = await explain(kind, candidates) if candidates else []
        counts: dict[date, Counter[str]] = {first + timedelta(days=n): Counter() for n in range(_DAYS)}
        for slot, word in zip(candidates, words, strict=True):
            counts[on_the_wall(slot.start, hours.zone).date()][word] += 1
        minutes = int(kind.duration.total_seconds() // 60)
        lines.append(f"{kind.name} ({minutes} min, {kind.resource})")
        lines += [f"  {day:%a %d %b}: {_said(counted)}" for day, counted in counts.items()]
    return lines


def _said(counted: Counter[str]) -> str:
    if not counted:
        return "outside of the opening hours"
    known = [(word, counted[word]) for word in _ORDER if counted[word]]
    others = sorted((word, number) for word, number in counted.items() if word not in _ORDER)
    return ", ".join(f"{number} {word}" for word, number in [*known, *others])
