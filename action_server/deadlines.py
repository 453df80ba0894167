"""The time a call has left, for whoever works on it: the executor, services, an action's own requests."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

if sys.version_info >= (3, 11):
    from asyncio import timeout_at
else:
    from async_timeout import timeout_at

__all__ = ["DeadlinePassed", "time_left", "timeout_at", "within"]

# A reading of time.monotonic(), which is also the clock of asyncio's event loops.
_deadline: ContextVar[float | None] = ContextVar("action_server_deadline", default=None)


class DeadlinePassed(Exception):  # noqa: N818 - not an error of the work that was cut
    """The block took longer than it had."""


def time_left() -> float | None:
    """Return how many seconds the running call has left, never below 0; None if there is no limit.

    Works in an action, in what it awaits and on its thread. Use it to bound what waits for others:
    ``requests.get(url, timeout=time_left())``.
    """
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


@asynccontextmanager
async def within(seconds: float | None) -> AsyncIterator[None]:
    """Cancel the block when ``seconds`` are over; None sets no limit. A limit around it is never extended.

    Raises:
        DeadlinePassed: they were over. A ``TimeoutError`` of the block's own passes as it is.
    """
    outer = _deadline.get()
    deadline = outer if seconds is None else time.monotonic() + seconds
    if outer is not None and deadline is not None:
        deadline = min(outer, deadline)
    token = _deadline.set(deadline)
    limit = timeout_at(deadline)
    try:
        async with limit:
            yield
    except TimeoutError as exc:
        if _has_expired(limit):
            raise DeadlinePassed from exc
        raise
    finally:
        _deadline.reset(token)


def _has_expired(limit: Any) -> bool:
    # A method in asyncio, a property in the package for Python 3.10.
    expired = limit.expired
    return bool(expired() if callable(expired) else expired)
