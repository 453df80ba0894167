"""Bookings get a state, the patient's name and addresses, and what a calendar elsewhere needs.

Revision: 0002

The tables are made anew: SQLite cannot drop the constraint that gave each row a reference of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables anew with the rows of the old ones."""
    connection = op.get_bind()
    # Instants pass through as each database stores them.
    old = sa.MetaData()
    old_bookings = sa.Table("bookings", old, autoload_with=connection)
    old_claims = sa.Table("claims", old, autoload_with=connection)
    held = connection.execute(sa.select(old_bookings)).mappings().all()
    cells = [dict(row) for row in connection.execute(sa.select(old_claims)).mappings()]
    op.drop_table("claims")
    op.drop_table("bookings")
    bookings, claims = _create_bookings(), _create_claims()
    if held:
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        op.bulk_insert(bookings, [_with_state(row, now) for row in held])
        op.bulk_insert(claims, cells)
    if held and connection.dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('bookings', 'id'), (SELECT max(id) FROM bookings))")


def _with_state(row: sa.RowMapping, now: datetime) -> dict[str, Any]:
    values = dict(row)
    state = "cancelled" if values.pop("cancelled") else "confirmed"
    return {**values, "uid": str(uuid.uuid4()), "state": state, "confirmed_at": now, "changed": now}


def _create_bookings() -> sa.Table:
    table = op.create_table(
        "bookings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("uid", sa.String(36), nullable=False, unique=True),
        sa.Column("reference", sa.String(16), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("conversation", sa.String, nullable=False),
        sa.Column("name", sa.String),
        sa.Column("email", sa.String),
        sa.Column("phone", sa.String),
        sa.Column("appointment_type", sa.String, nullable=False),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("start", sa.DateTime, nullable=False),
        sa.Column("end", sa.DateTime, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("confirmed_at", sa.DateTime),
        sa.Column("changed", sa.DateTime, nullable=False),
        sa.Column("system", sa.String(40)),
        sa.Column("replaces", sa.Integer, sa.ForeignKey("bookings.id"), index=True),
    )
    _create_guard("one_live_booking_per_key", ["key"], "state IN ('pending', 'confirmed') AND replaces IS NULL")
    _create_guard("one_booking_per_reference", ["reference"], "replaces IS NULL")
    op.create_index("bookings_of_a_conversation", "bookings", ["conversation", "start"])
    op.create_index("bookings_by_state", "bookings", ["state", "changed"])
    return table


def _create_guard(name: str, columns: Sequence[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "bookings", columns, unique=True, sqlite_where=where, postgresql_where=where)


def _create_claims() -> sa.Table:
    return op.create_table(
        "claims",
        sa.Column("booking_id", sa.Integer, sa.ForeignKey("bookings.id"), nullable=False, index=True),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("cell", sa.DateTime, nullable=False),
        sa.UniqueConstraint("resource", "cell", name="one_claim_per_cell"),
    )
