"""procrastinate's own worker, with what it does by default: ``python procrastinate_worker.py URL JOBS CONCURRENCY``.

Prints for how many seconds it ran jobs, the CPU time of that, and how many of them ended well.
"""

import asyncio
import json
import sys
import time

import procrastinate

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=sys.argv[1]))


@app.task(name="noop")
async def noop(number: int) -> int:
    """Do nothing."""
    return number


async def main(jobs: int, concurrency: int) -> None:
    """Write the jobs down, and run them until none is left."""
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await noop.batch_defer_async(*({"number": number} for number in range(jobs)))
        began, used = time.perf_counter(), time.process_time()
        await app.run_worker_async(concurrency=concurrency, wait=False, install_signal_handlers=False)
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        done = len(list(await app.job_manager.list_jobs_async(status="succeeded")))
    print(json.dumps({"seconds": seconds, "cpu": cpu, "done": done}))  # noqa: T201 - read by who started it


asyncio.run(main(int(sys.argv[2]), int(sys.argv[3])))
