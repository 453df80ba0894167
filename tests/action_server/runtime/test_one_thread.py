"""One thread for the author's code, beside the server's event loop or on it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from rasa_sdk.executor import CollectingDispatcher

from action_server.runtime.one_thread import OneThread


@pytest.fixture
def home() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what another thread tells the loop; fail if it never does."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    pytest.fail("it did not happen")


def where() -> int:
    return threading.get_ident()


async def where_async() -> int:
    await asyncio.sleep(0)
    return threading.get_ident()


async def where_listed() -> AsyncIterator[int]:
    yield threading.get_ident()


async def test_functions_of_every_kind_run_on_the_thread(home: asyncio.AbstractEventLoop) -> None:
    """With the caller's context, and what they give is a plain value."""
    one = OneThread(home)
    there = await one.call(where)
    tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant")
    tenant.set("clinic")

    assert there != threading.get_ident()
    assert await one.call(where_async) == await one.call(lambda: where_async()) == there
    assert await one.call(where_listed) == await one.call(lambda: where_listed()) == [there]
    assert await one.call(lambda: (n for n in (1, 2))) == [1, 2]
    assert await one.call(tenant.get) == "clinic"
    assert (one.running, one.abandoned, one.limit) == (0, 0, 1)


async def test_coroutines_stay_where_services_are(home: asyncio.AbstractEventLoop) -> None:
    """Also what a synchronous function returns to be awaited."""
    one = OneThread(home, takes_coroutines=False)

    assert await one.call(where) != threading.get_ident()
    assert await one.call(where_async) == await one.call(lambda: where_async()) == threading.get_ident()
    assert await one.call(where_listed) == await one.call(lambda: where_listed()) == [threading.get_ident()]


async def test_on_the_running_loop_functions_run_at_once() -> None:
    """As for a call within a tool. No loop seems to run in synchronous code."""
    one = OneThread(asyncio.get_running_loop())

    assert await one.call(where) == await one.call(where_async) == threading.get_ident()
    assert await one.call(lambda: asyncio.run(where_async())) == threading.get_ident()
    assert asyncio.current_task() is not None


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit("x"), KeyboardInterrupt("x"), GeneratorExit("x")])
async def test_an_error_of_any_kind_reaches_the_caller_and_the_thread_goes_on(
    home: asyncio.AbstractEventLoop, error: BaseException
) -> None:
    """From synchronous and from async code."""
    one = OneThread(home)

    def fail() -> None:
        raise error

    async def fail_async() -> None:
        raise error

    async def outcome(function: Callable[..., Any]) -> BaseException | None:
        try:
            await one.call(function)
        except BaseException as exc:  # noqa: BLE001 - what it is, is asked below
            return exc
        return None

    assert [await outcome(function) for function in (fail, fail_async)] == [error, error]
    assert await one.call(lambda: "next") == "next"


async def test_who_waits_no_more_leaves_the_thread_busy_and_counted(home: asyncio.AbstractEventLoop) -> None:
    """What waits behind it and is cancelled never runs."""
    one, started, go_on = OneThread(home), threading.Event(), threading.Event()
    ran: list[int] = []

    def work() -> None:
        started.set()
        go_on.wait(30)

    first = asyncio.create_task(one.call(work))
    await asyncio.to_thread(started.wait, 30)
    second = asyncio.create_task(one.call(ran.append, 2))
    third = asyncio.create_task(one.call(lambda: "third"))
    await asyncio.sleep(0)
    for task in (second, first):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (one.running, one.abandoned) == (2, 1)

    go_on.set()
    assert await third == "third"
    await eventually(lambda: not one.running)
    assert (ran, one.abandoned) == ([], 0)


async def test_a_stream_is_written_to_on_the_loop_of_its_reader(home: asyncio.AbstractEventLoop) -> None:
    """A queue belongs to one loop, and the dispatcher is used on another."""
    one, dispatcher = OneThread(home), CollectingDispatcher()
    written: list[tuple[str, int]] = []

    async def sink(chunk: dict[str, Any]) -> None:
        written.append((chunk["event"], threading.get_ident()))

    async def work() -> None:
        await dispatcher.stream_start()
        await dispatcher.stream_chunk(text="hello")
        await dispatcher.stream_end()

    dispatcher._stream_sink = sink
    one.carry_stream(dispatcher)
    await one.call(work)

    assert next(event for event, _ in written) == "stream_start"
    assert {thread for _, thread in written} == {threading.get_ident()}
