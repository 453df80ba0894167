"""Where the event of an entry is: under its name, or wherever people have put it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from actions.scheduling.caldav.cells import cell_of
from actions.scheduling.caldav.collection import Collection, StoredObject
from actions.scheduling.caldav.content import entry_uid, mentions
from actions.scheduling.remote import Entry

# How long a search may need to know of what was written, in steps: seconds.
LAG_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)


@dataclass(frozen=True)
class FoundEvent:
    """The event of an entry, and in the calendar of which resource it is."""

    resource: str
    stored: StoredObject


class EventSearch:
    """Searches the calendars of all `resources`; `collection_of` opens one of them.

    People drag events to other weeks, cut them out and paste them, hand them to a colleague. Their programs keep the
    uid then, or make another one; what they keep in any case is the text.

    That a search finds nothing is believed at once only where searches were seen to know what had just been written.
    """

    def __init__(
        self,
        resources: Sequence[str],
        collection_of: Callable[[str], Awaitable[Collection]],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._resources = resources
        self._collection_of = collection_of
        self._sleep = sleep
        self._lags: bool | None = None

    def note_lag(self, lags: bool) -> None:
        """Take note of whether a search knew of an event that had just been written; once it did not, it may not."""
        self._lags = lags or self._lags is True

    async def find(self, entry: Entry, names: Sequence[str]) -> FoundEvent | None:
        """Return the entry's event, by one of its `names` if it is there, else wherever it is; None if it is gone."""
        found = await self._find_once(entry, names)
        # People may have given it another name a moment ago. Nobody could have done so to what was never there.
        for pause in LAG_PAUSES if entry.names and self._lags is not False else ():
            if found is not None:
                break
            await self._sleep(pause)
            found = await self._find_once(entry, names)
        return found

    async def _find_once(self, entry: Entry, names: Sequence[str]) -> FoundEvent | None:
        own = entry.slot.resource
        collection = await self._collection_of(own)
        for name in reversed(names):
            stored = await collection.get(name)
            if stored is not None and (stored.uid == entry.uid or is_copy(stored, entry)):
                return FoundEvent(own, stored)
        by_uid = await self.with_uid(own, entry.uid)
        if by_uid is not None:
            return by_uid
        return await self._search(own, "DESCRIPTION", entry.reference, lambda stored: is_copy(stored, entry))

    async def with_uid(self, own: str, uid: str) -> FoundEvent | None:
        """Return the event of this uid, whatever its name; the calendar of the resource `own` comes first."""
        return await self._search(own, "UID", uid, lambda stored: stored.uid == uid)

    async def _search(self, own: str, name: str, text: str, fits: Callable[[StoredObject], bool]) -> FoundEvent | None:
        resources = sorted(self._resources, key=lambda resource: resource != own)
        collections = [await self._collection_of(resource) for resource in resources]
        answers = await asyncio.gather(*(collection.search(name, text) for collection in collections))
        found = [
            FoundEvent(resource, stored)
            for resource, answer in zip(resources, answers, strict=True)
            for stored in answer
            if fits(stored)
        ]
        # Of several copies the one that is not cancelled, and of those always the same.
        found.sort(key=lambda one: (one.stored.status == "CANCELLED", resources.index(one.resource), one.stored.name))
        return found[0] if found else None


def is_copy(stored: StoredObject, entry: Entry) -> bool:
    """Say whether people made an object anew from the entry's event, under another uid.

    Never one whose name only our own writers choose: it may be the same booking at the time that it moved to.
    """
    return cell_of(stored.name) is None and mentions(stored.content, entry)


def is_own(stored: StoredObject, entry: Entry) -> bool:
    """Say whether an object is a part of the entry, or the copy that was seen to be its event."""
    if stored.uid is None:
        return False
    return entry_uid(stored.uid) == entry.uid or (stored.name in names_of(entry) and is_copy(stored, entry))


def names_of(entry: Entry) -> Sequence[str]:
    """Return the names of objects that the ledger knows of an entry."""
    return [unquote(name) for name in entry.names]


def as_known(name: str) -> str:
    """Return an object's name as the ledger keeps it: programs choose any, and it knows no spaces."""
    return quote(name, safe="")
