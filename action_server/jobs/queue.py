"""The queue of jobs in a database that workers share: a SQLite file on one host, PostgreSQL on any number of them.

A run has a lease and a fence. While its process is alive, the lease is renewed; when it is over, any worker takes the
job over, without anybody's doing, and gives it the next fence. Whoever writes how a run went has to name its fence:
what was taken over in the meantime writes nothing.

What is one statement is sent without a transaction around it: by itself it is as whole, and takes a third of the round
trips.

Time is the database's on PostgreSQL, so that hosts need not agree, and the host's on SQLite, whose processes share one:
an even one there (:mod:`action_server.idempotency.host_clock`).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, null, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.errors import DatabaseError, JobError
from action_server.idempotency.host_clock import plain_clock
from action_server.idempotency.table import time_of
from action_server.jobs.claiming import BESIDE, Looking, adding, looking_for, times_of
from action_server.jobs.endings import End, Endings, ending
from action_server.jobs.measuring import Depth, forsaken, measure
from action_server.jobs.ordering import Lines, line_of
from action_server.jobs.origin import forgotten, is_to_forget
from action_server.jobs.sweeping import Sweeper
from action_server.jobs.table import jobs, keys

# Seconds. A run whose process did not renew its lease for so long is taken over.
LEASE = 15.0
_MOST_WORDS = 200
_FORGOTTEN = {"arguments": "{}", "conversation": ""}


@dataclass(frozen=True)
class Order:
    """What is asked for: a job by name, its arguments as JSON text, and where it comes from.

    ``delay`` and ``deadline`` are seconds from now. Those of one name with the same ``ordering_key`` run one after the
    other.
    """

    name: str
    arguments: str
    delay: float
    deadline: float
    key: str | None = None
    conversation: str = ""
    request_id: str = ""
    traceparent: str = ""
    ordering_key: str | None = None


@dataclass(frozen=True)
class Ordered:
    """The id of a job, and whether this made it: False if one with the same key was there."""

    id: str
    is_new: bool


@dataclass(frozen=True)
class Claimed:
    """A job that is ours to run, until its lease is over or somebody else has it.

    ``attempt`` counts from 1; ``left`` is how many seconds there are to the deadline, below 0 when it has passed;
    ``line`` is that of its ordering key, None without one.
    """

    id: str
    name: str
    arguments: str
    attempt: int
    losses: int
    fence: int
    left: float
    waited: float
    cancel_asked: bool
    conversation: str
    request_id: str
    traceparent: str
    line: str | None = None


class JobQueue:
    """One worker's hands on the queue. ``clock`` is that of a SQLite file's host, in seconds since 1970."""

    def __init__(self, database: Database, *, lease: float = LEASE, clock: Callable[[], float] | None = None) -> None:
        self.database = database
        self.owner = secrets.token_hex(8)
        self.lease = lease
        # Called when a job was written that may be run at once.
        self.wake: Callable[[], None] = _nothing
        # What workers of this package look for here; None if nobody said so.
        self.names: Collection[str] | None = None
        self._clock = clock or plain_clock(database)
        self._times = times_of(is_given=self._clock is not None)
        self._endings = Endings(self._write_done)
        # Of the two statements that lock several of our rows, in any order: at once, each could wait for the other.
        self._locking = asyncio.Lock()
        self._statements: dict[tuple[str, ...], Looking] = {}
        self._ending: dict[int, Update] = {}
        self._insert = sqlite.insert if database.dialect == "sqlite" else postgresql.insert
        self._adding = adding(self._times)
        self._lines = Lines(database.dialect, self._times)
        self._sweeper = Sweeper(database, self._times, self._lines, self._clock_given)

    async def enqueue(self, order: Order, connection: AsyncConnection | None = None) -> Ordered:
        """Write a job down, in the transaction of ``connection`` if one is given, in one of its own otherwise.

        Raises:
            JobError: the connection is one to another database, or the tables are not there.
            DatabaseError: the database does not answer; nothing was written.
        """

        async def write(connection: AsyncConnection) -> Ordered:
            return await self._write(connection, order)

        if connection is None and order.key is None and order.ordering_key is None:
            job_id, ordered = self._new(order)
            await self.database.autocommit(lambda connection: connection.execute(self._adding, ordered))
            self.wake()
            return Ordered(job_id, is_new=True)
        if connection is None:
            return await self.database.write(write)
        if not self.database.is_that_of(connection):
            raise JobError(
                f"job {order.name}: the connection is one to another database than that of the job: the server's "
                "`database`, or the one that was given to keep_jobs"
            )
        try:
            return await write(connection)
        except SQLAlchemyError as exc:
            raise DatabaseError from exc

    async def _write(self, connection: AsyncConnection, order: Order) -> Ordered:
        job_id, row = self._new(order)
        line = line_of(order.name, order.ordering_key)
        if line is not None:
            await self._lines.hold(connection, line)
        if order.key is not None:
            digest = hashlib.sha256(f"{order.name}\n{order.key}".encode("utf-8", "surrogatepass")).hexdigest()
            taking = self._insert(keys).values(key=digest, job_id=job_id)
            if not (await connection.execute(taking.on_conflict_do_nothing().returning(keys.c.key))).first():
                first = await connection.execute(select(keys.c.job_id).where(keys.c.key == digest))
                return Ordered(str(first.scalar_one()), is_new=False)
        if line is not None:
            place = (line, job_id, order.name, order.delay, self._clock_given())
            if await self._lines.join(connection, *place):
                # A time that is not known: it is due when those before it have ended.
                row["delay"] = None
        await connection.execute(self._adding, row)
        self.database.after_commit(connection, self.wake)
        return Ordered(job_id, is_new=True)

    def _new(self, order: Order) -> tuple[str, dict[str, Any]]:
        """Return a new id, and the parameters of the statement that adds the job."""
        job_id = secrets.token_hex(16)
        return job_id, {
            "id": job_id,
            "name": order.name,
            "arguments": order.arguments,
            "conversation": order.conversation,
            "request_id": order.request_id[:200],
            "traceparent": order.traceparent[:200],
            "delay": order.delay,
            "time": order.deadline,
            **self._clock_given(),
        }

    async def claim(self, names: Collection[str], limit: int) -> Sequence[Claimed]:
        """Take up to so many jobs that are due, of those whose names are known here; the ones due longest first."""
        if not names:
            return []
        known = {"most": limit, "window": limit + BESIDE, "by": self.owner, "lease": self.lease, **self._clock_given()}
        taking = self._looking(names).take

        async def take(connection: AsyncConnection) -> list[Claimed]:
            rows = await connection.execute(taking, known)
            return [Claimed(**row._mapping) for row in rows]

        return await self.database.autocommit(take)

    async def next_due(self, names: Collection[str]) -> float | None:
        """Return in how many seconds the next job of these names is due, 0 or less if one is; None if there is none."""
        if not names:
            return None
        query, known = self._looking(names).due, self._clock_given()

        async def look(connection: AsyncConnection) -> float | None:
            found: float | None = (await connection.execute(query, known)).scalar()
            return found

        return await self.database.autocommit(look)

    def _looking(self, names: Collection[str]) -> Looking:
        key = tuple(sorted(names))
        found = self._statements.get(key)
        if found is None:
            found = self._statements[key] = looking_for(key, self._times)
        return found

    def _clock_given(self) -> dict[str, float]:
        return {} if self._clock is None else {"clock": self._clock()}

    async def renew(self, claimed: Sequence[Claimed]) -> tuple[set[str], set[str]]:
        """Renew the leases of runs; return the ids of those that are still ours, and of those to be cancelled."""
        ids = [one.id for one in claimed]
        fences = {one.id: one.fence for one in claimed}
        mine = and_(jobs.c.id.in_(ids), jobs.c.owner == self.owner, jobs.c.state == "running")
        renewing = update(jobs).where(mine).values(due_at=self.now() + self.lease)

        async def renew(connection: AsyncConnection) -> tuple[set[str], set[str]]:
            rows = (await connection.execute(renewing.returning(jobs.c.id, jobs.c.fence, jobs.c.cancel_asked))).all()
            ours = [row for row in rows if fences[row.id] == row.fence]
            return {row.id for row in ours}, {row.id for row in ours if row.cancel_asked}

        async with self._locking:
            return await self.database.autocommit(renew)

    async def report(self, claimed: Claimed, progress: float | None, said: str) -> bool:
        """Write down how far a run has come. Returns False if it is somebody else's by now."""
        given = {} if progress is None else {"progress": progress}
        return await self.change(claimed, said=said[:_MOST_WORDS], **given)

    async def done(self, claimed: Claimed, result: str, *, forget: bool = False) -> bool:
        """Write down that a job is done; with ``forget`` its arguments and its conversation are deleted with that.

        Returns False if the run was taken over: then nothing was written.
        """
        if claimed.line is None and not forget:
            return await self._endings.add(claimed.id, claimed.fence, result)
        values = {**self._ended("done"), "result": result, "problem": None, **(_FORGOTTEN if forget else {})}
        return await self.end(claimed, values, is_over=True)

    async def _write_done(self, ends: Sequence[End]) -> Collection[tuple[str, int]]:
        known: dict[str, Any] = {"by": self.owner, **self._clock_given()}
        for number, end in enumerate(ends):
            known |= {f"id_{number}": end.id, f"fence_{number}": end.fence, f"result_{number}": end.result}
        if len(ends) not in self._ending:
            self._ending[len(ends)] = ending(len(ends), self._times)
        writing = self._ending[len(ends)]

        async def write(connection: AsyncConnection) -> Collection[tuple[str, int]]:
            rows = await connection.execute(writing, known)
            return {(row.id, row.fence) for row in rows}

        async with self._locking:
            return await self.database.autocommit(write)

    async def retry(self, claimed: Claimed, pause: float, problem: str, *, is_attempt: bool = True) -> bool:
        """Let a job that failed be run again in ``pause`` seconds. Returns False if the run was taken over."""
        values = {"state": "waiting", "due_at": self.now() + pause, "owner": None, "problem": problem[:300]}
        return await self.change(claimed, **values, attempt=claimed.attempt if is_attempt else claimed.attempt - 1)

    async def park(self, claimed: Claimed, problem: str, then: Order | None = None) -> bool:
        """Give a job up until somebody looks after it, and write down another one with that.

        Returns False if the run was taken over: then neither is written.
        """
        return await self.end(claimed, {**self._ended("parked"), "problem": problem[:300]}, then)

    async def cancelled(self, claimed: Claimed, *, forget: bool = False) -> bool:
        """Write down that a run ended because it was cancelled; with ``forget`` as when it is done.

        Returns False if it was taken over.
        """
        return await self.end(claimed, {**self._ended("cancelled"), **(_without(claimed.arguments) if forget else {})})

    async def give_back(self, claimed: Claimed, pause: float = 0.0) -> bool:
        """Let somebody else run a job that a shutdown cut off, in ``pause`` seconds; that is no attempt."""
        values = {"state": "waiting", "due_at": self.now() + pause, "owner": None, "attempt": jobs.c.attempt - 1}
        return await self.change(claimed, **values)

    async def change(self, claimed: Claimed, **values: Any) -> bool:
        """Write these values into the row of a run. Returns False if it was taken over."""

        async def write(connection: AsyncConnection) -> bool:
            return await self._update_in(connection, claimed, values)

        return await self.database.autocommit(write)

    async def end(
        self, claimed: Claimed, values: Mapping[str, Any], then: Order | None = None, *, is_over: bool = False
    ) -> bool:
        """Write how a run ended, and what is to happen with that: another order, and the next one of its line."""
        if claimed.line is None and then is None:
            return await self.change(claimed, **values)

        async def write(connection: AsyncConnection) -> bool:
            if claimed.line is not None:
                await self._lines.hold(connection, claimed.line)
            if not await self._update_in(connection, claimed, values):
                return False
            if then is not None:
                await self._write(connection, then)
            if claimed.line is not None:
                await self._leave(connection, claimed.line, claimed.id, is_over=is_over)
            return True

        return await self.database.write(write)

    async def _leave(self, connection: AsyncConnection, line: str, job_id: str, *, is_over: bool = False) -> None:
        if await self._lines.leave(connection, line, job_id, self._clock_given(), is_over=is_over):
            self.database.after_commit(connection, self.wake)

    async def _update_in(self, connection: AsyncConnection, claimed: Claimed, values: Mapping[str, Any]) -> bool:
        mine = and_(
            jobs.c.id == claimed.id,
            jobs.c.owner == self.owner,
            jobs.c.fence == claimed.fence,
            jobs.c.state == "running",
        )
        count: int = (await connection.execute(update(jobs).where(mine).values(**values))).rowcount
        return count > 0

    async def cancel(self, job_id: str) -> str | None:
        """Cancel a job: one that waits at once, one that runs as soon as its worker sees it.

        Returns what it was before, None if nobody knows it. One that has ended is left as it is. What was given to one
        that `forgets` is deleted.
        """
        found = select(jobs.c.state, jobs.c.arguments).where(jobs.c.id == job_id).with_for_update()
        waiting = update(jobs).where(jobs.c.id == job_id, or_(jobs.c.state == "waiting", jobs.c.state == "parked"))
        running = update(jobs).where(jobs.c.id == job_id, jobs.c.state == "running").values(cancel_asked=True)

        async def cancel(connection: AsyncConnection) -> str | None:
            line = await self._lines.hold_that_of(connection, job_id)
            row = (await connection.execute(found)).first()
            if row is None:
                return None
            before = str(row.state)
            forget = _without(row.arguments) if is_to_forget(row.arguments) else {}
            await connection.execute(waiting.values(**self._ended("cancelled"), **forget))
            await connection.execute(running)
            if line is not None and before == "waiting":
                await self._leave(connection, line, job_id)
            return before

        return await self.database.write(cancel)

    async def sweep(self, keep: float, keep_parked: float, limit: int = 500) -> int:
        """Delete jobs that ended so many seconds ago, with their keys, and let lines go on that stand still.

        Of both a batch, and more of it the next time. Returns how many jobs and lines these were.
        """
        moved = await self._sweeper.move_lines_on()
        if moved:
            self.wake()
        return moved + await self._sweeper.delete_old(keep, keep_parked, limit)

    async def measure(self, names: Collection[str]) -> Mapping[str, Depth]:
        """Return how many jobs of each of these and of other names that wait there are, and how late the oldest is."""
        return await measure(self.database, names, self._times, self._clock_given())

    async def forsaken(self, names: Collection[str]) -> Mapping[str, float]:
        """Return the names beside these whose longest due job has passed its deadline, and for how many seconds.

        Nobody gives such a job up: whoever knows its name may come yet.
        """
        return await forsaken(self.database, names, self._times, self._clock_given())

    def _ended(self, state: str) -> dict[str, Any]:
        return {"state": state, "due_at": null(), "ended_at": self.now(), "owner": None}

    def now(self) -> ColumnElement[float]:
        """Return the time of the queue, as statements take it."""
        return time_of(self._clock)


def _without(arguments: str) -> dict[str, str]:
    return {"arguments": forgotten(arguments), "conversation": ""}


def _nothing() -> None:
    """Wake nobody."""
