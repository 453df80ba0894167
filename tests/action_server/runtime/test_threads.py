"""The threads of synchronous code: bounded, counted, and no error of an action ends one."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest

from action_server.runtime.threads import ThreadPool, is_async
from tests.counting import Entered


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


async def test_threads_are_made_when_they_are_needed_and_used_again() -> None:
    """One after the other needs one thread; four at once need four."""
    full = threading.Barrier(4)
    with thread_pool(8) as threads:
        one = {await threads.call(threading.get_ident) for _ in range(20)}
        await asyncio.gather(*(threads.call(full.wait, 30) for _ in range(4)))

        assert len(one) == 1
        assert len(threads._threads) == 4
    assert all(thread.name.startswith("sync-action_") for thread in threads._threads)


async def test_a_thread_sees_the_callers_context_and_changes_its_own_copy() -> None:
    """As a task would."""
    variable: ContextVar[str] = ContextVar("variable")

    def work() -> str:
        found = variable.get()
        variable.set("the thread's")
        return found

    variable.set("the caller's")
    with thread_pool(1) as threads:
        assert [await threads.call(work) for _ in range(2)] == ["the caller's"] * 2
    assert variable.get() == "the caller's"


async def test_a_pool_that_is_closed_ends_what_waits_and_takes_no_more() -> None:
    """What runs goes on to its end, and is told of; its thread ends then, as idle ones do."""
    started, go_on = threading.Event(), threading.Event()
    ran: list[int] = []

    def work() -> str:
        started.set()
        go_on.wait(30)
        return "done"

    threads = ThreadPool(1)
    first = asyncio.create_task(threads.call(work))
    second = asyncio.create_task(threads.call(ran.append, 1))
    await asyncio.to_thread(started.wait, 30)
    threads.close()
    with pytest.raises(asyncio.CancelledError):
        await second
    with pytest.raises(RuntimeError, match="closed"):
        await threads.call(ran.append, 2)
    go_on.set()

    assert await first == "done"
    await asyncio.to_thread(threads._threads[0].join, 30)
    assert (ran, threads.running, threads._threads[0].is_alive()) == ([], 0, False)


async def test_a_pool_that_nobody_knows_any_more_has_no_threads() -> None:
    """Without `close`; nor does an idle thread keep what a request held."""

    class Held:
        def give(self) -> int:
            return 7

    threads, held = ThreadPool(2), Held()
    alive = weakref.ref(held)
    assert await threads.call(held.give) == 7
    del held
    await eventually(lambda: alive() is None)
    [thread] = threads._threads
    del threads
    gc.collect()
    await eventually(lambda: not thread.is_alive())


AT_EXIT = """
import asyncio, threading, time
from action_server.runtime.threads import ThreadPool

started = threading.Event()

def work():
    started.set()
    time.sleep(0.2)
    print("ended", flush=True)

async def main(threads):
    await threads.call(lambda: None)
    asyncio.create_task(threads.call(work))
    await asyncio.to_thread(started.wait, 30)

threads = ThreadPool(2)
asyncio.run(main(threads))
"""


def test_the_exit_waits_for_what_runs_and_for_no_idle_thread() -> None:
    """As Python's own pools do it, also where nobody closed it."""
    found = subprocess.run([sys.executable, "-c", AT_EXIT], capture_output=True, text=True, timeout=60, check=True)

    assert found.stdout == "ended\n"


async def test_a_call_on_a_thread_enters_few_functions() -> None:
    """On the loop's side, where each costs all others: two of the pool's, and none of `concurrent.futures`."""
    with thread_pool(1) as threads:
        await threads.call(int)
        with Entered() as entered:
            for _ in range(100):
                await threads.call(int)

    # Begun, and woken once.
    assert entered.by_name["_on_thread"] == 2 * 100
    assert entered.by_name["call"] == 2 * 100
    assert entered.by_name["submit"] == entered.by_name["notify_all"] == 0
