"""What was measured at one size, and how fast it grows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Of cost over size: 1 is linear, and what a clock says about that varies.
LARGEST_EXPONENT = 1.1
# Resident memory that must not grow over time may grow by this share, and by so many MiB.
_ALLOWED_SHARE, _ALLOWED_MIB = 0.05, 3.0


@dataclass(frozen=True)
class Point:
    """CPU time in milliseconds for one ``unit`` of a dimension at a size, and resident memory in MiB."""

    dimension: str
    unit: str
    server: str
    size: int
    cpu_ms: float
    rss_mib: float
    # After the same load once more, where memory is to stay what it is.
    rss_later_mib: float | None = None


def exponent(points: Sequence[Point]) -> float:
    """Return the slope of the cost over the size, both as logarithms: least squares over all sizes."""
    xs = [math.log(point.size) for point in points]
    ys = [math.log(max(point.cpu_ms, 1e-6)) for point in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread


def last_exponent(points: Sequence[Point]) -> float:
    """Return the slope between the two largest sizes, where what is constant matters least."""
    return exponent(sorted(points, key=lambda point: point.size)[-2:])


def faults(points: Sequence[Point]) -> list[str]:
    """Say of one dimension's points, of one server, what grows too fast."""
    found = []
    slope = exponent(points)
    if slope > LARGEST_EXPONENT:
        found.append(f"{points[0].dimension}: cost grows with the power {slope:.2f} of the size")
    for point in points:
        later = point.rss_later_mib
        if later is not None and later > point.rss_mib * (1 + _ALLOWED_SHARE) + _ALLOWED_MIB:
            found.append(f"{point.dimension} at {point.size}: memory grew from {point.rss_mib:.0f} to {later:.0f} MiB")
    return found
