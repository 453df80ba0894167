"""Our worker: ``python -m benchmarks.workers.own_worker URL JOBS CONCURRENCY``.

Prints for how many seconds it ran jobs, the CPU time of that, and how many of them ended well.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server import job
from action_server.database import Database
from action_server.jobs.queue import JobQueue
from action_server.jobs.runner import JobRunner
from action_server.jobs.table import jobs as table
from action_server.jobs.table import metadata
from action_server.runtime.threads import ThreadPool


@job
async def noop(number: int) -> int:
    """Do nothing."""
    return number


async def main(url: str, jobs: int, concurrency: int) -> None:
    """Write the jobs down, and run them until none is left."""
    database = await Database.open(url, metadata.create_all)
    queue = JobQueue(database)
    left, ended = jobs, asyncio.Event()

    async def fill(connection: AsyncConnection) -> None:
        now = time.time()
        same = {"name": "noop", "state": "waiting", "due_at": now, "created_at": now, "deadline_at": now + 86_400}
        rows = [{**same, "id": f"{n:032}", "arguments": f'{{"number": {n}}}'} for n in range(jobs)]
        await connection.execute(insert(table), rows)

    def count(job: str, outcome: str, waited: float, ran: float) -> None:
        nonlocal left
        left -= outcome == "done"
        if not left:
            ended.set()

    async def read(connection: AsyncConnection) -> int:
        done = select(func.count()).select_from(table).where(table.c.state == "done")
        return int((await connection.execute(done)).scalar_one())

    await database.write(fill)
    began, used = time.perf_counter(), time.process_time()
    async with JobRunner(queue, {"noop": noop}, ThreadPool(1), None, concurrency=concurrency, tally=count):
        await ended.wait()
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    done = await database.read(read)
    await database.close()
    print(json.dumps({"seconds": seconds, "cpu": cpu, "done": done}))  # noqa: T201 - read by who started it


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
