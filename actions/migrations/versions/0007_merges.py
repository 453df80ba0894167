"""Contacts of the embedded CRM can be merged into another one.

Revision: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; nobody has merged any yet."""
    op.add_column("crm_contacts", sa.Column("merged_into", sa.Integer))
