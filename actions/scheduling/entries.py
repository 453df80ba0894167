"""How bookings stand in the calendar elsewhere, and what follows for the ledger from what people made of them there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta

from actions.errors import BackendError, InvalidRequestError
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import AppointmentType, Slot
from actions.scheduling.records import Record, State
from actions.scheduling.remote import FREE, TAKEN, AttentiveCalendar, Entry, RemoteCalendar, Seen

_logger = logging.getLogger(__name__)

# How long "not found" is no proof, where the names of what was written are not known: a search may lag behind.
_UNPROVEN = timedelta(minutes=1)


class Entries:
    """The entries of a ledger's records in one calendar."""

    def __init__(self, ledger: Ledger, calendar: RemoteCalendar) -> None:
        self._ledger = ledger
        self._calendar = calendar
        self.attentive = calendar if isinstance(calendar, AttentiveCalendar) else None

    async def look(self, entry: Entry) -> Seen | None:
        """Return how the entry stands in the calendar; None if it is not there."""
        if self.attentive:
            return await self.attentive.look(entry)
        return Seen(entry.slot) if await self._calendar.find(entry) else None

    async def explain(self, kind: AppointmentType, candidates: Sequence[Slot]) -> Sequence[str]:
        """Return for each candidate what it is, here and in the calendar, in a word or two."""
        here = set(await self._ledger.free(candidates))
        if self.attentive:
            words = await self.attentive.explain(kind.name, candidates)
        else:
            free = set(await self._calendar.free(candidates))
            words = [FREE if slot in free else TAKEN for slot in candidates]
        return [word if slot in here else TAKEN for slot, word in zip(candidates, words, strict=True)]

    async def is_overlapped(self, record: Record) -> bool:
        """Say whether people gave the time of a record, or a part of it, to a booking that the ledger has elsewhere.

        A search may not know of that yet; those around it are looked at by their ids.
        """
        number = self.attentive.neighbours if self.attentive else 0
        near = await self._ledger.around(record, number) if number else []
        looked_at = await asyncio.gather(*(self._look_or_believe(one) for one in near))
        moved = [(one, seen) for one, seen in zip(near, looked_at, strict=True) if seen and _overlap(seen, record)]
        for one, seen in moved:
            await self.follow(one, seen)
        for gone in (one for one, seen in zip(near, looked_at, strict=True) if seen is None):
            await self.end(gone)
        return bool(moved)

    async def _look_or_believe(self, record: Record) -> Seen | None:
        try:
            return await self.look(record.entry)
        except BackendError as exc:
            _logger.warning("booking.unchecked", extra={"reference": record.entry.reference, "problem": str(exc)})
            return Seen(record.slot, record.entry.names)

    async def follow(self, record: Record, seen: Seen) -> Record | None:
        """Return the record with what people made of its entry; None if it is no booking any more."""
        if record.is_as(seen):
            return record
        followed = await self._ledger.follow(record, seen)
        if followed is None:
            return await self.current(record)
        if followed.slot.start != record.slot.start:
            _logger.info("booking.moved_elsewhere", extra={"reference": record.entry.reference})
        return followed

    async def follow_unless_begun(self, record: Record, seen: Seen) -> Record | None:
        """Do what `follow` does; raises `InvalidRequestError` if the patient came, or did not."""
        if seen.has_begun:
            raise InvalidRequestError("the appointment has begun or is over in the calendar: it is left as it is")
        return await self.follow(record, seen)

    async def end(self, record: Record) -> Record | None:
        """End a booking that people ended; return it as it is if it is a booking all the same.

        What is left of its entry is ours to clear away: a cancelled event that keeps its name, a Slot that says busy.
        """
        if self._is_unproven(record):
            return record
        end = self._ledger.begin_cancel if self.attentive else self._ledger.cancel
        if await end(record, untold=True):
            _logger.info("booking.deleted_elsewhere", extra={"reference": record.entry.reference})
            return None
        return await self.current(record)

    async def current(self, record: Record) -> Record | None:
        """Return a record as it is now, if it is a booking."""
        current = await self._ledger.reread(record.id)
        return current if current.state is State.CONFIRMED else None

    def _is_unproven(self, record: Record) -> bool:
        """Say whether "not there" is the word of a search that may not know it yet."""
        if self.attentive is None or record.entry.names or record.confirmed_at is None:
            return False
        return self._ledger.clock() - record.confirmed_at < _UNPROVEN


def _overlap(seen: Seen, record: Record) -> bool:
    one, other = seen.slot, record.slot
    return one.resource == other.resource and one.start < other.end and other.start < one.end
