"""The lines of one series on the page of metrics, made once, with a place for each number.

They are the same in both formats of Prometheus. What a page of 36,000 lines costs is filling in its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

Kind = Literal["counter", "gauge", "histogram", "summary"]

_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
# Go writes an exponent where the part before the point has more digits than this.
_MOST_DIGITS = 6


@dataclass(frozen=True)
class PageFamily:
    """A family on a page: its name without the ``_total`` of a counter, and the text of each of its series."""

    name: str
    kind: Kind
    meaning: str
    series: Iterable[str]


def one_line(name: str, labels: Mapping[str, str]) -> str:
    """Return the line of a counter or a gauge, with a place for its number (``%s``)."""
    written = ",".join(f'{label}="{value.translate(_ESCAPED)}"' for label, value in sorted(labels.items()))
    return (f"{name}{{{written}}}" if written else name).replace("%", "%%") + " %s\n"


def histogram_lines(name: str, labels: Mapping[str, str], bounds: Sequence[float]) -> str:
    """Return the lines of a histogram: a number for each bound, then the count and the sum."""
    buckets = [one_line(f"{name}_bucket", {**labels, "le": number(bound)}) for bound in bounds]
    return "".join([*buckets, one_line(f"{name}_count", labels), one_line(f"{name}_sum", labels)])


def histogram_numbers(counts: Iterable[float], total: float) -> Iterator[str]:
    """Return the numbers of :func:`histogram_lines`; ``counts`` are those of each bucket alone."""
    written, count = [], "0.0"
    for so_far in accumulate(counts):
        count = number(so_far)
        written.append(count)
    return iter([*written, count, number(total)])


def number(value: float) -> str:
    """Write a number as Go does, which Prometheus is written in."""
    if -1e6 < value < 1e6:
        return repr(value)
    from prometheus_client.utils import floatToGoString

    return str(floatToGoString(value))
