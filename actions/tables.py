"""The clinic's tables: one `MetaData` for all of them. `actions.migrations` makes them; a test compares the two."""

from __future__ import annotations

from datetime import datetime, timezone

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    and_,
    false,
)
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """Stores an instant as UTC without a zone, which every database can sort, and gives it back with one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant as it is stored."""
        return None if value is None else value.astimezone(timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant as it was."""
        return None if value is None else value.replace(tzinfo=timezone.utc)


metadata = MetaData()

# Every time that was ever claimed for somebody. A booking that moves gets a new row that keeps its reference.
bookings = Table(
    "bookings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(36), nullable=False, unique=True),
    Column("reference", String(16), nullable=False),
    Column("key", String(64), nullable=False),
    Column("conversation", String, nullable=False),
    Column("name", String),
    Column("email", String),
    Column("phone", String),
    Column("appointment_type", String, nullable=False),
    Column("resource", String, nullable=False),
    Column("start", UtcDateTime, nullable=False),
    Column("end", UtcDateTime, nullable=False),
    # pending, confirmed, cancelling, cancelled: `actions.scheduling.records.State`
    Column("state", String(10), nullable=False),
    # Null until it was confirmed: what never was is given up without anybody being told.
    Column("confirmed_at", UtcDateTime),
    # When somebody last began to work on it. It grows with every change, so that it also tells who was last.
    Column("changed", UtcDateTime, nullable=False),
    # The system elsewhere that keeps it as well; null if there is none.
    Column("system", String(40)),
    Column("replaces", ForeignKey("bookings.id"), index=True),
    # What that system calls what was written there, separated by spaces; null if it is not known.
    Column("entry_names", String),
    # Whether somebody at the clinic still has to agree to it.
    Column("requested", Boolean, nullable=False, server_default=false()),
    # When it was before people at the clinic moved it; null if they did not.
    Column("moved_from", UtcDateTime),
    # People at the clinic cancelled it, and its patient has not been told.
    Column("untold", Boolean, nullable=False, server_default=false()),
)
# Partial: a cancelled booking stays on record, and its key may be booked again. Where a booking moved to has no key.
_holds_its_key = and_(bookings.c.state.in_(("pending", "confirmed")), bookings.c.replaces.is_(None))
Index(
    "one_live_booking_per_key",
    bookings.c.key,
    unique=True,
    sqlite_where=_holds_its_key,
    postgresql_where=_holds_its_key,
)
Index(
    "one_booking_per_reference",
    bookings.c.reference,
    unique=True,
    sqlite_where=bookings.c.replaces.is_(None),
    postgresql_where=bookings.c.replaces.is_(None),
)
Index("bookings_of_a_conversation", bookings.c.conversation, bookings.c.start)
Index("bookings_by_state", bookings.c.state, bookings.c.changed)
# Of all that were ever confirmed, the few that the clinic has yet to agree to.
Index(
    "bookings_asked_for",
    bookings.c.system,
    bookings.c.changed,
    sqlite_where=bookings.c.requested,
    postgresql_where=bookings.c.requested,
)
# By their end: who looks for those at a time reads what is to come after it, not all that there was before.
Index("bookings_of_a_resource", bookings.c.resource, bookings.c.end)

claims = Table(
    "claims",
    metadata,
    Column("booking_id", ForeignKey(bookings.c.id), nullable=False, index=True),
    Column("resource", String, nullable=False),
    Column("cell", UtcDateTime, nullable=False),
    # The guard against double booking. Everything else in this package is politeness.
    UniqueConstraint("resource", "cell", name="one_claim_per_cell"),
)
