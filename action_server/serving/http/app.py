"""The Sanic routes, and what errors of HTTP are answered with."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from rasa_sdk.cors import configure_cors
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import RequestCancelled, SanicException
from sanic.handlers import ErrorHandler
from sanic.response import json as json_response

from action_server.errors import (
    BodyTooLargeError,
    CallError,
    InternalError,
    RequestError,
    SlowBodyError,
    UnauthorizedError,
)
from action_server.protocol import calls
from action_server.protocol.lazy import read_call
from action_server.runtime.executor import Executor
from action_server.runtime.health import Readiness
from action_server.runtime.limits import RequestLimits
from action_server.security.auth import Authenticator
from action_server.serving.http.compression import inflate

SanicApp = Sanic[Any, Any]

logger = logging.getLogger(__name__)

# Above every time limit an action can have, and above the 300 s for which engines wait: a call is cut by its own limit.
RESPONSE_TIMEOUT = 330.0
# What rasa-sdk uses, in seconds.
KEEP_ALIVE_TIMEOUT = 120

_HINTS = {
    404: "there is nothing at this path; an action server answers POST /webhook, GET /health and GET /actions",
    405: "this path does not take this method; calls go to POST /webhook",
    417: "the Expect header asks for something this server does not do",
}
# Probes have no credentials, and the answer tells nothing.
_OPEN_PATHS = frozenset({"/health", "/health/"})
_REASONS = {
    401: "unauthorized",
    404: "path",
    405: "method",
    408: "slow",
    413: "too_large",
    415: "encoding",
    499: "gone",
}
_REQUEST_ID = "x-request-id"
_LONGEST_REQUEST_ID = 128
_random = random.Random()  # noqa: S311 - for ids of requests


class MetricsPage(Protocol):
    """What ``GET /metrics`` answers with."""

    def render(self, accept: str | None) -> tuple[bytes, str]:
        """Return the page and its content type, as the scraper's Accept header asks for it."""
        ...

    def refused(self, reason: str) -> None:
        """Count a request that did not become a call."""
        ...


@dataclass(frozen=True)
class AppParts:
    """What the routes are made of; everything but the executor may be left out."""

    executor: Executor
    limits: RequestLimits = field(default_factory=RequestLimits)
    readiness: Readiness = field(default_factory=lambda: Readiness(state="ready"))
    authenticator: Authenticator | None = None
    metrics: MetricsPage | None = None
    cors_origins: Sequence[str] = ()


def create_app(parts: AppParts, *, name: str = "action_server", only_one: bool = True) -> SanicApp:
    """Create the Sanic app that serves an executor's actions.

    ``name`` must be unique in a process; ``only_one`` tells that this is the only app the process serves.
    """
    limits = parts.limits
    app: SanicApp = Sanic(name, configure_logging=False, error_handler=Errors(limits, parts.metrics))
    app.config.update(
        REQUEST_MAX_SIZE=limits.max_bytes,
        REQUEST_MAX_HEADER_SIZE=limits.max_header_bytes,
        REQUEST_TIMEOUT=limits.header_timeout,
        # Ours, for protocol.py.
        BODY_TIMEOUT=limits.body_timeout,
        RESPONSE_TIMEOUT=RESPONSE_TIMEOUT,
        KEEP_ALIVE_TIMEOUT=KEEP_ALIVE_TIMEOUT,
        ACCESS_LOG=False,
        # Sanic rewrites its own request handling for the app it serves, which is faster and works once in a process.
        TOUCHUP=only_one,
    )
    if parts.cors_origins:
        configure_cors(app, list(parts.cors_origins))
    if parts.authenticator is not None and parts.authenticator.enabled:
        _close(app, parts.authenticator)
    _add_webhook(app, parts)
    _add_pages(app, parts)
    return app


def _close(app: SanicApp, authenticator: Authenticator) -> None:
    """Let nobody in without a credential, except to where probes go."""

    # Before the route is looked up and the body read: neither is done for callers who may not call, and what is not
    # there looks the same to them as what is.
    async def check(request: Request) -> None:
        if request.path not in _OPEN_PATHS:
            authenticator.check(request.headers, request.query_string)

    app.signal("http.routing.before")(check)


async def answered(
    parts: AppParts,
    body: bytes | memoryview | Awaitable[bytes],
    encoding: str,
    headers: Mapping[str, str],
    request_id: str,
) -> bytes:
    """Run the call of a request and return the body of its 200. ``encoding`` is the body's, ``body`` may still arrive.

    Raises:
        CallError: there is no 200; :class:`Errors` knows the answer.
    """
    tracing = parts.executor.tracing
    if tracing.is_on:
        with tracing.call(headers) as span:
            raw = body if isinstance(body, (bytes, memoryview)) else await body
            with tracing.step("decode"):
                call = _call_of(raw, encoding, parts.limits)
            span.about(call)
            answer = await parts.executor.run(call, request_id=request_id, size=len(raw))
    else:
        raw = body if isinstance(body, (bytes, memoryview)) else await body
        call = _call_of(raw, encoding, parts.limits)
        answer = await parts.executor.run(call, request_id=request_id, size=len(raw))
    return calls.encode_reply(answer.events, answer.responses)


def _call_of(raw: bytes | memoryview, encoding: str, limits: RequestLimits) -> calls.Call:
    return read_call(inflate(bytes(raw), encoding, limits.max_bytes) if encoding else raw, limits.max_json_depth)


