"""What the CRM is to be told waits as jobs from here on; the tables of the outbox before them go.

At once where no CRM was ever told of anything. Otherwise servers of the version before, which cannot start on this
database any more but may still run, go on using them for a day: actions/crm/earlier.py moves what waits there.

Revision: 0008
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Drop the tables, or keep them for a day; those of jobs are made by the server."""
    # The secret is written when a server that has a CRM begins.
    if op.get_bind().scalar(sa.text("SELECT name FROM crm_secrets LIMIT 1")) is None:
        op.drop_table("crm_outbox")
        op.drop_table("crm_leases")
        return
    # Of nobody: as long as it runs, the tables stay.
    leases = sa.table("crm_leases", sa.column("contact"), sa.column("holder"), sa.column("until", sa.DateTime))
    tomorrow = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(days=1)
    op.execute(leases.insert().values(contact="", holder="jobs", until=tomorrow))
