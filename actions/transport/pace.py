"""The pace at which a system may be asked, and the time that is left for it."""

from __future__ import annotations

import asyncio
import sys
import time

from aiolimiter import AsyncLimiter

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

__all__ = ["Deadline", "Pace", "TooFast", "timeout"]


class Deadline:
    """When a request must have ended, with all its tries."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """How many seconds are left, never below 0."""
        return max(0.0, self._at - time.monotonic())


class TooFast(Exception):  # noqa: N818 - nothing failed: nothing was tried
    """The own limit leaves no room within the deadline; `seconds` is about how long it takes until there is some."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def bucket(requests: int, seconds: float) -> tuple[int, float]:
    """Return size and period of the leaky bucket that lets no more than `requests` through in any `seconds`.

    A bucket that is as large as the limit would let through nearly twice as many in the first period: a burst, and
    what drips meanwhile. A fifth of them may come at once.
    """
    burst = max(1, requests // 5)
    return burst, burst * seconds / (requests - burst + 1)


class Pace:
    """Keeps a system's limit: at most so many requests in so many seconds."""

    def __init__(self, rate: tuple[int, float]) -> None:
        size, period = bucket(*rate)
        self._limiter = AsyncLimiter(size, period)
        self._between = period / size
        self._waiting = 0

    async def wait(self, deadline: Deadline) -> None:
        """Wait for a place; raises `TooFast` at once if there may be none before the deadline."""
        # At most: the first who waits may be served sooner.
        needed = (self._waiting + 1) * self._between
        if needed > deadline.left and (self._waiting or not self._limiter.has_capacity()):
            raise TooFast(needed)
        self._waiting += 1
        try:
            async with timeout(deadline.left):
                await self._limiter.acquire()
        except asyncio.TimeoutError:
            raise TooFast(needed) from None
        finally:
            self._waiting -= 1
