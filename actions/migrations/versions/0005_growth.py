"""Indexes for what was looked for row by row, and a queue of the contacts that the CRM is to be told of.

Revision: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Put what waits for a contact into the queue. The indexes are built when this is done: actions/indexes.py."""
    op.execute(
        sa.text(
            "INSERT INTO crm_leases (contact, holder, until)"
            " SELECT contact, '', MIN(not_before) FROM crm_outbox WHERE state = 'waiting' GROUP BY contact"
            " ON CONFLICT (contact) DO NOTHING"
        )
    )
