"""Waiting, at the start, for a database that is down: in a cluster it may come up after the server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from action_server.errors import DatabaseError, StartupError

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


def _tells_of_a_database_that_is_down(error: BaseException) -> bool:
    """Tell by what an error was raised from: an author's lifespan may have errors of its own around ours."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DatabaseError):
            return cause.is_down
        cause = cause.__cause__ or cause.__context__
    return False
