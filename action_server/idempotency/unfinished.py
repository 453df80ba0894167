"""Runs of which no answer is stored: those that are under way, and those whose outcome nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Double, and_, delete, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.idempotency.host_clock import host_clock_as_agreed
from action_server.idempotency.table import calls, time_of


@dataclass(frozen=True)
class UnfinishedRun:
    """A row without an answer.

    Attributes:
        state: `running` while its process is alive, `unknown` if that died, `failed` if its rule keeps failures. A
            repeat of the last two is refused, unless the rule says ``on_crash: rerun``.
        lease: how many seconds its process is taken for alive from now on; below zero, for how long it is dead.
        expires: in how many seconds the row is over, and a repeat is a call of its own.
    """

    key: str
    state: Literal["running", "unknown", "failed"]
    owner: str
    lease: float
    expires: float


async def list_unfinished(database: Database, now: float | None = None) -> Sequence[UnfinishedRun]:
    """Return the runs without an answer that are not over, the ones that died first; ``now`` is for tests.

    Raises:
        DatabaseError: the database does not answer.
    """
    time = await _time(database, now)
    lease, expires = (calls.c.lease_until - time).label("lease"), (calls.c.expires_at - time).label("expires")
    # What runs longer than its answer would be kept is running all the same.
    counts = and_(calls.c.state != "done", or_(expires > 0, and_(calls.c.state == "running", lease > 0)))
    query = select(calls.c.key, calls.c.state, calls.c.owner, lease, expires).where(counts)

    async def read(connection: AsyncConnection) -> list[UnfinishedRun]:
        rows = (await connection.execute(query.order_by(calls.c.lease_until, calls.c.key))).all()
        return [UnfinishedRun(r.key, _state(r.state, r.lease), r.owner, r.lease, r.expires) for r in rows]

    return await database.read(read)


async def free_runs(database: Database, keys: Sequence[str], now: float | None = None) -> int:
    """Delete the rows of these keys, so that a repeat runs; return how many. What is running now is left as it is.

    Raises:
        DatabaseError: the database does not answer; nothing was freed.
    """
    over = calls.c.lease_until <= await _time(database, now)
    dead = or_(calls.c.state == "failed", and_(calls.c.state == "running", over))

    async def free(connection: AsyncConnection) -> int:
        count: int = (await connection.execute(delete(calls).where(calls.c.key.in_(keys), dead))).rowcount
        return count

    return await database.write(free)


async def _time(database: Database, now: float | None) -> ColumnElement[float]:
    return time_of(await host_clock_as_agreed(database)) if now is None else literal(now, Double)


def _state(state: str, lease: float) -> Literal["running", "unknown", "failed"]:
    if state == "failed":
        return "failed"
    return "running" if lease > 0 else "unknown"
