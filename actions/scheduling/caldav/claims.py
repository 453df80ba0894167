"""Claims on cells: each is an object under a name of its cell, created on the condition that there is none."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, tzinfo
from typing import TypeVar

from actions.errors import (
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    SlotTakenError,
    UnavailableError,
)
from actions.scheduling.caldav.busy import own_span, stamp_of
from actions.scheduling.caldav.cells import Grid, cell_of, name_of, names_of_cell
from actions.scheduling.caldav.collection import Collection, Created, StoredObject
from actions.scheduling.caldav.content import Part, cells_to_go, content, entry_uid, leave_out_text
from actions.scheduling.caldav.expanded import ExpandedObjects
from actions.scheduling.caldav.search import EventSearch, is_own
from actions.scheduling.caldav.series import changes_what_follows, is_series, own_time
from actions.scheduling.caldav.settings import CalDavSettings
from actions.scheduling.caldav.spans import Span
from actions.scheduling.caldav.zones import UNREADABLE, events_in
from actions.scheduling.remote import Entry

_log = logging.getLogger(__name__)

T = TypeVar("T")

# How often one object is tried while others write and remove it at the same time.
TRIES = 4
# Longer than any writer takes, its retries and a sweeper's work after its death included.
_ABANDONED = timedelta(minutes=15)
# An event that people gave no length takes this much.
_LEAST = timedelta(minutes=1)


class Claims:
    """Claims cells for entries, finds what an entry has, and removes it."""

    def __init__(
        self,
        settings: CalDavSettings,
        zone: tzinfo,
        search: EventSearch,
        expanded: ExpandedObjects,
        clock: Callable[[], datetime],
    ) -> None:
        self._with_name = settings.patient_name
        self._grid = Grid(settings.cell_minutes)
        self._zone = zone
        self._search = search
        self._expanded = expanded
        self._clock = clock

    async def claim(self, collection: Collection, entry: Entry, part: Part) -> str:
        """Write one object under the first name of its cell that nobody has, and return that name.

        An object of which the time is another one now keeps its name and leaves the cell. Raises `SlotTakenError` if
        somebody has the cell. Two writers who see different names free (an object went away between their looks) both
        get one; each of them looks for the other one's event then.
        """
        text = content(entry, part, self._clock(), self._with_name)
        for name in names_of_cell(part.cell):
            taken_as = await self._take(collection, entry, part, name, text)
            if taken_as is not None:
                return taken_as
        raise SlotTakenError(entry.slot)

    async def own(self, collection: Collection, name: str, uid: str) -> StoredObject | None:
        """Return the object of this uid that has the name, or another one of the same cell."""
        return await self._first(collection, name, lambda stored: stored.uid == uid)

    async def part(self, collection: Collection, entry: Entry, name: str) -> StoredObject | None:
        """Return the part of the entry that has the name, or another one of the same cell."""
        return await self._first(collection, name, lambda stored: is_own(stored, entry))

    async def holder(self, collection: Collection, cell: datetime) -> StoredObject | None:
        """Return the object that keeps a cell from others; None if nobody has it."""
        for name in names_of_cell(cell):
            stored = await collection.get(name)
            if stored is None or not await self._leaves(collection, stored):
                return stored
        return None

    def has_left(self, resource: str, stored: StoredObject) -> bool:
        """Say whether an event takes nothing of the cell that its name stands for: people moved or cancelled it."""
        cell = cell_of(stored.name)
        if cell is None or cells_to_go(stored.uid or "") is not None:
            return False
        return not self._has_part_of(resource, stored, cell)

    def is_old(self, holder: StoredObject) -> bool:
        """Say whether an object is older than any writer can be that has not come to its end."""
        try:
            return self._clock() - stamp_of(events_in(holder.content)[0]) > _ABANDONED
        except UNREADABLE:
            return False

    async def remove_own(self, collection: Collection, entry: Entry, stored: StoredObject) -> bool:
        """Remove an object if it is the entry's; people may change it while it is removed."""
        own: StoredObject | None = stored
        for _ in range(TRIES):
            if own is None or not is_own(own, entry):
                return False
            if await self._remove(collection, own):
                return True
            own = await collection.get(stored.name)
        raise UnavailableError(f"{collection.words}: an entry changes all the time and was not removed")

    async def _remove(self, collection: Collection, own: StoredObject) -> bool:
        """Delete an object, or the first time of a series that people made of it; return False if it has changed."""
        first = changed = None
        try:
            events = events_in(own.content)
            rest = is_series(events)
            if rest:
                first = own_time(events, self._zone)
                changed = next((number for number, event in enumerate(events) if event is first), None)
        except UNREADABLE:
            return await collection.delete(own)
        if not rest:
            return await collection.delete(own)
        is_changed = first is not None and "RECURRENCE-ID" in first and not changes_what_follows(first)
        text = leave_out_text(own.content, changed if is_changed else None)
        return first is None or await collection.replace(own, text)

    async def _take(self, collection: Collection, entry: Entry, part: Part, name: str, text: bytes) -> str | None:
        """Return the name under which the entry has the part; None if whoever has this one has left the cell."""
        created = Created.NAME_TAKEN
        for _ in range(TRIES):
            created = await collection.create(name, text)
            if created is Created.DONE:
                return name
            holder = await self._certainly(collection, collection.get(name))
            if holder is None:
                # Given back in between; or there is another reason, which is the same next time.
                continue
            if holder.uid == part.uid:
                return name
            if await self._certainly(collection, self._is_abandoned(collection, holder)):
                _log.info("caldav.claim_abandoned", extra={"resource": entry.slot.resource})
                await collection.delete(holder)
            elif self.has_left(collection.resource, holder):
                return None
            else:
                raise SlotTakenError(entry.slot)
        if created is Created.UID_ELSEWHERE:
            own = await self._certainly(collection, self.own(collection, name, part.uid))
            if own is not None:
                return own.name
            raise InvalidRequestError(f"{collection.words} has an entry of this uid under another name")
        if await collection.is_missing():
            raise InvalidRequestError(f"{collection.words} does not exist")
        raise SlotTakenError(entry.slot)

    async def _first(
        self, collection: Collection, name: str, fits: Callable[[StoredObject], bool]
    ) -> StoredObject | None:
        cell = cell_of(name)
        for one in dict.fromkeys((name, *(names_of_cell(cell) if cell else ()))):
            stored = await collection.get(one)
            if stored is not None and fits(stored):
                return stored
        return None

    async def _certainly(self, collection: Collection, question: Awaitable[T]) -> T:
        try:
            return await question
        except BackendError as exc:
            # It may be ourselves: the answer to a first try may have been lost.
            raise OutcomeUnknownError(f"{collection.words}: whose a claim is cannot be asked: {exc}") from exc

    async def _leaves(self, collection: Collection, holder: StoredObject) -> bool:
        """Say whether whoever has a name of a cell has nothing of the cell any more."""
        if cells_to_go(holder.uid or "") is None:
            return self.has_left(collection.resource, holder)
        return await self._is_abandoned(collection, holder)

    async def _is_abandoned(self, collection: Collection, holder: StoredObject) -> bool:
        """Say whether a claim is of no use: people moved its event elsewhere, or deleted it, and the claim is old."""
        uid, cell = holder.uid or "", cell_of(holder.name)
        to_go = cells_to_go(uid)
        if cell is None or to_go is None:
            return False
        event = await self.own(collection, name_of(cell + to_go * self._grid.length), entry_uid(uid))
        if event is not None:
            return not self._has_part_of(collection.resource, event, cell)
        found = await self._search.with_uid(collection.resource, entry_uid(uid))
        if found is None:
            return self.is_old(holder)
        return found.resource != collection.resource or not self._has_part_of(found.resource, found.stored, cell)

    def _has_part_of(self, resource: str, stored: StoredObject, cell: datetime) -> bool:
        """Say whether an event is at a time that has a part of the cell, however people show it."""
        within = Span(cell, cell + self._grid.length)
        try:
            span = own_span(stored.content, self._zone)
        except UNREADABLE:
            return True
        if span is not None and Span(span.start, max(span.end, span.start + _LEAST)).overlaps(within):
            return True
        # People may have made a series of it.
        return bool(self._expanded.busy(stored.content, within, {"resource": resource, "object": stored.name}))
