"""A worker's signs of life for its supervisor: whether its event loop runs, and if not, where it is.

A thread sends them, so they come while the loop is blocked. None come from a worker that is stopped, or whose code does
not let go of Python's lock; the supervisor takes their absence as a sign. Where such code is, Python can still write.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import re
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from action_server.source import deepest_of_author, shorten
from action_server.telemetry.watchdog import action_of_running_task, place_of_frame

logger = logging.getLogger(__name__)

# As faulthandler writes it.
_FRAME = re.compile(r'^  File "(.*)", line (\d+) in ', re.MULTILINE)
_DEBUGGERS = ("bdb", "pdb")
_DEBUG_SERVERS = frozenset({"debugpy", "pydevd"})
# The packages of tracers that look on.
_COUNTERS_OF_LINES = frozenset({"coverage"})
# In seconds. Of the time after which a worker is replaced, a quarter: a few late ones do not matter then.
_LONGEST_INTERVAL = 5.0
_SIGNS_PER_LIMIT = 4


@dataclass(frozen=True)
class Beat:
    """One sign of life: for how many seconds the loop has not run (0 if it runs), in which action ("" if none), where.

    ``place`` is ``file:line``.
    """

    blocked: float = 0.0
    action: str = ""
    place: str = ""


def interval_of(limit: float) -> float:
    """Return how often signs are sent, in seconds, if a worker is replaced after ``limit`` seconds."""
    return min(limit / _SIGNS_PER_LIMIT, _LONGEST_INTERVAL)


def is_debugged() -> bool:
    """Tell whether a debugger is attached to this process: it stops the code for as long as somebody looks at it.

    What only counts lines as they run, as coverage does, is none.
    """
    tracer = sys.gettrace()
    if tracer is not None and _package_of(tracer) not in _COUNTERS_OF_LINES:
        return True
    return not _DEBUG_SERVERS.isdisjoint(sys.modules)


def _package_of(tracer: object) -> str:
    # A function or a method says where it is from itself, of an object its class does.
    module = getattr(tracer, "__module__", None) or type(tracer).__module__
    return str(module).partition(".")[0]


class Heartbeat:
    """Sends signs of life, until ``send`` raises ``OSError``: nobody is there any more.

    ``limit`` is the time after which the worker is replaced, in seconds. After half of it without a sign the stacks of
    all threads are written to the descriptor ``stacks``.
    """

    def __init__(self, send: Callable[[Beat], None], limit: float, stacks: int) -> None:
        self._send = send
        self._interval = interval_of(limit)
        self._limit = limit
        self._stacks = stacks
        self._blocked = 0.0
        self._answered = True

    def start(self) -> None:
        """Watch the running event loop from now on, to the end of the process. To be called on it."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._expect_next()
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        told = False
        while not pause.wait(self._interval):
            try:
                self._expect_next()
                self._send(self._look())
            except (OSError, ValueError):
                return
            except Exception:
                if self._loop.is_closed():
                    return
                if not told:
                    logger.exception("heartbeat.failed")
                told = True

    def _expect_next(self) -> None:
        faulthandler.dump_traceback_later(self._limit / 2, file=self._stacks)

    def _look(self) -> Beat:
        if self._answered:
            self._blocked, self._answered = 0.0, False
            self._loop.call_soon_threadsafe(self._answer)
            return Beat()
        # Counted, not measured: time in which this process did not run is nobody's fault.
        self._blocked += self._interval
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None or is_debugged() or _is_at_a_prompt(frame):
            self._blocked = 0.0
            return Beat()
        return Beat(self._blocked, action_of_running_task(self._loop), place_of_frame(frame))

    def _answer(self) -> None:
        self._answered = True


def place_in_stacks(text: str) -> str:
    """Return ``file:line`` of the author's code that the first thread of a process is in, from its written stacks."""
    # That thread comes last, and of several times that stacks were written the last one counts.
    last = text.rpartition("(most recent call first):")[2]
    frames = [(file, int(line)) for file, line in _FRAME.findall(last)]
    return deepest_of_author(frames) or next((f"{shorten(file)}:{line}" for file, line in frames), "?")


def _is_at_a_prompt(frame: FrameType | None) -> bool:
    """Tell whether somebody is looking at the code with ``breakpoint()``."""
    while frame is not None:
        if frame.f_globals.get("__name__") in _DEBUGGERS:
            return True
        frame = frame.f_back
    return False
