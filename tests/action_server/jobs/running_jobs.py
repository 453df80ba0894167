"""Jobs that run in the test's own process, by the real clock, on a queue of either database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from action_server.database import Database
from action_server.jobs.definitions import Job
from action_server.jobs.queue import JobQueue
from action_server.jobs.runner import JobRunner
from action_server.jobs.table import metadata
from action_server.runtime.threads import ThreadPool
from tests.action_server.jobs.job_fixtures import asking, state_of
from tests.processes import PATIENCE


@asynccontextmanager
async def opened_queue(url: str) -> AsyncIterator[JobQueue]:
    """Open a queue whose leases are short."""
    database = await Database.open(url, metadata.create_all)
    yield JobQueue(database, lease=1.0)
    await database.close()


@asynccontextmanager
async def running(queue: JobQueue, *jobs: Job[..., Any], **options: Any) -> AsyncIterator[JobRunner]:
    """Run these jobs within the block, and let actions ask for them."""
    threads = ThreadPool(2)
    with asking(queue) as opened:
        try:
            options = {"poll": 0.05, "grace": 0.0, **options}
            async with JobRunner(queue, {one.name: one for one in jobs}, threads, opened, **options) as runner:
                yield runner
        finally:
            threads.close()


async def ended(queue: JobQueue, job_id: str, state: str = "done") -> dict[str, object]:
    """Wait until the job is in this state, and return its row."""

    async def look() -> dict[str, object]:
        while (row := await state_of(queue, job_id)).get("state") != state:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.01)
        return row

    return await asyncio.wait_for(look(), PATIENCE)
