"""Asks for jobs in this process, and nothing else: ``python -m benchmarks.workers.asker DATABASE CALLS``.

Prints the CPU time of one `later`, the database's own left out, and its median time by the clock, in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from statistics import median

from action_server import job, later
from action_server.database import Database
from action_server.jobs.queue import JobQueue
from action_server.jobs.table import metadata
from action_server.runtime.services import Services, use_services


@job
async def noop(number: int) -> int:
    """Do nothing."""
    return number


async def main(url: str, calls: int) -> None:
    """Ask once, which makes statements and connections, and then so many times."""
    database = await Database.open(url if "://" in url else Path(url), metadata.create_all)
    opened = Services(None, asyncio.get_running_loop())
    opened.jobs = JobQueue(database)
    taken = []
    with use_services(opened):
        await later(noop, number=0)
        used = time.process_time()
        for number in range(calls):
            began = time.perf_counter()
            await later(noop, number=number)
            taken.append(time.perf_counter() - began)
        used = time.process_time() - used
    await database.close()
    print(json.dumps({"cpu": 1000 * used / calls, "clock": 1000 * median(taken)}))  # noqa: T201 - read by who started it


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
