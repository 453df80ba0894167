"""What waits to be told to a CRM, and the contacts and activities of the embedded one.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the tables."""
    _create_outbox()
    op.create_table(
        "crm_leases",
        sa.Column("contact", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("until", sa.DateTime, nullable=False),
    )
    op.create_table(
        "crm_secrets",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
    op.create_table(
        "crm_contacts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String),
        sa.Column("email", sa.String),
        sa.Column("phone", sa.String),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("updated_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "crm_activities",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("contact_id", sa.Integer, sa.ForeignKey("crm_contacts.id"), nullable=False, index=True),
        sa.Column("change", sa.String(16), nullable=False),
        sa.Column("reference", sa.String, nullable=False),
        sa.Column("appointment_type", sa.String, nullable=False),
        sa.Column("start", sa.DateTime, nullable=False),
        sa.Column("end", sa.DateTime, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("logged_at", sa.DateTime, nullable=False),
    )


def _create_outbox() -> None:
    op.create_table(
        "crm_outbox",
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("id", sa.String, nullable=False, unique=True),
        sa.Column("contact", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("not_before", sa.DateTime, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("refusals", sa.Integer, nullable=False),
        sa.Column("written_at", sa.DateTime, nullable=False),
        sa.Column("settled_at", sa.DateTime),
        sa.Column("problem", sa.String),
        sa.Column("name", sa.String),
        sa.Column("email", sa.String),
        sa.Column("phone", sa.String),
        sa.Column("change", sa.String(16)),
        sa.Column("reference", sa.String),
        sa.Column("appointment_type", sa.String),
        sa.Column("start", sa.DateTime),
        sa.Column("end", sa.DateTime),
        sa.Column("at", sa.DateTime),
    )
    op.create_index("crm_outbox_of_a_contact", "crm_outbox", ["state", "contact", "seq"])
