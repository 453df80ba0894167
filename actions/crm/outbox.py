"""The outbox: changes of bookings are written with the booking itself, as jobs that tell the CRM afterwards.

A booking never waits for the CRM and never fails because of it. Each change is delivered at least once, and logged
once, as the CRM knows an activity by its id; the changes of one contact arrive in order.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, DatabaseError
from actions.crm.delivery import OutboxSettings
from actions.crm.earlier import are_there, ask_for, comes_behind
from actions.crm.identity import Detail, contact_of, key_secret
from actions.crm.models import Activity
from actions.database import translate_errors
from actions.scheduling.models import BookingChange

_logger = logging.getLogger(__name__)

# What stands for the appointment's type if the CRM may not know it.
_ANY_TYPE = "appointment"


class Outbox:
    """Hands changes of bookings over to the CRM. Made by `open`::

    ledger = Ledger(database, on_change=(await Outbox.open(database, settings)).on_change)
    """

    def __init__(self, secret: str, tell: Collection[Detail], *, has_earlier: bool) -> None:
        self._secret = secret
        self._tell = tell
        # Whether the outbox of earlier versions was in the database when it was opened.
        self.has_earlier = has_earlier

    @classmethod
    async def open(cls, database: Database, settings: OutboxSettings) -> Outbox:
        """Return the outbox of a database that has the clinic's tables. Raises `UnavailableError` if it is gone."""
        with translate_errors():
            secret, has_earlier = await database.write(key_secret), await database.read(are_there)
        return cls(secret, settings.tell, has_earlier=has_earlier)

    async def on_change(self, connection: AsyncConnection, change: BookingChange) -> None:
        """Write the change down within the transaction that made it final; it never raises.

        What cannot be written is lost for the CRM, with an error in the log: the booking is worth more.
        """
        try:
            async with connection.begin_nested():
                contact, activity = contact_of(change.patient, self._secret, self._tell), self._activity(change)
                if not (self.has_earlier and await comes_behind(connection, contact, activity)):
                    await ask_for(connection, contact, activity)
        except (SQLAlchemyError, DatabaseError, ValueError) as exc:
            facts = {"change": change.id, "error": type(exc).__name__}
            # If the booking comes to nothing as well, nothing is lost: a database that is gone fails both.
            Database.after_commit(connection, lambda: _logger.error("crm.change_lost", extra=facts))

    def _activity(self, change: BookingChange) -> Activity:
        booking = change.booking
        kind = booking.appointment_type if "appointment_type" in self._tell else _ANY_TYPE
        slot = booking.slot
        return Activity(change.id, change.change, booking.reference, kind, slot.start, slot.end, change.at)
