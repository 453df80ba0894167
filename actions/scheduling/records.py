"""One booking as the ledger keeps it, and the statements that read and write it within the ledger's transactions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, exists, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from actions.errors import SlotTakenError
from actions.scheduling.models import Booking, BookingKey, PastChange, Patient, Slot
from actions.scheduling.references import random_references
from actions.scheduling.remote import Entry, Seen
from actions.tables import bookings, claims

# The unit in which a resource's time is claimed. Part of the stored data, not a setting: two bookings exclude each
# other only if they were cut into the same cells, whatever the settings were when each of them was made.
CELL = timedelta(minutes=5)

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TICK = timedelta(microseconds=1)


class State(str, Enum):
    """How far a booking has come. All but a cancelled one have their time."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Record:
    """A booking as it was read. `changed` is its version: who writes names the one that they know."""

    id: int
    key: str
    entry: Entry
    state: State
    changed: datetime
    confirmed_at: datetime | None
    system: str | None
    replaces: int | None
    requested: bool = False
    moved_from: datetime | None = None

    @property
    def slot(self) -> Slot:
        """The time it has."""
        return self.entry.slot

    @property
    def booking(self) -> Booking:
        """The booking as its patient knows it."""
        entry = self.entry
        return Booking(entry.reference, entry.appointment_type, entry.slot, self.moved_from, self.requested)

    def is_as(self, seen: Seen) -> bool:
        """Say whether it is known that its entry stands there like this."""
        return (self.slot, self.entry.names, self.requested) == (seen.slot, seen.names, seen.is_requested)


def cells_of(slot: Slot) -> Iterator[datetime]:
    """Return the cells that a slot takes up, wholly or in part, in order of time."""
    cell = slot.start - (slot.start - _EPOCH) % CELL
    while cell < slot.end:
        yield cell
        cell += CELL


def fits(key: BookingKey) -> ColumnElement[bool]:
    """Return the condition that a key fits a row, whatever its state."""
    return (
        (bookings.c.conversation == key.conversation)
        & (bookings.c.appointment_type == key.appointment_type)
        & (bookings.c.start >= key.window.start)
        & (bookings.c.start < key.window.end)
    )


def is_live() -> ColumnElement[bool]:
    """Return the condition that a row is somebody's booking. One that shall replace another is not, until it does."""
    confirmed = bookings.c.state == State.CONFIRMED.value
    return confirmed | ((bookings.c.state == State.PENDING.value) & bookings.c.replaces.is_(None))


def is_untold() -> ColumnElement[bool]:
    """Return the condition that people ended a row's booking, and have not taken that back before it was told."""
    return bookings.c.untold & ~is_live()


def is_replaced() -> ColumnElement[bool]:
    """Return the condition that a row's booking has moved on to another row."""
    newer = bookings.alias("newer")
    return exists(select(newer.c.id).where(newer.c.replaces == bookings.c.id, newer.c.confirmed_at.is_not(None)))


async def find(connection: AsyncConnection, *conditions: ColumnElement[bool]) -> list[Record]:
    """Return the records that meet the conditions, in order of time."""
    return await fetch(connection, select(bookings).where(*conditions).order_by(bookings.c.start, bookings.c.id))


async def fetch(connection: AsyncConnection, statement: Select[Any]) -> list[Record]:
    """Return the records that a statement selects."""
    return [_record(row) for row in await connection.execute(statement)]


def nearest(*conditions: ColumnElement[bool], latest: bool = False) -> Select[Any]:
    """Return what selects the rows that meet the conditions in order of their end, or the other way round."""
    return select(bookings).where(*conditions).order_by(bookings.c.end.desc() if latest else bookings.c.end)


async def reread(connection: AsyncConnection, record_id: int) -> Record:
    """Return a record as it is now."""
    [record] = await find(connection, bookings.c.id == record_id)
    return record


