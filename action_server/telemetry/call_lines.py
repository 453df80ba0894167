"""The line of a finished call, written without a log record: it is the one line that every call has.

It is the line that the record would have given, to the byte. It is made this way only while logging is as
:mod:`action_server.telemetry.logs` configured it: whoever adds a handler or a filter gets records from then on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from json.encoder import encode_basestring_ascii as _quoted
from typing import Literal

import msgspec

from action_server.telemetry.handlers import FileLineHandler, LineHandler

EVENT = "action.finished"
LOGGER = "action_server.telemetry.calls"
# Those that a record of it would pass, below the root.
_LOGGERS = tuple(logging.getLogger(name) for name in (LOGGER, "action_server.telemetry", "action_server"))
# What some packages replace to see each record.
_CALL_HANDLERS = logging.Logger.callHandlers


class CallFacts(msgspec.Struct, frozen=True):
    """What the line tells of a call. It waited for ``waiting`` and ran for ``running`` seconds."""

    outcome: str
    transport: str
    waiting: float
    running: float
    size: int
    error_id: str | None
    repeated: bool
    action: str
    sender_id: str
    request_id: str
    trace_id: str
    client: str = ""
    # Of a tool's answer: a model reads all of them.
    characters: int | None = None


class CallLines:
    """Writes the lines of calls to ``handlers``, which must be all that the root logger has."""

    def __init__(self, handlers: Sequence[LineHandler | FileLineHandler], kind: Literal["console", "json"]) -> None:
        self._handlers = list(handlers)
        self._made_with = [(handler, handler.filters[:], handler.formatter) for handler in handlers]
        self._encode: Callable[[float, CallFacts], str] = (_Json() if kind == "json" else _Console()).line

    def are_all(self) -> bool:
        """Tell whether nobody but us would do anything with the record."""
        # Each call asks: a loop over the three would cost it as much as all the rest of this.
        lowest, middle, top = _LOGGERS
        if (
            logging.root.handlers != self._handlers
            or lowest.filters
            or lowest.handlers
            or middle.handlers
            or top.handlers
            or not (lowest.propagate and middle.propagate and top.propagate)
            or logging.Logger.callHandlers is not _CALL_HANDLERS
            or logging.getLogRecordFactory() is not logging.LogRecord
        ):
            return False
        for handler, filters, formatter in self._made_with:
            if handler.filters != filters or handler.formatter is not formatter or handler.level > logging.INFO:
                return False
        return True

    def write(self, facts: CallFacts) -> None:
        """Write the line soon."""
        line = self._encode(time.time(), facts)
        for handler in self._handlers:
            handler.put(line)


_in_use: CallLines | None = None


def use(lines: CallLines | None) -> None:
    """Write the lines of this process with ``lines`` from now on; None for records."""
    global _in_use
    _in_use = lines


def in_use() -> CallLines | None:
    """Return what writes the lines of calls; None if they have to be records."""
    return _in_use if _in_use is not None and _in_use.are_all() else None


_CLIENT, _REQUEST, _TRACE = ', "client": ', ', "request_id": ', ', "trace_id": '


def _seldom(facts: CallFacts) -> str:
    """What few lines have."""
    line = "" if facts.characters is None else f', "characters": {facts.characters}'
    if facts.error_id is not None:
        line += f', "error_id": {_quoted(facts.error_id)}'
    return line + ', "repeated": true' if facts.repeated else line


class _Json:
    """The line of :class:`JsonFormatter`."""

    def __init__(self) -> None:
        self._second = -1
        self._begin = self._middle = ""

    def line(self, now: float, facts: CallFacts) -> str:
        second = int(now)
        if second != self._second:
            self._start(second)
        microseconds = round((now - second) * 1e6)
        if microseconds >= 1_000_000:
            # It is rounded up to the next second.
            return self.line(float(second + 1), facts)
        waiting, running, client, trace_id = facts.waiting * 1000, facts.running * 1000, facts.client, facts.trace_id
        seldom = _seldom(facts) if facts.characters is not None or facts.error_id is not None or facts.repeated else ""
        # One text, made at once: each piece that is added copies what there is.
        return (
            f"{self._begin}{microseconds // 1000:03d}{self._middle}{_quoted(facts.outcome)}, "
            f'"transport": {_quoted(facts.transport)}, "waiting_ms": {"0.0" if waiting < 0.05 else f"{waiting:.1f}"}, '
            f'"ms": {"0.0" if running < 0.05 else f"{running:.1f}"}, "bytes": {facts.size}{seldom}'
            f"{_CLIENT + _quoted(client) if client else ''}"
            f', "action": {_quoted(facts.action)}, "sender_id": {_quoted(facts.sender_id)}'
            f"{_REQUEST + _quoted(facts.request_id) if facts.request_id else ''}"
            f"{_TRACE + _quoted(trace_id) if trace_id else ''}}}"
        )

    def _start(self, second: int) -> None:
        moment = datetime.fromtimestamp(second, timezone.utc).isoformat(timespec="seconds")
        time_of_day, zone = moment[:-6], moment[-6:]
        level = json.dumps(logging.getLevelName(logging.INFO).lower())
        self._begin = f'{{"time": "{time_of_day}.'
        self._middle = f'{zone}", "level": {level}, "logger": "{LOGGER}", "event": "{EVENT}", "outcome": '
        self._second = second


class _Console:
    """The line of :class:`ConsoleFormatter`."""

    def __init__(self) -> None:
        self._second = -1
        self._begin = self._middle = ""

    def line(self, now: float, facts: CallFacts) -> str:
        second = int(now)
        if second != self._second:
            self._begin = time.strftime(logging.Formatter.default_time_format, time.localtime(second))
            self._middle = f" {logging.getLevelName(logging.INFO):<8} {LOGGER}  - {EVENT} outcome="
            self._second = second
        line = (
            f"{self._begin},{int((now - second) * 1000):03d}{self._middle}{plain(facts.outcome)} "
            f"transport={plain(facts.transport)} waiting_ms={facts.waiting * 1000:.1f} "
            f"ms={facts.running * 1000:.1f} bytes={facts.size!r}"
        )
        if facts.characters is not None:
            line += f" characters={facts.characters!r}"
        if facts.error_id is not None:
            line += f" error_id={plain(facts.error_id)}"
        if facts.repeated:
            line += " repeated=True"
        if facts.client:
            line += f" client={plain(facts.client)}"
        line += f" action={plain(facts.action)} sender_id={plain(facts.sender_id)}"
        if facts.request_id:
            line += f" request_id={plain(facts.request_id)}"
        return f"{line} trace_id={plain(facts.trace_id)}" if facts.trace_id else line


def plain(value: object) -> str:
    """Return a field as it stands in a line for people: quoted where it could be taken for something else."""
    text = str(value)
    # A conversation id may hold anything: no line break of it may start a new, forged line.
    return text if text.isprintable() and " " not in text else json.dumps(text)
