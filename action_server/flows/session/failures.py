"""Listens to the log while conversations are played, for what the answer of a failed call leaves out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from action_server.config.settings import Settings
from action_server.errors import NoCallError
from action_server.source import one_line, place_of_failure
from action_server.telemetry import logs

_EVENT = "action.failed"


@dataclass(frozen=True)
class FailedCall:
    """A call whose action raised: the id of its log line, what was raised, and where in the author's code."""

    action: str
    error_id: str
    problem: str
    place: str = ""

    def __str__(self) -> str:
        where = f" at {self.place}" if self.place else ""
        return f"log ERROR {_EVENT} action={self.action} error_id={self.error_id}: {self.problem}{where}"


class FailureLog(logging.Handler):
    """Keeps the failures until somebody takes them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._failed: list[FailedCall] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record that tells of a failed action."""
        if record.getMessage() != _EVENT:
            return
        exc = record.exc_info[1] if record.exc_info else None
        problem = one_line(exc) if exc else "it took longer than it may"
        place = (place_of_failure(exc) or "") if exc else ""
        self._failed.append(FailedCall(_action(), str(vars(record).get("error_id", "")), problem, place))

    def take(self) -> list[FailedCall]:
        """Return the failures since the last time."""
        found, self._failed = self._failed, []
        return found


@contextmanager
def capture_failures(settings: Settings) -> Iterator[FailureLog]:
    """Keep what is logged from the terminal within the block: it is shown with the turn that it belongs to."""
    before = logging.root.handlers[:], logging.root.level
    logs.configure(settings.logs)
    for handler in logging.root.handlers:
        handler.setLevel(logging.CRITICAL + 1)
    log = FailureLog()
    logging.root.addHandler(log)
    try:
        yield log
    finally:
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)


def _action() -> str:
    try:
        return logs.current_call().action
    except NoCallError:
        return ""
