"""Durations as logs and reports show them."""

from __future__ import annotations

import time


def milliseconds(seconds: float) -> float:
    """Return a duration in milliseconds, to a tenth."""
    return round(seconds * 1000, 1)


def milliseconds_since(start: float) -> float:
    """Return the milliseconds since ``start``, a reading of :func:`time.perf_counter`, to a tenth."""
    return milliseconds(time.perf_counter() - start)


def length(seconds: float) -> str:
    """Return a length of time in the unit that fits."""
    size, sign = abs(seconds), "-" if seconds <= -1 else ""
    for most, unit, name in ((60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h")):
        if size < most:
            return f"{sign}{size / unit:.0f} {name}"
    return f"{sign}{size / 86_400:.0f} d"
