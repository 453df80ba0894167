"""What jobs come to while flows are played: it goes to the conversation here, and no HTTP API is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from action_server.assembly import Assembly
from action_server.jobs.handover import DELIVER, Delivery, delivering
from action_server.jobs.keeping import QueuedJobs, queues_of
from action_server.jobs.opening import queued_jobs, running_jobs
from action_server.jobs.rules import Rules

# Seconds: how long somebody waits for a job, and how often its state is looked at.
PATIENCE, _LOOK = 60.0, 0.1


@dataclass(frozen=True)
class Result:
    """What a job has to say in a conversation, and the slots it sets there."""

    job_id: str
    conversation: str
    texts: tuple[str, ...]
    slots: dict[str, Any]


class Results:
    """The results of jobs that actions ask for in this process."""

    def __init__(self) -> None:
        self._results: list[Result] = []
        self._arrived = asyncio.Event()
        # In how many seconds a job is due; None if there is none.
        self._next_due: Callable[[], Awaitable[float | None]] = _never

    def take(self, conversation: str) -> list[Result]:
        """Return what has come for a conversation, and forget it."""
        found = [one for one in self._results if one.conversation == conversation]
        self._results = [one for one in self._results if one.conversation != conversation]
        self._arrived.clear()
        return found

    async def wait(self, is_interrupted: Callable[[], bool] = lambda: False) -> bool:
        """Wait until something has come, no job is left that is due soon, or somebody interrupts; tell which it is.

        Returns whether something has come. Raises `DatabaseError`.
        """
        end = asyncio.get_running_loop().time() + PATIENCE
        while not self._arrived.is_set():
            is_over = not await self.is_pending() or asyncio.get_running_loop().time() > end
            # Once more: it may have come while the queue was asked.
            if self._arrived.is_set() or is_over or is_interrupted():
                break
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), _LOOK)
        return self._arrived.is_set()

    async def is_pending(self) -> bool:
        """Tell whether a job is running or due soon. Raises `DatabaseError`."""
        due = await self._next_due()
        return due is not None and due <= PATIENCE

    @asynccontextmanager
    async def running(self, assembly: Assembly) -> AsyncIterator[None]:
        """Run the jobs of a package within the block, if it has any."""
        opened, package = assembly.readiness.services, assembly.settings.actions
        if not queues_of(opened):
            yield
            return
        assert opened is not None  # noqa: S101 - for mypy: there is a queue
        opened.own_jobs = {DELIVER: delivering(self._deliver, Rules(retries=0))}
        concurrency = max(assembly.settings.jobs, 1)
        async with running_jobs(package, opened, assembly.executor.threads, concurrency):
            self._next_due = partial(_next_due, queued_jobs(package, opened, concurrency))
            yield
            self._next_due = _never

    async def _deliver(self, delivery: Delivery) -> None:
        # By whatever route: here nothing is in between.
        texts = tuple(delivery.texts)
        self._results.append(Result(delivery.job_id, delivery.conversation, texts, dict(delivery.slots)))
        self._arrived.set()


async def _next_due(every: Sequence[QueuedJobs]) -> float | None:
    """Return in how many seconds the next job is due that somebody asked for: periodic ones always are."""
    asked_for = [(one.queue, [name for name, job in one.jobs.items() if job.rules.every is None]) for one in every]
    found = [await queue.next_due(names) for queue, names in asked_for]
    return min((due for due in found if due is not None), default=None)


async def _never() -> float | None:
    return None
