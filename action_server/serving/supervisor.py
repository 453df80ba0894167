"""Several workers in processes of their own: started, replaced when one dies, renewed when a file changes, stopped.

Sanic's own manager is not used: it does not replace a dead worker, and it ends a failed start by killing the whole
process group, the shell that started the server included.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType

from action_server.config.reload import take_over
from action_server.config.settings import Settings
from action_server.errors import SettingsError, StartupError
from action_server.serving import forks, worker
from action_server.telemetry import logs
from action_server.telemetry.metrics import Metrics
from action_server.telemetry.metrics_files import cleanup, forget_worker, prepare_directory

logger = logging.getLogger(__name__)

# Seconds. A worker that could not be replaced is tried again after the pause; files are looked at in this interval.
_RESTART_PAUSE = 1.0
_WATCH_INTERVAL = 0.3
# Files that change are left alone until they stay the same for so long: an editor may be in the middle of one.
_SETTLING = 0.05
# How much longer than its grace a worker may take to end before it is killed.
_END_MARGIN = 5.0
_SIGNALS_AT_ONCE = 64

_context = multiprocessing.get_context("spawn")

Snapshot = dict[str, int]


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    channel: Connection


class Supervisor:
    """Keeps ``settings.workers`` workers on one listening socket.

    ``ready`` is called once all of them take calls, ``on_code`` then and after each reload. ``read_again`` reads the
    settings as they were read for the start; without it a reload keeps them.
    """

    def __init__(
        self,
        settings: Settings,
        sock: socket.socket | None,
        ready: Callable[[], None],
        on_code: Callable[[], None] | None = None,
        read_again: Callable[[], Settings] | None = None,
    ) -> None:
        self._settings = settings
        self._read_again = read_again
        self._endpoints = os.path.abspath(settings.endpoints)
        self._sock = sock
        self._ready = ready
        self._on_code = on_code or (lambda: None)
        self._workers: list[_Worker] = []
        self._seen = snapshot([self._endpoints])
        self._had_endpoints = self._endpoints in self._seen
        self._stopping = False
        self._draining = False
        # Python writes here when a signal arrives: one that comes just before a wait begins would not end the wait.
        self._wake, self._waker = socket.socketpair()
        self._directory: Path | None = None
        self._metrics: Metrics | None = None

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises :class:`StartupError` when the workers cannot start."""
        with self._signals():
            try:
                self._make_shared_directory()
                self._workers = self._start(self._settings.workers, self._settings)
                if not self._stopping:
                    self._ready()
                    self._on_code()
                while not self._stopping:
                    self._watch()
            finally:
                self._stop(self._workers)
                if self._directory is not None:
                    cleanup(self._directory)

    def _make_shared_directory(self) -> None:
        """Give the workers a place where each finds what the others counted, and the domains they were sent."""
        self._directory = prepare_directory()
        if self._settings.metrics:
            self._metrics = Metrics(self._directory)

    def _watch(self) -> None:
        """Wait for something to happen, and see to it."""
        timeout = _WATCH_INTERVAL if self._settings.auto_reload else None
        missing = self._settings.workers - len(self._workers)
        self._wait([w.process.sentinel for w in self._workers], _RESTART_PAUSE if missing else timeout)
        for dead in [w for w in self._workers if not w.process.is_alive()]:
            self._workers.remove(dead)
            dead.channel.close()
            self._forget(dead)
            if not self._stopping:
                if self._metrics is not None:
                    self._metrics.worker_died()
                logger.error("worker.died", extra={"pid": dead.process.pid, "exit_code": dead.process.exitcode})
        if not self._stopping:
            self._replace(self._settings.workers - len(self._workers))
        if self._settings.auto_reload and not self._stopping:
            self._reload_if_changed()

    def _wait(self, things: Sequence[Connection | int], timeout: float | None = None) -> None:
        """Wait until one of the things is ready, a signal has come or ``timeout`` seconds are over."""
        if self._wake in wait([self._wake, *things], timeout):
            self._wake.recv(_SIGNALS_AT_ONCE)

    def _replace(self, count: int) -> None:
        if count == 0:
            return
        try:
            started = self._start(count, self._settings)
        except StartupError as exc:
            logger.error("worker.not_replaced", extra={"problem": str(exc)})
            return
        self._workers += started
        logger.info("worker.replaced", extra={"pids": [w.process.pid for w in started]})

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
            renewed = self._start(settings.workers, settings)
        except StartupError as exc:
            self._count_reload(ok=False)
            logger.error("reload.failed", extra={"problem": str(exc), "serving": "the last good version"})
            return
        self._count_reload(ok=True)
        old, self._workers = self._workers, renewed
        self._stop(old)
        self._settings = settings
        logs.configure(settings.logs)
        logger.info("reload.done", extra={"files": files})
        if need_restart:
            logger.warning("reload.restart_needed", extra={"settings": need_restart})
        self._on_code()

    def _await_settled(self) -> Snapshot:
        """Look at the files; while they are being written, until they are not."""
        now = snapshot([*self._seen, self._endpoints])
        before = self._seen
        while now != before and not self._stopping:
            self._wait([], _SETTLING)
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

    def _start(self, count: int, settings: Settings) -> list[_Worker]:
        """Start workers and wait until they are ready. Raises :class:`StartupError` when one of them is not."""
        workers = [self._spawn(settings) for _ in range(count)]
        try:
            for started in workers:
                self._await_ready(started)
        except BaseException:
            self._stop(workers)
            raise
        return workers

    def _spawn(self, settings: Settings) -> _Worker:
        ours, theirs = Pipe()
        process = _context.Process(
            target=_run_worker,
            args=(settings, self._sock, theirs, self._directory),
            name="action-server-worker",
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _await_ready(self, started: _Worker) -> None:
        while not self._stopping and not started.channel.poll() and started.process.is_alive():
            self._wait([started.channel])
        if self._stopping:
            return
        try:
            if not started.channel.poll():
                raise EOFError
            report: _Report = started.channel.recv()
        except EOFError:
            started.process.join()
            raise StartupError(f"a worker ended while starting (exit code {started.process.exitcode})") from None
        if report.problem:
            raise StartupError(report.problem)
        self._seen = {**self._seen, **report.files}

    def _stop(self, workers: list[_Worker]) -> None:
        self._draining = self._stopping
        for ending in workers:
            ending.process.terminate()
        deadline = time.monotonic() + self._settings.grace + _END_MARGIN
        for ending in workers:
            # Not join(), which waits for a pipe that children of actions hold as well.
            while ending.process.is_alive() and (left := deadline - time.monotonic()) > 0:
                self._wait([], left)
            if ending.process.is_alive():
                logger.warning("worker.killed", extra={"pid": ending.process.pid})
                ending.process.kill()
                ending.process.join()
            ending.channel.close()
            self._forget(ending)

    def _forget(self, gone: _Worker) -> None:
        if self._metrics is not None and self._directory is not None and gone.process.pid is not None:
            forget_worker(self._directory, gone.process.pid)

    def _count_reload(self, *, ok: bool) -> None:
        if self._metrics is not None:
            self._metrics.reloaded(ok)

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

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._draining:
            for running in self._workers:
                running.process.kill()
            os._exit(1)
        self._stopping = True


@dataclass(frozen=True)
class _Report:
    """What a worker tells its supervisor: ready, with the files it runs; or why it cannot start."""

    problem: str = ""
    files: Snapshot = field(default_factory=dict)


def _run_worker(
    settings: Settings, sock: socket.socket | None, channel: Connection, shared_directory: Path | None
) -> None:
    """Run one worker in its own process. Exit code 2 when it cannot start."""
    # Ctrl-C reaches every process of the terminal; the supervisor passes it on as SIGTERM.
    signal.signal(signal.SIGINT, forks.ignore_signal)
    stopping = worker.StopSignal(signal.SIGTERM, parent=channel)
    try:
        worker.run(settings, sock, lambda: channel.send(_Report(files=_project_files())), stopping, shared_directory)
    except StartupError as exc:
        channel.send(_Report(problem=str(exc)))
        sys.exit(2)


def snapshot(files: Iterable[str]) -> Snapshot:
    """Return when each of the files, and each Python file beside them, was changed (nanoseconds)."""
    folders = {Path(file).parent for file in files}
    found = {*files, *(str(path) for folder in folders for path in folder.glob("*.py"))}
    return {file: changed for file in found if (changed := _change_time(file))}


def _change_time(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0


def _project_files() -> Snapshot:
    """Return what this worker imported from the project: below the working directory, but not installed there."""
    project = os.getcwd() + os.sep
    files = {os.path.abspath(f) for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None))}
    own = {f for f in files if f.startswith(project) and not f.startswith(sys.prefix) and f.endswith(".py")}
    return snapshot(own)
