"""A worker in a process of its own, which kills itself at a step: ``python -m tests....job_process URL STEP FILE``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from action_server import job, later
from action_server.database import Database
from action_server.jobs.queue import Claimed, JobQueue, Order, Ordered
from action_server.jobs.runner import JobRunner
from action_server.jobs.table import metadata
from action_server.runtime.services import Services, use_services
from action_server.runtime.threads import ThreadPool

STEPS = ("enqueued", "claimed", "running", "ran", "done")
LEASE = 1.0


def die() -> None:
    """End as a killed process does."""
    os.kill(os.getpid(), signal.SIGKILL)


def note(file: str) -> None:
    """Leave a mark, one byte for each run."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, b"x")
    os.close(descriptor)


class DyingQueue(JobQueue):
    """A queue whose process dies at one of its steps."""

    dies_at = ""

    async def enqueue(self, order: Order, connection: object = None) -> Ordered:
        ordered = await super().enqueue(order)
        if self.dies_at == "enqueued":
            die()
        return ordered

    async def claim(self, names: object, limit: int) -> Sequence[Claimed]:
        claimed = await super().claim(["work"], limit)
        if claimed and self.dies_at == "claimed":
            die()
        return claimed

    async def done(self, claimed: Claimed, result: str) -> bool:
        if self.dies_at == "ran":
            die()
        written = await super().done(claimed, result)
        if self.dies_at == "done":
            die()
        return written


async def run(url: str, step: str, file: str) -> None:
    """Ask for a job and run it, up to the step."""

    @job
    async def work() -> None:
        note(file)
        if step == "running":
            die()

    database = await Database.open(url if "://" in url else Path(url), metadata.create_all)
    queue = DyingQueue(database, lease=LEASE)
    queue.dies_at = step
    opened = Services(None, asyncio.get_running_loop())
    opened.jobs = queue
    with use_services(opened):
        await later(work)
        async with JobRunner(queue, {"work": work}, ThreadPool(1), opened):
            await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
