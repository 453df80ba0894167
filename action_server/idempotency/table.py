"""The table behind ``@idempotent``: a row for each key.

docs/howto/run-actions-once.md has it as SQL, for whoever creates tables by hand.
"""

from __future__ import annotations

import time

from sqlalchemy import (
    Column,
    ColumnElement,
    Double,
    MetaData,
    String,
    Table,
    Text,
    and_,
    cast,
    extract,
    func,
    literal,
    or_,
)

metadata = MetaData()

calls = Table(
    "action_server_once",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("state", String(8), nullable=False),
    Column("owner", String(16), nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Column("answer", Text),
)


def time_of(dialect: str) -> ColumnElement[float]:
    """Return the time as statements take it, seconds since 1970: the host's on SQLite, the database's elsewhere."""
    if dialect == "sqlite":
        return literal(time.time(), Double)
    return cast(extract("epoch", func.clock_timestamp()), Double)


def is_free(now: ColumnElement[float], *, rerun: bool) -> ColumnElement[bool]:
    """Return the condition under which a new run may take a row that exists."""
    over = calls.c.expires_at <= now
    dead = calls.c.lease_until <= now
    return or_(
        and_(calls.c.state != "running", over), and_(calls.c.state == "running", dead, or_(over, literal(rerun)))
    )
