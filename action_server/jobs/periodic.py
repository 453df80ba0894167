"""Periodic jobs: one row for ever each, made by the first worker that comes, and due again after each good run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.jobs.definitions import Job
from action_server.jobs.queue import Claimed, JobQueue
from action_server.jobs.table import PERIODIC, jobs


def id_of(name: str) -> str:
    """Return the id of the row of a periodic job: the same in every process."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return PERIODIC + digest[: 32 - len(PERIODIC)]


def is_periodic(claimed: Claimed) -> bool:
    """Tell whether this is the row of a periodic job: one that was asked for beside it is as any other."""
    return claimed.id.startswith(PERIODIC)


class PeriodicJobs:
    """Keeps the rows of those of these jobs that are periodic, in one queue."""

    def __init__(self, queue: JobQueue, jobs: Mapping[str, Job[..., Any]]) -> None:
        self._queue = queue
        self._every = {name: job.rules.every for name, job in jobs.items() if job.rules.every is not None}
        self._deadlines = {name: jobs[name].rules.deadline for name in self._every}
        self._is_first = True

    async def look(self) -> None:
        """Make the rows that are not there; the first time, let no job wait longer than it says now.

        One that was cancelled stays so. Raises `DatabaseError`.
        """
        if not self._every:
            return
        found = await self._states()
        for name in self._every:
            state = found.get(id_of(name))
            if state is None:
                await self._queue.add_periodic(name, id_of(name), self._deadlines[name])
            elif state in ("done", "parked"):
                # Of a version in which it was not periodic.
                await self._change(name, jobs.c.state == state, due_at=self._queue.now())
        if self._is_first:
            await self._shorten()
        self._is_first = False

    async def _states(self) -> Mapping[str, str]:
        query = select(jobs.c.id, jobs.c.state).where(jobs.c.id.in_([id_of(name) for name in self._every]))

        async def read(connection: AsyncConnection) -> Mapping[str, str]:
            return {row.id: row.state for row in await connection.execute(query)}

        return await self._queue.database.read(read)

    async def _shorten(self) -> None:
        """Have what waits for its next turn, and for nothing else, do so no longer than it says now."""
        for name, every in self._every.items():
            latest = self._queue.now() + every
            waits = and_(jobs.c.state == "waiting", jobs.c.problem.is_(None), jobs.c.due_at > latest)
            await self._change(name, waits, due_at=latest)

    async def _change(self, name: str, where: ColumnElement[bool], **values: Any) -> None:
        changing = update(jobs).where(jobs.c.id == id_of(name), where).values(state="waiting", ended_at=None, **values)
        await self._queue.database.autocommit(lambda connection: connection.execute(changing))
