"""Periodic jobs: one row for ever each, made by the first worker that comes, and due again after each good run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.jobs.definitions import Job
from action_server.jobs.queue import Claimed, JobQueue, Order
from action_server.jobs.table import PERIODIC, jobs


def id_of(name: str) -> str:
    """Return the id of the row of a periodic job: the same in every process."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return PERIODIC + digest[: 32 - len(PERIODIC)]


def is_periodic(claimed: Claimed) -> bool:
    """Tell whether this is the row of a periodic job: one that was asked for beside it is as any other."""
    return claimed.id.startswith(PERIODIC)


def result_id(claimed: Claimed) -> str:
    """Return by what id it is known what a run says: the job's own, and another one for each turn of a periodic one."""
    if not is_periodic(claimed):
        return claimed.id
    return hashlib.sha256(f"{claimed.id} {claimed.fence}".encode()).hexdigest()[: len(claimed.id)]


async def run_again(
    queue: JobQueue, claimed: Claimed, every: float, deadline: float, then: Order | None = None
) -> bool:
    """Let a periodic job that ended well begin anew in ``every`` seconds, as if it were asked for now.

    ``deadline`` seconds after that somebody may say that no worker knows it. With that the order ``then`` is written: a
    turn that is repeated has another fence, and would say its result under another id. Returns False if the run was
    taken over: then neither is written.
    """
    due_at = queue.now() + every
    values = {"state": "waiting", "due_at": due_at, "deadline_at": due_at + deadline, "created_at": queue.now()}
    anew = {"attempt": 0, "losses": 0, "problem": None, "progress": None, "said": None, "owner": None}
    return await queue.end(claimed, {**values, **anew}, then)


async def rest(queue: JobQueue, claimed: Claimed, pause: float, problem: str) -> bool:
    """Let a periodic job whose processes died wait for ``pause`` seconds, and forget that they did.

    Returns False if the run was taken over.
    """
    due_at = queue.now() + pause
    return await queue.change(claimed, state="waiting", due_at=due_at, owner=None, losses=0, problem=problem)


class _Seen(NamedTuple):
    state: str
    due_in: float | None
    problem: str | None


class PeriodicJobs:
    """Keeps the rows of those of these jobs that are periodic, in one queue."""

    def __init__(self, queue: JobQueue, jobs: Mapping[str, Job[..., Any]]) -> None:
        self._queue = queue
        self._rules = {id_of(name): job.rules for name, job in jobs.items() if job.rules.every is not None}
        self._names = {id_of(name): name for name in jobs}
        self._insert = sqlite.insert if queue.database.dialect == "sqlite" else postgresql.insert

    async def look(self) -> None:
        """Make the rows that are not there, and let none wait longer for its next turn than its job says now.

        One that was cancelled stays so. Raises `DatabaseError`.
        """
        found = await self._find() if self._rules else {}
        for job_id, rules in self._rules.items():
            every, seen, now = rules.every or 0.0, found.get(job_id), self._queue.now()
            if seen is None:
                await self._add(job_id, rules.deadline)
            elif seen.state in ("done", "parked"):
                # Of a version in which it was not periodic.
                await self._change(job_id, jobs.c.state == seen.state, state="waiting", due_at=now, ended_at=None)
            elif seen.state == "waiting" and seen.problem is None and (seen.due_in or 0.0) > every:
                # It has another `every` now, or the database's clock was set back.
                waits = and_(jobs.c.state == "waiting", jobs.c.problem.is_(None), jobs.c.due_at > now + every)
                await self._change(job_id, waits, due_at=now + every)

    async def _find(self) -> Mapping[str, _Seen]:
        due_in = (jobs.c.due_at - self._queue.now()).label("due_in")
        query = select(jobs.c.id, jobs.c.state, due_in, jobs.c.problem).where(jobs.c.id.in_(self._rules))

        async def read(connection: AsyncConnection) -> Mapping[str, _Seen]:
            return {job_id: _Seen(*seen) for job_id, *seen in await connection.execute(query)}

        return await self._queue.database.read(read)

    async def _add(self, job_id: str, deadline: float) -> None:
        now = self._queue.now()
        values = {
            "arguments": "{}",
            "state": "waiting",
            "due_at": now,
            "created_at": now,
            "deadline_at": now + deadline,
        }
        adding = self._insert(jobs).values(id=job_id, name=self._names[job_id], **values).on_conflict_do_nothing()
        await self._queue.database.autocommit(lambda connection: connection.execute(adding))

    async def _change(self, job_id: str, where: ColumnElement[bool], **values: Any) -> None:
        changing = update(jobs).where(jobs.c.id == job_id, where).values(**values)
        await self._queue.database.autocommit(lambda connection: connection.execute(changing))
