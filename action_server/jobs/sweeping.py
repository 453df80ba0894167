"""What is done about a queue from time to time: jobs that ended long ago go, and lines that stand still go on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Delete, Select, and_, delete, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.jobs.claiming import Times
from action_server.jobs.measuring import MOST_NAMES, distinct
from action_server.jobs.ordering import Lines
from action_server.jobs.table import PERIODIC, is_blocked, is_periodic_row, job_order, jobs, keys

logger = logging.getLogger("action_server.jobs")

# Of one name, how many lines are looked at each time; those after them the next time.
LINES = 500


class Sweeper:
    """Clears up one queue. ``known`` returns the clock, where ``times`` want one."""

    def __init__(
        self, database: Database, times: Times, lines: Lines, known: Callable[[], Mapping[str, float]]
    ) -> None:
        self._database = database
        self._times = times
        self._lines = lines
        self._known = known
        # By name, the last line that was looked at, if there are more.
        self._seen: dict[str, str] = {}

    async def delete_old(self, keep: float, keep_parked: float, limit: int) -> int:
        """Delete jobs that ended so many seconds ago, with all that belongs to them, a batch; return how many.

        Of a parked one nobody has taken care by now: that is said. Not counted are rows of periodic jobs that no worker
        has had for so long. Raises `DatabaseError`.
        """
        old = _old(self._times, keep, keep_parked, limit)

        async def sweep(connection: AsyncConnection) -> Counter[tuple[str, str]]:
            rows = (await connection.execute(old, self._known())).all()
            ids = [row.id for row in rows]
            for of_job in (keys.c.job_id, job_order.c.job_id, jobs.c.id):
                await connection.execute(delete(of_job.table).where(of_job.in_(ids)))
            return Counter((row.name, row.state) for row in rows)

        await self._database.autocommit(
            lambda connection: connection.execute(_of_nobody(self._times, keep), self._known())
        )
        deleted = await self._database.write(sweep)
        for (name, state), count in deleted.items():
            if state == "parked":
                logger.warning("job.parked_deleted", extra={"job": name, "count": count})
        return deleted.total()

    async def move_lines_on(self) -> int:
        """Let lines go on whose first job has ended without their knowing; return how many.

        An older version ended it, or a hand in the database. Raises `DatabaseError`.
        """
        moved = 0
        for row in await self._database.read(_names):
            name = row.value
            lines = await self._database.read(partial(_lines_after, name, self._seen.get(name, "")))
            self._seen[name] = lines[-1].value if len(lines) == LINES else ""
            still = [one.value for one in lines if one.due_at is None]
            for line in still:
                await self._database.write(partial(self._move_on, line))
            if still:
                logger.warning("job.order_repaired", extra={"job": name, "count": len(still)})
            moved += len(still)
        return moved

    async def _move_on(self, line: str, connection: AsyncConnection) -> None:
        await self._lines.hold(connection, line)
        await self._lines.move_on(connection, line, self._known())


def _old(times: Times, keep: float, keep_parked: float, limit: int) -> Select[Any]:
    now = times.started
    is_old = or_(and_(jobs.c.state != "parked", jobs.c.ended_at <= now - keep), jobs.c.ended_at <= now - keep_parked)
    # The first part is for the index: what may be old at all.
    may_be_old = jobs.c.ended_at <= now - min(keep, keep_parked)
    # A periodic job that was cancelled would begin anew: its worker makes the row again.
    is_cancelled_for_good = and_(jobs.c.state == "cancelled", is_periodic_row)
    old = select(jobs.c.id, jobs.c.name, jobs.c.state).where(may_be_old, is_old, not_(is_cancelled_for_good))
    return old.order_by(jobs.c.ended_at).limit(limit).with_for_update(skip_locked=True)


def _of_nobody(times: Times, keep: float) -> Delete:
    """Delete periodic jobs that have been due for so long: no version runs any more that has them."""
    # By a range of the primary key: beside it there may be millions of rows. No hexadecimal digit comes after "f".
    rows = and_(jobs.c.id >= PERIODIC, jobs.c.id < f"{PERIODIC}g")
    return delete(jobs).where(rows, jobs.c.state == "waiting", jobs.c.due_at <= times.started - keep)


async def _names(connection: AsyncConnection) -> Sequence[Any]:
    return (await connection.execute(distinct(job_order.c.name, is_blocked).limit(MOST_NAMES))).all()


async def _lines_after(name: str, seen: str, connection: AsyncConnection) -> Sequence[Any]:
    """Return lines in which somebody waits behind another one, with when the first one is due: never, if it ended."""
    of_name = and_(job_order.c.name == name, is_blocked)
    lines = distinct(job_order.c.ordering_key, of_name, after=seen).limit(LINES).subquery("lines")
    in_line = and_(job_order.c.ordering_key == lines.c.value, job_order.c.position.is_not(None))
    first = select(job_order.c.job_id).where(in_line).order_by(job_order.c.position).limit(1).correlate(lines)
    due_at = select(jobs.c.due_at).where(jobs.c.id == first.scalar_subquery()).scalar_subquery()
    return (await connection.execute(select(lines.c.value, due_at.label("due_at")).order_by(lines.c.value))).all()
