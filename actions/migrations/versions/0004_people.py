"""Bookings get what their system calls them, and what people made of them there.

Revision: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; nothing is known of the bookings that there are."""
    op.add_column("bookings", sa.Column("entry_names", sa.String))
    op.add_column("bookings", sa.Column("requested", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("bookings", sa.Column("moved_from", sa.DateTime))
    op.add_column("bookings", sa.Column("untold", sa.Boolean, nullable=False, server_default=sa.false()))