def _add_webhook(app: SanicApp, parts: AppParts) -> None:
    @app.post("/webhook", stream=True)
    async def webhook(request: Request) -> HTTPResponse:
        request_id = request_id_of(request.headers.get(_REQUEST_ID, ""))
        encoding = ", ".join(request.headers.getall("content-encoding", []))
        reply = await answered(parts, _read(request, parts.limits), encoding, request.headers, request_id)
        return _json(reply, headers={"X-Request-ID": request_id})


def _add_pages(app: SanicApp, parts: AppParts) -> None:
    @app.get("/health")
    async def health(request: Request) -> HTTPResponse:
        return json_response({"status": "ok"})

    @app.get("/ready")
    async def ready(request: Request) -> HTTPResponse:
        is_ready, body = await parts.readiness.check()
        return json_response(body, status=200 if is_ready else 503)

    @app.get("/actions")
    async def actions(request: Request) -> HTTPResponse:
        return json_response([{"name": action.name} for action in parts.executor.registry])

    if parts.metrics is not None:
        page = parts.metrics

        @app.get("/metrics")
        async def metrics(request: Request) -> HTTPResponse:
            body, content_type = await asyncio.to_thread(page.render, request.headers.get("accept"))
            return HTTPResponse(body, 200, None, content_type)


async def _read(request: Request, limits: RequestLimits) -> bytes:
    """Read a body piece by piece, no more than ``limits.max_bytes`` and no longer than ``limits.body_timeout``."""
    if request.stream is None:
        return b""
    announced = request.headers.get("content-length", "")
    # Python reads no integers of thousands of digits.
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limits.max_bytes):
        raise BodyTooLargeError(limits.max_bytes)
    pieces: list[bytes] = []
    size = 0
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.body_timeout
    stream: Any = request.stream
    while True:
        try:
            piece = await asyncio.wait_for(stream.read(), deadline - loop.time())
        except asyncio.TimeoutError:
            raise SlowBodyError(limits.body_timeout) from None
        if piece is None:
            return b"".join(pieces)
        size += len(piece)
        if size > limits.max_bytes:
            raise BodyTooLargeError(limits.max_bytes)
        pieces.append(piece)


def request_id_of(given: str) -> str:
    """Return the caller's id of a request if it is fit for a log and a header, otherwise one of our own."""
    if given and len(given) <= _LONGEST_REQUEST_ID and given.isascii() and given.isprintable():
        return given
    # To find a line by, not to keep anybody out.
    return f"{_random.getrandbits(64):016x}"


class Errors(ErrorHandler):
    """Answers every error as JSON; never with a value of the request or the text of an unforeseen exception."""

    def __init__(self, limits: RequestLimits, metrics: MetricsPage | None) -> None:
        super().__init__()
        self._max_bytes = limits.max_bytes
        self._body_timeout = limits.body_timeout
        self._metrics = metrics

    def default(self, request: Request | None, exception: Exception) -> HTTPResponse:
        """Return the answer for an exception nobody handled before."""
        body, status, headers = self.answer(exception)
        if request is not None:
            _see_to_the_rest(request, 0.0 if isinstance(exception, SlowBodyError) else self._body_timeout)
            if _REQUEST_ID in request.headers:
                headers = {**headers, "X-Request-ID": request_id_of(request.headers[_REQUEST_ID])}
        return _json(body, status, headers)

    def answer(self, exception: BaseException) -> tuple[bytes, int, dict[str, str]]:
        """Return body, status and headers of the answer for an exception, and tell the log and the metrics."""
        error, status, headers = self._understood(exception)
        if isinstance(error, (RequestError, UnauthorizedError)):
            # Calls that reach the executor are logged there.
            problem = "no valid credential" if isinstance(error, UnauthorizedError) else error.message
            logger.warning("call.refused", extra={"status": status, "problem": problem})
            if self._metrics is not None:
                self._metrics.refused(_REASONS.get(status, "malformed"))
        return calls.encode_error(error), status, headers

    def _understood(self, exception: BaseException) -> tuple[CallError, int, dict[str, str]]:
        if isinstance(exception, CallError):
            return exception, exception.status, exception.headers
        if isinstance(exception, SanicException) and exception.status_code:
            status = exception.status_code
            return self._of_sanic(status), status, dict(exception.headers)
        if isinstance(exception, RequestCancelled):
            return RequestError("the client went away"), 499, {}
        error_id = secrets.token_hex(6)
        logger.error("server.failed", extra={"error_id": error_id}, exc_info=exception)
        return InternalError(error_id), InternalError.status, {}

    def _of_sanic(self, status: int) -> RequestError:
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BodyTooLargeError(self._max_bytes)
        return RequestError(_HINTS.get(status, HTTPStatus(status).phrase))


def _see_to_the_rest(request: Request, patience: float) -> None:
    """Give what is left of a body that is not wanted ``patience`` seconds; then close the connection, or do so at once.

    Sanic waits for it as long as it keeps connections alive.
    """
    stream: Any = request.stream
    if stream is None or not stream.request_body:
        return
    if not patience:
        stream.keep_alive = False
        stream.request_body = None
        return

    def close_if_unread() -> None:
        if stream.request is request and stream.request_body:
            stream.protocol.abort()

    asyncio.get_running_loop().call_later(patience, close_if_unread)


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(body, status, headers, "application/json")