async def taken_cells(connection: AsyncConnection, slots: Sequence[Slot], *own: int | None) -> set[datetime]:
    """Return the cells that bookings have between the first slot and the last; all of them are of one resource.

    The bookings say so, not their claims: people may have changed a booking's time in its table. `own` are the ids of
    those that do not count.
    """
    first, end = slots[0], max(slot.end for slot in slots)
    taken = select(bookings.c.start, bookings.c.end).where(
        bookings.c.resource == first.resource,
        bookings.c.end > first.start - CELL,
        bookings.c.start < end + CELL,
        bookings.c.state != State.CANCELLED.value,
        bookings.c.id.not_in([one for one in own if one is not None]),
    )
    spans = [Slot(first.resource, *row) for row in await connection.execute(taken)]
    return {cell for span in spans for cell in cells_of(span) if first.start - CELL < cell < end}


async def require_free(connection: AsyncConnection, slot: Slot, old: Record | None) -> None:
    """Raise `SlotTakenError` if a booking other than the old one has a part of the time."""
    if not (await taken_cells(connection, [slot], old.id if old else None)).isdisjoint(cells_of(slot)):
        raise SlotTakenError(slot)


async def claimed_cells(connection: AsyncConnection, slot: Slot) -> dict[datetime, int]:
    """Return the cells of a slot that are claimed, and for whom."""
    within = (claims.c.resource == slot.resource) & claims.c.cell.in_(list(cells_of(slot)))
    rows = await connection.execute(select(claims.c.cell, claims.c.booking_id).where(within))
    return {row.cell: row.booking_id for row in rows}


async def has_free_cells(connection: AsyncConnection, slot: Slot) -> bool:
    """Say whether nobody has claimed some cell of a slot."""
    claimed = await claimed_cells(connection, slot)
    return any(cell not in claimed for cell in cells_of(slot))


async def forget_claims(connection: AsyncConnection, booking_id: int) -> None:
    """Delete the claims of a booking."""
    await connection.execute(delete(claims).where(claims.c.booking_id == booking_id))


async def _leave_key(connection: AsyncConnection, key: BookingKey) -> None:
    """Let a booking that people have moved in its table leave the key it was booked under."""
    holds_it = (bookings.c.key == key.digest) & bookings.c.replaces.is_(None) & is_live()
    for one in await find(connection, bookings.c.conversation == key.conversation, holds_it):
        await connection.execute(update(bookings).where(bookings.c.id == one.id).values(key=_key_at(one, one.slot)))


def _key_at(record: Record, slot: Slot) -> str:
    return hashlib.sha256(f"{record.entry.uid} {slot.start.isoformat()}".encode()).hexdigest()


async def add(
    connection: AsyncConnection,
    key: BookingKey,
    entry: Entry,
    now: datetime,
    system: str | None,
    replaces: Record | None = None,
) -> Record:
    """Add a pending record and claim its time, except what the one it replaces has; raises `SlotTakenError`."""
    old = replaces.id if replaces else None
    row = {
        "uid": entry.uid,
        "reference": entry.reference,
        "key": key.digest,
        "conversation": entry.patient.conversation,
        "name": entry.patient.name,
        "email": entry.patient.email,
        "phone": entry.patient.phone,
        "appointment_type": entry.appointment_type,
        "resource": entry.slot.resource,
        "start": entry.slot.start,
        "end": entry.slot.end,
        "state": State.PENDING.value,
        "changed": now,
        "system": system,
        "replaces": old,
    }
    if old is None:
        await _leave_key(connection, key)
    record_id = (await connection.execute(insert(bookings).returning(bookings.c.id), row)).scalar_one()
    if connection.dialect.name == "sqlite":
        # It gives the id of a row that people deleted to the next one, and leaves the claims of that.
        await forget_claims(connection, record_id)
    claimed = await claimed_cells(connection, entry.slot) if old else {}
    try:
        await _claim(connection, record_id, entry.slot, [cell for cell in claimed if claimed[cell] == old])
    except IntegrityError as exc:
        raise SlotTakenError(entry.slot) from exc
    return await reread(connection, record_id)


