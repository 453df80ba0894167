"""Code of the author's around every call: an audit trail, a feature flag, a check of the end user.

::

    from action_server import Answer, Call, Next, middleware

    @middleware(order=10)
    async def audit(call: Call, run: Next) -> Answer:
        answer = await run(call)
        log.info("done", extra={"events": len(answer.events)})
        return answer

Functions marked like this are found in the actions package; the lowest ``order`` is the outermost. What an action
raises reaches a middleware as a ``CallError``; it may pass it on, or answer in its place.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from types import FunctionType
from typing import Any, TypeVar, overload

from action_server.protocol.answers import Answer
from action_server.protocol.calls import Call

Next = Callable[[Call], Awaitable[Answer]]
Middleware = Callable[[Call, Next], Awaitable[Answer]]
M = TypeVar("M", bound=Callable[..., Any])

_MARK = "__action_server_middleware__"


@overload
def middleware(function: M) -> M: ...
@overload
def middleware(*, order: int = 0) -> Callable[[M], M]: ...
def middleware(function: Any = None, *, order: int = 0) -> Any:
    """Mark an async function ``(call, run) -> Answer`` to be run around every call."""

    def mark(target: M) -> M:
        if not inspect.iscoroutinefunction(target):
            raise TypeError(f"a middleware is an async function, and {getattr(target, '__name__', target)!r} is not")
        setattr(target, _MARK, order)
        return target

    return mark if function is None else mark(function)


def find_middlewares(values: Iterable[object]) -> list[Middleware]:
    """Return the marked functions, each once, the outermost first."""
    marked: dict[Middleware, int] = {}
    for value in values:
        # By its type alone: whoever asks a lazy object what it is makes it.
        if type(value) is FunctionType and hasattr(value, _MARK):
            marked[value] = getattr(value, _MARK)
    return sorted(marked, key=marked.__getitem__)


def around(middlewares: Iterable[Middleware], run: Next) -> Next:
    """Return ``run`` with all of the middlewares around it."""
    for outer in reversed(list(middlewares)):
        run = _bind(outer, run)
    return run


def _bind(outer: Middleware, run: Next) -> Next:
    def call_it(call: Call) -> Awaitable[Answer]:
        return outer(call, run)

    return call_it
