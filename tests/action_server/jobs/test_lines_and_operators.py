"""What operators, authors' transactions, older versions and time do to jobs with an ordering key, on each database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from action_server.errors import JobError
from action_server.jobs import sweeping
from action_server.jobs.overview import list_jobs, retry_job, retry_parked
from action_server.jobs.queue import Claimed, JobQueue, Order
from action_server.jobs.table import job_order
from tests.action_server.jobs.job_fixtures import Clock, Opening, claim_one, order

pytest_plugins = ["tests.databases", "tests.action_server.jobs.job_fixtures"]

DAY = 86_400.0
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def of(key: str, name: str = "work") -> Order:
    """A job with an ordering key."""
    return order(name, ordering_key=key)


async def ask(queue: JobQueue, *orders: Order) -> list[str]:
    """Ask for jobs one after the other; return their ids."""
    return [(await queue.enqueue(one)).id for one in orders]


async def run_all(queue: JobQueue) -> list[str]:
    """Run what there is, one at a time; return the ids in the order in which they ran."""
    ran = []
    while claimed := await queue.claim(["work"], 1):
        assert await queue.done(claimed[0], "1")
        ran.append(claimed[0].id)
    return ran


async def by_hand(queue: JobQueue, statement: str, **values: object) -> None:
    """Change the database as somebody with its password does."""
    await queue.database.write(lambda connection: connection.execute(text(statement), values))


async def rows_left(queue: JobQueue) -> int:
    """How many rows the table of the order has."""

    async def count(connection: AsyncConnection) -> int:
        return int((await connection.execute(select(func.count()).select_from(job_order))).scalar_one())

    return await queue.database.read(count)


async def test_a_cancelled_one_holds_nobody_up(queue: JobQueue) -> None:
    """The first one of a line, one in the middle and the last one; the worker hears that another one is due."""
    ids = await ask(queue, *[of("a")] * 5)
    woken: list[None] = []
    queue.wake = lambda: woken.append(None)
    for number in (2, 4):
        assert await queue.cancel(ids[number]) == "waiting"
        assert not woken
    assert await queue.cancel(ids[0]) == "waiting"
    assert woken

    assert await run_all(queue) == [ids[1], ids[3]]
    assert await queue.cancel(ids[0]) == "cancelled"


async def test_cancelled_while_it_runs_the_next_waits_for_its_end(queue: JobQueue) -> None:
    """What it does may go on until its worker has seen that it is cancelled."""
    first, second = await ask(queue, of("a"), of("a"))
    running = await claim_one(queue)
    assert await queue.cancel(first) == "running"
    assert await run_all(queue) == []
    assert await queue.cancelled(running)

    assert await run_all(queue) == [second]


async def test_run_again_it_joins_the_end_of_its_line(queue: JobQueue) -> None:
    """Parked or cancelled; of several of a name those first that were asked for first; alone, it is due at once."""
    parked, cancelled, *rest = await ask(queue, *[of("a")] * 4)
    assert await queue.park(await claim_one(queue), "no")
    assert await queue.cancel(cancelled) == "waiting"
    assert await retry_job(queue.database, cancelled)
    assert await retry_job(queue.database, parked)
    assert not await retry_job(queue.database, parked)
    (row,) = [one for one in await list_jobs(queue.database, ["waiting"], None, 10) if one.id == parked]
    assert row.is_behind

    assert await run_all(queue) == [*rest, cancelled, parked]
    (alone,) = await ask(queue, of("a"))
    assert await queue.park(await claim_one(queue), "no")
    assert await retry_job(queue.database, alone)
    assert (await claim_one(queue)).attempt == 1


async def test_all_parked_ones_of_a_name_are_run_again(
    queue: JobQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without an ordering key, in several batches, in the order in which they were asked for."""
    monkeypatch.setattr("action_server.jobs.overview._AT_ONCE", 2)
    ids = []
    for wanted in (of("a"), order(), of("a"), order(), of("a"), order(), of("b"), of("a", "other")):
        ids += await ask(queue, wanted)
        clock.time += 1
    ids.pop()
    for name, count in (("work", 7), ("other", 1)):
        for _ in range(count):
            assert await queue.park(await claim_any(queue, name), "no")
    behind = await ask(queue, of("b"))

    assert await retry_parked(queue.database, "work") == 7
    assert await retry_parked(queue.database, "work") == 0
    ran = await run_all(queue)
    assert sorted(ran) == sorted([*ids, *behind])
    assert [one for one in ran if one in ids[0:6:2]] == ids[0:6:2]
    assert ran.index(behind[0]) < ran.index(ids[6])


