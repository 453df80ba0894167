"""What a process counts of its calls between two moments in which it is written down: a few additions for each call."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, cast

from action_server.telemetry.metric_families import FAMILIES_BY_NAME, Families, Series


class Times:
    """How long something took, by the buckets of a histogram."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        # The last one is for what is longer than any bound.
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def fold_into(self, series: Series) -> None:
        """Add all of it to a histogram of prometheus_client, whose own method takes one value at a time."""
        histogram = cast("Any", series)
        for bucket, count in zip(histogram._buckets, self._counts, strict=True):
            if count:
                bucket.inc(count)
        if self._sum:
            histogram._sum.inc(self._sum)


class CallTally:
    """The calls of one action since the last fold. ``in_flight`` is how many more there are of them."""

    __slots__ = ("finished", "in_flight", "running", "waiting")

    def __init__(self) -> None:
        self.in_flight = 0
        # By outcome and transport.
        self.finished: dict[tuple[str, str], int] = {}
        self.waiting = Times(FAMILIES_BY_NAME["waiting"].buckets)
        self.running = Times(FAMILIES_BY_NAME["running"].buckets)


class CallSeries:
    """The series of one action, looked up once."""

    __slots__ = ("_calls", "_finished", "_in_flight", "_running", "_waiting", "name")

    def __init__(self, families: Families, name: str) -> None:
        self.name = name
        self._in_flight = families.in_flight.labels(name)
        self._waiting = families.waiting.labels(name)
        self._running = families.running.labels(name)
        self._calls = families.calls
        self._finished: dict[tuple[str, str], Series] = {}

    def add(self, tally: CallTally) -> None:
        """Add what was counted."""
        if tally.in_flight:
            self._in_flight.inc(tally.in_flight)
        for key, calls in tally.finished.items():
            series = self._finished.get(key)
            if series is None:
                series = self._finished[key] = self._calls.labels(self.name, *key)
            series.inc(calls)
        tally.waiting.fold_into(self._waiting)
        tally.running.fold_into(self._running)
