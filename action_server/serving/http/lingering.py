"""The end of a connection whose request was refused before all of it had come (RFC 9112, 9.6).

A socket that is closed with bytes in it that nobody has read is reset, and the client, which is still sending, loses
the answer that would have told it why.
"""

from __future__ import annotations

import asyncio
from typing import Any

# Seconds. Who has not read a refusal by then does not read it, or has more to send than anybody wants.
LINGER = 10.0


def linger(protocol: Any, transport: asyncio.Transport) -> None:
    """Take the connection from a protocol of Sanic's, which has said all, and end it when the client does."""
    protocol.transport = None
    protocol.connections.discard(protocol)
    _Lingering(protocol.loop, transport)


class _Lingering(asyncio.Protocol):
    """Says that nothing more is to come, and passes over what the client sends until it closes the connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._end = loop.call_later(LINGER, transport.abort)
        transport.set_protocol(self)
        # What was not to be buffered any more is waited for now, to be thrown away.
        transport.resume_reading()
        if transport.can_write_eof():
            # TLS has no such end; the answer has its length.
            transport.write_eof()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._end.cancel()
