"""What jobs cost: a worker beside procrastinate's own on the same PostgreSQL, and what `later` adds to an action.

    python -m benchmarks.jobs [--jobs N] [--rounds N] [--concurrency N] [--calls N] [--fsync on|off]

Both workers run the same job, which does nothing, by turns, each on an empty database of one server. The calls are
those of one client to one server, with `later` and without by turns; the server runs the jobs as well. Exit code 1
says that our worker is less than one and a half times as fast, or that `later` adds 2 ms or more in the median.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import aiohttp
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.databases import postgresql_server
from tests.mcp_clients import environment_of
from tests.processes import ROOT, server

PROCRASTINATE = ("procrastinate==3.10.0", "psycopg[binary,pool]==3.3.9")
LEAST_RATIO, MOST_ADDED = 1.5, 0.002
_PROGRAM = Path(__file__).parent / "workers" / "procrastinate_worker.py"
_PATIENCE = 900
_ACTIONS = """
from rasa_sdk import Action

from action_server import job, later


@job
async def noop(number: int) -> int:
    return number


class ActionPlain(Action):
    def name(self):
        return "action_plain"

    async def run(self, dispatcher, tracker, domain):
        return []


class ActionLater(Action):
    def name(self):
        return "action_later"

    async def run(self, dispatcher, tracker, domain):
        await later(noop, number=7)
        return []
"""


def tell(said: str) -> None:
    """Print a line at once."""
    print(said, flush=True)  # noqa: T201 (its only output)


@contextmanager
def postgresql(fsync: str) -> Iterator[str]:
    """Run a PostgreSQL server that waits for its disk, or not, and yield its URL."""
    folder = Path(tempfile.mkdtemp(prefix="jobs-"))
    try:
        with postgresql_server(folder) as url:
            asyncio.run(_execute(url, f"ALTER SYSTEM SET fsync = {fsync}", "SELECT pg_reload_conf()"))
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _execute(url: str, *statements: str) -> None:
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


def new_database(url: str, name: str) -> str:
    """Make an empty database and return its URL."""
    asyncio.run(_execute(url, f"CREATE DATABASE {name}"))
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def run_jobs(command: Sequence[str], jobs: int, concurrency: int) -> tuple[float, float]:
    """Let a worker run so many jobs; return how many it did in a second, and its milliseconds of CPU for each."""
    done = subprocess.run(  # noqa: S603 - our own programs
        [*command, str(jobs), str(concurrency)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    if found["done"] != jobs:
        raise RuntimeError(f"of {jobs} jobs {found['done']} ended well")
    return jobs / float(found["seconds"]), float(found["cpu"]) * 1000 / jobs


def compare(url: str, jobs: int, rounds: int, concurrency: int) -> float:
    """Run both workers by turns; return by what factor ours is faster, the median of the rounds."""
    python = str(environment_of(PROCRASTINATE))
    ratios = []
    for number in range(rounds):
        own = [sys.executable, "-m", "benchmarks.workers.own_worker", new_database(url, f"own_{number}")]
        other = [python, str(_PROGRAM), new_database(url, f"other_{number}")]
        (ours, cpu), (theirs, their_cpu) = run_jobs(own, jobs, concurrency), run_jobs(other, jobs, concurrency)
        ratios.append(ours / theirs)
        said = f"ours {ours:.0f} jobs/s ({cpu:.2f} ms of CPU each), procrastinate {theirs:.0f} ({their_cpu:.2f} ms)"
        tell(f"round {number}: {said}: {ratios[-1]:.2f} times")
    return median(ratios)


def added(database: str, calls: int) -> float:
    """Return how many seconds more a call takes with `later` than without, in the median of so many each."""
    folder = Path(tempfile.mkdtemp(prefix="jobs-"))
    try:
        (folder / "actions.py").write_text(_ACTIONS)
        with server(folder, "--database", database, "--log-level", "INFO") as running:
            times = asyncio.run(_call_by_turns(running.url, calls))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    without, with_it = (median(times[name]) for name in ("action_plain", "action_later"))
    tell(f"a call: {without * 1000:.2f} ms, with `later` {with_it * 1000:.2f} ms")
    return with_it - without


async def _call_by_turns(url: str, calls: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"action_plain": [], "action_later": []}
    bodies = {name: {"next_action": name, "tracker": {"sender_id": "ann", "slots": {}}} for name in times}
    async with aiohttp.ClientSession() as session:
        for _ in range(calls):
            for name, taken in times.items():
                began = time.perf_counter()
                async with session.post(f"{url}/webhook", json=bodies[name]) as response:
                    await response.read()
                    response.raise_for_status()
                taken.append(time.perf_counter() - began)
    return times


def main() -> int:
    """Measure, print and return the exit code."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="how many jobs each worker runs (default: 10000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often both do (default: 3)")
    parser.add_argument("--concurrency", type=int, default=4, help="how many at once (default: 4)")
    parser.add_argument("--calls", type=int, default=10_000, help="how many calls of each kind (default: 10000)")
    parser.add_argument("--fsync", choices=("on", "off"), default="on", help="whether PostgreSQL waits for its disk")
    arguments = parser.parse_args()
    with postgresql(arguments.fsync) as url:
        ratio = compare(url, arguments.jobs, arguments.rounds, arguments.concurrency)
        more = [added(new_database(url, "calls"), arguments.calls)]
    with tempfile.TemporaryDirectory() as folder:
        more.append(added(f"{folder}/jobs.sqlite3", arguments.calls))
    tell(f"{ratio:.2f} times procrastinate's jobs/s with {arguments.concurrency} at once, fsync {arguments.fsync}")
    tell(f"`later` adds {more[0] * 1000:.2f} ms on PostgreSQL and {more[1] * 1000:.2f} ms on SQLite")
    return 1 if ratio < LEAST_RATIO or max(more) >= MOST_ADDED else 0


if __name__ == "__main__":
    sys.exit(main())
