"""Real server processes on real sockets, for the tests."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Longer than anything here takes on a busy machine, in seconds: a test that hangs fails instead.
PATIENCE = 60
ROOT = Path(__file__).parents[1]
QUICK = ("--drain-delay", "0", "--max-blocked", "0")


@dataclass
class ServerProcess:
    """A running server. Its log is read in the background and can be waited for line by line."""

    process: subprocess.Popen[str]
    url: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    _lines: queue.Queue[dict[str, Any] | None] = field(default_factory=queue.Queue)
    _ended: threading.Event = field(default_factory=threading.Event)

    def wait_for(self, event: str) -> dict[str, Any]:
        """Return the next line with this event; fail if the process ends without it."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"the server does not say {event} within {PATIENCE} s: {self.log}") from None
            assert line is not None, f"the server ended without {event}: {self.log}"
            if line.get("event") == event:
                return line

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit code; the log is whole then.

        What an action has started may keep the log open for longer than the server lives: that is not waited for.
        """
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._ended.wait(5)
        return code

    def read(self) -> None:
        assert self.process.stderr is not None
        for text in self.process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"event": "?", "text": text.rstrip()}
            self.log.append(line)
            self._lines.put(line)
        self._lines.put(None)
        self._ended.set()


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "action_server", *arguments]


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process of ours: the test's own, but no settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ACTION_SERVER", "SANIC_", "LOG_LEVEL"))}
    return {**kept, **variables}


@contextmanager
def server(
    folder: Path, *flags: str, variables: Mapping[str, str] | None = None, ready: str = "server.ready"
) -> Iterator[ServerProcess]:
    """Run a server in ``folder`` on a free port within the block; it is killed at the end if it still runs.

    Unless the flags say something else it does not wait before it drains, and one worker has no supervisor: both are
    the matter of a few tests, and would cost each of the others a second or more.
    """
    process = subprocess.Popen(
        command("run", *QUICK, "--host", "127.0.0.1", "--port", "0", "--log-format", "json", *flags),
        cwd=folder,
        env=environment(**(variables or {})),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    running = ServerProcess(process)
    reader = threading.Thread(target=running.read, daemon=True)
    reader.start()
    try:
        running.url = running.wait_for(ready)["url"]
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        reader.join()
        assert process.stderr is not None
        process.stderr.close()


def run(folder: Path, arguments: Sequence[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def python_module(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of the tests as a process of its own within the block; it is killed at the end."""
    command = [sys.executable, "-W", "error", "-m", name, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def say_go(child: subprocess.Popen[str]) -> None:
    """Let a module go on that waits for a line."""
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def hear(child: subprocess.Popen[str]) -> str:
    """Return the next line that a module prints."""
    assert child.stdout is not None
    return child.stdout.readline().strip()
