"""The order of jobs of one name with the same ordering key: a line, of which the first one alone can be due.

A job behind another one has no time at which it is due, so that no claim passes by it. Whoever changes a line holds it:
on PostgreSQL an advisory lock until the end of the transaction, taken before any row is locked, so that nobody waits
for it who has what its holder wants; on SQLite the write lock that every writer has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Executable,
    String,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.errors import JobError
from action_server.jobs.claiming import Times
from action_server.jobs.table import job_order, jobs

_BEHIND_ALL = 2**63 - 1


def line_of(name: str, ordering_key: str | None) -> str | None:
    """Return what a line is called in the database; None for a job without an ordering key."""
    if ordering_key is None:
        return None
    return hashlib.sha256(f"{name}\n{ordering_key}".encode("utf-8", "surrogatepass")).hexdigest()


class Lines:
    """The lines of a queue, changed in a transaction that writes and that holds the line.

    ``known`` is the clock, if ``times`` want one.
    """

    def __init__(self, dialect: str, times: Times) -> None:
        self._is_held_by_name = dialect == "postgresql"
        # To be made once: putting them together costs as much as running them.
        self._statements = _statements_of(times)

    async def hold(self, connection: AsyncConnection, line: str) -> None:
        """Let nobody else change the line until the transaction has ended.

        Raises:
            JobError: the transaction does not see what others have written since it began, or there is none.
        """
        isolation = (await connection.run_sync(Connection.get_execution_options)).get("isolation_level")
        if isolation != "AUTOCOMMIT":
            if not self._is_held_by_name:
                return
            number = int.from_bytes(bytes.fromhex(line)[:8], "big", signed=True)
            isolation = (await connection.execute(_HOLDING, {"number": number})).one().isolation.upper()
        if isolation != "READ COMMITTED":
            raise JobError(
                "an ordering key needs a transaction with the isolation READ COMMITTED, and this connection has "
                f"{isolation}: the place of the job in its line would be a wrong one"
            )

    async def hold_that_of(self, connection: AsyncConnection, job_id: str) -> str | None:
        """Hold the line of a job, wherever in it or beside it that is, and return it; None if it has none."""
        line: str | None = (await connection.execute(_LINE_OF, {"of_job": job_id})).scalar()
        if line is not None:
            await self.hold(connection, line)
        return line

    async def join(
        self, connection: AsyncConnection, line: str, job_id: str, name: str, delay: float, known: Mapping[str, float]
    ) -> bool:
        """Add a job at the end; ``delay`` is in seconds from now. Returns whether it is behind another one."""
        given = {"line": line, "of_job": job_id, "of_name": name, "delay": delay, **known}
        return bool((await connection.execute(self._statements.join, given)).scalar_one())

    async def join_again(self, connection: AsyncConnection, line: str, job_id: str, known: Mapping[str, float]) -> bool:
        """Put a job that has left the line at its end. Returns whether it is behind another one."""
        given = {"line": line, "of_job": job_id, "delay": 0.0, **known}
        return bool((await connection.execute(self._statements.join_again, given)).scalar_one())

    async def leave(
        self, connection: AsyncConnection, line: str, job_id: str, known: Mapping[str, float], *, is_over: bool
    ) -> bool:
        """Let the line go on without a job that has ended; return whether another one is due by that.

        One that is not over, as it is parked or cancelled, may join again: its line is remembered.
        """
        await connection.execute(_FORGETTING if is_over else _LEAVING, {"of_job": job_id})
        first = (await connection.execute(_FIRST, {"line": line})).first()
        if first is not None and first.state not in _LIVE:
            return await self.move_on(connection, line, known)
        return await self._go_on(connection, first, known)

    async def move_on(self, connection: AsyncConnection, line: str, known: Mapping[str, float]) -> bool:
        """Let the line go on without those that ended and did not leave; return whether another one is due by that."""
        first = (await connection.execute(_FIRST_LIVE, {"line": line})).first()
        ended = {"line": line, "before": _BEHIND_ALL if first is None else first.position}
        for clearing in (_FORGETTING_ENDED, _LEAVING_ENDED):
            await connection.execute(clearing, ended)
        return await self._go_on(connection, first, known)

    async def _go_on(self, connection: AsyncConnection, first: Any, known: Mapping[str, float]) -> bool:
        if first is None or first.due_at is not None:
            return False
        await connection.execute(_UNBLOCKING, {"of_job": first.job_id})
        due = {"of_job": first.job_id, "not_before": first.not_before, **known}
        await connection.execute(self._statements.make_due, due)
        return True


class _Statements(NamedTuple):
    """Those that need to know what the time is."""

    join: Executable
    join_again: Executable
    make_due: Executable


def _statements_of(times: Times) -> _Statements:
    # The last one, in one step of the index; a row of the job's own is none.
    other = job_order.alias("other")
    others = and_(other.c.ordering_key == _LINE, other.c.position.is_not(None), other.c.job_id != _OF_JOB)
    last = select(other.c.position).where(others).order_by(other.c.position.desc()).limit(1).scalar_subquery()
    place: dict[str, Any] = {
        "position": func.coalesce(last, 0) + 1,
        "blocked": last.is_not(None),
        "not_before": times.now + bindparam("delay", type_=Double),
    }
    who = {"job_id": _OF_JOB, "name": bindparam("of_name", type_=String), "ordering_key": _LINE}
    not_before = bindparam("not_before", type_=Double)
    due_at = case((not_before > times.now, not_before), else_=times.now)
    waits = and_(jobs.c.id == _OF_JOB, jobs.c.state == "waiting", jobs.c.due_at.is_(None))
    return _Statements(
        join=insert(job_order).values({**who, **place}).returning(job_order.c.blocked),
        join_again=update(job_order).where(_THIS).values(place).returning(job_order.c.blocked),
        make_due=update(jobs).where(waits).values(due_at=due_at),
    )


_OF_JOB, _LINE = bindparam("of_job", type_=String), bindparam("line", type_=String)
_THIS = job_order.c.job_id == _OF_JOB
_IN_LINE = and_(job_order.c.ordering_key == _LINE, job_order.c.position.is_not(None))
_OUT_OF_LINE: dict[str, Any] = {"position": null(), "blocked": False}

_HOLDING = select(
    func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)),
    func.current_setting("transaction_isolation").label("isolation"),
)
_LINE_OF = select(job_order.c.ordering_key).where(_THIS)
_FORGETTING = delete(job_order).where(_THIS)
_LEAVING = update(job_order).where(_THIS).values(_OUT_OF_LINE)
_UNBLOCKING = update(job_order).where(_THIS).values(blocked=False)
_LIVE = ("waiting", "running")
_FIRST = (
    select(job_order.c.job_id, job_order.c.position, job_order.c.not_before, jobs.c.due_at, jobs.c.state)
    .outerjoin(jobs, jobs.c.id == job_order.c.job_id)
    .where(_IN_LINE)
    .order_by(job_order.c.position)
    .limit(1)
)
# Of all that stand in front of it, which may be many, none has left. By itself, as PostgreSQL might read a whole line.
_FIRST_LIVE = _FIRST.where(jobs.c.state.in_(_LIVE))
_ENDED = and_(_IN_LINE, job_order.c.position < bindparam("before", type_=BigInteger))
_MAY_COME_AGAIN = select(jobs.c.id).where(jobs.c.id == job_order.c.job_id, jobs.c.state.in_(("parked", "cancelled")))
_FORGETTING_ENDED = delete(job_order).where(_ENDED, ~_MAY_COME_AGAIN.exists())
_LEAVING_ENDED = update(job_order).where(_ENDED).values(_OUT_OF_LINE)
