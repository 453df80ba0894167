"""What the CRM is to be told waits as jobs from here on.

Nothing is changed here: servers of the version before, which cannot start on this database any more but may still run,
go on using their outbox. A job moves what waits there (actions/crm/earlier.py). A later revision drops its tables.

Revision: 0008
"""

from __future__ import annotations

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Mark the database; the tables of jobs are made by the server."""
