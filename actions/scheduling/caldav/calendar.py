"""Appointments in CalDAV calendars, next to what people at the clinic write there themselves.

What is in the calendar. An appointment is one event: type, name and reference as its title, start and end, CLASS
PRIVATE, TRANSP OPAQUE. It is the object of the appointment's last cell. For every other cell of its time there is a
claim: an object that holds a transparent event of one minute, 28 years back, where no calendar program shows it and no
query for a time finds it. (Not a task or a journal entry, which many calendars do not take, and not a cancelled event,
which some programs show struck through.)

Why the guard holds. CalDAV's only atomic test is on a name: `PUT` with `If-None-Match: *` succeeds once. So the names
are made from the start of the cell and nothing else, and whoever wants a part of a time meets all others who want it
at the name of a cell. Cells are claimed in ascending order, so that two writers cannot wait for each other's; the
loser removes what it has. The event comes last, so whoever sees an event sees a whole appointment.

People do not write into cells: their programs choose names of their own. So the event is tentative at first, and its
writer looks: if anybody else's event overlaps, it removes its own and says that the time is taken; if not, the event
becomes a confirmed one. Everybody writes first and looks then (or does not look, as people), so the writer sees every
event that was there before its own. What stays possible is that somebody writes by hand after that look. A writer that
was killed before it looked leaves a tentative event, and whoever settles its booking looks instead.

The look also keeps cells in order that lost their guard: that of another grid, that of a claim that somebody deleted.
A claim whose event is gone (deleted by hand) no longer counts once it is older than any writer can be, and one whose
event was moved elsewhere at once. An event that people moved keeps its name, so a cell has more than one: see `Claims`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta, tzinfo

from actions.errors import (
    AuthFailedError,
    BackendError,
    InvalidRequestError,
    OutcomeUnknownError,
    SlotTakenError,
    UnavailableError,
)
from actions.scheduling.caldav.busy import own_span
from actions.scheduling.caldav.cells import Grid, cell_of
from actions.scheduling.caldav.claims import TRIES, Claims
from actions.scheduling.caldav.collection import Collection, StoredObject
from actions.scheduling.caldav.content import TENTATIVE, confirm_text, entry_uid, parts_of
from actions.scheduling.caldav.expanded import ExpandedObjects
from actions.scheduling.caldav.listed import reference_in, written_as
from actions.scheduling.caldav.search import LAG_PAUSES, EventSearch, as_known, names_of
from actions.scheduling.caldav.settings import CalDavSettings
from actions.scheduling.caldav.spans import Span, Spans
from actions.scheduling.caldav.zones import UNREADABLE
from actions.scheduling.models import AppointmentType, Slot, Window
from actions.scheduling.remote import FREE, TAKEN, Check, Entry, Seen, Written, unchecked
from actions.transport import Transport
from actions.wallclock import utc_now

_log = logging.getLogger(__name__)

# A server may mean whole days and times without a zone in another zone than the clinic; none is further away.
_ANY_ZONE = timedelta(days=1)
# An appointment has not more; a whole day has, and is not looked at cell by cell.
_MOST_CELLS = 24


class CalDavCalendar:
    """A `RemoteCalendar` on a CalDAV server; `zone` is where the clinic's whole days begin.

    The transport's base URL is the server's origin: calendars are called by their whole addresses.
    """

    # Whoever writes waits until a search knows of that, and of all that was there before.
    neighbours = 0

    def __init__(
        self,
        settings: CalDavSettings,
        transport: Transport,
        zone: tzinfo,
        clock: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._grid = Grid(settings.cell_minutes)
        self._zone = zone
        self._expanded = ExpandedObjects(zone)
        self._clock = clock
        self._sleep = sleep
        self._collections = {
            resource: Collection(transport, resource, settings.address(resource)) for resource in settings.calendars
        }
        self._search = EventSearch(tuple(self._collections), self._collection, sleep)
        self._claims = Claims(settings, zone, self._search, self._expanded, clock)
        # With `create`: calendars that are known to be there.
        self._made: set[str] = set()

    async def free(self, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return those of the candidates whose time nobody has. They are of one resource and in order of time."""
        if not candidates:
            return []
        collection = await self._collection(candidates[0].resource)
        end = max(slot.end for slot in candidates)
        cells = [*self._grid.cells_of(candidates[0]), *self._grid.cells(candidates[-1].start, end)]
        within = Span(cells[0], cells[-1] + self._grid.length)
        stored = await collection.query(within.start - _ANY_ZONE, within.end + _ANY_ZONE)
        return await asyncio.to_thread(self._free, candidates, stored, within)

    def _busy(self, resource: str, stored: StoredObject, within: Span) -> Sequence[Span]:
        return self._expanded.busy(stored.content, within, {"resource": resource, "object": stored.name})

    def _free(self, candidates: Sequence[Slot], stored: Sequence[StoredObject], within: Span) -> Sequence[Slot]:
        spans: list[Span] = []
        held: set[datetime] = set()
        for one in stored:
            busy = self._busy(candidates[0].resource, one, within)
            spans += (self._cells_kept(one.name, span) for span in busy)
            cell = cell_of(one.name)
            if cell is not None and self._is_held(candidates[0].resource, one, cell, busy):
                held.add(cell)
        taken = Spans(spans)
        return [
            slot
            for slot in candidates
            if not taken.overlap(Span(slot.start, slot.end)) and held.isdisjoint(self._grid.cells_of(slot))
        ]

    def _is_held(self, resource: str, named: StoredObject, cell: datetime, busy: Sequence[Span]) -> bool:
        at = Span(cell, cell + self._grid.length)
        return any(span.overlaps(at) for span in busy) or not self._claims.has_left(resource, named)

    def _cells_kept(self, name: str, span: Span) -> Span:
        """Return all cells of an event that was written by a host with this grid, though it ends within the last."""
        cells = self._grid.cells(span.start, span.end)
        return Span(cells[0], cells[-1] + self._grid.length) if cell_of(name) == cells[-1] else span

    async def free_for(self, appointment_type: str, candidates: Sequence[Slot]) -> Sequence[Slot]:
        """Return what `free` does: a calendar does not say what its time is for."""
        return await self.free(candidates)

    async def explain(self, appointment_type: str, candidates: Sequence[Slot]) -> Sequence[str]:
        """Return for each candidate whether it is free."""
        free = set(await self.free(candidates))
        return [FREE if slot in free else TAKEN for slot in candidates]

    async def remarks(self, kinds: Sequence[AppointmentType], window: Window) -> Sequence[str]:
        """Return nothing: what a calendar is understood as is all in the week."""
        return []

    async def write(self, entry: Entry, check: Check = unchecked) -> Seen:
        """Write the entry if nobody has its time; raises `SlotTakenError` if somebody has, and leaves nothing then."""
        collection = await self._collection(entry.slot.resource)
        names: list[str] = []
        try:
            for part in parts_of(entry, self._grid):
                names.append(await self._claims.claim(collection, entry, part))
            await check()
            await self._look(collection, entry, names[-1], is_new=True)
        except (SlotTakenError, InvalidRequestError, AuthFailedError, UnavailableError) as exc:
            if names:
                await self._give_back(collection, entry, names, exc)
            raise
        return Seen(entry.slot, tuple(as_known(name) for name in names))

    async def look(self, entry: Entry) -> Seen | None:
        """Return when the entry's event is now, wherever people put it and however they show it; None if it is gone.

        One whose writer was killed before it could look is there only as a whole: see `find`.
        """
        found = await self._search.find(entry, self._names_of(entry))
        if found is None:
            return None
        if found.stored.status == TENTATIVE and not entry.names:
            return Seen(entry.slot, self._known_names(entry)) if await self.find(entry) else None
        names = self._known_names(entry, found.stored.name)
        try:
            span = own_span(found.stored.content, self._zone)
        except UNREADABLE:
            # It is there, whatever some program has made of it.
            return Seen(entry.slot, names)
        if span is None:
            return None
        at = Slot(found.resource, span.start, max(span.end, span.start + self._grid.length / 2))
        if at != entry.slot:
            await self._leave(entry, at)
        return Seen(at, names)

    async def _leave(self, entry: Entry, at: Slot) -> None:
        """Remove the claims of an entry on cells of which its event has nothing any more."""
        collection = await self._collection(entry.slot.resource)
        now = self._grid.cells_of(at) if at.resource == entry.slot.resource else ()
        try:
            for name in self._names_of(entry)[:-1]:
                claim = await self._claims.part(collection, entry, name) if cell_of(name) not in now else None
                if claim is not None:
                    await self._claims.remove_own(collection, entry, claim)
        except (InvalidRequestError, AuthFailedError) as exc:
            # They count no more for whoever wants the time.
            _log.warning("caldav.claim_not_removed", extra={"resource": entry.slot.resource, "problem": str(exc)})

    def _known_names(self, entry: Entry, event: str | None = None) -> tuple[str, ...]:
        *claims, usual = self._names_of(entry)
        return tuple(as_known(name) for name in (*claims, event or usual))

    def _names_of(self, entry: Entry) -> Sequence[str]:
        """Return the names of the entry's objects, the event's at the end; an entry that moved keeps those it had."""
        return names_of(entry) or [part.name for part in parts_of(entry, self._grid)]

    async def find(self, entry: Entry) -> bool:
        """Return whether the whole entry is there, at its time.

        An event whose writer was killed before it could look is looked after here: it is not found if anybody else has
        an event at its time. The caller repeats the write then, which gives way.
        """
        collection = await self._collection(entry.slot.resource)
        *claims, event = parts_of(entry, self._grid)
        own = await self._claims.own(collection, event.name, event.uid)
        if own is None or not self._is_at(own, entry.slot):
            return False
        for part in claims:
            if await self._claims.own(collection, part.name, part.uid) is None:
                return False
        if own.status == TENTATIVE:
            try:
                await self._look(collection, entry, own.name)
            except (SlotTakenError, OutcomeUnknownError):
                return False
        return True

    async def written(self, within: Slot) -> Sequence[Written]:
        """Return the events of this and other hosts at the time, and the claims of those that are being written."""
        collection = await self._collection(within.resource)
        stored_then = await collection.query(within.start - _ANY_ZONE, within.end + _ANY_ZONE)
        found = {one.uid: one for stored in stored_then if (one := written_as(stored, within, self._zone))}
        cells = self._grid.cells_of(within)
        for cell in cells if len(cells) <= _MOST_CELLS else ():
            stored = await self._claims.holder(collection, cell)
            uid = entry_uid(stored.uid) if stored is not None and stored.uid else None
            if stored is not None and uid is not None and uid not in found and not self._claims.is_old(stored):
                found[uid] = Written(uid, within, reference_in(stored), is_whole=False)
        return list(found.values())

    async def remove(self, entry: Entry) -> None:
        """Remove what there is of the entry, also if people moved its event to another time, name or calendar."""
        collection = await self._collection(entry.slot.resource)
        if await self._remove_parts(collection, entry, self._names_of(entry)):
            return
        # Written on another grid: its parts are found by its time.
        for stored in await collection.query(entry.slot.start - _ANY_ZONE, entry.slot.end + _ANY_ZONE):
            await self._claims.remove_own(collection, entry, stored)
        found = await self._search.find(entry, ())
        if found is not None:
            await self._claims.remove_own(await self._collection(found.resource), entry, found.stored)

    async def ping(self) -> None:
        """Return if every calendar is there and can be written, raise what is wrong if not."""
        for resource in self._collections:
            collection = await self._collection(resource)
            await collection.check()
            # What is asked for every appointment; a calendar may answer everything but that.
            now = self._clock()
            await collection.query(now, now + _ANY_ZONE)

    async def _collection(self, resource: str) -> Collection:
        collection = self._collections.get(resource)
        if collection is None:
            raise InvalidRequestError(f"no calendar is configured for the resource {resource}: see caldav.calendars")
        if self._settings.create and resource not in self._made:
            await collection.make()
            self._made.add(resource)
        return collection

    async def _look(self, collection: Collection, entry: Entry, name: str, *, is_new: bool = False) -> None:
        """Make the entry's event a confirmed one; raises `SlotTakenError` if anybody else has an event at its time.

        `name` is its object's. One that is confirmed has won: whoever writes at its time after that does so knowingly.
        Raises `OutcomeUnknownError` if the event is gone: people deleted it, or somebody else looked and gave way.
        """
        slot = entry.slot
        for _ in range(TRIES):
            own, taken = await self._look_once(collection, entry, name, is_new)
            if own is None:
                raise OutcomeUnknownError(f"{collection.words}: an entry was removed while it was written")
            # Some servers drop what they take for the usual: who has just written it has not looked yet all the same.
            if own.status != TENTATIVE and not (is_new and own.status is None and taken):
                return
            if taken:
                raise SlotTakenError(slot)
            if await self._confirm(collection, own):
                return

    async def _look_once(
        self, collection: Collection, entry: Entry, name: str, is_new: bool
    ) -> tuple[StoredObject | None, bool]:
        """Return the entry's own event, and whether somebody else has its time.

        A search that does not know of the event yet may not know of somebody else's either: it is asked again. That
        the event is gone is the word of its own name alone.
        """
        start, end = entry.slot.start - _ANY_ZONE, entry.slot.end + _ANY_ZONE
        for pause in (*LAG_PAUSES, None):
            own, taken = await asyncio.to_thread(self._seen, entry, await collection.query(start, end))
            if own is not None:
                if is_new and pause == LAG_PAUSES[0]:
                    self._search.note_lag(False)
                return own, taken
            stored = await collection.get(name)
            if stored is None or stored.uid != entry.uid:
                return None, taken
            self._search.note_lag(True)
            if taken:
                break
            if pause is None:
                _log.warning("caldav.search_lags", extra={"resource": entry.slot.resource})
            else:
                await self._sleep(pause)
        return stored, taken

    async def _confirm(self, collection: Collection, own: StoredObject) -> bool:
        """Confirm an event that nobody else's overlaps; return False if it has changed since the look."""
        try:
            return await collection.replace(own, confirm_text(own.content))
        except BackendError as exc:
            # It is as good as confirmed; who finds it looks once more.
            _log.warning("caldav.not_confirmed", extra={"problem": str(exc)})
            return True

    def _seen(self, entry: Entry, stored: Sequence[StoredObject]) -> tuple[StoredObject | None, bool]:
        """Return the entry's own event, and whether one of the others keeps a part of its time."""
        within = Span(entry.slot.start, entry.slot.end)
        own = [one for one in stored if one.uid == entry.uid]
        others = [one for one in stored if one.uid != entry.uid]
        return next(iter(own), None), any(self._busy(entry.slot.resource, one, within) for one in others)

    async def _give_back(
        self, collection: Collection, entry: Entry, names: Sequence[str], reason: BackendError
    ) -> None:
        try:
            await self._remove_parts(collection, entry, names)
        except BackendError as exc:
            raise OutcomeUnknownError(f"an entry may have been left behind ({exc}), after: {reason}") from reason

    async def _remove_parts(self, collection: Collection, entry: Entry, names: Sequence[str]) -> bool:
        """Remove the entry's objects of these names, the event first; return whether the event was there."""
        found = False
        event, *claims = reversed(names)
        for name in (event, *claims):
            stored = await self._claims.part(collection, entry, name)
            removed = stored is not None and await self._claims.remove_own(collection, entry, stored)
            found = found or (removed and name == event)
        return found

    def _is_at(self, stored: StoredObject, slot: Slot) -> bool:
        try:
            return own_span(stored.content, self._zone) == Span(slot.start, slot.end)
        except UNREADABLE:
            return False
