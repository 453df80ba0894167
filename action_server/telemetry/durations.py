"""Durations as logs and reports show them."""

from __future__ import annotations

import time


def milliseconds(seconds: float) -> float:
    """Return a duration in milliseconds, to a tenth."""
    return round(seconds * 1000, 1)


def milliseconds_since(start: float) -> float:
    """Return the milliseconds since ``start``, a reading of :func:`time.perf_counter`, to a tenth."""
    return milliseconds(time.perf_counter() - start)
