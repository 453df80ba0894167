"""Real CalDAV servers as processes on free ports, and a new calendar for each test. Use it as a plugin::

pytest_plugins = ["tests.actions.scheduling.caldav.caldav_servers"]
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actions.transport import open_session
from tests.actions.scheduling.caldav.caldav_system import PASSWORD, READER, USER, CalDavServer, CalDavSystem
from tests.processes import PATIENCE, environment


@contextmanager
def radicale(folder: Path) -> Iterator[CalDavServer]:
    """Run Radicale: two users with passwords; everybody reads everything, and writes what is their own."""
    users, rights = folder / "users", folder / "rights"
    users.write_text(f"{USER}:{PASSWORD}\n{READER}:{PASSWORD}\n", encoding="utf-8")
    rights.write_text(
        "[own]\nuser: .+\ncollection: {user}(/.*)?\npermissions: RrWw\n"
        "[others]\nuser: .+\ncollection: .*\npermissions: Rr\n",
        encoding="utf-8",
    )
    # An empty list of configuration files: none of the machine's own.
    flags = ["-C", "", "--auth-type", "htpasswd", "--auth-htpasswd-filename", str(users)]
    flags += ["--auth-htpasswd-encryption", "plain", "--auth-delay", "0", "--rights-type", "from_file"]
    flags += ["--rights-file", str(rights), "--storage-filesystem-folder", str(folder / "collections")]
    flags += ["--server-max-connections", "100"]
    with _running(folder, lambda port: ["radicale", *flags, "--hosts", f"127.0.0.1:{port}"]) as port:
        yield CalDavServer("radicale", port, f"/{USER}/", USER)


@contextmanager
def xandikos(folder: Path) -> Iterator[CalDavServer]:
    """Run Xandikos, which asks nobody for credentials."""
    flags = ["serve", "--directory", str(folder / "collections"), "--state-dir", str(folder / "state"), "--defaults"]
    flags += ["--no-detect-systemd", "--listen-address", "127.0.0.1"]
    with _running(folder, lambda port: ["xandikos", *flags, "--port", str(port)]) as port:
        yield CalDavServer("xandikos", port, "/user/calendars/")


@pytest.fixture(scope="session", params=[radicale, xandikos], ids=["radicale", "xandikos"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CalDavServer]:
    """Each of the two servers; every test makes calendars of its own."""
    with request.param(tmp_path_factory.mktemp("caldav")) as running:
        yield running


@pytest.fixture
async def system(server: CalDavServer) -> AsyncIterator[CalDavSystem]:
    """A new calendar of the resource "practice" on the server."""
    async with open_session() as session:
        yield CalDavSystem(server, session, server.make_calendar(f"practice-{uuid.uuid4().hex[:8]}"))


@contextmanager
def _running(folder: Path, arguments: Callable[[int], list[str]]) -> Iterator[int]:
    log = folder / "log"
    process, port = _start(arguments, log)
    try:
        yield port
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(arguments: Callable[[int], list[str]], log: Path) -> tuple[subprocess.Popen[bytes], int]:
    # Neither server tells which port it was given for 0; a free one that is taken before it starts is replaced.
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", *arguments(port)],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env=environment(),
            )
        if _answers(process, port):
            return process, port
    raise AssertionError(f"the server does not start: {log.read_text(encoding='utf-8', errors='replace')}")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("OPTIONS", "/")
            connection.getresponse().read()
            return True
        except OSError:
            # Nobody listens yet: ask again soon.
            time.sleep(0.02)
        finally:
            connection.close()
    process.kill()
    process.wait()
    return False
