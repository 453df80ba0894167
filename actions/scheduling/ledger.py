"""The ledger: every booking and the time it claims, in the clinic's own database. Each method is one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database
from actions.database import translate_errors
from actions.scheduling import records
from actions.scheduling.models import BookingChange, BookingKey, Change, Patient, Slot, Window
from actions.scheduling.records import Record, State
from actions.scheduling.references import References, random_references
from actions.scheduling.remote import Entry, Seen, Written
from actions.scheduling.table_edits import TableEdits
from actions.tables import bookings
from actions.wallclock import utc_now

T = TypeVar("T")

OnChange = Callable[[AsyncConnection, BookingChange], Awaitable[None]]


class Ledger:
    """Bookings in four states, and the claims that keep two of them from having the same time.

    `on_change` hears of what is final, in the transaction that makes it so: the two happen together or not at all. The
    id of a change is the entry's uid and the change (at most 48 characters).

    A record is written under the version that the writer knows (`Record.changed`); who knows an old one gets None or
    False, and nothing is changed. Every method raises `UnavailableError` if the database does not answer: nothing is
    left then. A transaction that began runs to its end though its caller is cancelled.
    """

    def __init__(
        self, database: Database, *, on_change: OnChange | None = None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self._on_change = on_change
        self.clock = clock
        self._edits = TableEdits(self._tell_serially, clock)

    async def close(self) -> None:
        """Close the database, as soon as what is running has ended."""
        await self._database.close()

    async def ping(self) -> None:
        """Return if the tables can be read."""
        await self._find(bookings.c.id == 0)

    async def free(self, slots: Sequence[Slot]) -> list[Slot]:
        """Return those of one resource's slots, which are in order of time, whose time nobody has claimed."""
        if not slots:
            return []
        with translate_errors():
            cells = await self._database.read(lambda connection: records.taken_cells(connection, slots))
        return [slot for slot in slots if cells.isdisjoint(records.cells_of(slot))]

    async def holders(self, slot: Slot) -> list[Record]:
        """Return the confirmed bookings that have a part of the time."""
        overlaps = (bookings.c.start < slot.end) & (bookings.c.end > slot.start)
        confirmed = bookings.c.state == State.CONFIRMED.value
        return await self._find(bookings.c.resource == slot.resource, overlaps, confirmed)

    async def around(self, record: Record, number: int) -> list[Record]:
        """Return the confirmed bookings of the same resource and system nearest to a record: half of them before it."""
        slot, half = record.slot, number // 2
        confirmed = (bookings.c.state == State.CONFIRMED.value) & (bookings.c.system == record.system)
        others = bookings.c.id.not_in([record.id, record.replaces or record.id])
        same = (bookings.c.resource == slot.resource) & (bookings.c.end > self.clock())
        before = records.nearest(same & (bookings.c.end <= slot.start), confirmed, others, latest=True)
        after = records.nearest(same & (bookings.c.end > slot.start), confirmed, others)

        async def work(connection: AsyncConnection) -> list[Record]:
            found = [await records.fetch(connection, one.limit(half)) for one in (before, after)]
            return [record for each in found for record in each]

        with translate_errors():
            return await self._database.read(work)

    async def live(self, key: BookingKey) -> list[Record]:
        """Return the bookings that the key fits, confirmed or pending, in order of time."""
        return await self._find(records.fits(key), records.is_live())

    async def upcoming(self, conversation: str, now: datetime) -> list[Record]:
        """Return the bookings of a conversation that are not over, confirmed or pending, in order of time."""
        return await self._find(bookings.c.conversation == conversation, bookings.c.end > now, records.is_live())

    async def being_cancelled(self, key: BookingKey) -> Record | None:
        """Return the booking that the key fits whose cancellation began and has not come to its end."""
        began = (bookings.c.state == State.CANCELLING.value) & bookings.c.confirmed_at.is_not(None)
        found = await self._find(records.fits(key), began, ~records.is_replaced())
        return found[0] if found else None

    async def pending_besides(self, key: BookingKey) -> list[Record]:
        """Return the bookings of the conversation, of the same type, that are pending outside of the key's window."""
        mine = (bookings.c.conversation == key.conversation) & (bookings.c.appointment_type == key.appointment_type)
        pending = (bookings.c.state == State.PENDING.value) & bookings.c.replaces.is_(None)
        return await self._find(mine, pending, ~records.fits(key))

    async def pending_moves(self, key: BookingKey) -> list[Record]:
        """Return the pending moves to a time that the key fits."""
        moving = (bookings.c.state == State.PENDING.value) & bookings.c.replaces.is_not(None)
        return await self._find(records.fits(key), moving)

    async def changed(self, conversation: str, since: datetime) -> list[tuple[Record, Record | None]]:
        """Return the conversation's bookings that ended or moved since then, in order, and what each moved on to."""
        mine = (bookings.c.conversation == conversation) & (bookings.c.changed >= since)
        was_booked = bookings.c.confirmed_at.is_not(None) & ~bookings.c.untold

        async def work(connection: AsyncConnection) -> list[tuple[Record, Record | None]]:
            found = await records.find(connection, mine, was_booked)
            newer = {one.replaces: one for one in found if one.replaces is not None}
            ended = [one for one in found if one.state in (State.CANCELLING, State.CANCELLED)]
            return [(one, newer.get(one.id)) for one in sorted(ended, key=lambda one: one.changed)]

        with translate_errors():
            return await self._database.read(work)

    async def find_moved(self, key: BookingKey, slot: Slot) -> Record | None:
        """Return the booking at the slot that was moved there from a time that the key fits."""
        there = BookingKey(key.conversation, key.appointment_type, Window.at(slot.start))
        confirmed = bookings.c.state == State.CONFIRMED.value

        async def work(connection: AsyncConnection) -> Record | None:
            for record in await records.find(connection, records.fits(there), confirmed):
                if await records.find(connection, bookings.c.id == record.replaces, records.fits(key)):
                    return record
            return None

        with translate_errors():
            return await self._database.read(work)

    async def reread(self, record_id: int) -> Record:
        """Return a record as it is now."""
        with translate_errors():
            return await self._database.read(lambda connection: records.reread(connection, record_id))

    async def list_unsettled(self, system: str, age: timedelta) -> list[Record]:
        """Return what has been pending or cancelling in a system for so long, the oldest first."""
        open_states = bookings.c.state.in_((State.PENDING.value, State.CANCELLING.value))
        old = bookings.c.changed <= self.clock() - age
        found = await self._find(open_states, old, bookings.c.system == system)
        return sorted(found, key=lambda record: record.changed)

    async def asked_for(self, system: str, age: timedelta) -> list[Record]:
        """Return the bookings to come that the clinic has not agreed to, and nobody has asked about for so long."""
        now = self.clock()
        confirmed = bookings.c.state == State.CONFIRMED.value
        old = (bookings.c.changed <= now - age) & (bookings.c.end > now)
        return await self._find(confirmed, bookings.c.requested, old, bookings.c.system == system)

    async def claim(
        self,
        key: BookingKey,
        slot: Slot,
        patient: Patient,
        system: str | None = None,
        references: References | None = None,
    ) -> tuple[Record, bool]:
        """Return the booking that the key fits, or claim the slot for a new one; and whether it is new.

        In a system elsewhere it begins as pending, without one it is confirmed. Raises `SlotTakenError`.
        """
        wanted = references.at(slot.start) if references else random_references()

        async def work(connection: AsyncConnection) -> tuple[Record, bool]:
            held = await records.find(connection, records.fits(key), records.is_live())
            if held:
                return held[0], False
            reference = await records.free_reference(connection, wanted)
            uid = references.new_uid() if references else str(uuid.uuid4())
            entry = Entry(uid, slot, reference, key.appointment_type, patient)
            return await self._add(connection, key, entry, system), True

        return await self._write(key.conversation, work)

    async def claim_move(self, record: Record, slot: Slot, system: str | None = None) -> tuple[Record, bool] | None:
        """Claim the slot as the time that a confirmed booking moves to, and give up what other move of it is pending.

        Returns the new record, or the pending one of the same move, and whether it is new; None if the booking is not
        as it was known. Without a system the move is complete, with one it begins. Raises `SlotTakenError`.
        """

        async def work(connection: AsyncConnection) -> tuple[Record, bool] | None:
            current = await records.reread(connection, record.id)
            if current.state is not State.CONFIRMED:
                return None
            for pending in await self._pending_moves(connection, current):
                if pending.slot == slot:
                    return pending, False
                await records.advance(connection, pending, State.CANCELLING, self.clock())
            old = current.entry
            key = BookingKey(old.patient.conversation, old.appointment_type, Window.at(slot.start))
            entry = Entry(str(uuid.uuid4()), slot, old.reference, old.appointment_type, old.patient)
            return await self._add(connection, key, entry, system, current), True

        return await self._write(record.entry.patient.conversation, work)

    async def adopt(self, record: Record, written: Written) -> Record | None:
        """Let a pending record stand for an entry that a host with another ledger wrote; None if it cannot."""

        async def work(connection: AsyncConnection) -> Record | None:
            if written.reference is None or await records.find(connection, bookings.c.uid == written.uid):
                return None
            if not await records.yield_reference(connection, written.reference, record):
                return None
            values = {"uid": written.uid, "reference": written.reference}
            if written.slot == record.slot:
                return await records.advance(connection, record, State.PENDING, self.clock(), **values)
            return await records.move(connection, record, written.slot, self.clock(), **values)

        return await self._write(record.entry.patient.conversation, work)

    async def confirm(self, record: Record, seen: Seen | None = None) -> Record | None:
        """Confirm a record whose entry is known to be in its system, as it was `seen`, whoever else works on it.

        What it replaces is `cancelling` afterwards. None if it was given up meanwhile, or what it was to replace is no
        booking any more: it is `cancelling` then, since its entry is there and has to go.
        """

        async def work(connection: AsyncConnection) -> Record | None:
            current = await records.reread(connection, record.id)
            if current.state is State.CONFIRMED:
                return current
            old = await records.reread(connection, current.replaces) if current.replaces else None
            if current.state is State.PENDING and (old is None or old.state is State.CONFIRMED):
                return await self._make_final(connection, current, old, **(records.seen_values(seen) if seen else {}))
            # Never confirmed, as far as anybody has to be told: if it was once, its end was told.
            await records.advance(connection, current, State.CANCELLING, self.clock(), confirmed_at=None)
            return None

        return await self._write(record.entry.patient.conversation, work)

    async def follow(self, record: Record, seen: Seen) -> Record | None:
        """Note what people made of a confirmed booking in its system; None if it is not as it was known.

        If they moved it, it has its new time here as well, and that is told.
        """

        async def work(connection: AsyncConnection) -> Record | None:
            now, values = self.clock(), records.seen_values(seen)
            if seen.slot == record.slot:
                return await records.advance(connection, record, State.CONFIRMED, now, **values)
            if seen.slot.start != record.slot.start:
                values["moved_from"] = record.slot.start
            moved = await records.move(connection, record, seen.slot, now, **values)
            if moved is not None and seen.slot.start != record.slot.start:
                await self._tell_serially(connection, moved, Change.RESCHEDULED)
            return moved

        return await self._write(record.entry.patient.conversation, work)

    async def as_in_table(self, record: Record) -> Record:
        """Return a live booking of no other system, whose time people may have changed in the table."""
        with translate_errors():
            if await self._database.read(lambda connection: self._edits.is_as_claimed(connection, record)):
                return record
        return await self._write(
            record.entry.patient.conversation, lambda connection: self._edits.follow(connection, record)
        )

    async def renew(self, record: Record) -> Record | None:
        """Take note that somebody works on the record now, and knows its last version."""
        return await self._advance(record, record.state)

    async def release(self, record: Record) -> bool:
        """End a pending record of which nothing is in its system, nor on its way there."""
        return await self._advance(record, State.CANCELLED) is not None

    async def give_up(self, record: Record) -> Record | None:
        """Let a pending record end as soon as its entry is known to be gone: it keeps its time until then."""
        return await self._advance(record, State.CANCELLING)

    async def begin_cancel(self, record: Record, *, untold: bool = False) -> Record | None:
        """Begin to cancel a confirmed booking: its key is free, its time is not.

        `untold`: its patient does not know yet.
        """
        return await self._end(record, State.CANCELLING, untold=untold)

    async def cancel(self, record: Record, *, untold: bool = False) -> Record | None:
        """Cancel a confirmed booking that has no entry, or none any more; `untold` as in `begin_cancel`."""
        return await self._end(record, State.CANCELLED, untold=untold)

    async def tell_cancelled(self, conversation: str, now: datetime) -> list[Record]:
        """Return the bookings to come that were cancelled without their patient's knowledge, each time once."""
        untold = (bookings.c.conversation == conversation) & (bookings.c.end > now) & records.is_untold()

        async def look(connection: AsyncConnection) -> bool:
            found = await records.find(connection, untold)
            return bool(found or await self._edits.ended(connection, conversation, now))

        async def work(connection: AsyncConnection) -> list[Record]:
            await self._edits.follow_ends(connection, conversation, now)
            found = await records.find(connection, untold)
            for record in found:
                await records.advance(connection, record, record.state, self.clock(), untold=False)
            return found

        with translate_errors():
            return await self._write(conversation, work) if await self._database.read(look) else []

    async def restore(self, record: Record) -> Record | None:
        """Undo `begin_cancel`; None if there is another booking under its key by now."""

        async def work(connection: AsyncConnection) -> Record | None:
            same_key = (bookings.c.key == record.key) & bookings.c.replaces.is_(None) & records.is_live()
            if record.replaces is None and await records.find(connection, same_key):
                return None
            return await records.advance(connection, record, State.CONFIRMED, self.clock())

        return await self._write(record.entry.patient.conversation, work)

    async def finish(self, record: Record) -> None:
        """End a record whose entry is known to be gone; if it was a booking that did not move, it is cancelled now."""

        async def work(connection: AsyncConnection) -> None:
            current = await records.reread(connection, record.id)
            if current.state is not State.CANCELLING:
                return
            ended = await records.advance(connection, current, State.CANCELLED, self.clock())
            is_replaced = await records.find(connection, bookings.c.id == record.id, records.is_replaced())
            if ended and ended.confirmed_at and not is_replaced:
                await self._tell(connection, ended, Change.CANCELLED)

        await self._write(record.entry.patient.conversation, work)

    async def _find(self, *conditions: ColumnElement[bool]) -> list[Record]:
        with translate_errors():
            return await self._database.read(lambda connection: records.find(connection, *conditions))

    async def _write(self, conversation: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async def locked(connection: AsyncConnection) -> T:
            await records.lock(connection, conversation)
            return await work(connection)

        with translate_errors():
            return await self._database.write(locked)

    async def _advance(self, record: Record, state: State) -> Record | None:
        return await self._write(
            record.entry.patient.conversation,
            lambda connection: records.advance(connection, record, state, self.clock()),
        )

    async def _add(
        self, connection: AsyncConnection, key: BookingKey, entry: Entry, system: str | None, old: Record | None = None
    ) -> Record:
        await records.require_free(connection, entry.slot, old)
        await self._edits.follow_claims(connection, entry.slot, old)
        record = await records.add(connection, key, entry, self.clock(), system, old)
        return record if system else await self._make_final(connection, record, old)

    async def _make_final(
        self, connection: AsyncConnection, record: Record, old: Record | None, **values: Any
    ) -> Record:
        now = self.clock()
        final = await records.advance(connection, record, State.CONFIRMED, now, confirmed_at=now, **values)
        if old is not None:
            await records.hand_over_claims(connection, old, record)
            await records.advance(connection, old, State.CANCELLING if old.system else State.CANCELLED, now)
        if final is None:
            raise AssertionError("the conversation is locked and the record was read in this transaction")
        await self._tell(connection, final, Change.RESCHEDULED if old else Change.BOOKED)
        return final

    async def _end(self, record: Record, state: State, **values: Any) -> Record | None:
        async def work(connection: AsyncConnection) -> Record | None:
            ended = await records.advance(connection, record, state, self.clock(), **values)
            if ended is None:
                return None
            for pending in await self._pending_moves(connection, record):
                await records.advance(connection, pending, State.CANCELLING, self.clock())
            if state is State.CANCELLED:
                await self._tell(connection, ended, Change.CANCELLED)
            return ended

        return await self._write(record.entry.patient.conversation, work)

    async def _pending_moves(self, connection: AsyncConnection, record: Record) -> list[Record]:
        pending = bookings.c.state == State.PENDING.value
        return await records.find(connection, bookings.c.replaces == record.id, pending)

    async def _tell_serially(self, connection: AsyncConnection, record: Record, change: Change) -> None:
        # An appointment can be moved any number of times, there and back as well.
        told = f"{record.entry.uid}:{round(record.changed.timestamp() * 1000):x}"
        await self._tell(connection, record, change, told if change is Change.RESCHEDULED else None)

    async def _tell(self, connection: AsyncConnection, record: Record, change: Change, told: str | None = None) -> None:
        if self._on_change is not None:
            told = told or f"{record.entry.uid}:{change.value}"
            await self._on_change(
                connection, BookingChange(told, change, record.booking, record.entry.patient, self.clock())
            )
