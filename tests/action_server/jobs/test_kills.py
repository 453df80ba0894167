"""A process killed at any step loses nothing: another one runs the job, without anybody's doing."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import job
from action_server.database import Database
from action_server.jobs.queue import JobQueue
from action_server.jobs.runner import JobRunner
from action_server.jobs.table import jobs, metadata
from action_server.runtime.threads import ThreadPool
from tests.action_server.jobs.job_process import LEASE, STEPS, note
from tests.processes import PATIENCE, ROOT

pytest_plugins = ["tests.databases"]
# How often the function runs altogether: what was cut off before it began, or after it was written, once.
RUNS = {"enqueued": 1, "claimed": 1, "running": 2, "ran": 2, "done": 1}


async def states(database: Database) -> list[str]:
    async def read(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(select(jobs.c.state))).scalars())

    return await database.read(read)


async def test_a_kill_at_any_step_loses_nothing(database_url: str, tmp_path: Path) -> None:
    """One process for each step; the test's own takes their jobs over when their leases are over."""
    files = {step: tmp_path / step for step in STEPS}
    module = [sys.executable, "-m", "tests.action_server.jobs.job_process", database_url]
    database = await Database.open(database_url, metadata.create_all)
    queue = JobQueue(database, lease=LEASE)
    threads = ThreadPool(1)
    try:
        for step in STEPS:
            process = await asyncio.create_subprocess_exec(*module, step, str(files[step]), cwd=ROOT)
            assert await asyncio.wait_for(process.wait(), PATIENCE) == -signal.SIGKILL

            @job
            async def work(file: Path = files[step]) -> None:
                note(str(file))

            async with JobRunner(queue, {"work": work}, threads, None, poll=0.05):
                while set(await states(database)) != {"done"}:  # noqa: ASYNC110 - rows set no event
                    await asyncio.sleep(0.02)
            assert len(files[step].read_bytes()) == RUNS[step], step
        assert len(await states(database)) == len(STEPS)
    finally:
        threads.close()
        await database.close()
