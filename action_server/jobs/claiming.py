"""The statements by which jobs are added, and workers look for those that are due and take them.

Their cost does not grow with the queue: a name has an index of its own times, so a worker passes by jobs that it does
not know, that wait behind a pause or that run elsewhere, and reads no more rows than it takes and some that others may
be taking.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Double,
    Executable,
    Insert,
    Select,
    Update,
    bindparam,
    case,
    cast,
    extract,
    func,
    insert,
    select,
    union_all,
    update,
)

from action_server.jobs.table import job_order, jobs

# How many rows that others have locked may be passed by: so many workers may ask at the same moment.
BESIDE = 64


class Looking(NamedTuple):
    """The two statements for a set of names: in how many seconds one is due, and taking some that are."""

    due: Executable
    take: Executable


class Times(NamedTuple):
    """Times as statements take them: now, and one that is the same for all rows, which an index can be asked for."""

    now: ColumnElement[float]
    started: ColumnElement[float]


def times_of(*, is_given: bool) -> Times:
    """Return the times of a database: the parameter ``clock`` if it is given, as on SQLite, otherwise its own."""
    if is_given:
        given = bindparam("clock", type_=Double)
        return Times(given, given)
    return Times(*(cast(extract("epoch", f()), Double) for f in (func.clock_timestamp, func.statement_timestamp)))


def looking_for(names: tuple[str, ...], times: Times) -> Looking:
    """Return the statements for these names.

    ``due`` wants ``clock`` where times are given; ``take`` wants ``most``, ``window``, ``by`` and ``lease`` as well.
    """
    first = [
        select(func.min(jobs.c.due_at).label("due_at")).where(jobs.c.name == name, jobs.c.due_at.is_not(None))
        for name in names
    ]
    due = select(func.min(_together(first).c.due_at) - times.started)
    return Looking(due, _taking(names, times))


def adding(times: Times) -> Insert:
    """Return the statement that adds a job: it wants what is given of its row, ``delay``, ``time`` and maybe ``clock``.

    ``time`` is for all tries. To be made once: putting it together costs as much as running it.
    """
    given = ("id", "name", "arguments", "conversation", "request_id", "traceparent")
    values: dict[str, Any] = {name: bindparam(name) for name in given}
    # An INSERT calls a clock once for each: one of the statement's is the same for all.
    now = times.started
    times_given = {
        "created_at": now,
        "due_at": now + bindparam("delay", type_=Double),
        "deadline_at": now + bindparam("time", type_=Double),
    }
    return insert(jobs).values({**values, **times_given, "state": "waiting"})


def _taking(names: tuple[str, ...], times: Times) -> Update:
    now, started = times
    found = _together([_first_of(name, started) for name in names])
    # The time again: somebody may have taken a row since it was found, which is seen when it is locked.
    picked = select(jobs.c.id).join(found, jobs.c.id == found.c.id).where(jobs.c.due_at <= started)
    picked = picked.order_by(found.c.due_at).limit(bindparam("most"))
    # A statement of its own: inlined, PostgreSQL may run it once more for each row, and take more than the limit.
    taken = picked.with_for_update(skip_locked=True, of=jobs).cte("picked")
    is_dead = jobs.c.state == "running"
    values: dict[Any, Any] = {
        "state": "running",
        "owner": bindparam("by"),
        "due_at": now + bindparam("lease", type_=Double),
        "started_at": now,
        "fence": jobs.c.fence + 1,
        "attempt": jobs.c.attempt + case((is_dead, 0), else_=1),
        "losses": jobs.c.losses + case((is_dead, 1), else_=0),
    }
    line = select(job_order.c.ordering_key).where(job_order.c.job_id == jobs.c.id).scalar_subquery()
    left, waited = (jobs.c.deadline_at - started).label("left"), (started - jobs.c.created_at).label("waited")
    return (
        update(jobs)
        .where(jobs.c.id.in_(select(taken.c.id)))
        .values(values)
        .returning(*_CLAIMED, left, waited, line.label("line"))
    )


def _first_of(name: str, started: ColumnElement[float]) -> Select[Any]:
    due = select(jobs.c.id, jobs.c.due_at).where(jobs.c.name == name, jobs.c.due_at <= started)
    return due.order_by(jobs.c.due_at).limit(bindparam("window"))


def _together(parts: Collection[Select[Any]]) -> Any:
    # Each in brackets of its own: SQLite knows no limit of a part of a union.
    whole: Select[Any] | CompoundSelect[Any]
    if len(parts) == 1:
        (whole,) = parts
    else:
        whole = union_all(*(select(part.subquery()) for part in parts))
    return whole.subquery("found")


_CLAIMED = (
    jobs.c.id,
    jobs.c.name,
    jobs.c.arguments,
    jobs.c.attempt,
    jobs.c.losses,
    jobs.c.fence,
    jobs.c.cancel_asked,
    jobs.c.conversation,
    jobs.c.request_id,
    jobs.c.traceparent,
)
