"""Sanic's protocols, with an end to requests that take too long to arrive.

Sanic's own time-outs start anew with each byte, so a client that sends one byte now and then keeps its connection.
Handing a protocol to ``create_server`` is Sanic's documented way to change that.
"""

from __future__ import annotations

from typing import Any

from sanic.http.constants import Stage
from sanic.server.protocols.http_protocol import HttpProtocol
from sanic.server.protocols.websocket_protocol import WebSocketProtocol

_BEFORE_THE_BODY = (Stage.IDLE, Stage.REQUEST)


class _Impatient:
    """Cuts a connection whose request arrives for longer than the headers, and then the body, may take."""

    __slots__ = ()

    def data_received(self: Any, data: bytes) -> None:
        """Take in what arrived, unless it comes too late."""
        # Until the connection's task runs for the first time there is none.
        now, http = self.loop.time(), getattr(self, "_http", None)
        if http is None or (http.stage is Stage.IDLE and not self.recv_buffer):
            self._began = now
        elif self._is_late(http, now - self._began):
            self.abort()
            return
        super().data_received(data)  # type: ignore[misc]

    def _is_late(self: Any, http: Any, seconds: float) -> bool:
        config = self.app.config
        if http.stage in _BEFORE_THE_BODY:
            return bool(seconds > config.REQUEST_TIMEOUT)
        # Without a body to come it is the next request, sent before the answer to this one.
        return bool(http.request_body and seconds > config.REQUEST_TIMEOUT + config.BODY_TIMEOUT)


class ImpatientHttpProtocol(_Impatient, HttpProtocol):
    """HTTP."""

    __slots__ = ("_began",)


class ImpatientWebSocketProtocol(_Impatient, WebSocketProtocol):
    """HTTP with websockets, for plug-ins that add such routes."""

    __slots__ = ("_began",)
