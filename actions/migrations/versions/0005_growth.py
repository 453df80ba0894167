"""Indexes for what was looked for row by row, and a queue of the contacts that the CRM is to be told of.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the indexes; what waits for a contact puts it into the queue."""
    # As the query says it on each of them: SQLite compares the two word for word.
    on_sqlite, on_postgresql = sa.text("requested = 1"), sa.text("requested")
    op.create_index(
        "bookings_asked_for", "bookings", ["system", "changed"], sqlite_where=on_sqlite, postgresql_where=on_postgresql
    )
    op.create_index("bookings_of_a_resource", "bookings", ["resource", "end"])
    op.create_index("crm_outbox_by_time", "crm_outbox", ["state", "settled_at", "seq"])
    op.create_index("ix_crm_leases_until", "crm_leases", ["until"])
    op.execute(
        sa.text(
            "INSERT INTO crm_leases (contact, holder, until)"
            " SELECT contact, '', MIN(not_before) FROM crm_outbox WHERE state = 'waiting' GROUP BY contact"
            " ON CONFLICT (contact) DO NOTHING"
        )
    )
