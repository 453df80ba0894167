"""The bounded pool of threads on which the synchronous code of actions runs, so that the event loop never waits."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import logging
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from threading import get_ident
from typing import Any, NoReturn, Protocol

from rasa_sdk.executor import CollectingDispatcher

from action_server.source import place_of_thread

logger = logging.getLogger(__name__)


class Threads(Protocol):
    """Where the synchronous code of actions runs.

    ``running`` counts calls that have not ended, ``abandoned`` those of them that nobody waits for any more. Where
    ``takes_coroutines`` is true, ``async def`` actions run there too.
    """

    limit: int
    running: int
    abandoned: int
    takes_coroutines: bool

    async def call(self, function: Callable[..., Any], *args: object) -> Any:
        """Call an action's function, of whichever kind, and return what it comes to."""
        ...

    def carry_stream(self, dispatcher: CollectingDispatcher) -> None:
        """Let a dispatcher that streams be used there."""
        ...

    def close(self) -> None:
        """Accept no more work."""
        ...


class ThreadPool:
    """At most ``limit`` threads. A call beyond them waits; the event loop goes on."""

    def __init__(self, limit: int) -> None:
        self._pool = ThreadPoolExecutor(limit, thread_name_prefix="sync-action")
        self.limit = limit
        self.takes_coroutines = False
        self.running = 0
        # Threads whose caller went away or ran out of time, and that go on regardless: nothing can stop a thread.
        self.abandoned = 0

    async def call(self, function: Callable[..., Any], *args: object) -> Any:
        """Call an action's function: a coroutine function on the loop, any other on a thread.

        What a generator yields comes back as a list; a plain function that returns an awaitable is awaited on the loop.
        The thread sees the caller's context variables.
        """
        if inspect.isasyncgenfunction(function):
            return await collect(function(*args))
        if is_async(function):
            return await function(*args)
        result = await self._on_thread(function, *args)
        if inspect.isawaitable(result):
            return await result
        return await collect(result) if inspect.isasyncgen(result) else result

    async def _on_thread(self, function: Callable[..., Any], *args: object) -> Any:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        self.running += 1
        watch = _Watch(self, loop, context)
        work = self._pool.submit(context.run, watch.attempt, function, args)
        work.add_done_callback(watch.report)
        try:
            outcome = await watch.outcome
        except asyncio.CancelledError:
            # Cancelled while it waits for a thread, it never runs.
            if not work.cancel():
                watch.abandon_if_running(work)
            raise
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def carry_stream(self, dispatcher: CollectingDispatcher) -> None:
        """Do nothing: what streams is async, and runs on the loop."""

    def close(self) -> None:
        """Accept no more work. Threads still running are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Watch:
    """Brings the outcome of one piece of work to the event loop, and keeps the counts right whatever becomes of it.

    ``asyncio.wrap_future`` would wake the loop a second time for each piece.
    """

    def __init__(self, threads: ThreadPool, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        self._threads = threads
        self._loop = loop
        self._context = context
        self._abandoned = False
        self._thread = 0
        self.outcome: asyncio.Future[Outcome] = loop.create_future()

    def attempt(self, function: Callable[..., Any], args: tuple[object, ...]) -> Outcome:
        """Call the function, on its thread."""
        self._thread = get_ident()
        return attempt(function, args)

    def abandon_if_running(self, work: Future[Any]) -> None:
        if work.running():
            self._abandoned = True
            self._threads.abandoned += 1
            told = {"abandoned": self._threads.abandoned, "place": place_of_thread(self._thread) or "?"}
            logger.warning("thread.abandoned", extra=told)

    def report(self, work: Future[Any]) -> None:
        # Called on the thread; a loop that is closed has nothing left to count.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end, work, context=self._context.copy())

    def _end(self, work: Future[Any]) -> None:
        self._threads.running -= 1
        if not self.outcome.done():
            if work.cancelled():
                self.outcome.cancel()
            else:
                self.outcome.set_result(work.result())
        if self._abandoned:
            self._threads.abandoned -= 1
            logger.warning("thread.ended", extra={"abandoned": self._threads.abandoned})


current_threads: ContextVar[Threads | None] = ContextVar("action_server_threads", default=None)


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling ``function`` gives a coroutine: ``async def``, a partial or an object with such a call."""
    if inspect.iscoroutinefunction(function):
        return True
    return inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - the method itself


@dataclass(frozen=True)
class Outcome:
    """What came of a function: a value, or the error it raised."""

    value: object = None
    error: BaseException | None = None


def attempt(function: Callable[..., Any], args: tuple[object, ...]) -> Outcome:
    """Call a synchronous function; a generator is read to its end."""
    # Errors travel as values: a StopIteration set on an asyncio future would leave its caller waiting for ever, and a
    # SystemExit would end the thread's pool.
    process = os.getpid()
    try:
        result = function(*args)
        outcome = Outcome(list(result) if inspect.isgenerator(result) else result)
    except BaseException as exc:  # noqa: BLE001 - raised again on the loop
        outcome = Outcome(error=exc)
    if os.getpid() != process:
        _end_child(outcome.error)
    return outcome


def _end_child(error: BaseException | None) -> NoReturn:
    """End a process that the action made with ``os.fork()`` and that returned: nobody in it waits for the result."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        code = 1
        traceback.print_exception(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def collect(items: AsyncIterator[object]) -> list[object]:
    """Return what an async generator yields."""
    return [item async for item in items]
