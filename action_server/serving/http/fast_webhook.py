"""Answers ``POST /webhook`` as it arrives, without Sanic's handling of a request, which takes twice as long as a call.

A protocol of our own, handed to Sanic as its ``protocol``. It answers nothing but the request engines send: whole
headers of the usual kind, a body of a known length, as it is or packed. On anything else it hands the connection over
to Sanic's protocol, with every byte that was received: errors of HTTP, other paths, chunked and pipelined requests and
slow clients are Sanic's and the plain route's business. With the next usual request the connection comes back. What a
request means and what is answered is decided in ``assembly.py`` for both; ``tests/contract`` and ``tests/hostile`` send
everything both ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from multidict import CIMultiDict
from sanic.headers import format_http1_response

from action_server.assembly import Assembly, Decompress
from action_server.errors import RequestError, UnauthorizedError
from action_server.protocol.calls import encode_error
from action_server.runtime import memory
from action_server.serving.http.app import RESPONSE_TIMEOUT, SanicApp
from action_server.serving.http.arrival import FIRST_REQUEST, has_unread
from action_server.serving.http.byte_budget import UNCOUNTED, ByteBudget, Share
from action_server.serving.http.client_addresses import ClientAddresses, peer_of
from action_server.serving.http.compression import inflate_aside
from action_server.serving.http.heads import without_empty_lines
from action_server.serving.http.refusals import client_gone_error
from action_server.serving.http.request_ids import request_id_of
from action_server.serving.http.usual_heads import Head, Heads

# What a client may send while its call still runs; Sanic's own limit.
_EARLY = 65536
# How long a client may take to fetch the last answer of a connection, in seconds; Sanic's own limit.
_CLOSE_TIMEOUT = 5.0
# How late the metrics may be with the number of calls, in seconds.
_COUNT_AFTER = 1.0
# After so many bytes of bodies at once the memory they took is given back, when there were none for a while.
_MUCH = 8 * 1024 * 1024
_OK = b"\r\n".join(
    [
        *(b"HTTP/1.1 200 OK", b"X-Request-ID: %b", b"content-length: %d", b"connection: %b"),
        *(b"content-type: application/json", b"", b""),
    ]
)


@dataclass
class Webhook:
    """What all connections of a worker share."""

    assembly: Assembly
    app: SanicApp
    plain: Callable[..., Any]

    def __post_init__(self) -> None:
        self.calls = self.assembly.calls
        self.limits = self.assembly.settings.request_limits
        self.longest = self.limits.max_bytes
        self.heads = Heads(self.limits.max_header_bytes)
        self.addresses = ClientAddresses(self.assembly.settings.trusted_proxies)
        self.budget: ByteBudget = self.app.ctx.byte_budget
        self.disconnects = self.assembly.executor.disconnects
        # Calls that the metrics do not know yet: telling them of each one would cost every one.
        self.uncounted = 0
        self.tick = min(self.limits.header_timeout, self.limits.body_timeout, self.app.config.KEEP_ALIVE_TIMEOUT) / 2
        self._is_watching = False
        # A dict: an attribute of it that is looked up costs as much as a call of a function.
        self.config = self.app.config
        # None if everybody may call.
        self.authenticator = self.assembly.authenticator

    def protocol(self, **given: Any) -> WebhookProtocol:
        """Make the protocol of one connection; Sanic gives its own protocol's arguments."""
        if not self._is_watching:
            self._is_watching = True
            given["loop"].call_later(self.tick, self._check_timeouts, given["loop"], given["connections"])
        return WebhookProtocol(self, given)

    def authenticate(self, head: Head) -> bool:
        """Tell whether a request has the credential it needs; if not, Sanic's route tells the client."""
        assert self.authenticator is not None  # noqa: S101 - asked only where there is one
        try:
            self.authenticator.check(CIMultiDict(head.headers), head.query)
        except UnauthorizedError:
            return False
        return True

    def decompress_of(self, head: Head, share: Share) -> Decompress | None:
        """Return what inflates a body, within the limits of every body; None for one that travels as it is."""
        if not head.encoding:
            return None
        return partial(inflate_aside, encoding=head.encoding, limit=self.limits.max_bytes, take=share.take)

    async def answer(
        self,
        body: bytes | memoryview,
        head: Head,
        client: str = "",
        has_left: Callable[[], bool] = bool,
        decompress: Decompress | None = None,
    ) -> bytes:
        """Return the answer as HTTP has it. ``client`` is the caller's address, ``has_left`` tells if it is gone."""
        request_id = request_id_of(head.headers.get("x-request-id", ""))
        try:
            status, reply, error = await self.calls.answer(
                body,
                headers=head.headers,
                request_id=request_id,
                client=client,
                engine=head.engine,
                decompress=decompress,
            )
            is_gone = has_left()
        except asyncio.CancelledError:
            is_gone = True
        if is_gone:
            error = self.calls.note_error(client_gone_error(), request_id, client)
            status, reply = error.status, encode_error(error)
        # Only now: the server may have been told to stop while the action ran.
        connection = b"keep-alive" if head.keep_alive and self.config["KEEP_ALIVE"] else b"close"
        if error is None:
            return _OK % (request_id.encode("ascii"), len(reply), connection) + reply
        headers = {**error.headers, "X-Request-ID": request_id}
        headers |= {"content-length": str(len(reply)), "connection": connection.decode()}
        lines = [(n.encode("ascii"), v.encode("ascii")) for n, v in headers.items()]
        return format_http1_response(status, [*lines, (b"content-type", b"application/json")]) + reply

    def count(self) -> None:
        """Tell the metrics of the calls since they were told last."""
        if self.assembly.metrics is not None:
            self.assembly.metrics.called("fast", self.uncounted)
        self.uncounted = 0

    def _check_timeouts(self, loop: asyncio.AbstractEventLoop, connections: set[Any]) -> None:
        """Look after all connections at once: a timer for each would cost every one of them."""
        now = loop.time()
        for connection in [c for c in connections if isinstance(c, WebhookProtocol)]:
            connection.check_timeouts(now)
        if self.budget.begins_rest(_MUCH):
            memory.return_freed()
        self._is_watching = bool(connections) or self.budget.has_held(_MUCH)
        if self._is_watching:
            loop.call_later(self.tick, self._check_timeouts, loop, connections)


