"""The embedded backend: appointments in the clinic's own database alone, which any number of processes may share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from actions.database import open_database
from actions.errors import InvalidRequestError
from actions.scheduling.hours import ClinicHours
from actions.scheduling.ledger import Ledger, OnChange
from actions.scheduling.models import AppointmentType, Booking, BookingKey, PastChange, Patient, Slot, Window
from actions.scheduling.records import Record, State, past_change
from actions.scheduling.remote import FREE, TAKEN
from actions.scheduling.week import coming_week, week_lines


class EmbeddedBackend:
    """A `SchedulingBackend` on the ledger. A UNIQUE index on (resource, cell) is what prevents double bookings.

    A booking and its claims are written in one transaction, so that a process killed at any point leaves a whole
    booking or none. A transaction runs to its end though its caller is cancelled: the repeat finds what it did.
    """

    def __init__(self, ledger: Ledger, hours: ClinicHours, kinds: Sequence[AppointmentType] = ()) -> None:
        """`kinds` are the appointment types that `describe` tells of."""
        self._ledger = ledger
        self._hours = hours
        self._kinds = kinds

    @classmethod
    async def open(cls, url: str | Path, hours: ClinicHours, *, on_change: OnChange | None = None) -> EmbeddedBackend:
        """Open the database, creating it if need be; raises `UnavailableError` if that cannot be done."""
        return cls(Ledger(await open_database(url), on_change=on_change), hours)

    async def close(self) -> None:
        """Close the ledger, as soon as what is running has ended."""
        await self._ledger.close()

    async def find_slots(self, kind: AppointmentType, window: Window) -> Sequence[Slot]:
        """Return the free slots that start in the window, earliest first."""
        return await self._ledger.free(self._hours.slots(kind, window))

    async def book(self, key: BookingKey, slot: Slot, patient: Patient | None = None) -> Booking:
        """Book the slot, or return the live booking that the key fits already."""
        if slot.start not in key.window:
            raise InvalidRequestError("the slot is outside of the key's window")
        while True:
            record, _ = await self._ledger.claim(key, slot, patient or Patient(key.conversation))
            if _is_booked(record) or await self._ledger.confirm(record):
                return record.booking

    async def get(self, key: BookingKey) -> Booking | None:
        """Return the live booking that the key fits, the earliest one if there are several."""
        record = await self._live(key)
        return (await self._ledger.as_in_table(record)).booking if record else None

    async def find_own(self, kind: AppointmentType, key: BookingKey, patient: Patient | None = None) -> Booking | None:
        """Return the live booking that the key fits: a transaction is whole, so there is nothing to wait for."""
        return await self.get(key)

    async def changed(self, conversation: str, since: datetime) -> Sequence[PastChange]:
        """Return what became of the conversation's bookings that it cancelled or moved since then, the oldest first."""
        return [past_change(old, new) for old, new in await self._ledger.changed(conversation, since)]

    async def upcoming(self, conversation: str, now: datetime) -> Sequence[Booking]:
        """Return the live bookings of a conversation that are not over, earliest first."""
        booked = [record for record in await self._ledger.upcoming(conversation, now) if _is_booked(record)]
        return [(await self._ledger.as_in_table(record)).booking for record in booked]

    async def cancelled_elsewhere(self, conversation: str, now: datetime) -> Sequence[Booking]:
        """Return the bookings to come that people cancelled in the table, each of them once."""
        return [record.booking for record in await self._ledger.tell_cancelled(conversation, now)]

    async def cancel(self, key: BookingKey) -> Booking | None:
        """Cancel the live booking that the key fits and return it; the booking stays on record."""
        while record := await self._live(key):
            if await self._ledger.cancel(record):
                return record.booking
        return None

    async def reschedule(self, key: BookingKey, slot: Slot) -> Booking | None:
        """Move the live booking that the key fits to another slot and return it as it is now; None if there is none."""
        while record := await self._live(key):
            if record.slot == slot:
                return record.booking
            if moved := await self._ledger.claim_move(record, slot):
                return moved[0].booking
        # A repeat of a move whose reply was lost.
        done = await self._ledger.find_moved(key, slot)
        return done.booking if done else None

    async def describe(self) -> Sequence[str]:
        """Return the coming week as it is understood."""
        week = coming_week(self._ledger.clock(), self._hours.zone)
        return await week_lines(self._kinds, self._hours, week, self._explain)

    async def _explain(self, kind: AppointmentType, candidates: Sequence[Slot]) -> Sequence[str]:
        free = set(await self._ledger.free(candidates))
        return [FREE if slot in free else TAKEN for slot in candidates]

    async def ping(self) -> None:
        """Return if the database can be read."""
        await self._ledger.ping()

    async def _live(self, key: BookingKey) -> Record | None:
        return next(filter(_is_booked, await self._ledger.live(key)), None)


def _is_booked(record: Record) -> bool:
    # Whatever is pending was begun in a system that the clinic does not use any more.
    return record.state is State.CONFIRMED
