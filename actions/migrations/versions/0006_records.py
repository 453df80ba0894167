"""Which record of the CRM a contact is: people merge records, after which the contact's key may be gone.

Revision: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "crm_records",
        sa.Column("contact", sa.String(64), primary_key=True),
        sa.Column("system", sa.String(40), primary_key=True),
        sa.Column("record", sa.String(64), nullable=False),
    )
