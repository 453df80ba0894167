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
    """What the line tells of a call."""

    outcome: str
    transport: str
    waiting_ms: float
    ms: float
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
        if (
            logging.root.handlers != self._handlers
            or _LOGGERS[0].filters
            or logging.Logger.callHandlers is not _CALL_HANDLERS
            or logging.getLogRecordFactory() is not logging.LogRecord
        ):
            return False
        for logger in _LOGGERS:
            if logger.handlers or not logger.propagate:
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
        line = (
            f"{self._begin}{microseconds // 1000:03d}{self._middle}{_quoted(facts.outcome)}, "
            f'"transport": {_quoted(facts.transport)}, "waiting_ms": {facts.waiting_ms!r}, '
            f'"ms": {facts.ms!r}, "bytes": {facts.size!r}'
        )
        if facts.characters is not None:
            line += f', "characters": {facts.characters!r}'
        if facts.error_id is not None:
            line += f', "error_id": {_quoted(facts.error_id)}'
        if facts.repeated:
            line += ', "repeated": true'
        if facts.client:
            line += f', "client": {_quoted(facts.client)}'
        line += f', "action": {_quoted(facts.action)}, "sender_id": {_quoted(facts.sender_id)}'
        if facts.request_id:
            line += f', "request_id": {_quoted(facts.request_id)}'
        return f'{line}, "trace_id": {_quoted(facts.trace_id)}}}' if facts.trace_id else line + "}"

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
            f"transport={plain(facts.transport)} waiting_ms={facts.waiting_ms!r} ms={facts.ms!r} bytes={facts.size!r}"
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
