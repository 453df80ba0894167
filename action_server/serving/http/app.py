"""The Sanic routes, and what errors of HTTP are answered with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from rasa_sdk.cors import configure_cors
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import BadRequest, RequestCancelled, SanicException
from sanic.handlers import ErrorHandler
from sanic.response import json as json_response

from action_server import __version__
from action_server.assembly import Assembly
from action_server.errors import BodyTooLargeError, CallError, RequestError, SlowBodyError
from action_server.protocol.calls import encode_error
from action_server.protocol.openapi import openapi
from action_server.protocol.which_engine import HEADER as ENGINE
from action_server.protocol.which_engine import engine_named
from action_server.runtime.limits import RequestLimits
from action_server.security.auth import Authenticator
from action_server.serving.http.byte_budget import ByteBudget, Share
from action_server.serving.http.client_addresses import ClientAddresses, client_of
from action_server.serving.http.compression import inflate_aside, known_encoding
from action_server.serving.http.refusals import client_gone_error
from action_server.serving.http.request_ids import id_of

SanicApp = Sanic[Any, Any]

# Above every time limit an action can have, and above the 300 s for which engines wait: a call is cut by its own limit.
RESPONSE_TIMEOUT = 330.0
# What rasa-sdk uses, in seconds.
KEEP_ALIVE_TIMEOUT = 120

_HINTS = {
    404: "there is nothing at this path; an action server answers POST /webhook, GET /health and GET /actions",
    405: "this path does not take this method; calls go to POST /webhook",
    417: "the Expect header asks for something this server does not do",
}
# A body that comes with one of these is not read: `stream` leaves that to the route.
_READING = ("GET", "HEAD")


def create_app(
    assembly: Assembly, *, name: str = "action_server", only_one: bool = True, pages_only: bool = False
) -> SanicApp:
    """Create the Sanic app that serves an executor's actions.

    ``name`` must be unique in a process; ``only_one`` tells that this is the only app the process serves. With
    ``pages_only``, and beside ``--grpc``, it has pages alone, and takes no calls.
    """
    settings, limits = assembly.settings, assembly.settings.request_limits
    app: SanicApp = Sanic(name, configure_logging=False, error_handler=Errors(assembly, limits))
    app.config.update(
        REQUEST_MAX_SIZE=limits.max_bytes,
        REQUEST_MAX_HEADER_SIZE=limits.max_header_bytes,
        REQUEST_TIMEOUT=limits.header_timeout,
        # Ours, for slow_requests.py.
        BODY_TIMEOUT=limits.body_timeout,
        RESPONSE_TIMEOUT=RESPONSE_TIMEOUT,
        KEEP_ALIVE_TIMEOUT=KEEP_ALIVE_TIMEOUT,
        ACCESS_LOG=False,
        # Sanic rewrites its own request handling for the app it serves, which is faster and works once in a process.
        TOUCHUP=only_one,
    )
    # Of both ways in.
    app.ctx.byte_budget = ByteBudget(limits.max_bytes_in_flight)
    app.ctx.disconnects = assembly.executor.disconnects
    if settings.cors:
        configure_cors(app, list(settings.cors))
    if assembly.authenticator is not None:
        _add_authentication(app, assembly.authenticator)
    app.ctx.takes_calls = not settings.grpc and not pages_only
    if app.ctx.takes_calls:
        _add_webhook(app, assembly, limits)
        _add_tools(app, assembly, limits)
    _add_pages(app, assembly)
    return app


def _add_authentication(app: SanicApp, authenticator: Authenticator) -> None:
    """Let nobody in without a credential, except to the paths that are open."""

    # Before the route is looked up and the body read: neither is done for callers who may not call, and what is not
    # there looks the same to them as what is.
    async def authenticate(request: Request) -> None:
        request.ctx.identity = authenticator.admit(request.path, request.headers, request.query_string)

    app.signal("http.routing.before")(authenticate)


def _add_webhook(app: SanicApp, assembly: Assembly, limits: RequestLimits) -> None:
    calls, addresses, budget = assembly.calls, ClientAddresses(assembly.settings.trusted_proxies), app.ctx.byte_budget

    @app.post("/webhook", stream=True)
    async def webhook(request: Request) -> HTTPResponse:
        encoding = ", ".join(request.headers.getall("content-encoding", []))
        share = Share(budget)
        decompress = partial(inflate_aside, encoding=encoding, limit=limits.max_bytes, take=share.take)
        if assembly.metrics is not None:
            assembly.metrics.called("plain", 1)
        try:
            _, body, error = await calls.answer(
                _read_body(request, limits, share),
                headers=request.headers,
                request_id=id_of(request),
                client=client_of(request, addresses),
                engine=_engine_of(request),
                decompress=decompress if encoding else None,
            )
        finally:
            share.release()
        if error is not None:
            return _refuse(request, error, body)
        return _json(body)


def _add_tools(app: SanicApp, assembly: Assembly, limits: RequestLimits) -> None:
    if assembly.tools is None:
        return
    # Here, as a server without tools need not pay for it.
    from action_server.serving.mcp.routes import add_mcp
    from action_server.tools.calling import Caller

    addresses = ClientAddresses(assembly.settings.trusted_proxies)

    async def with_body(request: Request, answer: Callable[[bytes], Awaitable[HTTPResponse]]) -> HTTPResponse:
        share = Share(app.ctx.byte_budget)
        try:
            body = await _read_body(request, limits, share)
            encoding = ", ".join(request.headers.getall("content-encoding", []))
            if encoding:
                body = await inflate_aside(body, encoding=encoding, limit=limits.max_bytes, take=share.take)
            return await answer(body)
        finally:
            share.release()

    def caller_of(request: Request, size: int) -> Caller:
        return Caller(request.headers, id_of(request), client_of(request, addresses), size, _engine_of(request))

    add_mcp(app, assembly, assembly.tools, with_body, caller_of)


def _engine_of(request: Request) -> str:
    return engine_named(request.headers.getall(ENGINE, []), request.query_string)


def _add_pages(app: SanicApp, assembly: Assembly) -> None:
    @app.route("/health", methods=_READING, stream=True)
    async def health(request: Request) -> HTTPResponse:
        return json_response({"status": "ok"})

    @app.route("/ready", methods=_READING, stream=True)
    async def ready(request: Request) -> HTTPResponse:
        is_ready, body = await assembly.readiness.check()
        if assembly.authenticator is not None and request.ctx.identity is None:
            # Whoever is unknown learns what a probe needs, and not which line of whose code was slow.
            body = {"status": body["status"]}
        return json_response(body, status=200 if is_ready else 503)

    @app.route("/actions", methods=_READING, stream=True)
    async def actions(request: Request) -> HTTPResponse:
        return json_response([{"name": action.name} for action in assembly.executor.registry])

    document = openapi(__version__)

    @app.route("/openapi.json", methods=_READING, stream=True)
    async def openapi_document(request: Request) -> HTTPResponse:
        return json_response(document)

    if assembly.metrics is not None:
        counted = assembly.metrics

        @app.route("/metrics", methods=_READING, stream=True)
        async def metrics(request: Request) -> HTTPResponse:
            encodings = ",".join(request.headers.getall("accept-encoding", []))
            page = await asyncio.to_thread(counted.render, request.headers.get("accept"), encodings)
            return HTTPResponse(page.body, 200, page.headers, page.content_type)


# Sanic says no more than that.
_NO_CHUNKS = "a chunk of the body does not have its size in hexadecimal digits before it, or a trailer behind the last"


async def _read_body(request: Request, limits: RequestLimits, share: Share) -> bytes:
    """Read a body piece by piece, no more than ``limits.max_bytes`` and no longer than ``limits.body_timeout``."""
    if request.stream is None:
        return b""
    # Before the first piece: whoever waits with Expect need not send what nobody could read.
    known_encoding(", ".join(request.headers.getall("content-encoding", [])))
    announced = request.headers.get("content-length", "").lstrip("0")
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
            if _is_there(stream):
                # A wait with a limit takes a task, which costs as much as all other reading of a small body.
                piece = await stream.read()
            else:
                piece = await asyncio.wait_for(stream.read(), deadline - loop.time())
        except asyncio.TimeoutError:
            raise SlowBodyError(limits.body_timeout) from None
        except BadRequest as exc:
            raise RequestError(_NO_CHUNKS) from exc
        except SanicException as exc:
            raise translate(exc, limits) from exc
        if piece is None:
            return b"".join(pieces)
        size += len(piece)
        if size > limits.max_bytes:
            raise BodyTooLargeError(limits.max_bytes)
        share.take(len(piece))
        pieces.append(piece)


def _is_there(stream: Any) -> bool:
    """Tell whether the next piece of a body, or its end, has been received: then nothing is waited for."""
    if stream.request_body == "chunked" or stream.expecting_continue:
        return False
    return bool(stream.recv_buffer) or not stream.request_bytes_left


class Errors(ErrorHandler):
    """Answers what Sanic raises as JSON; never with a value of the request or the text of an unforeseen exception."""

    def __init__(self, assembly: Assembly, limits: RequestLimits) -> None:
        super().__init__()
        self._calls = assembly.calls
        self._has_tools = assembly.tools is not None
        self._limits = limits
        self._addresses = ClientAddresses(assembly.settings.trusted_proxies)

    def default(self, request: Request | None, exception: Exception) -> HTTPResponse:
        """Return the answer for an exception nobody handled before."""
        found = translate(exception, self._limits)
        if request is None:
            error = self._calls.note_error(found)
            return _json(encode_error(error), error.status, error.headers)
        error = self._calls.note_error(found, id_of(request), client_of(request, self._addresses))
        return _refuse(request, error, self._encode(request, error))

    def _encode(self, request: Request, error: CallError) -> bytes:
        if not self._has_tools or request.path.rstrip("/") != "/mcp":
            return encode_error(error)
        from action_server.serving.mcp.messages import encode_refusal

        return encode_refusal(error)


def translate(exception: Exception, limits: RequestLimits) -> Exception:
    """Return our error for one of Sanic's; any other exception is what it is."""
    if isinstance(exception, RequestCancelled):
        return client_gone_error()
    if not isinstance(exception, SanicException) or not exception.status_code:
        return exception
    status = exception.status_code
    error = RequestError(_HINTS.get(status, HTTPStatus(status).phrase))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        error = BodyTooLargeError(limits.max_bytes)
    error.status = status
    error.headers = dict(exception.headers)
    return error


def _refuse(request: Request, error: CallError, body: bytes) -> HTTPResponse:
    """Return the answer that tells of an error. Nobody waits for what is left of a body that came too slowly."""
    stream: Any = request.stream
    if isinstance(error, SlowBodyError) and stream is not None and stream.request_body:
        stream.keep_alive = False
        stream.request_body = None
    return _json(body, error.status, error.headers)


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(body, status, headers, "application/json")
