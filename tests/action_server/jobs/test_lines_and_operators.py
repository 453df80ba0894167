"""What operators, older versions and time do to jobs with an ordering key, on each database."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import text

from action_server.jobs import sweeping
from action_server.jobs.overview import list_jobs, retry_job, retry_parked
from action_server.jobs.queue import Claimed, JobQueue
from tests.action_server.jobs.job_fixtures import Clock, ask, claim_one, of, order, rows_left, run_all

pytest_plugins = ["tests.databases", "tests.action_server.jobs.job_fixtures"]

DAY = 86_400.0


async def by_hand(queue: JobQueue, statement: str, **values: object) -> None:
    """Change the database as somebody with its password does."""
    await queue.database.write(lambda connection: connection.execute(text(statement), values))


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


async def test_one_that_a_hand_cancelled_is_passed_by(queue: JobQueue) -> None:
    """It stands in its line as if it waited; nobody has to wait for a sweep."""
    first, cancelled, gone, last = await ask(queue, *[of("a")] * 4)
    ended = "UPDATE action_server_jobs SET state = 'cancelled', ended_at = 2e9 WHERE id = :id"
    await by_hand(queue, ended, id=cancelled)
    await by_hand(queue, "DELETE FROM action_server_jobs WHERE id = :id", id=gone)

    assert await run_all(queue) == [first, last]
    # What was cancelled may be run again.
    assert await rows_left(queue) == 1


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
        "UPDATE action_server_jobs SET state = 'done', due_at = NULL, ended_at = 2e9 WHERE id = :id",
        "UPDATE action_server_jobs SET state = 'cancelled', due_at = NULL, ended_at = 2e9 WHERE id = :id",
    )
    for key in "abcdef":
        await by_hand(queue, done if key < "d" else cancelled, id=lines[key][0])
    await by_hand(queue, "DELETE FROM action_server_jobs WHERE id = :id", id=lines["a"][1])
    await by_hand(queue, cancelled, id=lines["b"][1])
    assert await run_all(queue) == []
    for key in "ghij":
        await ask(queue, *[of(key)] * 2)

    with caplog.at_level(logging.WARNING):
        moved = sum([await queue.sweep(10 * DAY, 10 * DAY) for _ in range(2 * 6)])
    told = [one.__dict__["count"] for one in caplog.records if one.message == "job.order_repaired"]
    assert sum(told) == moved == 6
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
