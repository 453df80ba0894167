"""The contract of a queue, on each database: what is written is run by somebody, and by one at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncConnection

from action_server.database import Database
from action_server.errors import JobError
from action_server.jobs.queue import LEASE, JobQueue, Ordered
from action_server.jobs.table import metadata
from tests.action_server.jobs.job_fixtures import Clock, Opening, claim_one, order, state_of

pytest_plugins = ["tests.databases", "tests.action_server.jobs.job_fixtures"]


async def test_a_job_is_claimed_by_one(queue: JobQueue, opened: Opening) -> None:
    """Of five processes that ask at once, each job goes to one; done, nobody gets it."""
    others = [await opened() for _ in range(4)]
    ids = {(await queue.enqueue(order())).id for _ in range(20)}

    claims = await asyncio.gather(*(one.claim(["work"], 7) for one in [queue, *others]))

    claimed = [one.id for claim in claims for one in claim]
    assert len(claimed) == len(set(claimed))
    rest = await queue.claim(["work"], 20)
    assert {*claimed, *(one.id for one in rest)} == ids
    assert not await queue.claim(["work"], 20)


async def test_jobs_come_in_order_and_not_too_early(queue: JobQueue, clock: Clock) -> None:
    """Those due longest first; a delayed one when its time has come."""
    late = await queue.enqueue(order(delay=60))
    soon = await queue.enqueue(order(delay=1))

    assert await queue.next_due(["work"]) == pytest.approx(1)
    assert not await queue.claim(["work"], 1)
    clock.time += 60
    assert [one.id for one in await queue.claim(["work"], 1)] == [soon.id]
    assert [one.id for one in await queue.claim(["work"], 1)] == [late.id]
    assert await queue.next_due(["other"]) is None


async def test_an_unknown_name_is_left_alone(queue: JobQueue) -> None:
    """An old worker leaves a new job to those that know it, however often it looks."""
    new = await queue.enqueue(order("new"))

    assert not await queue.claim(["old"], 10)
    assert (await state_of(queue, new.id))["state"] == "waiting"
    assert (await claim_one(queue, "new")).attempt == 1


async def test_a_dead_process_loses_its_job_when_the_lease_is_over(
    queue: JobQueue, opened: Opening, clock: Clock
) -> None:
    """Somebody takes it over, without anybody's doing; that is no attempt, and the first can write nothing more."""
    ordered = await queue.enqueue(order())
    first, other = await claim_one(queue), await opened()

    clock.time += LEASE - 1
    assert not await other.claim(["work"], 1)
    clock.time += 2
    second = await claim_one(other)

    assert (second.id, second.attempt, second.losses) == (ordered.id, 1, 1)
    assert second.fence > first.fence
    assert not await queue.done(first, "1")
    assert not await queue.retry(first, 0, "late")
    assert not await queue.report(first, 0.5, "late")
    assert await queue.renew([first]) == (set(), set())
    assert await other.done(second, "2")
    assert (await state_of(queue, ordered.id))["result"] == "2"


async def test_a_process_that_takes_over_from_itself_has_a_new_fence(queue: JobQueue, clock: Clock) -> None:
    """Its owner is the same, so only the fence tells the two runs apart."""
    await queue.enqueue(order())
    first = await claim_one(queue)
    clock.time += LEASE + 1
    second = await claim_one(queue)

    assert not await queue.done(first, "1")
    assert await queue.renew([first]) == (set(), set())
    assert await queue.done(second, "2")


async def test_of_ends_written_together_only_those_that_are_ours_count(
    queue: JobQueue, opened: Opening, clock: Clock
) -> None:
    """One was taken over by another process, one by its own; the results of neither are in the row of the other."""
    for _ in range(3):
        await queue.enqueue(order())
    mine, *expired = await queue.claim(["work"], 3)
    clock.time += LEASE - 1
    await queue.renew([mine])
    clock.time += 2
    other = await opened()
    [theirs] = await other.claim(["work"], 1)
    newer = await claim_one(queue)

    ours = [mine, *expired, newer]
    written = await asyncio.gather(*(queue.done(one, str(n)) for n, one in enumerate(ours)), other.done(theirs, "9"))

    assert written == [True, False, False, True, True]
    assert [(await state_of(queue, one.id))["result"] for one in (mine, theirs, newer)] == ["0", "9", "3"]


async def test_a_renewed_lease_is_kept(queue: JobQueue, opened: Opening, clock: Clock) -> None:
    """As often as its process says that it is alive."""
    ordered = await queue.enqueue(order())
    first, other = await claim_one(queue), await opened()
    for _ in range(5):
        clock.time += LEASE - 1
        assert await queue.renew([first]) == ({ordered.id}, set())
        assert not await other.claim(["work"], 1)

    assert await queue.done(first, "null")


