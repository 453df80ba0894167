"""What operators ask a queue for: which jobs there are, one of them, and another run of one that was given up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, Update, and_, case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.errors import JobError
from action_server.idempotency.host_clock import host_clock_as_agreed
from action_server.idempotency.table import time_of
from action_server.jobs.claiming import times_of
from action_server.jobs.ordering import Lines
from action_server.jobs.origin import FORGOTTEN
from action_server.jobs.table import job_order, jobs

# The states of jobs that need somebody, those first that need it most; all others come after them.
URGENCY = {"parked": 0, "running": 1, "waiting": 2}
# So many jobs are let run again by one statement.
_AT_ONCE = 500
# The problem of a job that raised. The words of one that says itself what is wrong may hold an "at" as well.
_RAISED = re.compile(r"(?P<kind>\w+) at (?P<place>\S[^;]*:\d+)(?P<rest>(; .*)?)", re.DOTALL)


@dataclass(frozen=True)
class JobShown:
    """A job as operators see it; without arguments and result, which may be people's data.

    Attributes:
        age: seconds since it was asked for.
        due_in: seconds until a waiting job is run, 0 if it is due; until a running one is taken for dead, below 0 if it
            is. None if it has ended, and while it waits for another one of the same ordering key.
        deadline_in: seconds until it is given up, below 0 if that is over.
        losses: how often its process died.
        problem: what went wrong last: the error's type and place.
    """

    id: str
    name: str
    state: str
    attempt: int
    losses: int
    age: float
    due_in: float | None
    deadline_in: float
    progress: float | None
    said: str | None
    problem: str | None
    conversation: str
    request_id: str
    traceparent: str

    @property
    def is_behind(self) -> bool:
        """Whether it waits for another one of the same ordering key to end."""
        return self.state == "waiting" and self.due_in is None

    @property
    def problem_parts(self) -> tuple[str, str, str]:
        """What went wrong last, the line where it was raised, and what there is to add; each may be empty."""
        raised = _RAISED.fullmatch(self.problem or "")
        return (self.problem or "", "", "") if raised is None else (raised["kind"], raised["place"], raised["rest"])


async def list_jobs(database: Database, states: Sequence[str], name: str | None, limit: int) -> Sequence[JobShown]:
    """Return jobs in these states, of one name or of all: those that need somebody first, then the latest.

    Raises:
        DatabaseError: the database does not answer.
    """
    wanted: ColumnElement[bool] = jobs.c.state.in_(states)
    if name is not None:
        wanted = and_(wanted, jobs.c.name == name)
    urgency = case(URGENCY, value=jobs.c.state, else_=len(URGENCY))
    return await _read(database, wanted, urgency, jobs.c.created_at.desc(), limit=limit)


async def find_jobs_by_start(database: Database, start: str) -> Sequence[JobShown]:
    """Return up to two jobs whose id begins so: one is the job, two are too many. Raises `DatabaseError`."""
    return await _read(database, jobs.c.id.startswith(start.lower(), autoescape=True), jobs.c.id, limit=2)


async def jobs_of_request(database: Database, request_id: str, limit: int) -> Sequence[JobShown]:
    """Return the jobs that calls with this request id asked for, the latest first. Raises `DatabaseError`."""
    return await _read(database, jobs.c.request_id == request_id[:200], jobs.c.created_at.desc(), limit=limit)


async def contents_of_job(database: Database, job_id: str) -> tuple[str, str | None] | None:
    """Return what a job was given and, if it is done, what it returned, as JSON: both may be people's data.

    None if there is no such job. Raises `DatabaseError`.
    """
    query = select(jobs.c.arguments, jobs.c.result).where(jobs.c.id == job_id)

    async def read(connection: AsyncConnection) -> tuple[str, str | None] | None:
        row = (await connection.execute(query)).first()
        return None if row is None else (row.arguments, row.result)

    return await database.read(read)


async def retry_job(database: Database, job_id: str) -> bool:
    """Let a job that is parked or cancelled be run again, as if it were asked for now: for as long as it had then.

    One with an ordering key is behind all others that have the same one. Returns False if it is in another state.

    Raises:
        JobError: what it was given is deleted.
        DatabaseError: the database does not answer.
    """
    clock = await host_clock_as_agreed(database)
    known = {} if clock is None else {"clock": clock()}
    lines = Lines(database.dialect, times_of(is_given=clock is not None))
    ended = and_(jobs.c.id == job_id, jobs.c.state.in_(("parked", "cancelled")))
    has_forgotten = select(jobs.c.name).where(ended, jobs.c.arguments == FORGOTTEN)
    again = update(jobs).where(ended).values(_again(time_of(clock)))

    async def retry(connection: AsyncConnection) -> bool:
        if name := await connection.scalar(has_forgotten):
            raise JobError(
                f"job {name}: what it was given was deleted when it was cancelled (`forgets`); ask for it anew"
            )
        line = await lines.hold_that_of(connection, job_id)
        count: int = (await connection.execute(again)).rowcount
        if count and line is not None and await lines.join_again(connection, line, job_id, known):
            await connection.execute(update(jobs).where(jobs.c.id == job_id).values(due_at=None))
        return count > 0

    return await database.write(retry)


async def retry_parked(database: Database, name: str) -> int:
    """Do the same with all parked jobs of a name, those first that were asked for first; return how many they were.

    Raises:
        DatabaseError: the database does not answer; those that were done by then are run again.
    """
    parked = and_(jobs.c.name == name, jobs.c.state == "parked")
    found = select(jobs.c.id, job_order.c.ordering_key).outerjoin(job_order, job_order.c.job_id == jobs.c.id)
    found = found.where(parked).order_by(jobs.c.created_at, jobs.c.id)
    rows = await database.read(partial(_all_of, found))
    plain = [row.id for row in rows if row.ordering_key is None]
    clock = await host_clock_as_agreed(database)
    count = 0
    for start in range(0, len(plain), _AT_ONCE):
        those = jobs.c.id.in_(plain[start : start + _AT_ONCE])
        again = update(jobs).where(those, jobs.c.state == "parked").values(_again(time_of(clock)))
        count += await database.write(partial(_count_of, again))
    # Each by itself: who held several lines could wait for somebody who waits for one of them.
    for job_id in [row.id for row in rows if row.ordering_key is not None]:
        count += await retry_job(database, job_id)
    return count


def _again(now: ColumnElement[float]) -> dict[str, Any]:
    return {
        "state": "waiting",
        "due_at": now,
        "ended_at": None,
        "attempt": 0,
        "losses": 0,
        "cancel_asked": False,
        # The time for all tries is the job's own: a day for most, an hour for a result that is brought to the engine.
        "deadline_at": now + jobs.c.deadline_at - jobs.c.created_at,
        "created_at": now,
    }


async def _all_of(query: Select[Any], connection: AsyncConnection) -> Sequence[Any]:
    rows: Sequence[Any] = (await connection.execute(query)).all()
    return rows


async def _count_of(changing: Update, connection: AsyncConnection) -> int:
    count: int = (await connection.execute(changing)).rowcount
    return count


async def _read(
    database: Database, condition: ColumnElement[bool], *order: ColumnElement[Any], limit: int
) -> Sequence[JobShown]:
    now = time_of(await host_clock_as_agreed(database))
    query = select(
        jobs.c.id,
        jobs.c.name,
        jobs.c.state,
        jobs.c.attempt,
        jobs.c.losses,
        (now - jobs.c.created_at).label("age"),
        (jobs.c.due_at - now).label("due_in"),
        (jobs.c.deadline_at - now).label("deadline_in"),
        jobs.c.progress,
        jobs.c.said,
        jobs.c.problem,
        jobs.c.conversation,
        jobs.c.request_id,
        jobs.c.traceparent,
    )
    query = query.where(condition).order_by(*order).limit(limit)

    async def read(connection: AsyncConnection) -> list[JobShown]:
        return [JobShown(**row._mapping) for row in await connection.execute(query)]

    return await database.read(read)
