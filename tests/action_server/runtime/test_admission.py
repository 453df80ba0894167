"""How many calls run at once."""

from __future__ import annotations

import asyncio

import pytest

from action_server.errors import SaturatedError
from action_server.runtime.admission import Admission


async def hold(admission: Admission, release: asyncio.Event, action: str = "a", limit: int | None = None) -> None:
    async with admission.permit(action, limit):
        await release.wait()


async def settle() -> None:
    """Let every task that can go on go on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_calls_beyond_the_limit_wait_and_get_their_turn_in_order() -> None:
    """As one leaves, the one that waits longest comes in."""
    admission = Admission(max_calls=2, max_queue=10, queue_timeout=60)
    doors = [asyncio.Event() for _ in range(4)]
    tasks = [asyncio.create_task(hold(admission, door)) for door in doors]
    await settle()
    assert (admission.running, admission.waiting) == (2, 2)

    doors[0].set()
    doors[2].set()
    await settle()
    assert [task.done() for task in tasks] == [True, False, True, False]
    assert (admission.running, admission.waiting) == (2, 0)

    doors[1].set()
    doors[3].set()
    await asyncio.gather(*tasks)
    assert (admission.running, admission.waiting) == (0, 0)


@pytest.mark.parametrize("queue", [0, 2])
async def test_a_call_beyond_the_queue_is_refused_at_once(queue: int) -> None:
    """The error names the limit and when to come back; not one more than the queue holds waits."""
    admission = Admission(max_calls=1, max_queue=queue, queue_timeout=7)
    door = asyncio.Event()
    tasks = [asyncio.create_task(hold(admission, door)) for _ in range(1 + queue)]
    await settle()
    assert (admission.is_saturated, admission.waiting) == (True, queue)

    late = asyncio.create_task(hold(admission, door))
    await settle()

    assert late.done()
    with pytest.raises(SaturatedError, match="max_calls is reached") as refused:
        await late
    assert refused.value.headers == {"Retry-After": "7"}
    door.set()
    await asyncio.gather(*tasks)
    assert not admission.is_saturated


async def test_a_call_that_waited_too_long_is_refused() -> None:
    """It leaves the queue, and takes nobody's place."""
    admission = Admission(max_calls=1, max_queue=5, queue_timeout=0)
    door = asyncio.Event()
    task = asyncio.create_task(hold(admission, door))
    await settle()

    with pytest.raises(SaturatedError):
        await hold(admission, door)

    assert (admission.running, admission.waiting) == (1, 0)
    door.set()
    await task
    assert admission.running == 0


async def test_a_call_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    """Also when its turn comes at the same moment: the place goes on to the next."""
    admission = Admission(max_calls=1, max_queue=5, queue_timeout=60)
    doors = [asyncio.Event() for _ in range(3)]
    tasks = [asyncio.create_task(hold(admission, door)) for door in doors]
    await settle()

    doors[0].set()
    await asyncio.sleep(0)
    tasks[1].cancel()
    await settle()
    doors[2].set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert (admission.running, admission.waiting) == (0, 0)


async def test_an_action_with_a_limit_of_its_own_does_not_keep_others_waiting() -> None:
    """Who waits for a slow action's place takes none of the places for all."""
    admission = Admission(max_calls=2, max_queue=5, queue_timeout=60)
    door = asyncio.Event()
    slow = [asyncio.create_task(hold(admission, door, "slow", 1)) for _ in range(3)]
    await settle()
    assert (admission.running, admission.waiting) == (1, 2)

    async with admission.permit("fast"):
        assert admission.running == 2

    door.set()
    await asyncio.gather(*slow)
    assert (admission.running, admission.waiting) == (0, 0)


async def test_the_limit_of_an_action_is_named_when_it_refuses() -> None:
    """So that the reader of the log knows which setting to raise."""
    admission = Admission(max_calls=5, max_queue=0, queue_timeout=1)
    door = asyncio.Event()
    task = asyncio.create_task(hold(admission, door, "slow", 1))
    await settle()

    with pytest.raises(SaturatedError, match="actions: slow: max_calls"):
        await hold(admission, door, "slow", 1)

    door.set()
    await task


async def test_a_wait_that_ends_as_a_place_becomes_free_leaves_nothing_behind() -> None:
    """It has given up, and the place passes it by before it knows: it ends as what it is, not as an error of ours."""
    admission = Admission(max_calls=1, max_queue=5, queue_timeout=60)
    async with admission.permit("a"):
        waiting = asyncio.create_task(hold(admission, asyncio.Event()))
        await settle()
        waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (admission.running, admission.waiting) == (0, 0)
