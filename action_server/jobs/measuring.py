"""How many jobs of each name wait, run and are parked, and how late the oldest is: what metrics show of the queue.

It costs the same whatever the queue holds: no more than so many rows are counted, and names are looked for by an index,
one step for each. Names that this worker does not know are measured, too: whoever knew them may be gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, ScalarSelect, Select, TextClause, func, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.jobs.claiming import Times
from action_server.jobs.table import is_blocked, is_counted, is_periodic_row, job_order, jobs

# Of one name and state; where there are more, this is what is said.
MOST_COUNTED = 10_000
# Of names that wait.
MOST_NAMES = 50
_STATES = ("waiting", "running", "parked")


class Depth(NamedTuple):
    """The jobs of one name; ``late`` is for how many seconds the oldest one could have been running.

    Those that wait behind another one of the same ordering key are waiting as well, and are not late by that.
    """

    waiting: int
    running: int
    parked: int
    late: float


async def measure(
    database: Database, names: Collection[str], times: Times, known: Mapping[str, float]
) -> Mapping[str, Depth]:
    """Return the depth of the queue for each name, and for others that wait.

    ``known`` is the clock, if ``times`` want one.

    Raises:
        DatabaseError: the database does not answer.
    """

    async def count(connection: AsyncConnection) -> Mapping[str, Depth]:
        found = {}
        for name in {*names, *await _names_that_wait(connection)}:
            parts = [*(_count(name, state).label(state) for state in _STATES), _count_blocked(name).label("blocked")]
            late = times.started - _first_due(name)
            row = (await connection.execute(select(*parts, late.label("late")), known)).mappings().one()
            waiting = min(row["waiting"] + row["blocked"], MOST_COUNTED)
            found[name] = Depth(waiting, row["running"], row["parked"], max(0.0, row["late"] or 0.0))
        return found

    return await database.read(count)


async def forsaken(
    database: Database, names: Collection[str], times: Times, known: Mapping[str, float]
) -> Mapping[str, float]:
    """Return other names than these whose longest due job is past its deadline, and for how many seconds it is.

    Raises:
        DatabaseError: the database does not answer.
    """

    async def look(connection: AsyncConnection) -> Mapping[str, float]:
        found = {}
        for name in sorted({*await _names_that_wait(connection)} - {*names}):
            # Of the one that is due longest, which two steps in the index find.
            late = times.started - jobs.c.deadline_at
            # The row of a periodic one may be of a version that had it: nobody waits for that.
            first = select(late).where(jobs.c.name == name, jobs.c.due_at == _first_due(name), not_(is_periodic_row))
            first = first.limit(1)
            late_by = await connection.scalar(first, known)
            if late_by is not None and late_by > 0:
                found[name] = float(late_by)
        return found

    return await database.read(look)


async def _names_that_wait(connection: AsyncConnection) -> Sequence[str]:
    """Return the names of jobs that have not ended."""
    names: Select[Any] = distinct(jobs.c.name, jobs.c.due_at.is_not(None)).limit(MOST_NAMES)
    return (await connection.scalars(names)).all()


def distinct(
    column: Column[str], condition: ColumnElement[bool] | TextClause, *, after: str | None = None
) -> Select[tuple[str]]:
    """Return the query for the values of a column, as ``value``, in their order; it wants a limit.

    They are found one after the other in an index of the rows with the condition: not by reading all.
    """
    least = select(func.min(column).label("value")).where(condition)
    values = (least if after is None else least.where(column > after)).cte("distinct_values", recursive=True)
    following = least.where(column > values.c.value).scalar_subquery()
    values = values.union_all(select(following).where(values.c.value.is_not(None)))
    return select(values.c.value).where(values.c.value.is_not(None))


def _count(name: str, state: str) -> ScalarSelect[int]:
    # In the index's own words: one of some rows is used only where it is plain that all that is asked for is in it.
    in_index = jobs.c.due_at.is_not(None) if state == "waiting" else is_counted
    rows = select(jobs.c.id).where(jobs.c.name == name, jobs.c.state == state, in_index)
    return _counted(rows)


def _count_blocked(name: str) -> ScalarSelect[int]:
    return _counted(select(job_order.c.job_id).where(job_order.c.name == name, is_blocked))


def _counted(rows: Select[Any]) -> ScalarSelect[int]:
    return select(func.count()).select_from(rows.limit(MOST_COUNTED).subquery()).scalar_subquery()


def _first_due(name: str) -> ScalarSelect[float]:
    return select(func.min(jobs.c.due_at)).where(jobs.c.name == name, jobs.c.due_at.is_not(None)).scalar_subquery()
