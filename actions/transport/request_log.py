"""The line that each request leaves in the log: no URL, header or body is in it."""

from __future__ import annotations

import logging
import time

from actions.errors import BackendError

_log = logging.getLogger("actions.transport")


class RequestLog:
    """Takes the time of one request with all its tries."""

    def __init__(self, system: str, method: str, name: str | None) -> None:
        self._fields = {"system": system, "method": method, **({"request": name} if name else {})}
        self._started = time.perf_counter()

    def answer(self, attempts: int, status: int) -> None:
        """Say at DEBUG that there was an answer."""
        _log.debug("transport.answered", extra=self._facts(attempts, status))

    def failure(self, attempts: int, status: int | None, error: BackendError) -> None:
        """Say at WARNING that there was none of use; the text of our own errors is fit for logs."""
        facts = {**self._facts(attempts, status), "error": type(error).__name__, "problem": str(error)}
        _log.warning("transport.failed", extra=facts)

    def _facts(self, attempts: int, status: int | None) -> dict[str, object]:
        milliseconds = round((time.perf_counter() - self._started) * 1000, 1)
        return {**self._fields, "status": status, "attempts": attempts, "ms": milliseconds}
