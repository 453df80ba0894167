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
import weakref
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread, get_ident
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
    """At most ``limit`` threads. A call beyond them waits; the event loop goes on.

    Not `concurrent.futures`: of what a call costs that does nothing, its futures and locks are a tenth.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.takes_coroutines = False
        self.running = 0
        # Threads whose caller went away or ran out of time, and that go on regardless: nothing can stop a thread.
        self.abandoned = 0
        self._waiting: SimpleQueue[_Piece | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._is_closed = False
        # Also at the exit of Python, which waits for what runs as it does for every thread.
        weakref.finalize(self, _end_threads, self._waiting, self._threads)

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
        if self._is_closed:
            raise RuntimeError("the threads of synchronous actions are closed")
        # As long as each thread may be taken, and none is left for this one.
        if self.running >= len(self._threads) < self.limit:
            self._add_thread()
        self.running += 1
        piece = _Piece(self, function, args)
        self._waiting.put(piece)
        try:
            outcome = await piece.outcome
        except asyncio.CancelledError:
            piece.leave()
            raise
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _add_thread(self) -> None:
        name = f"sync-action_{len(self._threads)}"
        thread = Thread(target=_work, args=(self._waiting,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The system has no more of them; those that there are take their turns.
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def carry_stream(self, dispatcher: CollectingDispatcher) -> None:
        """Do nothing: what streams is async, and runs on the loop."""

    def close(self) -> None:
        """Accept no more work, and none that has not begun. Threads still running are not waited for."""
        self._is_closed = True
        with contextlib.suppress(Empty):
            while True:
                piece = self._waiting.get_nowait()
                if piece is not None:
                    piece.refuse()
        for _ in self._threads:
            self._waiting.put(None)


def _work(waiting: SimpleQueue[_Piece | None]) -> None:
    """Work off what waits, until there is a None."""
    while (piece := waiting.get()) is not None:
        piece.run()
        # What a request held is not kept until the next one.
        del piece


def _end_threads(waiting: SimpleQueue[_Piece | None], threads: list[Thread]) -> None:
    for _ in threads:
        waiting.put(None)
    for thread in threads:
        # The last one to know the pool may be one of its threads.
        if thread is not current_thread():
            thread.join()


class _Piece:
    """A piece of work: brings its outcome to the event loop, and keeps the counts right whatever becomes of it."""

    __slots__ = ("_args", "_context", "_function", "_is_abandoned", "_is_over", "_loop", "_thread", "_threads", "_turn",
                 "outcome")  # fmt: skip

    def __init__(self, threads: ThreadPool, function: Callable[..., Any], args: tuple[object, ...]) -> None:
        self._threads = threads
        self._function = function
        self._args = args
        self._context = contextvars.copy_context()
        self._loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Outcome] = self._loop.create_future()
        # Whoever has it decides: a thread, that it runs; the loop, that it never does.
        self._turn = Lock()
        self._is_abandoned = self._is_over = False
        self._thread = 0

    def run(self) -> None:
        """Call the function, on a thread, unless nobody waits for it any more."""
        if not self._turn.acquire(blocking=False):
            return
        self._thread = get_ident()
        outcome = self._context.run(attempt, self._function, self._args)
        self._is_over = True
        # A loop that is closed has nothing left to count.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end, outcome, context=self._context)

    def leave(self) -> None:
        """Note, on the loop, that nobody waits for it: it never runs, or it is abandoned."""
        if self._turn.acquire(blocking=False):
            self._threads.running -= 1
        elif not self._is_over:
            self._is_abandoned = True
            self._threads.abandoned += 1
            told = {"abandoned": self._threads.abandoned, "place": place_of_thread(self._thread) or "?"}
            logger.warning("thread.abandoned", extra=told)

    def refuse(self) -> None:
        """Let it never run, if it has not begun; whoever waits for it is cancelled."""
        if self._turn.acquire(blocking=False):
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._end, None, context=self._context)

    def _end(self, outcome: Outcome | None) -> None:
        self._threads.running -= 1
        if not self.outcome.done():
            if outcome is None:
                self.outcome.cancel()
            else:
                self.outcome.set_result(outcome)
        if self._is_abandoned:
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
