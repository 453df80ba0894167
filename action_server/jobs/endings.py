"""Writes down that jobs are done, those that end at the same moment in one statement.

A transaction of its own for each would be most of what a short job costs.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Text, Update, and_, bindparam, case, null, or_, update

from action_server.jobs.claiming import Times
from action_server.jobs.table import jobs

# How many are written at once: the statement names each of them.
MOST_AT_ONCE = 50


class End(NamedTuple):
    """A run that is done, its result as JSON text, and who waits for its being written."""

    id: str
    fence: int
    result: str
    written: asyncio.Future[bool]


class Endings:
    """Collects ends while others are being written. ``write`` returns ids and fences of those that were still ours."""

    def __init__(self, write: Callable[[Sequence[End]], Awaitable[Collection[tuple[str, int]]]]) -> None:
        self._write = write
        self._waiting: list[End] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, job_id: str, fence: int, result: str) -> bool:
        """Write it down; returns False if the run was somebody else's by then. Raises what ``write`` raises."""
        end = End(job_id, fence, result, asyncio.get_running_loop().create_future())
        self._waiting.append(end)
        if self._task is None:
            # In a context of its own: it writes for whoever comes.
            self._task = contextvars.Context().run(asyncio.create_task, self._write_all())
        return await end.written

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                ends, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                await self._settle(ends)
        finally:
            self._task = None

    async def _settle(self, ends: Sequence[End]) -> None:
        try:
            ours = await self._write(ends)
        except Exception as exc:  # noqa: BLE001 - it is for those who wait
            problem = exc
            _for_all(ends, lambda end: end.written.set_exception(problem))
        except BaseException:
            _for_all(ends, lambda end: end.written.cancel())
            raise
        else:
            _for_all(ends, lambda end: end.written.set_result((end.id, end.fence) in ours))


def ending(count: int, times: Times) -> Update:
    """Return the statement for so many ends. It wants ``by``, and ``id_0``, ``fence_0``, ``result_0`` of the first."""
    # By the fence as well: a process may have taken over a job from itself.
    runs = [
        and_(jobs.c.id == bindparam(f"id_{number}"), jobs.c.fence == bindparam(f"fence_{number}"))
        for number in range(count)
    ]
    results = case(*((run, bindparam(f"result_{number}", type_=Text)) for number, run in enumerate(runs)))
    mine = and_(or_(*runs), jobs.c.owner == bindparam("by"), jobs.c.state == "running")
    over: dict[Any, Any] = {"state": "done", "due_at": null(), "ended_at": times.now, "owner": None}
    return update(jobs).where(mine).values(**over, result=results, problem=None).returning(jobs.c.id, jobs.c.fence)


def _for_all(ends: Sequence[End], settle: Callable[[End], object]) -> None:
    for end in ends:
        if not end.written.done():
            settle(end)
