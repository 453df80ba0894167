"""What this process has written or read by id a moment ago: a server's searches may not know it yet."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from actions.scheduling.fhir.resources import Resource, name_of, updated

_MOST = 2000
# Longer than any search lags behind that could be worked with.
_SECONDS = 120.0


class Recent:
    """The newest versions that are known for certain; what is older than two minutes is forgotten."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, Resource]] = OrderedDict()

    def note(self, resource: Resource) -> None:
        """Remember a resource as a write or a read by id has returned it."""
        name = name_of(resource)
        self._known.pop(name, None)
        self._known[name] = (self._monotonic(), resource)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def forget(self, kind: str, name: str) -> None:
        """Forget a resource that is gone."""
        self._known.pop(f"{kind}/{name}", None)

    def of_kind(self, kind: str) -> list[Resource]:
        """Return what is known of a type."""
        now = self._monotonic()
        return [
            one for noted, one in self._known.values() if one.get("resourceType") == kind and now - noted <= _SECONDS
        ]

    def newest(self, found: Resource) -> Resource:
        """Return what is newer: what a search has found, or what is known; by the server's own time alone."""
        noted, known = self._known.get(name_of(found), (0.0, None))
        if known is None or self._monotonic() - noted > _SECONDS:
            return found
        theirs, ours = updated(found), updated(known)
        return known if theirs is not None and ours is not None and theirs < ours else found
