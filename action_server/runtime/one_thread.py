"""One thread for everything of the author's, for objects that work only on the thread that made them.

As in rasa-sdk, the thread that imported the actions runs them, one at a time. It has an event loop of its own, so that
the server's goes on: it answers probes and cuts what takes too long.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from rasa_sdk.executor import CollectingDispatcher

from action_server.runtime.no_loop import hide_running_loop
from action_server.runtime.threads import Outcome, attempt, collect, is_async

logger = logging.getLogger(__name__)


@dataclass
class _Work:
    """A call on its way to the thread and back."""

    # Told by the server's loop that nobody waits any more, by the thread that it has begun.
    is_dropped: bool = False
    has_begun: bool = False
    is_abandoned: bool = False


class OneThread:
    """The thread ``loop`` runs on, which is the importing one.

    It may be the server's own loop, for calls within a tool; then what runs holds it up. ``takes_coroutines`` tells
    whether ``async def`` actions run on it too. They do not where the package has services, which belong to the
    server's loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, takes_coroutines: bool = True) -> None:
        self._loop = loop
        self.takes_coroutines = takes_coroutines
        self.limit = 1
        self.running = 0
        self.abandoned = 0
        self._lock = threading.Lock()

    async def call(self, function: Callable[..., Any], *args: object) -> Any:
        """Call an action's function on the thread, as :meth:`ThreadPool.call` does on one of its own."""
        is_coroutine = is_async(function) or inspect.isasyncgenfunction(function)
        server = asyncio.get_running_loop()
        if server is self._loop:
            outcome = await self._attempt(function, args, is_coroutine)
        elif is_coroutine and not self.takes_coroutines:
            return await _finish(function(*args))
        else:
            outcome = await self._send(function, args, is_coroutine)
        if outcome.error is not None:
            raise outcome.error
        return outcome.value if self.takes_coroutines else await _finish(outcome.value)

    def carry_stream(self, dispatcher: CollectingDispatcher) -> None:
        """Let a dispatcher that streams be used on the thread: its chunks go to the loop that is running now."""
        sink, server = dispatcher._stream_sink, asyncio.get_running_loop()
        if sink is None or server is self._loop:
            return

        async def send(chunk: dict[str, Any]) -> None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sink(chunk), server))

        dispatcher._stream_sink = send

    def close(self) -> None:
        """Do nothing: whoever runs the loop ends it."""

    async def _send(self, function: Callable[..., Any], args: tuple[object, ...], is_coroutine: bool) -> Outcome:
        server = asyncio.get_running_loop()
        work = _Work()

        async def run() -> Outcome:
            with self._lock:
                if work.is_dropped:
                    return Outcome()
                work.has_begun = True
            try:
                return await self._attempt(function, args, is_coroutine)
            finally:
                server.call_soon_threadsafe(self._end, work)

        self.running += 1
        try:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))
        except asyncio.CancelledError:
            with self._lock:
                work.is_dropped = True
                has_begun = work.has_begun
            if not has_begun:
                # It never runs.
                self.running -= 1
            elif not is_coroutine:
                work.is_abandoned = True
                self.abandoned += 1
                logger.warning("thread.abandoned", extra={"abandoned": self.abandoned})
            raise

    def _end(self, work: _Work) -> None:
        self.running -= 1
        if work.is_abandoned:
            self.abandoned -= 1
            logger.warning("thread.ended", extra={"abandoned": self.abandoned})

    async def _attempt(self, function: Callable[..., Any], args: tuple[object, ...], is_coroutine: bool) -> Outcome:
        """Run it here. Errors travel as values: a SystemExit would end the thread's loop."""
        try:
            if is_coroutine:
                return Outcome(await _finish(function(*args)))
            with hide_running_loop():
                outcome = attempt(function, args)
            if outcome.error is not None or not self.takes_coroutines:
                return outcome
            return Outcome(await _finish(outcome.value))
        except asyncio.CancelledError:
            raise
        except BaseException as exc:  # noqa: BLE001 - raised again where it is waited for
            return Outcome(error=exc)


async def _finish(result: Any) -> Any:
    """Wait for what a function returned, if it has to be waited for."""
    if isinstance(result, Awaitable):
        return await result
    return await collect(result) if inspect.isasyncgen(result) else result
