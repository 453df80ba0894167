"""What transactions of authors and of others do to jobs with an ordering key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from action_server.database import Database
from action_server.errors import JobError
from action_server.jobs.overview import list_jobs, retry_job, retry_parked
from action_server.jobs.queue import Claimed, JobQueue
from action_server.jobs.table import metadata
from tests.action_server.jobs.job_fixtures import Opening, ask, claim_one, of, order, rows_left, run_all

pytest_plugins = ["tests.databases", "tests.action_server.jobs.job_fixtures"]

DAY = 86_400.0
LEFT = ("waiting", "running", "parked", "cancelled")
# In one order everywhere, or two transactions that ask for all of them may wait for each other; the last one has none.
KEYS, ROUNDS = ("a", "b", None), 3
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def test_what_comes_to_nothing_takes_no_place(queue: JobQueue) -> None:
    """Of two transactions the one that fails leaves nothing; the jobs of the other one are in their order."""

    async def book(connection: AsyncConnection) -> list[str]:
        return [(await queue.enqueue(of("a"), connection)).id for _ in range(3)]

    async def fail(connection: AsyncConnection) -> None:
        await book(connection)
        raise LookupError

    with pytest.raises(LookupError):
        await queue.database.write(fail)
    booked = await queue.database.write(book)

    assert await run_all(queue) == booked
    assert await rows_left(queue) == 0


async def test_of_two_with_one_key_there_is_one_place(queue: JobQueue) -> None:
    """The repeat of an idempotent call does not stand in the line."""
    first, second = [await queue.enqueue(order(key="k", ordering_key="a")) for _ in range(2)]

    assert first.id == second.id
    assert await rows_left(queue) == 1


@on_postgresql
async def test_in_the_order_of_commits(queue: JobQueue, opened: Opening) -> None:
    """Who asks while another transaction is open comes behind what that one asked for, or in its place if it fails."""
    other, expected = await opened(), []
    for fails in (False, True):
        async with transaction_with_a_job(queue, fails=fails) as booking:
            asking = asyncio.create_task(other.enqueue(of("a")))
            await waits_for_a_line(queue)
        expected += [booking.job_id] * (not fails) + [(await asking).id]

    assert await run_all(queue) == expected


@on_postgresql
async def test_an_operator_and_an_end_do_not_wait_for_each_other(queue: JobQueue, opened: Opening) -> None:
    """Both want the line and the job's row; whoever comes first to the line gets both."""
    other = await opened()
    (running,) = await ask(queue, of("a"))
    claimed = await claim_one(other)
    async with transaction_with_a_job(queue):
        cancelling = asyncio.create_task(queue.cancel(running))
        await waits_for_a_line(queue)
        ending = asyncio.create_task(other.done(claimed, "1"))
        await waits_for_a_line(queue, waiters=2)

    assert await cancelling == "running"
    assert await ending


async def test_nobody_waits_for_each_other(patient: Sequence[JobQueue]) -> None:
    """Transactions that ask for many keys, claims, renewals, ends, operators and sweeps, all at once.

    Of two who wait for each other PostgreSQL would end one with an error. Every job is done in the end.
    """
    ids, doomed = list[str](), list[str]()

    async def until_done(step: Callable[[], Awaitable[None]]) -> None:
        while len(ids) < 2 * ROUNDS * len(KEYS) or await list_jobs(patient[0].database, LEFT, None, 1):
            await step()
            await asyncio.sleep(0.01)  # so that what has to be done gets its turn

    asking = [ask_often(one, ids, doomed) for one in patient]
    steps = [partial(step, *given) for one in patient for step, *given in ((work, one), (look_after, one, doomed))]
    await asyncio.gather(*asking, *map(until_done, steps))
    assert await rows_left(patient[0]) == 0


@pytest.fixture
async def patient(empty_postgresql: str) -> AsyncIterator[Sequence[JobQueue]]:
    """Two workers' queues, whose statements wait for as long as it takes: who waits for each other is told at once."""
    databases = [await Database.open(empty_postgresql, metadata.create_all, patience=60) for _ in range(2)]
    yield [JobQueue(database) for database in databases]
    await asyncio.gather(*(database.close() for database in databases))


