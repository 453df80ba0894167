"""A client that may send anything: raw bytes on a socket, as fast or as slowly as a case wants."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass
class Peer:
    """One connection, and those that were opened beside it. ``heard`` is everything the server said on any of them."""

    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: bytearray = field(default_factory=bytearray)
    closed: bool = False
    _others: list[Peer] = field(default_factory=list)

    @classmethod
    async def connect(cls, port: int) -> Peer:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(port, reader, writer)

    async def another(self) -> Peer:
        """Open one more connection; it is closed with this one."""
        other = await Peer.connect(self.port)
        self._others.append(other)
        return other

    async def send(self, data: bytes) -> None:
        """Send; a server that has hung up already is none of the sender's business."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def drip(self, data: bytes, pause: float) -> None:
        """Send byte by byte."""
        for number in range(len(data)):
            await self.send(data[number : number + 1])
            await asyncio.sleep(pause)

    def half_close(self) -> None:
        """Say that nothing more will come, and go on listening."""
        with contextlib.suppress(OSError):
            self.writer.write_eof()

    def abort(self) -> None:
        """Be gone without a word."""
        self.writer.transport.abort()

    async def listen(self, count: int, until_closed: bool, patience: float, quiet: float = 0.02) -> list[int]:
        """Return the statuses heard: of ``count`` answers, and of whatever else comes within the ``quiet`` after it."""
        deadline = asyncio.get_running_loop().time() + patience
        while not self.closed:
            left = deadline - asyncio.get_running_loop().time()
            enough = len(statuses(bytes(self.heard))) >= count and not until_closed
            try:
                piece = await asyncio.wait_for(self.reader.read(65536), min(quiet, left) if enough else left)
            except asyncio.TimeoutError:
                break
            except ConnectionError:
                piece = b""
            self.heard += piece
            self.closed = not piece
        return statuses(bytes(self.heard))

    async def close(self) -> None:
        for connection in (*self._others, self):
            connection.writer.close()
            with contextlib.suppress(ConnectionError):
                await connection.writer.wait_closed()


def statuses(heard: bytes) -> list[int]:
    """Return the statuses of all whole answers, in order; 0 for something that is no answer."""
    found: list[int] = []
    while heard:
        head, end, rest = heard.partition(b"\r\n\r\n")
        if not end:
            break
        status = _STATUS.match(head)
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        # With nothing behind it, it is the answer to a HEAD: the server sends head and body in one piece.
        if 0 < len(rest) < size:
            break
        found.append(int(status[1]) if status else 0)
        heard = rest[size:]
    return found
