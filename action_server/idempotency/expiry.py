"""Deleting what is over, a little at a time: calls use the same table, and on SQLite the same write lock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.idempotency.table import calls

# Rows. One transaction for all that is over holds the lock for as long as that takes: at 10^6 rows, half a minute.
FIRST_BATCH, LEAST_BATCH, LARGEST_BATCH = 50, 10, 500
# Seconds. How long a batch may take; what takes longer is followed by a smaller one.
BATCH_TIME = 0.01
# Between batches there are so many times as long as one took, and at least so many seconds, for everybody else: several
# workers may be at it, and who waits for SQLite's lock looks for it now and then only.
_REST, _SHORTEST_REST = 5.0, 0.02


async def delete_expired(
    database: Database,
    now: Callable[[], ColumnElement[float]],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> int:
    """Delete every row whose lifetime is over and that nobody runs; return how many there were.

    ``now`` gives the time as the database's statements take it, seconds since 1970; ``sleep`` is for tests.

    Raises:
        DatabaseError: the database does not answer; what was deleted before is gone.
    """
    count, limit = 0, FIRST_BATCH
    while True:
        deleted, took = await _delete_batch(database, now(), limit)
        count += deleted
        if deleted < limit:
            return count
        limit = min(2 * limit, LARGEST_BATCH) if took < BATCH_TIME / 2 else limit
        limit = max(limit // 2, LEAST_BATCH) if took > BATCH_TIME else limit
        await sleep(max(_REST * took, _SHORTEST_REST))


async def _delete_batch(database: Database, now: ColumnElement[float], limit: int) -> tuple[int, float]:
    """Delete up to so many rows; return how many, and for how many seconds that held the lock."""
    over = and_(calls.c.expires_at <= now, or_(calls.c.state != "running", calls.c.lease_until <= now))
    oldest = select(calls.c.key).where(over).order_by(calls.c.expires_at).limit(limit)
    # A row that somebody is just taking again is not ours to wait for. SQLite's lock is on everything anyway.
    batch = delete(calls).where(calls.c.key.in_(oldest.with_for_update(skip_locked=True)))

    async def work(connection: AsyncConnection) -> tuple[int, float]:
        began = time.monotonic()
        deleted = (await connection.execute(batch)).rowcount
        return deleted, time.monotonic() - began

    return await database.write(work)