async def claim_any(queue: JobQueue, name: str) -> Claimed:
    """Claim one job that is due, of several."""
    return (await queue.claim([name], 1))[0]


async def test_a_line_that_stands_still_goes_on(
    queue: JobQueue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older worker ended its first ones and left their rows, or somebody deleted them; that is said, and once."""
    monkeypatch.setattr(sweeping, "LINES", 2)
    lines = {key: await ask(queue, *[of(key)] * 4) for key in "abcdef"}
    done, cancelled = (
        "UPDATE action_server_jobs SET state = 'done', due_at = NULL, ended_at = 0 WHERE id = :id",
        "UPDATE action_server_jobs SET state = 'cancelled', due_at = NULL, ended_at = 2e9 WHERE id = :id",
    )
    for key in "abcdef":
        await by_hand(queue, done if key < "d" else cancelled, id=lines[key][0])
    await by_hand(queue, "DELETE FROM action_server_jobs WHERE id = :id", id=lines["a"][1])
    await by_hand(queue, cancelled, id=lines["b"][1])
    assert await run_all(queue) == []

    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            await queue.sweep(10 * DAY, 10 * DAY)
    told = [one.__dict__["count"] for one in caplog.records if one.message == "job.order_repaired"]
    assert told == [2, 2, 2]
    ran = await run_all(queue)
    for key in "abcdef":
        left = lines[key][2:] if key < "c" else lines[key][1:]
        assert [one for one in ran if one in lines[key]] == left
    # Those that were cancelled may be run again.
    assert await rows_left(queue) == 4
    assert await retry_job(queue.database, lines["b"][1])
    assert await run_all(queue) == [lines["b"][1]]


async def test_old_ones_go_with_their_place(queue: JobQueue, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Of parked ones it is said, by name; of others it is not."""
    ids = await ask(queue, of("a"), of("b"), of("c", "other"), of("d"))
    for name in ("work", "work", "other"):
        assert await queue.park(await claim_any(queue, name), "no")
    assert await queue.cancel(ids[3])
    clock.time += 101
    with caplog.at_level(logging.WARNING):
        assert await queue.sweep(keep=10, keep_parked=100) == 4

    told = {(one.__dict__["job"], one.__dict__["count"]) for one in caplog.records}
    assert told == {("work", 2), ("other", 1)}
    assert {one.message for one in caplog.records} == {"job.parked_deleted"}
    assert await rows_left(queue) == 0


async def test_those_behind_count_as_waiting(queue: JobQueue, clock: Clock) -> None:
    """And are not late: nobody could have run them."""
    await ask(queue, *[of("a")] * 3, of("b"), order())
    clock.time += 50
    for _ in range(3):
        await claim_any(queue, "work")

    (depth,) = (await queue.measure(["work"])).values()
    assert depth == (2, 3, 0, 0.0)


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


@on_postgresql
async def test_a_snapshot_of_before_is_refused(queue: JobQueue) -> None:
    """Such a transaction would put a job behind one that has ended, or beside one that runs."""
    engine = create_async_engine(queue.database._engine.url, isolation_level="REPEATABLE READ")
    try:
        async with engine.begin() as connection:
            with pytest.raises(JobError, match="READ COMMITTED, and this one has REPEATABLE READ"):
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


async def waits_for_a_line(queue: JobQueue) -> None:
    """Return when somebody waits for a line that somebody else holds."""

    async def waits(connection: AsyncConnection) -> bool:
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool((await connection.execute(waiting)).scalar())

    while not await queue.database.read(waits):  # noqa: ASYNC110 - locks set no event
        await asyncio.sleep(0.01)
