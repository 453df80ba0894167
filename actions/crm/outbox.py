"""The outbox: changes of bookings are written with the booking itself, and delivered to the CRM afterwards.

A booking never waits for the CRM and never fails because of it. Each change is delivered at least once, and logged
once, as the CRM knows an activity by its id; the changes of one contact arrive in order.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from types import TracebackType

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, DatabaseError
from actions.crm import tables
from actions.crm.delivery import OutboxSettings, Postman, seeded_by_the_system
from actions.crm.identity import contact_of, key_secret
from actions.crm.models import Activity
from actions.crm.port import CrmBackend
from actions.crm.queue import Clock, Pending, Queue
from actions.database import translate_errors
from actions.scheduling.models import BookingChange
from actions.wallclock import utc_now

_logger = logging.getLogger(__name__)

# What stands for the appointment's type if the CRM may not know it.
_ANY_TYPE = "appointment"
# How long deliveries that run may go on when the worker ends, in seconds. What is cut off is delivered again.
_LAST_WORDS = 5.0


class Outbox:
    """Hands changes of bookings over to the CRM. Delivers for the length of its block::

        async with Outbox(database, crm, settings) as outbox:
            ledger = Ledger(database, on_change=outbox.on_change)

    Any number of processes may have one on the same database. The block needs the tables, and leaves the database open.
    """

    def __init__(
        self,
        database: Database,
        backend: CrmBackend,
        settings: OutboxSettings | None = None,
        *,
        clock: Clock | None = None,
        chance: Callable[[], float] = seeded_by_the_system,
    ) -> None:
        clock = clock or utc_now
        self._settings = settings or OutboxSettings()
        self._database = database
        self._queue = Queue(database, secrets.token_hex(8), clock, type(backend).__name__[:40])
        self._postman = Postman(self._queue, backend, self._settings, clock, chance)
        self._secret: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Outbox:
        """Start to deliver; what was parked gets one more try. Raises `UnavailableError` if the database is gone."""
        with translate_errors():
            self._secret = await self._database.write(key_secret)
        await self.retry_parked()
        self._task = asyncio.create_task(self._postman.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop delivering. What waits stays in the database."""
        await self._postman.stop(_LAST_WORDS)
        if self._task is not None:
            await self._task
        try:
            await self._queue.give_back_all()
        except DatabaseError:
            _logger.warning("crm.outbox_unavailable")

    async def on_change(self, connection: AsyncConnection, change: BookingChange) -> None:
        """Write the change to the outbox within the transaction that made it final; it never raises.

        What cannot be written is lost for the CRM, with an error in the log: the booking is worth more.
        """
        try:
            async with connection.begin_nested():
                secret = self._secret or await key_secret(connection)
                contact = contact_of(change.patient, secret, self._settings.tell)
                await self._queue.put(connection, contact, self._activity(change))
        except (SQLAlchemyError, ValueError) as exc:
            facts = {"change": change.id, "error": type(exc).__name__}
            # If the booking comes to nothing as well, nothing is lost: a database that is gone fails both.
            Database.after_commit(connection, lambda: _logger.error("crm.change_lost", extra=facts))
            return
        self._postman.wake()

    def _activity(self, change: BookingChange) -> Activity:
        booking = change.booking
        kind = booking.appointment_type if "appointment_type" in self._settings.tell else _ANY_TYPE
        slot = booking.slot
        return Activity(change.id, change.change, booking.reference, kind, slot.start, slot.end, change.at)

    def wake(self) -> None:
        """Deliver what was written now. Only a transaction that took long after `on_change` needs this."""
        self._postman.wake()

    async def pending(self) -> Pending:
        """Count what has not been delivered; raises `UnavailableError` if the database does not answer."""
        with translate_errors():
            return await self._queue.pending()

    async def retry_parked(self) -> int:
        """Let what the CRM refused too often be tried once more; return how many rows there were.

        A row that is refused again is parked again. Raises `UnavailableError` if the database does not answer.
        """
        with translate_errors():
            rows = await self._queue.unpark(self._settings.refusals - 1)
        if rows:
            _logger.warning("crm.parked_retried", extra={"rows": rows})
            self._postman.wake()
        return rows

    async def ping(self) -> None:
        """Return if changes can be written, raise `UnavailableError` if not. The CRM itself has a ping of its own."""

        async def look(connection: AsyncConnection) -> None:
            await connection.execute(select(tables.outbox.c.seq).limit(1))

        with translate_errors():
            await self._database.read(look)
