"""The table behind ``@idempotent``: a row for each key.

docs/howto/run-actions-once.md has it as SQL, for whoever creates tables by hand.
"""

from __future__ import annotations

from collections.abc import Callable

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


def time_of(clock: Callable[[], float] | None) -> ColumnElement[float]:
    """Return the time as statements take it, seconds since 1970: a clock's, and the database's own without one."""
    if clock is not None:
        return literal(clock(), Double)
    return cast(extract("epoch", func.clock_timestamp()), Double)


def started_of(clock: Callable[[], float] | None) -> ColumnElement[float]:
    """Return when the statement began: one time for all rows, so that PostgreSQL can look for it in an index."""
    if clock is not None:
        return time_of(clock)
    return cast(extract("epoch", func.statement_timestamp()), Double)


def is_free(now: ColumnElement[float], *, rerun: bool, token: str) -> ColumnElement[bool]:
    """Return the condition under which a new run may take a row that exists.

    One with the ``token`` is an earlier claim of whoever asks, and was not run.
    """
    over = calls.c.expires_at <= now
    dead = calls.c.lease_until <= now
    running = calls.c.state == "running"
    own = calls.c.answer == token
    return or_(and_(calls.c.state != "running", over), and_(running, or_(own, and_(dead, or_(over, literal(rerun))))))
