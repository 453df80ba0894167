"""The watchdog of the event loop: names the code that does not let it run.

A thread asks the loop for a sign of life, several times within the threshold. While none comes it looks at the stack of
the loop's thread; when it has come and took too long, the place seen most often is reported. The name of the action is
in the context of the task that runs, so nothing has to be noted down during calls, and tasks an action started count
as the action's.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import FrameType, TracebackType

from action_server.errors import NoCallError
from action_server.source import place_of_failure, shorten
from action_server.telemetry.durations import milliseconds
from action_server.telemetry.handlers import write_waiting_lines
from action_server.telemetry.logs import current_call
from action_server.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

# Every block of the threshold's length is seen, and one a quarter shorter may be.
_SIGNS_PER_THRESHOLD = 4
_REMEMBERED = 10
# Seconds between two measurements of the process.
_SAMPLE_INTERVAL = 5.0


@dataclass(frozen=True)
class Blocking:
    """Code that did not let the event loop run: the action ("" if none), ``file:line``, for how long and until when."""

    action: str
    place: str
    seconds: float
    until: datetime


@dataclass
class _Silence:
    """The time since the loop was last known to run, and what was seen in it."""

    since: float
    # Seconds in which the process itself did not run.
    unseen: float = 0.0
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    contexts: dict[tuple[str, str], Context] = field(default_factory=dict)
    told: bool = False

    def until(self, now: float) -> float:
        return now - self.since - self.unseen


class LoopWatchdog:
    """Watches one event loop.

    A silence of more than ``threshold`` seconds is reported when it is over: the log line ``loop.blocked``, a metric,
    :meth:`recent`. One of more than ``patience`` seconds is logged while it lasts as well, ``loop.still_blocked``: it
    may never be over.

    Time in which the process had no CPU does not count: suspended, stopped, starved by others. C code that does not let
    go of Python's lock counts if it computes; asleep it looks the same as a process that does not run. Waiting at a
    debugger's prompt is blocking.
    """

    def __init__(self, threshold: float = 0.1, *, metrics: Metrics | None = None, patience: float = 5.0) -> None:
        self._threshold = threshold
        self._patience = patience
        self._metrics = metrics or Metrics(enabled=False)
        self._interval = threshold / _SIGNS_PER_THRESHOLD
        self._recent: deque[Blocking] = deque(maxlen=_REMEMBERED)
        self._stopping = threading.Event()
        # Said once: what fails now will probably fail at each tick.
        self._has_failed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the running event loop from now on. To be called on it."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._cpu_clock = _cpu_clock_of_this_thread()
        self._begin(time.monotonic(), self._cpu_clock())
        self._thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. No thread is left."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def recent(self) -> list[Blocking]:
        """Return the last ten reports, the newest first."""
        return list(reversed(self._recent))

    def _watch(self) -> None:
        while not self._stopping.wait(self._interval):
            try:
                self._tick(time.monotonic(), self._cpu_clock())
            except Exception:
                if self._loop.is_closed():
                    return
                # A watchdog that dies of one frame or one full table of descriptors sees nothing for ever after.
                if not self._has_failed:
                    logger.exception("watchdog.failed")
                self._has_failed = True

    def _begin(self, now: float, cpu: float) -> None:
        self._ticked, self._ticked_cpu = now, cpu
        self._silence = _Silence(now)
        self._next_sample = now
        self._ask(now)

    def _tick(self, now: float, cpu: float) -> None:
        """Look once, at ``now``; ``cpu`` is the time the loop's thread has computed so far."""
        late = max(0.0, now - self._ticked - self._interval)
        # This thread was late and the loop's did nothing in the meantime: the process as a whole stood still.
        unseen = max(0.0, late - (cpu - self._ticked_cpu))
        self._ticked, self._ticked_cpu = now, cpu
        answered = self._answered
        if answered is None:
            self._silence.unseen += unseen
            self._look()
            write_waiting_lines()
            self._tell_if_it_lasts(now)
        else:
            lag = answered - self._asked
            self._metrics.loop_lag(max(0.0, lag, late))
            before = unseen if lag >= unseen else 0.0
            self._silence.unseen += before
            self._end(answered)
            self._silence = _Silence(answered, unseen - before)
            if late > self._interval:
                # The loop's thread had Python's lock all the time and has only just been made to let go of it.
                self._look()
            self._ask(now)
        if now >= self._next_sample:
            # Not the watchdog's business, but this is the thread that runs whatever the loop does.
            self._next_sample = now + _SAMPLE_INTERVAL
            self._metrics.sample_process()

    def _ask(self, now: float) -> None:
        self._asked = now
        self._answered: float | None = None
        self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._answered = time.monotonic()

    def _look(self) -> None:
        """Note what the loop's thread is doing."""
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None:
            return
        context = _context_of_running_task(self._loop)
        seen = (_action_in(context), place_of_frame(frame))
        self._silence.seen[seen] += 1
        if context is not None:
            self._silence.contexts[seen] = context

    def _tell_if_it_lasts(self, now: float) -> None:
        seconds = self._silence.until(now)
        if seconds > self._patience and not self._silence.told:
            self._silence.told = True
            self._log("loop.still_blocked", seconds)

    def _end(self, answered: float) -> None:
        seconds = self._silence.until(answered)
        if seconds <= self._threshold:
            return
        action, place = self._culprit()
        self._recent.append(Blocking(action, place, seconds, datetime.now(timezone.utc)))
        self._metrics.loop_blocked(action, seconds, place)
        self._log("loop.blocked", seconds)

    def _culprit(self) -> tuple[str, str]:
        """Return the action and the place that were seen most often."""
        return next((seen for seen, _ in self._silence.seen.most_common(1)), ("", "?"))

    def _log(self, event: str, seconds: float) -> None:
        action, place = seen = self._culprit()
        facts = {"action": action, "place": place, "ms": milliseconds(seconds)}
        # In the call's context, so that the line has the conversation and whatever else the log adds.
        context = self._silence.contexts.get(seen, Context())
        context.run(logger.warning, event, extra=facts)


