"""What one commit's databases cost: run by ``growth_before.py`` with that commit's code first on the path.

``python -m benchmarks.growth_rows booking 1000`` prints milliseconds. Only what both commits have is imported at the
top; where a name has changed since, both are tried.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from action_server import Database
from action_server.errors import ActionServerError
from actions.crm.embedded import EmbeddedCrm
from actions.crm.models import Activity
from actions.database import open_database
from actions.scheduling.ledger import Ledger
from actions.scheduling.models import BookingKey, Change, Patient, Slot, Window
from benchmarks import history

_REPEATS = 100
_AT_ONCE = 50
_FIRST = datetime(2026, 11, 24, 10, tzinfo=timezone.utc)


def _clock() -> datetime:
    return datetime(2026, 11, 22, 16, 20, tzinfo=timezone.utc)


async def booking(folder: Path, rows: int) -> float:
    """CPU of booking a time and cancelling it, among so many bookings that are over."""
    database = await open_database(folder / "clinic.sqlite3")
    await database.write(lambda connection: history.fill_bookings(connection, rows))
    ledger = Ledger(database, clock=_clock)

    async def book(number: int) -> None:
        record, _ = await ledger.claim(_key(number), _slot(0), Patient(f"new-{number}"))
        await ledger.cancel(record)

    cost = await _cost(book)
    await database.close()
    return cost


async def failed(folder: Path, rows: int) -> float:
    """How many of fifty bookings at once failed, from as many processes' connections, among so many that are over."""
    path = folder / "clinic.sqlite3"
    database = await open_database(path)
    await database.write(lambda connection: history.fill_bookings(connection, rows))
    ledgers = [Ledger(await open_database(path), clock=_clock) for _ in range(5)]
    claims = [
        ledgers[number % 5].claim(_key(number), _slot(number), Patient(f"new-{number}")) for number in range(_AT_ONCE)
    ]
    found = await asyncio.gather(*claims, return_exceptions=True)
    for ledger in ledgers:
        await ledger.close()
    await database.close()
    return float(sum(isinstance(one, BaseException) for one in found))


async def delivery(folder: Path, rows: int) -> float:
    """CPU of delivering one change of so many that wait."""
    database = await open_database(folder / "clinic.sqlite3")
    cost = await _cost(await _jobs_delivery(database, rows) or await _outbox_delivery(database, rows))
    await database.close()
    return cost


async def activity(folder: Path, rows: int) -> float:
    """CPU of noting an activity in the embedded CRM, among so many contacts."""
    database = await open_database(folder / "clinic.sqlite3")
    await database.write(lambda connection: history.fill_contacts(connection, rows))
    crm = EmbeddedCrm(database)

    async def log(number: int) -> None:
        at = _FIRST + timedelta(minutes=number)
        change = next(iter(Change))
        await crm.log_activity(str(rows - number), Activity(f"new-{number}", change, "APT-1", "general", at, at, at))

    cost = await _cost(log)
    await database.close()
    return cost


async def cleaning(folder: Path, rows: int) -> float:
    """The longest that a call which has a key waited, by the clock, while so many rows were cleaned away."""
    try:
        store_type = importlib.import_module("action_server.idempotency.store").IdempotencyStore
        answers = importlib.import_module("action_server.protocol.answers")
    except ModuleNotFoundError:
        store_type = importlib.import_module("action_server.once").OnceStore
        answers = importlib.import_module("action_server.answers")
    url = f"sqlite:///{folder}/state.sqlite3"
    store, cleaner = await store_type.open(url), await store_type.open(url)
    await store._database.write(lambda connection: history.fill_store(connection, rows, time.time() - 1))

    async def run() -> Any:
        return answers.Answer([], [])

    run_once = getattr(store, "run_once", None) or store.once
    longest, number = 0.0, 0
    swept = asyncio.create_task(cleaner.sweep())
    while not swept.done():
        begun, refused = time.perf_counter(), True
        while refused:
            # What an engine's next message does where the store does not answer in time.
            with contextlib.suppress(ActionServerError):
                await run_once(f"{number:064x}", run, action="action_x", ttl=60, wait=30.0)
                refused = False
        longest, number = max(longest, time.perf_counter() - begun), number + 1
    for one in (store, cleaner):
        await one.close(grace=0)
    return longest * 1000


MEASURES: dict[str, Callable[[Path, int], Coroutine[Any, Any, float]]] = {
    "booking": booking,
    "failed": failed,
    "delivery": delivery,
    "activity": activity,
    "cleaning": cleaning,
}


async def _jobs_delivery(database: Database, rows: int) -> Callable[[int], Awaitable[object]] | None:
    """Return what delivers one change, and fill the queue; None where changes are no jobs."""
    try:
        importlib.import_module("action_server.jobs.ordering")
    except ModuleNotFoundError:
        return None
    return await history.delivery_among(database, rows + 2 * _REPEATS)


async def _outbox_delivery(database: Database, rows: int) -> Callable[[int], Awaitable[object]]:
    """Do the same with the outbox of earlier commits."""
    await database.write(lambda connection: history.fill_outbox(connection, rows + 2 * _REPEATS))
    queue = importlib.import_module("actions.crm.queue").Queue(database, "holder", _clock)
    settle = getattr(queue, "mark_delivered", None) or queue.delivered

    async def deliver(_: int) -> None:
        [due] = await queue.claim(1, timedelta(seconds=30))
        await settle(due)

    return deliver


def _key(number: int) -> BookingKey:
    return BookingKey(f"new-{number}", "general", Window(_FIRST, _FIRST + timedelta(days=30)))


def _slot(number: int) -> Slot:
    start = _FIRST + timedelta(hours=number)
    return Slot("practice", start, start + timedelta(minutes=30))


async def _cost(run: Callable[[int], Awaitable[object]]) -> float:
    """Return this process's CPU time for one run, in milliseconds: all of its threads, the database's too."""
    for number in range(_REPEATS // 4):
        await run(number)
    begun = time.process_time()
    for number in range(_REPEATS, 2 * _REPEATS):
        await run(number)
    return (time.process_time() - begun) / _REPEATS * 1000


def main() -> int:
    """Print what one measurement found."""
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(f"{asyncio.run(MEASURES[sys.argv[1]](Path(folder), int(sys.argv[2])))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