async def ask_often(queue: JobQueue, ids: list[str], doomed: list[str]) -> None:
    """Ask for a job of each key, all in one transaction; some of them are to be cancelled."""

    async def book(connection: AsyncConnection) -> list[str]:
        return [(await queue.enqueue(order(ordering_key=key), connection)).id for key in KEYS]

    for _ in range(ROUNDS):
        booked = await queue.database.write(book)
        ids.extend(booked)
        doomed.extend(booked[::3])


async def work(queue: JobQueue) -> None:
    """Claim jobs, and end them while their leases are renewed; each first run fails, in one way or the other."""

    async def end(one: Claimed, number: int) -> bool:
        if one.fence > 1:
            return await queue.done(one, "1")
        return await (queue.park(one, "no") if number else queue.retry(one, 0, "no"))

    claimed = await queue.claim(["work"], 3)
    _, *ended = await asyncio.gather(queue.renew(claimed), *(end(one, number) for number, one in enumerate(claimed)))
    assert all(ended)


async def look_after(queue: JobQueue, doomed: list[str]) -> None:
    """Cancel some jobs and let them be run again, and those that are parked; sweep."""
    running = [one.id for one in await list_jobs(queue.database, ["running"], None, 50)]
    found = await asyncio.gather(*map(queue.cancel, running))
    # Those whose run ended meanwhile are cancelled for good.
    doomed.extend(job_id for job_id, state in zip(running, found, strict=True) if state in ("waiting", "parked"))
    while doomed:
        job_id = doomed.pop()
        await queue.cancel(job_id)
        await retry_job(queue.database, job_id)
    await retry_parked(queue.database, "work")
    await queue.sweep(10 * DAY, 10 * DAY)


@on_postgresql
async def test_a_long_transaction_holds_its_own_line_alone(queue: JobQueue, opened: Opening) -> None:
    """Other keys, and jobs without one, are asked for, run and ended meanwhile; then its own go on."""
    other = await opened()
    held, *_ = await ask(queue, of("a"), of("b"), order())
    claimed = {one.id: one for one in await other.claim(["work"], 10)}
    async with transaction_with_a_job(queue) as booking:
        ending = asyncio.create_task(other.done(claimed.pop(held), "1"))
        await waits_for_a_line(queue)
        for one in claimed.values():
            assert await other.done(one, "1")
        more = await ask(other, of("b"), order())
        assert sorted(await run_all(other)) == sorted(more)
        assert not ending.done()

    assert await ending
    assert await run_all(other) == [booking.job_id]


@pytest.mark.parametrize(
    ("database_url", "isolation"),
    [("postgresql", "REPEATABLE READ"), ("postgresql", "AUTOCOMMIT"), ("sqlite", "AUTOCOMMIT")],
    indirect=["database_url"],
)
async def test_who_does_not_see_the_line_is_refused(queue: JobQueue, isolation: str) -> None:
    """A snapshot of before puts a job behind one that has ended, or beside one that runs; so does no transaction."""
    engine = create_async_engine(queue.database._engine.url, execution_options={"isolation_level": isolation})
    try:
        async with engine.begin() as connection:
            with pytest.raises(JobError, match=f"READ COMMITTED, and this connection has {isolation}"):
                await queue.enqueue(of("a"), connection)
            await queue.enqueue(order(), connection)
    finally:
        await engine.dispose()


@dataclass
class Booking:
    """A transaction that is open, and the job that it has asked for."""

    job_id: str = ""


@asynccontextmanager
async def transaction_with_a_job(queue: JobQueue, *, fails: bool = False) -> AsyncIterator[Booking]:
    """Ask for a job in a transaction that ends with the block."""
    booking, asked, may_end = Booking(), asyncio.Event(), asyncio.Event()

    async def book(connection: AsyncConnection) -> None:
        booking.job_id = (await queue.enqueue(of("a"), connection)).id
        asked.set()
        await may_end.wait()
        if fails:
            raise LookupError

    task = asyncio.create_task(queue.database.write(book))
    await asyncio.wait_for(asked.wait(), 20)
    try:
        yield booking
    finally:
        may_end.set()
        await asyncio.gather(task, return_exceptions=True)


async def waits_for_a_line(queue: JobQueue, waiters: int = 1) -> None:
    """Return when so many wait for a line that somebody else holds."""

    async def waits(connection: AsyncConnection) -> bool:
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return (await connection.execute(waiting)).scalar() == waiters

    for _ in range(1000):
        if await queue.database.read(waits):
            return
        await asyncio.sleep(0.01)
    pytest.fail("nobody waits")