def _cpu_clock_of_this_thread() -> Callable[[], float]:
    """Return a clock of the CPU time of the calling thread that other threads can read; of the process on macOS."""
    if sys.platform == "darwin":
        return time.process_time
    number = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(number)


def action_of_running_task(loop: asyncio.AbstractEventLoop) -> str:
    """Return the action that runs on an event loop right now; "" if there is none."""
    return _action_in(_context_of_running_task(loop))


def _context_of_running_task(loop: asyncio.AbstractEventLoop) -> Context | None:
    """Return a copy of the context of the task that runs: that one itself cannot be entered."""
    task = asyncio.current_task(loop)
    if task is None:
        return None
    if sys.version_info >= (3, 12):
        return task.get_context().copy()
    # Before 3.12 a task does not hand its context out, but the garbage collector knows it.
    return next((part.copy() for part in gc.get_referents(task) if isinstance(part, Context)), None)


def _action_in(context: Context | None) -> str:
    try:
        return context.run(current_call).action if context is not None else ""
    except NoCallError:
        return ""


def place_of_frame(frame: FrameType) -> str:
    """Return the deepest line of the author's own code; the deepest of all where there is none."""
    deepest = f"{shorten(frame.f_code.co_filename)}:{_line_of(frame)}"
    stack: TracebackType | None = None
    outer: FrameType | None = frame
    while outer is not None:
        stack = TracebackType(stack, outer, outer.f_lasti, _line_of(outer))
        outer = outer.f_back
    # As if an error had come from there: which lines are the author's is decided in one place.
    return place_of_failure(Exception().with_traceback(stack)) or deepest


def _line_of(frame: FrameType) -> int:
    # None where the compiler made an instruction that stands in no line, says the type; a running frame may be there.
    line: int | None = frame.f_lineno
    return frame.f_code.co_firstlineno if line is None else line
