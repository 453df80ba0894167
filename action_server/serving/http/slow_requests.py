"""Sanic's protocols, with an end to slow requests and idle connections, and a way back to the fast way.

Sanic's own time-outs start anew with each byte, so a client that sends one byte now and then keeps its connection. Its
own drain closes a connection whose next request has been received and is about to run.
Handing a protocol to ``create_server`` is Sanic's documented way to change that.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from sanic.http.constants import Stage
from sanic.server.protocols.http_protocol import HttpProtocol
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

from action_server.serving.http.arrival import FIRST_REQUEST, has_unread
from action_server.serving.http.heads import without_empty_lines
from action_server.serving.http.http1 import StrictHttp
from action_server.serving.http.lingering import linger

_BEFORE_THE_BODY = (Stage.IDLE, Stage.REQUEST)


class FastWay(Protocol):
    """Had the connection before, and may have it again."""

    def take_back(self, transport: Any, data: bytes) -> bool:
        """Go on with a connection on which nothing but ``data`` is left; tell whether this is one for it."""
        ...


class _Impatient:
    """Cuts a connection whose request arrives for longer than the headers, and then the body, may take."""

    __slots__ = ()

    HTTP_CLASS = StrictHttp

    _task: asyncio.Task[Any] | None

    def connection_made(self: Any, transport: Any) -> None:
        """Begin."""
        self._made = self.loop.time()
        self.lingers = False
        super().connection_made(transport)  # type: ignore[misc]

    def data_received(self: Any, data: bytes) -> None:
        """Take in what arrived, unless it comes too late."""
        # Until the connection's task runs for the first time there is none.
        now, http = self.loop.time(), getattr(self, "_http", None)
        if http is None or (http.stage is Stage.IDLE and not self.recv_buffer):
            if http is not None and http.request is None:
                # It waits for a request.
                data = without_empty_lines(data) if data.startswith(b"\r\n") else data
                if not data:
                    return
                if _give_back(self, data):
                    return
            self._began = now
        elif self._is_late(http, now - self._began):
            self.abort()
            return
        super().data_received(data)  # type: ignore[misc]

    def connection_lost(self: Any, exc: BaseException | None) -> None:
        """End; a call whose action has begun may go on."""
        # Sanic would cancel the task that it finds.
        if self._task is not None:
            self.app.ctx.disconnects.leave(self._task)
            self._task = None
        super().connection_lost(exc)  # type: ignore[misc]

    def close(self: Any, timeout: float | None = None) -> None:
        """Close the connection; behind a refusal, when the client has read that."""
        transport = self.transport
        if self.lingers and transport is not None and not transport.is_closing():
            linger(self, transport)
        else:
            super().close(timeout)  # type: ignore[misc]

    def close_if_idle(self: Any, now: float | None = None) -> bool:
        """Close the connection if no request is on it, on its way or about to come; tell whether it is closed."""
        if self.transport is None or self.transport.is_closing():
            return True
        http = getattr(self, "_http", None)
        # Sanic's stage is still IDLE when a request has been received and its task has not run.
        if self.recv_buffer or (http is not None and http.stage is not Stage.IDLE) or has_unread(self.transport):
            return False
        is_new = getattr(self, "_began", None) is None
        if is_new and (self.loop.time() if now is None else now) - self._made < FIRST_REQUEST:
            return False
        self.close()
        return True

    def check_timeouts(self: Any) -> None:
        """Do what is due. A connection is not idle any more when a request has arrived, though it has not begun."""
        http = getattr(self, "_http", None)
        waits = http is not None and http.stage is Stage.IDLE and self.transport is not None
        if waits and (self.recv_buffer or has_unread(self.transport)):
            self._time = time.monotonic()  # Sanic's clock
        super().check_timeouts()  # type: ignore[misc]

    def keep_no_longer(self: Any) -> None:
        """Have the answer to the request that runs say that the connection closes."""
        http = getattr(self, "_http", None)
        # Of the next requests the app's settings say so; an answer that has begun has said something else.
        if http is not None and http.stage is Stage.HANDLER and not http.upgrade_websocket:
            http.keep_alive = False

    def _is_late(self: Any, http: Any, seconds: float) -> bool:
        config = self.app.config
        if http.stage in _BEFORE_THE_BODY:
            return bool(seconds > config.REQUEST_TIMEOUT)
        # Without a body to come it is the next request, sent before the answer to this one.
        return bool(http.request_body and seconds > config.REQUEST_TIMEOUT + config.BODY_TIMEOUT)


class ImpatientHttpProtocol(_Impatient, HttpProtocol):
    """HTTP. ``fast`` is the :class:`FastWay` it came from, if any."""

    __slots__ = ("_began", "_made", "fast", "lingers")


class ImpatientWebSocketProtocol(_Impatient, WebSocketProtocol):
    """HTTP with websockets, for plug-ins that add such routes."""

    __slots__ = ("_began", "_made", "lingers")


def _give_back(protocol: Any, data: bytes) -> bool:
    """Let the fast way have a connection if it came from there and this is a request for it."""
    fast: FastWay | None = getattr(protocol, "fast", None)
    transport, task = protocol.transport, protocol._task
    # Of what is not fetched yet, the wrong one would be told when it is.
    if fast is None or task is None or transport is None or transport.get_write_buffer_size():
        return False
    if not fast.take_back(transport, data):
        return False
    # Its task ends by closing the connection, unless it has none.
    protocol.transport = None
    protocol.connections.discard(protocol)
    task.cancel()
    return True
