"""The threads of synchronous code: bounded, counted, and no error of an action ends one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from action_server.runtime.threads import ThreadPool, is_async


@contextmanager
def thread_pool(limit: int) -> Iterator[ThreadPool]:
    threads = ThreadPool(limit)
    try:
        yield threads
    finally:
        threads.close()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another thread tells the loop; fail if it never does."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it did not happen")


async def test_no_more_functions_run_at_once_than_there_are_threads() -> None:
    """The pool is bounded; what is beyond it waits its turn and is answered."""
    running, most, lock, full = 0, 0, threading.Lock(), threading.Barrier(4)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        # Passes only when four are inside of it, so that four do run at once.
        full.wait(timeout=30)
        with lock:
            running -= 1

    with thread_pool(4) as threads:
        await asyncio.gather(*(threads.call(work) for _ in range(12)))

        assert (most, threads.running) == (4, 0)


async def test_a_thread_of_a_cancelled_call_still_counts_as_running() -> None:
    """A thread cannot be cancelled, so the server knows that it is still there, until it ends."""
    started, go_on = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go_on.wait(30)

    with thread_pool(1) as threads:
        task = asyncio.create_task(threads.call(work))
        await asyncio.to_thread(started.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert (threads.running, threads.abandoned) == (1, 1)
        go_on.set()
        await eventually(lambda: not threads.running)
        assert threads.abandoned == 0


async def test_work_cancelled_while_it_waits_for_a_thread_never_runs() -> None:
    """Otherwise it would act for a caller who is gone."""
    go_on = threading.Event()
    ran: list[int] = []

    with thread_pool(1) as threads:
        first = asyncio.create_task(threads.call(go_on.wait, 30))
        second = asyncio.create_task(threads.call(ran.append, 1))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        go_on.set()
        await first
        await eventually(lambda: not threads.running)

    assert (ran, threads.abandoned) == ([], 0)


@pytest.mark.parametrize("error", [StopIteration("x"), SystemExit("x"), KeyboardInterrupt("x"), GeneratorExit("x")])
async def test_an_error_of_any_kind_reaches_the_caller_and_the_thread_goes_on(error: BaseException) -> None:
    """One that asyncio or the pool would treat as its own among them."""

    def work() -> None:
        raise error

    async def outcome() -> BaseException | None:
        try:
            await threads.call(work)
        except BaseException as exc:  # noqa: BLE001 - what it is, is asked below
            return exc
        return None

    with thread_pool(1) as threads:
        # Python turns a StopIteration that leaves a coroutine into a RuntimeError.
        found = await outcome()
        assert found is not None
        assert error in (found, found.__cause__)
        assert await threads.call(lambda: "next") == "next"


async def listed() -> AsyncIterator[int]:
    yield 1
    yield 2


async def coroutine() -> list[int]:
    return [1, 2]


RESULTS: dict[str, Callable[[], Any]] = {
    "a function": lambda: [1, 2],
    "a generator": lambda: (n for n in (1, 2)),
    "a coroutine function": coroutine,
    "a function that returns a coroutine": lambda: coroutine(),
    "an async generator": listed,
    "a function that returns an async generator": lambda: listed(),
    "a partial of a coroutine function": partial(coroutine),
}


@pytest.mark.parametrize("function", RESULTS.values(), ids=RESULTS.keys())
async def test_what_a_function_gives_is_a_plain_value(function: Callable[[], Any]) -> None:
    """Coroutines are awaited and generators are read to their end, wherever they come from."""
    with thread_pool(1) as threads:
        assert await threads.call(function) == [1, 2]


def test_a_function_is_async_if_calling_it_gives_a_coroutine() -> None:
    """An object with such a call counts as well; an async generator gives none."""

    class Awaited:
        async def __call__(self) -> None: ...

    assert [is_async(f) for f in (coroutine, partial(coroutine), Awaited())] == [True, True, True]
    assert [is_async(f) for f in (listed, print, lambda: coroutine())] == [False, False, False]
