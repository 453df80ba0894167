"""The embedded backend: appointments in one SQLite file that any number of processes on the host may share."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actions.scheduling.database import (
    bookings,
    claims,
    create_schema,
    open_engine,
    translated_errors,
    writing,
)
from actions.scheduling.errors import InvalidRequestError, SlotTakenError
from actions.scheduling.hours import ClinicHours
from actions.scheduling.models import AppointmentType, Booking, BookingKey, Slot, Window

# The unit in which a resource's time is claimed. Part of the stored data, not a setting: two bookings exclude each
# other only if they were cut into the same cells, whatever the settings were when each of them was made.
CELL = timedelta(minutes=5)

# Without characters that look or sound alike: 0 O, 1 I L, 5 S, 8 B, U V.
_REFERENCE_ALPHABET = "234679ACDEFGHJKMNPQRTWXYZ"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

P = ParamSpec("P")
T = TypeVar("T")


def _to_its_end(
    method: Callable[Concatenate[EmbeddedBackend, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[EmbeddedBackend, P], Coroutine[Any, Any, T]]:
    """Let a transaction run to its end though its caller is cancelled.

    It takes milliseconds. Cut off in the middle, it would leave a connection whose thread still works on it, and a
    caller who cannot know; this way a repeat finds the booking by its key.
    """

    @wraps(method)
    async def call(self: EmbeddedBackend, /, *args: P.args, **kwargs: P.kwargs) -> T:
        task = asyncio.create_task(method(self, *args, **kwargs))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return await asyncio.shield(task)

    return call


class EmbeddedBackend:
    """A `SchedulingBackend` on SQLite. A UNIQUE index on (resource, cell) is what prevents double bookings.

    A booking and its claims are inserted in one transaction that took the write lock first, so that a process killed
    at any point leaves a whole booking or none.
    """

    def __init__(self, engine: AsyncEngine, hours: ClinicHours) -> None:
        self._engine = engine
        self._writing = writing(engine)
        self._hours = hours
        self.running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, path: Path, hours: ClinicHours) -> EmbeddedBackend:
        """Open the file, creating it if need be; raises `UnavailableError` if that cannot be done."""
        engine = open_engine(path)
        try:
            await create_schema(engine)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, hours)

    async def close(self) -> None:
        """Close every connection, as soon as what is running has ended."""
        await asyncio.gather(*self.running, return_exceptions=True)
        await self._engine.dispose()

    @_to_its_end
    async def find_slots(self, kind: AppointmentType, window: Window) -> Sequence[Slot]:
        """Return the free slots that start in the window, earliest first."""
        slots = self._hours.slots(kind, window)
        if not slots:
            return []
        taken = select(claims.c.cell).where(
            claims.c.resource == kind.resource,
            claims.c.cell > slots[0].start - CELL,
            claims.c.cell < slots[-1].end,
        )
        with translated_errors():
            async with self._engine.connect() as connection:
                cells = set(await connection.scalars(taken))
        return [slot for slot in slots if cells.isdisjoint(_cells(slot))]

    @_to_its_end
    async def book(self, key: BookingKey, slot: Slot) -> Booking:
        """Book the slot, or return the live booking that the key fits already."""
        if slot.start not in key.window:
            raise InvalidRequestError("the slot is outside of the key's window")
        with translated_errors():
            async with self._writing.begin() as connection:
                held = (await connection.execute(_live(key))).first()
                return _booking(held) if held else await self._insert(connection, key, slot)

    @_to_its_end
    async def get(self, key: BookingKey) -> Booking | None:
        """Return the live booking that the key fits, the earliest one if there are several."""
        with translated_errors():
            async with self._engine.connect() as connection:
                held = (await connection.execute(_live(key))).first()
        return _booking(held) if held else None

    @_to_its_end
    async def cancel(self, key: BookingKey) -> Booking | None:
        """Cancel the live booking that the key fits and return it; the booking stays on record."""
        with translated_errors():
            async with self._writing.begin() as connection:
                held = (await connection.execute(_live(key))).first()
                if held is None:
                    return None
                await connection.execute(delete(claims).where(claims.c.booking_id == held.id))
                await connection.execute(update(bookings).where(bookings.c.id == held.id).values(cancelled=True))
        return _booking(held)

    @_to_its_end
    async def ping(self) -> None:
        """Return if the file can be read."""
        with translated_errors():
            async with self._engine.connect() as connection:
                await connection.execute(select(bookings.c.id).limit(1))

    async def _insert(self, connection: AsyncConnection, key: BookingKey, slot: Slot) -> Booking:
        reference = await _free_reference(connection)
        row = {
            "reference": reference,
            "key": key.digest,
            "conversation": key.conversation,
            "appointment_type": key.appointment_type,
            "resource": slot.resource,
            "start": slot.start,
            "end": slot.end,
        }
        inserted = await connection.execute(insert(bookings).returning(bookings.c.id), row)
        booking_id = inserted.scalar_one()
        try:
            await connection.execute(
                insert(claims),
                [{"booking_id": booking_id, "resource": slot.resource, "cell": cell} for cell in _cells(slot)],
            )
        except IntegrityError as exc:
            raise SlotTakenError(slot) from exc
        return Booking(reference, key.appointment_type, slot)


def _live(key: BookingKey) -> Select[Any]:
    return (
        select(bookings)
        .where(
            bookings.c.conversation == key.conversation,
            bookings.c.appointment_type == key.appointment_type,
            bookings.c.start >= key.window.start,
            bookings.c.start < key.window.end,
            ~bookings.c.cancelled,
        )
        .order_by(bookings.c.start)
        .limit(1)
    )


def _booking(row: Row[Any]) -> Booking:
    return Booking(row.reference, row.appointment_type, Slot(row.resource, row.start, row.end))


def _cells(slot: Slot) -> Iterator[datetime]:
    cell = slot.start - (slot.start - _EPOCH) % CELL
    while cell < slot.end:
        yield cell
        cell += CELL


async def _free_reference(connection: AsyncConnection) -> str:
    while True:
        reference = "APT-" + "".join(secrets.choice(_REFERENCE_ALPHABET) for _ in range(6))
        same = select(bookings.c.id).where(bookings.c.reference == reference)
        if (await connection.execute(same)).first() is None:
            return reference
