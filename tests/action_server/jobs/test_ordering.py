"""The contract of an ordering key, on each database: one after the other, as they were asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from action_server.jobs.ordering import line_of
from action_server.jobs.origin import FORGOTTEN
from action_server.jobs.queue import LEASE, Claimed, JobQueue, Order
from tests.action_server.jobs.job_fixtures import Clock, Opening, ask, claim_one, of, order, rows_left, state_of

pytest_plugins = ["tests.databases", "tests.action_server.jobs.job_fixtures"]


async def claimed_ids(queue: JobQueue, name: str = "work") -> list[str]:
    """The ids of all jobs that can be had now."""
    return [one.id for one in await queue.claim([name], 20)]


async def test_one_after_the_other_as_they_were_asked_for(queue: JobQueue) -> None:
    """Of each key one at a time; other keys, other names and jobs without a key do not wait."""
    first, second, third = await ask(queue, *[of("a")] * 3)
    other, plain = await ask(queue, of("b"), order())
    elsewhere, *_ = await ask(queue, of("a", "other"))

    begun = {one.id: one for one in await queue.claim(["work"], 20)}
    assert begun.keys() == {first, other, plain}
    assert await claimed_ids(queue, "other") == [elsewhere]
    assert await queue.next_due(["work"]) == pytest.approx(LEASE)
    assert await queue.done(begun[first], "1")
    assert await claimed_ids(queue) == [second]
    assert third not in await claimed_ids(queue)


async def test_the_next_one_goes_on_at_once_however_one_ended(queue: JobQueue) -> None:
    """Done, with and without its arguments forgotten, parked or cancelled in its run; the worker hears of it."""
    ids = await ask(queue, *[of("a")] * 5)
    woken: list[None] = []
    queue.wake = lambda: woken.append(None)
    ends: tuple[Callable[[Claimed], Awaitable[bool]], ...] = (
        lambda one: queue.done(one, "1"),
        lambda one: queue.done(one, "1", forget=True),
        lambda one: queue.park(one, "no", of("a", "other")),
        lambda one: queue.cancelled(one),
        lambda one: queue.done(one, "1"),
    )
    for number, (job_id, end) in enumerate(zip(ids, ends, strict=True)):
        one = await queue.claim(["work"], 1)
        assert [other.id for other in one] == [job_id], number
        woken.clear()
        assert await end(one[0])
        assert woken or job_id == ids[-1]

    assert [str((await state_of(queue, job_id))["state"]) for job_id in ids] == [
        *("done", "done", "parked", "cancelled", "done")
    ]
    # Of what is done nothing is left; what may come again is remembered, and `then` waits.
    assert await rows_left(queue) == 3


async def test_a_retry_a_shutdown_and_a_death_hold_the_line(queue: JobQueue, opened: Opening, clock: Clock) -> None:
    """The first one stays the first, and only its own last run can end it."""
    first, second = await ask(queue, of("a"), of("a"))
    assert await queue.retry(await claim_one(queue), 10, "no")
    assert not await claimed_ids(queue)
    clock.time += 10
    assert await queue.give_back(await claim_one(queue))
    lost = await claim_one(queue)
    clock.time += LEASE + 1
    again = await claim_one(await opened())

    assert (lost.id, again.id) == (first, first)
    for end in (queue.done(lost, "1"), queue.park(lost, "no"), queue.cancelled(lost)):
        assert not await end
    assert not await claimed_ids(queue)
    clock.time += LEASE + 1
    assert await queue.done(await claim_one(queue), "1")
    assert await claimed_ids(queue) == [second]


async def test_a_delay_is_kept_whenever_the_turn_comes(queue: JobQueue, clock: Clock) -> None:
    """A delayed one holds those behind it, and one whose time has passed meanwhile is due at once."""
    delayed, short, behind = await ask(queue, of("a", delay=60), of("a", delay=61), of("a", delay=300))
    assert not await claimed_ids(queue)
    clock.time += 60
    assert await queue.done(await claim_one(queue), "1")
    assert not await claimed_ids(queue)
    clock.time += 1
    one = await claim_one(queue)
    clock.time += 10
    assert await queue.done(one, "1")
    assert await queue.next_due(["work"]) == pytest.approx(300 - 71)
    clock.time += 300 - 71

    assert (one.id, await claimed_ids(queue)) == (short, [behind])
    assert (await state_of(queue, delayed))["state"] == "done"


async def test_forgotten_with_the_end(queue: JobQueue) -> None:
    """What it was given and whose conversation it was, of one that is done and of one that was cancelled."""
    for number, end in enumerate((queue.done, queue.cancelled)):
        asked = Order("work", '{"name": "Ann"}', 0, 60, conversation="ann", request_id="r1")
        ordered = await queue.enqueue(asked)
        one = await claim_one(queue)
        more = ("1",) if number == 0 else ()
        assert await end(one, *more, forget=True)  # type: ignore[operator]
        row = await state_of(queue, ordered.id)
        assert (row["arguments"], row["conversation"], row["request_id"]) == (("{}", FORGOTTEN)[number], "", "r1")
        assert not await end(one, *more, forget=True)  # type: ignore[operator]


async def test_lines_of_many_processes_at_once(queue: JobQueue, opened: Opening) -> None:
    """Asked for and run by several at the same time: each key's jobs in their order, one at a time, all of them."""
    queues, each = [queue, await opened()], 6
    keys = [f"key {number}" for number in range(3)]
    asked: dict[str, list[str]] = {key: [] for key in keys}
    ran: dict[str, list[str]] = {key: [] for key in keys}
    running: set[str] = set()
    names = {line_of("work", key): key for key in keys}

    async def ask_for(key: str) -> None:
        for number in range(each):
            ordered = await queues[number % len(queues)].enqueue(of(key))
            asked[key].append(ordered.id)

    async def work(own: JobQueue) -> None:
        while sum(map(len, ran.values())) < each * len(keys):
            for one in await own.claim(["work"], 3):
                key = names[one.line]
                assert key not in running
                running.add(key)
                await asyncio.sleep(0)
                ran[key].append(one.id)
                running.discard(key)
                assert await own.done(one, "1")

    await asyncio.wait_for(asyncio.gather(*map(ask_for, keys), *map(work, queues)), 60)

    assert ran == asked
    assert await rows_left(queue) == 0
