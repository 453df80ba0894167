"""What who watches calls is told of one while it runs: when its steps were, its log lines, what it asked of others.

Nothing is noted of a call that nobody watches: one look at a context variable is all that it costs.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from action_server.source import place_of_failure
from action_server.telemetry.tracebacks import format_failure

# Of one call; what comes after them is counted.
_MOST_LINES = 200
_MOST_REQUESTS = 200
# Of one line, in characters; a traceback may be longer.
_LONGEST_LINE = 4000
_LONGEST_TRACEBACK = 20_000
_Noted = TypeVar("_Noted")


class Witness(Protocol):
    """Somebody who sees one call."""

    def take(self, body: bytes | memoryview) -> None:
        """Take note of the webhook's body, before the call ends. A view is one of the end of bytes."""
        ...

    def end(self, status: int, reply: bytes) -> None:
        """Take the answer."""
        ...

    def leave(self) -> None:
        """Take note that nobody waits for an answer any more."""
        ...

    def dismiss(self) -> None:
        """Look away: there is nothing to be seen."""
        ...


class Witnesses(Protocol):
    """Who sees the calls of one worker."""

    def begin(self, face: str, request_id: str = "") -> Witness | None:
        """Begin to see a call; None if this one is of no interest."""
        ...


class LogLine(NamedTuple):
    """A line of the log; ``at`` is in seconds since 1970."""

    at: float
    level: str
    logger: str
    text: str


class Outbound(NamedTuple):
    """A request to another server; ``start`` and ``seconds`` are of the call's own clock."""

    start: float
    seconds: float
    method: str
    url: str
    outcome: str


class CallNotes(msgspec.Struct):
    """Notes of one call. Times are of ``time.perf_counter``, 0 for what did not come to pass.

    A struct, as an ordinary class would take a microsecond of each call.
    """

    # It came; it was decoded; it got its place; its thread began; it was over.
    began: float
    decoded: float = 0.0
    started: float = 0.0
    on_thread: float = 0.0
    ended: float = 0.0
    action: str = ""
    sender_id: str = ""
    outcome: str = ""
    error_id: str | None = None
    repeated: bool = False
    # The id of a job, if this is one of its runs and no call.
    job: str = ""
    # What failed, with its traceback, and the author's own line.
    exception: str = ""
    place: str = ""
    # Tuples until there is something: a list for each call is one more object that the collector looks at.
    lines: Sequence[LogLine] = ()
    outbound: Sequence[Outbound] = ()
    dropped: int = 0
    last: logging.LogRecord | None = None

    def note_line(self, record: logging.LogRecord, text: str) -> None:
        """Keep a line as the log has it: whoever calls has masked it."""
        if record is self.last:
            # Several handlers get the same one.
            return
        self.last = record
        if len(self.lines) >= _MOST_LINES:
            self.dropped += 1
            return
        line = LogLine(record.created, record.levelname.lower(), record.name, text[:_LONGEST_LINE])
        self.lines = _with(self.lines, line)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self.exception = format_failure(error)[:_LONGEST_TRACEBACK]
            self.place = place_of_failure(error) or ""
        elif record.exc_text:
            # What privacy rules left of it.
            self.exception = record.exc_text[:_LONGEST_TRACEBACK]

    def note_outbound(self, request: Outbound) -> None:
        """Keep a request to another server."""
        if len(self.outbound) < _MOST_REQUESTS:
            self.outbound = _with(self.outbound, request)
        else:
            self.dropped += 1


def _with(noted: Sequence[_Noted], one: _Noted) -> Sequence[_Noted]:
    if not isinstance(noted, list):
        return [one]
    noted.append(one)
    return noted


# Of the running call; None if nobody watches it.
noted_call: ContextVar[CallNotes | None] = ContextVar("action_server_noted_call", default=None)
