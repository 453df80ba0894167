"""What people changed in the table of bookings by statements of their own: they know nothing of claims, which tell it.

A booking whose claims are those of another time was moved; a cancelled one that has any was cancelled by them. Whoever
comes across it follows: claims fit again, and the change is told.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from actions.scheduling import records
from actions.scheduling.models import Change, Slot
from actions.scheduling.records import Record, State
from actions.tables import bookings, claims

_logger = logging.getLogger(__name__)

# Tells of a change within the transaction.
Tell = Callable[[AsyncConnection, Record, Change], Awaitable[None]]
_Claim = tuple[str, datetime]


class TableEdits:
    """Finds and follows such changes, each within the transaction of its caller."""

    def __init__(self, tell: Tell, clock: Callable[[], datetime]) -> None:
        self._tell = tell
        self._clock = clock

    async def is_as_claimed(self, connection: AsyncConnection, record: Record) -> bool:
        """Say whether a booking has the claims that it needs, and no others."""
        own, needed = await _claims_of(connection, record)
        return own == needed

    async def follow(self, connection: AsyncConnection, record: Record) -> Record:
        """Return a live booking with claims that fit its time, as far as nobody else has them."""
        own, needed = await _claims_of(connection, record)
        if own == needed or not (own - needed or await records.has_free_cells(connection, record.slot)):
            return record
        first = min(cell for _, cell in own) if own - needed else None
        was_moved = first is not None and first != min(cell for _, cell in needed)
        values = {"moved_from": first} if was_moved else {}
        followed = await records.move(connection, record, record.slot, self._clock(), **values)
        if followed is None:
            return record
        if was_moved:
            _logger.info("booking.moved_elsewhere", extra={"reference": record.entry.reference})
            await self._tell(connection, followed, Change.RESCHEDULED)
        return followed

    async def follow_claims(self, connection: AsyncConnection, slot: Slot) -> None:
        """Clear away the claims on a time that bookings do not need any more."""
        within = (claims.c.resource == slot.resource) & claims.c.cell.in_(list(records.cells_of(slot)))
        rows = await connection.execute(select(claims.c.booking_id, claims.c.cell).where(within))
        cells: dict[int, set[datetime]] = {}
        for name, cell in rows:
            cells.setdefault(name, set()).add(cell)
        found = {one.id: one for one in await records.find(connection, bookings.c.id.in_(list(cells)))}
        for name, held in cells.items():
            record = found.get(name)
            if record is None:
                await records.forget_claims(connection, name)
            elif record.state is State.CANCELLED:
                await self._end(connection, record)
            elif record.slot.resource != slot.resource or not held <= set(records.cells_of(record.slot)):
                await self.follow(connection, record)

    async def ended(self, connection: AsyncConnection, conversation: str, now: datetime) -> Sequence[Record]:
        """Return the bookings to come of a conversation that people cancelled."""
        mine = (bookings.c.conversation == conversation) & (bookings.c.end > now)
        has_claims = exists(select(claims.c.booking_id).where(claims.c.booking_id == bookings.c.id))
        return await records.find(connection, mine, bookings.c.state == State.CANCELLED.value, has_claims)

    async def follow_ends(self, connection: AsyncConnection, conversation: str, now: datetime) -> None:
        """Note which those are, so that it is told."""
        for record in await self.ended(connection, conversation, now):
            await self._end(connection, record)

    async def _end(self, connection: AsyncConnection, record: Record) -> None:
        ended = await records.advance(connection, record, State.CANCELLED, self._clock(), untold=True)
        if ended is not None:
            _logger.info("booking.deleted_elsewhere", extra={"reference": record.entry.reference})
            await self._tell(connection, ended, Change.CANCELLED)


async def _claims_of(connection: AsyncConnection, record: Record) -> tuple[set[_Claim], set[_Claim]]:
    """Return the claims that a record has, and those that it needs."""
    claimed = select(claims.c.resource, claims.c.cell).where(claims.c.booking_id == record.id)
    own = {(row.resource, row.cell) for row in await connection.execute(claimed)}
    return own, {(record.slot.resource, cell) for cell in records.cells_of(record.slot)}