class WebhookProtocol(asyncio.Protocol):
    """One connection, until it is handed over. Sanic's server calls what its own protocols have as well."""

    def __init__(self, webhook: Webhook, given: Mapping[str, Any]) -> None:
        self._webhook = webhook
        self._given = given
        self._loop: asyncio.AbstractEventLoop = given["loop"]
        self._connections: set[Any] = given["connections"]
        self._transport: Any = None
        self._task: asyncio.Task[None] | None = None
        self._head: Head | None = None
        # What was received of a request that is not complete, and how much is missing; what came after it too early.
        self._pieces: list[bytes] = []
        self._missing = self._body_at = 0
        self._early: list[bytes] = []
        self._early_bytes = 0
        # What a large body has of the budget, or one that may become large.
        self._share: Share | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        transport.set_write_buffer_limits(low=16384, high=65536)
        self._transport = transport
        self._since = self._loop.time()
        self._is_new = True
        self._connections.add(self)
        self._peer = peer_of(transport)
        self._is_proxy = self._webhook.addresses.is_proxy(self._peer)

    def data_received(self, data: bytes) -> None:
        """Take in bytes, and begin to answer when a request is complete."""
        if self._task is not None:
            self._early.append(data)
            # Counted, not added up: they may come byte by byte.
            self._early_bytes += len(data)
            if self._early_bytes > _EARLY:
                self._transport.pause_reading()
            return
        self._since = self._loop.time()
        self._is_new = False
        head = self._head
        if head is None:
            found = self._webhook.heads.read(data)
            webhook = self._webhook
            if (
                found is None
                or not 0 < found[2] <= webhook.longest
                or (webhook.authenticator is not None and not webhook.authenticate(found[0]))
            ):
                self._receive_other(data)
                return
            self._head, self._body_at, length = found
            head, self._missing = self._head, self._body_at + length
            if length > UNCOUNTED or head.encoding:
                self._share = Share(webhook.budget)
        self._missing -= len(data)
        if self._missing < 0 or (self._share is not None and not _has_room(self._share, len(data))):
            self._hand_over(data)
        elif self._missing > 0:
            self._pieces.append(data)
        elif self._pieces:
            pieces, self._pieces = [*self._pieces, data], []
            # Empty if the headers came alone, as aiohttp sends them. One piece that is left is not copied either.
            first = memoryview(pieces[0])[self._body_at :]
            self._begin(b"".join([first, *pieces[1:]] if first else pieces[1:]), head)
        else:
            # Not a copy: for a long body that costs as much as splitting it.
            self._begin(memoryview(data)[self._body_at :], head)

    def pause_writing(self) -> None:
        """Read nothing more from a client that does not fetch its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        self._transport.resume_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End; nobody waits for the answer any more, though its action may go on."""
        self._connections.discard(self)
        self._release()
        if self._task is not None:
            self._webhook.disconnects.leave(self._task)

    def close_if_idle(self, now: float | None = None) -> bool:
        """Close the connection if no request is on it, on its way or about to come; tell whether it is closed."""
        transport = self._transport
        if self._task is not None or self._pieces:
            return False
        if transport.is_closing():
            return True
        if has_unread(transport):
            return False
        if self._is_new and (self._loop.time() if now is None else now) - self._since < FIRST_REQUEST:
            return False
        transport.close()
        return True

    def keep_no_longer(self) -> None:
        """Nothing to do: whether a connection is kept is asked when the answer is there."""

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def check_timeouts(self, now: float) -> None:
        """Do what is due: close an idle connection, leave a slow request to Sanic."""
        seconds = now - self._since
        if self._task is not None:
            if seconds > RESPONSE_TIMEOUT:
                self.abort()
        elif self._pieces:
            self._hand_over()
        # Who has never sent a byte is late with its headers, and holds a descriptor that others need.
        elif seconds > (
            self._webhook.limits.header_timeout if self._is_new else self._webhook.app.config.KEEP_ALIVE_TIMEOUT
        ):
            self.close_if_idle(now)

    def take_back(self, transport: Any, data: bytes) -> bool:
        """Go on with a connection that was handed over, if what came now begins a usual request."""
        if self._webhook.heads.read(data) is None:
            return False
        self._connections.add(self)
        self._is_new = False
        transport.set_protocol(self)
        self.data_received(data)
        return True

    def _begin(self, body: bytes | memoryview, head: Head) -> None:
        webhook = self._webhook
        webhook.uncounted += 1
        if webhook.uncounted == 1:
            self._loop.call_later(_COUNT_AFTER, webhook.count)
        self._task = asyncio.Task(self._answer(body, head), loop=self._loop, name="webhook")

    async def _answer(self, body: bytes | memoryview, head: Head) -> None:
        peer = self._peer
        client = self._webhook.addresses.client(peer, head.headers) if self._is_proxy else peer
        transport = self._transport
        decompress = None if self._share is None else self._webhook.decompress_of(head, self._share)
        answer = await self._webhook.answer(body, head, client, transport.is_closing, decompress)
        self._task = self._head = None
        if self._share is not None:
            self._release()
        if transport.is_closing():
            return
        transport.write(answer)
        if not (head.keep_alive and self._webhook.config["KEEP_ALIVE"]):
            transport.close()
            if transport.get_write_buffer_size():
                self._loop.call_later(_CLOSE_TIMEOUT, transport.abort)
        elif self._early:
            transport.resume_reading()
            self._hand_over()
        else:
            self._since = self._loop.time()

    def _release(self) -> None:
        if self._share is not None:
            self._share.release()
            self._share = None

    def _receive_other(self, data: bytes) -> None:
        """Take in the beginning of a request that is not usual, or none: some send a line break behind a body."""
        if not data.startswith(b"\r\n"):
            self._hand_over(data)
        elif rest := without_empty_lines(data):
            self.data_received(rest)

    def _hand_over(self, data: bytes = b"") -> None:
        """Let Sanic's protocol have the connection, and all that was received and not answered."""
        received = b"".join([*self._pieces, *self._early, data])
        self._pieces, self._early, self._head, self._missing = [], [], None, 0
        self._early_bytes = 0
        self._release()
        self._connections.discard(self)
        plain = self._webhook.plain(**self._given)
        plain.fast = self
        self._transport.set_protocol(plain)
        plain.connection_made(self._transport)
        plain.data_received(received)


def _has_room(share: Share, size: int) -> bool:
    try:
        share.take(size)
    except RequestError:
        # Sanic's route tells the client.
        return False
    return True


def fast_protocol(assembly: Assembly, app: SanicApp, plain: Callable[..., Any]) -> Callable[..., Any]:
    """Return what makes a connection's protocol: ours, or ``plain`` if something of the app has to see each request.

    Plug-ins may have added middlewares, signals or websockets, CORS is a middleware. Only after all of that was added.
    """
    by_name = app.named_request_middleware or app.named_response_middleware
    # The one signal of ours checks credentials, which is done here as well.
    signals = len(app.signal_router.routes) > (1 if assembly.authenticator is not None else 0)
    if app.request_middleware or app.response_middleware or by_name or signals or app.websocket_enabled:
        return plain
    return Webhook(assembly, app, plain).protocol
