"""Stretches of time, and whether they overlap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of time (UTC) from `start` to before `end`; one that takes no time overlaps with nothing."""

    start: datetime
    end: datetime

    def overlaps(self, other: Span) -> bool:
        """Say whether the two share any time."""
        return max(self.start, other.start) < min(self.end, other.end)


class Spans:
    """Many spans, for questions about overlaps."""

    def __init__(self, spans: Iterable[Span]) -> None:
        merged: list[Span] = []
        for span in sorted(span for span in spans if span.start < span.end):
            if merged and span.start <= merged[-1].end:
                merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
            else:
                merged.append(span)
        self._merged = merged
        self._starts = [span.start for span in merged]

    def overlap(self, span: Span) -> bool:
        """Say whether any of them shares time with `span`."""
        # They share no time with each other, so the last one that starts in time also ends last.
        index = bisect_left(self._starts, span.end) - 1
        return index >= 0 and self._merged[index].overlaps(span)
