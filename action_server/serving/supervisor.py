"""Workers in processes of their own: started, replaced when one dies or hangs, renewed when a file changes, stopped.

Nothing here waits for one worker alone: whatever is being waited for, every worker is listened to, and each start and
each end has a limit.

Sanic's own manager is not used: it does not replace a dead worker, and it ends a failed start by killing the whole
process group, the shell that started the server included.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType

from action_server.config.reload import take_over
from action_server.config.settings import Settings
from action_server.errors import SettingsError, StartupError
from action_server.serving import forks
from action_server.serving.extension import Extension
from action_server.serving.heartbeat import interval_of
from action_server.serving.process_state import ProcessState, state_of
from action_server.serving.project_files import Snapshot, snapshot
from action_server.serving.stopping.stop_signal import Stop
from action_server.serving.worker_process import WorkerProcess
from action_server.telemetry import logs
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.metrics_files import cleanup, forget_worker, prepare_directory

logger = logging.getLogger(__name__)

# Seconds. A worker that could not be replaced is tried again after the pause, then after twice as long, and so on;
# files are looked at in this interval.
_RESTART_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
# Workers that die sooner than that one after the other, as where memory is too small for them, are replaced after
# longer and longer pauses: each start takes a second of a processor.
_SHORT_LIFE = 10.0
_WATCH_INTERVAL = 0.3
# Files that change are left alone until they stay the same for so long: an editor may be in the middle of one.
_SETTLING = 0.05
# How much longer than its grace a worker may take to end before it is killed.
_END_MARGIN = 5.0
# How long an old worker may take to say that it listens no more, once new ones have taken over.
_RETIRING = 5.0
_SIGNALS_AT_ONCE = 64


class Supervisor:
    """Keeps ``settings.workers`` workers on one listening socket.

    ``ready`` is called once they take calls, ``on_code`` then and after each reload. ``read_again`` reads the settings
    as they were read for the start; without it a reload keeps them.
    """

    def __init__(
        self,
        settings: Settings,
        sock: socket.socket | None,
        ready: Callable[[], None],
        on_code: Callable[[], None] | None = None,
        read_again: Callable[[], Settings] | None = None,
        extension: Extension | None = None,
    ) -> None:
        self._settings = settings
        self._extension = extension
        self._read_again = read_again
        self._endpoints = os.path.abspath(settings.endpoints)
        self._sock = sock
        self._ready = ready
        self._on_code = on_code or (lambda: None)
        self._workers: list[WorkerProcess] = []
        self._replacements: list[WorkerProcess] = []
        self._ending: list[WorkerProcess] = []
        self._seen = snapshot([self._endpoints])
        self._had_endpoints = self._endpoints in self._seen
        self._stop_way: Stop | None = None
        self._draining = False
        # No replacements before the first start is over.
        self._wanted = 0
        self._pause = _RESTART_PAUSE
        self._next_attempt = 0.0
        self._short_lives = 0
        # Python writes here when a signal arrives: one that comes just before a wait begins would not end the wait.
        self._wake, self._waker = socket.socketpair()
        self._directory: Path | None = None
        self._metrics: Metrics | None = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises :class:`StartupError` when the workers cannot start."""
        with self._signals():
            try:
                self._make_shared_directory()
                self._workers = self._start(self._settings, some=True)
                self._wanted = self._settings.workers
                if not self._stop_way:
                    self._ready()
                    self._on_code()
                while not self._stop_way:
                    self._turn(_WATCH_INTERVAL if self._settings.auto_reload else None)
                    if self._settings.auto_reload and not self._stop_way:
                        self._reload_if_changed()
            finally:
                self._stop_all()
                if self._directory is not None:
                    cleanup(self._directory)

    def _make_shared_directory(self) -> None:
        """Give the workers a place where each finds what the others counted, and the domains they were sent."""
        if self._settings.workers == 1 and not self._settings.auto_reload:
            # It would cost each call something, and there is nobody to share with.
            return
        self._directory = prepare_directory()
        if self._settings.metrics:
            self._metrics = Metrics(self._directory)

    # -- What all waiting is made of

    def _turn(self, timeout: float | None = None, starting: list[WorkerProcess] | None = None) -> None:
        """Wait until something happens, ``timeout`` seconds at most, and see to every worker there is.

        ``starting`` are workers whose start the caller looks after.
        """
        everybody = [*self._workers, *self._replacements, *self._ending, *(starting or [])]
        self._wait(everybody, timeout)
        for running in everybody:
            running.listen()
        now = time.monotonic()
        for late in [w for w in [*self._replacements, *(starting or [])] if not w.is_ready and now > w.deadline]:
            late.problem = late.problem or late.why_late(self._settings.start_timeout)
            late.kill()
        self._bury_ended(now)
        if not self._stop_way:
            self._end_blocked(now, starting or [])
            self._bury_dead()
            self._replace(now)

    def _wait(self, everybody: list[WorkerProcess], timeout: float | None) -> None:
        now = time.monotonic()
        times = [timeout] if timeout is not None else []
        times += [w.deadline - now for w in everybody if w in self._ending or not w.is_ready]
        if self._wanted > len(self._workers) + len(self._replacements):
            times.append(self._next_attempt - now)
        if self._settings.max_blocked:
            times.append(interval_of(self._settings.max_blocked))
        longest = max(0.0, min(times)) if times else None
        things = [self._wake, *(thing for w in everybody for thing in w.waitables())]
        if self._wake in wait(things, longest):
            self._wake.recv(_SIGNALS_AT_ONCE)
        if longest is not None and time.monotonic() - now > longest + interval_of(self._settings.max_blocked or 1):
            # This process did not run either: what was not heard meanwhile means nothing.
            for running in everybody:
                running.heard = time.monotonic()

    def _end_blocked(self, now: float, starting: list[WorkerProcess]) -> None:
        """Kill the workers that will not answer any more; they are replaced as any that die.

        One of those ``starting`` that is ready takes calls as well, though it waits for the others.
        """
        limit = self._settings.max_blocked
        for running in [*self._workers, *(w for w in starting if w.is_ready)] if limit else []:
            beat, silence = running.beat, now - running.heard
            if beat.blocked >= limit:
                facts = {"action": beat.action, "place": beat.place, "seconds": round(beat.blocked, 1)}
            elif silence > limit + interval_of(limit) and running.is_alive:
                # This process may have been stopped as well until just now: what was sent meanwhile is heard first.
                if running.doubt(now) < interval_of(limit):
                    continue
                state = state_of(running.pid)
                if state is ProcessState.TRACED:
                    continue
                problem = (
                    "it is stopped" if state is ProcessState.STOPPED else "its code does not let go of Python's lock"
                )
                facts = {"problem": problem, "place": running.place(), "seconds": round(silence, 1)}
            else:
                continue
            logger.error("worker.blocked", extra={"pid": running.pid, **facts})
            running.kill()
            running.process.join(_END_MARGIN)

    def _bury_dead(self) -> None:
        for dead in [w for w in self._workers if not w.is_alive]:
            self._workers.remove(dead)
            self._forget(dead)
            if self._metrics is not None:
                self._metrics.worker_died()
            self._short_lives = self._short_lives + 1 if dead.lived() < _SHORT_LIFE else 0
            facts: dict[str, float] = {}
            # The first of each worker is an accident.
            if self._short_lives > self._wanted:
                facts["next_attempt_in"] = min(2.0 ** (self._short_lives - self._wanted - 1), _LONGEST_PAUSE)
                self._next_attempt = time.monotonic() + facts["next_attempt_in"]
            logger.error("worker.died", extra={"pid": dead.pid, "exit_code": dead.exit_code, **facts})

    def _replace(self, now: float) -> None:
        """Start what is missing, and take in what has started."""
        for started in [w for w in self._replacements if w.is_ready]:
            self._replacements.remove(started)
            self._workers.append(started)
            self._seen = {**self._seen, **started.files}
            self._pause = _RESTART_PAUSE
            logger.info("worker.replaced", extra={"pids": [started.pid]})
        for failed in [w for w in self._replacements if not w.is_alive]:
            self._replacements.remove(failed)
            self._forget(failed)
            self._next_attempt = now + self._pause
            facts = {"problem": _problem_of(failed), "next_attempt_in": self._pause}
            logger.error("worker.not_replaced", extra=facts)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        missing = self._wanted - len(self._workers) - len(self._replacements)
        if now >= self._next_attempt:
            self._replacements += [self._spawn(self._settings) for _ in range(missing)]

    def _bury_ended(self, now: float) -> None:
        for ending in list(self._ending):
            if ending.is_alive and now > ending.deadline:
                logger.warning("worker.killed", extra={"pid": ending.pid})
                ending.kill()
                ending.process.join(_END_MARGIN)
            if not ending.is_alive:
                self._ending.remove(ending)
                self._forget(ending)

    # -- Starting and reloading

    def _start(self, settings: Settings, *, some: bool = False) -> list[WorkerProcess]:
        """Start workers and return those that are ready: all, or ``some``, if others died without saying why.

        Raises :class:`StartupError` when that is not to be had; those that have started are stopped then.
        """
        starting = [self._spawn(settings) for _ in range(settings.workers)]
        failed: list[WorkerProcess] = []
        try:
            while not self._stop_way and not all(w.is_ready for w in starting):
                self._turn(starting=starting)
                for dead in [w for w in starting if not w.is_alive]:
                    # What it said last may have come after this turn's listening.
                    dead.listen()
                    starting.remove(dead)
                    failed.append(dead)
                    self._forget(dead)
                    if not some or dead.problem or not starting:
                        raise StartupError(_problem_of(dead))
        except BaseException:
            self._end(starting, Stop.NOW)
            raise
        for dead in failed:
            # They are replaced by and by.
            logger.error("worker.not_started", extra={"pid": dead.pid, "problem": _problem_of(dead)})
        for started in starting:
            self._seen = {**self._seen, **started.files}
        return starting

    def _spawn(self, settings: Settings) -> WorkerProcess:
        return WorkerProcess(settings, self._sock, self._directory, self._extension)

    def _reload_if_changed(self) -> None:
        """Start workers on the new code and settings, and only when they are up stop the old ones, after their calls.

        A mistake anywhere keeps all that there was, and is one line.
        """
        now = self._await_settled()
        if now == self._seen:
            return
        changed = sorted(set(now.items()) ^ set(self._seen.items()))
        files = sorted({os.path.relpath(path) for path, _ in changed})
        logger.info("reload.started", extra={"files": files})
        self._seen = now
        try:
            settings, need_restart = self._changed_settings()
            renewed = self._start(settings)
        except StartupError as exc:
            self._count_reload(ok=False)
            logger.error("reload.failed", extra={"problem": str(exc), "serving": "the last good version"})
            return
        if self._stop_way:
            # The old ones listen, these may not yet.
            self._end(renewed, Stop.NOW)
            return
        self._count_reload(ok=True)
        old, self._workers = self._workers, renewed
        self._retire(old)
        self._settings = settings
        self._wanted = settings.workers
        logs.configure(settings.logs)
        logger.info("reload.done", extra={"files": files})
        if need_restart:
            logger.warning("reload.restart_needed", extra={"settings": need_restart})
        self._on_code()

    def _retire(self, old: list[WorkerProcess]) -> None:
        """Have old workers end after their calls; return when they take no new connections."""
        self._end(self._replacements, Stop.NOW)
        self._replacements = []
        self._end(old, Stop.RETIRE)
        latest = time.monotonic() + _RETIRING
        while any(w in self._ending and not w.is_stopping for w in old) and not self._stop_way:
            left = latest - time.monotonic()
            if left <= 0:
                break
            self._turn(left)

    def _await_settled(self) -> Snapshot:
        """Look at the files; while they are being written, until they are not."""
        now = snapshot([*self._seen, self._endpoints])
        before = self._seen
        while now != before and not self._stop_way:
            settled = time.monotonic() + _SETTLING
            while (left := settled - time.monotonic()) > 0 and not self._stop_way:
                self._turn(left)
            before, now = now, snapshot([*self._seen, self._endpoints])
        return now

    def _changed_settings(self) -> tuple[Settings, list[str]]:
        """Read the settings again; return those to go on with, and the names of what only a restart would change."""
        if self._read_again is None:
            return self._settings, []
        is_there = os.path.exists(self._endpoints)
        if self._had_endpoints and not is_there:
            # Editors move a file away to write it anew: without its credentials the server would be open for a moment.
            raise SettingsError(str(self._settings.endpoints), "the file is gone")
        found = take_over(self._settings, self._read_again())
        self._had_endpoints = is_there
        return found

    def _count_reload(self, *, ok: bool) -> None:
        if self._metrics is not None:
            self._metrics.reloaded(ok)

    # -- Stopping

    def _end(self, workers: list[WorkerProcess], way: Stop) -> None:
        """Tell workers to stop. They have the delay, the grace and a little more; what is left then is killed."""
        delay = 0.0 if way is Stop.NOW else self._settings.drain_delay
        for ending in workers:
            ending.stop(way)
            ending.deadline = time.monotonic() + delay + self._settings.grace + _END_MARGIN
        self._ending += workers

    def _stop_all(self) -> None:
        """Stop every worker, and return when they have ended."""
        self._draining = self._stop_way is not None
        way = self._stop_way = self._stop_way or Stop.NOW
        if self._sock is not None:
            # It closes with the last worker that has it: calls are taken as long as one of them takes calls.
            self._sock.close()
        if way is Stop.NOW:
            for retired in self._ending:
                retired.stop(way)
        self._end([*self._workers, *self._replacements], way)
        self._workers, self._replacements = [], []
        while self._ending:
            self._turn()

    def _forget(self, gone: WorkerProcess) -> None:
        gone.close()
        if self._metrics is not None and self._directory is not None:
            forget_worker(self._directory, gone.pid)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        # The end of a worker wakes the supervisor also while a child of an action holds what multiprocessing waits for.
        previous[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, forks.ignore_signal)
        self._waker.setblocking(False)
        previous_fd = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(previous_fd)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._wake.close()
            self._waker.close()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._draining:
            # The signal may come in the middle of telling the workers to stop, before they are among those that end.
            for running in (*self._ending, *self._workers, *self._replacements):
                running.kill()
            os._exit(1)
        self._stop_way = Stop.NOW if number == signal.SIGINT else Stop.DRAIN


def _problem_of(dead: WorkerProcess) -> str:
    return dead.problem or f"a worker ended while starting (exit code {dead.exit_code})"
