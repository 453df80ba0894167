"""The handlers of the log: lines of finished calls go out in batches, and a log that fails does not fill the disk."""

from __future__ import annotations

import logging
import os
import select
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from action_server.telemetry.delays import DelayedRun

# How long the line of a call may wait for others, in seconds, and how many may wait: a SIGKILL loses these.
LONGEST_WAIT = 0.005
MOST_LINES = 256
# Several workers share standard error, and a pipe keeps together what is not longer than this.
_LONGEST_WRITE = getattr(select, "PIPE_BUF", 512)
# How often, in seconds, one place or handler says that lines are lost.
_SAY_AGAIN = 60.0
_MOST_PLACES = 100


if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[Any]
else:
    # Python 3.10 cannot subscript it.
    _StreamHandler = logging.StreamHandler


class _Batches(_StreamHandler):
    """Writes each record at once, and after it was written nothing that was put here before is missing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lines: deque[str] = deque()
        self._delayed = DelayedRun(LONGEST_WAIT, self.flush)
        _all.add(self)

    def put(self, line: str) -> None:
        """Write a whole line, which needs no record, together with others soon."""
        self._lines.append(line)
        if len(self._lines) >= MOST_LINES:
            self.flush()
        else:
            self._delayed.request()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, and before it the lines that wait."""
        self._write_lines()
        super().emit(record)

    def flush(self) -> None:
        """Write the lines that wait; logging does it as well before the process ends.

        A timer calls it as well, and nobody who called it could do anything about a disk that is full.
        """
        if not self._write_lines():
            return
        try:
            super().flush()
        except OSError:
            self.handleError(logging.makeLogRecord({}))

    def close(self) -> None:
        """Write the lines that wait, and close."""
        self._write_lines()
        super().close()

    def forget(self) -> None:
        """Drop the lines that wait: in a forked child they are its parent's."""
        self._lines.clear()

    def _write_lines(self) -> bool:
        """Write the lines that wait; return whether that went well."""
        if not self._lines:
            return True
        went_well = True
        self.acquire()
        try:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            for text in _texts(lines):
                try:
                    self.stream.write(text)
                    self.stream.flush()
                except Exception:  # noqa: BLE001 - as logging does it for a record
                    went_well = False
                    self.handleError(logging.makeLogRecord({"lines": text.count("\n")}))
        finally:
            self.release()
        return went_well


class LineHandler(_Batches):
    """Writes to standard error."""


class FileLineHandler(_Batches, logging.FileHandler):
    """Appends to a file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")


def _texts(lines: list[str]) -> list[str]:
    """Join lines to texts that a pipe keeps together; a line that is longer stands alone."""
    whole = "\n".join(lines) + "\n"
    if whole.isascii():
        return _cut(whole)
    texts: list[str] = []
    room = 0
    for line in lines:
        size = len(line.encode("utf-8", "backslashreplace")) + 1
        if room >= size:
            texts[-1] += line + "\n"
        else:
            texts.append(line + "\n")
            room = _LONGEST_WRITE
        room -= size
    return texts


def _cut(whole: str) -> list[str]:
    """Cut a text in which each character is a byte behind the last line that fits, and so on."""
    texts: list[str] = []
    start = 0
    while len(whole) - start > _LONGEST_WRITE:
        end = whole.rfind("\n", start, start + _LONGEST_WRITE) + 1 or whole.index("\n", start) + 1
        texts.append(whole[start:end])
        start = end
    return [*texts, whole[start:]] if start < len(whole) else texts


_all: WeakSet[_Batches] = WeakSet()


def write_waiting_lines() -> None:
    """Write the lines of calls that wait for the event loop's timer: for a thread that sees the loop blocked.

    The worker may be killed for it, and answers that were given would be missing from the log.
    """
    for handler in list(_all):
        handler._write_lines()


def _forget_all() -> None:
    for handler in list(_all):
        handler.forget()


os.register_at_fork(after_in_child=_forget_all)


class WriteFailures:
    """Says that lines of a handler are lost: once a minute for each place they come from, on standard error.

    logging itself writes a traceback with the values of the line for every one of them: a log disk that was full for
    3,000 calls left 31 MB of those elsewhere.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        # When a place last said it, and how many lines it has lost since.
        self._said: dict[str, float] = {}
        self._lost: dict[str, int] = {}

    def say(self, record: logging.LogRecord) -> None:
        """Take note of a lost record; stands in for ``Handler.handleError`` and is called in an ``except``."""
        error = sys.exc_info()[1]
        if not logging.raiseExceptions or error is None:
            return
        # What the log cannot take is the log's matter; all else is the matter of the line that logged it.
        place = "" if isinstance(error, OSError) or not record.pathname else f"{record.pathname}:{record.lineno}"
        if place not in self._said and len(self._said) >= _MOST_PLACES:
            place = ""
        self._lost[place] = lost = self._lost.get(place, 0) + getattr(record, "lines", 1)
        now = time.monotonic()
        if now - self._said.get(place, -_SAY_AGAIN) < _SAY_AGAIN:
            return
        self._said[place] = now
        self._lost[place] = 0
        facts: dict[str, object] = {"error": type(error).__name__, "lines": lost}
        if isinstance(error, OSError) and error.strerror:
            facts["problem"] = error.strerror
        if place:
            facts["place"] = place
        said = {"name": __name__, "levelno": logging.ERROR, "levelname": "ERROR", "msg": "log.not_written", **facts}
        # Whether standard error can be written, nobody is left to be told.
        with suppress(Exception):
            print(self._handler.format(logging.makeLogRecord(said)), file=sys.stderr, flush=True)  # noqa: T201


def tell_failures_of(handler: logging.Handler) -> None:
    """Let a handler say its failures once a minute, unless its class has a way of its own."""
    if type(handler).handleError is logging.Handler.handleError:
        handler.handleError = WriteFailures(handler).say  # type: ignore[method-assign]
