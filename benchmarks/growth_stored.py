"""The dimensions of databases and projects: each measurement in a process of its own, which prints it as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from action_server import Database
from action_server.flows.check import checking
from action_server.flows.commands.offline import OfflineCommandGenerator
from action_server.flows.player.player import Player
from action_server.idempotency.store import IdempotencyStore
from action_server.project.project_reader import read_project
from actions.database import open_database
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import Patient
from benchmarks import history, sizes
from benchmarks.load import cpu_seconds, rss_kb
from benchmarks.points import Point
from tests.action_server.flows.bots import webhook
from tests.action_server.idempotency.store_fixtures import Job, call
from tests.actions.clinic import FixedClock
from tests.actions.scheduling.scheduling_contract import TEN, key_of

_REPEATS = 200


async def idempotency(folder: Path, rows: int, url: str = "") -> float:
    """Run calls once among so many rows of others."""
    store = await IdempotencyStore.open(url or f"sqlite:///{folder}/state.sqlite3")
    await _fill(store._database, url, lambda connection: history.fill_store(connection, rows, time.time() + 3600))
    cost = await _cost(lambda number: call(store, Job(), f"{number:064x}"), url=url)
    await store.close(grace=0)
    return cost


async def bookings(folder: Path, rows: int, url: str = "") -> float:
    """Book a time and cancel it, among so many bookings that are over."""
    database = await open_database(url or folder / "clinic.sqlite3")
    await _fill(database, url, lambda connection: history.fill_bookings(connection, rows))
    ledger = Ledger(database, clock=FixedClock())

    async def book(number: int) -> None:
        record, _ = await ledger.claim(key_of(f"new-{number}"), TEN, Patient(f"new-{number}"))
        await ledger.cancel(record)

    cost = await _cost(book, url=url)
    await database.close()
    return cost


async def waiting_jobs(folder: Path, rows: int) -> float:
    """Deliver what waits in the outbox, among so many that wait."""
    database = await open_database(folder / "clinic.sqlite3")
    cost = await _cost(await history.delivery_among(database, rows + 4 * _REPEATS))
    await database.close()
    return cost


async def flows(folder: Path, count: int) -> float:
    """Check a project of so many flows of six steps."""
    return _check(sizes.write_bot(folder / "bot", count, 6))


async def steps(folder: Path, count: int) -> float:
    """Check a project of one flow with so many steps."""
    return _check(sizes.write_bot(folder / "bot", 1, count))


async def turns(folder: Path, count: int) -> float:
    """Say something in an offline chat with so many flows."""
    project = read_project(sizes.write_bot(folder / "bot", count, 6))
    player, generator = Player(project, webhook()), OfflineCommandGenerator()
    said = ("what a lovely morning", "something about parcels please", "my contract")
    return await _cost(lambda number: player.say(said[number % 3], generator), repeats=60)


MEASURES: dict[str, tuple[str, str, Callable[..., Coroutine[Any, Any, float]]]] = {
    "idempotency": ("idempotency rows", "run", idempotency),
    "bookings": ("bookings", "booking", bookings),
    "waiting": ("waiting jobs", "delivery", waiting_jobs),
    "flows": ("flows", "check", flows),
    "turns": ("flows", "turn of chat", turns),
    "steps": ("steps", "check", steps),
}


def measured(name: str, counts: tuple[int, ...]) -> Iterator[Point]:
    """Measure one of the above at each size."""
    dimension, unit, _ = MEASURES[name]
    for count in counts:
        yield Point(dimension, unit, "ours", count, *in_a_process(name, count))


def in_a_process(name: str, count: int, *url: str) -> tuple[float, float]:
    """Return milliseconds of CPU and MiB of one measurement; with a URL of the PostgreSQL database it is done on."""
    command = [sys.executable, "-m", "benchmarks.growth_stored", name, str(count), *url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    found = json.loads(output)
    return found["cpu_ms"], found["rss_mib"]


async def _cost(run: Callable[[int], Awaitable[object]], repeats: int = _REPEATS, url: str = "") -> float:
    """Return the CPU time for one run, in milliseconds: this process's threads, and sessions of the URL's database."""
    for number in range(repeats // 4):
        await run(number)
    begun = time.process_time() + _sessions_cpu(url)
    for number in range(repeats, 2 * repeats):
        await run(number)
    return (time.process_time() + _sessions_cpu(url) - begun) / repeats * 1000


def _sessions_cpu(url: str) -> float:
    """Return the CPU time, in seconds, of the processes in which PostgreSQL serves the URL's database."""
    return sum(cpu_seconds(pid) for pid in _sessions(f" {make_url(url).database} ")) if url else 0.0


def _sessions(database: str) -> Iterator[int]:
    for title in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            said = title.read_text(encoding="utf-8", errors="replace")
            if said.startswith("postgres:") and database in said and "autovacuum" not in said:
                yield int(title.parent.name)


async def _fill(database: Database, url: str, fill: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    """Fill a database; PostgreSQL without our limits of time, and it counts its rows, as it does by itself soon."""
    if not url:
        await database.write(fill)
        return
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await fill(connection)
        await connection.execute(text("ANALYZE"))
    await engine.dispose()


def _check(folder: Path) -> float:
    # What is imported for the first check is none of its cost.
    small = sizes.write_bot(folder.parent / "small", 1, 2)
    checking.check(checking.Request(root=small, actions="no_actions", load=False))
    begun = time.process_time()
    checking.check(checking.Request(root=folder, actions="no_actions", load=False))
    return (time.process_time() - begun) * 1000


def main() -> int:
    """Print what one measurement found."""
    name, count, *url = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        cost = asyncio.run(MEASURES[name][2](Path(folder), int(count), *url))
    sys.stdout.write(json.dumps({"cpu_ms": cost, "rss_mib": rss_kb(os.getpid()) / 1024}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
