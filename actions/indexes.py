"""Indexes that large tables get while calls go on: each by itself, after the migrations, not in their transaction.

On PostgreSQL nobody waits for it (CREATE INDEX CONCURRENTLY). SQLite has nothing of the kind: there whoever writes
waits for one index at a time, which takes about a second for a million rows.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import Database, DatabaseError

logger = logging.getLogger(__name__)

# By name: what is indexed, and of which rows. None is unique: without one everything is right, and slower. The
# condition is what the query says on each database: SQLite compares the two word for word.
_LATE: dict[str, tuple[str, dict[str, str]]] = {
    "bookings_asked_for": ("bookings (system, changed)", {"sqlite": "requested = 1", "postgresql": "requested"}),
    "bookings_of_a_resource": ('bookings (resource, "end")', {}),
}
# A transaction's usual time is for calls. An index of ten million rows may take minutes.
_PATIENCE = 3600.0
# Who waits for SQLite's lock looks for it every tenth of a second only, and is to find it free between two indexes: for
# as long as the last one took, and at most for so many seconds.
_LONGEST_REST = 0.5
# Any number will do, as long as every process of this program takes the same one.
_BUILDING = 0x0AC7_1DE5


async def build_missing(database: Database, url: str | Path, password: Callable[[], str] | None = None) -> None:
    """Build the indexes that a database lacks, at ``url``, with the ``password`` it was opened with.

    What cannot be built is only logged.

    Of several processes one builds, and the others go on without waiting.
    """
    try:
        missing = await database.read(lambda connection: connection.run_sync(_missing))
        if not missing:
            return
        builder = await Database.open(url, lambda _connection: None, patience=_PATIENCE, password=password)
        try:
            await builder.autocommit(lambda connection: _build(connection, missing))
        finally:
            await builder.close()
    except DatabaseError as exc:
        logger.warning("clinic.indexes_missing", extra={"problem": exc.problem})


def _missing(connection: Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        there = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'index'")).scalars())
        return [name for name in _LATE if name not in there]
    valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return [name for name in _LATE if not connection.execute(valid, {"name": name}).scalar()]


async def _build(connection: AsyncConnection, missing: list[str]) -> None:
    if connection.dialect.name == "sqlite":
        for name in missing:
            begun = time.monotonic()
            await connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {_rows(name, 'sqlite')}"))
            await asyncio.sleep(min(time.monotonic() - begun, _LONGEST_REST))
        return
    # Not one that waits: whoever waits in a statement is waited for by CONCURRENTLY.
    lock = {"number": _BUILDING}
    if not (await connection.execute(text("SELECT pg_try_advisory_lock(:number)"), lock)).scalar():
        return
    try:
        for name in await connection.run_sync(_missing):
            # One whose building was cut off is there and of no use.
            await connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
            await connection.execute(text(f"CREATE INDEX CONCURRENTLY {name} ON {_rows(name, 'postgresql')}"))
    finally:
        await connection.execute(text("SELECT pg_advisory_unlock(:number)"), lock)


def _rows(name: str, dialect: str) -> str:
    indexed, conditions = _LATE[name]
    return f"{indexed} WHERE {conditions[dialect]}" if conditions else indexed
