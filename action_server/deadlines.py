"""The time a call has left, for whoever works on it: the executor, services, an action's own requests."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Generator
from contextvars import ContextVar
from types import coroutine
from typing import Any, TypeVar

if sys.version_info >= (3, 11):
    from asyncio import timeout_at
else:
    from async_timeout import timeout_at

__all__ = ["DeadlinePassed", "time_left", "timeout_at", "within"]

T = TypeVar("T")

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


@coroutine
def within(seconds: float | None, work: Awaitable[T]) -> Generator[Any, Any, T]:
    """Await ``work``, and cancel it when ``seconds`` are over; None sets no limit. A limit around it is never extended.

    A timer is set only when the work has to wait for something: most never does.

    Raises:
        DeadlinePassed: they were over. A ``TimeoutError`` of the work's own passes as it is.
    """
    outer = _deadline.get()
    deadline = outer if seconds is None else time.monotonic() + seconds
    if outer is not None and deadline is not None:
        deadline = min(outer, deadline)
    token = _deadline.set(deadline)
    try:
        steps = work.__await__()
        if deadline is None:
            return (yield from steps)
        found: T
        try:
            waiting = next(steps)
        except StopIteration as done:
            found = done.value
            return found
        found = yield from _cut(_Begun(steps, waiting), deadline).__await__()
        return found
    finally:
        _deadline.reset(token)


class _Begun:
    """Awaits the rest of work that waits for something already."""

    __slots__ = ("_steps", "_waiting")

    def __init__(self, steps: Generator[Any, Any, Any], waiting: Any) -> None:
        self._steps = steps
        self._waiting = waiting

    def __await__(self) -> Generator[Any, Any, Any]:
        waiting = self._waiting
        while True:
            error: BaseException | None = None
            sent = None
            try:
                sent = yield waiting
            except BaseException as exc:  # noqa: BLE001 - handed on
                error = exc
            try:
                waiting = self._steps.send(sent) if error is None else self._steps.throw(error)
            except StopIteration as done:
                return done.value


async def _cut(work: Awaitable[T], deadline: float) -> T:
    limit = timeout_at(deadline)
    try:
        async with limit:
            return await work
    # On Python 3.10 the two are different.
    except (TimeoutError, asyncio.TimeoutError) as exc:
        if _has_expired(limit):
            raise DeadlinePassed from exc
        raise


def _has_expired(limit: Any) -> bool:
    # A method in asyncio, a property in the package for Python 3.10.
    expired = limit.expired
    return bool(expired() if callable(expired) else expired)
