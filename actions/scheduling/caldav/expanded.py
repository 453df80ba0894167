"""What was found out about calendar objects, month by month: every question brings the same series again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from threading import Lock

from actions.scheduling.caldav.busy import busy
from actions.scheduling.caldav.spans import Span

_Key = tuple[bytes, int, int]


class ExpandedObjects:
    """Expands objects, each once for each month, and remembers the last `most` of that; threads may share it.

    Nothing of an object's text is kept: it is known again by its digest, and an object that was changed has another.
    """

    def __init__(self, zone: tzinfo, most: int = 8192) -> None:
        self._zone = zone
        self._most = most
        self._known: OrderedDict[_Key, Sequence[Span]] = OrderedDict()
        self._lock = Lock()

    def busy(self, content: str, within: Span, place: Mapping[str, str]) -> Sequence[Span]:
        """Return when the object keeps somebody busy, as far as it overlaps with `within`; each time once."""
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
        found: set[Span] = set()
        for month in _months(within):
            key = (digest, month.start.year, month.start.month)
            spans = self._recall(key)
            if spans is None:
                spans = busy(content, self._zone, month, place)
                self._remember(key, spans)
            found.update(span for span in spans if span.overlaps(within))
        return sorted(found)

    def _recall(self, key: _Key) -> Sequence[Span] | None:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _remember(self, key: _Key, spans: Sequence[Span]) -> None:
        with self._lock:
            self._known[key] = spans
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def _months(within: Span) -> Iterator[Span]:
    """Return the months (UTC) that a span has a part of."""
    start = datetime(within.start.year, within.start.month, 1, tzinfo=timezone.utc)
    while start < within.end:
        end = (start + timedelta(days=31)).replace(day=1)
        yield Span(start, end)
        start = end
