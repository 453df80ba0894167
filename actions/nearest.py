"""The free times nearest to a wish, without asking about all that are further away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta

from actions.scheduling.models import Slot, Window

Find = Callable[[Window], Awaitable[Sequence[Slot]]]

# What is asked for first, on each side of the wish; then twice as much.
_FIRST_REACH = timedelta(days=1)


async def nearest(find: Find, wish: Window, whole: Window, most: int) -> Sequence[Slot]:
    """Return up to `most` free times within `whole` that are nearest to the wish, in order of time.

    `find` is asked for the days of the wish first, and for those around it until there are enough: a system elsewhere
    may take seconds to tell what is free in months.
    """
    found: list[Slot] = []
    for window in _inside(wish, whole):
        found.extend(await find(window))
        if len(found) >= most:
            break
    else:
        reach = _FIRST_REACH
        asked = _clamped(wish, whole, timedelta())
        while len(found) < most or any(wish.distance(slot.start) > reach / 2 for slot in _best(found, wish, most)):
            wider = _clamped(wish, whole, reach)
            for window in _beyond(wider, asked):
                found.extend(await find(window))
            if wider == whole:
                break
            asked, reach = wider, 2 * reach
    return sorted(_best(found, wish, most), key=lambda slot: slot.start)


def _best(found: Sequence[Slot], wish: Window, most: int) -> Sequence[Slot]:
    return sorted(found, key=lambda slot: (wish.distance(slot.start), slot.start))[:most]


def _inside(wish: Window, whole: Window) -> Iterator[Window]:
    """Return what of the wish is within the whole, in order, a day and then twice as much each time."""
    start, end, step = max(wish.start, whole.start), min(wish.end, whole.end), _FIRST_REACH
    while start < end:
        yield Window(start, min(start + step, end))
        start, step = start + step, 2 * step


def _clamped(wish: Window, whole: Window, reach: timedelta) -> Window | None:
    start, end = max(wish.start - reach, whole.start), min(wish.end + reach, whole.end)
    return Window(start, end) if start < end else None


def _beyond(wider: Window | None, asked: Window | None) -> Iterator[Window]:
    """Return the parts of the wider window that were not asked for."""
    if wider is None:
        return
    if asked is None:
        yield wider
        return
    if wider.start < asked.start:
        yield Window(wider.start, asked.start)
    if asked.end < wider.end:
        yield Window(asked.end, wider.end)
