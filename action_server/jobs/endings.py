"""Writes down that jobs are done, those that end at the same moment in one statement.

A transaction of its own for each would be most of what a short job costs.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple

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


def _for_all(ends: Sequence[End], settle: Callable[[End], object]) -> None:
    for end in ends:
        if not end.written.done():
            settle(end)
