"""The circuit breaker of a host: after some failures in a row nobody asks it for a while, then one request does.

Not purgatory: while it is half open it lets every request through, a cancelled request counts as a failure, and all
callers are given one exception object, whose traceback grows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType

_log = logging.getLogger("actions.transport")


class CircuitOpen(Exception):  # noqa: N818 - nothing failed: nothing was tried
    """The breaker is open for `seconds` more, or until the request returns that finds out; `reason` is why."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason


class Breaker:
    """Counts a host's failures in a row."""

    def __init__(self, origin: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._origin = origin
        self._clock = clock
        self._failures = 0
        self._reason = ""
        # When the next request may find out whether the host is back; None while everybody may ask.
        self._retry_at: float | None = None
        self._probe: Admission | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests are refused, but for one that finds out."""
        return self._retry_at is not None

    def check(self) -> None:
        """Raise `CircuitOpen` if no request may be sent now."""
        if self._retry_at is None:
            return
        left = self._retry_at - self._clock()
        if left > 0 or self._probe is not None:
            raise CircuitOpen(max(0.0, left), self._reason)

    def admit(self) -> Admission:
        """Let one request through, to be used as a block; raises `CircuitOpen`."""
        self.check()
        admission = Admission(self)
        if self._retry_at is not None:
            self._probe = admission
        return admission

    def settle(self, admission: Admission, limit: int, pause: float, problem: str | None) -> None:
        """Take note of how a request ended; what began before the breaker opened says nothing any more."""
        is_probe = admission is self._probe
        if self._retry_at is not None and not is_probe:
            return
        if problem is None:
            self._failures, self._retry_at = 0, None
            if is_probe:
                _log.info("transport.breaker_closed", extra={"host": self._origin})
            return
        self._failures += 1
        self._reason = problem
        if is_probe or self._failures >= limit:
            self._retry_at = self._clock() + pause
            _log.warning(
                "transport.breaker_opened",
                extra={"host": self._origin, "failures": self._failures, "pause": pause, "problem": problem},
            )

    def release(self, admission: Admission) -> None:
        """Forget a request that has ended: if it was the one that finds out and did not, the next one does."""
        if admission is self._probe:
            self._probe = None


class Admission:
    """One request that the breaker let through. A block that ends without a verdict, being cancelled, says nothing."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> Admission:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._breaker.release(self)

    def succeed(self) -> None:
        """Say that the host did its work, which may be to refuse."""
        self._breaker.settle(self, 0, 0.0, None)

    def fail(self, limit: int, pause: float, problem: str) -> None:
        """Say that the host failed; at `limit` failures in a row it is left alone for `pause` seconds."""
        self._breaker.settle(self, limit, pause, problem)
