"""Sanic's reading of HTTP/1, with the rules of RFC 9112 before it: what it would misread never reaches it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from httptools import HttpParserInvalidURLError, parse_url
from sanic import Request
from sanic.exceptions import BadRequest, PayloadTooLarge
from sanic.http import Http

from action_server.errors import RequestError
from action_server.serving.http.heads import check_start, is_chunk_size, parse_head, skip_empty_lines
from action_server.serving.http.refusals import headers_too_large_error
from action_server.serving.http.request_ids import HEADER, id_of, request_id_of

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# Of the line that says how long a chunk is, and the line break before it; Sanic's own limit.
_LONGEST_CHUNK_LINE = 64
# How many heads are remembered, and how long one may be for that: a client's next one is the same, byte for byte.
_MOST_HEADS, _LONGEST_HEAD = 256, 2048


class _Head(NamedTuple):
    """A head that was checked, in the spelling Sanic cannot misread; the id it gives its request, if any."""

    spelled: bytes
    minor: int
    given_id: str


class StrictHttp(Http):
    """The requests of one connection, one after the other. Sanic calls its methods; the state is Sanic's."""

    __slots__ = ("_given_id",)

    def init_for_request(self) -> None:
        """Begin anew; a line break that stands behind the body before is none of a request."""
        super().init_for_request()  # type: ignore[no-untyped-call]
        self._given_id = ""
        skip_empty_lines(self.recv_buffer)

    async def http1_request_header(self) -> None:
        """Receive a head, check it, and let Sanic read it in the spelling it cannot misread.

        Raises:
            RequestError: it is longer than the limit, or breaks a rule.
        """
        buffer = self.recv_buffer
        end = await self._receive_head(buffer)
        head = (_known_head if end <= _LONGEST_HEAD else _read_head)(bytes(buffer[:end]))
        self._given_id = head.given_id
        buffer[:end] = head.spelled
        await super().http1_request_header()  # type: ignore[no-untyped-call]
        if head.minor == 0:
            # RFC 9110, 10.1.1: who speaks HTTP/1.0 does not wait, and would take the 100 for the answer.
            self.expecting_continue = False

    def create_empty_request(self) -> None:
        """Make the request of an error that came before Sanic had one; it keeps the id that its head gave."""
        super().create_empty_request()
        self.request.ctx.request_id = request_id_of(self._given_id)

    async def read(self) -> bytes | None:
        """Return the next piece of a body, None at its end."""
        # Sanic declares it otherwise.
        kind: object = self.request_body
        if kind == "chunked" and not self.request_bytes_left:
            if self.expecting_continue:
                self.expecting_continue = False
                await self._send(_CONTINUE)
            await self._check_chunk_size(self.recv_buffer)
        piece: bytes | None = await super().read()
        return piece

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        """Begin the answer, which has the request's id, whoever made it.

        A client that waits to be asked for the body is not asked any more: the answer is there.
        """
        is_asked = self.expecting_continue
        if is_asked:
            self.expecting_continue = False
            # Whether it sends the body all the same nobody knows.
            self.keep_alive = False
            self.request_body = None
        # Sanic declares it otherwise.
        protocol: Any = self.protocol
        protocol.lingers = bool(is_asked or self.request_body)
        if self.response is not None:
            protocol.lingers |= not self.keep_alive and self.response.status >= 400
            self.response.headers.setdefault(HEADER, id_of(self.request))
        if self.request_body:
            # Of a body that is not wanted. Sanic waits for the rest as long as it keeps connections alive.
            timeout = self.protocol.app.config.BODY_TIMEOUT
            self.protocol.loop.call_later(timeout, self._close_if_unread, self.request)
        await super().http1_response_header(data, end_stream)

    def _close_if_unread(self, request: Request) -> None:
        if self.request is request and self.request_body:
            self.protocol.abort()

    async def _receive_head(self, buffer: bytearray) -> int:
        """Return where the head ends."""
        longest: int = self.protocol.app.config.REQUEST_MAX_HEADER_SIZE
        start = 0
        while True:
            skip_empty_lines(buffer)
            # At once: a client that speaks TLS waits for an answer, and sends no line break.
            check_start(buffer)
            end = buffer.find(b"\r\n\r\n", start)
            if end > longest or (end < 0 and len(buffer) > longest):
                raise headers_too_large_error(longest)
            if end >= 0:
                return end
            start = max(0, len(buffer) - 3)
            await self._receive_more()

    async def _check_chunk_size(self, buffer: bytearray) -> None:
        """Wait for the line that says how long the next chunk is, and the line break before it."""
        while (end := buffer.find(b"\r\n", 2)) < 0 and len(buffer) <= _LONGEST_CHUNK_LINE:
            await self._receive_more()
        if buffer[:2] != b"\r\n" or end < 0 or not is_chunk_size(buffer[2:end]):
            self.keep_alive = False
            raise BadRequest("Bad chunked encoding")
        if int(buffer[2:end].partition(b";")[0], 16) > self.protocol.app.config.REQUEST_MAX_SIZE:
            # As for a length that is announced: nobody waits for what is not wanted.
            self.keep_alive = False
            raise PayloadTooLarge("Request body exceeds the size limit")


def _read_head(data: bytes) -> _Head:
    head = parse_head(data)
    _check_url(head.target)
    given_id = next((value for name, value in head.headers if name == HEADER.lower()), "")
    return _Head(head.encode(), head.minor, given_id)


_known_head = lru_cache(_MOST_HEADS)(_read_head)


def _check_url(target: str) -> None:
    """Raise RequestError if Sanic cannot read a URL: it fails in the middle of telling the client so."""
    try:
        path: Any = parse_url(target.encode("ascii")).path
    except HttpParserInvalidURLError:
        path = None
    if not path:
        raise RequestError("the target of the request is not a URL")
