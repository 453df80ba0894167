"""What an operation of the queue costs is the same whatever waits in it: counted, without a clock, on each database."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.jobs import sweeping
from action_server.jobs.claiming import BESIDE
from action_server.jobs.overview import retry_job
from action_server.jobs.queue import JobQueue
from action_server.jobs.table import metadata
from benchmarks import history
from tests.action_server.jobs.job_fixtures import claim_one, order
from tests.statements import Statements, analyse, large_reads, machine_steps, statements_of_this_process

pytest_plugins = ["tests.databases"]

ROWS = 5000
DAY = 86_400.0


async def fill(database: Database, rows: int) -> None:
    """Add so many jobs of each kind that a worker has to pass by, and so many that it could run."""
    now = time.time()

    async def write(connection: AsyncConnection) -> None:
        for name, state, due in (
            ("newer", "waiting", now - DAY),
            ("work", "waiting", now + DAY),
            ("work", "running", now + DAY),
            ("busy", "waiting", now - DAY),
            ("work", "done", None),
        ):
            await history.fill_jobs(connection, rows, name, state, due)
        for name in ("work", "ordered"):
            await history.fill_lines(connection, rows, name, "long", now + (DAY if name == "work" else -DAY))

    await database.write(write)


def steps_of(queue: JobQueue) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """Return what is done with the queue, by name; `work` is a job that waits behind no other, `busy` one that does."""

    async def run_busy() -> None:
        claimed = await queue.claim(["busy", "work"], 4)
        assert len(claimed) == 4
        await queue.renew(claimed)
        assert await queue.done(claimed[0], "null")
        assert await queue.retry(claimed[1], 10, "no")
        assert await queue.park(claimed[2], "no")
        assert await queue.give_back(claimed[3])

    async def run_one() -> None:
        ordered = await queue.enqueue(order(key="key"))
        assert not (await queue.enqueue(order(key="key"))).is_new
        assert (await queue.next_due(["work", "other"]) or 0) <= 0
        one = await claim_one(queue)
        await queue.report(one, 0.5, "half")
        await queue.cancel(ordered.id)
        assert await queue.cancelled(one)

    async def run_ordered() -> None:
        behind = await queue.enqueue(order("ordered", ordering_key="long"))
        assert await queue.done(await claim_one(queue, "ordered"), "null")
        assert await queue.park(await claim_one(queue, "ordered"), "no")
        assert await queue.retry(await claim_one(queue, "ordered"), 0, "no")
        assert await queue.cancel(behind.id) == "waiting"
        assert await retry_job(queue.database, behind.id)

    return {
        "an idle look": lambda: queue.next_due(["work", "other"]),
        "an idle claim": lambda: queue.claim(["work", "other"], 4),
        "four jobs of many": run_busy,
        "the life of one": run_one,
        "those of a long line": run_ordered,
        "names nobody knows": lambda: queue.forsaken(["work"]),
        "nothing is old and no line stands still": lambda: queue.sweep(10 * DAY, 30 * DAY),
    }


async def counted(path: Path, rows: int) -> dict[str, int]:
    """Return for each operation how many instructions SQLite's virtual machine took for it."""
    with machine_steps() as steps:
        database = await Database.open(path, metadata.create_all)
    await fill(database, rows)
    found = {}
    for name, operation in steps_of(JobQueue(database)).items():
        found[name] = await steps.of(operation)
    await database.close()
    return found


@pytest.fixture(autouse=True)
def _few_lines_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer than there are in either queue: a sweep looks at so many, and no more."""
    monkeypatch.setattr(sweeping, "LINES", BESIDE)


async def test_an_operation_takes_no_more_steps_among_many_jobs(tmp_path: Path) -> None:
    """In steps of SQLite's machine, with 500 jobs of each kind and with 5,000."""
    few = await counted(tmp_path / "few.sqlite3", ROWS // 10)
    many = await counted(tmp_path / "many.sqlite3", ROWS)

    assert min(few.values()) > 0
    assert {name: (few[name], many[name]) for name in few if many[name] > 1.2 * few[name]} == {}


@pytest.mark.parametrize("is_analysed", [True, False], ids=["analysed", "new"])
async def test_no_statement_reads_what_waits(empty_postgresql: str, is_analysed: bool) -> None:
    """In rows that PostgreSQL reads, with and without its knowing how many there are.

    Without, one statement may read all: what is old, which is looked for once in ten minutes.
    """
    database = await Database.open(empty_postgresql, metadata.create_all)
    await fill(database, ROWS)
    if is_analysed:
        await database.write(lambda connection: connection.run_sync(analyse))
    with statements_of_this_process() as statements:
        for name, step in steps_of(JobQueue(database)).items():
            if is_analysed or not name.startswith("nothing is old"):
                await step()

    assert len(statements.found) > 10
    found = await database.write(lambda connection: connection.run_sync(offenders, statements))
    await database.close()
    assert found == []


def offenders(connection: Connection, statements: Statements) -> list[str]:
    """Return the statements that read more than a claim may pass by, with the reason; nothing is changed."""
    found = []
    for statement, parameters in statements.found.items():
        with connection.begin_nested() as undone:
            reads = large_reads(connection, statement, parameters, 2 * BESIDE)
            undone.rollback()
        found += [f"{reads}: {statement}"] if reads else []
    return found


async def test_the_queue_is_measured_by_name(database_url: str) -> None:
    """What waits, runs and is parked, and how late the oldest is; what another name has is another name's."""
    database = await Database.open(database_url, metadata.create_all)
    queue = JobQueue(database)
    await fill(database, 20)
    claimed = await queue.claim(["busy"], 3)
    await queue.park(claimed[0], "no")
    measured = await queue.measure(["work", "busy", "none"])
    await database.close()

    assert {name: depth[:3] for name, depth in measured.items()} == {
        # With the first ones of 21 lines and the 39 behind them.
        "work": (80, 20, 0),
        "ordered": (60, 0, 0),
        "busy": (17, 2, 1),
        "none": (0, 0, 0),
        # Nobody here knows it.
        "newer": (20, 0, 0),
    }
    assert measured["busy"].late >= DAY - 1
    assert (measured["work"].late, measured["none"].late) == (0, 0)
