"""The bounded pool of threads on which the synchronous code of actions runs, so that the event loop never waits."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


class SyncWorkers:
    """At most ``limit`` threads. A call beyond them waits; the event loop goes on."""

    def __init__(self, limit: int) -> None:
        self._pool = ThreadPoolExecutor(limit, thread_name_prefix="sync-action")
        self.running = 0

    async def call(self, function: Callable[..., Any], *args: object) -> Any:
        """Call an action's function: a coroutine function on the loop, any other on a thread.

        What a generator yields comes back as a list; a plain function that returns an awaitable is awaited on the loop.
        The thread sees the caller's context variables.
        """
        if inspect.isasyncgenfunction(function):
            return await _listed(function(*args))
        if is_async(function):
            return await function(*args)
        result = await self._on_thread(function, *args)
        if inspect.isawaitable(result):
            return await result
        return await _listed(result) if inspect.isasyncgen(result) else result

    async def _on_thread(self, function: Callable[..., Any], *args: object) -> Any:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        self.running += 1
        future = loop.run_in_executor(self._pool, context.run, _attempt, function, args)
        # Counted down when the thread is done, not when the caller is: a cancelled call leaves its thread running.
        future.add_done_callback(self._done)
        outcome = await asyncio.shield(future)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def _done(self, _: object) -> None:
        self.running -= 1

    def close(self) -> None:
        """Accept no more work. Threads still running are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


current_workers: ContextVar[SyncWorkers | None] = ContextVar("action_server_sync_workers", default=None)


def is_async(function: Callable[..., Any]) -> bool:
    """Tell whether calling ``function`` gives a coroutine: ``async def``, a partial or an object with such a call."""
    if inspect.iscoroutinefunction(function):
        return True
    return inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - the method itself


@dataclass(frozen=True)
class _Outcome:
    value: object = None
    error: BaseException | None = None


def _attempt(function: Callable[..., Any], args: tuple[object, ...]) -> _Outcome:
    # Errors travel as values: a StopIteration set on an asyncio future would leave its caller waiting for ever, and a
    # SystemExit would end the thread's pool.
    try:
        result = function(*args)
        return _Outcome(list(result) if inspect.isgenerator(result) else result)
    except BaseException as exc:  # noqa: BLE001 - raised again on the loop
        return _Outcome(error=exc)


async def _listed(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]