async def _claim(connection: AsyncConnection, record_id: int, slot: Slot, besides: Collection[datetime]) -> None:
    # In order of time, so that no two transactions wait for each other.
    cells = [
        {"booking_id": record_id, "resource": slot.resource, "cell": cell}
        for cell in cells_of(slot)
        if cell not in besides
    ]
    if cells:
        await connection.execute(insert(claims), cells)


async def advance(
    connection: AsyncConnection, record: Record, state: State, now: datetime, **values: Any
) -> Record | None:
    """Bring a record into a state, and give its time back if that is its end; None if it is not as it was known."""
    changed = max(now, record.changed + _TICK)
    same = (bookings.c.id == record.id) & (bookings.c.changed == record.changed)
    statement = update(bookings).where(same).values(state=state.value, changed=changed, **values)
    if (await connection.execute(statement)).rowcount == 0:
        return None
    if state is State.CANCELLED:
        await forget_claims(connection, record.id)
    return await reread(connection, record.id)


async def hand_over_claims(connection: AsyncConnection, old: Record, new: Record) -> None:
    """Give the record what it has in common with the one that it replaces."""
    common = claims.c.cell.in_(list(cells_of(new.slot))) & (claims.c.resource == new.slot.resource)
    await connection.execute(update(claims).where(claims.c.booking_id == old.id, common).values(booking_id=new.id))


async def move(connection: AsyncConnection, record: Record, slot: Slot, now: datetime, **values: Any) -> Record | None:
    """Give a record another time or resource, which it has whoever else has claimed a part of it; None as `advance`.

    It leaves the key it was booked under, so that another booking can be made there.
    """
    values |= {"resource": slot.resource, "start": slot.start, "end": slot.end, "key": _key_at(record, slot)}
    moved = await advance(connection, record, record.state, now, **values)
    if moved is None:
        return None
    await forget_claims(connection, record.id)
    await _claim(connection, record.id, slot, await claimed_cells(connection, slot))
    return moved


def seen_values(seen: Seen) -> dict[str, Any]:
    """Return what a row says of how its entry stands in its system."""
    return {"entry_names": " ".join(seen.names) or None, "requested": seen.is_requested}


async def lock(connection: AsyncConnection, conversation: str) -> None:
    """Wait until nobody else writes for this conversation, and keep them waiting until the transaction ends.

    The write lock of SQLite does that for all conversations together.
    """
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(conversation.encode()).digest()[:8], "big", signed=True)
        await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


async def free_reference(connection: AsyncConnection, references: Iterator[str]) -> str:
    """Return the first of the references that nobody has, nor ever had."""
    for reference in references:
        # The row that began with a reference keeps it for good. The index holds these rows alone, and is of no use to
        # a query that asks for more of them: it would read every booking, and the write lock is held.
        first = (bookings.c.reference == reference) & bookings.c.replaces.is_(None)
        if await connection.scalar(select(bookings.c.id).where(first)) is None:
            return reference
    raise AssertionError("references do not end")


async def yield_reference(connection: AsyncConnection, reference: str, record: Record) -> bool:
    """Take a reference from a record that never was a booking, for another one; False if it was one."""
    first = (bookings.c.reference == reference) & bookings.c.replaces.is_(None)
    for holder in await find(connection, first, bookings.c.id != record.id):
        if holder.state is not State.CANCELLED or holder.confirmed_at is not None:
            return False
        another = await free_reference(connection, random_references())
        await connection.execute(update(bookings).where(bookings.c.id == holder.id).values(reference=another))
    return True


def past_change(old: Record, new: Record | None) -> PastChange:
    """Return what became of a booking that ended: it moved on to another record, or was cancelled."""
    return PastChange(old.booking, new.booking if new and new.state is State.CONFIRMED else None)


def _record(row: Row[Any]) -> Record:
    patient = Patient(row.conversation, row.name, row.email, row.phone)
    slot = Slot(row.resource, row.start, row.end)
    return Record(
        row.id,
        row.key,
        Entry(row.uid, slot, row.reference, row.appointment_type, patient, tuple((row.entry_names or "").split())),
        State(row.state),
        row.changed,
        row.confirmed_at,
        row.system,
        row.replaces,
        row.requested,
        row.moved_from,
    )
