"""One worker as its supervisor sees it: a process, what it says of itself, and how it is told to stop."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import NoReturn

from action_server.config.settings import Settings
from action_server.errors import StartupError
from action_server.serving import forks
from action_server.serving.extension import Extension
from action_server.serving.heartbeat import Beat, Heartbeat, place_in_stacks
from action_server.serving.project_files import Snapshot, imported_files
from action_server.serving.stopping.stop_signal import Stop, StopSignal
from action_server.source import one_line, place_of_failure

# What a pipe holds on Linux, in bytes.
_LONGEST_STACKS = 65536
# How often in its time to start a worker that has not started writes where it is.
_PLACES_PER_START = 8

_context = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class _Ready:
    """The worker takes calls; ``files`` are those of the project that it runs."""

    files: Snapshot = field(default_factory=dict)


@dataclass(frozen=True)
class _Failed:
    """The worker cannot start; ``problem`` says why, in a line."""

    problem: str


@dataclass(frozen=True)
class _Stopping:
    """The worker has heard that it is to stop; retired, it listens no more."""


class WorkerProcess:
    """A worker's process, started when this is made.

    Attributes:
        is_ready: it takes calls.
        is_stopping: it has heard that it is to stop.
        problem: why it could not start, in its own words; empty if it did not say.
        files: those of the project that it runs.
        beat: its last sign of life.
        heard: when it was last heard of, or started (``time.monotonic``).
        deadline: when it is to have started, or ended (``time.monotonic``).
    """

    def __init__(
        self,
        settings: Settings,
        sock: socket.socket | None,
        shared_directory: Path | None,
        extension: Extension | None = None,
    ) -> None:
        self._channel, theirs = Pipe()
        # Not messages: what Python writes when nothing else runs.
        self._stacks, stacks = Pipe(duplex=False)
        self.process = _context.Process(
            target=_run_worker,
            args=(settings, sock, theirs, stacks, shared_directory, extension),
            name="action-server-worker",
        )
        self.process.start()
        theirs.close()
        stacks.close()
        self.pid = self.process.pid or 0
        self.is_ready = self.is_stopping = False
        self._ready_at = 0.0
        self.problem = ""
        self.files: Snapshot = {}
        self.beat = Beat()
        self.heard = time.monotonic()
        self.deadline = self.heard + settings.start_timeout
        self._is_silent = False
        self._doubted: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.is_alive()

    def lived(self) -> float:
        """Return for how many seconds it has taken calls."""
        return time.monotonic() - self._ready_at if self.is_ready else 0.0

    @property
    def exit_code(self) -> int | None:
        """The code the process ended with; negative is a signal's number."""
        return self.process.exitcode

    def waitables(self) -> list[Connection | int]:
        """Return what becomes readable when there is something to hear of this worker."""
        return [self.process.sentinel, *([] if self._is_silent else [self._channel])]

    def listen(self) -> None:
        """Take in what the worker has said since."""
        try:
            while not self._is_silent and self._channel.poll():
                self._take_in(self._channel.recv())
        except (EOFError, OSError):
            self._is_silent = True

    def stop(self, way: Stop) -> None:
        """Tell the worker to stop."""
        try:
            if self.is_ready:
                self._channel.send(way)
                return
        except OSError:
            # It is ending.
            return
        self.process.terminate()

    def doubt(self, now: float) -> float:
        """Doubt from now on that the worker lives, until it is heard of; return for how many seconds it is doubted."""
        if self._doubted is None:
            self._doubted = now
        return now - self._doubted

    def kill(self) -> None:
        """End the process at once, whatever state it is in."""
        self.process.kill()

    def place(self) -> str:
        """Return ``file:line`` of the code that does not let the worker say where it is; ``?`` if that is not known."""
        return place_in_stacks(self._written_stacks())

    def why_late(self, seconds: float) -> str:
        """Say that it did not start within so many seconds, and which code it is at if that is known."""
        place = self.place()
        return f"it did not start within {seconds:g} s" + (f": it is at {place}" if place != "?" else "")

    def close(self) -> None:
        """Give back what belongs to a worker that has ended."""
        self._channel.close()
        self._stacks.close()

    def _written_stacks(self) -> str:
        """Take what Python has written of the worker's threads since this was called last."""
        return os.read(self._stacks.fileno(), _LONGEST_STACKS).decode() if self._stacks.poll() else ""

    def _take_in(self, said: object) -> None:
        self.heard, self._doubted = time.monotonic(), None
        if isinstance(said, Beat):
            self.beat = said
            # Of a moment that is over.
            self._written_stacks()
        elif isinstance(said, _Ready):
            self.is_ready, self.files, self._ready_at = True, said.files, self.heard
        elif isinstance(said, _Failed):
            self.problem = said.problem
        elif isinstance(said, _Stopping):
            self.is_stopping = True


def _write_places(settings: Settings, stacks: Connection) -> None:
    """Write from now on, until the heartbeat does, where the start is: it may never come to its end."""
    # Python waits for who writes there, with its lock, and nobody reads what is of no use.
    os.set_blocking(stacks.fileno(), False)
    pause = settings.start_timeout / _PLACES_PER_START
    faulthandler.dump_traceback_later(pause, repeat=True, file=stacks.fileno())


def _run_worker(
    settings: Settings,
    sock: socket.socket | None,
    channel: Connection,
    stacks: Connection,
    shared_directory: Path | None,
    extension: Extension | None,
) -> None:
    """Run one worker in its own process. Exit code 2 when it cannot start."""
    # Here, as its supervisor, which has this module, too, would pay for it.
    from action_server.serving import worker

    # Ctrl-C reaches every process of the terminal; the supervisor passes it on.
    signal.signal(signal.SIGINT, forks.ignore_signal)
    _write_places(settings, stacks)
    # The heartbeat is a thread.
    sending = threading.Lock()

    def send(message: object) -> None:
        with sending:
            channel.send(message)

    def ready() -> None:
        faulthandler.cancel_dump_traceback_later()
        send(_Ready(imported_files()))
        if settings.max_blocked:
            Heartbeat(send, settings.max_blocked, stacks.fileno()).start()

    stopping = StopSignal(signal.SIGTERM, parent=channel, confirm=lambda: send(_Stopping()))
    try:
        worker.run(settings, sock, ready, stopping, shared_directory, extension)
    except BaseException as exc:  # noqa: BLE001 - whatever ends a worker is said
        _end_failed(exc, send, settings.actions)


def _end_failed(exc: BaseException, send: Callable[[object], None], package: str) -> NoReturn:
    """Tell the supervisor why this worker cannot start, or ends, and end it. Exit code 2 for what an operator can mend.

    Multiprocessing would write a traceback as it is, of a lifespan that cancels itself, say.
    """
    is_known = isinstance(exc, StartupError)
    problem = str(exc) if is_known else f"{place_of_failure(exc) or package}: {one_line(exc)}"
    # The supervisor may be gone.
    with suppress(OSError):
        send(_Failed(problem))
    if isinstance(exc, SystemExit):
        sys.exit(exc.code)
    if not is_known:
        sys.excepthook(type(exc), exc, exc.__traceback__)
    sys.exit(2 if is_known else 1)
