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
    Double,
    Executable,
    String,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.errors import JobError
from action_server.jobs.claiming import Times
from action_server.jobs.table import job_order, jobs


def line_of(name: str, ordering_key: str | None) -> str | None:
    """Return what a line is called in the database; None for a job without an ordering key."""
    if ordering_key is None:
        return None
    return hashlib.sha256(f"{name}\n{ordering_key}".encode("utf-8", "surrogatepass")).hexdigest()


class Lines:
    """The lines of a queue. Each method is called in a transaction that writes, and that holds the line."""

    def __init__(self, dialect: str, times: Times) -> None:
        self._is_locked_by_key = dialect == "postgresql"
        # To be made once: putting one together costs as much as running it.
        self._statements = _statements_of(times)

    async def hold(self, connection: AsyncConnection, line: str) -> None:
        """Let nobody else change the line until the transaction has ended.

        Raises:
            JobError: the transaction does not see what others have written since it began.
        """
        if not self._is_locked_by_key:
            return
        number = int.from_bytes(bytes.fromhex(line)[:8], "big", signed=True)
        isolation = (await connection.execute(_HOLDING, {"number": number})).one().isolation
        if isolation != "read committed":
            raise JobError(
                f"an ordering key needs a transaction with the isolation READ COMMITTED, and this one has "
                f"{isolation.upper()}: it does not see which jobs have ended since it began"
            )

    async def join(
        self, connection: AsyncConnection, line: str, job_id: str, name: str, delay: float, known: Mapping[str, float]
    ) -> bool:
        """Add a job at the end of the line; ``delay`` is in seconds from now. Returns whether it is behind another."""
        given = {"line": line, "of_job": job_id, "of_name": name, "delay": delay, **known}
        return bool((await connection.execute(self._statements.join, given)).scalar_one())

    async def leave(
        self, connection: AsyncConnection, line: str, job_id: str, known: Mapping[str, float], *, is_over: bool
    ) -> bool:
        """Let the line go on without a job; return whether another one is due by that.

        One that is not over, as it is parked or cancelled, may come again: its line is remembered.
        """
        leaving = self._statements.forget if is_over else self._statements.step_out
        await connection.execute(leaving, {"of_job": job_id})
        first = (await connection.execute(self._statements.first, {"line": line})).first()
        if first is None or not first.blocked:
            return False
        await connection.execute(self._statements.unblock, {"of_job": first.job_id})
        due = {"of_job": first.job_id, "not_before": first.not_before, **known}
        await connection.execute(self._statements.make_due, due)
        return True


class _Statements(NamedTuple):
    join: Executable
    forget: Executable
    step_out: Executable
    first: Executable
    unblock: Executable
    make_due: Executable


_HOLDING = select(
    func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)),
    func.current_setting("transaction_isolation").label("isolation"),
)


def _statements_of(times: Times) -> _Statements:
    this, line = job_order.c.job_id == bindparam("of_job"), bindparam("line", type_=String)
    in_line = (job_order.c.ordering_key == line) & job_order.c.position.is_not(None)
    last = select(job_order.c.position).where(in_line).order_by(job_order.c.position.desc()).limit(1).scalar_subquery()
    joining: dict[str, Any] = {
        "job_id": bindparam("of_job"),
        "name": bindparam("of_name"),
        "ordering_key": line,
        "position": func.coalesce(last, 0) + 1,
        "blocked": last.is_not(None),
        "not_before": times.now + bindparam("delay", type_=Double),
    }
    # Whoever ended without its line's knowing, by a hand in the database, holds nobody up.
    first = select(job_order.c.job_id, job_order.c.blocked, job_order.c.not_before)
    first = first.join(jobs, jobs.c.id == job_order.c.job_id).where(in_line, jobs.c.state.in_(("waiting", "running")))
    not_before = bindparam("not_before", type_=Double)
    due_at = case((not_before > times.now, not_before), else_=times.now)
    waits = (jobs.c.id == bindparam("of_job"), jobs.c.state == literal("waiting"), jobs.c.due_at.is_(None))
    return _Statements(
        join=insert(job_order).values(joining).returning(job_order.c.blocked),
        forget=delete(job_order).where(this),
        step_out=update(job_order).where(this).values(position=null(), blocked=False),
        first=first.order_by(job_order.c.position).limit(1),
        unblock=update(job_order).where(this).values(blocked=False),
        make_due=update(jobs).where(*waits).values(due_at=due_at),
    )
