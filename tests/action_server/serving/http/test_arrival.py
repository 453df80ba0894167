"""A connection is idle by what has arrived on it: in the kernel's buffer, in the protocol's, and in its task."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from uuid import uuid4

import pytest

from action_server.assembly import Assembly
from action_server.config.settings import Settings
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.registry import Registry
from action_server.serving.http.app import create_app
from action_server.serving.http.arrival import FIRST_REQUEST, has_unread
from action_server.serving.http.slow_requests import ImpatientHttpProtocol

REQUEST = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


class Wire:
    """A transport that belongs to a socket, from which nobody reads."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.closed = False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._sock if name == "socket" else default

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def __getattr__(self, _: str) -> Any:
        return lambda *_, **__: None


async def test_a_request_that_was_received_and_has_not_begun_keeps_the_connection() -> None:
    """Sanic's own stage says IDLE until the connection's task runs; its action would run unanswered."""
    assembly = Assembly(Settings(), Executor(Registry()), Readiness())
    app = create_app(assembly, name=f"test-{uuid4().hex}")
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection: Any = ImpatientHttpProtocol(loop=loop, app=app, connections=set())
        wire = Wire(ours)
        connection.connection_made(wire)
        later = loop.time() + FIRST_REQUEST + 1

        theirs.send(REQUEST)
        assert has_unread(wire)
        assert not connection.close_if_idle(later)
        connection.data_received(ours.recv(100))
        assert not has_unread(wire)
        assert not connection.close_if_idle(later)

        connection._task.cancel()
        await asyncio.gather(connection._task, return_exceptions=True)
    assembly.executor.close()


@pytest.mark.parametrize("arrived", ["nothing", "unread", "received"])
async def test_a_kept_connection_is_not_closed_for_being_idle_when_a_request_has_arrived(arrived: str) -> None:
    """Sanic looks at its stage alone, and the request was lost with the connection."""
    assembly = Assembly(Settings(), Executor(Registry()), Readiness())
    app = create_app(assembly, name=f"test-{uuid4().hex}", only_one=False)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        await app._startup()
        connection: Any = ImpatientHttpProtocol(loop=asyncio.get_running_loop(), app=app, connections=set())
        connection.connection_made(Wire(ours))
        await asyncio.sleep(0)
        connection._time -= app.config.KEEP_ALIVE_TIMEOUT + 1
        if arrived != "nothing":
            theirs.send(REQUEST)
        if arrived == "received":
            connection.recv_buffer += ours.recv(100)
        task = connection._task

        connection.check_timeouts()
        await asyncio.wait({task}, timeout=0)
        await asyncio.sleep(0)

        assert task.done() == (arrived == "nothing")
        connection._callback_check_timeouts.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assembly.executor.close()


async def test_a_new_connection_has_a_moment_for_its_first_request() -> None:
    """It may have waited to be accepted, with its request on the way."""
    assembly = Assembly(Settings(), Executor(Registry()), Readiness())
    app = create_app(assembly, name=f"test-{uuid4().hex}")
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection: Any = ImpatientHttpProtocol(loop=loop, app=app, connections=set())
        wire = Wire(ours)
        connection.connection_made(wire)

        assert not connection.close_if_idle()
        assert connection.close_if_idle(loop.time() + FIRST_REQUEST + 1)
        assert wire.closed

        connection._task.cancel()
        await asyncio.gather(connection._task, return_exceptions=True)
    assembly.executor.close()
