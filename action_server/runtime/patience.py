"""How long a start may take: a database that is down is waited for, and what does not come to an end is named.

In a cluster a database may come up after the server.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeVar

from action_server.deadlines import timeout_at
from action_server.errors import DatabaseError, StartupError
from action_server.source import place_of_failure

logger = logging.getLogger(__name__)

T = TypeVar("T")
# Seconds between two attempts: first, and at most.
_PAUSE = 0.5
_LONGEST_PAUSE = 10.0


class Patience:
    """So many seconds of waiting, from when this is made."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._pause = _PAUSE

    async def wait_for(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what ``attempt`` returns, trying again with longer and longer pauses while a database is down.

        Raises:
            StartupError: what is wrong is something else, or the time is over.
        """
        while True:
            try:
                return await attempt()
            except StartupError as exc:
                left = self._until - time.monotonic()
                if not _tells_of_a_database_that_is_down(exc) or left <= 0:
                    raise
                pause = min(self._pause, left)
                logger.warning("start.waiting", extra={"problem": str(exc), "next_attempt_in": round(pause, 1)})
            await asyncio.sleep(pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)


@asynccontextmanager
async def open_in_time(opening: AbstractAsyncContextManager[T], seconds: float | None) -> AsyncIterator[T]:
    """Open something for the block within so many seconds; None sets no limit.

    Raises:
        StartupError: it is not open by then; names the line of the author's code that did not come to an end.
    """
    async with AsyncExitStack() as stack:
        yield await _in_time(stack.enter_async_context(opening), seconds)


async def _in_time(work: Awaitable[T], seconds: float | None) -> T:
    cut: asyncio.CancelledError | None = None
    try:
        async with timeout_at(None if seconds is None else asyncio.get_running_loop().time() + seconds):
            try:
                return await work
            except asyncio.CancelledError as exc:
                cut = exc
                raise
    except asyncio.TimeoutError:
        if cut is None:
            # The work's own.
            raise
        place = place_of_failure(cut) or "the services"
        raise StartupError(f"{place}: does not come to an end, and the time to start is over") from cut


def _tells_of_a_database_that_is_down(error: BaseException) -> bool:
    """Tell by what an error was raised from: an author's lifespan may have errors of its own around ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DatabaseError):
            return cause.is_down
        cause = cause.__cause__ or cause.__context__
    return False