async def test_a_retry_waits_and_holds_nobody_up(queue: JobQueue, clock: Clock) -> None:
    """A job in back-off does not hold the ones behind it, and comes again at its time."""
    ordered = await queue.enqueue(order(key="same"))
    assert await queue.retry(await claim_one(queue), 10, "ValueError")
    behind = await queue.enqueue(order())

    assert (await claim_one(queue)).id == behind.id
    assert await queue.next_due(["work"]) == pytest.approx(10)
    clock.time += 10
    again = await claim_one(queue)
    assert (again.id, again.attempt) == (ordered.id, 2)


async def test_a_key_makes_one_job(queue: JobQueue, opened: Opening, clock: Clock) -> None:
    """Asked for in any process, while it waits, runs, is in back-off or has ended; another job's key is another."""
    others = [await opened() for _ in range(3)]
    at_once = await asyncio.gather(*(one.enqueue(order(key="k")) for one in [queue, *others]))
    assert len({one.id for one in at_once}) == 1
    assert sorted(one.is_new for one in at_once) == [False, False, False, True]
    claimed = await claim_one(queue)
    assert await queue.retry(claimed, 5, "ValueError")
    assert await queue.enqueue(order(key="k")) == Ordered(claimed.id, is_new=False)
    clock.time += 5
    assert await queue.done(await claim_one(queue), "null")

    assert await queue.enqueue(order(key="k")) == Ordered(claimed.id, is_new=False)
    assert (await queue.enqueue(order("other", key="k"))).is_new


async def test_a_shutdown_is_no_attempt(queue: JobQueue) -> None:
    """However often."""
    await queue.enqueue(order())
    for _ in range(3):
        claimed = await claim_one(queue)
        assert (claimed.attempt, claimed.losses) == (1, 0)
        assert await queue.give_back(claimed)


async def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_told(queue: JobQueue) -> None:
    """One that has ended is left as it is; nobody knows what is not there."""
    waiting = await queue.enqueue(order())
    assert await queue.cancel(waiting.id) == "waiting"
    assert not await queue.claim(["work"], 1)
    running = await queue.enqueue(order())
    claimed = await claim_one(queue)
    assert await queue.cancel(running.id) == "running"
    assert await queue.renew([claimed]) == ({running.id}, {running.id})
    assert await queue.cancelled(claimed)

    assert await queue.cancel(running.id) == "cancelled"
    assert (await state_of(queue, running.id))["state"] == "cancelled"
    assert await queue.cancel("nothing") is None


async def test_the_row_is_written_with_the_authors_own(queue: JobQueue) -> None:
    """In one transaction: with it the job is there, or neither is."""

    async def book(connection: AsyncConnection) -> Ordered:
        return await queue.enqueue(order(key="k"), connection)

    async def book_in_vain(connection: AsyncConnection) -> None:
        await book(connection)
        raise LookupError

    with pytest.raises(LookupError):
        await queue.database.write(book_in_vain)
    assert not await queue.claim(["work"], 1)
    ordered = await queue.database.write(book)

    assert ordered.is_new
    assert (await claim_one(queue)).id == ordered.id


async def test_another_database_is_refused(queue: JobQueue, tmp_path: Path) -> None:
    """The job would be where nobody looks for it."""
    other = await Database.open(tmp_path / "other.sqlite3", metadata.create_all)

    async def book(connection: AsyncConnection) -> Ordered:
        return await queue.enqueue(order(), connection)

    try:
        with pytest.raises(JobError, match="another database than that of the job"):
            await other.write(book)
    finally:
        await other.close()


async def test_old_jobs_go_with_their_keys(queue: JobQueue, clock: Clock) -> None:
    """By age; what waits or runs stays, and what is parked stays longer."""
    done = await queue.enqueue(order(key="k"))
    assert await queue.done(await claim_one(queue), "null")
    parked = await queue.enqueue(order())
    assert await queue.park(await claim_one(queue), "ValueError")
    waiting = await queue.enqueue(order(delay=1000))
    assert await queue.sweep(keep=10, keep_parked=100) == 0

    clock.time += 11
    assert await queue.sweep(keep=10, keep_parked=100) == 1
    assert not await state_of(queue, done.id)
    assert (await queue.enqueue(order(key="k"))).is_new
    clock.time += 100
    assert await queue.sweep(keep=10, keep_parked=100) == 1
    assert not await state_of(queue, parked.id)
    assert await state_of(queue, waiting.id)


async def test_what_is_one_statement_is_sent_alone(queue: JobQueue) -> None:
    """A job is asked for, looked for, claimed, renewed and ended by one statement each, without a transaction."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement.split(maxsplit=1)[0])

    def begun(connection: Connection) -> None:
        # On SQLite a BEGIN is a statement as others are.
        options = connection.get_execution_options()
        if connection.dialect.name == "postgresql" and options.get("isolation_level") != "AUTOCOMMIT":
            sent.append("BEGIN")

    event.listen(Engine, "before_cursor_execute", note)
    event.listen(Engine, "begin", begun)
    try:
        await queue.enqueue(order())
        await queue.next_due(["work"])
        claimed = await claim_one(queue)
        await queue.renew([claimed])
        await queue.done(claimed, "null")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        event.remove(Engine, "begin", begun)

    assert sent == ["INSERT", "SELECT", "WITH", "UPDATE", "UPDATE"]
