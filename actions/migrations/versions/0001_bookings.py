"""The tables of version 0.1.0.

Revision: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "bookings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reference", sa.String(16), nullable=False, unique=True),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("conversation", sa.String, nullable=False),
        sa.Column("appointment_type", sa.String, nullable=False),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("start", sa.DateTime, nullable=False),
        sa.Column("end", sa.DateTime, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    live = sa.text("NOT cancelled")
    op.create_index(
        "one_live_booking_per_key", "bookings", ["key"], unique=True, sqlite_where=live, postgresql_where=live
    )
    op.create_index("bookings_of_a_conversation", "bookings", ["conversation", "start"])
    op.create_table(
        "claims",
        sa.Column("booking_id", sa.Integer, sa.ForeignKey("bookings.id"), nullable=False, index=True),
        sa.Column("resource", sa.String, nullable=False),
        sa.Column("cell", sa.DateTime, nullable=False),
        sa.UniqueConstraint("resource", "cell", name="one_claim_per_cell"),
    )
